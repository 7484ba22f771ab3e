"""Options of the Beam jobs. Beam's own options, such as the runner, are passed on as they are."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option

TEXT_SUFFIXES = (".jsonl", ".parquet")


@dataclass(frozen=True)
class BeamEncodeConfig(ValidatedConfig):
    """Where token ids are saved, and in how many files."""

    out_path: str = option(
        "text_encoded.tokens",
        "index of the files of token ids, which are written next to it; a path or URL (gs://, "
        "s3://)",
        is_path=True,
    )
    part_mb: int = option(
        64, "size of the parts of the text that are encoded at a time, in MB", minimum=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.out_path.endswith(".tokens"):
            object.__setattr__(self, "out_path", f"{self.out_path}.tokens")


@dataclass(frozen=True)
class BeamOutputConfig(ValidatedConfig):
    """Where results are written, and how they are divided among files and processes."""

    destination_path: str = option(
        "texts.jsonl",
        "name for the files of results, .jsonl or .parquet, to which numbers are added, and for "
        "their index; a path or URL (gs://, s3://)",
        is_path=True,
    )
    destination_table: str | None = option(
        None,
        "BigQuery table to append to in place of files, as project.dataset.table",
        default_text="none",
    )
    shard_size: int = option(
        256, "prompts or texts per file; a job that is started again loses at most these", minimum=1
    )
    threads: int | None = option(
        None,
        "threads of each process",
        default_text="cores divided by processes",
        minimum=1,
        advanced=True,
    )
    share_model: bool = option(
        False,
        "one model for all processes of a machine, in a process of its own; saves GPU memory",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.destination_path.endswith(tuple(TEXT_SUFFIXES)):
            raise OptionError(
                f"destination_path must end with {' or '.join(TEXT_SUFFIXES)}, got "
                f"{self.destination_path!r}"
            )
        table = self.destination_table
        if table is not None and (table.count(".") != 2 or not all(table.split("."))):
            raise OptionError(f"destination_table must be project.dataset.table, got {table!r}")

    @property
    def index(self) -> str:
        """Path or URL of the index of the files.

        >>> BeamOutputConfig(destination_path="out/titles.jsonl").index
        'out/titles.index.json'
        """
        return f"{self.destination_path.rpartition('.')[0]}.index.json"

    @property
    def output_format(self) -> str:
        """The format of the files."""
        return self.destination_path.rpartition(".")[2]
