"""A picture that is itself what learns, and the features that a network sees in it."""

from collections.abc import Sequence

from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name


class Picture(nn.Module):
    """Pixels (1, c, h, w) as parameters; calling it gives them.

    >>> import torch
    >>> Picture(torch.zeros(1, 3, 4, 5))().shape
    torch.Size([1, 3, 4, 5])
    """

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self.pixels = nn.Parameter(pixels.clamp(0.02, 0.98).logit())

    def forward(self) -> Tensor:
        """The pixels."""
        return self.pixels.sigmoid()


class _Enough(Exception):
    """All layers that were asked for have answered."""


class Features:
    """What some layers of a network answer for a picture, by name; what lies behind the last of them is not computed.

    Arguments:
        network: takes (n, c, h, w); it is used in evaluation mode and its weights are not changed.
        layers: names as in ``network.named_modules()``.

    Raises ``ParameterError`` for a name that is no layer, and where one does not answer with maps (n, d, h, w).

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2))
    >>> {name: tuple(f.shape) for name, f in Features(net, ["0"])(torch.zeros(1, 1, 5, 5)).items()}
    {'0': (1, 4, 3, 3)}
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        self.network, self.layers = network.eval().requires_grad_(False), list(dict.fromkeys(layers))
        known = dict(network.named_modules())
        for name in self.layers:
            if name not in known or not name:
                raise ParameterError(unknown_name("layer", name, [k for k in known if k]))
        self.modules = {name: known[name] for name in self.layers}

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """The features of pictures (n, c, h, w) by layer."""
        seen: dict[str, Tensor] = {}
        hooks = [
            module.register_forward_hook(self._keep(name, seen)) for name, module in self.modules.items()
        ]
        try:
            self.network(x)
        except _Enough:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        for name in self.layers:
            if name not in seen or seen[name].dim() != 4:
                got = f"features of shape {tuple(seen[name].shape)}" if name in seen else "no answer"
                raise ParameterError(
                    f"layer {name!r} should answer with maps (n, d, h, w), got {got}; name another."
                )
        return seen

    def _keep(self, name: str, seen: dict[str, Tensor]) -> object:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen[name] = output
            if len(seen) == len(self.layers):
                raise _Enough

        return keep


def convolutions(network: nn.Module) -> list[str]:
    """The names of a network's convolutions, in the order in which they were made."""
    return [name for name, module in network.named_modules() if name and isinstance(module, nn.Conv2d)]
