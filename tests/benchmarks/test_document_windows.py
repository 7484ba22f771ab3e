"""The comparison of training windows on a small table."""

from __future__ import annotations

from pathlib import Path

import pytest

import document_windows


def test_rows_of_a_table_and_paragraphs_of_a_text(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("one\ntwo\n\nthree\n")
    assert document_windows.rows_of(text) == ["one\ntwo", "three\n"]
    table = tmp_path / "table.csv"
    table.write_text("title\none\ntwo\n")
    assert document_windows.rows_of(table) == ["one", "two"]


@pytest.mark.usefixtures("shallow_tiny")
def test_both_windows_give_losses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(document_windows, "STEPS", (1, 2))
    monkeypatch.chdir(tmp_path)
    rows = [f"The king came home in the year {n}." for n in range(40)]
    for windows in ("stream", "documents"):
        losses = document_windows.finetune(rows[:30], rows[30:], windows, 1, tmp_path)
        assert len(losses) == 2
        assert all(0 < loss < 12 for loss in losses)
