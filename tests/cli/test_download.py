"""gpt2-helpers download."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import (
    run,
)
from gpt2_helpers import config
from gpt2_helpers.checkpoint.pretrained import FILES


def test_the_bundled_model_is_copied(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "BUNDLED_FOLDER", workspace / "models" / "toy")
    assert run("download", "tiny", "--model-dir", "mine").out == "mine/tiny is complete\n"
    assert {path.name for path in (workspace / "mine/tiny").iterdir()} == set(FILES)
    assert run("download", "tiny", "--model-dir", "mine").out == "mine/tiny was already complete\n"


@pytest.mark.usefixtures("mirror")
def test_a_model_is_downloaded_from_a_server(workspace: Path) -> None:
    assert run("download", "124M").out == "models/124M is complete\n"
    assert {path.name for path in (workspace / "models/124M").iterdir()} == set(FILES)
