"""Masks as a target: labels of pixels and their weights, and scores of whole pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Fields, Known
from ganglion.data.images import Images
from ganglion.data.masks import read_masks
from ganglion.metrics.segmentation import mask_scores
from ganglion.objectives.loss import Loss
from ganglion.objectives.segmentation import PIXEL_LOSSES, pixel_loss_named


@dataclass
class Scenes:
    """Pictures (c, h, w) of any sizes, their masks (h, w) of codes with -1 for not judged, and weights (n,)."""

    pictures: list[Tensor]
    masks: list[Tensor]
    weight: np.ndarray

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.pictures)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures with their masks."""
        return zip(self.pictures, self.masks)

    def take(self, rows: Any) -> "Scenes":
        """Some of them."""
        return Scenes([self.pictures[i] for i in rows], [self.masks[i] for i in rows], self.weight[rows])

    def to(self, device: torch.device) -> "Scenes":
        """On a device."""
        return Scenes([p.to(device) for p in self.pictures], [m.to(device) for m in self.masks], self.weight)

    def scaled_weight(self, device: torch.device) -> Tensor | None:
        """The weights with mean 1, or nothing where all are equal."""
        if not len(self.weight) or np.ptp(self.weight) == 0:
            return None
        return torch.as_tensor(self.weight / self.weight.mean(), dtype=torch.float32, device=device)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes with names and shapes: what a checkpoint of a run on them is named by."""
        for picture, mask in self:
            yield f"x {tuple(picture.shape)}", picture.cpu().numpy().tobytes()
            yield "masks", mask.cpu().numpy().tobytes()
        yield "weight", self.weight.tobytes()


class MaskTarget(Fields):
    """What all estimators that name each pixel's class share; learned: ``classes_``."""

    loss: Annotated[
        str,
        Known("loss", lambda: list(PIXEL_LOSSES), pixel_loss_named, joined=True),
        "what an error costs, as in 'cross_entropy+dice'",
    ] = "cross_entropy"
    class_weight: Annotated[
        dict[Any, float] | Literal["balanced"] | None,
        AtLeast(0),
        "weight of each class; balanced = inverse to its pixels' share",
    ] = None
    ignore: Annotated[int | None, "a label that says 'not judged', such as 255; -1 always does"] = None

    def _read_target(self, y: Any, images: Images, *, keep: bool) -> list[np.ndarray]:
        """A mask of codes (h, w) for each picture; without ``keep`` the classes are learned."""
        given = _listed(y)
        if len(given) != len(images) + len(images.refused):
            raise DataError(
                f"X and y must have the same number of rows, a mask for each picture, got "
                f"{len(images) + len(images.refused)} and {len(given)}."
            )
        given = [given[i] for i in images.kept]
        known: np.ndarray | None = vars(self)["classes_"] if keep else None
        texts = all(isinstance(mask, np.ndarray) and mask.dtype.kind == "U" for mask in given)
        if known is not None and texts is not (known.dtype.kind == "U"):
            raise DataError(
                f"masks of the labels {known.tolist()} are expected, got {'texts' if texts else 'numbers'}; name the "
                "classes as in training."
            )
        if texts:
            labels = (
                np.unique(np.concatenate([np.unique(mask) for mask in given])) if known is None else known
            )
            masks = read_masks([_places(mask, labels) for mask in given], images, values=range(len(labels)))
        else:
            values = None if known is None else [int(label) for label in known]
            masks = read_masks(given, images, values=values, ignore=self.ignore)
            flags = all(isinstance(mask, np.ndarray) and mask.dtype == bool for mask in given)
            labels = np.array(masks.values, dtype=bool if flags else int) if known is None else known
        self.classes_, self.n_outputs_ = labels, len(labels)
        return masks.codes

    def _pixel_counts(self, scenes: Scenes) -> np.ndarray:
        """Judged pixels of each class (k,), by the pictures' weights."""
        k = len(self.classes_)
        counts = [np.bincount(m.cpu().numpy().ravel() + 1, minlength=k + 1)[1:] for m in scenes.masks]
        return (np.stack(counts) * scenes.weight[:, None]).sum(0)

    def _class_weights(self, counts: np.ndarray, device: torch.device) -> Tensor | None:
        """The weights (k,) of the classes, with mean 1 over the judged pixels."""
        if self.class_weight is None:
            return None
        if self.class_weight == "balanced":
            factors = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
        else:
            strange = [label for label in self.class_weight if label not in self.classes_]
            if strange:
                raise DataError(
                    f"class_weight names {strange[0]!r}, which is no class of the masks ({self.classes_.tolist()})."
                )
            factors = np.array([float(self.class_weight.get(label, 1.0)) for label in self.classes_.tolist()])
        scaled = factors * counts.sum() / max((factors * counts).sum(), 1e-12)
        return torch.as_tensor(scaled, dtype=torch.float32, device=device)

    def _start(self, counts: np.ndarray) -> Tensor:
        """Log-odds of the classes, so that training starts from their frequencies."""
        share = np.maximum(counts / counts.sum(), 1e-6)
        return torch.as_tensor(np.log(share / share.mean()))

    def _loss(self, class_weight: Tensor | None = None) -> Loss:
        return pixel_loss_named(self.loss, class_weight)

    def _task(self) -> str:
        return "binary" if len(self.classes_) == 2 else "multiclass"

    def _judged(self, scenes: Scenes, logits: Iterator[Tensor]) -> dict[str, float]:
        """Loss and scores of logits (k, h, w) against the masks, one picture after the other."""
        k = len(self.classes_)
        table, total = np.zeros((k, k), np.int64), 0.0
        for mask, weight, output in zip(scenes.masks, scenes.weight, logits):
            total += weight * float(self._loss().value(output[None], mask[None].long())[0])
            table += counted(mask, output.argmax(0), k)
        return {"loss": total / max(float(scenes.weight.sum()), 1e-12), **mask_scores(table)}


def counted(mask: Tensor, said: Tensor, k: int) -> np.ndarray:
    """Judged pixels by true code (down) and predicted code (across), (k, k).

    >>> counted(torch.tensor([[0, 1, -1]]), torch.tensor([[0, 0, 1]]), 2).tolist()
    [[1, 0], [1, 0]]
    """
    pairs = torch.where(mask >= 0, mask.long() * k + said, k * k).flatten()
    return torch.bincount(pairs, minlength=k * k + 1)[:-1].view(k, k).cpu().numpy()


def _listed(y: Any) -> list[Any]:
    """A list of masks, those that hold text as arrays of text."""
    y = y.detach().cpu().numpy() if hasattr(y, "detach") else y.to_list() if hasattr(y, "to_list") else y
    if isinstance(y, str | bytes) or not hasattr(y, "__len__"):
        raise DataError(
            f"masks are expected as an array or a list of arrays or paths, got {type(y).__name__}: give some."
        )
    return [mask if np.ndim(mask) == 0 else _array(mask) for mask in y]


def _array(mask: Any) -> Any:
    """A mask as an array where its rows have one length; objects that are texts as texts."""
    try:
        array = np.asarray(mask)
    except ValueError:  # the reader names it
        return mask
    return (
        array.astype(str) if array.dtype == object and all(isinstance(v, str) for v in array.flat) else array
    )


def _places(mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Positions of labels among the known ones; a stranger is named."""
    places = np.searchsorted(labels, mask).clip(max=len(labels) - 1)
    if (strange := labels[places] != mask).any():
        raise DataError(
            f"classes {labels.tolist()} are expected in a mask, got {mask[strange][0]!r}; rename it."
        )
    return places
