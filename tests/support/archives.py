"""Archives of runs for tests: valid ones, and malicious headers."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.google.run_archive import archive_members, pack, unpack
from gpt2_helpers.system.files import drain
from paths import GOLDEN

GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"
ARCHIVE = Path("checkpoint_run1.tar")
ENDINGS = ("data-00000-of-00001", "index", "meta")
RUN = RunFolder("checkpoint", "run1")
TARGET = RunFolder("elsewhere", "run1")
CHECKPOINT = [(f"checkpoint/run1/model-4.{ending}", b"x") for ending in ENDINGS]
NEGATIVE = b"\xff" + (-1024).to_bytes(11, "big", signed=True)
HUGE = b"\x80" + (1 << 62).to_bytes(11, "big")
EMPTY = b"0" * 11 + b"\0"


def pack_run(folder: RunFolder = RUN, weights_only: bool = False) -> Path:
    drain(pack(archive_members(folder.require(), weights_only), ARCHIVE))
    return ARCHIVE


def member_names(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {member.name for member in tar}


def contents_of(folder: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def unpack_run(archive: Path = ARCHIVE, folder: RunFolder = TARGET) -> list[str]:
    """Unpack an archive; returns the messages."""
    notes: list[str] = []
    drain(unpack(archive, folder, notes.append))
    assert not list(folder.checkpoint_dir.glob(".part*"))
    return notes


def write_archive(*members: tuple[str, bytes] | tarfile.TarInfo, mode: Any = "w") -> Path:
    """Write an archive with tarfile, as gpt-2-simple does."""
    with tarfile.open(ARCHIVE, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(bytes(member.size)))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return ARCHIVE


def tar_info(name: str, **values: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(made, key, value)
    return made


def raw_header(size: bytes, kind: bytes, name: str = "checkpoint/run1/x") -> bytes:
    """A header that no tar program writes, with a correct checksum."""
    made = bytearray(tar_info(name).tobuf(tarfile.USTAR_FORMAT))
    made[124:136], made[156:157], made[148:156] = size, kind, b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


def pax_header(key: str, value: str) -> bytes:
    """A pax header, which overrides a value in the next member's header."""
    line = f"{len(key) + len(value) + 5} {key}={value}\n".encode()
    return raw_header(b"%011o\0" % len(line), b"x") + line.ljust(512, b"\0")
