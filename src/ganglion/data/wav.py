"""WAV files: whole numbers of 8 to 32 bits and floats, read from the bytes that are there."""

import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError

WHOLE, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # kinds of samples; the last one says the kind further on
TYPES = {
    (WHOLE, 8): "u1",
    (WHOLE, 16): "<i2",
    (WHOLE, 24): "<i4",
    (WHOLE, 32): "<i4",
    (FLOAT, 32): "<f4",
    (FLOAT, 64): "<f8",
}
MOST_CHANNELS = 64
MOST_CHUNKS = 10_000


class UnknownKindError(DataError):
    """The samples are of a kind that is not read here, compressed ones for example."""


class Format(NamedTuple):
    """What the head of a file says of its samples."""

    kind: int
    channels: int
    rate: int
    bits: int


def read_wav(path: Path, size: int) -> tuple[NDArray[Any], int]:
    """The samples (T, c) of a WAV file in the type they have there, and its rate.

    24 bits become the upper ones of 32. The chunks ``fmt`` and ``data`` are read, others skipped (Microsoft and IBM
    1991, Multimedia Programming Interface and Data Specifications 1.0).

    Arguments:
        path: the file.
        size: its bytes; no more memory is taken, whatever the head says.

    Raises ``UnknownKindError`` for other kinds of samples, ``DataError`` for a damaged or cut-off file.

    >>> import tempfile, wave
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two.wav"
    ...     with wave.open(str(path), "wb") as file:
    ...         file.setparams((1, 2, 8000, 0, "NONE", ""))
    ...         file.writeframes(bytes([1, 0, 0, 1]))
    ...     read_wav(path, path.stat().st_size)
    (array([[  1],
           [256]], dtype=int16), 8000)
    """
    form = None
    with open(path, "rb") as file:
        file.seek(12)
        for _ in range(MOST_CHUNKS):
            name, length = _chunk(file, path)
            if name == b"fmt ":
                form = _format(file.read(min(length, 40)), path)
                file.seek(length - min(length, 40) + length % 2, 1)
            elif name == b"data" and form is not None:
                return _samples(file, length, size - file.tell(), form, path), form.rate
            else:
                file.seek(length + length % 2, 1)
    raise _damaged(path, "it has no samples among its first chunks")


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"a whole WAV file is expected, but {path.name!r} is cut off or damaged ({why}); get it again."
    )


def _chunk(file: BinaryIO, path: Path) -> tuple[bytes, int]:
    head = file.read(8)
    if len(head) < 8:
        raise _damaged(path, "it ends before its samples")
    return head[:4], int.from_bytes(head[4:], "little")


def _format(content: bytes, path: Path) -> Format:
    if len(content) < 16:
        raise _damaged(path, "its head is too short")
    kind, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == EXTENSIBLE and len(content) >= 26:
        kind = int.from_bytes(content[24:26], "little")
    if (kind, bits) not in TYPES:
        raise UnknownKindError(
            f"samples of 8, 16, 24 or 32 bits, or floats, are expected in {path.name!r}, got kind {kind} of {bits} "
            "bits; convert the file."
        )
    if not 1 <= channels <= MOST_CHANNELS or frame != channels * bits // 8:
        raise _damaged(path, f"{channels} channels of {bits} bits in {frame} bytes")
    return Format(kind, channels, rate, bits)


def _samples(file: BinaryIO, length: int, there: int, form: Format, path: Path) -> NDArray[Any]:
    frame = form.channels * form.bits // 8
    if length > there:
        raise _damaged(path, f"{length // frame:,} samples are promised, {there // frame:,} are there")
    content = file.read(length // frame * frame)
    samples = np.frombuffer(_widened(content) if form.bits == 24 else content, TYPES[form.kind, form.bits])
    return samples.reshape(-1, form.channels)


def _widened(content: bytes) -> bytes:
    """Numbers of 3 bytes as those of 4 that are 256 times as large."""
    wide = np.zeros((len(content) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
    return wide.tobytes()
