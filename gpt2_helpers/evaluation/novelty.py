"""Leaves out generated texts that are duplicates, or copies of the training text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gpt2_helpers.config import NoveltyConfig
from gpt2_helpers.evaluation.memorization import TrainingTextIndex
from gpt2_helpers.evaluation.similarity import NOVEL, normalize

_KEY_BYTES = 12  # of a text's hash; two of a billion texts are equal with a chance of 1e-11


class NoveltyFilter:
    """Decides which generated texts are accepted. It keeps their hashes, not the texts.

    docs/evaluation.md defines duplicates, copies and near copies.

    Args:
        unique: Whether a text must not repeat an accepted one. Defaults to False.
        training_text: What texts must not be copies or near copies of. Defaults to None.

    Attributes:
        n_copies, n_duplicates: Numbers of texts that were not accepted, since the last `summary`.

    >>> novel = NoveltyFilter(unique=True)
    >>> novel.accept("Why is it?")
    >>> novel.is_duplicate("why is it")
    True
    """

    def __init__(
        self, unique: bool = False, training_text: TrainingTextIndex | None = None
    ) -> None:
        self._unique, self._training_text = unique, training_text
        self._keys: set[str] = set()
        self.n_copies = self.n_duplicates = 0

    @classmethod
    def from_config(cls, config: NoveltyConfig) -> NoveltyFilter:
        """Read the training text, if one is named.

        Raises:
            DatasetError: It cannot be read, or contains only token ids.
        """
        index = None
        if config.novel_against is not None:
            index = TrainingTextIndex.from_dataset([*config.novel_against], config.novel_column)
        return cls(config.unique, index)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about training text that is not compared."""
        return self._training_text.notes if self._training_text else ()

    def is_copy(self, text: str) -> bool:
        """Whether a text is a copy or near copy of the training text."""
        if self._training_text is None or self._training_text.compare(text).kind == NOVEL:
            return False
        self.n_copies += 1
        return True

    def is_duplicate(self, text: str) -> bool:
        """Whether a text repeats an accepted one."""
        if not self._unique or self.key(text) not in self._keys:
            return False
        self.n_duplicates += 1
        return True

    def accept(self, text: str) -> None:
        """Remember a text as accepted."""
        if self._unique:
            self._keys.add(self.key(text))

    def restore(self, keys: Iterable[str]) -> None:
        """Remember texts that an earlier call accepted, by their keys."""
        self._keys.update(keys)

    def key(self, text: str) -> str:
        """A hash that is equal for texts which are duplicates."""
        content = normalize(text).encode(errors="surrogatepass")
        return hashlib.blake2b(content, digest_size=_KEY_BYTES).hexdigest()

    def summary(self, n_missing: int, total: int, max_tries: int) -> list[str]:
        """What was left out since the last summary, as lines for the user.

        Args:
            n_missing: Number of texts for which no try was accepted.
            total: The number that was asked for.
            max_tries: Number of tries for each.
        """
        lines = []
        if self.n_copies or self.n_duplicates:
            lines.append(
                f"generated others in place of {_count(self.n_copies, 'copy', 'copies')} of the "
                f"training text and {_count(self.n_duplicates, 'duplicate', 'duplicates')}"
            )
        self.n_copies = self.n_duplicates = 0
        if n_missing:
            lines.append(
                f"got {total - n_missing:,} of {total:,} texts: for the others, none of "
                f"{_count(max_tries, 'try', 'tries')} gave a new text"
            )
        return lines


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
