"""Capsule networks for pictures: classes by routing, and what a class capsule says, drawn."""

from typing import Annotated, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import AtLeast, Known
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.classes import PictureClassifier
from ganglion.estimators.supervised import Pass
from ganglion.models.capsule import CapsuleNet
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import OF_MAPS, norm_of_maps
from ganglion.objectives.base import Objective
from ganglion.objectives.capsule import CAPSULE_LOSSES, CapsuleObjective, capsule_loss_named
from ganglion.objectives.loss import Loss

SHAPE = (
    "widths",
    "convolutions",
    "types",
    "primary_size",
    "class_size",
    "routing",
    "decoder",
    "activation",
    "norm",
)


class CapsuleClassifier(PictureClassifier):
    """A network of capsules that predicts classes of pictures, and draws what it has seen.

    Sabour et al. 2017, arXiv:1710.09829, with a smaller first part. The longest class capsule is the answer.

    >>> X = np.random.default_rng(0).integers(0, 100, (200, 8, 8), dtype=np.uint8)
    >>> y = np.arange(200) % 2
    >>> X[y == 1, 2:5, 2:5] += 120
    >>> model = CapsuleClassifier(widths=(8,), types=2, max_epochs=10).fit(X, y)
    >>> float(model.score(X, y)), model.reconstruct(X[:3]).shape
    (1.0, (3, 8, 8, 1))
    """

    widths: Annotated[tuple[int, ...], AtLeast(1), "channels of each stage; between stages the map is halved"] = (
        32, 64
    )  # fmt: skip
    convolutions: Annotated[int, AtLeast(1), "3 x 3 convolutions in each stage"] = 2
    types: Annotated[int, AtLeast(1), "primary capsules at each place"] = 8
    primary_size: Annotated[int, AtLeast(1), "numbers in a primary capsule"] = 8
    class_size: Annotated[int, AtLeast(1), "numbers in a class capsule"] = 16
    routing: Annotated[int, AtLeast(1), "iterations of the routing by agreement"] = 3
    decoder: Annotated[tuple[int, ...], AtLeast(1), "units of the decoder's hidden layers"] = (256, 512)
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the convolutions"
    ] = "relu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(OF_MAPS), norm_of_maps), "normalisation of the channels"
    ] = "batch"
    loss: Annotated[
        str, Known("loss", lambda: list(CAPSULE_LOSSES), capsule_loss_named), "what wrong lengths cost"
    ] = "margin"
    reconstruction: Annotated[
        float,
        AtLeast(0),
        "what a pixel's squared error costs in the picture drawn from the true class's capsule",
    ] = 0.0005
    max_epochs = 15

    # --- training -----------------------------------------------------------------------------------------

    def _build(self, start: Tensor) -> nn.Module:
        return CapsuleNet(self.image_shape_, self._units(), **{k: plain(getattr(self, k)) for k in SHAPE})

    def _loss(self, smooth: bool) -> Loss:
        return capsule_loss_named(self.loss)

    def _start(self, goal: np.ndarray, weight: np.ndarray) -> Tensor:
        """The lengths that cost least without a look at the picture."""
        return torch.as_tensor(self._loss(smooth=False).constant(np.eye(len(self.classes_))[goal], weight))

    def _objective(self, model: nn.Module) -> Objective:
        loss = self._loss(smooth=True)
        return CapsuleObjective(model, loss, self.reconstruction, self.l1, self.max_norm, self.activity)

    def _compared(self, x: Tensor, goal: Tensor) -> Pass:
        """Lengths and the picture that the true class's capsule draws, by the objective's own loss."""
        objective = CapsuleObjective(self.module_, self._loss(smooth=True), self.reconstruction)

        def cost(output: tuple[Tensor, Tensor]) -> Tensor:
            return objective.compared(x, goal, *output)[0].mean()

        return Pass((x, goal), cost, f"{self.loss} and reconstruction, mean of {len(x):,} pictures")

    def _both_ways(self, x: Tensor) -> Tensor:
        """The lengths of the class capsules (n, k); nothing is drawn."""
        return self.module_.encode(x).norm(dim=2)

    # --- answering ----------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> np.ndarray:
        """Lengths of the class capsules, divided by their sum (n, classes), in the order of ``classes_``.

        A length says how surely a class is there; these shares rank the classes, and they are no frequencies: with ten
        classes and the margins at their best, the true class has 0.5.
        """
        return super().predict_proba(X)

    @torch.inference_mode()
    def capsules(self, X: Any) -> np.ndarray:
        """The class capsules of pictures (n, classes, class_size), each shorter than 1."""
        check_is_fitted(self, ["module_"])
        images, step = self._read_pictures(X, reset=False), self._together()
        starts = range(0, len(images), step)
        blocks = (self._pixels(images, np.arange(i, min(i + step, len(images)))) for i in starts)
        return torch.cat([self.module_.encode(x) for x in blocks]).numpy()

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Each picture as its longest capsule remembers it (n, h, w, c), in the numbers of the training pictures.

        ``y`` (n,) names other classes whose capsules are to be drawn. Raises ``DataError`` for classes unknown.
        """
        return self._drawn(self.capsules(X), y)

    def perturb(self, X: Any, dimension: int, values: Any, y: Any = None) -> np.ndarray:
        """Reconstructions with one number of the drawn capsule changed: (n, values, h, w, c).

        Sabour et al. 2017, arXiv:1710.09829, section 5.1, takes values from -0.25 to 0.25.

        Arguments:
            X: pictures, as for ``predict``.
            dimension: which number of the capsule, from 0 to ``class_size - 1``.
            values: (values,) what is added to it.
            y: as for ``reconstruct``.

        Raises ``ParameterError`` for a dimension that is not there or values that are no numbers.
        """
        steps = np.asarray(values)
        if steps.ndim != 1 or steps.dtype.kind not in "iuf" or not np.isfinite(steps).all():
            raise ParameterError(
                f"values must be a list of finite numbers that are added to the capsule, got {values!r}; "
                "try numpy.linspace(-0.25, 0.25, 11)."
            )
        whole = isinstance(dimension, int | np.integer) and not isinstance(dimension, bool)
        if not whole or not 0 <= dimension < self.class_size:
            raise ParameterError(
                f"dimension must be a whole number from 0 to {self.class_size - 1}, got {dimension!r}; the class "
                f"capsules have {self.class_size} numbers."
            )
        capsules = self.capsules(X)
        y = self.classes_[np.linalg.norm(capsules, axis=2).argmax(1)] if y is None else y
        changed = np.repeat(capsules[:, None], len(steps), 1)  # (n, values, classes, class_size)
        changed[..., dimension] += steps[:, None].astype(capsules.dtype)
        drawn = self._drawn(changed.reshape(-1, *capsules.shape[1:]), np.repeat(np.asarray(y), len(steps)))
        return drawn.reshape(*changed.shape[:2], *drawn.shape[1:])

    @torch.inference_mode()
    def _drawn(self, capsules: np.ndarray, y: Any) -> np.ndarray:
        """Pictures (n, h, w, c) from class capsules (n, classes, class_size): of the classes y, or of the longest."""
        if y is None:
            codes = np.linalg.norm(capsules, axis=2).argmax(1)
        else:
            codes = self._read_target(y, np.ones(len(capsules)), classes=None, keep=True)
            if len(codes) != len(capsules):
                raise DataError(
                    f"X and y must have the same number of rows, got {len(capsules)} and {len(codes)}."
                )
        shares = torch.eye(len(self.classes_))[torch.as_tensor(codes)]
        low, high = self.pixel_range_
        drawn = low + (high - low) * self.module_.draw(torch.as_tensor(capsules), shares)
        return drawn.permute(0, 2, 3, 1).contiguous().numpy()
