"""The finetuning form: the model, the training text and the options. `run()` trains."""

from __future__ import annotations

import dataclasses
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.config import (
    BUNDLED_MODEL,
    MODEL_ALIASES,
    MODEL_NAMES,
    DatasetConfig,
    FinetuneConfig,
    RunConfig,
)
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.remote_files import is_url
from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.data_picker import DataPicker
from gpt2_helpers.forms.model_notes import (
    describe_time,
    describe_training,
    estimate_fits,
    estimate_tokens,
    fit_note,
    long_sample_note,
    model_shape,
    short_text_warning,
)
from gpt2_helpers.forms.run_names import existing_run_note, new_name_note, propose_name
from gpt2_helpers.forms.widgets.buttons import ActionButton, Handoff
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import VARIABLE_PREFIX, ConfigForm, Displayable
from gpt2_helpers.forms.widgets.html import show
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.forms.widgets.text_cards import close_all
from gpt2_helpers.google import drive
from gpt2_helpers.training.memory import ModelFit, sample_settings

if TYPE_CHECKING:
    from gpt2_helpers.session import Session

_KINDS = (FinetuneConfig, RunConfig, DatasetConfig)
_MAIN_FIELDS = (
    *("model_name", "steps", "run_name", "restore_from", "learning_rate"),
    *("sample_every", "sample_length", "save_every", "backup_to_drive"),
)
# The data picker has the columns and the encoding, the live view shows every step, and the other
# forms of a notebook expect the default folders.
_HIDDEN_FIELDS = (
    *("column", "prompt_column", "keywords_from", "encoding"),
    *("print_every", "checkpoint_dir", "model_dir", "sample_dir"),
)
_WITH_GPU = {"model_name": "124M", "sample_every": 200, "sample_length": 200, "save_every": 500}
_WITHOUT_GPU = {
    **{"model_name": BUNDLED_MODEL, "steps": 250, "learning_rate": 0.001},
    **{"sample_every": 50, "sample_length": 100},
}
_RESTORE_CHOICES = [
    ("latest: resume the run if it exists", "latest"),
    ("fresh: start again from the model", "fresh"),
]


class FinetuneForm(Displayable):
    """A form with all finetuning options. `run()` trains, shows the progress, returns a session.

    form = FinetuneForm()
    form                       # last line of a cell: displays the form
    sess = form.run()          # in the next cell; the button "Train" does the same
    gpt2.generate(sess)        # in any later cell

    Defaults with a GPU: 124M and 1,000 steps; without one: tiny and 250 steps. Backups to Google
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
        self._summary, self._results = widgets.HTML(), widgets.VBox()
        self._trained: Handoff[Session] = Handoff()
        train = ActionButton("Train", self._train_by_button, primary=True)
        below = [self._summary, train.button, train.message, self._results]
        self.widget = widgets.VBox([self.form.widget, *below])
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
        return dataclasses.replace(
            self.form.config(DatasetConfig),
            column=self.picker.column,
            prompt_column=self.picker.prompt_column,
            keywords_from=self.picker.keywords_from,
            encoding=self.picker.encoding,
        )

    def run(self, sess: Session | None = None) -> Session:
        """Train with the options of the form. Downloads the model first if necessary.

        An interrupt saves the run and returns. If training fails, the session is closed. If the
        button has just trained with the same options, returns its session instead; the next call
        trains again.

        Args:
            sess: The session to train in (default: the form's own, which later calls reuse, since
                two models would need twice the memory).

        Returns:
            The session with the finetuned model.

        Raises:
            NotebookError: If an option is invalid or training fails.
        """
        with plain_errors():
            trained = self._trained.take(self._options())
            if trained is not None and trained.is_loaded and sess in (None, trained):
                line = f"Trained by the button: {trained.run_name}."
                show(widgets.HTML(message("note", f"{line} Run this cell again for more steps.")))
                return trained
            sess = sess or self._own_session()
            self._train(sess, display, print)
        return sess

    def _train_by_button(self) -> None:
        sess = self._own_session()
        for child in self._results.children:
            close_all(child)
        status = widgets.HTML()
        self._results.children = [status]
        self._train(
            sess,
            lambda view: setattr(self._results, "children", [view]),
            lambda line: setattr(status, "value", message("note", str(line))),
        )
        self._trained.put(self._options(), sess)

    def _own_session(self) -> Session:
        from gpt2_helpers.session import Session

        self._session = self._session or Session()
        return self._session

    def _options(self) -> tuple[object, ...]:
        """Return all that determines a training. Raises OptionError if an option is invalid."""
        return self.picker.value, self.finetune_config, self.run_config, self.data_config

    def _train(
        self,
        sess: Session,
        show_widget: Callable[[widgets.Widget], object],
        on_message: Callable[[object], object],
    ) -> None:
        from gpt2_helpers.checkpoint.pretrained import download_if_missing
        from gpt2_helpers.checkpoint.run_folder import starts_from_base_model
        from gpt2_helpers.forms import training_view

        finetune, run = self.finetune_config, self.run_config
        path = self.picker.path()
        data = self.data_config  # after path(): the column of a downloaded table is known now
        if starts_from_base_model(run):
            download_if_missing(run, on_message=on_message)
        try:
            training_view.show(sess.finetune(path, finetune, run, data), show_widget)
        except BaseException:
            sess.close()  # its weights may be inconsistent, unlike the saved ones
            raise
        gc.collect()  # frees the optimizer, which is twice as large as the model
        self._on_drive = self._runs_on_drive()
        self._own_name, self._proposed_name = run.run_name, None
        self._update()  # the run exists now

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
        self._update_estimates(finetune, run)

    def _update_estimates(self, finetune: FinetuneConfig, run: RunConfig) -> None:
        """Show what the steps amount to and how long they take, and notes on lengths."""
        shape = model_shape(run)
        if shape is None:
            self._summary.value = ""
            return
        text = self.picker.preview
        tokens = estimate_tokens(text, run, shape)
        fits = self._fits.get(MODEL_ALIASES.get(run.model_name, run.model_name))
        heading = describe_training(finetune, shape, tokens)
        estimate = ""
        if fits is None or fits.changes is not None:
            estimate = describe_time(finetune, run, shape, tokens)
        self._summary.value = message("heading", heading) + message("note", estimate)
        characters = text.characters if text else None
        self.picker.warn(short_text_warning(characters, tokens, shape))
        self.form.note("sample_length", long_sample_note(run, shape))

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
            self._fits_key, self._fits = key, estimate_fits(plain, samples)
            if self._fits:
                self.form.offer("model_name", [(f.line, f.name) for f in self._fits.values()])
            saves = name in self._fits and self._fits[name].changes != {}
            if saves != self._saves_memory:
                self._saves_memory = saves
                self.form.set(use_memory_saving_gradients=saves)
                return  # setting the option has called this method again
        text, warning = fit_note(self._fits.get(name), finetune.use_memory_saving_gradients)
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
