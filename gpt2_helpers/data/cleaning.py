"""Cleans text files on request, and proposes it for those that look like plain-text books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.gutenberg import START, Boilerplate
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.unwrap import Unwrapper, is_hard_wrapped

_SAMPLE = 1 << 16  # characters
_MAX_LINE = 1 << 16  # characters; a longer line is passed on in several pieces
_LINES = 1000  # passed on at a time


def clean_text(
    chunks: Iterable[str], file: Path, report: ReadReport, config: DatasetConfig
) -> Iterator[str]:
    """Apply `strip_boilerplate` and `unwrap` to a text file.

    Args:
        chunks: The text, in chunks of any length.
        file: Its name in the report.
        report: Receives what was changed, or the proposal to do so.
        config: The options.

    Yields:
        The text in chunks of any length, none of them empty.
    """
    chunks = iter(chunks)
    first = next(chunks, "")
    _propose(first[:_SAMPLE], file, report, config)
    chunks = chain([first], chunks)
    if not (config.strip_boilerplate or config.unwrap):
        yield from filter(None, chunks)
        return
    lines = iter_lines(chunks)
    boilerplate, unwrapper = Boilerplate(), Unwrapper()
    if config.strip_boilerplate:
        lines = boilerplate.strip(lines)
    if config.unwrap:
        lines = unwrapper.unwrap(lines)
    while block := list(islice(lines, _LINES)):
        if text := "".join(block):
            yield text
    if config.strip_boilerplate:
        removed = (
            f"left out Project Gutenberg's header and license: {boilerplate.removed:,} characters"
        )
        report.add(
            file, removed if boilerplate.removed else "no text of Project Gutenberg to leave out"
        )
    if config.unwrap:
        joined = f"joined {unwrapper.joined:,} hard-wrapped lines into paragraphs"
        report.add(file, joined if unwrapper.joined else "no hard-wrapped lines to join")


def _propose(sample: str, file: Path, report: ReadReport, config: DatasetConfig) -> None:
    if not config.strip_boilerplate and START.search(sample):
        report.add(file, "has Project Gutenberg's header: strip_boilerplate=True leaves it out")
    if not config.unwrap and is_hard_wrapped(sample):
        report.add(
            file,
            "most lines end between 60 and 80 characters, in the middle of sentences: unwrap=True "
            "joins them into paragraphs",
        )


def iter_lines(chunks: Iterable[str]) -> Iterator[str]:
    r"""Split a text into lines with their line ends.

    A line of more than 65,536 characters is yielded in several pieces.

    >>> list(iter_lines(["one\ntw", "o\n", "three"]))
    ['one\n', 'two\n', 'three']
    """
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line + "\n"
        if len(rest) > _MAX_LINE:
            yield rest
            rest = ""
    if rest:
        yield rest
