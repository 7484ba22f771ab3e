"""Reading and checking the tar headers of a run's archive. Unpacks nothing.

Archives are untrusted: one that contains anything but plain files of one run is rejected.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gpt2_helpers.checkpoint.model_files import step_of
from gpt2_helpers.errors import CheckpointError, listed
from gpt2_helpers.system.bounded_files import parse_count
from gpt2_helpers.system.files import read_sha256, sha256_path

ROOT = "checkpoint"  # the folder in an archive, whatever its name on the disk
BLOCK = tarfile.BLOCKSIZE  # 512 bytes: size of a header; files are padded to a multiple
END = 2 * BLOCK  # zero bytes at the end of an archive
_MAX_MEMBERS = 10_000
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "rar",
}
_MAX_HEADER = 1 << 20  # bytes of an extended header, which is read into memory


@dataclass(frozen=True)
class ArchiveContents:
    """The run in an archive, according to its headers.

    Attributes:
        run_name: Name of the run.
        step: Step of its newest checkpoint.
        saved_at: When that was saved, in seconds since 1970.
        members: Its files, in order.
        size: Total size of the files in bytes.
    """

    run_name: str
    step: int
    saved_at: int
    members: tuple[tarfile.TarInfo, ...]
    size: int


def read_contents(archive: Path) -> ArchiveContents:
    """Read the headers of an archive and check them.

    Args:
        archive: The archive; its contents are untrusted.

    Returns:
        The run and its files.

    Raises:
        CheckpointError: If it is not an archive of one run, is truncated, or has members that
            could be written outside the run's folder. It must not be unpacked then.
    """
    if archive.exists() and not archive.is_file():  # reading a pipe may never end
        raise CheckpointError(f"{archive} is not a regular file: copy the archive again")
    try:
        return _read_contents(archive)
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise CheckpointError(
            f"{archive} is damaged or unsafe: invalid headers ({error or type(error).__name__}): "
            "copy it again, or do not trust its source"
        ) from None


def _read_contents(archive: Path) -> ArchiveContents:
    members, counter = _read_headers(archive)
    runs = {path_parts(member.name)[1] for member in members}
    if len(runs) != 1:
        found = f"the runs {listed(sorted(runs))}" if runs else "no files"
        raise CheckpointError(f"{archive} must contain one run, but contains {found}")
    steps = {}
    for member in members:
        name = PurePosixPath(member.name)
        if name.suffix == ".index" and name.name.startswith("model"):
            steps[step_of(Path(name.stem))] = int(member.mtime)
    if not steps:
        raise CheckpointError(f"{archive} contains no checkpoint (model*.index and its data file)")
    newest = counter if counter in steps else max(steps)
    return ArchiveContents(
        run_name=runs.pop(),
        step=max(newest if newest >= 0 else counter, 0),
        saved_at=steps[newest],
        members=tuple(members),
        size=sum(member.size for member in members),
    )


def _read_headers(archive: Path) -> tuple[list[tarfile.TarInfo], int]:
    """The files in an archive and the number in `counter` (-1 if missing); checks its structure."""
    size, recorded = archive.stat().st_size, read_sha256(archive)[1]
    if kind := _compression(archive):
        raise CheckpointError(
            f"{archive} is not an uncompressed tar archive: it is compressed with {kind}: unpack "
            f"it, so that {ROOT}/RUN_NAME contains model*.index and the rest"
        )
    members: list[tarfile.TarInfo] = []
    counter, end = -1, 0
    try:
        with tarfile.open(archive, "r:", tarinfo=_Header) as tar:
            for count, member in enumerate(tar):
                if count >= _MAX_MEMBERS:
                    raise CheckpointError(
                        f"{archive} has more than {_MAX_MEMBERS:,} files, but a run has a few: it "
                        "is not an archive of a run"
                    )
                end = member.offset_data + (round_up(member.size, BLOCK) if member.isreg() else 0)
                _check_member(archive, member)
                if end > size:  # truncated
                    break
                if member.isreg():
                    members.append(member)
                    if path_parts(member.name)[2:] == ("counter",):
                        counter = _number(tar, member)
    except tarfile.TarError as error:
        if size and not end and size >= (recorded or 0):
            raise CheckpointError(
                f"{archive} is not an uncompressed tar archive ({error}): copy it again"
            ) from None
    least = end + END
    if size < max(least, recorded or 0):
        expected = f"{recorded:,}" if recorded and recorded >= least else f"at least {least:,}"
        raise CheckpointError(
            f"{archive} is truncated: it has {size:,} of {expected} bytes: copy it again, or wait "
            f"until its upload is complete{delete_hash_hint(archive) if size >= least else ''}"
        )
    with open(archive, "rb") as file:
        file.seek(end)
        if any(file.read(END)):  # tarfile treats a damaged header as the end
            raise CheckpointError(f"{archive} is damaged at byte {end:,}: copy it again")
    return members, counter


def _compression(archive: Path) -> str | None:
    """The program that compressed a file; None for a tar archive and other files."""
    with open(archive, "rb") as file:
        head = file.read(6)
    return next((name for start, name in _COMPRESSIONS.items() if head.startswith(start)), None)


class _Header(tarfile.TarInfo):
    """A tar header of limited size: tarfile reads extended headers into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if not header.isreg() and not 0 <= header.size <= _MAX_HEADER:
            raise ValueError(f"an extended header of {header.size:,} bytes")
        return header


def delete_hash_hint(archive: Path) -> str:
    """Advice for an archive that another program has replaced."""
    return f", or delete {sha256_path(archive).name} if another program put the archive there"


def _number(tar: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    source = tar.extractfile(member)
    step = parse_count(source.read(20).decode("latin-1")) if source else None
    return -1 if step is None else step


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    """Raise CheckpointError unless a member is a plain file or folder of a run."""
    parts = path_parts(member.name)
    fault = ""
    if member.issym() or member.islnk():
        fault = f"is a link to {member.linkname!r}"
    elif member.issparse() or member.size < 0 or not (member.isreg() or member.isdir()):
        fault = "is not a plain file"
    elif member.name.startswith("/") or ".." in parts or set("\\:\0") & set(member.name):
        fault = "is outside the run's folder"
    elif parts[:1] not in ((), (ROOT,)) or (len(parts) < 3 and not member.isdir()):
        fault = f"is not in {ROOT}/RUN_NAME"
    if not fault and hasattr(tarfile, "data_filter"):  # from Python 3.10.12 and 3.11.4
        try:
            tarfile.data_filter(member, str(archive.parent))
        except tarfile.TarError as error:
            fault = f"is rejected ({error})"
    if fault:
        if fault.startswith("is not in"):  # such as run1/... without the folder around it
            fault += "; if you made the archive, unpack it there yourself"
        raise CheckpointError(
            f"{archive} is unsafe: its member {member.name!r} {fault}, but an archive of a run "
            "contains only plain files: do not trust its source"
        )


def path_parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts


def is_complete(archive: Path) -> bool:
    """Whether an archive passes the checks of `read_contents`."""
    try:
        read_contents(archive)
    except CheckpointError:
        return False
    return True


def round_up(size: int, unit: int) -> int:
    """The smallest multiple of `unit` that is at least `size`."""
    return -(-size // unit) * unit
