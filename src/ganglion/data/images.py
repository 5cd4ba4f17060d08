"""Pictures from arrays or files, decoded when they are asked for.

images = read_images(X)             # headers are read, nothing is decoded yet
images.tensor([0, 5])               # (2, c, h, w), decoded in parallel, all of one size
images.picture(0)                   # (c, h, w), in its own size
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.data.decode import Header, decode, peek, quiet
from ganglion.data.pixels import CHANNELS, as_kind, read_pixels, resized, with_channels

MIXED_PIXELS = 224 * 224  # of the size that pictures of mixed sizes are brought to
MOST_PIXELS = 1024 * 1024  # of the size of pictures of one size
CHUNK = 64  # pictures that a thread takes at a time
LARGEST_SIDE = 16384


@dataclass
class Images:
    """A collection of pictures that is decoded when asked for.

    Attributes:
        source: (n, h, w, c) array, list of arrays (h, w, c), or list of file paths.
        sizes: (n, 2) own heights and widths in pixels, upright.
        size: (h, w) that ``tensor`` resizes to.
        channels: 1 grey, 3 colour, 4 with alpha.
        kind: ``"uint8"`` or ``"float32"``, what ``tensor`` gives.
        range: the numbers for black and white: (0, 255), or the least and largest of float32 pictures.
        names: file names for messages, or ``None`` for arrays.
        kept: rows of what was given that stayed; all, unless broken ones are skipped.
        refused: (name, sentence) of those that did not.
        notes: what was decided, in sentences.
    """

    source: Any
    sizes: np.ndarray
    size: tuple[int, int]
    channels: int
    kind: str
    range: tuple[float, float]
    names: list[str] | None
    kept: np.ndarray
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.source)

    @property
    def n(self) -> int:
        """How many pictures."""
        return len(self.source)

    @property
    def mixed(self) -> bool:
        """Whether the pictures' own sizes differ."""
        return bool((self.sizes != self.sizes[:1]).any())

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures as ``tensor`` gives them."""
        return self.n * self.channels * self.size[0] * self.size[1] * np.dtype(self.kind).itemsize

    def take(self, index: Any) -> "Images":
        """The collection of these pictures (positions, a slice or a boolean mask)."""
        rows = self._rows(index)
        array = isinstance(self.source, np.ndarray)
        return replace(
            self,
            source=self.source[rows] if array else [self.source[i] for i in rows],
            sizes=self.sizes[rows],
            names=None if self.names is None else [self.names[i] for i in rows],
            kept=self.kept[rows],
        )

    def picture(self, i: int) -> Tensor:
        """One picture in its own size, (c, h, w)."""
        with quiet():
            pixels = self._pixels(range(self.n)[i], None)
        return torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))

    def tensor(self, index: Any = None) -> Tensor:
        """The pictures (n, c, h, w) in one size, decoded in parallel.

        Raises ``DataError`` naming the file whose body is broken.
        """
        rows = self._rows(index)
        out = self.empty(len(rows))
        with quiet():
            spread(lambda start, stop: self.fill(out[start:stop], rows[start:stop]), len(rows))
        return out

    def empty(self, n: int) -> Tensor:
        """Memory for ``n`` pictures, (n, c, h, w)."""
        return torch.from_numpy(np.empty((n, self.channels, *self.size), self.kind))

    def fill(self, out: Tensor, rows: Sequence[int] | np.ndarray) -> None:
        """Write pictures into ``out`` (n, c, h, w), one after another; for threads, inside ``quiet``."""
        target = out.numpy()
        if isinstance(self.source, np.ndarray) and self.source.shape[1:3] == tuple(self.size):
            target[:] = self._of_array(self.source[rows]).transpose(0, 3, 1, 2)
            return
        for place, row in enumerate(rows):
            target[place] = self._pixels(int(row), self.size).transpose(2, 0, 1)

    def _rows(self, index: Any) -> np.ndarray:
        every = np.arange(self.n)
        if index is None or isinstance(index, slice):
            return every[index or slice(None)]
        chosen = np.asarray(index)
        return np.atleast_1d(every[chosen if chosen.size else chosen.astype(np.int64)])

    def _pixels(self, i: int, size: tuple[int, int] | None) -> np.ndarray:
        """(h, w, c) of the right kind."""
        item = self.source[i]
        if not isinstance(item, np.ndarray):
            return decode(item, self.channels, size)
        pixels = self._of_array(item)
        return pixels if size is None else resized(pixels, size)

    def _of_array(self, array: np.ndarray) -> np.ndarray:
        """Pixels (..., c) of an array in this collection's kind and channels."""
        white = 255.0 if self.kind == "uint8" else max(self.range[1], 1.0)
        return with_channels(as_kind(array, self.kind), self.channels, white)


def read_images(
    X: Any,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    corrupt: str = "refuse",
) -> Images:
    """Pictures from arrays or files.

    Arguments:
        X: array (n, h, w) or (n, h, w, c) with c of 1, 3, 4; a list of such pictures, also of mixed sizes; a list or a
            pandas or polars column of file paths.
        size: (h, w) to bring them to; ``None``: their own, or near the median where they differ.
        channels: 1, 3 or 4; ``None``: 1 if all are grey, else 3 (what is transparent lies on white).
        corrupt: ``"refuse"`` raises on pictures that cannot be read, ``"skip"`` leaves them out.

    Raises ``DataError`` for anything that is no picture, naming the first file and how many there are;
    ``ParameterError`` for another size, channels or corrupt.

    >>> images = read_images(np.zeros((5, 28, 28), np.uint8))
    >>> images.n, images.size, images.channels, images.tensor([0, 1]).shape
    (5, (28, 28), 1, torch.Size([2, 1, 28, 28]))
    """
    _check(size, channels, corrupt)
    given = _plain(X)
    of_files = isinstance(given, list) and bool(given) and all(map(_is_cell, given))
    with quiet():
        images, broken = (_of_files if of_files else _of_arrays)(given, channels)
        images = _without(images, broken, corrupt)
        images.size = size or _common_size(images)
        if of_files and corrupt == "skip":  # rows must be known before training, so every body is tried
            images = _without(images, _broken_bodies(images), corrupt)
    return images


def spread(work: Callable[[int, int], Any], n: int) -> list[Any]:
    """``work(start, stop)`` on pieces of 0..n by threads (Pillow frees the interpreter while it decodes), in order.

    >>> spread(lambda start, stop: stop - start, 100)
    [64, 36]
    """
    pieces = [(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    if len(pieces) == 1:
        return [work(*pieces[0])]
    pool = ThreadPoolExecutor(cores())
    try:
        return [future.result() for future in [pool.submit(work, *piece) for piece in pieces]]
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_files(paths: list[Any], channels: int | None) -> tuple[Images, dict[int, str]]:
    """The pictures behind paths, by their headers, and which rows are broken."""

    def look(start: int, stop: int) -> list[Header | str]:
        return [_header(path, row) for row, path in enumerate(paths[start:stop], start)]

    headers = [header for piece in spread(look, len(paths)) for header in piece]
    broken = {row: header for row, header in enumerate(headers) if isinstance(header, str)}
    facts = [Header(1, 1, True) if isinstance(header, str) else header for header in headers]
    names = [
        os.fspath(path) if isinstance(path, str | PurePath) else f"row {row}"
        for row, path in enumerate(paths)
    ]
    images = Images(
        source=names,
        sizes=np.array([(fact.height, fact.width) for fact in facts]),
        size=(1, 1),
        channels=channels or (1 if all(fact.grey for fact in facts) else 3),
        kind="uint8",
        range=(0.0, 255.0),
        names=names,
        kept=np.arange(len(names)),
    )
    return images, broken


def _of_arrays(given: Any, channels: int | None) -> tuple[Images, dict[int, str]]:
    """The pictures in arrays, and which rows are broken."""
    pixels = read_pixels(given)
    shapes = np.array([array.shape for array in pixels.source])  # views, so cheap
    images = Images(
        source=pixels.source,
        sizes=shapes[:, :2],
        size=(1, 1),
        channels=channels or (1 if shapes[:, 2].max() == 1 else 3),
        kind=pixels.kind,
        range=pixels.range,
        names=None,
        kept=np.arange(len(shapes)),
    )
    return images, pixels.broken


def _without(images: Images, broken: dict[int, str], corrupt: str) -> Images:
    """The pictures without the broken ones, or the sentence on the first of them."""
    if not broken:
        return images
    first = broken[min(broken)]
    if corrupt == "refuse" or len(broken) == images.n:
        skip = "; corrupt='skip' leaves them out" if len(broken) < images.n else ""
        more = f" ({len(broken):,} of {images.n:,} pictures cannot be used{skip})."
        raise DataError(first if images.n == 1 else first.rstrip(".") + more)
    left = images.take(~np.isin(np.arange(images.n), list(broken)))
    names = images.names or [f"picture {row}" for row in images.kept]
    left.refused = images.refused + [(names[row], why) for row, why in sorted(broken.items())]
    left.notes = [
        f"{len(left.refused):,} pictures cannot be used and were left out; the first: {left.refused[0][1]}"
    ]
    return left


def _broken_bodies(images: Images) -> dict[int, str]:
    """Row -> sentence of the pictures that cannot be decoded."""

    def attempt(start: int, stop: int) -> dict[int, str]:
        wrong = {}
        for row in range(start, stop):
            try:
                decode(images.source[row], images.channels, images.size)
            except DataError as error:
                wrong[row] = str(error)
        return wrong

    return {row: why for piece in spread(attempt, images.n) for row, why in piece.items()}


def _header(path: Any, row: int) -> Header | str:
    """The header of a file, or the sentence that says why there is none."""
    if not isinstance(path, str | PurePath):
        return f"a file path is expected in row {row} (counted from 0), got {path!r}: fill it in or leave the row out."
    try:
        return peek(path)
    except DataError as error:
        return str(error)


def _common_size(images: Images) -> tuple[int, int]:
    """The own size where all share it, else the median; both bounded, and a change told in a note."""
    height, width = np.median(images.sizes, axis=0)
    shrink = min(1.0, math.sqrt((MIXED_PIXELS if images.mixed else MOST_PIXELS) / (height * width)))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    if images.mixed or shrink < 1:
        least, most = (" x ".join(map(str, f(images.sizes, axis=0))) for f in (np.min, np.max))
        sizes = f"differ in size ({least} to {most})" if images.mixed else f"are {least}"
        images.notes.append(
            f"The pictures {sizes}; they are brought to {size[0]} x {size[1]} (height x width)."
        )
    return size


def _plain(X: Any) -> Any:
    """An array, or a list of arrays or paths."""
    if isinstance(X, str | bytes | PurePath):
        raise DataError(
            f"pictures are expected, got the one path {str(X)!r}: give a list of paths (read_folder lists a folder)."
        )
    if nw.dependencies.is_into_dataframe(X):
        frame = nw.from_native(X, eager_only=True)
        if len(frame.columns) != 1:
            raise DataError(f"one column of paths is expected, got {len(frame.columns)} columns: choose one.")
        X = frame[frame.columns[0]].to_list()
    elif nw.dependencies.is_into_series(X):
        X = nw.from_native(X, series_only=True).to_list()
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUST" and X.ndim == 1:
        X = X.tolist()
    if isinstance(X, tuple):
        X = list(X)
    if not isinstance(X, np.ndarray | list):
        raise DataError(
            f"pictures are expected as an array, a list of arrays or a list of paths, got {type(X).__name__}: "
            "give one of these."
        )
    if len(X) == 0:
        raise DataError("at least one picture is expected, got none: give an array or a list with pictures.")
    return X


def _is_cell(item: Any) -> bool:
    """Whether an item stands where a path belongs: a path, or a missing cell of a table."""
    return isinstance(item, str | PurePath) or item is None or (isinstance(item, float) and item != item)


def _check(size: Any, channels: Any, corrupt: Any) -> None:
    whole = size is None or (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(isinstance(side, int | np.integer) and 1 <= side <= LARGEST_SIDE for side in size)
    )
    if not whole:
        raise ParameterError(
            f"size must be (height, width) from 1 to {LARGEST_SIDE}, got {size!r}; give such a pair."
        )
    if channels not in (None, *CHANNELS):
        raise ParameterError(
            f"channels must be 1 (grey), 3 (colour) or 4 (with alpha), got {channels!r}; choose one."
        )
    if corrupt not in ("refuse", "skip"):
        raise ParameterError(unknown_name("corrupt", corrupt, ["refuse", "skip"]))
