"""Evaluates models on documents: loss, perplexity and bits per byte of each and of all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2_helpers.evaluation.documents import Document
from gpt2_helpers.evaluation.scoring import Measures, Scorer
from gpt2_helpers.system.tables import aligned

SHOWN_DOCUMENTS = 20  # in the tables; JSON has all of them
_START_CHARACTERS = 40  # of a document, to recognize it


@dataclass(frozen=True)
class DocumentResult:
    """The measures of one document.

    Attributes:
        file: The file that it is from.
        number: Its number in the file, from 1.
        start: The first characters of its text, on one line.
        measures: Loss, perplexity and bits per byte.
    """

    file: str
    number: int
    start: str
    measures: Measures


@dataclass(frozen=True)
class ModelResult:
    """The measures of one model.

    Attributes:
        name: Name of the model, the run or the checkpoint, as given.
        window: Tokens of context at most.
        stride: Tokens that the window moved by.
        precision: The compute dtype.
        documents: The measures of each document.
    """

    name: str
    window: int
    stride: int
    precision: str
    documents: tuple[DocumentResult, ...]

    @property
    def total(self) -> Measures:
        """The measures of all documents together, each token counted once."""
        return sum((document.measures for document in self.documents), Measures())


def evaluate(
    scorer: Scorer, documents: Iterable[Document], special: bool = False
) -> Iterator[int | DocumentResult]:
    """Evaluate a model.

    Args:
        scorer: Scores with the model.
        documents: The documents, read as needed.
        special: Whether `<|endoftext|>` in a document is a single token, as in whole files.

    Yields:
        The result of each document, in order, and in between numbers of newly scored tokens.

    Raises:
        DatasetError: The documents cannot be read.
    """
    read: deque[Document] = deque()

    def texts() -> Iterator[str]:
        for document in documents:
            read.append(document)
            yield document.text

    for part in scorer.parts(texts(), special):
        if isinstance(part, int):
            yield part
            continue
        document = read.popleft()
        start = " ".join(document.text[: 2 * _START_CHARACTERS].split())
        if len(start) > _START_CHARACTERS:
            start = f"{start[: _START_CHARACTERS - 1]}…"
        yield DocumentResult(document.file, document.number, start, part.measures)


def as_json(models: Sequence[ModelResult]) -> dict[str, Any]:
    """The results as JSON: a list of models, each with its total and its documents."""
    return {
        "models": [
            {
                "name": model.name,
                "window": model.window,
                "stride": model.stride,
                "precision": model.precision,
                "total": {"documents": len(model.documents), **model.total.as_json()},
                "documents": [
                    {
                        "file": document.file,
                        "number": document.number,
                        "start": document.start,
                        **document.measures.as_json(),
                    }
                    for document in model.documents
                ],
            }
            for model in models
        ]
    }


def as_lines(models: Sequence[ModelResult]) -> list[str]:
    """The results as tables: one of all documents together with a line for each model, and, if
    there are several, one of the documents with a column for each model."""
    documents = models[0].documents
    head = ["all documents", "tokens", "loss", "perplexity", "bits per byte"]
    lines = aligned([head, *([model.name, *_cells(model.total)] for model in models)])
    if len(documents) == 1:
        return lines
    if len(models) == 1:
        rows = [["document", *head[1:], ""]]
        rows += [[_name(d), *_cells(d.measures), d.start] for d in documents[:SHOWN_DOCUMENTS]]
    else:
        rows = [["bits per byte", *(model.name for model in models), ""]]
        for same in list(zip(*(model.documents for model in models), strict=True))[
            :SHOWN_DOCUMENTS
        ]:
            values = (f"{document.measures.bits_per_byte:.4f}" for document in same)
            rows.append([_name(same[0]), *values, same[0].start])
    lines += ["", *aligned(rows)]
    if (more := len(documents) - SHOWN_DOCUMENTS) > 0:
        lines.append(f"and {more:,} more document{'s' * (more > 1)}, which --json lists too")
    return lines


def _name(document: DocumentResult) -> str:
    return f"{document.file}:{document.number}"


def _cells(measures: Measures) -> list[str]:
    return [
        f"{measures.tokens:,}",
        f"{measures.loss:.4f}",
        f"{measures.perplexity:,.2f}",
        f"{measures.bits_per_byte:.4f}",
    ]
