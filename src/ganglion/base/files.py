"""Files that are never half written, and the model file, which cannot run code.

A ``*.ganglion`` file is a zip of five members, stored without compression, in a closed format: JSON and
arrays, nothing that names code. A reader takes memory only for bytes that are really in the file.
"""

import hashlib
import io
import os
import platform
import re
import secrets
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ganglion.base.errors import GanglionError, ModelFileError
from ganglion.base.untrusted import MAX_JSON_BYTES, dump_arrays, dump_json, load_arrays, load_json

FORMAT_VERSION = 1
MEMBERS = ("config.json", "card.json", "preprocess.json", "preprocess.safetensors", "weights.safetensors")
CONFIG = MEMBERS[0]
RESERVED = ("format_version", "sha256")  # what the format itself keeps in config.json

LARGEST_READ = 1 << 20
LARGEST_OVERHEAD = 2048  # bytes of zip around five stored members, generously
A_DAY = 86_400.0

TEMPORARY = re.compile(r"\..*\.(?P<pid>\d+)\.(?P<host>[0-9a-f]{8})[0-9a-f]{8}\.tmp-ganglion")


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    * ``config``: what is rebuilt: ``estimator`` (a registered name), parameters, module specification.
    * ``card``: what a person wants to know: schema, classes, versions, scores.
    * ``preprocess``, ``arrays``: what was learned about the columns, as plain values and as arrays.
    * ``weights``: the network's arrays by parameter name.
    """

    config: dict[str, Any]
    card: dict[str, Any]
    preprocess: dict[str, Any]
    arrays: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


# A format version -> what turns its content into that of the next version.
MIGRATIONS: dict[int, Callable[[ModelFile], ModelFile]] = {}


def write_atomically(path: str | os.PathLike[str], data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that at every moment either the old or the new content stands there, whole.

    ``data`` is the content, or is called with a binary file to write it. A link is followed, permissions
    of a previous file are kept. Raises ``GanglionError`` (from the ``OSError``) when the system refuses,
    for example on a full disk; the previous file is then untouched and nothing is left behind.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> write_atomically(target, b"whole")
    >>> target.read_bytes()
    b'whole'
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(_temporary_name(target.name))
    try:
        mode = _mode_of(target)
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data) if isinstance(data, bytes | bytearray) else data(file)
            if mode is not None:
                temporary.chmod(mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            raise GanglionError(
                f"{path} could not be written ({reason}); what stood there is unchanged"
            ) from error
        raise
    _sync_folder(target.parent)


def sweep(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove what interrupted writes left in ``folder``, and return the removed paths.

    A temporary file of ``write_atomically`` goes when its process on this machine is gone, or when it is
    more than a day old. Nothing else is touched, and a folder that cannot be read is left alone.
    """
    removed = []
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            match = TEMPORARY.fullmatch(entry.name)
            with suppress(OSError):
                if (
                    match
                    and entry.is_file(follow_symlinks=False)
                    and _abandoned(match, entry.stat().st_mtime)
                ):
                    os.unlink(entry.path)
                    removed.append(Path(entry.path))
    return removed


def write_model(
    path: str | os.PathLike[str],
    *,
    config: dict[str, Any],
    card: dict[str, Any],
    preprocess: dict[str, Any],
    arrays: dict[str, Any],
    weights: dict[str, Any],
) -> None:
    """Write a model file atomically; the same content gives the same bytes.

    The parts are those of ``ModelFile``; ``config["estimator"]`` is required. Raises ``GanglionError`` when
    something is neither plain nor an array, or the file cannot be written.
    """
    if not isinstance(config.get("estimator"), str) or any(key in config for key in RESERVED):
        raise GanglionError(f"config needs the text 'estimator' and may not hold {' or '.join(RESERVED)}")
    content = {
        "card.json": dump_json(card, "card"),
        "preprocess.json": dump_json(preprocess, "preprocess"),
        "preprocess.safetensors": dump_arrays(arrays, "arrays"),
        "weights.safetensors": dump_arrays(weights, "weights"),
    }
    digests = {name: hashlib.sha256(raw).hexdigest() for name, raw in content.items()}
    head = {"format_version": FORMAT_VERSION, **config, "sha256": digests}
    write_atomically(path, lambda file: _write_zip(file, {CONFIG: dump_json(head, "config"), **content}))


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """The content of a model file, checked to the last byte before it is believed.

    Raises ``ModelFileError`` with one sentence when the file is missing, foreign, damaged, newer than this
    version, or holds anything that ``write_model`` does not write. No code in it is ever run.
    """
    try:
        with _open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            _refuse_foreign(file.read(512))
            with zipfile.ZipFile(file) as archive:
                return _read_archive(archive, size)
    except ModelFileError as error:
        raise ModelFileError(f"{path} {error}") from error.__cause__
    except FileNotFoundError as error:
        raise ModelFileError(f"{path} does not exist: give the path of a *.ganglion file") from error
    # All that zipfile raises on bytes that are no sound archive, and the system on files it cannot read.
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        ArithmeticError,
        LookupError,
        RuntimeError,
        struct.error,
    ) as error:
        reason = getattr(error, "strerror", None) or str(error)[:80] or "it ends early"
        raise ModelFileError(f"{path} is damaged or cut short ({reason}): write or fetch it again") from error


def _temporary_name(name: str) -> str:
    return f".{name[:40]}.{os.getpid()}.{_host()}{secrets.token_hex(4)}.tmp-ganglion"


def _host() -> str:
    """This machine in eight letters: in a shared folder, another machine's process is not ours to judge."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _abandoned(match: re.Match[str], modified: float) -> bool:
    if time.time() - modified > A_DAY:
        return True
    if match["host"] != _host() or os.name != "posix":
        return False
    try:
        os.kill(int(match["pid"]), 0)  # signal 0 only asks
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _mode_of(target: Path) -> int | None:
    """The permissions of a regular file, ``None`` where nothing stands; anything else is never replaced."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise GanglionError(f"{target} is a folder or a device, not a file: give another path")
    return stat.S_IMODE(mode)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_zip(file: BinaryIO, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in MEMBERS:
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same bytes on every system
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, content[name])


class _SmallReads(io.BufferedReader):
    """A file that is read in small pieces, so that no lying length makes anybody allocate it."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > LARGEST_READ:
            raise zipfile.BadZipFile("its directory is longer than that of any model file")
        return super().read(size)


def _open_regular(path: str | os.PathLike[str]) -> _SmallReads:
    """Open a regular file; without blocking, so that a pipe is refused instead of waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelFileError("is a folder, a pipe or a device, not a file: give a *.ganglion file")
    return _SmallReads(io.FileIO(descriptor, "rb"))


def _refuse_foreign(start: bytes) -> None:
    """Say what a file is when its first bytes tell that it is no model file."""
    text = start.lstrip().lower()
    if not start:
        kind = "is empty"
    elif start[:1] == b"\x80":
        kind = "is a pickle or an old torch checkpoint, which could run code and is never opened"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        kind = "is a web page, not a model (did a download go wrong?)"
    elif not start.startswith(b"PK\x03\x04"):
        kind = "is not a model file"
    else:
        return
    raise ModelFileError(f"{kind}: give a *.ganglion file that Ganglion wrote")


def _read_archive(archive: zipfile.ZipFile, size: int) -> ModelFile:
    names = [member.orig_filename for member in archive.infolist()]
    if CONFIG not in names:
        torch = any(name.endswith("data.pkl") for name in names)
        kind = (
            "is a torch checkpoint (a pickle inside), which is never opened"
            if torch
            else "is another kind of zip"
        )
        raise ModelFileError(f"{kind}: give a *.ganglion file that Ganglion wrote")
    head, version = _read_head(archive, size)
    _check_members(archive, size)
    raw = {}
    for name in MEMBERS[1:]:
        raw[name] = _read_member(archive, name, size)
        if head["sha256"].get(name) != hashlib.sha256(raw[name]).hexdigest():
            raise ModelFileError(
                f"is damaged: {name} is not what was written (SHA-256): write or fetch it again"
            )
    model = ModelFile(
        {key: value for key, value in head.items() if key not in RESERVED},
        load_json(raw["card.json"], "is damaged: card.json"),
        load_json(raw["preprocess.json"], "is damaged: preprocess.json"),
        load_arrays(raw["preprocess.safetensors"], "is damaged: preprocess.safetensors"),
        load_arrays(raw["weights.safetensors"], "is damaged: weights.safetensors"),
    )
    return _migrated(model, version)


def _read_head(archive: zipfile.ZipFile, size: int) -> tuple[dict[str, Any], int]:
    """The content of config.json and the format version; a newer one is refused before anything else."""
    head = load_json(_read_member(archive, CONFIG, min(size, MAX_JSON_BYTES)), f"is damaged: {CONFIG}")
    version = head.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError("is damaged: config.json names no format version")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"was written by a newer Ganglion (format {version}; this one reads up to {FORMAT_VERSION}): "
            "pip install --upgrade ganglion"
        )
    if not isinstance(head.get("sha256"), dict) or not isinstance(head.get("estimator"), str):
        raise ModelFileError("is damaged: config.json names no estimator or no checksums")
    return head, version


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse any list of members but the five, each a plain file, that together make up the real file."""
    members = archive.infolist()
    names = [member.orig_filename for member in members]
    if sorted(names) != sorted(MEMBERS):
        strange = next((name for name in names if name not in MEMBERS or names.count(name) > 1), "")
        what = f"holds {strange[:40]!r}" if strange else "lacks a part"
        raise ModelFileError(f"{what}, unlike any file that Ganglion writes: do not trust it")
    if any(stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG) for member in members):
        raise ModelFileError("holds a link, folder or device where a file belongs: do not trust it")
    claimed = sum(member.file_size for member in members)
    if not claimed <= size <= claimed + LARGEST_OVERHEAD:
        raise ModelFileError(f"is damaged: its parts claim {claimed:,} bytes, the file has {size:,}")


def _read_member(archive: zipfile.ZipFile, name: str, largest: int) -> bytearray:
    """The bytes of one member (its CRC-32 is checked by zipfile at the end)."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ModelFileError(f"holds {name} compressed, which Ganglion never writes: do not trust it")
    if member.file_size > largest:
        raise ModelFileError(f"is damaged: {name} claims {member.file_size:,} bytes, more than there can be")
    raw = bytearray(member.file_size)
    view, position = memoryview(raw), 0
    with archive.open(member) as file:
        while piece := file.read(LARGEST_READ):
            view[position : position + len(piece)] = piece
            position += len(piece)
    if position != len(raw):
        raise ModelFileError(f"is cut short inside {name}: write or fetch it again")
    return raw


def _migrated(model: ModelFile, version: int) -> ModelFile:
    """The content in the form of today's format, one version at a time."""
    for old in range(version, FORMAT_VERSION):
        if old not in MIGRATIONS:
            raise ModelFileError(f"has format {old}, which this version no longer reads")
        model = MIGRATIONS[old](model)
    return model
