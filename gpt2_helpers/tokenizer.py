"""GPT-2's byte-level byte-pair encoding: text to token ids and back.

The method is described in "Language Models are Unsupervised Multitask Learners" (Radford et al.,
2019). A regular expression splits the text into words; the UTF-8 bytes of each word are represented
by printable characters; and adjacent tokens are merged in the order of the list in `vocab.bpe`.
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

from gpt2_helpers.errors import CheckpointError, DatasetError, OptionError, brief, brief_repr
from gpt2_helpers.system.bounded_files import read_bounded_text, read_json
from gpt2_helpers.system.files import atomic_write_text

END_OF_TEXT = "<|endoftext|>"
COMPLETION_MARKER = "\n<|completion|>\n"  # between a prompt and the completion to learn
START_OF_TEXT = "<|startoftext|>"
TOKENIZER_FILES = ("encoder.json", "vocab.bpe")

# Splits text into words, as in OpenAI's encoder.py. A word includes the space before it.
WORD_PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
_MAX_CACHED_WORDS = 500_000  # the cache is cleared at this size, to limit memory
# Longer words are merged with a heap, which is faster for them. They are not cached, because they
# are rare and can be of any size.
_LONG_WORD = 48

Ranks: TypeAlias = Mapping[tuple[int, int], int]  # (left id, right id) -> position in vocab.bpe


@lru_cache(maxsize=1)
def bytes_to_unicode() -> dict[int, str]:
    """The printable character that represents each byte in `encoder.json` and `vocab.bpe`.

    >>> bytes_to_unicode()[ord("A")], bytes_to_unicode()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in table)
    table.update({byte: chr(256 + order) for order, byte in enumerate(others)})
    return table


def token_bytes(tokens: Collection[str]) -> Iterator[bytes]:
    """Yield the bytes of each token, given in the characters of `bytes_to_unicode`.

    A token with any other character is encoded as UTF-8. Raises CheckpointError if that fails.

    >>> list(token_bytes(["\u0120A", "1 000"]))
    [b' A', b'1 000']
    """
    # All tokens are converted together: a loop over the characters would take 0.1 s.
    codes = np.frombuffer("".join(tokens).encode("utf-32-le", "surrogatepass"), "<u4")
    table = np.full(1 << 9, 256, np.uint16)
    for byte, character in bytes_to_unicode().items():
        table[ord(character)] = byte
    numbers = table[np.minimum(codes, len(table) - 1)]
    content, end = numbers.astype(np.uint8).tobytes(), 0
    is_byte = (numbers < 256).tobytes()
    for token in tokens:
        start, end = end, end + len(token)
        if b"\0" not in is_byte[start:end]:
            yield content[start:end]
            continue
        try:
            yield token.encode("utf-8")
        except UnicodeEncodeError:
            raise CheckpointError(
                f"encoder.json: the token {brief_repr(token)} contains a lone surrogate"
            ) from None


class Tokenizer:
    """Converts between text and token ids, with the vocabulary of one model.

    Args:
        vocabulary: Maps tokens, in the characters of `bytes_to_unicode`, to ids from 0.
        merges: Pairs of tokens, in the order in which they are merged.

    Attributes:
        vocabulary: As given.
        n_vocab: Number of tokens.
        end_of_text: The id of `<|endoftext|>`.

    Raises:
        CheckpointError: The vocabulary is incomplete or does not match the merges.

    Example:
        tokenizer = Tokenizer.load("models/124M")
        tokenizer.encode("Hello world")  # [15496, 995]
        tokenizer.decode([15496, 995])  # "Hello world"
    """

    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
        characters = bytes_to_unicode()
        self.vocabulary = vocabulary
        self.n_vocab = len(vocabulary)
        if sorted(vocabulary.values()) != list(range(self.n_vocab)):
            raise CheckpointError("encoder.json must number its tokens 0, 1, 2, ..., each once")
        self._byte_ids: list[int] = []
        for byte in range(256):
            if characters[byte] not in vocabulary:
                raise CheckpointError(f"encoder.json has no token for the byte {byte}")
            self._byte_ids.append(vocabulary[characters[byte]])
        self._ranks: dict[tuple[int, int], int] = {}  # (left id, right id) -> position of the merge
        self._merged: list[int] = []  # the id that each merge results in
        for rank, (left, right) in enumerate(merges):
            try:
                pair = vocabulary[left], vocabulary[right]
                self._ranks.setdefault(pair, rank)
                self._merged.append(vocabulary[left + right])
            except KeyError as error:
                raise CheckpointError(
                    f"vocab.bpe does not match encoder.json: merge {rank + 1}, {brief_repr(left)} "
                    f"+ {brief_repr(right)}, needs the token {brief_repr(error.args[0])}; copy "
                    "both files from the same model"
                ) from None
        self._token_bytes: list[bytes] = [b""] * self.n_vocab
        for index, token in zip(vocabulary.values(), token_bytes(vocabulary), strict=True):
            self._token_bytes[index] = token
        self.end_of_text: int = vocabulary.get(END_OF_TEXT, self.n_vocab - 1)
        self._cache: dict[str, list[int]] = {}  # word -> ids

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """Load `encoder.json` and `vocab.bpe` from a model or run folder.

        Raises:
            CheckpointError: A file is missing or invalid.
        """
        encoder, bpe = (Path(folder) / name for name in TOKENIZER_FILES)
        try:
            vocabulary = read_json(encoder)
        except FileNotFoundError as error:
            raise _missing(error) from None
        except (ValueError, OSError) as error:
            raise _unreadable(folder, error) from None
        if not isinstance(vocabulary, dict) or not all(
            type(index) is int for index in vocabulary.values()
        ):
            raise CheckpointError(f"{encoder} must map tokens to integers")
        merges = read_merges(bpe)
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
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token, by id."""
        return self._token_bytes

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The pairs of tokens in the order in which they are merged."""
        tokens = {index: token for token, index in self.vocabulary.items()}
        return [(tokens[left], tokens[right]) for left, right in self._ranks]

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Encode text as token ids.

        Args:
            text: The text.
            special: Whether `<|endoftext|>` becomes a single id. Default: it is plain text.

        Returns:
            The token ids.

        Raises:
            DatasetError: The text contains a lone surrogate, which UTF-8 cannot represent.
            OptionError: `text` is not a str.
        """
        if not isinstance(text, str):
            raise OptionError(f"text must be a str, got {type(text).__name__}")
        if special and END_OF_TEXT in text:
            first, *rest = text.split(END_OF_TEXT)
            ids = self.encode(first)
            for part in rest:
                ids.append(self.end_of_text)
                ids += self.encode(part)
            return ids
        cache = self._cache
        ids = []
        for word in WORD_PATTERN.findall(text):
            word_ids = cache.get(word)
            if word_ids is None:
                word_ids = self._encode_word(word)
                if len(cache) >= _MAX_CACHED_WORDS:
                    cache.clear()
                if len(word) <= _LONG_WORD:
                    cache[word] = word_ids
            ids += word_ids
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Decode token ids as text.

        Args:
            ids: The token ids. NumPy integers are accepted.

        Returns:
            The text. Invalid UTF-8, such as an incomplete character, becomes U+FFFD.

        Raises:
            OptionError: An id is not an integer or not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Decode token ids as UTF-8 bytes, for streaming. Raises OptionError like `decode`."""
        tokens = self._token_bytes
        chunks = []
        try:
            for index in ids:
                if not 0 <= index < len(tokens):
                    raise OptionError(
                        f"token ids must be between 0 and {len(tokens) - 1}, got {index}: were "
                        "they encoded with another model's tokenizer?"
                    )
                chunks.append(tokens[index])
        except OptionError:
            raise
        except (TypeError, ValueError) as error:
            raise OptionError(f"token ids must be a list of integers: {error}") from None
        return b"".join(chunks)

    def _encode_word(self, word: str) -> list[int]:
        try:
            raw = word.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"the text contains a lone surrogate, {word[error.start]!r}, which is not a "
                "character: decode the text as UTF-8 or UTF-16, or remove it"
            ) from None
        return self.encode_bytes(raw)

    def encode_bytes(self, raw: bytes) -> list[int]:
        """Encode the bytes of one word, which need not be complete UTF-8 characters."""
        ids = [self._byte_ids[byte] for byte in raw]
        merge = _merge_with_heap if len(ids) > _LONG_WORD else _merge
        return merge(ids, self._ranks, self._merged)


def read_merges(path: Path) -> list[tuple[str, str]]:
    """The merges in `vocab.bpe`, which Hugging Face calls `merges.txt`.

    Raises:
        CheckpointError: The file is missing or invalid.
    """
    try:
        lines = read_bounded_text(path).split("\n")
    except FileNotFoundError as error:
        raise _missing(error) from None
    except (ValueError, OSError) as error:
        raise _unreadable(path.parent, error) from None
    if lines and lines[0].startswith("#version"):
        lines = lines[1:]
    merges = []
    for number, line in enumerate(lines, 1):
        left, _, right = line.partition(" ")
        if line and not (left and right):
            raise CheckpointError(
                f"{path}: merge {number} is not a pair of tokens: {brief_repr(line)}"
            )
        if line:
            merges.append((left, right))
    return merges


def _missing(error: FileNotFoundError) -> CheckpointError:
    return CheckpointError(
        f"{error.filename} is missing: a model folder needs encoder.json and vocab.bpe"
    )


def _unreadable(folder: str | Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"the tokenizer in {folder} cannot be read: {brief(error)}")


def _merge(ids: list[int], ranks: Ranks, merged: Sequence[int]) -> list[int]:
    """Apply all merges to the ids of a word.

    As in GPT-2, all occurrences of the pair with the lowest rank are merged, from left to right,
    before the next pair.
    """
    no_merge = len(merged)  # the rank of a pair that is not merged
    pair_ranks = list(map(ranks.get, itertools.pairwise(ids), itertools.repeat(no_merge)))
    while pair_ranks and (lowest := min(pair_ranks)) != no_merge:
        token = merged[lowest]
        while lowest in pair_ranks:
            position = pair_ranks.index(lowest)
            ids[position : position + 2] = [token]
            del pair_ranks[position]
            if position:
                pair_ranks[position - 1] = ranks.get((ids[position - 1], token), no_merge)
            if position < len(pair_ranks):
                pair_ranks[position] = ranks.get((token, ids[position + 1]), no_merge)
    return ids


def _merge_with_heap(ids: list[int], ranks: Ranks, merged: Sequence[int]) -> list[int]:
    """`_merge` for long words, with a linked list of tokens and a heap of (rank, position)."""
    previous = list(range(-1, len(ids) - 1))
    following = [*range(1, len(ids)), -1]
    alive = [True] * len(ids)
    heap: list[tuple[int, int, int, int]] = []  # rank, position, left id, right id

    def push(left: int, right: int) -> None:
        rank = ranks.get((ids[left], ids[right]))
        if rank is not None:
            heapq.heappush(heap, (rank, left, ids[left], ids[right]))

    for position in range(len(ids) - 1):
        push(position, position + 1)
    while heap:
        rank, changed = heap[0][0], []
        while heap and heap[0][0] == rank:
            _, left, left_id, right_id = heapq.heappop(heap)
            right = following[left]
            if not alive[left] or right < 0 or ids[left] != left_id or ids[right] != right_id:
                continue  # outdated: one of the two tokens has been merged
            ids[left] = merged[rank]
            alive[right] = False
            following[left] = following[right]
            if following[left] >= 0:
                previous[following[left]] = left
            changed.append(left)
        for left in changed:
            if following[left] >= 0:
                push(left, following[left])
            if previous[left] >= 0:
                push(previous[left], left)
    return [token for token, kept in zip(ids, alive, strict=True) if kept]
