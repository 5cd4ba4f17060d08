"""A network that was trained before, without its head, under a new one: which of its parts learn, and how fast."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganglion.models.cnn import Head
from ganglion.nn.pictures import Standardise

AT_ONCE = 128  # pictures whose features are looked at together


class Adapted(nn.Module):
    """``head(scale(backbone(standardise(x))))``: features (n, d), or maps (n, d, h, w) of which the mean is taken.

    ``scale`` brings each feature to mean 0 and spread 1 over the pictures that it learned them from: a new head then
    learns within some steps from features of any size.

    Parts of the backbone that are held do not learn and stay in evaluation mode, so that their normalisation keeps
    the statistics it was trained with and their dropout does nothing.

    Arguments:
        backbone: pictures (n, c, h, w) -> features; its children stand in the order in which they are computed.
        standardise: what the pictures meet first.
        features: d.
        n_outputs: logits.
        dropout: of the features.
        output_bias: (n_outputs,) start of the head's bias; its weights start at 0.

    >>> net = Adapted(nn.Conv2d(1, 4, 3), Standardise([0.0], [1.0]), 4, 2).hold(1)
    >>> net(torch.rand(3, 1, 5, 5)).shape, [p.requires_grad for p in net.parameters()]
    (torch.Size([3, 2]), [False, False, True, True])
    """

    def __init__(
        self,
        backbone: nn.Module,
        standardise: Standardise,
        features: int,
        n_outputs: int,
        dropout: float = 0.0,
        output_bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.standardise, self.backbone = standardise, backbone
        self.scale = Standardise([0.0] * features, [1.0] * features)
        self.head = Head("average", features, (1, 1), (), n_outputs, "relu", dropout)
        self.held = 0
        last = self.head.linears[-1]
        with torch.no_grad():
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias) if output_bias is None else last.bias.copy_(output_bias)  # type: ignore[arg-type, operator, union-attr]

    def hold(self, parts: int) -> "Adapted":
        """Let the first parts of the backbone stay as they are, all others and the head learn."""
        self.held = parts
        inside = [p for part in self.parts() for m in part for p in m.parameters()]
        for p in {*self.backbone.parameters()} - {*inside}:  # the backbone's own count to its first part
            p.requires_grad_(not parts)
        for i, part in enumerate(self.parts()):
            for module in part:
                module.requires_grad_(i >= parts)
        return self.train(self.training)

    def parts(self) -> list[list[nn.Module]]:
        """The backbone's parts, each a layer or block with matrices and what follows it without (see ``parts_of``)."""
        return parts_of(self.backbone)

    def rates(self, decay: float) -> dict[nn.Parameter, float]:
        """The share of the step size for each parameter: 1 in the head, times ``decay`` for each part before it."""
        parts = self.parts()
        shares = {p: decay ** len(parts) for p in self.backbone.parameters()}
        for i, part in enumerate(parts):
            shares |= {p: decay ** (len(parts) - i) for m in part for p in m.parameters()}
        return shares | dict.fromkeys(self.head.parameters(), 1.0)

    def train(self, mode: bool = True) -> "Adapted":
        """Training or evaluation mode; what is held stays in the latter."""
        super().train(mode)
        for part in self.parts()[: self.held]:
            for module in part:
                module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), whole numbers to 255 or floats to 1 -> (n, n_outputs)."""
        return self.head(self.scale(self.features(x)))

    def features(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, d, 1, 1), not scaled."""
        found = self.backbone(self.standardise(x).contiguous(memory_format=torch.channels_last))
        return found.mean((2, 3), keepdim=True) if found.dim() == 4 else found[:, :, None, None]

    @torch.no_grad()
    def learn_scale(self, x: Tensor) -> None:
        """Take mean and spread of the features from pictures (n, c, h, w)."""
        was_training = self.training
        here = self.scale.mean.device
        found = torch.cat([self.eval().features(part.to(here)).float() for part in x.split(AT_ONCE)])
        self.scale.load_state_dict(Standardise.from_pictures(found).state_dict())
        self.train(was_training)


def parts_of(module: nn.Module) -> list[list[nn.Module]]:
    """The parts of a network in order: each a child with matrices or kernels, and the norms and the like behind it.

    A plain ``nn.Sequential`` stands for its children.

    >>> net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.ReLU(), nn.Conv2d(2, 4, 3))
    >>> [[type(m).__name__ for m in part] for part in parts_of(net)]
    [['Conv2d', 'BatchNorm2d', 'ReLU'], ['Conv2d']]
    """
    parts: list[list[nn.Module]] = []
    for layer in _layers(module):
        if parts and not (_has_matrix(layer) and any(map(_has_matrix, parts[-1]))):
            parts[-1].append(layer)
        else:
            parts.append([layer])
    return parts


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    for child in children or [module]:
        yield from _layers(child) if type(child) is nn.Sequential and len(child) else [child]


def _has_matrix(module: nn.Module) -> bool:
    return any(p.dim() > 1 for p in module.parameters())
