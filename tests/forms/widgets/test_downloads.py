"""Downloads: a link that contains the file, the path of a large file, Colab's own function."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import ipywidgets as widgets
import pytest

from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.forms.widgets import downloads
from gpt2_helpers.forms.widgets.downloads import deliver, download, download_button
from gpt2_helpers.google import colab
from widget_texts import button, markup, parts, words


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / 'my "texts".txt'
    path.write_text("Ünïcödé\n", encoding="utf-8")
    return path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that Colab sent to the browser."""
    found: list[Path] = []
    monkeypatch.setattr(colab, "in_colab", lambda: True)
    monkeypatch.setattr(colab, "download_file", found.append)
    return found


def test_the_link_contains_the_file_and_its_name(path: Path) -> None:
    link = markup(download_button(path))
    assert 'download="my &quot;texts&quot;.txt"' in link
    match = re.search(r'href="data:text/plain;base64,([^"]+)"', link)
    assert match is not None
    assert base64.b64decode(match[1]) == path.read_bytes()


def test_a_large_file_is_shown_by_its_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MAX_LINK_BYTES", 5)
    shown = download_button(path)
    assert "href" not in markup(shown)
    assert str(path.parent) in words(shown)


def test_a_large_file_in_the_working_folder_has_a_link_as_well(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_LINK_BYTES", 5)
    monkeypatch.chdir(path.parent)
    shown = deliver(path.name)
    (output,) = [part for part in parts(shown) if isinstance(part, widgets.Output)]
    link = output.outputs[0]["data"]["text/html"]
    assert 'href="my%20%22texts%22.txt"' in link
    assert "download=" in link
    assert str(path.parent) in words(shown)


def test_in_colab_a_file_is_delivered_at_once(path: Path, sent: list[Path]) -> None:
    deliver(path)
    assert sent == [path]


def test_in_colab_a_click_sends_the_file(path: Path, sent: list[Path]) -> None:
    shown = download_button(path)
    assert sent == []
    button(shown, "Download my").click()
    assert sent == [path]
    download(path)
    assert sent == [path, path]


def test_an_error_is_shown_beside_the_button(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path) -> None:
        raise Gpt2Error("the browser said no")

    monkeypatch.setattr(colab, "in_colab", lambda: True)
    monkeypatch.setattr(colab, "download_file", fail)
    shown = download_button(path)
    button(shown, "Download").click()
    assert "the browser said no" in words(shown)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for call in (download_button, download):
        with pytest.raises(OptionError, match=r"file not found: .*gone\.txt"):
            call(tmp_path / "gone.txt")
