"""Configuration of nbval: `pytest --nbval-lax --nbval-current-env notebooks`.

Each notebook runs in its own empty folder, with values that make it fast and a fake BigQuery.
Environment variables override these values: GPT2_STEPS=400 trains longer.

test_notebook_runs.py runs all notebooks in the same way and checks their outputs as well. If that
file is among the tests, nbval leaves out the notebooks that were not named.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from bigquery_stand_in import running
from notebook_runner import VALUES
from paths import ROOT

TESTS_OF_RUNS = ROOT / "tests" / "notebooks" / "test_notebook_runs.py"

AT_THE_END = pytest.StashKey[ExitStack]()
BIGQUERY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[AT_THE_END] = ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[AT_THE_END].close()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the notebooks that a test of this session runs, unless they were named."""
    if collection_path.suffix != ".ipynb":
        return None
    named = [config.invocation_params.dir / arg.partition("::")[0] for arg in config.args]
    paths = {path.resolve() for path in named}
    if collection_path in paths:
        return None
    return True if paths & {TESTS_OF_RUNS, *TESTS_OF_RUNS.parents} else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Set the environment when the first cell of a notebook starts its kernel."""
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(item, IPyNbCell) and item.parent.kernel is None:
            for name, value in _environment(item.config).items():
                patch.setenv(name, value)
        return (yield)


def _environment(config: pytest.Config) -> dict[str, str]:
    at_the_end = config.stash[AT_THE_END]
    if BIGQUERY not in config.stash:
        config.stash[BIGQUERY] = at_the_end.enter_context(running()).address
    folder = Path(at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="gpt2-notebook-")))
    # nbval starts the kernel in the folder of the notebook, which may contain the user's runs.
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (folder / "notebooks").mkdir()
    move = f"__import__('os').chdir({str(folder / 'notebooks')!r})\n"
    (startup / "folder.py").write_text(move, encoding="utf-8")
    return {
        **VALUES,
        **{name: value for name, value in os.environ.items() if name in VALUES},
        "IPYTHONDIR": str(folder / "ipython"),
        "BIGQUERY_EMULATOR_HOST": config.stash[BIGQUERY],
    }
