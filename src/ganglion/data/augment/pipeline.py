"""The augmentation of a batch: parts by name, one resampling, then the rest in the order of the text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.named import name_in, named
from ganglion.data.augment.boxes import move_boxes
from ganglion.data.augment.colour import colour
from ganglion.data.augment.elastic import elastic
from ganglion.data.augment.erase import erase
from ganglion.data.augment.matrices import compose, identity
from ganglion.data.augment.mix import cutmix, mixup, soft
from ganglion.data.augment.moves import affine, crop, flip, flip_up_down, turn
from ganglion.data.augment.parts import Batch, Drawn, Draws, Part
from ganglion.data.augment.policy import randaugment, trivial
from ganglion.data.augment.resample import copy_mask, copy_pixels, interpolate, sources

AUGMENTS: Mapping[str, Callable[..., Part]] = {
    "flip": flip,
    "flip_up_down": flip_up_down,
    "turn": turn,
    "crop": crop,
    "affine": affine,
    "elastic": elastic,
    "colour": colour,
    "erase": erase,
    "mixup": mixup,
    "cutmix": cutmix,
    "randaugment": randaugment,
    "trivial": trivial,
}
MOST = 400  # characters of a text
APART = re.compile(r"\+(?![^(]*\))")  # a plus outside of brackets


def augment_named(text: str, *, classes: int | None = None, least: float = 0.25) -> "Augment":
    """The augmentation that a text names: parts out of ``AUGMENTS``, joined by ``+``.

    Arguments: ``classes`` and ``least`` as in ``Augment``. Raises ``ParameterError`` for unknown parts and numbers
    that a part does not take.

    >>> augment = augment_named("flip+crop(2)+erase(0.25)")
    >>> batch = augment({"x": torch.rand(8, 1, 28, 28)}, torch.Generator().manual_seed(0))
    >>> batch["x"].shape
    torch.Size([8, 1, 28, 28])
    """
    if len(text) > MOST:
        raise ParameterError(f"augment has at most {MOST} characters, got {len(text)}; name fewer parts.")
    words = [word.strip() for word in APART.split(text)]
    return Augment(tuple((name_in(word), named("augment", word, AUGMENTS)) for word in words), classes, least)


@dataclass
class Augment:
    """Changes a batch of pictures at random, and labels, boxes and masks with them.

    All that moves points is composed, in the order of the parts, to one map for each picture and read once (whole
    pixels are copied); what comes into sight is the picture mirrored at its edge, or its mean where there are boxes,
    so that no object appears without its box. Then come the other parts, in their order. All of it happens on the
    device of the batch, never waits for it, and follows from the generator's state alone.

    Arguments:
        parts: (name, part) in order.
        classes: the number of classes, needed by mixup and cutmix, which make y (n, classes).
        least: share of a moved box that must remain inside the picture, else it is dropped.
    """

    parts: tuple[tuple[str, Part], ...]
    classes: int | None = None
    least: float = 0.25

    @property
    def mixes(self) -> bool:
        """Whether y becomes soft, (n, classes)."""
        return any(part.mixes for _, part in self.parts)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The changed batch; what it was made of stays as it was.

        Arguments:
            batch: ``x`` (n, c, h, w) of floats in [0, 1], and where they are there ``y`` (n,) or (n, classes),
                ``weight`` (n,), ``boxes`` (n, M, 4) with ``labels`` (n, M), ``masks`` (n, h, w).
            generator: of the device of ``x``.

        Raises ``DataError`` for pictures of another shape and for what a part cannot move along.
        """
        self._check(batch)
        x = batch["x"]
        n, c, h, w = x.shape
        draws = Draws(n, c, h, w, x.device, generator)
        drawn = [part.draw(draws) for _, part in self.parts]
        done = dict(batch)
        if self.mixes and "y" in batch:
            done["y"] = soft(batch["y"], self.classes)
        self._move(done, drawn)
        for one in drawn:
            if one.touch:
                done = one.touch(done)
        done["x"] = _as(done["x"], x)
        return done

    def _move(self, batch: Batch, drawn: list[Drawn]) -> None:
        """Move pictures, masks and boxes of a batch, in place of the old ones."""
        maps = [one.matrix for one in drawn if one.matrix is not None]
        fields = [one.field for one in drawn if one.field is not None]
        if not maps and not fields:
            return
        x = batch["x"]
        n, _, h, w = x.shape
        between = any(part.interpolates for _, part in self.parts)
        whole = reduce(lambda first, second: compose(second, first), maps or [identity(n, x.device)])
        across, down = sources(whole, h, w, turns=between or any(part.turns for _, part in self.parts))
        for field in fields:
            across, down = across + field[:, 0], down + field[:, 1]
        read = interpolate if between else copy_pixels
        batch["x"] = read(x.float() if between else x, across, down, mirror="boxes" not in batch)
        if "masks" in batch:
            batch["masks"] = copy_mask(batch["masks"], across, down)
        if "boxes" in batch:
            moved = move_boxes(batch["boxes"], batch["labels"], whole, h, w, self.least)
            batch["boxes"], batch["labels"] = moved

    def _check(self, batch: Batch) -> None:
        x = batch["x"]
        if x.dim() != 4 or not x.is_floating_point():
            raise DataError(
                f"augmentation takes pictures (n, c, h, w) of floats from 0 to 1, got {tuple(x.shape)} of {x.dtype}; "
                "divide whole numbers by 255."
            )
        for name, part in self.parts:
            for what in part.refuses:
                if what in batch:
                    raise DataError(
                        f"augment={name!r} cannot carry {what} along; leave it out for this task."
                    )


def _as(x: Tensor, like: Tensor) -> Tensor:
    """In the type and memory format of another picture."""
    channels_last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    return x.to(like.dtype, memory_format=torch.channels_last if channels_last else torch.contiguous_format)
