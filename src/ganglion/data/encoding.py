"""The bytes of a text file: unpacked, recognised and decoded, or refused with a reason."""

import gzip
import re
import zlib
from pathlib import Path

from ganglion.base.errors import DataError

MAX_BYTES = 4 * 1024**3
"""Text larger than this, once unpacked, is refused (Parquet is the way for such tables)."""

_MAGIC = {
    b"PK\x03\x04": "a zip or Excel file: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save the sheet as CSV",
    b"\x80\x04\x95": "a Python pickle, which could run code: save the table as Parquet or CSV",
    b"\x80\x05\x95": "a Python pickle, which could run code: save the table as Parquet or CSV",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
    b"\x89HDF": "an HDF5 file: save the table as Parquet or CSV",
    b"\x93NUMPY": "a NumPy file: pass the array in Python",
    b"%PDF": "a PDF: copy the table out of it into a CSV file",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"ARROW1": "an Arrow IPC file: save the table as Parquet or CSV",
    b"Obj\x01": "an Avro file: save the table as Parquet or CSV",
}

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzip.

    Raises:
        DataError: missing, a folder, unreadable, damaged, too large or of a foreign format.
    """
    if not path.exists():
        raise DataError(f"a table file is expected, but {str(path)!r} does not exist: check the path.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file"
        raise DataError(f"a table file is expected, but {str(path)!r} is {what}: name one file.")
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = "the gzip data is damaged or cut off" if _packed_error(error) else str(error.args[-1])
        raise DataError(f"{path.name!r} cannot be read ({reason}): get the file again.") from None
    if len(content) > MAX_BYTES:
        raise DataError(
            f"a text table of at most {MAX_BYTES // 1024**3} GiB is expected, but {path.name!r} is larger: "
            "convert it to Parquet, or take a sample."
        )
    for magic, what in _MAGIC.items():
        if content.startswith(magic):
            raise DataError(f"CSV, TSV, Parquet or JSON lines are expected, but {path.name!r} is {what}.")
    if not content.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise DataError(f"a table is expected, but {path.name!r} is empty: give a file with rows.")
    return content


def _packed_error(error: Exception) -> bool:
    """Whether reading failed in the packing rather than on the disk."""
    return isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile))


def to_utf8(content: bytes, name: str, encoding: str | None = None) -> tuple[bytes, str | None]:
    """Text of any usual encoding as UTF-8 without byte-order mark, and a note if it was a guess.

    UTF-8 and UTF-16/32 are recognised. Anything else is read as Windows-1252 when it looks like text,
    and the note says so; ``encoding`` overrides.

    Raises:
        DataError: binary content, or bytes that the encoding does not allow (with the line).
    """
    if encoding is None:
        for mark, found in _BOMS:
            if content.startswith(mark):
                encoding, content = found, content[len(mark) :]
                break
        else:
            encoding = _utf16_without_mark(content[:4096])
    if encoding in (None, "utf-8"):
        return _from_utf8(content, name, guess=encoding is None)
    try:
        text = content.decode(encoding)
    except LookupError:
        raise DataError(f"encoding {encoding!r} is not known: use utf-8, utf-16, cp1252 ...") from None
    except UnicodeError as error:
        raise DataError(
            f"{name!r} is not valid {encoding} ({error}): save it as UTF-8, or give encoding=..."
        ) from None
    _refuse_control(text.encode("utf-8", "replace"), name)
    return text.lstrip("\ufeff").encode("utf-8", "replace"), None


def _utf16_without_mark(head: bytes) -> str | None:
    """Every second byte 0 in text of Latin letters means UTF-16."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _from_utf8(content: bytes, name: str, guess: bool) -> tuple[bytes, str | None]:
    _refuse_control(content, name)
    try:
        content.decode("utf-8")
        return content, None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    try:
        if not guess:
            raise DataError(f"{name!r} says it is UTF-8, but line {line} is not: save it as UTF-8 again.")
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(
            f"{name!r} is neither UTF-8 (see line {line}) nor Windows-1252: save it as UTF-8, "
            "or give encoding=..."
        ) from None
    note = (
        f"line {line} is not UTF-8, so the file was read as Windows-1252; give encoding=... if that is wrong"
    )
    return text.encode("utf-8"), note


_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x7f]")


def _refuse_control(content: bytes, name: str) -> None:
    """NUL and other control bytes have no place in a table of text."""
    found = _CONTROL.search(content)
    if found:
        line = content.count(b"\n", 0, found.start()) + 1
        raise DataError(
            f"text is expected, but line {line} of {name!r} holds the binary byte {found.group()[0]}: "
            "give a CSV, TSV, Parquet or JSON lines file."
        )
