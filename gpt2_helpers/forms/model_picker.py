"""Which model writes: a run of this machine or of Google Drive, or a pretrained size.

The form lists and loads; what a run is, and how it comes from Drive, others know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.config import (
    BUNDLED_MODEL,
    MODEL_NAMES,
    OLD_NAMES,
    SIZES,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import VARIABLE_PREFIX, Displayable
from gpt2_helpers.forms.widgets.html import warning_messages
from gpt2_helpers.forms.widgets.progress import show_copy_progress
from gpt2_helpers.forms.widgets.style import LABEL_WIDTH, message, style_sheet
from gpt2_helpers.generation.memory import GB, estimate_generation

if TYPE_CHECKING:
    from gpt2_helpers.google.drive_backup import SavedRun
    from gpt2_helpers.session import Session
    from gpt2_helpers.web.server import Server


@dataclass(frozen=True)
class ModelChoice:
    """One line of the list: a run, or a pretrained model where `saved` is None."""

    name: str
    shown: str
    saved: SavedRun | None = None


class ModelForm(Displayable):
    """A list of the models that there are; `run()` in the next cell loads the chosen one.

    form = ModelForm()
    form                     # as a cell's last line: shows it
    sess = form.run()        # in the next cell: a session with the model
    form.run()               # later, after another choice: the same session with that model
    form.run(other)          # or into a session of yours
    page = form.serve()      # the chosen model on a page to write with, until page.stop()

    A form has one session, so that a cell that is run again takes no more memory; a model beside
    the first comes from a ModelForm of its own. The runs stand first, the newest on top and chosen;
    with `pretrained` a model as it came is chosen. The environment variable GPT2_RUN_NAME chooses a
    run by its name, GPT2_MODEL_NAME a pretrained model where no such run is there.
    """

    def __init__(
        self,
        checkpoint_dir: str | Path = "checkpoint",
        model_dir: str | Path = "models",
        *,
        pretrained: bool = False,
    ) -> None:
        from gpt2_helpers.system.tensorflow_setup import load_tensorflow

        load_tensorflow()
        self._pretrained = pretrained
        self._checkpoint_dir, self._model_dir = Path(checkpoint_dir), Path(model_dir)
        self._session: Session | None = None
        self._loaded: ModelChoice | None = None  # by the button, not handed out yet
        self._list = widgets.Dropdown(
            description="Model",
            layout=widgets.Layout(width="700px", max_width="100%"),
            style={"description_width": LABEL_WIDTH},
        )
        self._problem, self._status = widgets.HTML(), widgets.HTML()
        self._load_button = ActionButton("Load", self._load_here)
        self._look_button = ActionButton("Look again", self.refresh)
        buttons = widgets.HBox([self._load_button.button, self._look_button.button])
        self.widget = widgets.VBox(
            [
                style_sheet(),
                self._list,
                self._problem,
                buttons,
                *(self._load_button.message, self._look_button.message, self._status),
            ]
        )
        self.widget.add_class("gpt2-form")
        self._list.observe(self._forget_status, "value")
        self.refresh()
        self._choose_by_variables()

    @property
    def choice(self) -> ModelChoice:
        """What is chosen."""
        chosen: ModelChoice = self._list.value
        return chosen

    def choose(self, name: str) -> None:
        """Choose a run by its name, else a pretrained model. Gpt2Error where there is neither."""
        for choice in self._choices():
            if choice.name == name:
                self._list.value = choice
                return
        raise Gpt2Error(
            f"there is no run and no model {name!r}: there are "
            f"{', '.join(choice.name for choice in self._choices())}"
        )

    def refresh(self) -> None:
        """Look again which runs and models there are. What was chosen stays chosen."""
        self._problem.value = ""
        choices = [*self._runs(), *self._models()]
        chosen = self._list.value
        self._list.options = [(choice.shown, choice) for choice in choices]
        again = (choice for choice in choices if _is_same(choice, chosen))
        self._list.value = next(again, None) or self._best(choices)

    def run(self, sess: Session | None = None) -> Session:
        """Load the chosen model and return its session: the form's own, or `sess`.

        A run is copied from Drive, and an official model downloaded, where it is not here yet. What
        is wrong stops the cell with a sentence.
        """
        loaded, self._loaded = self._loaded, None
        own = self._session
        if sess is None and own is not None and own.is_loaded and loaded == self.choice:
            return own
        status = widgets.HTML()
        display(status)  # type: ignore[no-untyped-call]
        with plain_errors():
            return self._load(self.choice, sess, status)

    def serve(self, **options: Any) -> Server:
        """Put the chosen model on a page of its own, as `gpt2.serve` does with its options: shown
        below the cell in Colaboratory, elsewhere as a link.

        The page has the model for itself, so that sessions can write meanwhile. What is wrong stops
        the cell with a sentence.
        """
        from gpt2_helpers.web.notebook import serve

        choice, status = self.choice, widgets.HTML()
        display(status)  # type: ignore[no-untyped-call]
        with plain_errors():
            status.value = message("note", f"Loading {choice.name} ...")
            try:
                self._bring(choice, status)
                is_run = choice.saved is not None
                return serve(
                    choice.name if is_run else None,
                    self._checkpoint_dir,
                    None if is_run else choice.name,
                    self._model_dir,
                    **options,
                )
            finally:
                status.value = ""

    def _load_here(self) -> None:
        """What the button does: the session waits for `run`, which hands it out."""
        self._loaded, choice = None, self.choice
        self._load(choice, None, self._status)
        self._loaded = choice

    def _load(self, choice: ModelChoice, sess: Session | None, status: widgets.HTML) -> Session:
        from gpt2_helpers.session import Session

        if sess is None:
            sess = self._session = self._session or Session()
        status.value = message("note", f"Loading {choice.name} ...")
        try:
            self._bring(choice, status)
            if choice.saved is None:
                sess.load_pretrained(choice.name, self._model_dir)
            else:
                sess.load_run(choice.name, self._checkpoint_dir)
        except BaseException:
            status.value = ""
            raise
        status.value = message("note", f"{choice.name} is loaded, {_size_of(sess)}.")
        return sess

    def _bring(self, choice: ModelChoice, status: widgets.HTML) -> None:
        """Copy a run from Drive, or download an official model, where it is not here yet."""
        from gpt2_helpers.checkpoint.pretrained import download_if_missing
        from gpt2_helpers.google.drive_backup import DRIVE, bring_here

        if choice.saved is None:
            run = RunConfig(model_name=choice.name, model_dir=str(self._model_dir))
            download_if_missing(
                run, note=lambda line: setattr(status, "value", message("note", line))
            )
        elif choice.saved.place == DRIVE:
            notes: list[str] = []
            bringing = bring_here(choice.saved, self._checkpoint_dir, notes.append)
            show_copy_progress(bringing, f"Copying {choice.name} from Google Drive", status)
            self._problem.value = "".join(message("note", note) for note in notes)

    def _runs(self) -> list[ModelChoice]:
        from gpt2_helpers.google.drive_backup import HERE, saved_runs

        notes: list[str] = []  # of Drive
        found = saved_runs(self._checkpoint_dir, notes.append)
        self._problem.value = warning_messages(notes)
        return [
            ModelChoice(saved.name, describe_run(saved, on_drive=saved.place != HERE), saved)
            for saved in found
        ]

    def _models(self) -> list[ModelChoice]:
        """The pretrained sizes, and what else lies in the folder of models."""
        folders = sorted(path.parent.name for path in self._model_dir.glob("*/hparams.json"))
        others = [name for name in folders if name not in (*MODEL_NAMES, *OLD_NAMES)]
        choices = [ModelChoice(name, f"{name}, in {self._model_dir}") for name in others]
        for name in MODEL_NAMES:
            where = "comes with the package"
            if name in SIZES:
                size = f"{4 * SIZES[name].n_parameters / 1e9:.1f} GB"
                where = "is here" if name in folders else f"is downloaded first, {size}"
            what = "GPT-2 without finetuning" if name in SIZES else "a small model of novels"
            choices.append(ModelChoice(name, f"{name}, {what} ({where})"))
        return choices

    def _choices(self) -> list[ModelChoice]:
        return [choice for _, choice in self._list.options]

    def _best(self, choices: list[ModelChoice]) -> ModelChoice:
        """The newest run, else the model that suits this machine."""
        from gpt2_helpers.system.device import gpus

        if choices[0].saved is not None and not self._pretrained:
            return choices[0]
        suits = next(iter(SIZES)) if gpus() else BUNDLED_MODEL
        return next(choice for choice in choices if choice.name == suits)

    def _choose_by_variables(self) -> None:
        missing = []
        for name in ("MODEL_NAME",) if self._pretrained else ("RUN_NAME", "MODEL_NAME"):
            value = os.environ.get(f"{VARIABLE_PREFIX}{name}", "").strip()
            if not value:
                continue
            for choice in self._choices():
                if choice.name == value and (choice.saved is not None) == (name == "RUN_NAME"):
                    self._list.value = choice
                    return
            missing.append(value)
        if missing:
            words = f"There is no {' and no '.join(missing)} here: choose from the list."
            self._problem.value = message("warning", words)

    def _forget_status(self, _change: object = None) -> None:
        self._status.value = ""


def _is_same(choice: ModelChoice, other: ModelChoice | None) -> bool:
    """Whether it is the same model, whatever step it has come to."""
    if other is None or choice.name != other.name:
        return False
    places = [None if c.saved is None else c.saved.place for c in (choice, other)]
    return places[0] == places[1]


def describe_run(saved: SavedRun, *, on_drive: bool) -> str:
    """A run in a line: "run1: step 1,000, loss 2.31, 24 Nov 2026 18:15, on Google Drive"."""
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    line = f"{saved.name}: step {saved.step:,}"
    if saved.path.is_dir():
        try:
            losses = RunFolder(saved.path.parent, saved.path.name).read().record.losses
        except Gpt2Error:
            losses = []
        if losses:
            last = losses[-10:]  # of a single step it is much by chance
            line += f", loss {sum(loss for _, loss in last) / len(last):.2f}"
    line += f", {saved.when:%d %b %Y %H:%M}"
    return line + (", on Google Drive" if on_drive else "")


def _size_of(session: Session) -> str:
    """What the loaded model needs to write, and what there is."""
    model = session.inference_model
    count = model.config.n_parameters
    weights = f"{count / 1e6:,.1f} million weights" if count >= 1e5 else f"{count:,} weights"
    needed, available, place = estimate_generation(
        session.decoders, SamplingConfig(length=model.config.n_ctx)
    )
    has = "" if available is None else f"; {place} has {available / GB:,.1f} GB for it"
    return f"{weights}; it writes in about {needed / GB:,.1f} GB of memory{has}"
