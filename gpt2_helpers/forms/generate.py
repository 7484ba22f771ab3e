"""The form for generating: a beginning, how freely, how many; texts on the page or in a file.

It asks, shows and keeps. How a text comes to be, and in which order, `session` and `generation`
know.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.data.documents import is_table
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.evaluation.similarity import Match
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.forms.widgets.text_cards import Comparer, TextCards, close_all, summary
from gpt2_helpers.generation.memory import GB, estimate_generation
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
from gpt2_helpers.generation.result import GenerationResult, in_order
from gpt2_helpers.session import Session
from gpt2_helpers.system.interrupts import deferred_interrupts
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

LONG_TEXT, SHORT = "Running text", "Short texts, such as titles"
_PRESETS: dict[str, dict[str, Any]] = {
    LONG_TEXT: {"prefix": "", "truncate": None, "include_prefix": True},
    SHORT: {"prefix": START_OF_TEXT, "truncate": END_OF_TEXT, "include_prefix": False},
}
_AMOUNTS: dict[str, dict[str, Any]] = {
    LONG_TEXT: {"length": 200, "nsamples": 5, "batch_size": 5},
    SHORT: {"length": 100, "nsamples": 20, "batch_size": 20},
}
_MAIN_FIELDS = ("prefix", "length", "temperature", "nsamples", "batch_size", "top_k", "top_p")
_ADVANCED_FIELDS = ("prefix_lines", "truncate", "include_prefix", "seed")


@dataclass(frozen=True)
class PromptConfig(ValidatedConfig):
    """What the texts begin with."""

    prefix: str = option("", "the text goes on from here; empty: it begins as a text begins")
    prefix_lines: bool = option(
        False, "each line above is a prefix, with texts of its own", label="A prefix a line"
    )

    @property
    def prompts(self) -> list[str]:
        """The prefixes; a single one keeps its newlines."""
        if not self.prefix_lines:
            return [self.prefix]
        return [line for line in self.prefix.splitlines() if line.strip()] or [""]


@dataclass(frozen=True)
class BulkConfig(ValidatedConfig):
    """How much goes into a file."""

    bulk_nsamples: int = option(
        100, "texts for each prefix, with the options above", label="Texts in the file", minimum=1
    )
    destination_path: str | None = option(
        None,
        "a file that is not there yet; empty: gpt2_gentext_ and the time",
        label="Name of the file",
    )


class GenerateForm(Displayable):
    """All that generating is told, with a button that generates and one that fills a file.

    form = GenerateForm(sess)
    form                             # as a cell's last line: shows it
    form.run()                       # in a cell: what the first button does, shown there
    form.to_file()                   # in a cell: what the second does; returns the file's path
    form.texts                       # what was written last
    OverlapReport.from_matches(form.matches)             # how much of it is copied

    It writes with the model that `sess` holds when it is asked to. For a run that was trained on
    a table it begins with the marks that stand around short texts. Environment variables go before
    all: GPT2_PREFIX, GPT2_LENGTH, GPT2_NSAMPLES and so on.
    """

    def __init__(self, sess: Session, **defaults: Any) -> None:
        """`defaults` are other values by the options' names, those of the file among them:
        `bulk_nsamples`, `destination_path`."""
        bulk = {f.name: defaults.pop(f.name) for f in fields_of(BulkConfig) if f.name in defaults}
        self.session = sess
        self.texts: list[str] = []
        self.matches: list[tuple[str, Match]] = []  # those that could be compared
        # By what it depends on: what compares, and what is to be said of it.
        self._compared: tuple[object, Comparer | None, str] | None = None
        kind = SHORT if _trained_on_table(sess) else LONG_TEXT
        self.kind = widgets.ToggleButtons(
            options=[LONG_TEXT, SHORT], value=kind, style={"button_width": "auto"}
        )
        self.form = ConfigForm(
            PromptConfig,
            SamplingConfig,
            only=(*_MAIN_FIELDS, *_ADVANCED_FIELDS),
            advanced=_ADVANCED_FIELDS,
            defaults={**_PRESETS[kind], **_AMOUNTS[kind], **defaults},
            lines={"prefix": 3},
        )
        self.bulk = ConfigForm(BulkConfig, defaults=bulk)
        self._results, self._file = widgets.VBox(), widgets.VBox()
        generate = ActionButton("Generate", lambda: self._generate(self._results), primary=True)
        to_file = ActionButton("Write to a file", lambda: self._fill_file(self._file))
        self.widget = widgets.VBox(
            [
                style_sheet(),
                self.kind,
                self.form.widget,
                *(generate.button, generate.message, self._results),
                widgets.HTML(message("heading", "Many texts at once, into a file")),
                self.bulk.widget,
                *(to_file.button, to_file.message, self._file),
            ]
        )
        self.widget.add_class("gpt2-form")
        self.kind.observe(lambda change: self.form.set(**_PRESETS[change["new"]]), "value")
        self.form.on_change(self._update_memory_note)
        self._update_memory_note()

    def run(self) -> None:
        """Write the texts that the form asks for, and show them in this cell."""
        place = _shown_place()
        with plain_errors():
            self._generate(place)

    def to_file(
        self, nsamples: int | None = None, destination_path: str | Path | None = None
    ) -> Path | None:
        """Write texts into a file, `nsamples` for each prefix, and offer it for download.

        What is not given is as the form says. Returns the file's path, or None where an interrupt
        came before the first text was finished.
        """
        place = _shown_place()
        with plain_errors():
            return self._fill_file(place, nsamples, destination_path)

    def _update_memory_note(self) -> None:
        """Warn beside the batch size where so much does not fit side by side."""
        if not self.form.is_valid or not self.session.is_loaded:
            return
        config = self.form.config(SamplingConfig)
        needed, available, place = estimate_generation(self.session.decoders, config)
        words = ""
        if available is not None and needed > available:
            words = (
                f"So many texts side by side need about {needed / GB:,.1f} GB of memory, {place} "
                f"has {available / GB:,.1f}: take a smaller batch size, or a shorter length."
            )
        self.form.note("batch_size", words, warning=True)

    def _generate(self, place: widgets.VBox) -> None:
        """Texts as cards into `place`, as they finish, instead of what stood there."""
        prompts, config = self._asked()
        note = _begin(place)
        originality, remark = self._originality()
        bar = ProgressBar(len(prompts) * config.nsamples, "text")
        cards = TextCards(originality, remark, compact=self.kind.value == SHORT)
        writer = widgets.HTML(message("heading", f"{_model_label(self.session)} writes"))
        note.value, place.children = "", [writer, bar.widget, note, cards.widget]
        try:
            with _report_outcome(bar, note), closing(self._finished(prompts, config)) as results:
                for result in results:
                    cards.add(result)
                    bar.update(len(cards.texts))
        finally:
            self.texts, self.matches = cards.texts, cards.matches
            cards.finish()

    def _fill_file(
        self,
        place: widgets.VBox,
        nsamples: int | None = None,
        destination_path: str | Path | None = None,
    ) -> Path | None:
        """Texts into a file, in order; bar, name, counts and download into `place`."""
        prompts, config = self._asked()
        bulk = self.bulk.config(BulkConfig)
        count = bulk.bulk_nsamples if nsamples is None else nsamples
        config = dataclasses.replace(config, nsamples=count)
        named = destination_path or bulk.destination_path
        if named and Path(named).exists():
            raise OptionError(f"{named} is there already, and is not replaced: give another name")
        note = _begin(place)
        originality, remark = self._originality()
        bar = ProgressBar(len(prompts) * count, "text")
        note.value, place.children = "", [style_sheet(), bar.widget, note]
        self.texts, self.matches, path = [], [], None
        with _report_outcome(bar, note), closing(self._finished(prompts, config)) as texts:
            ordered = in_order(_counted(texts, bar))
            first = next(ordered)  # what is refused shows here, before a file is begun
            path = Path(named) if named else new_file(".")
            with TextWriter(path, SAMPLE_DELIM if len(prompts) * count > 1 else "") as writer:
                for result in itertools.chain([first], ordered):
                    writer.write(result.text)
                    self.texts.append(result.text)
                    if originality is not None:
                        self.matches.append((result.text, originality.compare(result.text)))
        if path is not None:
            counts = summary(len(self.texts), self.matches)
            note.value += message("heading", f"{path}: {counts}") + message("note", remark)
            place.children = [*place.children, download_button(path)]
        return path

    def _asked(self) -> tuple[list[str], SamplingConfig]:
        """The prefixes and options that stand in the form; OptionError where one is wrong."""
        return self.form.config(PromptConfig).prompts, self.form.config(SamplingConfig)

    def _finished(
        self, prompts: list[str], config: SamplingConfig
    ) -> Generator[GenerationResult, None, None]:
        """Texts as they finish. An interrupt is heeded between two tokens, when nothing is half
        done: then it raises KeyboardInterrupt."""
        with deferred_interrupts() as interruption:
            for chunk in self.session.stream(prompts, config):
                if chunk.result is not None:
                    yield chunk.result
                if interruption.requested:
                    raise KeyboardInterrupt

    def _originality(self) -> tuple[Comparer | None, str]:
        """What compares texts with the run's training data, or None and why there is nothing."""
        folder = self.session.run_folder
        if folder is None:
            return None, "Copies are not marked: what this model was trained on is not here."
        from gpt2_helpers.evaluation.memorization import load_training_text

        run = RunFolder(folder.parent, folder.name)
        try:
            snapshot = run.read()
            record = snapshot.record
            # Training may have begun anew on another text, in the same folder.
            cause = folder, record.dataset, record.parameters.get("column"), snapshot.step
            if self._compared is None or self._compared[0] != cause:
                found = load_training_text(run)
                self._compared = cause, found, " ".join(found.notes)
        except Gpt2Error as error:
            return None, f"Copies are not marked: {error}"
        _, comparer, remark = self._compared
        return comparer, remark


def _model_label(sess: Session) -> str:
    return sess.run_name or sess.model_name or "The model"


def _trained_on_table(sess: Session) -> bool:
    """Whether the session's run was trained on a table, whose rows stand between marks."""
    if sess.run_folder is None:
        return False
    try:
        record = RunFolder(sess.run_folder.parent, sess.run_folder.name).read().record
    except Gpt2Error:
        return False
    return is_table(Path(record.dataset))


def _counted(texts: Iterator[GenerationResult], bar: ProgressBar) -> Iterator[GenerationResult]:
    for done, text in enumerate(texts, 1):
        bar.update(done)
        yield text


def _shown_place() -> widgets.VBox:
    """An empty place in the output of the cell that runs."""
    place = widgets.VBox()
    place.add_class("gpt2-form")
    display(place)  # type: ignore[no-untyped-call]
    return place


def _begin(place: widgets.VBox) -> widgets.HTML:
    """Take away what stands in `place`, out of memory too, and say that something begins there."""
    note = widgets.HTML(message("note", "Looking through the training data ..."))
    before, place.children = place.children, [note]
    for child in before:
        close_all(child)
    return note


@contextmanager
def _report_outcome(bar: ProgressBar, note: widgets.HTML) -> Iterator[None]:
    """Within it texts are written; afterwards the bar says how it ended. An interrupt ends it."""
    try:
        yield
    except KeyboardInterrupt:
        bar.finish("warning")
        note.value = message("note", "Interrupted. The texts that were finished are here.")
    except BaseException:
        bar.finish("danger")
        raise
    else:
        bar.finish()
