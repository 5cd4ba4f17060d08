"""Pictures that come as arrays: what their shape and numbers mean, or one sentence."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ganglion.base.errors import DataError

CHANNELS = (1, 3, 4)
LIKELY_SIDE = 16  # (480, 640, 3) is one colour picture, (100, 4, 4) a hundred grey ones
BLOCK = 1024  # pictures looked at together
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class Pixels(NamedTuple):
    """Pictures (n, h, w, c), or a list of (h, w, c), as they came, and what their numbers are."""

    source: np.ndarray | list[np.ndarray]
    kind: str  # "uint8" or "float32": what they become
    range: tuple[float, float]  # from black to white, before anything is mapped
    broken: dict[int, str]  # row -> sentence


def read_pixels(X: np.ndarray | Sequence[Any]) -> Pixels:
    """Pictures in an array (n, h, w) or (n, h, w, c), or a list of arrays (h, w) or (h, w, c).

    Booleans, whole numbers from 0 to 255 and floats that are such (and not all 0 and 1) are kept as 8 bits; other
    numbers as float32, with the range they span.

    Raises ``DataError`` for other shapes and kinds, naming the way out.

    >>> read_pixels(np.eye(3)[None] * 255).kind, read_pixels(np.eye(3)[None] / 2).range
    ('uint8', (0.0, 0.5))
    """
    whole = isinstance(X, np.ndarray)
    source: Any = _with_axis(X) if isinstance(X, np.ndarray) else [_one(x, i) for i, x in enumerate(X)]
    for i, array in enumerate([source] if whole else source):
        _check_kind(array, None if whole else i)
    low, high, integral, broken = math.inf, -math.inf, True, {}
    for start, block in _blocks(source):
        if block.dtype == bool:
            low, high = min(low, 0.0), max(high, 255.0)
            continue
        with np.errstate(over="ignore"):
            sound = np.isfinite(block.astype(np.float32, copy=False) if block.dtype.kind == "f" else block)
        whole_rows = sound.reshape(len(block), -1).all(1)
        for row in np.flatnonzero(~whole_rows) + start:
            broken[int(row)] = (
                f"finite numbers are expected, but picture {row} (counted from 0) holds NaN or infinity: "
                "mend it or leave it out."
            )
        block = block[whole_rows]
        if not len(block):
            continue
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        integral = integral and bool(block.dtype.kind in "ui" or (block == np.rint(block)).all())
    floats = any(a.dtype.kind == "f" for a in ([source] if whole else source))
    byte = integral and low >= 0 and high <= 255 and (high > 1 or not floats)
    return Pixels(source, "uint8" if byte else "float32", (0.0, 255.0) if byte else (low, high), broken)


def as_kind(array: np.ndarray, kind: str) -> np.ndarray:
    """The pixels as uint8 (True becomes 255) or float32."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    return array.astype(kind, copy=False)


def with_channels(array: np.ndarray, channels: int, white: float) -> np.ndarray:
    """Pixels (..., c) with another number of channels: grey is repeated, colour weighed, alpha laid on white."""
    c = array.shape[-1]
    if c == channels:
        return array
    colour = array.astype(np.float64)
    if c == 4:
        alpha = colour[..., 3:] / white
        colour = colour[..., :3] * alpha + white * (1 - alpha)
    if channels == 1 and colour.shape[-1] == 3:
        colour = (colour @ LUMA)[..., None]
    elif channels >= 3 and colour.shape[-1] == 1:
        colour = np.repeat(colour, 3, axis=-1)
    if channels == 4:
        colour = np.concatenate([colour, np.full_like(colour[..., :1], white)], axis=-1)
    return (np.rint(colour) if array.dtype == np.uint8 else colour).astype(array.dtype)


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels (h, w, c), uint8 or float32, in another size (h, w); where it shrinks, means of areas."""
    if array.shape[:2] == tuple(size):
        return array
    layers = [
        np.asarray(Image.fromarray(np.ascontiguousarray(layer)).resize(size[::-1], Image.Resampling.BILINEAR))
        for layer in np.moveaxis(array, 2, 0)
    ]
    return np.stack(layers, axis=2)


def _blocks(source: Any) -> Iterator[tuple[int, np.ndarray]]:
    if isinstance(source, np.ndarray):
        yield from ((i, source[i : i + BLOCK]) for i in range(0, len(source), BLOCK))
    else:
        yield from ((i, array[None]) for i, array in enumerate(source))


def _check_kind(array: np.ndarray, row: int | None) -> None:
    if array.dtype.kind not in "buif":
        what = "an array" if row is None else f"picture {row} (counted from 0)"
        raise DataError(
            f"pictures of numbers are expected, but {what} holds {array.dtype}: "
            "give a list of arrays, one per picture, or a list of file paths."
        )
    if 0 in array.shape:
        what = "the array" if row is None else f"picture {row} (counted from 0)"
        raise DataError(
            f"pictures with pixels are expected, but {what} has the shape {array.shape}: give at least one picture, "
            "at least 1 pixel high and wide."
        )


def _one(picture: Any, row: int) -> np.ndarray:
    """One picture of a list as (h, w, c)."""
    try:
        return _with_axis(np.asarray(picture)[None], row)[0]
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"a picture (h, w) or (h, w, channels) is expected, but picture {row} (counted from 0) has rows of "
            "different lengths: make it an array."
        ) from None


def _with_axis(X: np.ndarray, row: int | None = None) -> np.ndarray:
    """(n, h, w) or (n, h, w, c) as (n, h, w, c)."""
    shape = X.shape if row is None else X.shape[1:]
    what = (
        "pictures (n, h, w) or (n, h, w, channels)" if row is None else "a picture (h, w) or (h, w, channels)"
    )
    got = f"an array {shape}" if row is None else f"picture {row} (counted from 0) is an array {shape}"
    if X.ndim == 4 and X.shape[3] in CHANNELS:
        return X
    one_colour_picture = row is None and X.shape[2:] in [(3,), (4,)] and min(X.shape[:2]) >= LIKELY_SIDE
    if X.ndim == 3 and not one_colour_picture:
        return X[..., None]
    raise DataError(f"{what} with 1, 3 or 4 channels are expected, got {got}: {_way_out(X, row)}")


def _way_out(X: np.ndarray, row: int | None) -> str:
    if X.ndim == 2 and row is None:
        side = math.isqrt(X.shape[1])
        if side > 1 and side * side == X.shape[1]:
            return f"if every row is a picture, give X.reshape(-1, {side}, {side}); one picture is X[None]."
        return "reshape the rows to pictures; one picture is X[None]."
    if X.ndim == 3 and row is None:
        return "for one colour picture give X[None]."
    if X.ndim == 4 and X.shape[1] in CHANNELS:
        moved = "X.transpose(0, 2, 3, 1)" if row is None else "each.transpose(1, 2, 0)"
        return f"channels come last here, so give {moved}."
    return "bring it into that shape."
