"""Leaves out documents that are copies of earlier ones, in bounded memory.

Exact copies are found by a hash of the text in lowercase with single spaces. Near copies are found
by MinHash [1] if datasketch is installed: at least 80% of the three-word sequences of both are the
same, as estimated from 64 hashes.

A document is compared with at least the last two million ones. To find near copies, it is compared
with those of at least the last 30,000 that share a band with it, some of the hashes: with up to 100
for each band, so that rows with a long template in common do not take longer than others.

[1] A. Broder, "On the resemblance and containment of documents", 1997.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.data.documents import split_documents
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

_SIMILARITY = 0.8
# Bands, and hashes in each: finds 95% of the pairs that are just similar enough.
_HASHES, _BANDS, _ROWS = 64, 10, 6
MAX_CANDIDATES = 100  # documents with the same band, the earliest ones
_SEQUENCE = 3  # words
_BATCH = 10_000  # sequences hashed at a time, in 5 MB
# Documents of a generation. The last complete one and the current one are remembered.
_EXACT_LIMIT, _NEAR_LIMIT = 2_000_000, 30_000
_HELD_BYTES = 1 << 24  # a longer document is held in a temporary file
_MAX_WORD = 1 << 16  # characters; longer ones are cut
_UTF8 = ("utf-8", "surrogatepass")  # lone surrogates are reported by the tokenizer


class Deduplicator:
    """Leaves out copies from streams of documents, and counts them.

    Attributes:
        copies: Number of documents left out because an earlier one has the same text.
        near_copies: The same for nearly the same text.
        finds_near_copies: Whether datasketch is installed.
    """

    def __init__(self) -> None:
        self.copies = 0
        self.near_copies = 0
        self._exact: list[set[bytes]] = [set(), set()]  # the current generation is the last
        self._near: list[_Signatures] = []
        if _no_words() is not None:
            self._near = [_Signatures(), _Signatures()]
        self.finds_near_copies = bool(self._near)

    def filter(self, chunks: Iterable[str]) -> Iterator[str]:
        """Pass a text through, without the documents that are copies.

        Args:
            chunks: The text, in chunks of any length; each document ends with `<|endoftext|>`.

        Yields:
            The text in chunks of any length. The latest document is held, in a temporary file if
            it is long.

        Example:
            >>> text = "One<|endoftext|>Two<|endoftext|> ONE<|endoftext|>"
            >>> "".join(Deduplicator().filter([text]))
            'One<|endoftext|>Two<|endoftext|>'
        """
        document = _Document()
        for piece, is_end in split_documents(chunks):
            document.add(piece)
            if is_end:
                document.add(END_OF_TEXT)
                if self._is_new(document):
                    yield from document.read()
                document = _Document()
        if self._is_new(document):
            yield from document.read()

    def _is_new(self, document: _Document) -> bool:
        """Whether no earlier document is the same or nearly the same; remembers the document."""
        digest, signature = document.finish()
        if not digest:  # a document without words
            return True
        if any(digest in generation for generation in self._exact):
            self.copies += 1
            return False
        if len(self._exact[-1]) >= _EXACT_LIMIT:
            self._exact = [self._exact[-1], set()]
        self._exact[-1].add(digest)
        if signature is None:
            return True
        hashes = minhash_values(signature)
        if any(generation.has_similar(hashes) for generation in self._near):
            self.near_copies += 1
            return False
        if self._near[-1].count >= _NEAR_LIMIT:
            self._near = [self._near[-1], _Signatures()]
        self._near[-1].add(hashes)
        return True


def describe_duplicates(duplicates: Deduplicator) -> str:
    """What was left out, as a sentence.

    >>> duplicates = Deduplicator()
    >>> duplicates.copies, duplicates.finds_near_copies = 2, False
    >>> describe_duplicates(duplicates)
    'left out 2 copies of earlier documents (near copies need pip install "gpt2-helpers[data]")'
    """
    text = f"left out {_count(duplicates.copies)} of earlier documents"
    if duplicates.finds_near_copies:
        return f"{text}, and {_count(duplicates.near_copies, 'near ')}"
    return f'{text} (near copies need pip install "gpt2-helpers[data]")'


def _count(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}{'copy' if number == 1 else 'copies'}"


class _Signatures:
    """The MinHashes of a generation of documents."""

    def __init__(self) -> None:
        self.count = 0
        self._hashes = np.empty((_NEAR_LIMIT, _HASHES), np.uint32)
        self._places: dict[bytes, list[int]] = {}  # of documents, by band

    def add(self, hashes: NDArray[np.uint32]) -> None:
        self._hashes[self.count] = hashes
        for band in bands(hashes.tobytes()):
            places = self._places.setdefault(band, [])
            if len(places) < MAX_CANDIDATES:
                places.append(self.count)
        self.count += 1

    def has_similar(self, hashes: NDArray[np.uint32]) -> bool:
        found: set[int] = set()
        found.update(*(self._places.get(band, ()) for band in bands(hashes.tobytes())))
        return are_similar(self._hashes[[*found]], hashes)


class Signature:
    """The hash and the MinHash of a document that is read piece by piece."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=8)
        no_words = _no_words()
        self._minhash = None if no_words is None else no_words.copy()
        self._last: list[str] = []  # words at the start of the next sequence
        self._cut_word = ""
        self._words = 0

    def add(self, text: str) -> None:
        """Add a piece of the text."""
        text = (self._cut_word + text.replace(START_OF_TEXT, " ")).casefold()
        words = text.split()
        if len(text) > _MAX_WORD:
            words = [part for word in words for part in _cut(word)]
        # The last word may continue in the next piece.
        self._cut_word = words.pop() if words and not text[-1].isspace() else ""
        self._add_words(words)

    def _add_words(self, words: list[str]) -> None:
        if not words:
            return
        self._words += len(words)
        self._digest.update("".join(f"{word} " for word in words).encode(*_UTF8))
        if self._minhash is None:
            return
        words = [*self._last, *words]
        self._last = words[1 - _SEQUENCE :]
        sequences = (
            " ".join(sequence).encode(*_UTF8)
            for sequence in zip(*(words[start:] for start in range(_SEQUENCE)), strict=False)
        )
        while batch := list(islice(sequences, _BATCH)):
            self._minhash.update_batch(batch)

    def finish(self) -> tuple[bytes, Any]:
        """The hash of the whole text, empty if it has no words, and its MinHash.

        The MinHash is None without datasketch, or if there are too few words for a sequence.
        """
        self._add_words([self._cut_word] if self._cut_word else [])
        self._cut_word = ""
        if not self._words:
            return b"", None
        return self._digest.digest(), self._minhash if self._words >= _SEQUENCE else None


def _no_words() -> Any:
    """The MinHash of an empty text; None without datasketch."""
    try:
        import datasketch
    except ImportError:
        return None
    return _empty_minhash(datasketch.MinHash)


@cache  # it takes longer to make than to copy
def _empty_minhash(minhash: Any) -> Any:
    return minhash(_HASHES, hashfunc=zlib.crc32)


def minhash_values(minhash: Any) -> NDArray[np.uint32]:
    """The hashes of a MinHash, (64,). Those of a band are next to each other."""
    return minhash.hashvalues.astype(np.uint32)


def bands(hashes: bytes) -> Iterator[bytes]:
    """The number and the hashes of each band, from those of `minhash_values`. Documents with one in
    common may be near copies."""
    size = _ROWS * 4
    for band in range(_BANDS):
        yield bytes([band]) + hashes[band * size : (band + 1) * size]


def are_similar(some: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
    """Whether any of some documents is a near copy of another, by the hashes of their MinHashes,
    (documents, 64) or (64,)."""
    return bool((np.mean(some == other, axis=-1) >= _SIMILARITY).any())


class _Document:
    """A document that is read piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._signature = Signature()

    def add(self, text: str) -> None:
        """Add a piece of the text, or its end."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size > _HELD_BYTES:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - deleted with this object
            self._file.write("".join(self._pieces).encode(*_UTF8))
            self._pieces, self._size = [], 0
        if text != END_OF_TEXT:
            self._signature.add(text)

    def finish(self) -> tuple[bytes, Any]:
        """See `Signature.finish`."""
        return self._signature.finish()

    def read(self) -> Iterator[str]:
        """The text in chunks of any length."""
        if self._file is not None:
            self._file.write("".join(self._pieces).encode(*_UTF8))
            self._file.seek(0)
            with io.TextIOWrapper(self._file, *_UTF8, newline="") as file:
                while text := file.read(_HELD_BYTES):
                    yield text
        else:
            yield from self._pieces


def _cut(word: str) -> Iterator[str]:
    return (word[start : start + _MAX_WORD] for start in range(0, len(word), _MAX_WORD))
