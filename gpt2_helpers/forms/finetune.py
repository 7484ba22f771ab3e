"""The form for finetuning: a model, a text, how long; then `run()` in a cell of its own trains."""

from __future__ import annotations

import dataclasses
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    MODEL_NAMES,
    OLD_NAMES,
    SIZES,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.errors import CheckpointError, Gpt2Error, OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.data_picker import DataPicker
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
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
# The data picker has the column; the live view shows every step; and the rest of a page looks for
# runs, models and samples where they usually are.
_HIDDEN_FIELDS = ("column", "print_every", "checkpoint_dir", "model_dir", "sample_dir")
_WITH_GPU = {"model_name": "124M", "sample_every": 200, "sample_length": 200, "save_every": 500}
_WITHOUT_GPU = {
    **{"model_name": BUNDLED_MODEL, "steps": 100, "learning_rate": 0.001},
    **{"sample_every": 25, "sample_length": 100},
}
_STARTS = [
    ("latest: this run, if it is there, else the model", "latest"),
    ("fresh: the model, anew", "fresh"),
]
# In English, by GPT-2's vocabulary and by one of a few thousand pieces such as tiny's.
_CHARACTERS_A_TOKEN, _BY_A_SMALL_VOCABULARY = 4, 3


class FinetuneForm(Displayable):
    """All that a finetuning is told. `run()` trains, shows it live, and returns the session.

    form = FinetuneForm()
    form                       # as a cell's last line: shows it
    sess = form.run()          # in the next cell
    gpt2.generate(sess)        # in any after that

    With a GPU it begins with 124M and 1,000 steps, without one with tiny and 100, and it backs up
    to Google Drive where that is open. `defaults` are other values by the options' names, `dataset`
    is another text, or a sample's name, `column` that of a table. Environment variables go before
    all: GPT2_MODEL_NAME, GPT2_STEPS, GPT2_DATASET and so on, for every option. The folders of runs,
    models and samples are not asked for; their variables and `defaults` hold all the same.
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
            choices={"model_name": MODEL_NAMES, "restore_from": _STARTS},
            after={"model_name": self.picker.widget},
        )
        self._summary = widgets.HTML()
        self.widget = widgets.VBox([self.form.widget, self._summary])
        self.widget.add_class("gpt2-form")
        self._fitted: object = None  # what the list of models was last made for
        self._fits: dict[str, ModelFit] = {}
        self._saves = False  # whether memory saving was chosen here, and not by hand
        self._session: Session | None = None
        self._on_drive = self._runs_on_drive()
        self.form.on_change(self._update)
        self.picker.on_change(self._update)
        self._update()

    @property
    def finetune_config(self) -> FinetuneConfig:
        """What stands in the form of the training itself; OptionError where it is wrong."""
        return self.form.config(FinetuneConfig)

    @property
    def run_config(self) -> RunConfig:
        """What stands in the form of the run's folder; OptionError where it is wrong."""
        return self.form.config(RunConfig)

    @property
    def data_config(self) -> DatasetConfig:
        """What stands in the form of reading the data; OptionError where it is wrong."""
        return dataclasses.replace(self.form.config(DatasetConfig), column=self.picker.column)

    def run(self, sess: Session | None = None) -> Session:
        """Train as the form says, and return the session that holds the model.

        Without `sess` it is a new session the first time, and afterwards the same one again: two
        models at a time would need twice the memory. A model that is not here is downloaded first.
        What is wrong stops the cell with a sentence, and where the training itself failed the
        session is empty then; an interrupt saves and returns.
        """
        from gpt2_helpers.checkpoint.pretrained import download_if_missing
        from gpt2_helpers.checkpoint.run_folder import starts_from_base_model
        from gpt2_helpers.forms import training_view
        from gpt2_helpers.session import Session

        with plain_errors():
            finetune, run = self.finetune_config, self.run_config
            path = self.picker.path()
            data = (
                self.data_config
            )  # after it, since a table that was fetched has its column only now
            if starts_from_base_model(run):
                download_if_missing(run, note=print)
            if sess is None:
                sess = self._session = self._session or Session()
            try:
                training_view.show(sess.finetune(path, finetune, run, data))
            except BaseException:
                sess.close()  # what is saved is whole, and what is here need not be
                raise
        gc.collect()  # the optimizer, twice as large as the model, is needed no longer
        self._on_drive = self._runs_on_drive()
        self._update()  # there is a run of this name now
        return sess

    def _runs_on_drive(self) -> dict[str, int]:
        """The steps of the runs that a mounted Drive holds, by name."""
        from gpt2_helpers.google.drive_backup import DRIVE, saved_runs

        if not drive.is_mounted():
            return {}
        runs = saved_runs(self.form.value("checkpoint_dir"))
        return {saved.name: saved.step for saved in reversed(runs) if saved.location == DRIVE}

    def _update(self) -> None:
        """Say what the values in the form will lead to."""
        try:
            finetune, run = self.finetune_config, self.run_config
        except OptionError:
            self._summary.value = ""  # the message beside the field says more
            return
        self._update_memory_note(finetune, run)
        self._update_run_note(run)
        self._summary.value = message("heading", self._outlook(finetune, run))

    def _update_memory_note(self, finetune: FinetuneConfig, run: RunConfig) -> None:
        """Say of each model whether it fits this machine, and choose memory saving where that
        makes it fit. By hand it can be chosen otherwise, until another model is."""
        plain = dataclasses.replace(finetune, use_memory_saving_gradients=False)
        samples = sample_settings(run, finetune.precision)
        cause = run.model_name, dataclasses.replace(plain, steps=1), samples
        known = OLD_NAMES.get(run.model_name, run.model_name)
        if cause != self._fitted:
            self._fitted, self._fits = cause, _fits_here(plain, samples)
            if self._fits:
                self.form.offer("model_name", [(f.line, f.name) for f in self._fits.values()])
            saves = known in self._fits and self._fits[known].changes != {}
            if saves != self._saves:
                self._saves = saves
                self.form.set(use_memory_saving_gradients=saves)
                return  # that has told all of this
        words, warning = _fit_note(self._fits.get(known), finetune.use_memory_saving_gradients)
        self.form.note("model_name", words, warning=warning)

    def _update_run_note(self, run: RunConfig) -> None:
        """Under the name: whether there is such a run, and what will become of it."""
        try:
            words = f"{_what_becomes_of(run)} {self._further_on_drive(run)}".strip()
        except Gpt2Error as error:
            words = str(error)
        self.form.note("run_name", words, warning=bool(words))

    def _further_on_drive(self, run: RunConfig) -> str:
        """What Drive holds of the run where that is further than what training would begin with:
        a backup does not replace it, unless it may."""
        from gpt2_helpers.checkpoint.run_folder import RunFolder

        step = self._on_drive.get(run.run_name, 0)
        goes_on = run.restore_from == "latest"
        begin = RunFolder(run.checkpoint_dir, run.run_name).read().step if goes_on else 0
        if step <= begin or run.overwrite:
            return ""
        return (
            f"Google Drive holds {run.run_name} at step {step:,}: the list of earlier runs "
            "above brings it here; another name begins a new one."
        )

    def _outlook(self, finetune: FinetuneConfig, run: RunConfig) -> str:
        """How much will be read in how many steps.

        With 1,000 steps of 124M over 2 MB of text: "1,000 steps of 5,120 tokens, about 10 passes
        over your text".
        """
        shape = model_shape(run)
        if shape is None:
            return ""
        tokens = shape.n_ctx * finetune.batch_size * finetune.accumulate_gradients
        if finetune.steps <= 0:
            return f"Steps of {tokens:,} tokens, until you interrupt."
        steps = finetune.steps
        words = f"{steps:,} step{'s' * (steps > 1)} of {tokens:,} tokens"
        if self.picker.characters:
            large = shape.n_vocab > 20000
            each = _CHARACTERS_A_TOKEN if large else _BY_A_SMALL_VOCABULARY
            passes = steps * tokens * each / self.picker.characters
            times = f"{passes:,.0f} passes" if passes >= 1.5 else f"{passes:.0%}"
            words += f", about {times} {'over' if passes >= 1.5 else 'of'} your text"
        return f"{words}."


def _fit_note(fit: ModelFit | None, saves: bool) -> tuple[str, bool]:
    """What to say of a model where memory is saved or not, and whether it is a warning."""
    if fit is None or fit.changes == {}:
        return "", False
    if fit.changes is None:
        return "It will hardly fit: choose a smaller model.", True
    wanted = [
        f"{field.label} is {fit.changes[field.name]}"
        for field in fields_of(FinetuneConfig)
        if field.name in fit.changes and field.kind is not bool
    ]
    if wanted:
        return f"It fits once {' and '.join(wanted)}, among the advanced options.", True
    if saves:
        return "Save memory, among the advanced options, is on: it needs that.", False
    return "It will hardly fit without Save memory, among the advanced options.", True


def _fits_here(finetune: FinetuneConfig, samples: SampleSettings | None) -> dict[str, ModelFit]:
    """By name, how finetuning each model fits this machine; none where its memory is unknown."""
    from gpt2_helpers.system.device import choose_precision

    available, location = available_memory()
    if available is None:
        return {}
    precision = choose_precision(finetune.precision)
    fits = fit_models(available, finetune, precision, location, samples)
    return {fit.name: fit for fit in fits}


def model_shape(run: RunConfig) -> ModelConfig | None:
    """The shape of the model that the run is to start from; None where it cannot be known yet."""
    name = OLD_NAMES.get(run.model_name, run.model_name)
    if name in SIZES:
        return SIZES[name]
    folder = BUNDLED_FOLDER if name == BUNDLED_MODEL else Path(run.model_dir) / name
    try:
        return ModelConfig.load(folder)
    except CheckpointError:
        return None


def _what_becomes_of(run: RunConfig) -> str:
    """What training does to the run of this name; empty where there is none. Raises
    CheckpointError where what is there is broken."""
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    folder = RunFolder(run.checkpoint_dir, run.run_name)
    if run.restore_from == "latest" and folder.read().checkpoint is None:
        return ""
    if run.restore_from != "latest":
        try:
            there = folder.read().checkpoint is not None
        except CheckpointError:
            there = True
        if not there:
            return ""
        kept = "is dropped" if run.overwrite else "stays beside it in the run's folder"
        return (
            f"There is a run {run.run_name}. Training begins it anew, from the model; what it "
            f"learned before {kept}. Another name leaves it as it is."
        )
    snapshot = folder.read()
    record = snapshot.record
    words = f"There is a run {run.run_name}, {snapshot.step:,} steps so far"
    words += f", begun from {record.base_model}" if record.base_model else ""
    words += f", on {Path(record.dataset).name}" if record.dataset else ""
    words += ". Training goes on with it"
    if record.base_model not in ("", OLD_NAMES.get(run.model_name, run.model_name)):
        words += f", and {run.model_name} is not used"
    return f"{words}: choose another name to begin a new one."
