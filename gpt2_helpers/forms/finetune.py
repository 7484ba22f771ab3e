"""The finetuning form: the model, the training text and the options. `run()` trains."""

from __future__ import annotations

import dataclasses
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    MODEL_ALIASES,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.data.documents import find_files
from gpt2_helpers.errors import CheckpointError, DatasetError, Gpt2Error, OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.data_picker import DataPicker
from gpt2_helpers.forms.run_names import existing_run_note, new_name_note, propose_name
from gpt2_helpers.forms.uploads import is_url
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import VARIABLE_PREFIX, ConfigForm, Displayable
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.generation.memory import available_memory
from gpt2_helpers.google import drive
from gpt2_helpers.training.memory import (
    ModelFit,
    SampleSettings,
    fit_models,
    sample_settings,
)

if TYPE_CHECKING:
    from gpt2_helpers.session import Session

_KINDS = (FinetuneConfig, RunConfig, DatasetConfig)
_MAIN_FIELDS = (
    *("model_name", "steps", "run_name", "restore_from", "learning_rate"),
    *("sample_every", "sample_length", "save_every", "backup_to_drive"),
)
# The data picker has the column, the live view shows every step, and the other forms of a notebook
# expect the default folders.
_HIDDEN_FIELDS = ("column", "print_every", "checkpoint_dir", "model_dir", "sample_dir")
_WITH_GPU = {"model_name": "124M", "sample_every": 200, "sample_length": 200, "save_every": 500}
_WITHOUT_GPU = {
    **{"model_name": BUNDLED_MODEL, "steps": 100, "learning_rate": 0.001},
    **{"sample_every": 25, "sample_length": 100},
}
_RESTORE_CHOICES = [
    ("latest: resume the run if it exists", "latest"),
    ("fresh: start again from the model", "fresh"),
]
# For English text, with GPT-2's vocabulary and with a small one such as tiny's.
_CHARACTERS_PER_TOKEN, _CHARACTERS_PER_SMALL_TOKEN = 4, 3
_LARGE_VOCABULARY = 20_000


class FinetuneForm(Displayable):
    """A form with all finetuning options. `run()` trains, shows the progress, returns a session.

    form = FinetuneForm()
    form                       # last line of a cell: displays the form
    sess = form.run()          # in the next cell
    gpt2.generate(sess)        # in any later cell

    Defaults with a GPU: 124M and 1,000 steps; without one: tiny and 100 steps. Backups to Google
    Drive are on if it is mounted. Environment variables override the arguments: GPT2_MODEL_NAME,
    GPT2_STEPS, GPT2_DATASET and so on, for every option. The folders of runs, models and samples
    are not shown, but can be set the same way.

    Args:
        dataset: The initial training text: a path, or the name of a sample.
        column: The initial column of a table.
        **defaults: Initial values of other options by name.
    """

    def __init__(
        self, dataset: str | Path | None = None, column: str | None = None, **defaults: Any
    ) -> None:
        from gpt2_helpers.system.tensorflow_setup import load_tensorflow

        load_tensorflow()
        from gpt2_helpers.system.device import gpus

        self.picker = DataPicker(dataset=dataset, column=column)
        names = [field.name for kind in _KINDS for field in fields_of(kind)]
        rest = [name for name in names if name not in (*_MAIN_FIELDS, *_HIDDEN_FIELDS)]
        self.form = ConfigForm(
            *_KINDS,
            only=(*_MAIN_FIELDS, *rest),
            hidden=_HIDDEN_FIELDS,
            advanced=rest,
            defaults={
                **(_WITH_GPU if gpus() else _WITHOUT_GPU),
                "backup_to_drive": drive.is_mounted(),
                **defaults,
            },
            choices={"model_name": MODEL_NAMES, "restore_from": _RESTORE_CHOICES},
            after={"model_name": self.picker.widget},
        )
        self._summary = widgets.HTML()
        self.widget = widgets.VBox([self.form.widget, self._summary])
        self.widget.add_class("gpt2-form")
        self._fits_key: object = None  # the options for which `_fits` was computed
        self._fits: dict[str, ModelFit] = {}
        self._saves_memory = False  # whether the form turned memory saving on, not the user
        self._session: Session | None = None
        self._on_drive = self._runs_on_drive()
        self.form.on_change(self._update)
        self.picker.on_change(self._on_text_change)
        self._own_name = self.form.raw_value("run_name")  # not proposed by the form
        self._proposed_name: str | None = None
        if f"{VARIABLE_PREFIX}RUN_NAME" not in os.environ:
            self._propose_name()
        self._update()

    @property
    def finetune_config(self) -> FinetuneConfig:
        """The training options. Raises OptionError if one is invalid."""
        return self.form.config(FinetuneConfig)

    @property
    def run_config(self) -> RunConfig:
        """The options of the run. Raises OptionError if one is invalid."""
        return self.form.config(RunConfig)

    @property
    def data_config(self) -> DatasetConfig:
        """The options of the dataset. Raises OptionError if one is invalid."""
        return dataclasses.replace(self.form.config(DatasetConfig), column=self.picker.column)

    def run(self, sess: Session | None = None) -> Session:
        """Train with the options of the form. Downloads the model first if necessary.

        An interrupt saves the run and returns. If training fails, the session is closed.

        Args:
            sess: The session to train in (default: the form's own, which later calls reuse, since
                two models would need twice the memory).

        Returns:
            The session with the finetuned model.

        Raises:
            NotebookError: If an option is invalid or training fails.
        """
        from gpt2_helpers.checkpoint.pretrained import download_if_missing
        from gpt2_helpers.checkpoint.run_folder import starts_from_base_model
        from gpt2_helpers.forms import training_view
        from gpt2_helpers.session import Session

        with plain_errors():
            finetune, run = self.finetune_config, self.run_config
            path = self.picker.path()
            data = self.data_config  # after path(): the column of a downloaded table is known now
            if starts_from_base_model(run):
                download_if_missing(run, on_message=print)
            if sess is None:
                sess = self._session = self._session or Session()
            try:
                training_view.show(sess.finetune(path, finetune, run, data))
            except BaseException:
                sess.close()  # its weights may be inconsistent, unlike the saved ones
                raise
        gc.collect()  # frees the optimizer, which is twice as large as the model
        self._on_drive = self._runs_on_drive()
        self._own_name, self._proposed_name = run.run_name, None
        self._update()  # the run exists now
        return sess

    def _runs_on_drive(self) -> dict[str, int]:
        """Return the steps of the runs on a mounted Drive, by name."""
        from gpt2_helpers.google.drive_backup import DRIVE, saved_runs

        if not drive.is_mounted():
            return {}
        runs = saved_runs(self.form.value("checkpoint_dir"))
        return {saved.name: saved.step for saved in reversed(runs) if saved.location == DRIVE}

    def _on_text_change(self) -> None:
        self._propose_name()
        self._update()

    def _propose_name(self) -> None:
        """Put a new name into the form if the run was trained on another text, or the own one."""
        shown = self.form.raw_value("run_name")
        if shown != self._proposed_name:
            self._own_name = shown
        text = self._chosen_text()
        try:
            own = dataclasses.replace(self.run_config, run_name=self._own_name)
            if not is_url(text):
                find_files(text)
        except (OptionError, DatasetError):
            return  # incomplete input
        self._proposed_name = propose_name(own, text, self.picker.column)
        wanted = self._proposed_name or self._own_name
        if wanted != shown:
            self.form.set(run_name=wanted)

    def _update(self) -> None:
        """Update the notes and the summary."""
        try:
            finetune, run = self.finetune_config, self.run_config
        except OptionError:
            self._summary.value = ""  # the field shows its error
            return
        self._update_memory_note(finetune, run)
        self._update_run_note(run)
        self._summary.value = message("heading", self._training_summary(finetune, run))

    def _update_memory_note(self, finetune: FinetuneConfig, run: RunConfig) -> None:
        """Show for each model whether it fits into memory, and turn on gradient
        checkpointing if needed.

        The user can change that; it is decided again when the model or another option changes.
        """
        plain = dataclasses.replace(finetune, use_memory_saving_gradients=False)
        samples = sample_settings(run, finetune.precision)
        key = run.model_name, dataclasses.replace(plain, steps=1), samples
        name = MODEL_ALIASES.get(run.model_name, run.model_name)
        if key != self._fits_key:
            self._fits_key, self._fits = key, _estimate_fits(plain, samples)
            if self._fits:
                self.form.offer("model_name", [(f.line, f.name) for f in self._fits.values()])
            saves = name in self._fits and self._fits[name].changes != {}
            if saves != self._saves_memory:
                self._saves_memory = saves
                self.form.set(use_memory_saving_gradients=saves)
                return  # setting the option has called this method again
        text, warning = _fit_note(self._fits.get(name), finetune.use_memory_saving_gradients)
        self.form.note("model_name", text, warning=warning)

    def _update_run_note(self, run: RunConfig) -> None:
        """Show below the run name whether the run exists and what training does to it."""
        try:
            text = f"{existing_run_note(run, self._chosen_text(), self.picker.column)} "
            text = f"{text}{self._drive_note(run)}".strip()
            if run.run_name == self._proposed_name:
                own = dataclasses.replace(run, run_name=self._own_name)
                reason = new_name_note(own, run.run_name, self._chosen_text())
                text = f"{reason} {text}".strip()
        except Gpt2Error as error:
            text = str(error)
        self.form.note("run_name", text, warning=bool(text))

    def _chosen_text(self) -> str:
        """Return the chosen path or URL; empty if there is none."""
        try:
            return self.picker.value
        except OptionError:
            return ""

    def _drive_note(self, run: RunConfig) -> str:
        """Return a warning if Drive has more steps of the run, which a backup would not replace."""
        from gpt2_helpers.checkpoint.run_folder import RunFolder

        step = self._on_drive.get(run.run_name, 0)
        resumes = run.restore_from == "latest"
        start = RunFolder(run.checkpoint_dir, run.run_name).read().step if resumes else 0
        if step <= start or run.overwrite:
            return ""
        return (
            f"Google Drive has {run.run_name} at step {step:,}: resume it with the form above, or "
            "choose another name."
        )

    def _training_summary(self, finetune: FinetuneConfig, run: RunConfig) -> str:
        """Return for instance "1,000 steps of 5,120 tokens, about 10 epochs over your text"."""
        shape = model_shape(run)
        if shape is None:
            return ""
        tokens = shape.n_ctx * finetune.batch_size * finetune.accumulate_gradients
        if finetune.steps <= 0:
            return f"Steps of {tokens:,} tokens, until interrupted."
        steps = finetune.steps
        text = f"{steps:,} step{'s' * (steps > 1)} of {tokens:,} tokens"
        if self.picker.characters:
            is_large = shape.n_vocab > _LARGE_VOCABULARY
            per_token = _CHARACTERS_PER_TOKEN if is_large else _CHARACTERS_PER_SMALL_TOKEN
            epochs = steps * tokens * per_token / self.picker.characters
            amount = f"{epochs:,.0f} epochs over" if epochs >= 1.5 else f"{epochs:.0%} of"
            text += f", about {amount} your text"
        return f"{text}."


def _fit_note(fit: ModelFit | None, saves: bool) -> tuple[str, bool]:
    """Return a note on whether the model fits into memory, and whether it is a warning."""
    if fit is None or fit.changes == {}:
        return "", False
    if fit.changes is None:
        return "This model probably won't fit in memory: choose a smaller one.", True
    needed = [
        f"{field.label} is {fit.changes[field.name]}"
        for field in fields_of(FinetuneConfig)
        if field.name in fit.changes and field.kind is not bool
    ]
    if needed:
        return f"Fits in memory if {' and '.join(needed)} (Advanced options).", True
    if saves:
        return "Gradient checkpointing (Advanced options) is on, which this model needs.", False
    return "Probably won't fit in memory without gradient checkpointing (Advanced options).", True


def _estimate_fits(finetune: FinetuneConfig, samples: SampleSettings | None) -> dict[str, ModelFit]:
    """Return by name how each model fits into memory; empty if the memory is unknown."""
    from gpt2_helpers.system.device import choose_precision

    available, location = available_memory()
    if available is None:
        return {}
    precision = choose_precision(finetune.precision)
    fits = fit_models(available, finetune, precision, location, samples)
    return {fit.name: fit for fit in fits}


def model_shape(run: RunConfig) -> ModelConfig | None:
    """Return the shape of the model to start from, or None if it is unknown yet."""
    name = MODEL_ALIASES.get(run.model_name, run.model_name)
    if name in PRETRAINED_CONFIGS:
        return PRETRAINED_CONFIGS[name]
    folder = BUNDLED_FOLDER if name == BUNDLED_MODEL else Path(run.model_dir) / name
    try:
        return ModelConfig.load(folder)
    except CheckpointError:
        return None
