"""Temporal convolutions: layers along a sequence whose reach doubles with each, up to whole sequences.

Axes: n sequences, c or d channels, t places.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.nn.activations import activation_named
from ganglion.nn.noise import SpatialDropout


class TemporalConv(nn.Conv1d):
    """A convolution along time that keeps the length: causal, or with the place itself in the middle.

    >>> TemporalConv(2, 3, 3, dilation=2, causal=True)(torch.zeros(1, 2, 5)).shape
    torch.Size([1, 3, 5])
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1, causal: bool = False
    ) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        reach = dilation * (kernel - 1)
        self.around = (reach, 0) if causal else (reach // 2, reach - reach // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, t) -> (n, d, t)."""
        return super().forward(F.pad(x, self.around))


class TemporalBlock(nn.Module):
    """Two dilated convolutions beside a skip: ``f(x + g(x))``, ``g = (conv, norm, f, dropout) twice``.

    Bai et al. 2018, arXiv:1803.01271, with a norm over the channels of each place instead of weight normalisation,
    so that an answer depends neither on the batch nor on padding.

    Arguments: channels in and out, kernel, dilation, ``causal`` whether a place sees only what is before it.

    >>> TemporalBlock(2, 4, 3, dilation=2)(torch.zeros(1, 2, 7), torch.ones(1, 7, dtype=torch.bool)).shape
    torch.Size([1, 4, 7])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        dilation: int = 1,
        causal: bool = False,
        activation: str = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        f = activation_named(activation)
        options = {"dilation": dilation, "causal": causal}
        sizes = (inputs, outputs), (outputs, outputs)
        self.convs = nn.ModuleList(TemporalConv(a, b * f.pieces, kernel, **options) for a, b in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(b * f.pieces) for _, b in sizes)
        self.activation, self.drop = f.of_maps(), SpatialDropout(dropout)
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """(n, c, t) -> (n, d, t); padding is kept at 0, as the zeros around a sequence are."""
        keep = None if there is None else there[:, None].to(x.dtype)
        h = x
        for conv, norm in zip(self.convs, self.norms):
            h = norm(conv(h).transpose(1, 2)).transpose(1, 2)
            h = self.drop(self.activation(h))
            h = h if keep is None else h * keep
        out = self.skip(x) + h
        return out if keep is None else out * keep


class TemporalStack(nn.Module):
    """Blocks of dilation 1, 2, 4 ... (n, t, c) -> (n, t, d); L of them see ``1 + 2 (kernel - 1) (2^L - 1)`` places.

    >>> TemporalStack(2, (4, 4), 3)(torch.zeros(1, 7, 2)).shape
    torch.Size([1, 7, 4])
    """

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, ...],
        kernel: int,
        *,
        causal: bool = False,
        activation: str = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        options = {"causal": causal, "activation": activation, "dropout": dropout}
        sizes = zip((inputs, *widths), widths)
        self.blocks = nn.ModuleList(
            TemporalBlock(a, b, kernel, dilation=2**i, **options)  # type: ignore[arg-type]
            for i, (a, b) in enumerate(sizes)
        )

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """(n, t, c) -> (n, t, d)."""
        h = x.transpose(1, 2)
        for block in self.blocks:
            h = block(h, there)
        return h.transpose(1, 2)


class ParallelConvs(nn.Module):
    """Convolutions of several widths side by side, each finding runs of its own length: (n, t, c) -> (n, t, 3 d).

    Kim 2014, arXiv:1408.5882, who takes each one's maximum over the places.

    >>> ParallelConvs(2, 4)(torch.zeros(1, 7, 2)).shape
    torch.Size([1, 7, 12])
    """

    def __init__(self, inputs: int, outputs: int, kernels: tuple[int, ...] = (3, 4, 5)) -> None:
        super().__init__()
        self.convs = nn.ModuleList(TemporalConv(inputs, outputs, k) for k in kernels)

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """(n, t, c) -> (n, t, widths d); what is not there counts as 0."""
        h = x.transpose(1, 2)
        if there is not None:
            h = h * there[:, None]
        return torch.relu(torch.cat([conv(h) for conv in self.convs], 1)).transpose(1, 2)


def ends(x: Tensor, there: Tensor | None) -> Tensor:
    """The last real place of sequences (n, t, d): (n, d).

    >>> ends(torch.tensor([[[1.0], [2.0]]]), torch.tensor([[True, False]])).tolist()
    [[1.0]]
    """
    if there is None:
        return x[:, -1]
    last = (there.sum(1) - 1).clamp(min=0)
    return x[torch.arange(len(x), device=x.device), last]
