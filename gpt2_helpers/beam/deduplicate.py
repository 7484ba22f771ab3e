"""Beam transforms that find documents which are copies of earlier ones.

The definitions are those of `gpt2_helpers.data.deduplicate`: copies have the same hash of the
text in lowercase with single spaces, near copies at least 80% of their three-word sequences in
common, as estimated by MinHash. Only hashes are grouped, not texts: documents with the same hash,
and documents with the same band of their MinHash, which are candidates for near copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from gpt2_helpers.data.deduplicate import (
    MAX_CANDIDATES,
    Signature,
    are_similar,
    bands,
    minhash_values,
)

Position = tuple[int, int]  # the number of a part, and that of a document in it


class SignedDocument(NamedTuple):
    """A document as the transforms need it.

    Attributes:
        position: Its part and its number there, which give the order of all documents.
        digest: The hash of its text.
        signature: The 64 hashes of its MinHash as bytes; empty if it has too few words, or if
            datasketch is missing.
    """

    position: Position
    digest: bytes
    signature: bytes


class FindCopies(beam.PTransform):
    """Finds the documents to leave out, so that one of each text is left: the first.

    Takes `SignedDocument`s and returns the positions of copies and near copies. As in
    `Deduplicator`, a document that is similar only to one that is left out itself is kept.

    Example:
        copies = pipeline | beam.Create([sign((0, 0), "A text."), sign((0, 1), "a  text.")])
            | FindCopies()
    """

    def expand(self, documents: beam.PCollection) -> beam.PCollection:
        grouped = (
            documents
            | "KeyByDigest" >> beam.Map(lambda document: (document[1], (document[0], document[2])))
            | "GroupEqual" >> beam.GroupByKey()
            | "FirstOfEqual" >> beam.FlatMap(_first_and_others).with_outputs("copy", main="first")
        )
        signed = grouped.first | "WithSignature" >> beam.Filter(lambda pair: bool(pair[1]))
        pairs = (
            signed
            | "Bands" >> beam.FlatMap(_bands)
            | "GroupByBand" >> beam.GroupByKey()
            | "Candidates" >> beam.FlatMap(_candidates)
            | "DistinctCandidates" >> beam.Distinct()
        )
        near = (
            (
                {"signature": signed, "later": pairs | beam.Map(lambda pair: (pair[0], pair[1]))}
                | "JoinEarlier" >> beam.CoGroupByKey()
                | "CarrySignature" >> beam.FlatMap(_carry_signature),
                signed,
            )
            | "JoinLater" >> beam.CoGroupByKey()
            | "Similar" >> beam.FlatMap(_similar)
            | "GroupSimilar" >> beam.GroupByKey()
            | "NearCopies" >> beam.FlatMap(lambda group: resolve(group[1]))
        )
        return (grouped.copy, near) | beam.Flatten()


def sign(position: Position, text: str) -> SignedDocument | None:
    """The hashes of a document; None if it has no words: it is never a copy.

    >>> sign((0, 3), " ") is None
    True
    """
    signature = Signature()
    signature.add(text)
    return signed_document(position, signature)


def signed_document(position: Position, signature: Signature) -> SignedDocument | None:
    """`sign` of a text that was added to a signature piece by piece."""
    digest, minhash = signature.finish()
    if not digest:
        return None
    hashes = b"" if minhash is None else minhash_values(minhash).tobytes()
    return SignedDocument(position, digest, hashes)


def _first_and_others(
    group: tuple[bytes, Iterable[tuple[Position, bytes]]],
) -> Iterator[object]:
    documents = sorted(group[1])
    yield documents[0]
    for position, _ in documents[1:]:
        yield beam.pvalue.TaggedOutput("copy", position)


def _bands(document: tuple[Position, bytes]) -> Iterator[tuple[bytes, Position]]:
    position, signature = document
    for band in bands(signature):
        yield band, position


def _candidates(group: tuple[bytes, Iterable[Position]]) -> Iterator[tuple[Position, Position]]:
    """Pairs of documents, the earlier one first."""
    positions = sorted(group[1])
    for place, later in enumerate(positions):
        for earlier in positions[: min(place, MAX_CANDIDATES)]:
            yield earlier, later


def _carry_signature(
    joined: tuple[Position, dict[str, Iterable[object]]],
) -> Iterator[tuple[Position, tuple[Position, bytes]]]:
    earlier, found = joined
    (signature,) = found["signature"]
    for later in found["later"]:
        yield later, (earlier, signature)  # type: ignore[misc]


def _similar(
    joined: tuple[Position, tuple[Iterable[tuple[Position, bytes]], Iterable[bytes]]],
) -> Iterator[tuple[int, tuple[Position, Position]]]:
    """The pairs that are similar enough, all with the same key."""
    later, (candidates, (own,)) = joined
    for earlier, signature in candidates:
        if are_similar(np.frombuffer(signature, np.uint32), np.frombuffer(own, np.uint32)):
            yield 0, (earlier, later)


def resolve(pairs: Iterable[tuple[Position, Position]]) -> Iterator[Position]:
    """The documents to leave out, of pairs of similar ones, the earlier one first.

    >>> [*resolve([((0, 1), (0, 2)), ((0, 2), (0, 3))])]
    [(0, 2)]
    """
    earlier: dict[Position, list[Position]] = {}
    for first, second in pairs:
        earlier.setdefault(second, []).append(first)
    left_out: set[Position] = set()
    for position in sorted(earlier):
        if not left_out.issuperset(earlier[position]):
            left_out.add(position)
            yield position
