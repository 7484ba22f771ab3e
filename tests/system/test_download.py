"""Downloads from a local server that fails in many ways."""

from __future__ import annotations

import _thread
import builtins
import contextlib
import errno
import json
import os
import socket
import sys
import threading
import tracemalloc
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from faulty_server import Fault, FaultyServer, etag, md5
from gpt2_helpers.checkpoint.pretrained import download_model, is_downloaded
from gpt2_helpers.errors import DownloadError
from gpt2_helpers.system import download
from model_mirror import CONTENT, DATA, DATA_PATH, NEW_DATA, contents, fetch, leftovers, mirror


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with mirror() as found:
        yield found


def failure(folder: Path) -> str:
    """The error message of a download that must fail."""
    with pytest.raises(DownloadError) as caught:
        fetch(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_part(folder: Path, part: bytes, **facts: object) -> None:
    """An interrupted download of the data file, with what the server reported about it."""
    (folder / "124M").mkdir()
    (folder / "124M" / f"{DATA}.part").write_bytes(part)
    reported = {"size": len(CONTENT[DATA]), "version": etag(CONTENT[DATA]), **facts}
    (folder / "124M" / f"{DATA}.part.json").write_text(json.dumps(reported))


# --- Successful downloads


def test_a_partial_file_under_the_final_name_is_downloaded_again(
    server: FaultyServer, tmp_path: Path
) -> None:
    folder = fetch(tmp_path)
    (folder / "vocab.bpe").unlink()
    (folder / DATA).write_bytes(CONTENT[DATA][:1000])
    fetch(tmp_path)
    assert contents(folder) == CONTENT


def test_a_server_needs_neither_head_nor_etag_nor_md5(server: FaultyServer, tmp_path: Path) -> None:
    server.answers_head = server.sends_etag = server.sends_md5 = False
    server.faults[DATA_PATH] = [Fault(drop_after=150_000)]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [(r.range, r.sent) for r in server.gets(DATA)] == [
        (None, 150_000),
        ("bytes=150000-", 250_000),
    ]


def test_the_bar_counts_every_byte_once_and_can_be_hidden(
    server: FaultyServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(tmp_path / "silent")
    assert capsys.readouterr() == ("", "")
    server.honours_range = False
    server.faults[DATA_PATH] = [Fault(drop_after=300_000)]
    download_model("124M", tmp_path / "shown", retry_pauses=(0, 0, 0))
    last = capsys.readouterr().err.split("\r")[-1]
    assert last.startswith("124M: 100%")
    assert "401k/401k" in last
    assert "B/s" in last


def test_the_bar_of_a_resumed_download_starts_where_it_stopped(
    server: FaultyServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    write_part(tmp_path, CONTENT[DATA][:300_000])
    download_model("124M", tmp_path, retry_pauses=())
    shown = capsys.readouterr().err.split("\r")
    assert "300k/401k" in next(line for line in shown if "/401k" in line)
    assert "401k/401k" in shown[-1]


# --- Interrupted downloads


def test_a_dropped_connection_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    server.faults[DATA_PATH] = [Fault(drop_after=150_000)]
    assert contents(fetch(tmp_path)) == CONTENT
    first, second = server.gets(DATA)
    assert (first.range, first.sent) == (None, 150_000)
    assert (second.range, second.status, second.sent) == ("bytes=150000-", 206, 250_000)
    assert second.if_range == etag(CONTENT[DATA])


def test_four_dropped_connections_are_an_error(server: FaultyServer, tmp_path: Path) -> None:
    server.always[DATA_PATH] = Fault(drop_after=10_000)
    message = failure(tmp_path)
    assert f"{server.address}{DATA_PATH} is incomplete after 4 attempts" in message
    assert "40000 of 400000 bytes" in message
    folder = tmp_path / "124M"
    assert [r.range for r in server.gets(DATA)] == [
        None,
        *(f"bytes={n}-" for n in (10_000, 20_000, 30_000)),
    ]
    assert not (folder / DATA).exists()
    assert (folder / f"{DATA}.part").read_bytes() == CONTENT[DATA][:40_000]
    assert not is_downloaded("124M", tmp_path)

    server.always.clear()
    server.requests.clear()
    fetch(tmp_path)
    (request,) = server.gets(DATA)
    assert (request.range, request.sent) == ("bytes=40000-", 360_000)
    assert request.if_range == etag(CONTENT[DATA])
    assert contents(folder) == CONTENT


def test_the_pauses_between_attempts_grow(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    server.always[DATA_PATH] = Fault(drop_after=10)
    with pytest.raises(DownloadError):
        download_model("124M", tmp_path, progress=False)
    assert pauses == [1.0, 4.0, 15.0]


def test_a_part_with_its_state_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    write_part(tmp_path, CONTENT[DATA][:399_999])
    assert contents(fetch(tmp_path)) == CONTENT
    assert [(r.range, r.sent) for r in server.gets(DATA)] == [("bytes=399999-", 1)]


@pytest.mark.parametrize(
    "state",
    [
        None,
        b"",
        b'{"size": 400',  # cut off
        b"{}",
        b"[]",
        b"5",
        b"\xff",
        b"[" * 200_000,
        b'{"size": ' + b"9" * 5000 + b"}",
        b'{"size": "400000"}',
        b'{"size": -1}',
        b'{"size": 400000, "version": "a\\r\\nRange: bytes=5-"}',
        b'{"size": 400000, "version": "\xc3\xa9"}',
        b'{"size": 400000, "md5": []}',
        b'{"size": 400000, "other": "a"}',
    ],
    ids=lambda state: str(state)[:30],
)
def test_a_part_without_a_valid_state_is_not_trusted(
    server: FaultyServer, tmp_path: Path, state: bytes | None
) -> None:
    server.sends_md5 = server.sends_etag = False  # nothing else would show the difference
    write_part(tmp_path, b"?" * 300_000)
    path = tmp_path / "124M" / f"{DATA}.part.json"
    path.unlink() if state is None else path.write_bytes(state)
    assert contents(fetch(tmp_path)) == CONTENT
    assert [r.range for r in server.gets(DATA)] == [None]


def test_the_state_is_written_atomically(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[bytes] = []
    genuine = os.replace

    def replace(source: str | Path, target: str | Path) -> None:
        if str(target).endswith(".part.json"):
            states.append(Path(source).read_bytes())
        genuine(source, target)

    monkeypatch.setattr("os.replace", replace)
    fetch(tmp_path)
    assert len(states) == len(CONTENT)
    assert all(json.loads(state)["size"] for state in states)


def test_an_interrupted_download_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    part = tmp_path / "124M" / f"{DATA}.part"
    waiting = threading.Event()

    def interrupt() -> None:
        while not part.exists() or part.stat().st_size == 0:
            waiting.wait(0.002)
        _thread.interrupt_main()

    server.faults[DATA_PATH] = [Fault(midway=interrupt)]
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path)
    arrived = part.read_bytes()
    assert 0 < len(arrived) < 400_000
    assert CONTENT[DATA].startswith(arrived)
    assert not (tmp_path / "124M" / DATA).exists()

    assert contents(fetch(tmp_path)) == CONTENT
    assert server.gets(DATA)[-1].range == f"bytes={len(arrived)}-"


def test_a_part_with_all_bytes_is_not_downloaded_again(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:

        def stop(source: str | Path, target: str | Path) -> None:
            if not str(target).endswith(".part.json"):
                raise KeyboardInterrupt
            genuine(source, target)

        genuine = os.replace
        stopped.setattr("os.replace", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path)
    assert leftovers(tmp_path / "124M") == ["checkpoint.part", "checkpoint.part.json"]
    assert contents(fetch(tmp_path)) == CONTENT
    assert len(server.gets("checkpoint")) == 1


# --- Range requests


def test_a_server_that_ignores_range_starts_over(server: FaultyServer, tmp_path: Path) -> None:
    server.honours_range = False
    server.faults[DATA_PATH] = [Fault(drop_after=150_000)]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [(r.range, r.status, r.sent) for r in server.gets(DATA)] == [
        (None, 200, 150_000),
        ("bytes=150000-", 200, 400_000),
    ]


@pytest.mark.parametrize("length", [400_000, 400_007])
def test_a_part_that_is_too_long_starts_over(
    server: FaultyServer, tmp_path: Path, length: int
) -> None:
    write_part(tmp_path, b"x" * length, size=500_000)
    assert contents(fetch(tmp_path)) == CONTENT
    assert [(r.range, r.status) for r in server.gets(DATA)] == [
        (f"bytes={length}-", 416),
        (None, 200),
    ]


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_a_file_that_changes_between_attempts_is_never_mixed(
    server: FaultyServer, tmp_path: Path, honours_if_range: bool
) -> None:
    server.honours_if_range = honours_if_range
    server.sends_md5 = False
    server.faults[DATA_PATH] = [
        Fault(drop_after=150_000),
        Fault(before=lambda: server.files.update({DATA_PATH: NEW_DATA})),
    ]
    assert contents(fetch(tmp_path)) == CONTENT | {DATA: NEW_DATA}
    assert server.gets(DATA)[1].if_range == etag(CONTENT[DATA])


def test_a_weak_etag_is_replaced_by_the_date(server: FaultyServer, tmp_path: Path) -> None:
    date = "Thu, 14 Feb 2019 17:00:00 GMT"
    marks = {"ETag": 'W/"1"', "Last-Modified": date}
    server.head_headers = marks
    server.honours_if_range = False
    server.faults[DATA_PATH] = [Fault(drop_after=150_000, headers=marks), Fault(headers=marks)]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [(r.if_range, r.sent) for r in server.gets(DATA)] == [(None, 150_000), (date, 250_000)]


def test_another_range_than_requested_is_rejected(server: FaultyServer, tmp_path: Path) -> None:
    server.sends_md5 = False
    other = Fault(headers={"Content-Range": "bytes 149999-399999/400000"})
    server.faults[DATA_PATH] = [Fault(drop_after=150_000), other]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [r.range for r in server.gets(DATA)] == [None, "bytes=150000-", None]


def test_a_file_that_changes_between_calls_is_never_mixed(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.sends_md5 = False
    server.always[DATA_PATH] = Fault(drop_after=10_000)
    failure(tmp_path)
    server.always.clear()
    server.files[DATA_PATH] = NEW_DATA
    assert contents(fetch(tmp_path)) == CONTENT | {DATA: NEW_DATA}


# --- Wrong responses


def test_a_missing_file_is_not_retried(server: FaultyServer, tmp_path: Path) -> None:
    del server.files[DATA_PATH]
    message = failure(tmp_path)
    assert f"{server.address}{DATA_PATH} does not exist (HTTP 404" in message
    assert "GPT2_HELPERS_MIRROR" in message
    assert len(server.gets(DATA)) == 1
    assert contents(tmp_path / "124M") == {}


def test_a_refusal_is_not_retried(server: FaultyServer, tmp_path: Path) -> None:
    server.always[DATA_PATH] = Fault(status=403)
    assert "HTTP 403" in failure(tmp_path)
    assert len(server.gets(DATA)) == 1
    assert DATA not in contents(tmp_path / "124M")


def test_server_errors_are_retried(server: FaultyServer, tmp_path: Path) -> None:
    server.faults[DATA_PATH] = [Fault(status=500), Fault(status=503)]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [r.status for r in server.gets(DATA)] == [500, 503, 200]


def test_lasting_server_errors_are_an_error(server: FaultyServer, tmp_path: Path) -> None:
    server.always[DATA_PATH] = Fault(status=500)
    assert "after 4 attempts: the server answered 500" in failure(tmp_path)
    assert DATA not in contents(tmp_path / "124M")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=b"sign in", headers={"Content-Type": "text/html; charset=utf-8"}),
        Fault(body=b"\r\n<!DOCTYPE HTML><title>Sign in</title>"),
        Fault(body=b"<HTML><body>Sign in"),
        Fault(body=b"sign in", headers={"Content-Type": "application/xhtml+xml"}),
        Fault(body=b"\xef\xbb\xbf<!doctype html>"),
        Fault(body="\ufeff<html>".encode("utf-16-le")),
        Fault(body="\ufeff <html>".encode("utf-16-be")),
        Fault(body=b"<!-- a --> <!-- b -->\n<html>"),
        Fault(body=b"\xef\xbb\xbf\n<!-- <p> -->\n<head><title>Sign in"),
        Fault(body=b"<!---->" * 5000 + b"<body>"),
        Fault(body=b"<script>location = 'https://login'</script>"),
    ],
)
def test_a_web_page_is_rejected(server: FaultyServer, tmp_path: Path, fault: Fault) -> None:
    server.always[DATA_PATH] = fault
    server.answers_head = False
    message = failure(tmp_path)
    assert f"{server.address}{DATA_PATH} sent a web page" in message
    assert len(server.gets(DATA)) == 1
    assert not [name for name in contents(tmp_path / "124M") if name.startswith(DATA)]


@pytest.mark.parametrize(
    "content",
    [b"<!-- a comment --> and text", b"<!---->" * 9000, b"<!--" * 9000, b"<titles>", b"<"],
)
def test_files_that_are_no_web_pages(server: FaultyServer, tmp_path: Path, content: bytes) -> None:
    server.files[DATA_PATH] = content
    assert contents(fetch(tmp_path)) == CONTENT | {DATA: content}


@pytest.mark.parametrize("encoding", ["gzip", "identity, br", "\x1b[2Jx"])
def test_an_encoded_file_is_refused(server: FaultyServer, tmp_path: Path, encoding: str) -> None:
    server.always[DATA_PATH] = Fault(headers={"Content-Encoding": encoding})
    message = failure(tmp_path)
    assert f"{server.address}{DATA_PATH} was sent with Content-Encoding " in message
    assert "\x1b" not in message
    assert len(server.gets(DATA)) == 1
    assert not [name for name in contents(tmp_path / "124M") if name.startswith(DATA)]


def test_an_encoded_transfer_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    # Python would write the chunks with their sizes into the file.
    server.always[DATA_PATH] = Fault(headers={"Transfer-Encoding": "gzip, chunked"})
    assert "was sent with Transfer-Encoding gzip, chunked, which" in failure(tmp_path)


def test_a_chunk_of_negative_size_is_not_read_into_memory(
    server: FaultyServer, tmp_path: Path
) -> None:
    endless = b"-1\r\n" + bytes(20 << 20)
    server.always[DATA_PATH] = Fault(body=endless, headers={"Transfer-Encoding": "chunked"})
    tracemalloc.start()
    try:
        assert "is incomplete" in failure(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_part_that_was_not_requested_is_no_file(server: FaultyServer, tmp_path: Path) -> None:
    span = {"Content-Range": "bytes 100-199/200"}
    server.always[DATA_PATH] = Fault(status=206, headers=span)
    message = failure(tmp_path)
    assert "the server answered 206 without the start of the file" in message
    assert "has changed" not in message


def test_the_encoding_identity_is_none(server: FaultyServer, tmp_path: Path) -> None:
    server.always[DATA_PATH] = Fault(headers={"Content-Encoding": "Identity"})
    assert contents(fetch(tmp_path)) == CONTENT


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "9" * 5000},
        {"ETag": "a" * 60_000},
        {"ETag": '"\x1b[2J"'},
        {"Content-MD5": "\x1b[2J" * 9000},
        {"Content-MD5": "A" * 60_000},
    ],
    ids=lambda headers: str(headers)[:30],
)
def test_headers_that_are_not_usable(
    server: FaultyServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.head_headers = headers
    server.always[DATA_PATH] = Fault(headers=headers, drop_after=10)
    message = failure(tmp_path)
    assert len(message) < 600
    assert "\x1b" not in message


def test_the_words_of_a_server_are_cut_and_cleaned(server: FaultyServer, tmp_path: Path) -> None:
    server.redirects[DATA_PATH] = "http://" + "a" * 50_000 + "\x1b[2J"
    message = failure(tmp_path)
    assert len(message) < 1000
    assert "\x1b" not in message


@pytest.mark.parametrize("status", [b"404", b"500", b"20\x1b[2J"])
def test_a_long_reason_is_cut_and_cleaned(tmp_path: Path, status: bytes) -> None:
    answer = b"HTTP/1.1 " + status + b" \x1b[2J" + b"reason " * 5000 + b"\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        with pytest.raises(DownloadError) as caught:
            download.download_file(
                url, tmp_path / "a", alternative="or do without", progress=False, retry_pauses=()
            )
        listening.shutdown(socket.SHUT_RDWR)
    assert len(str(caught.value)) < 600
    assert "\x1b" not in str(caught.value)


def test_a_web_page_does_not_replace_a_part(server: FaultyServer, tmp_path: Path) -> None:
    page = Fault(body=b"<html>", headers={"Content-Type": "text/html"})
    server.faults[DATA_PATH] = [Fault(drop_after=150_000), page]
    assert "web page" in failure(tmp_path)
    assert (tmp_path / "124M" / f"{DATA}.part").read_bytes() == CONTENT[DATA][:150_000]


def test_a_wrong_md5_discards_the_part(server: FaultyServer, tmp_path: Path) -> None:
    server.answers_head = False
    server.always[DATA_PATH] = Fault(headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    message = failure(tmp_path)
    assert "AAAAAAAAAAAAAAAAAAAAAA==" in message
    assert not [name for name in contents(tmp_path / "124M") if name == DATA]
    assert not (tmp_path / "124M" / f"{DATA}.part").exists()
    server.always.clear()
    assert contents(fetch(tmp_path)) == CONTENT


def test_a_part_damaged_on_disk_is_detected(server: FaultyServer, tmp_path: Path) -> None:
    server.answers_head = False  # the state of the first call is used
    server.always[DATA_PATH] = Fault(drop_after=10_000)
    failure(tmp_path)
    part = tmp_path / "124M" / f"{DATA}.part"
    part.write_bytes(b"?" + part.read_bytes()[1:])
    server.always.clear()
    assert "MD5" in failure(tmp_path)
    assert not (tmp_path / "124M" / DATA).exists()


@pytest.mark.parametrize("md5_from", ["HEAD", "GET"])
def test_a_part_of_another_file_is_detected(
    server: FaultyServer, tmp_path: Path, md5_from: str
) -> None:
    write_part(tmp_path, b"another file")
    if md5_from == "GET":
        server.answers_head = False
        server.always[DATA_PATH] = Fault(headers={"x-ms-blob-content-md5": md5(CONTENT[DATA])})
    assert f"the server says {md5(CONTENT[DATA])}" in failure(tmp_path)
    assert server.gets(DATA)[0].status == 206
    assert not (tmp_path / "124M" / DATA).exists()


@pytest.mark.parametrize(
    "lie", [{"Content-Length": "1000"}, {"Content-Length": "400100"}, {"Content-Length": "0"}]
)
def test_a_wrong_length_is_rejected(
    server: FaultyServer, tmp_path: Path, lie: dict[str, str]
) -> None:
    server.sends_md5 = False
    server.always[DATA_PATH] = Fault(headers=lie)
    assert "is incomplete" in failure(tmp_path)
    assert not (tmp_path / "124M" / DATA).exists()


def test_an_empty_response_is_rejected(server: FaultyServer, tmp_path: Path) -> None:
    server.answers_head = server.sends_md5 = False
    server.always[DATA_PATH] = Fault(body=b"")
    assert "is incomplete" in failure(tmp_path)
    assert not (tmp_path / "124M" / DATA).exists()


# --- Local errors


def test_a_full_disk_is_reported_with_the_space_needed(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "124M" / f"{DATA}.part"
    part.parent.mkdir()
    if os.path.exists("/dev/full"):  # every write to it fails as on a full disk
        part.symlink_to("/dev/full")
    else:
        opened = builtins.open

        def full(path: object, *rest: object) -> object:
            if path == part:
                raise OSError(errno.ENOSPC, "No space left on device")
            return opened(path, *rest)  # type: ignore[call-overload]

        monkeypatch.setattr("builtins.open", full)
    message = failure(tmp_path)
    assert f"too little disk space for {tmp_path / '124M'}" in message
    assert "more needed" in message
    assert " free; " in message
    assert not (tmp_path / "124M" / DATA).exists()
    assert len(server.gets(DATA)) == 1


def test_a_file_larger_than_the_disk_is_not_started(server: FaultyServer, tmp_path: Path) -> None:
    server.head_headers = {"Content-Length": str(10**17)}
    message = failure(tmp_path)
    assert "700PB more needed" in message
    assert server.gets() == []


def test_a_folder_that_cannot_be_created(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "124M").write_text("a file in the way")
    message = failure(tmp_path)
    assert f"{tmp_path / '124M'} cannot be written" in message
    assert "model_dir" in message


def test_no_network(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_names(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.delenv("GPT2_HELPERS_MIRROR")
    monkeypatch.setattr("socket.getaddrinfo", no_names)
    message = failure(tmp_path)
    assert "no server named openaipublic.blob.core.windows.net was found (no network?)" in message
    assert "GPT2_HELPERS_MIRROR" in message
    assert contents(tmp_path / "124M") == {}


def test_a_server_that_does_not_listen(
    tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:  # bound and not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GPT2_HELPERS_MIRROR", f"http://127.0.0.1:{bound.getsockname()[1]}")
        assert "refused" in failure(tmp_path).lower()


def test_a_server_that_stops_sending_is_an_error(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 2.0)
    over = threading.Event()

    def stop_sending() -> None:
        over.wait(300)

    server.always[DATA_PATH] = Fault(midway=stop_sending)
    try:
        with pytest.raises(
            DownloadError, match="2 attempts: the server sent nothing for 2 seconds"
        ):
            download_model("124M", tmp_path, progress=False, retry_pauses=(0,))
    finally:
        over.set()
    assert (tmp_path / "124M" / f"{DATA}.part").stat().st_size > 0
    assert not (tmp_path / "124M" / DATA).exists()


def test_a_redirect_is_followed_with_its_range(server: FaultyServer, tmp_path: Path) -> None:
    server.files[f"/moved/{DATA}"] = server.files.pop(DATA_PATH)
    server.redirects[DATA_PATH] = f"{server.address}/moved/{DATA}"
    server.faults[f"/moved/{DATA}"] = [Fault(drop_after=150_000)]
    assert contents(fetch(tmp_path)) == CONTENT
    assert [
        (r.method, r.range, r.sent) for r in server.requests if r.path.startswith("/moved")
    ] == [
        ("HEAD", None, 0),
        ("GET", None, 150_000),
        ("GET", "bytes=150000-", 250_000),
    ]


def test_a_redirect_from_https_to_http_is_refused() -> None:
    asked = urllib.request.Request("https://host/file")
    redirects = download.Redirects("or do without")
    moved = redirects.redirect_request(asked, None, 302, "Found", {}, "https://other/file")
    assert moved is not None
    assert moved.full_url == "https://other/file"
    with pytest.raises(DownloadError, match="http://other/file, which is not https"):
        redirects.redirect_request(asked, None, 302, "Found", {}, "http://other/file")
    asked = urllib.request.Request("http://host/file")
    with pytest.raises(DownloadError, match="ftp://other/file, which is not https or http"):
        redirects.redirect_request(asked, None, 302, "Found", {}, "ftp://other/file")
