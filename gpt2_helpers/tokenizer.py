"""Text <-> token ids: GPT-2's byte-level byte-pair encoding. Knows neither models nor datasets.

The method is that of "Language Models are Unsupervised Multitask Learners" (Radford et al. 2019):
text is cut into words by a regular expression, each word's UTF-8 bytes are written as printable
characters, and neighbouring pieces are joined in the order in which `vocab.bpe` lists them.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import regex

from gpt2_helpers.errors import CheckpointError, DatasetError, OptionError, brief
from gpt2_helpers.system.files import atomic_write_text

END_OF_TEXT = "<|endoftext|>"
START_OF_TEXT = "<|startoftext|>"
TOKENIZER_FILES = ("encoder.json", "vocab.bpe")

WORD_PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
_MAX_CACHED_WORDS = 500_000  # past this many distinct words the memo starts anew: flat memory
# A longer word is merged with a heap, which there beats looking through the word for each merge,
# and is not remembered: it is rare, and may be of any size.
_LONG_WORD = 48

Ranks: TypeAlias = Mapping[tuple[int, int], int]  # (left id, right id) -> when they are joined


@lru_cache(maxsize=1)
def bytes_to_unicode() -> dict[int, str]:
    """The printable character that stands for each byte in `encoder.json` and `vocab.bpe`.

    >>> bytes_to_unicode()[ord("A")], bytes_to_unicode()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in table)
    table.update({byte: chr(256 + order) for order, byte in enumerate(others)})
    return table


def token_bytes(pieces: Collection[str]) -> Iterator[bytes]:
    """The bytes that each piece stands for. One with other characters than those for bytes stands
    for itself, in UTF-8; CheckpointError where it can't be written so.

    >>> list(token_bytes(["\u0120A", "1 000"]))
    [b' A', b'1 000']
    """
    # All of them at once first: to look at each character costs a tenth of a second.
    codes = np.frombuffer("".join(pieces).encode("utf-32-le", "surrogatepass"), "<u4")
    table = np.full(1 << 9, 256, np.uint16)
    for byte, character in bytes_to_unicode().items():
        table[ord(character)] = byte
    numbers = table[np.minimum(codes, len(table) - 1)]
    content, end = numbers.astype(np.uint8).tobytes(), 0
    is_byte = (numbers < 256).tobytes()
    for piece in pieces:
        start, end = end, end + len(piece)
        if b"\0" not in is_byte[start:end]:
            yield content[start:end]
            continue
        try:
            yield piece.encode("utf-8")
        except UnicodeEncodeError:
            raise CheckpointError(
                f"encoder.json: the piece {brief(repr(piece))} holds a lone surrogate"
            ) from None


class Tokenizer:
    """Encodes text as ids and decodes ids as text, with the vocabulary of one model folder.

    `Tokenizer.load("models/124M").encode("Hello world")` gives `[15496, 995]`.
    """

    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
        """`vocabulary` maps pieces (in byte characters) to ids, `merges` lists pairs, first first.

        Raises CheckpointError where the two don't belong together.
        """
        characters = bytes_to_unicode()
        self.vocabulary = vocabulary
        self.n_vocab = len(vocabulary)
        if sorted(vocabulary.values()) != list(range(self.n_vocab)):
            raise CheckpointError("encoder.json must number its pieces 0, 1, 2 and on, each once")
        self._byte_ids: list[int] = []
        for byte in range(256):
            if characters[byte] not in vocabulary:
                raise CheckpointError(f"encoder.json lacks a piece for the byte {byte}")
            self._byte_ids.append(vocabulary[characters[byte]])
        self._ranks: dict[tuple[int, int], int] = {}  # (left id, right id) -> which merge it is
        self._joined: list[int] = []  # and what each merge makes
        for rank, (left, right) in enumerate(merges):
            try:
                pair = vocabulary[left], vocabulary[right]
                self._ranks.setdefault(pair, rank)
                self._joined.append(vocabulary[left + right])
            except KeyError as error:
                raise CheckpointError(
                    f"vocab.bpe and encoder.json don't belong together: merge {rank + 1}, "
                    f"{brief(repr(left))} + {brief(repr(right))}, needs the piece "
                    f"{brief(repr(error.args[0]))}"
                ) from None
        self._pieces: list[bytes] = [b""] * self.n_vocab
        for index, piece in zip(vocabulary.values(), token_bytes(vocabulary), strict=True):
            self._pieces[index] = piece
        self.end_of_text: int = vocabulary.get(END_OF_TEXT, self.n_vocab - 1)
        self._memo: dict[str, list[int]] = {}

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """Read `encoder.json` and `vocab.bpe` in `folder`; CheckpointError where they are unfit."""
        encoder, bpe = (Path(folder) / name for name in TOKENIZER_FILES)
        try:
            vocabulary = json.loads(encoder.read_text(encoding="utf-8"))
            lines = bpe.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError as error:
            raise CheckpointError(
                f"{error.filename} is missing: a model folder holds encoder.json and vocab.bpe"
            ) from None
        except (ValueError, OSError, RecursionError) as error:
            raise CheckpointError(
                f"the tokenizer in {folder} cannot be read: {brief(error)}"
            ) from None
        if not isinstance(vocabulary, dict) or not all(
            type(index) is int for index in vocabulary.values()
        ):
            raise CheckpointError(f"{encoder} must map pieces of text to whole numbers")
        if lines and lines[0].startswith("#version"):
            lines = lines[1:]
        merges: list[tuple[str, str]] = []
        for number, line in enumerate(lines, 1):
            left, _, right = line.partition(" ")
            if line and not (left and right):
                raise CheckpointError(
                    f"{bpe}: merge {number} is not two pieces: {brief(repr(line))}"
                )
            if line:
                merges.append((left, right))
        try:
            return cls(vocabulary, merges)
        except CheckpointError as error:
            raise CheckpointError(f"{folder}: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `encoder.json` and `vocab.bpe` into `folder`, in OpenAI's format."""
        encoder, bpe = (Path(folder) / name for name in TOKENIZER_FILES)
        atomic_write_text(encoder, json.dumps(self.vocabulary))
        pairs = (f"{left} {right}\n" for left, right in self.merges)
        atomic_write_text(bpe, "#version: 0.2\n" + "".join(pairs))

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The pairs of pieces that are joined, first first, in byte characters."""
        names = {index: piece for piece, index in self.vocabulary.items()}
        return [(names[left], names[right]) for left, right in self._ranks]

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of `text`; with `special`, `<|endoftext|>` becomes its one id.

        Raises DatasetError where the text holds a lone surrogate, which no UTF-8 can write, and
        OptionError for what is no text.
        """
        if not isinstance(text, str):
            raise OptionError(f"only text can be encoded, got {type(text).__name__}: give a str")
        if special and END_OF_TEXT in text:
            first, *rest = text.split(END_OF_TEXT)
            ids = self.encode(first)
            for part in rest:
                ids.append(self.end_of_text)
                ids += self.encode(part)
            return ids
        memo = self._memo
        ids = []
        for word in WORD_PATTERN.findall(text):
            known = memo.get(word)
            if known is None:
                known = self._encode_word(word)
                if len(memo) >= _MAX_CACHED_WORDS:
                    memo.clear()
                if len(word) <= _LONG_WORD:
                    memo[word] = known
            ids += known
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8, as after half a character, show as U+FFFD.

        Raises OptionError for an id outside the vocabulary, or what is no id.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The UTF-8 bytes of `ids`: for text that arrives piece by piece."""
        pieces = self._pieces
        chunks = []
        try:
            for index in ids:
                if not 0 <= index < len(pieces):
                    raise OptionError(
                        f"token ids must lie between 0 and {len(pieces) - 1}, got {index}: "
                        "were they made with another model's tokenizer?"
                    )
                chunks.append(pieces[index])
        except OptionError:
            raise
        except (TypeError, ValueError) as error:
            raise OptionError(f"token ids must be a list of whole numbers: {error}") from None
        return b"".join(chunks)

    def _encode_word(self, word: str) -> list[int]:
        try:
            raw = word.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"the text holds a lone surrogate, {word[error.start]!r}, which is no character: "
                "read the file as UTF-8 or UTF-16, or leave that character out"
            ) from None
        ids = [self._byte_ids[byte] for byte in raw]
        merge = _merge_long if len(ids) > _LONG_WORD else _merge
        return merge(ids, self._ranks, self._joined)


def _merge(ids: list[int], ranks: Ranks, joined: Sequence[int]) -> list[int]:
    """`ids` with all merges done. As in GPT-2, all places of the pair with the lowest rank are
    joined from left to right before another pair's turn comes."""
    none = len(joined)  # the rank of a pair that is no merge
    found = list(map(ranks.get, itertools.pairwise(ids), itertools.repeat(none)))
    while found and (lowest := min(found)) != none:
        piece = joined[lowest]
        while lowest in found:
            place = found.index(lowest)
            ids[place : place + 2] = [piece]
            del found[place]
            if place:
                found[place - 1] = ranks.get((ids[place - 1], piece), none)
            if place < len(found):
                found[place] = ranks.get((piece, ids[place + 1]), none)
    return ids


def _merge_long(ids: list[int], ranks: Ranks, joined: Sequence[int]) -> list[int]:
    """The same merges in the same order, for words too long to look through again each time: a
    linked list of pieces and a heap of (rank, position)."""
    before = list(range(-1, len(ids) - 1))
    after = [*range(1, len(ids)), -1]
    alive = [True] * len(ids)
    heap: list[tuple[int, int, int, int]] = []  # rank, position, left, right

    def offer(left: int, right: int) -> None:
        rank = ranks.get((ids[left], ids[right]))
        if rank is not None:
            heapq.heappush(heap, (rank, left, ids[left], ids[right]))

    for position in range(len(ids) - 1):
        offer(position, position + 1)
    while heap:
        rank, changed = heap[0][0], []
        while heap and heap[0][0] == rank:
            _, left, left_id, right_id = heapq.heappop(heap)
            right = after[left]
            if not alive[left] or right < 0 or ids[left] != left_id or ids[right] != right_id:
                continue  # one of the two has been merged since
            ids[left] = joined[rank]
            alive[right] = False
            after[left] = after[right]
            if after[left] >= 0:
                before[after[left]] = left
            changed.append(left)
        for left in changed:
            if after[left] >= 0:
                offer(left, after[left])
            if before[left] >= 0:
                offer(before[left], left)
    return [piece for piece, kept in zip(ids, alive, strict=True) if kept]
