"""Masks: a class for each pixel of a picture, from arrays or from files whose numbers are kept as they are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.decode import decode_codes, quiet, shown
from ganglion.data.images import Images, spread

NOT_JUDGED = -1
MOST_CLASSES = 256
MOST_SHOWN = 8  # values in a message


@dataclass
class Masks:
    """A class for each pixel of n pictures.

    Attributes:
        codes: n int16 arrays (h, w), positions in ``values``; -1 is not judged.
        values: the numbers that stand for the classes, ascending.
        size: (h, w) that ``tensor`` brings them to.
    """

    codes: list[np.ndarray]
    values: list[int]
    size: tuple[int, int]

    def __len__(self) -> int:
        """How many masks."""
        return len(self.codes)

    def mask(self, i: int) -> Tensor:
        """One mask in its own size, (h, w) int64."""
        return torch.from_numpy(self.codes[i].astype(np.int64))

    def tensor(self, index: Any = None) -> Tensor:
        """The masks (n, h, w) int64 in one size; a pixel takes the class at its middle."""
        rows = range(len(self)) if index is None else np.atleast_1d(np.arange(len(self))[index])
        return torch.from_numpy(np.stack([nearest(self.codes[i], self.size) for i in rows]).astype(np.int64))


def read_masks(
    Y: Any, images: Images | None = None, *, values: Sequence[int] | None = None, ignore: int | None = None
) -> Masks:
    """Masks from arrays or files.

    Arguments:
        Y: array (n, h, w) of booleans or whole numbers, a list of such masks (h, w), or a list of paths: pictures with
            a palette (its indices are kept, not its colours) or grey.
        images: the pictures; each mask must have its own picture's size.
        values: the numbers of the classes; ``None``: those that occur.
        ignore: a number that says "not judged", such as 255 in VOC; -1 always does.

    Raises ``DataError``: another length or size than the pictures, colour, JPEG, fractions, a number that is not among
    ``values``, fewer than two classes or more than 256; it names the file.

    >>> masks = read_masks(np.array([[[0, 255], [7, 0]]]), ignore=7)
    >>> masks.values, masks.mask(0).tolist()
    ([0, 255], [[0, 1], [-1, 0]])
    """
    given = Y.detach().cpu().numpy() if hasattr(Y, "detach") else Y
    if isinstance(given, str | bytes | os.PathLike) or not hasattr(given, "__len__") or len(given) == 0:
        raise DataError(
            f"masks are expected as an array or a list of arrays or paths, got {type(Y).__name__}: give some."
        )
    given = list(given)
    if images is not None and len(given) != images.n:
        raise DataError(
            f"a mask for each of {images.n:,} pictures is expected, got {len(given):,} masks: give as many "
            "(images.kept tells which pictures stayed)."
        )
    with quiet():
        pieces = spread(lambda start, stop: [_numbers(given[i], i) for i in range(start, stop)], len(given))
    masks = [mask for piece in pieces for mask in piece]
    if images is not None:
        _check_sizes(given, masks, images)
    found = _values(masks, given, values, {NOT_JUDGED, NOT_JUDGED if ignore is None else ignore})
    size = images.size if images is not None else _one_size(masks)
    return Masks([_coded(mask, found) for mask in masks], found.tolist(), size)


def nearest(codes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Codes (h, w) in another size: each pixel takes the code at its middle.

    >>> nearest(np.array([[1, 2]]), (1, 4)).tolist()
    [[1, 1, 2, 2]]
    """
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, codes.shape))
    return codes if codes.shape == tuple(size) else codes[np.ix_(rows, columns)]


def _name(item: Any, i: int) -> str:
    return shown(item) if isinstance(item, str | os.PathLike) else f"mask {i} (counted from 0)"


def _numbers(item: Any, i: int) -> np.ndarray:
    """One mask as whole numbers (h, w)."""
    try:
        mask = decode_codes(item) if isinstance(item, str | os.PathLike) else np.asarray(item)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{_name(item, i)} has rows of different lengths: make it an array (h, w).") from None
    if mask.ndim != 2 or mask.dtype.kind not in "buif" or 0 in mask.shape:
        raise DataError(
            f"a mask is expected to be an array (h, w) of whole numbers, but {_name(item, i)} is {mask.shape} of "
            f"{mask.dtype}: give one number per pixel (of one-hot channels, their argmax)."
        )
    if mask.dtype.kind == "f" and not (np.isfinite(mask).all() and (mask == np.rint(mask)).all()):
        raise DataError(
            f"whole numbers are expected in a mask, but {_name(item, i)} has fractions: round it."
        )
    if mask.dtype.kind in "uf" and mask.size and abs(float(mask.max())) > 2**31:
        raise DataError(
            f"class numbers below 2^31 are expected, but {_name(item, i)} has {mask.max():g}: renumber it."
        )
    return mask if mask.dtype == np.uint8 else mask.astype(np.int32)


def _check_sizes(given: list[Any], masks: list[np.ndarray], images: Images) -> None:
    for i, (mask, size) in enumerate(zip(masks, images.sizes)):
        if mask.shape != tuple(size):
            picture = shown(images.names[i]) if images.names else f"picture {i}"
            raise DataError(
                f"a mask of the size of its picture is expected, but {_name(given[i], i)} is {mask.shape[0]} x "
                f"{mask.shape[1]} and {picture} is {size[0]} x {size[1]} (height x width): bring them together."
            )


def _values(
    masks: list[np.ndarray], given: list[Any], wanted: Sequence[int] | None, void: set[int]
) -> np.ndarray:
    """The class numbers, ascending; with ``wanted`` a stranger is named with its file."""
    seen: set[int] = set()
    for i, mask in enumerate(masks):
        new = set(np.unique(mask).tolist()) - void
        strange = sorted(new - set(wanted)) if wanted is not None else []
        if strange:
            raise DataError(
                f"classes {_some(list(wanted or []))} are expected, but {_name(given[i], i)} has {_some(strange)}: "
                "renumber it or set ignore."
            )
        seen |= new
    found = np.array(sorted(seen if wanted is None else set(wanted)), dtype=np.int64)
    if not 2 <= len(found) <= MOST_CLASSES:
        raise DataError(
            f"masks of 2 to {MOST_CLASSES} classes are expected, got {len(found):,} different numbers "
            f"({_some(found.tolist())}): check the masks."
        )
    return found


def _some(values: list[int]) -> str:
    return ", ".join(map(str, values[:MOST_SHOWN])) + (", ..." if len(values) > MOST_SHOWN else "")


def _coded(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Numbers as positions in ``values``, and -1 for those that are not there."""
    places = np.searchsorted(values, mask).clip(max=len(values) - 1)
    return np.where(values[places] == mask, places, NOT_JUDGED).astype(np.int16)


def _one_size(masks: list[np.ndarray]) -> tuple[int, int]:
    """The median height and width."""
    height, width = np.median([mask.shape for mask in masks], axis=0)
    return round(height), round(width)
