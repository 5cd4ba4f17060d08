"""What a picture meets first: its channels standardised, and a first convolution that whitens its patches.

Pictures (n, c, h, w): 8-bit numbers, or real ones in [0, 1].
"""

import torch
from torch import Tensor, nn

from ganglion.base.errors import DataError
from ganglion.base.fields import Above
from ganglion.base.numbers import number

AT_ONCE = 2**22  # values that are held in double precision


class Standardise(nn.Module):
    """Channels to mean 0 and spread 1: ``(x - mean) / std``, one mean and one std a channel.

    As a network's first layer it lets the saved module take pictures in [0, 1]. A spread of 0 counts as 1, so that a
    constant channel becomes 0.

    Arguments:
        mean: (c,) means of the channels of pictures in [0, 1].
        std: (c,) their standard deviations, 0 or more.

    Raises ``DataError`` where the numbers do not fit together, or for pictures with another number of channels.

    >>> Standardise([0.5], [0.25])(torch.ones(1, 1, 2, 2)).flatten().tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor | list[float], std: Tensor | list[float]) -> None:
        super().__init__()
        mean, std = (torch.as_tensor(part, dtype=torch.float32, device="cpu") for part in (mean, std))
        if mean.dim() != 1 or mean.shape != std.shape or not (std >= 0).all() or not mean.isfinite().all():
            raise DataError(
                "mean and std must be one finite number for each channel, std 0 or more, got "
                f"{mean.tolist()} and {std.tolist()}; take Standardise.from_pictures(pictures)."
            )
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("std", torch.where(std > 0, std, 1.0)[:, None, None])

    @classmethod
    def from_pictures(cls, pictures: Tensor) -> "Standardise":
        """Learn both from pictures (n, c, h, w), a part of them at a time; 8-bit ones are read as x / 255.

        Raises ``DataError`` for anything else.

        >>> Standardise.from_pictures(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).std.item()
        0.5
        """
        if pictures.dim() != 4 or not pictures.numel():
            raise DataError(
                f"pictures (n, c, h, w) are expected, got {tuple(pictures.shape)}; give a batch of them."
            )
        start = pictures[0, :, :1, :1].double()  # differences from it are small, and 0 in a constant channel
        total = square = torch.zeros(())
        for part in pictures.split(max(1, AT_ONCE // pictures[0].numel())):
            gap = part.double() - start
            total = total + gap.sum((0, 2, 3))
            square = square + gap.square_().sum((0, 2, 3))
        mean, square = (part / (pictures.numel() / pictures.shape[1]) for part in (total, square))
        unit = 255 if pictures.dtype == torch.uint8 else 1
        std = (square - mean.square()).clamp(min=0).sqrt()
        return cls(((mean + start.flatten()) / unit).cpu(), (std / unit).cpu())

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) in [0, 1], or 8-bit ones, which are read as x / 255 -> (n, c, h, w)."""
        if x.shape[-3] != len(self.mean):
            raise DataError(
                f"pictures with {len(self.mean)} channels are expected, as in training, got {x.shape[-3]}."
            )
        x = x if x.is_floating_point() else x / 255
        return (x - self.mean) / self.std


@torch.no_grad()
def whiten_(layer: nn.Conv2d, pictures: Tensor, eps: float = 5e-4) -> nn.Conv2d:
    """Start a first convolution with the whitening of its patches: no two of its outputs then say the same.

    Patches p have the covariance ``C = V diag(l) V^T``; the filters are ``v_i / sqrt(l_i + eps)``, the largest l
    first, and after them the same ones negated, since an activation that cuts one side would lose half of each. The
    bias takes the mean away. A layer with fewer outputs gets the first of both; further ones keep their start. As in
    the quickest trainings of CIFAR-10 (Jordan 2024, arXiv:2404.00498).

    Arguments:
        layer: a convolution over all channels (groups=1).
        pictures: (n, c, h, w) as the layer gets them, standardised; a thousand are enough.
        eps: variance that is added, so that directions without any are not blown up.

    Returns the layer. Raises ``DataError`` where no patch fits, ``ParameterError`` for the numbers.

    >>> layer = whiten_(nn.Conv2d(1, 8, 2), torch.randn(50, 1, 6, 6), eps=1e-6)
    >>> round(layer(torch.randn(500, 1, 6, 6)).std().item(), 1)
    1.0
    """
    number("whiten_'s eps", eps, Above(0))
    reach = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation)]
    if pictures.dim() != 4 or layer.groups != 1 or min(n - r for n, r in zip(pictures.shape[2:], reach)) < 1:
        raise DataError(
            f"whitening needs patches {layer.kernel_size} of pictures (n, c, h, w) and groups=1, "
            f"got {tuple(pictures.shape)} and groups={layer.groups}."
        )
    mean, second, count = torch.zeros(()), torch.zeros(()), 0
    for part in pictures.split(max(1, AT_ONCE // layer.weight[0].numel() // pictures[0, 0].numel())):
        patches = nn.functional.unfold(
            part.double(), layer.kernel_size, layer.dilation
        )  # (n, c k k, positions)
        patches = patches.transpose(0, 1).flatten(1)
        mean, second, count = mean + patches.sum(1), second + patches @ patches.t(), count + patches.shape[1]
    mean = mean / count
    variances, directions = torch.linalg.eigh(second / count - mean.outer(mean))
    filters = (directions / (variances.clamp(min=0) + eps).sqrt()).t().flip(0)
    most = filters.abs().argmax(1, keepdim=True)
    filters = (
        filters * filters.gather(1, most).sign()
    )  # a direction's sign is free; its largest entry is positive
    pairs = min(len(filters), layer.out_channels // 2)
    chosen = torch.cat([filters[:pairs], -filters[:pairs]])
    layer.weight[: 2 * pairs] = chosen.reshape(2 * pairs, *layer.weight.shape[1:]).to(layer.weight)
    if layer.bias is not None:
        layer.bias[: 2 * pairs] = -(chosen @ mean).to(layer.bias)
    return layer
