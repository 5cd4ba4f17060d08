"""Convolutional networks for pictures, from LeNet to VGG."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.classes import PictureClassifier
from ganglion.models.cnn import CNN
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import OF_MAPS, norm_of_maps
from ganglion.nn.pooling import POOLINGS, pool_named

SHAPE = (
    "widths",
    "convolutions",
    "kernel",
    "padding",
    "activation",
    "norm",
    "pool",
    "head",
    "hidden",
    "dropout",
)
LOCAL = [name for name in POOLINGS if not name.startswith("global_")]


class CNNClassifier(PictureClassifier):
    """A convolutional network that predicts classes of pictures: LeNet to VGG-like, by width and depth.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).integers(0, 100, (200, 8, 8), dtype=np.uint8)
    >>> y = np.arange(200) % 2
    >>> X[y == 1, 2:5, 2:5] += 120
    >>> float(CNNClassifier(widths=(8,), max_epochs=10).fit(X, y).score(X, y))
    1.0
    """

    widths: Annotated[tuple[int, ...], AtLeast(1), "channels of each stage; between stages the map is halved"] = (
        32, 64, 128
    )  # fmt: skip
    convolutions: Annotated[int, AtLeast(1), "convolutions in each stage"] = 2
    kernel: Annotated[int, AtLeast(1), "height and width of the kernels"] = 3
    padding: Annotated[Literal["same", "valid"], "same keeps the map's size, valid adds no border"] = "same"
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the hidden units"
    ] = "gelu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(OF_MAPS), norm_of_maps), "normalisation of the channels"
    ] = "batch"
    pool: Annotated[str, Known("pool", lambda: LOCAL, pool_named), "how a stage halves the map"] = "max"
    head: Annotated[
        Literal["max", "average", "both", "flatten"],
        "what becomes of the last maps: their maximum, their mean, both, or all of them",
    ] = "max"
    hidden: Annotated[tuple[int, ...], AtLeast(1), "units of dense layers before the output"] = ()
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of the head's inputs that is dropped"
    ] = 0.0
    label_smoothing, max_epochs = 0.1, 12

    def _build(self, start: Tensor) -> nn.Module:
        return CNN(
            self.image_shape_, len(start), output_bias=start, **{k: plain(getattr(self, k)) for k in SHAPE}
        )
