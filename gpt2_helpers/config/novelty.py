"""Options of generating texts that are neither duplicates nor copies of the training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class NoveltyConfig(ValidatedConfig):
    """Which texts are left out, and how often others are generated in place of one."""

    unique: bool = option(
        False,
        "generate another text in place of each one that repeats an earlier one",
        label="No duplicates",
        advanced=True,
    )
    novel_against: Sequence[str] | None = option(
        None,
        "training text, such as a file: generate another text in place of each copy and near copy",
        label="No copies of",
        advanced=True,
    )
    novel_column: str | None = option(
        None,
        "column or key of the texts in novel_against",
        label="Column of these texts",
        default_text="text, or the only one",
        advanced=True,
    )
    max_tries: int = option(
        10,
        "texts that are generated at most in place of one, with unique or novel_against",
        label="Tries per text",
        minimum=1,
        maximum=1000,
        advanced=True,
    )

    @property
    def is_active(self) -> bool:
        """Whether any text may be left out."""
        return self.unique or self.novel_against is not None
