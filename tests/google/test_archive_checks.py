"""The checks of an archive's headers, on truncated, damaged and malicious archives."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archives import (
    ARCHIVE,
    CHECKPOINT,
    EMPTY,
    HUGE,
    NEGATIVE,
    TARGET,
    contents_of,
    pack_run,
    pax_header,
    raw_header,
    tar_info,
    unpack_run,
    write_archive,
)
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.google import archive_checks
from gpt2_helpers.google.archive_checks import is_complete, read_contents
from gpt2_helpers.system.files import sha256_path
from toy_runs import save_run


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_truncated_length_is_rejected() -> None:
    save_run()
    whole = pack_run().read_bytes()
    sha256_path(ARCHIVE).unlink()
    end = read_contents(ARCHIVE).members[-1]
    least = end.offset_data + -(-end.size // 512) * 512 + 1024
    for length in [*range(0, least, 4099), least - 1]:
        ARCHIVE.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_contents(ARCHIVE)
    ARCHIVE.write_bytes(whole[:least])  # some tools fill up to whole records, some don't
    assert read_contents(ARCHIVE).step == 4


def test_a_damaged_header_is_not_taken_for_the_end() -> None:
    save_run()
    pack_run()
    with tarfile.open(ARCHIVE) as tar:
        place = tar.getmembers()[5].offset
    with open(ARCHIVE, "r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 20)
    with pytest.raises(CheckpointError, match=f"is damaged at byte {place:,}"):
        read_contents(ARCHIVE)


def test_an_archive_must_have_the_size_in_its_hash_file() -> None:
    size = write_archive(*CHECKPOINT).stat().st_size
    for recorded, is_whole in ((size - 1, True), (size, True), (size + 1, False)):
        sha256_path(ARCHIVE).write_text(f"# {recorded} bytes\n")
        if is_whole:
            assert read_contents(ARCHIVE).step == 4
        else:
            with pytest.raises(CheckpointError, match=f"it has {size:,} of {recorded:,} bytes"):
                read_contents(ARCHIVE)


def test_the_size_of_an_extended_header_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"checkpoint/run1/{'x' * 200}"  # in a header of its own, with a zero byte at the end
    with tarfile.open(ARCHIVE, "w", format=tarfile.GNU_FORMAT) as tar:
        for member in (*(name for name, _ in CHECKPOINT), name):
            tar.addfile(tar_info(member))
    assert name in [member.name for member in read_contents(ARCHIVE).members]
    monkeypatch.setattr(archive_checks, "_MAX_HEADER", len(name) + 1)
    assert name in [member.name for member in read_contents(ARCHIVE).members]
    monkeypatch.setattr(archive_checks, "_MAX_HEADER", len(name))
    with pytest.raises(CheckpointError, match=f"an extended header of {len(name) + 1} bytes"):
        read_contents(ARCHIVE)


def test_files_are_only_read_from_the_folder_of_a_run() -> None:
    folders = [tar_info(name, type=tarfile.DIRTYPE) for name in ("checkpoint", "checkpoint/run1")]
    write_archive(*folders, *CHECKPOINT)
    assert len(read_contents(ARCHIVE).members) == len(CHECKPOINT)
    write_archive(*CHECKPOINT, ("checkpoint/run1", b"x"))
    with pytest.raises(CheckpointError, match="is not in checkpoint/RUN_NAME"):
        read_contents(ARCHIVE)


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (("../outside", b"x"), "is outside"),
        (("checkpoint/run1/../../../outside", b"x"), "is outside"),
        (("/tmp/outside", b"x"), "is outside"),
        (("checkpoint/run1/C:outside", b"x"), "is outside"),
        (("checkpoint\\run1\\outside", b"x"), "is outside"),
        (("outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (("checkpoint/outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (("models/run1/outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (
            tar_info("checkpoint/run1/l", type=tarfile.SYMTYPE, linkname="/etc"),
            "is a link to '/etc'",
        ),
        (
            tar_info("checkpoint/run1/l", type=tarfile.LNKTYPE, linkname="../x"),
            "is a link to '../x'",
        ),
        (tar_info("checkpoint/run1/d", type=tarfile.CHRTYPE), "is not a plain file"),
        (tar_info("checkpoint/run1/d", type=tarfile.BLKTYPE), "is not a plain file"),
        (tar_info("checkpoint/run1/d", type=tarfile.FIFOTYPE), "is not a plain file"),
    ],
)
def test_unsafe_members_are_rejected_before_anything_is_written(member: Any, fault: str) -> None:
    write_archive(*CHECKPOINT, member)
    with pytest.raises(CheckpointError, match=r"is unsafe: its member .* do not trust") as caught:
        unpack_run()
    assert fault in str(caught.value)
    assert os.listdir() == [ARCHIVE.name]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: write_archive(*CHECKPOINT, ("checkpoint/run2/a", b"")),
            "contains the runs run1, run2",
        ),
        (write_archive, "contains no files"),
        (lambda: write_archive(("checkpoint/run1/counter", b"4")), "contains no checkpoint"),
        (lambda: write_archive(*CHECKPOINT, mode="w:gz"), "is not an uncompressed tar archive"),
        (lambda: ARCHIVE.write_bytes(b"<html>" * 1000), "is not an uncompressed tar archive"),
        (lambda: write_archive(CHECKPOINT[1], ("checkpoint/run1/x", b"")), "no run 'run1' in"),
    ],
)
def test_archives_that_are_not_one_run_are_rejected(make: Callable[[], Any], message: str) -> None:
    make()
    mine = contents_of(save_run(step=6, checkpoint_dir="elsewhere"))
    with pytest.raises(CheckpointError, match=message):
        unpack_run()
    assert contents_of(TARGET) == mine


@pytest.mark.parametrize(
    "hostile",
    [
        *(raw_header(size, kind.encode()) for size in (NEGATIVE, HUGE) for kind in "0LKxgXZ"),
        raw_header(NEGATIVE, b"5"),
        raw_header(b"\xff" * 12, b"L"),  # -1
        raw_header(EMPTY, b"L") * 5_000,  # names of names of names
        pax_header("size", "-1024") + raw_header(EMPTY, b"0"),
        pax_header("mtime", "nan") + raw_header(EMPTY, b"0", "checkpoint/run1/model-6.index"),
        pax_header("GNU.sparse.size", "many") + raw_header(EMPTY, b"0"),
    ],
)
def test_malicious_headers_are_rejected(hostile: bytes) -> None:
    whole = write_archive(*CHECKPOINT).read_bytes()
    ARCHIVE.write_bytes(whole[: 3 * 1024] + hostile + bytes(10_240))
    with pytest.raises(CheckpointError, match=r"^checkpoint_run1\.tar is "):
        unpack_run()
    assert os.listdir() == [ARCHIVE.name]


def test_unsafe_members_are_rejected_without_tarfiles_data_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)  # as before 3.11.4
    write_archive(*CHECKPOINT, ("../outside", b"x"))
    with pytest.raises(CheckpointError, match="is outside"):
        unpack_run()


def test_an_archive_of_very_many_members_is_rejected_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_checks, "_MAX_MEMBERS", 5)
    header = tar_info("checkpoint/run1/a").tobuf()
    ARCHIVE.write_bytes(header * 5 + b"\xff" * 512)  # what follows is not read
    with pytest.raises(CheckpointError, match="truncated"):
        read_contents(ARCHIVE)
    ARCHIVE.write_bytes(header * 6 + b"\xff" * 512)
    with pytest.raises(CheckpointError, match="has more than 5 files"):
        read_contents(ARCHIVE)


@pytest.mark.parametrize("counter", ["9" * 20, "²", "٣", "-1", ""])
def test_an_invalid_counter_in_an_archive_is_ignored(counter: str) -> None:
    save_run()
    Path("checkpoint/run1/counter").write_text(counter, encoding="utf-8")
    pack_run()
    assert read_contents(ARCHIVE).step == 4


def test_a_hash_file_of_an_invalid_size_or_kind_is_ignored() -> None:
    save_run()
    pack_run()
    for content in (f"# {'9' * 5000} bytes\n", "# ² bytes\n", "# -5 bytes\n"):
        sha256_path(ARCHIVE).write_text(content, encoding="utf-8")
        assert read_contents(ARCHIVE).step == 4
    os.truncate(sha256_path(ARCHIVE), 1 << 40)
    assert read_contents(ARCHIVE).step == 4


@pytest.mark.parametrize(
    ("steps", "counter", "step"),
    [
        ([4, 6], b"4\n", 4),
        ([4, 6], b"5\n", 6),  # the checkpoint of this step is not in the archive
        ([1, 6], b"x", 6),
        ([1, 6], None, 6),
        ([0, 6], b"x", 6),
        ([0, 6], None, 6),
        ([0], b"5\n", 0),
        ([None], b"5\n", 5),  # model.index has no step
        ([None], None, 0),
    ],
)
def test_the_step_is_that_of_the_counter_or_of_the_newest_checkpoint(
    steps: list[int | None], counter: bytes | None, step: int
) -> None:
    names = ["model" if number is None else f"model-{number}" for number in steps]
    files = [(f"checkpoint/run1/{name}.index", b"x") for name in names]
    if counter is not None:
        files.insert(0, ("checkpoint/run1/counter", counter))
    for other in ("hparams.json", "events/counter", "model-9.meta"):
        files.append((f"checkpoint/run1/{other}", b"4"))
    write_archive(*files)
    assert read_contents(ARCHIVE).step == step


def test_the_message_of_a_truncated_archive_says_what_is_known_about_its_size() -> None:
    end = 512 * 2 * len(CHECKPOINT)
    whole = write_archive(*CHECKPOINT).read_bytes()
    hint = f"or delete {sha256_path(ARCHIVE).name} if another program put the archive there"
    for size, recorded, message in [
        (end + 512, end + 1024, f"it has {end + 512:,} of {end + 1024:,} bytes"),
        (end + 512, end + 1023, f"it has {end + 512:,} of at least {end + 1024:,} bytes"),
        (end + 512, None, f"it has {end + 512:,} of at least {end + 1024:,} bytes"),
        (end + 1024, end + 2048, f"it has {end + 1024:,} of {end + 2048:,} bytes"),
    ]:
        ARCHIVE.write_bytes(whole[:size])
        if recorded is not None:
            sha256_path(ARCHIVE).write_text(f"# {recorded} bytes\n")
        else:
            sha256_path(ARCHIVE).unlink()
        with pytest.raises(CheckpointError, match=message) as caught:
            read_contents(ARCHIVE)
        assert (hint in str(caught.value)) is (size >= end + 1024)


def test_what_is_no_archive_is_not_called_truncated() -> None:
    for recorded, message in ((6000, "is not an uncompressed tar"), (6001, "is truncated")):
        ARCHIVE.write_bytes(b"<html>" * 1000)
        sha256_path(ARCHIVE).write_text(f"# {recorded} bytes\n")
        with pytest.raises(CheckpointError, match=message):
            read_contents(ARCHIVE)


def test_an_archive_may_end_with_a_folder() -> None:
    folder = tar_info("checkpoint/run1/events", type=tarfile.DIRTYPE)
    whole = write_archive(*CHECKPOINT, folder).read_bytes()
    least = 512 * (2 * len(CHECKPOINT) + 1) + 1024
    for size in (least, least - 1):
        ARCHIVE.write_bytes(whole[:size])
        assert is_complete(ARCHIVE) is (size == least)


def test_an_archive_that_is_not_one_run_is_not_complete() -> None:
    assert is_complete(write_archive(*CHECKPOINT))
    assert not is_complete(write_archive(*CHECKPOINT, ("outside", b"x")))


@pytest.mark.parametrize("values", [{"sparse": [(0, 1)]}, {"size": -1}])
def test_sparse_files_and_negative_sizes_are_rejected(values: dict[str, Any]) -> None:
    member = tar_info("checkpoint/run1/x", **values)
    with pytest.raises(CheckpointError, match="is not a plain file"):
        archive_checks._check_member(ARCHIVE, member)


def test_what_tarfile_rejects_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*_: object) -> None:
        raise tarfile.TarError("a new reason")

    write_archive(*CHECKPOINT)
    monkeypatch.setattr(tarfile, "data_filter", reject, raising=False)
    with pytest.raises(CheckpointError, match=r"is rejected \(a new reason\), but an archive"):
        read_contents(ARCHIVE)


def test_a_run_without_its_folders_is_explained() -> None:
    write_archive(("run1/model-4.index", b"x"))
    with pytest.raises(CheckpointError, match="if you made the archive, unpack it there yourself"):
        read_contents(ARCHIVE)
    write_archive(("../model-4.index", b"x"))
    with pytest.raises(CheckpointError) as caught:
        read_contents(ARCHIVE)
    assert "if you made" not in str(caught.value)
