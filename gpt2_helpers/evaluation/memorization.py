"""Generated texts against their training text: how much is copied, and what the numbers advise.

Reads training data and a run's record; knows nothing of models or of how texts come about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.documents import check_column, find_files, is_table
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.data.token_files import is_token_file
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation.similarity import (
    COPY,
    LONGEST_SHORT,
    NEAR_COPY,
    NOVEL,
    LongTextIndex,
    Match,
    ShortTextIndex,
    plain,
)
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_folder import RunFolder, RunRecord  # which bring TensorFlow

MOST = 50_000_000  # characters of training text that are compared
WORTH_TELLING = 0.05  # share of copies, or of repeats, from which on there is advice
RISE = 0.01  # share by which a loss must differ to count as higher or lower
GAP = 0.2  # nats a token between training and validation loss that show learning by heart
MANY_EPOCHS = 20  # how often a text is seen before that is worth a word

Pair = tuple[str, Match]
_KINDS = (COPY, NEAR_COPY, NOVEL)


@dataclass(frozen=True)
class OverlapReport:
    """How many of some texts are of each kind, and how many repeat an earlier one of them."""

    copies: int
    near_copies: int
    own: int
    repeated_among_themselves: int = 0
    pairs: tuple[Pair, ...] = ()  # each text with its match, in their order

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> OverlapReport:
        """Count texts that were compared already.

        >>> Tally.of([("Why?", Match("copy", "Why?", 1.0))]).copies
        1
        """
        pairs = tuple(pairs)
        kinds = [match.kind for _, match in pairs]
        different = {plain(text) for text, _ in pairs}
        copies, near, own = (kinds.count(kind) for kind in _KINDS)
        return cls(copies, near, own, len(pairs) - len(different), pairs)

    @property
    def total(self) -> int:
        return self.copies + self.near_copies + self.own

    def best_examples(self, count: int = 5) -> list[Pair]:
        """Texts that are not the model's own, near copies first, the most similar before others."""
        taken = [pair for pair in self.pairs if pair[1].kind != NOVEL]
        taken.sort(key=lambda pair: (pair[1].kind == COPY, -pair[1].similarity))
        return taken[:count]

    def __str__(self) -> str:
        """One sentence.

        >>> print(Tally(copies=12, near_copies=5, own=83, repeated_among_themselves=1))
        Of 100 texts, 12 are copies of the training text, 5 near copies, and 83 the model's own.
        """
        verb = "is a copy" if self.copies == 1 else "are copies"
        near = "near copy" if self.near_copies == 1 else "near copies"
        return (
            f"Of {self.total:,} texts, {self.copies:,} {verb} of the training text, "
            f"{self.near_copies:,} {near}, and {self.own:,} the model's own."
        )


class Originality:
    """Training text to compare with. `notes` says in plain sentences what of it is left out.

    >>> titles = Originality(["Why is the sky blue?", "What did you dream of last night?"])
    >>> titles.compare("why is the sky  blue").kind
    'copy'
    >>> titles.compare("Why are some people never tired?").kind
    'own'
    """

    def __init__(
        self, short: Iterable[str] = (), long: Iterable[str] = (), notes: Sequence[str] = ()
    ) -> None:
        """`short` texts are compared as wholes, `long` ones by their runs of eight words."""
        self.notes = tuple(notes)
        self._short, self._long = ShortTextIndex(short), LongTextIndex(long)

    @classmethod
    def of_dataset(cls, path: str | Path, column: str | None = None) -> Originality:
        """Read what a run was trained on: each row of a table is a short text, a file a long one.

        A text file whose texts begin with `<|startoftext|>` is read as a table. Raises DatasetError
        for what cannot be read, and where there are only archives of ids.
        """
        files = find_files(path)
        texts = [file for file in files if not is_token_file(file)]
        if not texts:
            raise DatasetError(
                f"{path} holds ids and no text, so nothing can be compared with it: give the text "
                "that it was encoded from"
            )
        check_column(texts, column)
        notes = []
        if len(texts) < len(files):
            notes.append(f"{len(files) - len(texts)} of {len(files)} files hold ids: left out")
        short: list[str] = []
        long: list[str] = []
        room = MOST
        for text, is_row in _documents(texts, column):
            (short if is_row and len(text) <= LONGEST_SHORT else long).append(text[:room])
            room -= len(text)
            if room < 0:
                notes.append(f"compared with the first {MOST:,} characters only")
                break
        return cls(short, long, notes)

    def compare(self, text: str) -> Match:
        """How a generated text compares with the training text that resembles it most.

        A copy equals a short text but for case, spaces and punctuation at the ends, or stands whole
        in a long one. A near copy has at least 0.8 of similarity with a short text, or at least
        half of its runs of eight words stand in a long one; what similarity means in each stands in
        `similarity`.
        """
        matches = self._short.compare(text), self._long.compare(text)
        return max(matches, key=lambda match: (-_KINDS.index(match.kind), match.similarity))

    def tally(self, texts: Iterable[str]) -> OverlapReport:
        """Compare many texts, and count."""
        return OverlapReport.of((text, self.compare(text)) for text in texts)


def _documents(files: list[Path], column: str | None) -> Iterator[tuple[str, bool]]:
    """Each training text, and whether it is a row of a table or as good as one."""
    for file in files:
        if is_table(file):
            for row in read_column(file, ReadReport(), column):
                yield row, True
            continue
        blocks, size = [], 0
        for block in read_text(file, ReadReport()):
            blocks.append(block)
            size += len(block)
            if size > MOST:
                break
        is_rows = any(START_OF_TEXT in block for block in blocks[:1])
        for text in "".join(blocks).split(END_OF_TEXT):
            text = text.replace(START_OF_TEXT, "") if is_rows else text
            if text.strip():
                yield text, is_rows


def for_run(folder: RunFolder) -> Originality:
    """What a run was trained on, found by its run.json.

    Raises DatasetError with a plain reason where that is not told, gone, or no text.
    """
    record = folder.record()
    if not record.dataset:
        raise DatasetError(
            f"the run {folder.name} does not say what it was trained on, as runs of gpt-2-simple "
            "do not: name the file to compare with"
        )
    # The dataset is told as it was given: seen from the folder that training was called in.
    for place in (Path(record.dataset), folder.checkpoint_dir.parent / record.dataset):
        try:
            find_files(place)
        except DatasetError:
            continue
        return Originality.of_dataset(place, record.parameters.get("column"))
    raise DatasetError(
        f"{record.dataset}, on which the run {folder.name} was trained, is not here, so nothing "
        "can be compared with it: put it back, or name the file to compare with"
    )


def advice(
    record: RunRecord, tally: OverlapReport | None = None, epochs: float | None = None
) -> list[str]:
    """What to do against learning by heart, in plain sentences made from a run's own numbers.

    Empty where the numbers advise nothing. `epochs` is how often training saw the text.
    """
    kept = record.checkpoints[-1] if record.checkpoints else None
    losses = [pair for pair in record.losses if kept is None or pair[0] <= kept]
    measured = [pair for pair in record.validation_losses if kept is None or pair[0] <= kept]
    lines = []
    if tally and tally.total and tally.copies + tally.near_copies >= WORTH_TELLING * tally.total:
        lines.append(str(tally))
        if not record.validation_losses:
            lines.append(
                "Nothing was set aside to measure on: validation_split=0.05 would show from which "
                "step on the model learns by heart."
            )
        if epochs and epochs >= MANY_EPOCHS:
            lines.append(
                f"Training saw the text {epochs:,.0f} times: fewer steps, or more text, leave the "
                "model less to learn by heart."
            )
    if len(measured) >= 2:
        lines += _of_losses(losses, measured, ended=len(measured) == len(record.validation_losses))
    if tally and tally.repeated_among_themselves >= max(1, WORTH_TELLING * tally.total):
        lines.append(
            f"{tally.repeated_among_themselves:,} of {tally.total:,} texts repeat another of them: "
            "a higher temperature, or top_k=0 and top_p=0, makes them more varied."
        )
    return lines


def _of_losses(
    losses: list[tuple[int, float]], measured: list[tuple[int, float]], ended: bool
) -> list[str]:
    """What training and validation losses advise. `ended` tells that no later ones are known."""
    last, at_last = measured[-1]
    best, at_best = min(measured, key=lambda pair: pair[1])
    before = measured[-2]
    recent = [loss for step, loss in losses if before[0] < step <= last]
    gap = at_last - sum(recent) / len(recent) if recent else 0.0
    apart = f"the training loss is {gap:.2f} under the validation loss" if gap >= GAP else ""
    if at_last > at_best * (1 + RISE):
        rose = (
            f"the validation loss was best at step {best:,} of {last:,} ({at_best:.2f}, now "
            f"{at_last:.2f})"
        )
        why = f"{apart}, and {rose}" if apart else rose
        return [
            f"{why[0].upper()}{why[1:]}: train for about {best:,} steps, or give "
            "early_stopping_patience=3, which keeps the best."
        ]
    if at_last < before[1] * (1 - RISE):
        still = (
            f"The validation loss was still falling at step {last:,} ({before[1]:.2f} to "
            f"{at_last:.2f}): more steps would teach the model more."
        )
        return [still] if ended else []
    if apart:
        return [
            f"{apart[0].upper()}{apart[1:]}, which no longer falls: more steps would be learnt by "
            "heart; more text, or dropout=0.1, helps."
        ]
    return []
