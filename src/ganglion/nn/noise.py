"""What is added or left out at random while a network trains, and nothing of it in use."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BITS = 2**16  # values of the number that decides over a unit
DRAWN_IN_FOURS_FROM = 8192  # units in a mask; below, the calls cost more than the drawing


class Dropout(nn.Module):
    """Each unit of each example is zero with probability ``p`` (Srivastava et al. 2014, JMLR 15).

    ``h * m / (1 - p)`` with a fresh mask m for every example and pass, so that the mean stays; the identity in
    evaluation mode.

    >>> Dropout(0.5).eval()(torch.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return x * keep_mask(x, self.p) if self.training and self.p else x


class SpatialDropout(nn.Module):
    """Each channel of each example is zero at all its positions, or nowhere (Tompson et al. 2015, arXiv:1411.4280).

    Neighbouring positions tell much the same, so dropping them one by one hides nothing. Survivors are divided by
    ``1 - p``.

    Input (n, channels, ...), output of the same shape.

    >>> SpatialDropout(0.5).eval()(torch.ones(1, 2, 3)).shape
    torch.Size([1, 2, 3])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, ...) -> the same."""
        if not self.training or not self.p:
            return x
        channels = x.new_empty(*x.shape[:2], *[1] * (x.dim() - 2))
        return x * keep_mask(channels, self.p)


class DropPath(nn.Module):
    """A whole residual branch is left out for an example with probability ``p``: stochastic depth.

    ``h * m / (1 - p)`` with one m for each example, so that the mean stays (Huang et al. 2016, arXiv:1603.09382, who
    scale in use instead of in training).

    Input (n, ...), output of the same shape.

    >>> DropPath(0.5).eval()(torch.ones(2, 3)).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> the same."""
        if not self.training or not self.p:
            return x
        return x * keep_mask(x.new_empty(len(x), *[1] * (x.dim() - 1)), self.p)


class GaussianNoise(nn.Module):
    """Adds normal numbers of standard deviation ``std`` in training.

    For small noise on the inputs it is a penalty on the size of the network's slope (Bishop 1995, Neural
    Computation 7).

    >>> GaussianNoise(0.1).eval()(torch.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return x + self.std * torch.randn_like(x) if self.training and self.std else x


# "alpha" keeps mean and variance of SELU's outputs: dropped units get SELU's lowest value (Klambauer et al. 2017)
DROPOUTS: dict[str, Callable[[float], nn.Module]] = {
    "units": Dropout,
    "alpha": nn.AlphaDropout,
    "spatial": SpatialDropout,
}


def keep_mask(like: Tensor, dropout: float) -> Tensor:
    """A dropout mask: 0 with probability ``dropout``, else ``1 / (1 - dropout)``.

    Compared with uniform numbers, which is several times quicker on a CPU than ``bernoulli``; large masks
    there are compared with 16 random bits per unit (four units a draw), which halves the time once more. The
    probability is then rounded to a 65,536th, and the survivors are divided by the rounded one.
    """
    keep, n = 1.0 - dropout, like.numel()
    level = round(keep * BITS)
    if n < DRAWN_IN_FOURS_FROM or like.device.type != "cpu" or not 0 < level < BITS:
        return torch.rand_like(like).lt_(keep).div_(keep)
    drawn = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
    units = drawn.view(torch.int16)[:n].view(like.shape)  # uniform on -32768 .. 32767
    return (units < level - BITS // 2).to(like.dtype).mul_(BITS / level)
