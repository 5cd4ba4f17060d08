"""Residual networks for pictures."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.classes import PictureClassifier
from ganglion.models.resnet import ResNet
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import NORMS, norm_named

SHAPE = (
    "depth",
    "width",
    "block",
    "stem",
    "activation",
    "norm",
    "pre_activation",
    "drop_path",
    "dropout",
)


class ResNetClassifier(PictureClassifier):
    """A residual network that predicts classes of pictures: 20 to 110 layers for small ones, 18 to 152 for large.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).integers(0, 100, (200, 8, 8), dtype=np.uint8)
    >>> y = np.arange(200) % 2
    >>> X[y == 1, 2:5, 2:5] += 120
    >>> float(ResNetClassifier(depth=8, width=4, max_epochs=10).fit(X, y).score(X, y))
    1.0
    """

    depth: Annotated[
        int | Literal["auto"],
        AtLeast(8),
        "layers: 6n + 2 for small pictures (9n + 2 with bottlenecks), 18, 34, 50, 101 or 152 for large ones",
    ] = "auto"
    width: Annotated[
        int | Literal["auto"], AtLeast(1), "channels of the first stage; each later stage has twice as many"
    ] = "auto"
    block: Annotated[
        Literal["auto", "basic", "bottleneck"], "two convolutions of 3 x 3, or one between two of 1 x 1"
    ] = "auto"
    stem: Annotated[
        Literal["auto", "small", "large"], "large, with more than 64 pixels, starts at a quarter of the size"
    ] = "auto"
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the hidden units"
    ] = "relu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(NORMS), norm_named), "normalisation of the channels"
    ] = "batch"
    pre_activation: Annotated[
        bool, "norm and activation stand before each convolution, the sums stay bare"
    ] = False
    drop_path: Annotated[
        float, Between(0, 1, open_high=True), "share of the last residual branch's examples that skip it"
    ] = 0.0
    dropout: Annotated[
        float,
        Between(0, 1, open_high=True),
        Search(0, 0.5),
        "share of the last layer's inputs that is dropped",
    ] = 0.0
    label_smoothing, max_epochs = 0.1, 10

    def _build(self, start: Tensor) -> nn.Module:
        return ResNet(
            self.image_shape_, len(start), output_bias=start, **{k: plain(getattr(self, k)) for k in SHAPE}
        )
