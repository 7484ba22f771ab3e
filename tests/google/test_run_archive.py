"""Run folders in archives: what goes in, and that nothing comes out which should not."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import CheckpointError, Gpt2Error
from gpt2_helpers.google.archive_checks import read_contents
from gpt2_helpers.google.run_archive import archive_members, pack, packed_size, run_files, unpack
from gpt2_helpers.system.files import drain, sha256_path
from paths import GOLDEN
from toy_runs import assert_same, save_run, weights_of

GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"
ARCHIVE = Path("checkpoint_run1.tar")
ENDINGS = ("data-00000-of-00001", "index", "meta")
HERE = RunFolder("checkpoint", "run1")
THERE = RunFolder("elsewhere", "run1")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def packed(folder: RunFolder = HERE, weights_only: bool = False) -> Path:
    drain(pack(archive_members(folder.require(), weights_only), ARCHIVE))
    return ARCHIVE


def names_in(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {member.name for member in tar}


def files_of(folder: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def unpacked(archive: Path = ARCHIVE, folder: RunFolder = THERE) -> list[str]:
    """The notes that were made."""
    notes: list[str] = []
    drain(unpack(archive, folder, notes.append))
    assert not list(folder.checkpoint_dir.glob(".part*"))
    return notes


def write_archive(*members: tuple[str, bytes] | tarfile.TarInfo, mode: Any = "w") -> Path:
    """An archive by Python's own tarfile, as gpt-2-simple and others make them."""
    with tarfile.open(ARCHIVE, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(bytes(member.size)))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return ARCHIVE


# --- Packing


def test_an_archive_holds_what_resuming_needs_and_nothing_stale() -> None:
    save_run(step=2)
    save_run(step=4)
    for rest in ("model-6.index", "run.json.part", ".part-x", "optimizer-6.index", "mine.txt"):
        (HERE.path / rest).write_bytes(b"begun")
    resuming = {f"{kind}-4.{end}" for kind in ("model", "optimizer") for end in ENDINGS}
    resuming |= {"counter", "checkpoint", "run.json", "hparams.json", "encoder.json", "vocab.bpe"}
    resuming |= {"events.out.tfevents.2", "events.out.tfevents.4"}
    assert names_in(packed()) == {f"checkpoint/run1/{name}" for name in resuming}
    weights = {name for name in resuming if not name.startswith(("optimizer", "events"))}
    assert names_in(packed(weights_only=True)) == {f"checkpoint/run1/{name}" for name in weights}


def test_the_best_checkpoint_of_an_early_stopping_goes_with_it() -> None:
    save_run(step=2)
    folder = save_run(step=4, checkpoints=[2, 4], validation_losses=[(2, 1.0), (4, 1.5)])
    names = {path.name for path in run_files(folder.require())}
    assert names >= {f"{kind}-2.{end}" for kind in ("model", "optimizer") for end in ENDINGS}
    assert not any("-2." in path.name for path in run_files(folder.require(), weights_only=True))


def test_adapters_go_with_what_resuming_needs() -> None:
    for step in (2, 4):
        folder = save_run(
            step=step, adapters=True, checkpoints=[2], validation_losses=[(2, 1.0), (4, 1.5)]
        )
    names = {path.name for path in run_files(folder.require())}
    assert names >= {f"adapters-{step}.{end}" for step in (2, 4) for end in ENDINGS}
    assert not any(
        "adapters" in path.name for path in run_files(folder.require(), weights_only=True)
    )


def test_bytes_are_counted_and_known_beforehand() -> None:
    folder = save_run()
    members = archive_members(folder.require())
    moved = list(pack(members, ARCHIVE))
    total = packed_size(members)
    assert {m.total for m in moved} == {total}
    assert [m.done for m in moved] == sorted(m.done for m in moved)
    assert moved[-1].done == total == ARCHIVE.stat().st_size


def test_other_tools_open_it() -> None:
    folder = save_run()
    packed()
    Path("out").mkdir()
    with tarfile.open(ARCHIVE, "r:") as tar:
        tar.extractall("out")  # as gpt-2-simple does
    if shutil.which("tar"):
        subprocess.run(["tar", "--compare", "-f", str(ARCHIVE)], check=True)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", f"{ARCHIVE}.sha256"], check=True)
    assert_same(weights_of(load_model("out/checkpoint/run1")), weights_of(load_model(folder.path)))


def test_a_long_name_takes_more_room_and_arrives() -> None:
    name = "a run of many words " * 6
    save_run(name)
    packed(RunFolder("checkpoint", name))
    assert read_contents(ARCHIVE).run_name == name
    assert ARCHIVE.stat().st_size % tarfile.RECORDSIZE == 0


def test_the_archive_before_stays_whole_with_its_hash() -> None:
    for step in (2, 4, 6):
        save_run(step=step)
        before = ARCHIVE.read_bytes() if ARCHIVE.exists() else b""
        packed()
    older = Path("checkpoint_run1.before.tar")
    assert older.read_bytes() == before
    assert read_contents(older).step == 4
    assert read_contents(ARCHIVE).step == 6
    assert unpacked(older) == []  # its hash was found and is right
    names = [ARCHIVE.name, older.name]
    assert sorted(p.name for p in Path().iterdir() if p.is_file()) == sorted(
        [*names, *(f"{name}.sha256" for name in names)]
    )


def test_a_broken_archive_takes_no_whole_ones_place() -> None:
    for step in (2, 4):
        save_run(step=step)
        packed()
    os.truncate(ARCHIVE, 5_000)  # an upload that was never finished
    save_run(step=6)
    packed()
    older = Path("checkpoint_run1.before.tar")
    assert (read_contents(older).step, read_contents(ARCHIVE).step) == (2, 6)
    assert unpacked(older) == []  # with its hash
    # Where there is no other, even a broken one is kept.
    older.unlink()
    os.truncate(ARCHIVE, 5_000)
    packed()
    assert older.stat().st_size == 5_000


def test_what_is_given_up_leaves_the_earlier_archive() -> None:
    save_run(step=2)
    packed()
    before = {path.name: path.read_bytes() for path in Path().glob("checkpoint_*")}
    save_run(step=4)
    packing = pack(archive_members(HERE.require()), ARCHIVE)
    next(packing)
    packing.close()
    (HERE.path / "run.json").write_text("{}")  # another process writes on
    members = archive_members(HERE.require())
    (HERE.path / "run.json").write_text("")
    with pytest.raises(Gpt2Error, match=r"checkpoint_run1\.tar is incomplete"):
        drain(pack(members, ARCHIVE))
    assert {path.name: path.read_bytes() for path in Path().glob("checkpoint_*")} == before


def test_a_run_that_is_not_there_names_those_that_are() -> None:
    save_run("titles")
    with pytest.raises(CheckpointError, match=r"no run 'title' in checkpoint \(did you mean 'tit"):
        archive_members(RunFolder("checkpoint", "title").require())


# --- Unpacking


def test_a_run_comes_back_as_it_went() -> None:
    folder = save_run()
    index = folder.path / "model-4.index"
    os.utime(index, (1_600_000_000, 1_600_000_000))
    held = read_contents(packed())
    assert (held.run_name, held.step, held.saved_at) == ("run1", 4, 1_600_000_000)
    assert held.size == sum(path.stat().st_size for path in folder.path.iterdir())
    total = ARCHIVE.stat().st_size
    moved = list(unpack(ARCHIVE, THERE))
    assert moved[-1] == (total, total)
    assert files_of(THERE) == files_of(folder)
    assert (THERE.path / index.name).stat().st_mtime == 1_600_000_000
    assert THERE.read().optimizer_state() is not None


def test_an_archive_of_gpt_2_simple_is_opened() -> None:
    with tarfile.open(ARCHIVE, "w") as tar:
        tar.add(GOLDEN_RUN, "checkpoint/run1")
    held = read_contents(ARCHIVE)
    assert (held.run_name, held.step) == ("run1", 20)
    assert unpacked() == [
        "checkpoint_run1.tar has no SHA-256 beside it, so that only its form is checked"
    ]
    assert THERE.read().step == 20
    assert_same(weights_of(load_model(THERE.path)), weights_of(load_model(GOLDEN_RUN)))


def test_it_becomes_a_run_of_the_name_asked_for() -> None:
    save_run("titles")
    packed(RunFolder("checkpoint", "titles"))
    unpacked(folder=THERE)
    assert THERE.read().step == 4


def test_the_run_that_stood_there_is_kept() -> None:
    save_run(step=4)
    packed()
    for step in (6, 8):
        shutil.rmtree(THERE.path, ignore_errors=True)
        mine = files_of(save_run(step=step, checkpoint_dir="elsewhere"))
        assert unpacked() == ["the previous run1 is kept as elsewhere/run1.before"]
        assert files_of(THERE) == files_of(HERE)
        assert files_of(RunFolder("elsewhere", "run1.before")) == mine


@pytest.mark.parametrize("cut", [10_240, 5_000, 600, 512, 3, 0])
@pytest.mark.parametrize("hashed", [True, False])
def test_an_archive_cut_short_says_how_much_is_there(cut: int, hashed: bool) -> None:
    save_run(step=4)
    total = packed().stat().st_size
    mine = files_of(save_run(step=6, checkpoint_dir="elsewhere"))
    if not hashed:
        sha256_path(ARCHIVE).unlink()
    os.truncate(ARCHIVE, cut)
    with pytest.raises(CheckpointError) as caught:
        unpacked()
    told = re.fullmatch(
        rf"checkpoint_run1\.tar is cut short: {cut:,} bytes of (?:at least )?([\d,]+) are there: "
        r"copy it again, or wait until its upload is done",
        str(caught.value),
    )
    assert told or (not hashed and cut == 3)  # three bytes tell nothing
    if told:
        wanted = int(told[1].replace(",", ""))
        assert wanted == total if hashed else cut < wanted <= total
    assert files_of(THERE) == mine


def test_every_length_is_refused_but_the_whole_one() -> None:
    save_run()
    whole = packed().read_bytes()
    sha256_path(ARCHIVE).unlink()
    end = read_contents(ARCHIVE).members[-1]
    least = end.offset_data + -(-end.size // 512) * 512 + 1024
    for length in [*range(0, least, 4099), least - 1]:
        ARCHIVE.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_contents(ARCHIVE)
    ARCHIVE.write_bytes(whole[:least])  # some tools fill up to whole records, some don't
    assert read_contents(ARCHIVE).step == 4


@pytest.mark.parametrize("member", ["model-4.data-00000-of-00001", "run.json", "events.out.tfeve"])
def test_a_changed_byte_is_seen_by_the_hash(member: str) -> None:
    save_run(step=4)
    packed()
    mine = files_of(save_run(step=6, checkpoint_dir="elsewhere"))
    with tarfile.open(ARCHIVE) as tar:
        place = next(m.offset_data for m in tar if f"/{member}" in m.name)
    with open(ARCHIVE, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(CheckpointError, match=r"damaged: its SHA-256 is not the one in checkpoin"):
        unpacked()
    assert files_of(THERE) == mine
    assert not list(Path("elsewhere").glob("*before"))


def test_a_damaged_header_is_no_end() -> None:
    save_run()
    packed()
    with tarfile.open(ARCHIVE) as tar:
        place = tar.getmembers()[5].offset
    with open(ARCHIVE, "r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 20)
    with pytest.raises(CheckpointError, match=f"is damaged at byte {place:,}"):
        read_contents(ARCHIVE)


def info(name: str, **values: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(made, key, value)
    return made


def head(size: bytes, kind: bytes, name: str = "checkpoint/run1/x") -> bytes:
    """A header as nobody's tar writes it, with a right checksum."""
    made = bytearray(info(name).tobuf(tarfile.USTAR_FORMAT))
    made[124:136], made[156:157], made[148:156] = size, kind, b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


def note_ahead(key: str, value: str) -> bytes:
    """A note of the newer format that changes what the next member's header says."""
    line = f"{len(key) + len(value) + 5} {key}={value}\n".encode()
    return head(b"%011o\0" % len(line), b"x") + line.ljust(512, b"\0")


NEGATIVE = b"\xff" + (-1024).to_bytes(11, "big", signed=True)
HUGE = b"\x80" + (1 << 62).to_bytes(11, "big")
EMPTY = b"0" * 11 + b"\0"


WHOLE = [(f"checkpoint/run1/model-4.{ending}", b"x") for ending in ENDINGS]


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (("../outside", b"x"), "leads out"),
        (("checkpoint/run1/../../../outside", b"x"), "leads out"),
        (("/tmp/outside", b"x"), "leads out"),
        (("checkpoint/run1/C:outside", b"x"), "leads out"),
        (("checkpoint\\run1\\outside", b"x"), "leads out"),
        (("outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (("checkpoint/outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (("models/run1/outside", b"x"), "is not in checkpoint/RUN_NAME"),
        (info("checkpoint/run1/l", type=tarfile.SYMTYPE, linkname="/etc"), "is a link to '/etc'"),
        (info("checkpoint/run1/l", type=tarfile.LNKTYPE, linkname="../x"), "is a link to '../x'"),
        (info("checkpoint/run1/d", type=tarfile.CHRTYPE), "is no plain file"),
        (info("checkpoint/run1/d", type=tarfile.BLKTYPE), "is no plain file"),
        (info("checkpoint/run1/d", type=tarfile.FIFOTYPE), "is no plain file"),
    ],
)
def test_what_could_write_elsewhere_is_refused_before_anything_is_written(
    member: Any, fault: str
) -> None:
    write_archive(*WHOLE, member)
    with pytest.raises(
        CheckpointError, match=r"is not opened: its member .* do not trust"
    ) as caught:
        unpacked()
    assert fault in str(caught.value)
    assert os.listdir() == [ARCHIVE.name]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: write_archive(*WHOLE, ("checkpoint/run2/a", b"")), "holds the runs run1, run2"),
        (write_archive, "holds no files"),
        (lambda: write_archive(("checkpoint/run1/counter", b"4")), "holds no checkpoint"),
        (lambda: write_archive(*WHOLE, mode="w:gz"), "is no uncompressed tar archive"),
        (lambda: ARCHIVE.write_bytes(b"<html>" * 1000), "is no uncompressed tar archive"),
        (lambda: write_archive(WHOLE[1], ("checkpoint/run1/x", b"")), "no run 'run1' in"),
    ],
)
def test_what_is_no_run_is_refused(make: Callable[[], Any], message: str) -> None:
    make()
    mine = files_of(save_run(step=6, checkpoint_dir="elsewhere"))
    with pytest.raises(CheckpointError, match=message):
        unpacked()
    assert files_of(THERE) == mine


def test_a_bomb_is_refused_before_anything_is_written() -> None:
    save_run(step=6, checkpoint_dir="elsewhere")
    mine = files_of(THERE)
    # Sparse on the disk: it takes no room, but says that it needs eight terabytes.
    size = 8 * 10**12
    head = info("checkpoint/run1/model-4.data-00000-of-00001", size=size)
    with open(write_archive(("checkpoint/run1/model-4.index", b"x")), "r+b") as file:
        file.seek(1024)
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        try:
            file.truncate(file.tell() + size + 1024)
        except OSError:
            pytest.skip("this file system holds no sparse file of this size")
    with pytest.raises(CheckpointError, match=r"elsewhere has [\d,]+ bytes free, 8,000,000,"):
        unpacked()
    assert files_of(THERE) == mine


@pytest.mark.parametrize(
    "hostile",
    [
        *(head(size, kind.encode()) for size in (NEGATIVE, HUGE) for kind in "0LKxgXZ"),
        head(NEGATIVE, b"5"),
        head(EMPTY, b"L") * 5_000,  # names of names of names
        note_ahead("size", "-1024") + head(EMPTY, b"0"),
        note_ahead("mtime", "nan") + head(EMPTY, b"0", "checkpoint/run1/model-6.index"),
        note_ahead("GNU.sparse.size", "many") + head(EMPTY, b"0"),
        head(EMPTY, b"0", "checkpoint/run1/model-²²².index"),
    ],
)
def test_headers_that_would_do_harm_are_refused(hostile: bytes) -> None:
    whole = write_archive(*WHOLE).read_bytes()
    ARCHIVE.write_bytes(whole[: 3 * 1024] + hostile + bytes(10_240))
    with pytest.raises(CheckpointError, match=r"^checkpoint_run1\.tar is "):
        unpacked()
    assert os.listdir() == [ARCHIVE.name]


def test_a_hash_that_is_another_archives_can_be_deleted() -> None:
    save_run(step=4)
    packed()
    advice = r"or delete checkpoint_run1\.tar\.sha256 if another program put the archive there"
    with tarfile.open(ARCHIVE, "w") as tar:  # without what only resuming needs, so shorter
        tar.add(GOLDEN_RUN, "checkpoint/run1")
    with pytest.raises(CheckpointError, match=advice):
        unpacked()
    with open(ARCHIVE, "ab") as out:
        out.write(bytes(100_000))
    with pytest.raises(CheckpointError, match=f"is damaged: .*{advice}"):
        unpacked()
    sha256_path(ARCHIVE).unlink()
    unpacked()
    assert THERE.read().step == 20


def test_an_unsafe_archive_is_refused_also_without_pythons_own_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)  # as before 3.11.4
    write_archive(*WHOLE, ("../outside", b"x"))
    with pytest.raises(CheckpointError, match="leads out"):
        unpacked()


@pytest.mark.parametrize("moment", ["first", "middle", "last"])
def test_giving_up_leaves_the_run_that_stood_there(moment: str) -> None:
    save_run(step=4)
    total = packed().stat().st_size
    mine = files_of(save_run(step=6, checkpoint_dir="elsewhere"))
    for moved in (unpacking := unpack(ARCHIVE, THERE)):
        if moved.done >= {"first": 1, "middle": total // 2, "last": total}[moment]:
            break
    unpacking.close()
    assert files_of(THERE) == mine
    assert os.listdir("elsewhere") == ["run1"]


def test_a_folder_that_cannot_be_written_to() -> None:
    save_run()
    packed()
    Path("file").touch()
    with pytest.raises(CheckpointError, match=r"file/run1 cannot be written \(Not a directory\)"):
        unpacked(folder=RunFolder("file", "run1"))


def test_a_full_disk_leaves_the_run_that_stood_there() -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on files, as Linux has")
    save_run(step=4)
    packed()
    mine = files_of(save_run(step=6, checkpoint_dir="elsewhere"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"run1 cannot be written \(File too large\)"):
            unpacked()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files_of(THERE) == mine
