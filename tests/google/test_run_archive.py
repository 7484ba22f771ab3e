"""Packing and unpacking runs: the files in an archive, round trips, aborts and full disks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from archives import (
    ARCHIVE,
    ENDINGS,
    GOLDEN_RUN,
    RUN,
    TARGET,
    contents_of,
    member_names,
    pack_run,
    tar_info,
    unpack_run,
    write_archive,
)
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import CheckpointError, Gpt2Error
from gpt2_helpers.google.archive_checks import read_contents
from gpt2_helpers.google.run_archive import archive_members, pack, packed_size, run_files, unpack
from gpt2_helpers.system.files import drain, sha256_path
from shards import shard_checkpoint
from toy_runs import assert_same, save_run, weights_of


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_archive_has_the_files_needed_to_resume_and_no_others() -> None:
    save_run(step=2)
    save_run(step=4)
    for rest in ("model-6.index", "run.json.part", ".part-x", "optimizer-6.index", "mine.txt"):
        (RUN.path / rest).write_bytes(b"begun")
    resuming = {f"{kind}-4.{end}" for kind in ("model", "optimizer") for end in ENDINGS}
    resuming |= {
        "counter",
        "checkpoint",
        "run.json",
        "hparams.json",
        "encoder.json",
        "vocab.bpe",
    }
    (RUN.path / "MODEL_CARD.md").write_text("A card")
    resuming.add("MODEL_CARD.md")
    resuming |= {"events.out.tfevents.2", "events.out.tfevents.4"}
    assert member_names(pack_run()) == {f"checkpoint/run1/{name}" for name in resuming}
    weights = {name for name in resuming if not name.startswith(("optimizer", "events"))}
    assert member_names(pack_run(weights_only=True)) == {
        f"checkpoint/run1/{name}" for name in weights
    }


def test_the_best_checkpoint_of_early_stopping_is_included() -> None:
    save_run(step=2)
    folder = save_run(step=4, checkpoints=[2, 4], validation_losses=[(2, 1.0), (4, 1.5)])
    names = {path.name for path in run_files(folder.require())}
    assert names >= {f"{kind}-2.{end}" for kind in ("model", "optimizer") for end in ENDINGS}
    assert not any("-2." in path.name for path in run_files(folder.require(), weights_only=True))


def test_adapters_are_included() -> None:
    for step in (2, 4):
        folder = save_run(
            step=step, adapters=True, checkpoints=[2], validation_losses=[(2, 1.0), (4, 1.5)]
        )
    names = {path.name for path in run_files(folder.require())}
    assert names >= {f"adapters-{step}.{end}" for step in (2, 4) for end in ENDINGS}
    assert not any(
        "adapters" in path.name for path in run_files(folder.require(), weights_only=True)
    )


def test_the_size_is_known_in_advance() -> None:
    folder = save_run()
    members = archive_members(folder.require())
    moved = list(pack(members, ARCHIVE))
    total = packed_size(members)
    assert {m.total for m in moved} == {total}
    assert [m.done for m in moved] == sorted(m.done for m in moved)
    assert moved[-1].done == total == ARCHIVE.stat().st_size


def test_tar_and_sha256sum_accept_the_archive() -> None:
    folder = save_run()
    pack_run()
    Path("out").mkdir()
    with tarfile.open(ARCHIVE, "r:") as tar:
        tar.extractall("out")  # as gpt-2-simple does
    if shutil.which("tar"):
        subprocess.run(["tar", "--compare", "-f", str(ARCHIVE)], check=True)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", f"{ARCHIVE}.sha256"], check=True)
    assert_same(weights_of(load_model("out/checkpoint/run1")), weights_of(load_model(folder.path)))


def test_a_long_run_name() -> None:
    name = "a run of many words " * 6
    save_run(name)
    pack_run(RunFolder("checkpoint", name))
    assert read_contents(ARCHIVE).run_name == name
    assert ARCHIVE.stat().st_size % tarfile.RECORDSIZE == 0


def test_the_previous_archive_is_kept_with_its_hash() -> None:
    for step in (2, 4, 6):
        save_run(step=step)
        before = ARCHIVE.read_bytes() if ARCHIVE.exists() else b""
        pack_run()
    older = Path("checkpoint_run1.before.tar")
    assert older.read_bytes() == before
    assert read_contents(older).step == 4
    assert read_contents(ARCHIVE).step == 6
    assert unpack_run(older) == []  # its hash was found and is right
    names = [ARCHIVE.name, older.name]
    assert sorted(p.name for p in Path().iterdir() if p.is_file()) == sorted(
        [*names, *(f"{name}.sha256" for name in names)]
    )


def test_a_damaged_archive_does_not_replace_the_previous_one() -> None:
    for step in (2, 4):
        save_run(step=step)
        pack_run()
    os.truncate(ARCHIVE, 5_000)  # an upload that was never finished
    save_run(step=6)
    pack_run()
    older = Path("checkpoint_run1.before.tar")
    assert (read_contents(older).step, read_contents(ARCHIVE).step) == (2, 6)
    assert unpack_run(older) == []  # with its hash
    # A damaged archive is kept if it is the only one.
    older.unlink()
    os.truncate(ARCHIVE, 5_000)
    pack_run()
    assert older.stat().st_size == 5_000


def test_an_aborted_pack_keeps_the_existing_archive() -> None:
    save_run(step=2)
    pack_run()
    before = {path.name: path.read_bytes() for path in Path().glob("checkpoint_*")}
    save_run(step=4)
    packing = pack(archive_members(RUN.require()), ARCHIVE)
    next(packing)
    packing.close()
    (RUN.path / "run.json").write_text("{}")  # another process writes on
    members = archive_members(RUN.require())
    (RUN.path / "run.json").write_text("")
    with pytest.raises(Gpt2Error, match=r"checkpoint_run1\.tar is incomplete"):
        drain(pack(members, ARCHIVE))
    assert {path.name: path.read_bytes() for path in Path().glob("checkpoint_*")} == before


def test_a_missing_run_lists_the_existing_ones() -> None:
    save_run("titles")
    with pytest.raises(CheckpointError, match=r"no run 'title' in checkpoint \(did you mean 'tit"):
        archive_members(RunFolder("checkpoint", "title").require())


def test_a_round_trip_restores_the_run() -> None:
    folder = save_run()
    index = folder.path / "model-4.index"
    os.utime(index, (1_600_000_000, 1_600_000_000))
    contents = read_contents(pack_run())
    assert (contents.run_name, contents.step, contents.saved_at) == ("run1", 4, 1_600_000_000)
    assert contents.size == sum(path.stat().st_size for path in folder.path.iterdir())
    total = ARCHIVE.stat().st_size
    moved = list(unpack(ARCHIVE, TARGET))
    assert moved[-1][:2] == (total, total)
    assert contents_of(TARGET) == contents_of(folder)
    assert (TARGET.path / index.name).stat().st_mtime == 1_600_000_000
    assert TARGET.read().optimizer_state() is not None


def test_a_checkpoint_in_several_data_files_is_packed_whole() -> None:
    save_run()
    shard_checkpoint(RUN.path / "model-4", 2)
    names = member_names(pack_run(weights_only=True))
    assert {f"checkpoint/run1/model-4.data-0000{n}-of-00002" for n in (0, 1)} <= names
    unpack_run()
    assert TARGET.require().step == 4


def test_an_archive_of_gpt_2_simple() -> None:
    with tarfile.open(ARCHIVE, "w") as tar:
        tar.add(GOLDEN_RUN, "checkpoint/run1")
    contents = read_contents(ARCHIVE)
    assert (contents.run_name, contents.step) == ("run1", 20)
    assert unpack_run() == ["checkpoint_run1.tar has no SHA-256 file: its checksum is not verified"]
    assert TARGET.read().step == 20
    assert_same(weights_of(load_model(TARGET.path)), weights_of(load_model(GOLDEN_RUN)))


def test_a_run_can_be_renamed_when_unpacked() -> None:
    save_run("titles")
    pack_run(RunFolder("checkpoint", "titles"))
    unpack_run(folder=TARGET)
    assert TARGET.read().step == 4


def test_an_existing_run_is_kept() -> None:
    save_run(step=4)
    pack_run()
    for step in (6, 8):
        shutil.rmtree(TARGET.path, ignore_errors=True)
        mine = contents_of(save_run(step=step, checkpoint_dir="elsewhere"))
        assert unpack_run() == ["the previous run1 is kept as elsewhere/run1.before"]
        assert contents_of(TARGET) == contents_of(RUN)
        assert contents_of(RunFolder("elsewhere", "run1.before")) == mine


@pytest.mark.parametrize("cut", [10_240, 5_000, 600, 512, 3, 0])
@pytest.mark.parametrize("hashed", [True, False])
def test_a_truncated_archive_reports_its_size(cut: int, hashed: bool) -> None:
    save_run(step=4)
    total = pack_run().stat().st_size
    mine = contents_of(save_run(step=6, checkpoint_dir="elsewhere"))
    if not hashed:
        sha256_path(ARCHIVE).unlink()
    os.truncate(ARCHIVE, cut)
    with pytest.raises(CheckpointError) as caught:
        unpack_run()
    match = re.fullmatch(
        rf"checkpoint_run1\.tar is truncated: it has {cut:,} of (?:at least )?([\d,]+) bytes: "
        r"copy it again, or wait until its upload is complete",
        str(caught.value),
    )
    assert match or (not hashed and cut == 3)  # too short to contain a size
    if match:
        wanted = int(match[1].replace(",", ""))
        assert wanted == total if hashed else cut < wanted <= total
    assert contents_of(TARGET) == mine


@pytest.mark.parametrize("member", ["model-4.data-00000-of-00001", "run.json", "events.out.tfeve"])
def test_a_changed_byte_is_detected_by_the_hash(member: str) -> None:
    save_run(step=4)
    pack_run()
    mine = contents_of(save_run(step=6, checkpoint_dir="elsewhere"))
    with tarfile.open(ARCHIVE) as tar:
        place = next(m.offset_data for m in tar if f"/{member}" in m.name)
    with open(ARCHIVE, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(CheckpointError, match=r"damaged: its SHA-256 is not the one in checkpoin"):
        unpack_run()
    assert contents_of(TARGET) == mine
    assert not list(Path("elsewhere").glob("*before"))


def test_an_archive_larger_than_the_disk_is_rejected() -> None:
    save_run(step=6, checkpoint_dir="elsewhere")
    mine = contents_of(TARGET)
    # Sparse on the disk: it takes no room, but says that it needs eight terabytes.
    size = 8 * 10**12
    head = tar_info("checkpoint/run1/model-4.data-00000-of-00001", size=size)
    with open(write_archive(("checkpoint/run1/model-4.index", b"x")), "r+b") as file:
        file.seek(1024)
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        try:
            file.truncate(file.tell() + size + 1024)
        except OSError:
            pytest.skip("this file system holds no sparse file of this size")
    with pytest.raises(CheckpointError, match=r"elsewhere has [\d,]+ bytes free, 8,000,000,"):
        unpack_run()
    assert contents_of(TARGET) == mine


def test_the_hash_of_another_archive_can_be_deleted() -> None:
    save_run(step=4)
    pack_run()
    advice = r"or delete checkpoint_run1\.tar\.sha256 if another program put the archive there"
    with tarfile.open(ARCHIVE, "w") as tar:  # without what only resuming needs, so shorter
        tar.add(GOLDEN_RUN, "checkpoint/run1")
    with pytest.raises(CheckpointError, match=advice):
        unpack_run()
    with open(ARCHIVE, "ab") as out:
        out.write(bytes(100_000))
    with pytest.raises(CheckpointError, match=f"is damaged: .*{advice}"):
        unpack_run()
    sha256_path(ARCHIVE).unlink()
    unpack_run()
    assert TARGET.read().step == 20


@pytest.mark.parametrize("moment", ["first", "middle", "last"])
def test_an_aborted_unpack_keeps_the_existing_run(moment: str) -> None:
    save_run(step=4)
    total = pack_run().stat().st_size
    mine = contents_of(save_run(step=6, checkpoint_dir="elsewhere"))
    for moved in (unpacking := unpack(ARCHIVE, TARGET)):
        if moved.done >= {"first": 1, "middle": total // 2, "last": total}[moment]:
            break
    unpacking.close()
    assert contents_of(TARGET) == mine
    assert os.listdir("elsewhere") == ["run1"]


def test_a_folder_that_cannot_be_written() -> None:
    save_run()
    pack_run()
    Path("file").touch()
    with pytest.raises(CheckpointError, match="written: Not a directory: use another"):
        unpack_run(folder=RunFolder("file", "run1"))


def test_a_full_disk_keeps_the_existing_run() -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on files, as Linux has")
    save_run(step=4)
    pack_run()
    mine = contents_of(save_run(step=6, checkpoint_dir="elsewhere"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(CheckpointError, match="written: File too large: free some"):
            unpack_run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert contents_of(TARGET) == mine
