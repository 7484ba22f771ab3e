"""The generation form: prompt and sampling options, and texts in the notebook or in a file."""

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

from gpt2_helpers.config import PRESET, NoveltyConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.similarity import Match
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.forms.model_notes import long_text_note
from gpt2_helpers.forms.probabilities import score_with
from gpt2_helpers.forms.run_training_text import RunTrainingText
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.forms.widgets.text_cards import TextCards, close_all, summary
from gpt2_helpers.generation.batch import check_prompt_fits
from gpt2_helpers.generation.memory import estimate_generation
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.novel_generation import NovelGeneration
from gpt2_helpers.session import Session
from gpt2_helpers.system.interrupts import deferred_interrupts
from gpt2_helpers.system.sizes import memory_size
from gpt2_helpers.tokenizer import START_OF_TEXT

LONG_TEXT, SHORT_TEXTS = "Long text", "Short texts, such as titles"
_PROMPT_PREFIXES = {LONG_TEXT: None, SHORT_TEXTS: START_OF_TEXT}
_DEFAULT_AMOUNTS: dict[str, dict[str, Any]] = {
    LONG_TEXT: {"length": 200, "nsamples": 5, "batch_size": 5},
    SHORT_TEXTS: {"length": 100, "nsamples": 20, "batch_size": 20},
}
_MAIN_FIELDS = ("prefix", "length", "temperature", "nsamples", "batch_size", "top_k", "top_p")


@dataclass(frozen=True)
class PromptConfig(ValidatedConfig):
    """The prompts of the form."""

    prefix: str = option("", "the start of the text, which the model continues", label="Prompt")
    prefix_lines: bool = option(
        False,
        "to continue several at once; else all lines are one text",
        label="One prompt per line",
    )

    def prompts(self, example: str = "") -> list[str]:
        """The prompts, or the example if the box is empty. A single one keeps its newlines."""
        if not self.prefix_lines:
            return [self.prefix or example]
        return [line for line in self.prefix.splitlines() if line.strip()] or [example]


@dataclass(frozen=True)
class BulkConfig(ValidatedConfig):
    """The file with many texts."""

    bulk_nsamples: int = option(
        100, "number per prompt, with the settings above", label="Texts in the file", minimum=1
    )
    destination_path: str | None = option(
        None,
        "must not exist yet; empty: gpt2_gentext_ and the time",
        label="File name",
        is_path=True,
    )


class GenerateForm(Displayable):
    """A form with the generation options and two buttons: generate, and write to a file.

    form = GenerateForm(sess)
    form                             # last line of a cell: displays the form
    form.run()                       # generates below this cell, like the first button
    form.to_file()                   # writes a file, like the second button; returns its path
    form.texts                       # the texts that were generated last
    OverlapReport.from_matches(form.matches)    # how many of them are copies

    The form uses the model that `sess` holds when it generates. The defaults for a run that was
    trained on a table are those for short texts, with `<|startoftext|>` as prompt prefix.
    Environment variables override the arguments: GPT2_PREFIX, GPT2_LENGTH, GPT2_NSAMPLES and so on.

    Args:
        sess: The session with the model.
        **defaults: Initial values of options by name, including `bulk_nsamples` and
            `destination_path` of the file.
    """

    def __init__(self, sess: Session, **defaults: Any) -> None:
        bulk = {f.name: defaults.pop(f.name) for f in fields_of(BulkConfig) if f.name in defaults}
        self.session = sess
        self.texts: list[str] = []
        self.matches: list[tuple[str, Match]] = []  # of the texts that were compared
        self._training_text = RunTrainingText(sess)
        kind = SHORT_TEXTS if sess.prompt_prefix else LONG_TEXT
        self.kind = widgets.ToggleButtons(
            options=[LONG_TEXT, SHORT_TEXTS], value=kind, style={"button_width": "auto"}
        )
        kinds = (PromptConfig, SamplingConfig, NoveltyConfig)
        names = [field.name for kind in kinds for field in fields_of(kind)]
        rest = [name for name in names if name not in _MAIN_FIELDS]
        self.form = ConfigForm(
            *kinds,
            only=(*_MAIN_FIELDS, *rest),
            advanced=rest,
            defaults={
                **vars(PRESET),
                **_DEFAULT_AMOUNTS[kind],
                "prompt_prefix": sess.prompt_prefix or None,
                "prompt_suffix": sess.prompt_suffix or None,
                **defaults,
            },
            lines={"prefix": 3},
            checks={"prefix": self._check_prompt},
        )
        self.bulk = ConfigForm(
            BulkConfig, defaults=bulk, checks={"destination_path": _check_new_file}
        )
        self._results, self._file = widgets.VBox(), widgets.VBox()
        generate = ActionButton("Generate", lambda: self.generate_into(self._results), primary=True)
        to_file = ActionButton("Write to a file", lambda: self._write_file(self._file))
        self.widget = widgets.VBox(
            [
                style_sheet(),
                self.kind,
                self.form.widget,
                *(generate.button, generate.message, self._results),
                widgets.HTML(message("heading", "Write many texts to a file")),
                self.bulk.widget,
                *(to_file.button, to_file.message, self._file),
            ]
        )
        self.widget.add_class("gpt2-form")
        self.kind.observe(self._on_kind, "value")
        self.form.on_change(self._update)
        self._update()

    def run(self) -> None:
        """Generate texts with the options of the form and show them below this cell.

        Raises:
            NotebookError: If an option is invalid.
        """
        output = _output_box()
        with plain_errors():
            self.generate_into(output)

    def to_file(
        self, nsamples: int | None = None, destination_path: str | Path | None = None
    ) -> Path | None:
        """Write generated texts to a file and offer it for download.

        Args:
            nsamples: Number of texts per prompt (default: as in the form).
            destination_path: A file that does not exist yet (default: as in the form).

        Returns:
            The path of the file; None if the first text was interrupted.

        Raises:
            NotebookError: If an option is invalid or the file exists.
        """
        output = _output_box()
        with plain_errors():
            return self._write_file(output, nsamples, destination_path)

    def _on_kind(self, change: dict[str, Any]) -> None:
        self.form.set(prompt_prefix=_PROMPT_PREFIXES[change["new"]])

    def _update(self) -> None:
        """Show what an empty prompt box continues, and whether the batch fits into memory."""
        example = self._example()
        self.form.row("prefix").control.placeholder = example
        self.form.note(
            "prefix",
            f"If empty, texts start with {example!r}."
            if example
            else "If empty, the model writes the whole text.",
        )
        self._update_length_notes()
        self._update_memory_note()

    def _check_prompt(self, form: ConfigForm) -> None:
        """Raise OptionError if a prompt leaves no room for a text, as generation would."""
        if form.raw_value("prompt_suffix"):
            return  # the prompt is not part of the text
        for ids in self._prompt_ids(form):
            check_prompt_fits(ids, form.raw_value("length"))

    def _prompt_ids(self, form: ConfigForm) -> list[list[int]]:
        """Return the token ids of the typed prompts; none if the length is invalid."""
        length, text = form.raw_value("length"), form.raw_value("prefix")
        if not (self.session.is_loaded and text and isinstance(length, int) and length > 0):
            return []
        lines = form.raw_value("prefix_lines") is True
        prompts = PromptConfig(text, lines).prompts()
        start = form.raw_value("prompt_prefix") or ""
        return [self.session.tokenizer.encode(f"{start}{p}", special=True) for p in prompts]

    def _update_length_notes(self) -> None:
        """Say what happens to texts and prompts that are longer than the model's context."""
        if not self.session.is_loaded:
            return
        n_ctx, length = self.session.inference_model.config.n_ctx, self.form.raw_value("length")
        is_long = isinstance(length, int) and length > n_ctx
        self.form.note("length", long_text_note(n_ctx) if is_long else "")
        longest = max(map(len, self._prompt_ids(self.form)), default=0)
        if longest > n_ctx:
            text = (
                f"The prompt has {longest:,} tokens, more than the model's context of {n_ctx:,}: "
            )
            self.form.note("prefix", f"{text}only its last part is used.", warning=True)

    def _example(self) -> str:
        """Return the example in the prompt box; none if texts start with a prompt prefix, or if
        it leaves no room for a text."""
        examples, length = self.session.example_prompts, self.form.raw_value("length")
        if not examples or not isinstance(length, int):
            return ""
        if self.form.raw_value("prompt_suffix"):
            return examples[0]
        if self.form.raw_value("prompt_prefix"):
            return ""
        fits = len(self.session.tokenizer.encode(examples[0])) < length
        return examples[0] if fits else ""

    def _update_memory_note(self) -> None:
        """Warn below the batch size if the batch does not fit into memory."""
        if not self.form.is_valid or not self.session.is_loaded:
            return
        config = self.form.config(SamplingConfig)
        needed, available, location = estimate_generation(self.session.decoders, config)
        text = ""
        if available is not None and needed > available:
            text = (
                f"This batch needs about {memory_size(needed)} of memory, but {location} has "
                f"{memory_size(available)}: reduce the batch size or the length."
            )
        self.form.note("batch_size", text, warning=True)

    def generate_into(self, output: widgets.VBox) -> None:
        """Show texts as cards in `output` as they finish, and replace its previous content."""
        prompts, config = self._options()
        note = _clear(output)
        index, index_note = self._training_text.read()
        bar = ProgressBar(len(prompts) * config.nsamples, "text")
        score = score_with(self.session, config.prompt_prefix)
        compact = self.kind.value == SHORT_TEXTS
        cards = TextCards(index, index_note, compact=compact, score=score)
        heading = widgets.HTML(message("heading", f"Generated by {_model_label(self.session)}"))
        note.value, output.children = "", [heading, bar.widget, note, cards.widget]
        texts = self._novel_generation(note)
        try:
            with (
                _show_outcome(bar, note),
                closing(_results_of(texts, prompts, config)) as results,
            ):
                for result in results:
                    cards.add(result)
                    bar.update(len(cards.texts))
        finally:
            self.texts, self.matches = cards.texts, cards.matches
            cards.finish()

    def _write_file(
        self,
        output: widgets.VBox,
        nsamples: int | None = None,
        destination_path: str | Path | None = None,
    ) -> Path | None:
        """Write texts to a file in order. Shows progress, counts and download in `output`."""
        prompts, config = self._options()
        bulk = self.bulk.config(BulkConfig)
        count = bulk.bulk_nsamples if nsamples is None else nsamples
        config = dataclasses.replace(config, nsamples=count)
        destination = destination_path or bulk.destination_path
        if destination and Path(destination).exists():
            raise OptionError(f"{destination} already exists: choose another file name")
        note = _clear(output)
        index, index_note = self._training_text.read()
        bar = ProgressBar(len(prompts) * count, "text")
        note.value, output.children = "", [style_sheet(), bar.widget, note]
        self.texts, self.matches, path = [], [], None
        texts = self._novel_generation(note)
        with _show_outcome(bar, note), closing(_results_of(texts, prompts, config)) as results:
            ordered = texts.in_order(_update_bar(results, bar))
            first = next(ordered, None)  # raises option errors before the file is created
            if first is None:
                return None
            path = Path(destination) if destination else new_file(".")
            with TextWriter(path, SAMPLE_DELIM if len(prompts) * count > 1 else "") as writer:
                for result in itertools.chain([first], ordered):
                    writer.write(result.text)
                    self.texts.append(result.text)
                    if index is not None:
                        self.matches.append((result.text, index.compare(result.text)))
        if path is not None:
            counts = summary(len(self.texts), self.matches)
            note.value += message("heading", f"{path}: {counts}") + message("note", index_note)
            output.children = [*output.children, download_button(path)]
        return path

    def _options(self) -> tuple[list[str], SamplingConfig]:
        """Return the prompts and options. Raises OptionError if one is invalid."""
        self._update()  # the session may have loaded another model since
        prompts = self.form.config(PromptConfig).prompts(self._example())
        return prompts, self.form.config(SamplingConfig)

    def _novel_generation(self, note: widgets.HTML) -> NovelGeneration:
        """What generates the texts. It adds to `note` what was left out."""

        def show_line(line: str) -> None:
            note.value += message("note", line)

        return NovelGeneration(self.session, self.form.config(NoveltyConfig), show_line)


def _results_of(
    texts: NovelGeneration, prompts: list[str], config: SamplingConfig
) -> Generator[GenerationResult, None, None]:
    """Yield texts as they finish. Raises KeyboardInterrupt between two decode steps."""
    with deferred_interrupts() as interruption:
        for chunk in texts.chunks(prompts, config):
            if chunk.result is not None:
                yield chunk.result
            if interruption.requested:
                raise KeyboardInterrupt


def _check_new_file(form: ConfigForm) -> None:
    path = form.value("destination_path")
    if path and Path(path).exists():
        raise OptionError(f"{path} already exists: choose another file name")


def _model_label(sess: Session) -> str:
    return sess.run_name or sess.model_name or "the model"


def _update_bar(
    results: Iterator[GenerationResult], bar: ProgressBar
) -> Iterator[GenerationResult]:
    for done, result in enumerate(results, 1):
        bar.update(done)
        yield result


def _output_box() -> widgets.VBox:
    """Display an empty box below the current cell."""
    output = widgets.VBox()
    output.add_class("gpt2-form")
    display(output)  # type: ignore[no-untyped-call]
    return output


def _clear(output: widgets.VBox) -> widgets.HTML:
    """Close the previous content of a box. Returns a new line with a waiting message."""
    note = widgets.HTML(message("note", "Reading the training text ..."))
    previous, output.children = output.children, [note]
    for child in previous:
        close_all(child)
    return note


@contextmanager
def _show_outcome(bar: ProgressBar, note: widgets.HTML) -> Iterator[None]:
    """Show in the bar how generation ended. An interrupt is shown and not raised."""
    try:
        yield
    except KeyboardInterrupt:
        bar.finish("warning")
        note.value = message("note", "Interrupted. The finished texts were kept.")
    except BaseException:
        bar.finish("danger")
        raise
    else:
        bar.finish()
