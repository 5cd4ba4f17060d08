"""What is wanted of a picture that shows one picture's content in another one's style."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganglion.objectives.base import Batch, Objective, Step

LEAST = 1e-12  # what energies are divided by at least
Features = Callable[[Tensor], dict[str, Tensor]]


def gram(features: Tensor) -> Tensor:
    """The Gram matrices (n, d, d) of maps (n, d, h, w): ``G_ij = sum_k F_ik F_jk`` over all places k.

    They tell which features go together and not where (Gatys et al. 2015, arXiv:1508.06576).

    >>> gram(torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]])).tolist()
    [[[5.0, 6.0], [6.0, 9.0]]]
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2)


def content_loss(features: Tensor, wanted: Tensor) -> Tensor:
    """``sum (F - P)^2 / sum P^2`` for each picture: Gatys' content loss in units of what there is to lose.

    Arguments: features F (n, d, h, w) of the picture, P of the content.
    """
    return (features - wanted).square().sum((1, 2, 3)) / wanted.square().sum((1, 2, 3)).clamp(min=LEAST)


def style_loss(features: Tensor, wanted: Tensor) -> Tensor:
    """``sum (G / M - A)^2 / sum A^2`` for each picture: Gatys' style loss of a layer in units of the style itself.

    Arguments: features (n, d, h, w) of the picture, whose Gram matrix G is divided by its places M = h w, and A
    (n, d, d), that of the style divided by the style's own, so that the two may differ in size.
    """
    own = gram(features) / (features.shape[2] * features.shape[3])
    return (own - wanted).square().sum((1, 2)) / wanted.square().sum((1, 2)).clamp(min=LEAST)


def variation(pixels: Tensor) -> Tensor:
    """The mean squared difference of neighbouring pixels, downwards and to the right, (n,).

    Total variation with the exponent 2 (Mahendran and Vedaldi 2015, arXiv:1412.0035); it takes out what is finer than
    the network's features can tell.
    """
    down, right = pixels.diff(dim=2), pixels.diff(dim=3)
    return down.square().mean((1, 2, 3)) + right.square().mean((1, 2, 3))


class Weights(NamedTuple):
    """How much each part counts."""

    content: float = 1.0
    style: float = 1.0
    variation: float = 0.0


class Styling(Objective):
    """``content + style + variation`` of a picture, weighed; the first two are means over their layers.

    Arguments:
        picture: a module whose call gives pixels (1, c, h, w); it is what learns.
        features: pixels -> maps (1, d, h, w) by layer.
        content, style: layer -> features P wanted, layer -> Gram matrices A wanted.
        weights: of the parts.

    Batches may hold anything: the picture is the only example.
    """

    def __init__(
        self,
        picture: nn.Module,
        features: Features,
        content: dict[str, Tensor],
        style: dict[str, Tensor],
        weights: Weights = Weights(),  # noqa: B008 - a constant
    ) -> None:
        super().__init__()
        self.picture, self.features = picture, features
        self.content, self.style, self.weights = content, style, weights

    @property
    def model(self) -> nn.Module:
        """The picture."""
        return self.picture

    def parameters_of(self, phase: str) -> Iterator[nn.Parameter]:
        """The pixels."""
        return self.picture.parameters()

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (1,) of the picture and its parts before they are weighed."""
        parts = self.parts(self.picture())
        loss = sum(weight * parts[name] for name, weight in self.weights._asdict().items())
        return Step(loss, parts=parts)  # type: ignore[arg-type]

    def parts(self, pixels: Tensor) -> dict[str, Tensor]:
        """The parts of the loss (n,) of any picture."""
        seen = self.features(pixels)
        content = [content_loss(seen[name], wanted) for name, wanted in self.content.items()]
        style = [style_loss(seen[name], wanted) for name, wanted in self.style.items()]
        return {
            "content": torch.stack(content).mean(0),
            "style": torch.stack(style).mean(0),
            "variation": variation(pixels),
        }
