"""Recordings as people give them, arrays or files, as single-precision waves of one rate."""

import math
from os import PathLike
from pathlib import Path
from stat import S_ISREG
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.wav import UnknownKindError, read_wav

LARGEST = 4 * 2**30  # bytes of a file, and of its samples
BLOCK = 2**18  # samples that are unpacked at a time
LEAST_RATE, MOST_RATE = 100, 384_000  # samples a second
AMPLITUDE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31, "uint8": 2.0**7}
TOO_LARGE = 2.0  # a float wave beyond it was not scaled to [-1, 1]

Wave = NDArray[np.float32]


def read_sounds(X: Any, rate: int | None = None) -> tuple[list[Wave], int]:
    """Recordings as waves (T_i,) in [-1, 1], and their samples a second.

    Whole numbers are divided by what their type holds (16 bits: ``x / 2^15``; unsigned 8 bits: ``(x - 128) / 2^7``).
    Floats beyond 1 are cut off. The channels of a file, or the columns of an array (T, c), become their mean. Waves of
    files at another rate are resampled by a linear-phase filter below half of the lower rate
    (``scipy.signal.resample_poly``, Kaiser window); a file is never longer than its bytes, whatever its head says.

    Arguments:
        X: an array (n, T); or a list of arrays (T_i,) or (T_i, c), or of paths. WAV files of 8, 16, 24 and 32 bits are
            read as they are, and so are floats; other kinds by the package ``soundfile``.
        rate: samples a second of arrays, as they are; of files as they shall become (by default that of the first).

    Raises ``DataError``, naming the recording, for nothing, no numbers, no finite ones, float waves beyond [-2, 2],
    and files that are missing, empty, cut off, damaged or of another kind; ``ParameterError`` for a rate that no
    recording has.

    >>> waves, rate = read_sounds([np.array([0, 2**14], np.int16), np.array([1.0])], rate=8000)
    >>> [wave.tolist() for wave in waves]
    [[0.0, 0.5], [1.0]]
    """
    if rate is not None:
        _checked_rate(rate, ParameterError, "rate")
    table = isinstance(X, dict) or nw.dependencies.is_into_dataframe(X)
    if (
        table
        or isinstance(X, str | bytes | PathLike)
        or not hasattr(X, "__len__")
        or getattr(X, "ndim", 1) == 0
    ):
        raise DataError(
            f"a list of recordings is expected, got {type(X).__name__}; give [X] for a single one."
        )
    if not len(X):
        raise DataError("at least one recording is expected, got none; give arrays or paths of files.")
    if getattr(X, "ndim", 1) > 2 or _is_number(next(iter(X))):
        raise DataError(
            f"recordings (n, T) or a list of waves are expected, got {np.ndim(X)} dimensions; give [X] for a single "
            "wave, a list for those of several channels."
        )
    paths = [isinstance(one, str | PathLike) for one in X]
    if any(paths) and not all(paths):
        raise DataError("arrays or paths of files are expected, got some of both; give all of one kind.")
    if any(paths):
        return _files([Path(path) for path in X], rate)
    if rate is None:
        raise DataError(
            "the rate of arrays is expected, got none; give rate= in samples a second, such as 16000."
        )
    return [_scaled(one, f"recording {i} (counted from 0)") for i, one in enumerate(X)], rate


def _is_number(one: Any) -> bool:
    return isinstance(one, int | float) or (getattr(one, "ndim", 1) == 0 and not isinstance(one, str))


def _checked_rate(rate: Any, error: type[Exception], what: str) -> int:
    whole = isinstance(rate, int | np.integer) and not isinstance(rate, bool)
    if not whole or not LEAST_RATE <= rate <= MOST_RATE:
        raise error(
            f"{what} must be a whole number of samples a second from {LEAST_RATE} to {MOST_RATE:,}, got {rate!r}; "
            "8000, 16000 and 44100 are usual."
        )
    return int(rate)


def _scaled(given: Any, what: str) -> Wave:
    """A wave (T,) or (T, c) of any numbers as single-precision ones in [-1, 1], (T,)."""
    try:
        samples = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        samples = np.asarray(None)
    if isinstance(given, list | tuple) and samples.dtype.kind == "i":
        samples = samples.astype(np.float64)  # a list has no type to be divided by
    name = samples.dtype.name
    if samples.ndim not in (1, 2) or (name not in AMPLITUDE and samples.dtype.kind != "f"):
        raise DataError(
            f"a wave (T,) or (T, c) of floats or of {', '.join(AMPLITUDE)} is expected, but {what} has shape "
            f"{samples.shape} and type {name}; give such an array."
        )
    if not samples.size:
        raise DataError(f"a wave of at least one sample is expected, but {what} has none; leave it out.")
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0]:
        raise DataError(
            f"a wave (T, c) with more samples than channels is expected, but {what} has shape {samples.shape}; "
            "turn it round."
        )
    amplitude, middle = AMPLITUDE.get(name, 1.0), 128 if name == "uint8" else 0
    mono = samples.mean(axis=1, dtype=np.float64) if samples.ndim == 2 else samples
    with np.errstate(over="ignore"):
        wave_ = ((mono - np.float32(middle)) / amplitude).astype(np.float32)
    if not np.isfinite(wave_).all():
        raise DataError(f"finite samples are expected, but {what} has others; mend or leave it out.")
    if np.abs(wave_).max() > TOO_LARGE:
        raise DataError(
            f"a float wave in [-1, 1] is expected, but {what} reaches {np.abs(wave_).max():.4g}; divide it by its "
            "largest possible value, 32768 for 16 bits."
        )
    return wave_.clip(-1, 1)


def _files(paths: list[Path], rate: int | None) -> tuple[list[Wave], int]:
    waves = []
    for path in paths:
        one, own = _read(path)
        rate = rate or own
        waves.append(resampled(one, own, rate))
    return waves, int(rate or 0)


def resampled(wave_: Wave, old: int, new: int) -> Wave:
    """A wave (T,) of ``old`` samples a second at ``new`` a second, (ceil(T new / old),).

    >>> len(resampled(np.zeros(441, np.float32), 44100, 16000))
    160
    """
    if old == new:
        return wave_
    common = math.gcd(old, new)
    up, down = new // common, old // common
    return np.asarray(resample_poly(wave_.astype(np.float64), up, down), np.float32).clip(-1, 1)


def _read(path: Path) -> tuple[Wave, int]:
    """A file's wave and rate."""
    try:
        found = path.stat()
        regular, size = S_ISREG(found.st_mode), found.st_size
        head = _head(path) if regular else b""
    except (OSError, ValueError) as error:
        raise DataError(
            f"a sound file is expected, but {str(path)!r} cannot be read ({_said(error)})."
        ) from None
    if not head or size > LARGEST:
        got = f"of {size:,} bytes" if regular else "no file"
        raise DataError(f"a sound file of up to 4 GiB is expected, but {str(path)!r} is {got}; name another.")
    samples, rate = _wav(path, size) if head[:4] == b"RIFF" and head[8:] == b"WAVE" else _other(path)
    _checked_rate(rate, DataError, f"the rate of {path.name!r}")
    return _scaled(samples, repr(path.name)), rate


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(12)


def _said(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return " ".join(said.split())[:100].rstrip(".") or type(error).__name__


def _wav(path: Path, size: int) -> tuple[NDArray[Any], int]:
    try:
        return read_wav(path, size)
    except UnknownKindError:
        return _other(path)


def _other(path: Path) -> tuple[NDArray[Any], int]:
    """The samples (T, c) of any other kind of file by soundfile, and its rate; no more memory than they need."""
    try:
        import soundfile
    except ImportError:
        raise DataError(
            f"WAV files of 8 to 32 bits are read without help, but {path.name!r} is of another kind or none; convert "
            "it, or install the package soundfile (pip install soundfile)."
        ) from None
    blocks, total = [], 0
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = int(file.samplerate)
            while total <= LARGEST // 4 and len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                blocks.append(block)
                total += block.size
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise DataError(
            f"a sound file is expected, but {path.name!r} is damaged or none ({_said(error)}); get it again."
        ) from None
    if total > LARGEST // 4:
        raise DataError(
            f"a recording of up to 2^30 samples is expected, but {path.name!r} is longer; cut it."
        )
    return np.concatenate(blocks or [np.zeros((0, 1), np.float32)]), rate
