"""The form to choose and load a model: a run, here or on Google Drive, or a pretrained model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.config import (
    BUNDLED_MODEL,
    MODEL_ALIASES,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
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
from gpt2_helpers.generation.memory import estimate_generation
from gpt2_helpers.system.sizes import memory_size

if TYPE_CHECKING:
    from gpt2_helpers.google.drive_backup import SavedRun
    from gpt2_helpers.session import Session
    from gpt2_helpers.web.server import Server


@dataclass(frozen=True)
class ModelChoice:
    """An item of the list: a run, or a pretrained model if `saved` is None."""

    name: str
    label: str
    saved: SavedRun | None = None
    needs_download: bool = False


class ModelForm(Displayable):
    """A list of models. `run()` in the next cell loads the chosen one.

    form = ModelForm()
    form                     # last line of a cell: displays the form
    sess = form.run()        # in the next cell: a session with the model
    form.run()               # after another choice: the same session with that model
    form.run(other)          # loads into another session
    page = form.serve()      # serves the chosen model as a web app, until page.stop()

    A form has one session, so running the cell again needs no additional memory. Use a second form
    for a second model. The newest run is selected by default. The environment variable
    GPT2_RUN_NAME selects a run; if there is no such run, GPT2_MODEL_NAME selects a model.

    Args:
        checkpoint_dir: Folder of the local runs.
        model_dir: Folder of the pretrained models.
        pretrained: Whether to select a pretrained model by default.
        compare_with: A session whose model this one is compared with. The default is then the model
            that its run was finetuned from or, if it holds a pretrained model, the newest run or
            another pretrained model.
    """

    def __init__(
        self,
        checkpoint_dir: str | Path = "checkpoint",
        model_dir: str | Path = "models",
        *,
        pretrained: bool = False,
        compare_with: Session | None = None,
    ) -> None:
        from gpt2_helpers.system.tensorflow_setup import load_tensorflow

        load_tensorflow()
        self._pretrained, self._compare_with = pretrained, compare_with
        self._checkpoint_dir, self._model_dir = Path(checkpoint_dir), Path(model_dir)
        self._session: Session | None = None
        self._loaded: ModelChoice | None = None  # by the button, until `run` returns it
        self._list = widgets.Dropdown(
            description="Model",
            layout=widgets.Layout(width="700px", max_width="100%"),
            style={"description_width": LABEL_WIDTH},
        )
        self._problem, self._status = widgets.HTML(), widgets.HTML()
        self._load_button = ActionButton("Load", self._preload)
        self._refresh_button = ActionButton("Refresh", self.refresh)
        buttons = widgets.HBox([self._load_button.button, self._refresh_button.button])
        self.widget = widgets.VBox(
            [
                style_sheet(),
                self._list,
                self._problem,
                buttons,
                *(self._load_button.message, self._refresh_button.message, self._status),
            ]
        )
        self.widget.add_class("gpt2-form")
        self._list.observe(self._clear_status, "value")
        self.refresh()
        self._choose_by_variables()

    @property
    def choice(self) -> ModelChoice:
        """The selected model."""
        chosen: ModelChoice = self._list.value
        return chosen

    def choose(self, name: str) -> None:
        """Select a run or a pretrained model by name. Raises Gpt2Error if it does not exist."""
        for choice in self._choices():
            if choice.name == name:
                self._list.value = choice
                return
        raise Gpt2Error(
            f"no run or model named {name!r}: choose one of "
            f"{', '.join(choice.name for choice in self._choices())}"
        )

    def refresh(self) -> None:
        """List the runs and models again, and keep the selection."""
        self._problem.value = ""
        choices = [*self._runs(), *self._models()]
        chosen = self._list.value
        self._list.options = [(choice.label, choice) for choice in choices]
        same = (choice for choice in choices if _is_same(choice, chosen))
        self._list.value = next(same, None) or self._default(choices)

    def run(self, sess: Session | None = None) -> Session:
        """Load the chosen model. Copies a run from Drive or downloads a model if necessary.

        Args:
            sess: The session to load into (default: the form's own session).

        Returns:
            The session.

        Raises:
            NotebookError: If the model cannot be loaded.
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
        """Serve the chosen model as a web app: shown below the cell in Colab, elsewhere as a link.

        The web app has its own copy of the model, so sessions can still generate.

        Args:
            **options: Those of `gpt2.serve`.

        Returns:
            The server; its `stop()` ends it.

        Raises:
            NotebookError: If the model cannot be loaded or an option is invalid.
        """
        from gpt2_helpers.web.notebook import serve

        choice, status = self.choice, widgets.HTML()
        display(status)  # type: ignore[no-untyped-call]
        with plain_errors():
            status.value = message("note", f"Loading {choice.name} ...")
            try:
                self._make_available(choice, status)
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

    def _preload(self) -> None:
        """Load the model for the next call of `run`."""
        self._loaded, choice = None, self.choice
        self._load(choice, None, self._status)
        self._loaded = choice

    def _load(self, choice: ModelChoice, sess: Session | None, status: widgets.HTML) -> Session:
        from gpt2_helpers.session import Session

        if sess is None:
            sess = self._session = self._session or Session()
        status.value = message("note", f"Loading {choice.name} ...")
        try:
            self._make_available(choice, status)
            if choice.saved is None:
                sess.load_pretrained(choice.name, self._model_dir)
            else:
                sess.load_run(choice.name, self._checkpoint_dir)
        except BaseException:
            status.value = ""
            raise
        status.value = message("note", f"{choice.name} is loaded, {_describe_size(sess)}.")
        return sess

    def _make_available(self, choice: ModelChoice, status: widgets.HTML) -> None:
        """Copy a run from Drive, or download a model, if it is not here yet."""
        from gpt2_helpers.checkpoint.pretrained import download_if_missing
        from gpt2_helpers.google.drive_backup import DRIVE, fetch_saved_run

        if choice.saved is None:
            run = RunConfig(model_name=choice.name, model_dir=str(self._model_dir))
            download_if_missing(
                run, on_message=lambda line: setattr(status, "value", message("note", line))
            )
        elif choice.saved.location == DRIVE:
            notes: list[str] = []
            copying = fetch_saved_run(choice.saved, self._checkpoint_dir, notes.append)
            show_copy_progress(copying, f"Copying {choice.name} from Google Drive", status)
            self._problem.value = "".join(message("note", note) for note in notes)

    def _runs(self) -> list[ModelChoice]:
        from gpt2_helpers.google.drive_backup import LOCAL, saved_runs

        notes: list[str] = []
        found = saved_runs(self._checkpoint_dir, notes.append)
        self._problem.value = warning_messages(notes)
        return [
            ModelChoice(saved.name, describe_run(saved, on_drive=saved.location != LOCAL), saved)
            for saved in found
        ]

    def _models(self) -> list[ModelChoice]:
        """Return the pretrained sizes and the other models in the folder."""
        folders = sorted(path.parent.name for path in self._model_dir.glob("*/hparams.json"))
        others = [name for name in folders if name not in (*MODEL_NAMES, *MODEL_ALIASES)]
        choices = [ModelChoice(name, f"{name}: model in {self._model_dir}") for name in others]
        for name in MODEL_NAMES:
            source = "included"
            if name in PRETRAINED_CONFIGS:
                size = f"{4 * PRETRAINED_CONFIGS[name].n_parameters / 1e9:.1f} GB"
                source = "downloaded" if name in folders else f"{size} download"
            kind = (
                "pretrained GPT-2"
                if name in PRETRAINED_CONFIGS
                else "small model trained on novels"
            )
            label = f"{name}: {kind} ({source})"
            choices.append(ModelChoice(name, label, needs_download="download" in source.split()))
        return choices

    def _choices(self) -> list[ModelChoice]:
        return [choice for _, choice in self._list.options]

    def _default(self, choices: list[ModelChoice]) -> ModelChoice:
        """Return the newest run, or the pretrained model that suits this machine."""
        from gpt2_helpers.system.device import gpus

        if self._compare_with is not None and self._compare_with.is_loaded:
            return self._counterpart(self._compare_with, choices)
        if choices[0].saved is not None and not self._pretrained:
            return choices[0]
        suitable = next(iter(PRETRAINED_CONFIGS)) if gpus() else BUNDLED_MODEL
        return next(choice for choice in choices if choice.name == suitable)

    def _counterpart(self, sess: Session, choices: list[ModelChoice]) -> ModelChoice:
        """Return the model to compare with that of a session."""
        from gpt2_helpers.system.device import gpus

        pretrained = {choice.name: choice for choice in choices if choice.saved is None}
        if sess.run_name is not None:
            base = MODEL_ALIASES.get(sess.base_model or "", sess.base_model)
            return pretrained.get(base or "", pretrained[BUNDLED_MODEL])
        runs = [choice for choice in choices if choice.saved is not None]
        if runs:
            return runs[0]
        others = [choice for choice in pretrained.values() if choice.name != sess.model_name]
        ready = [choice for choice in others if not choice.needs_download]
        suitable = next(iter(PRETRAINED_CONFIGS)) if gpus() else BUNDLED_MODEL
        return ready[0] if ready else pretrained[suitable]

    def _choose_by_variables(self) -> None:
        missing = []
        if self._compare_with is not None:  # they name the first model
            return
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
            text = f"Not found: {', '.join(missing)}. Choose from the list."
            self._problem.value = message("warning", text)

    def _clear_status(self, _change: object = None) -> None:
        self._status.value = ""


def _is_same(choice: ModelChoice, other: ModelChoice | None) -> bool:
    """Return whether both are the same model, regardless of the step."""
    if other is None or choice.name != other.name:
        return False
    places = [None if c.saved is None else c.saved.location for c in (choice, other)]
    return places[0] == places[1]


def describe_run(saved: SavedRun, *, on_drive: bool) -> str:
    """Return for instance "run1: step 1,000, loss 2.31, 24 Nov 2026 18:15, on Google Drive"."""
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    line = f"{saved.name}: step {saved.step:,}"
    if saved.path.is_dir():
        try:
            losses = RunFolder(saved.path.parent, saved.path.name).read().record.losses
        except Gpt2Error:
            losses = []
        if losses:
            last = losses[-10:]  # a single loss is noisy
            line += f", loss {sum(loss for _, loss in last) / len(last):.2f}"
    line += f", {saved.when:%d %b %Y %H:%M}"
    return line + (", on Google Drive" if on_drive else "")


def _describe_size(session: Session) -> str:
    """Return the size of the loaded model, and the memory that it needs and that is available."""
    model = session.inference_model
    count = model.config.n_parameters
    parameters = (
        f"{count / 1e6:,.1f} million parameters" if count >= 1e5 else f"{count:,} parameters"
    )
    config = SamplingConfig(length=model.config.n_ctx)
    needed, available, place = estimate_generation(session.decoders, config)
    free = "" if available is None else f"; {place} has {memory_size(available)} available"
    return f"{parameters}; generation needs about {memory_size(needed)} of memory{free}"
