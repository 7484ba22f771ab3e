"""What an archive of a run says of itself, by its tar headers alone: nothing is unpacked here.

An archive may come from a stranger: one that holds anything but plain files of one run is refused.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gpt2_helpers.checkpoint.model_files import step_of
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system.files import read_sha256, sha256_path

ROOT = "checkpoint"  # the folder's name in an archive, whatever it is on the disk
BLOCK = tarfile.BLOCKSIZE  # 512 bytes: each header, and what each file is round_up up to
END = 2 * BLOCK  # so many empty bytes end an archive
_LONGEST = 1 << 20  # bytes of a header that is read whole, as those of long names are


@dataclass(frozen=True)
class ArchiveContents:
    """What an archive says of itself: the run's name, its newest step, and when that was saved, in
    seconds since 1970. `members` are its files in their order, `size` their bytes in all."""

    run_name: str
    step: int
    saved_at: int
    members: tuple[tarfile.TarInfo, ...]
    size: int


def read_contents(archive: Path) -> ArchiveContents:
    """Read an archive's headers, and nothing else of it.

    Raises CheckpointError where it is no archive of one run, is cut short, or holds what could
    write outside the run's folder: then nothing of it is to be unpacked.
    """
    try:
        return _read_contents(archive)
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise CheckpointError(
            f"{archive} is not opened: its headers hold what no archive of a run does "
            f"({error or type(error).__name__}): copy it again, or do not trust where it came from"
        ) from None


def _read_contents(archive: Path) -> ArchiveContents:
    members, counter = _read_headers(archive)
    runs = {path_parts(member.name)[1] for member in members}
    if len(runs) != 1:
        contents = f"the runs {', '.join(sorted(runs))}" if runs else "no files"
        raise CheckpointError(f"{archive} must hold one run, but holds {contents}")
    steps = {}
    for member in members:
        name = PurePosixPath(member.name)
        if name.suffix == ".index" and name.name.startswith("model"):
            steps[step_of(Path(name.stem))] = int(member.mtime)
    if not steps:
        raise CheckpointError(f"{archive} holds no checkpoint (model*.index and its data file)")
    newest = counter if counter in steps else max(steps)
    return ArchiveContents(
        run_name=runs.pop(),
        step=max(newest if newest >= 0 else counter, 0),
        saved_at=steps[newest],
        members=tuple(members),
        size=sum(member.size for member in members),
    )


def _read_headers(archive: Path) -> tuple[list[tarfile.TarInfo], int]:
    """The files in an archive that is whole as far as its form tells, and the number in `counter`,
    -1 where there is none."""
    size, told = archive.stat().st_size, read_sha256(archive)[1]
    members: list[tarfile.TarInfo] = []
    counter, end = -1, 0
    try:
        with tarfile.open(archive, "r:", tarinfo=_Header) as tar:
            for member in tar:
                end = member.offset_data + (round_up(member.size, BLOCK) if member.isreg() else 0)
                _check_member(archive, member)
                if end > size:  # there is nothing behind it to go on with
                    break
                if member.isreg():
                    members.append(member)
                    if path_parts(member.name)[2:] == ("counter",):
                        counter = _number(tar, member)
    except tarfile.TarError as error:
        if size and not end and size >= (told or 0):
            raise CheckpointError(
                f"{archive} is no uncompressed tar archive ({error}): copy it again"
            ) from None
    least = end + END
    if size < max(least, told or 0):
        wanted = f"{told:,}" if told and told >= least else f"at least {least:,}"
        raise CheckpointError(
            f"{archive} is cut short: {size:,} bytes of {wanted} are there: copy it again, or wait "
            f"until its upload is done{delete_hash_hint(archive) if size >= least else ''}"
        )
    with open(archive, "rb") as file:
        file.seek(end)
        if any(file.read(END)):  # tarfile takes a damaged header for the archive's end
            raise CheckpointError(f"{archive} is damaged at byte {end:,}: copy it again")
    return members, counter


class _Header(tarfile.TarInfo):
    """A header of bearable size: tarfile reads some whole, before anyone can look at them."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if not header.isreg() and not 0 <= header.size <= _LONGEST:
            raise ValueError(f"a name or note of {header.size:,} bytes")
        return header


def delete_hash_hint(archive: Path) -> str:
    return f", or delete {sha256_path(archive).name} if another program put the archive there"


def _number(tar: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    source = tar.extractfile(member)
    text = source.read(20) if source else b""
    return int(text) if text.strip().isdigit() else -1


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    """CheckpointError for a member that is anything but a plain file or folder of one run."""
    parts = path_parts(member.name)
    fault = ""
    if member.issym() or member.islnk():
        fault = f"is a link to {member.linkname!r}"
    elif member.issparse() or member.size < 0 or not (member.isreg() or member.isdir()):
        fault = "is no plain file"
    elif member.name.startswith("/") or ".." in parts or set("\\:\0") & set(member.name):
        fault = "leads out of the run's folder"
    elif parts[:1] not in ((), (ROOT,)) or (len(parts) < 3 and not member.isdir()):
        fault = f"is not in {ROOT}/RUN_NAME"
    if not fault and hasattr(tarfile, "data_filter"):  # from Python 3.10.12 and 3.11.4
        try:
            tarfile.data_filter(member, str(archive.parent))
        except tarfile.TarError as error:
            fault = f"is refused ({error})"
    if fault:
        raise CheckpointError(
            f"{archive} is not opened: its member {member.name!r} {fault}; an archive of a run "
            "holds plain files only: do not trust where it came from"
        )


def path_parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts


def is_complete(archive: Path) -> bool:
    """Whether an archive can be opened, as far as its form tells."""
    try:
        read_contents(archive)
    except CheckpointError:
        return False
    return True


def round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
