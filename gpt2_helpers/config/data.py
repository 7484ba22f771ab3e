"""Options for reading datasets."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.system.text_encoding import check_encoding


@dataclass(frozen=True)
class DatasetConfig(ValidatedConfig):
    """How files become token ids."""

    combine: int = option(
        50000, "concatenate small files up to this many characters before encoding",
        label="Combine (characters)", minimum=1, advanced=True,
    )  # fmt: skip
    column: str | None = option(
        None,
        "where the texts of a table, JSON or Parquet file are: a name, or a number for tables",
        label="Column",
        default_text="the only column, or text",
    )
    deduplicate: bool = option(
        False,
        "leave out copies of earlier documents, and near copies if datasketch is installed",
        label="Remove duplicates",
        advanced=True,
    )
    prompt_column: str | None = option(
        None,
        "where the prompts are; the model learns to continue them with the texts of column",
        label="Prompt column",
        default_text="none, or prompt next to completion",
        advanced=True,
    )
    keywords_from: str | None = option(
        None,
        "use the most typical words of this column as prompts",
        label="Keyword source",
        default_text="none",
        advanced=True,
    )
    encoding: str | None = option(
        None, "encoding of the text files, such as cp1250 or shift_jis",
        default_text="detected", advanced=True,
    )  # fmt: skip
    legacy_tokens: bool = option(
        False,
        "encode <|endoftext|> as plain characters, as gpt-2-simple does, to continue its runs",
        label="gpt-2-simple tokens",
        advanced=True,
    )
    strip_boilerplate: bool = option(
        False,
        "leave out the header and license of Project Gutenberg in text files",
        label="Strip boilerplate",
        advanced=True,
    )
    unwrap: bool = option(
        False,
        "join the hard-wrapped lines of text files into paragraphs",
        label="Unwrap lines",
        advanced=True,
    )

    def __post_init__(self) -> None:
        for name in ("column", "prompt_column", "keywords_from"):
            value = getattr(self, name)
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                object.__setattr__(self, name, str(value))
        super().__post_init__()
        if self.prompt_column is not None and self.keywords_from is not None:
            raise OptionError(
                "set prompt_column or keywords_from, not both: got "
                f"{self.prompt_column!r} and {self.keywords_from!r}"
            )
        if self.encoding is not None:
            object.__setattr__(self, "encoding", check_encoding(self.encoding))
