"""Killing and restarting a job in the Beam benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaling import beam_texts


def test_the_texts_are_in_the_order_of_the_index(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("b", "a"):
        (tmp_path / "out" / name).write_text(f"{name}\n", encoding="utf-8")
    index = {"shards": [{"file": "b"}, {"file": "a"}]}
    (tmp_path / "out" / "texts.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert beam_texts.texts_of(tmp_path) == b"b\na\n"


def test_a_job_that_ends_too_early_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="use more texts"):
        beam_texts.interrupted_job(tmp_path, ["--version"], shards=1)
    with pytest.raises(SystemExit, match="failed with exit code 2"):
        beam_texts.finish(beam_texts.start(tmp_path, ["no-such-command"]))
