"""What the Beam commands share: tables as input, Beam's own options, the model of the workers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gpt2_helpers.cli.command import print_status
from gpt2_helpers.cli.model_options import require_one
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import BeamOutputConfig, LoadConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.google.bigquery.config import BigQueryConfig

if TYPE_CHECKING:
    from gpt2_helpers.beam.models import ModelSource

BEAM_OPTIONS = "beam_options"  # the attribute of parsed options that has Beam's own
_TABLE_FIELDS = (
    *("table", "text_column", "order_column", "filter_column", "filter_value"),
    *("limit", "limit_gb"),
)
LOCAL_EXAMPLE = "--direct_num_workers=2 --direct_running_mode=multi_processing"


def add_beam_options(parser: Parser) -> None:
    """Pass unknown options on to Beam."""
    parser.pass_on_others(BEAM_OPTIONS)


def add_table_options(parser: Parser) -> None:
    """Add the options for a BigQuery table as input; Beam has `--project`."""
    for name in _TABLE_FIELDS:
        parser.add_field(field_of(BigQueryConfig, name, advanced=True))


def table_from(options: Namespace) -> BigQueryConfig | None:
    """The table that was given as input, if any."""
    if "table" not in options:
        if given := [name for name in _TABLE_FIELDS if name in options]:
            raise OptionError(f"{given[0]} needs table, a BigQuery table to read")
        return None
    values = {name: getattr(options, name) for name in _TABLE_FIELDS if name in options}
    projects = [o for o in getattr(options, BEAM_OPTIONS) if o.startswith("--project=")]
    project = projects[-1].partition("=")[2] if projects else None
    return BigQueryConfig(source="own", min_length=1, project=project, **values)


def model_from(options: Namespace, output: BeamOutputConfig, beam_options: Any) -> ModelSource:
    """Where the workers find the model; a missing pretrained model is downloaded first."""
    from gpt2_helpers.beam.models import ModelSource
    from gpt2_helpers.beam.runner import n_processes
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.system import device

    require_one(options)
    run, loading = config_from(RunConfig, options), config_from(LoadConfig, options)
    source = ModelSource(
        run.model_name if "model_name" in options else None,
        run.run_name,
        str(run.checkpoint_dir),
        str(run.model_dir),
        loading.checkpoint,
        loading.precision,
        output.threads or max(1, device.cores() // n_processes(beam_options)),
    )
    if source.model_name is not None and not source.is_remote:
        download_if_missing(run, print_status)
    return source


def run_job(beam_options: Any, build: Callable[[Any], Any]) -> dict[str, int]:
    """Run a pipeline. Ctrl-C ends it; started again, the same command keeps what is finished."""
    from gpt2_helpers.beam.runner import run_pipeline

    return run_pipeline(beam_options, build)


def describe_texts(output: BeamOutputConfig, counters: dict[str, int]) -> str:
    """What a job has written, as a line."""
    kept, new = counters.get("kept_texts", 0), counters.get("new_texts", 0)
    place = output.destination_table or output.index
    if not kept and not new:
        return f"{place} is complete already: nothing to do"
    earlier = f", of which {kept:,} are from an earlier attempt" if kept else ""
    return f"{kept + new:,} texts in {place}{earlier}"
