"""What a network looks for in pictures: the kernels of its first layer, and the maps that its stages make."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.plot.pictures import plot_pictures


def kernel_pictures(module: nn.Module) -> list[NDArray[np.float64]]:
    """The kernels of the first convolution as pictures (h, w, 3), or (h, w) where it sees no colours; 0 is mid-grey.

    Each is scaled by its own largest weight, ``(1 + w / max|w|) / 2``. Of a layer that sees more than four channels
    the mean over them is shown. Raises ``ParameterError`` for a module without a convolution of pictures.

    >>> kernel_pictures(nn.Conv2d(3, 8, 5))[0].shape
    (5, 5, 3)
    """
    first = next((m for m in module.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise ParameterError(
            f"a module with a Conv2d is expected, got {type(module).__name__}; give another."
        )
    weight = first.weight.detach().double().cpu()
    weight = weight[:, :3] if weight.shape[1] in (3, 4) else weight.mean(1, keepdim=True)
    largest = weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    pictures = ((1 + weight / largest) / 2).permute(0, 2, 3, 1).numpy()
    return [p if p.shape[2] == 3 else p[:, :, 0] for p in pictures]


@torch.inference_mode()
def stage_maps(module: nn.Module, x: Tensor) -> list[Tensor]:
    """What each stage makes of a picture ``x`` (1, c, h, w): the last maps (channels, h, w) of every size, in order.

    The module is as before afterwards: hooks are taken off, also after an exception.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU())
    >>> [tuple(maps.shape) for maps in stage_maps(net, torch.rand(1, 1, 8, 8))]
    [(4, 8, 8), (8, 4, 4)]
    """
    found: dict[torch.Size, Tensor] = {}

    def keep(_: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[1] > x.shape[1]:
            found[output.shape[2:]] = output[0].float().cpu()

    mode, hooks = module.training, [m.register_forward_hook(keep) for m in module.modules()]
    try:
        module.eval()(x)
    finally:
        module.train(mode)
        for hook in hooks:
            hook.remove()
    return list(found.values())


def map_pictures(maps: Tensor, most: int = 12) -> list[NDArray[np.float64]]:
    """The maps (channels, h, w) that vary most over the picture, strongest first, each (h, w) from 0 to 1.

    >>> [p.shape for p in map_pictures(torch.rand(8, 4, 4), most=2)]
    [(4, 4), (4, 4)]
    """
    maps = torch.nan_to_num(maps.double())
    spread = maps.flatten(1).var(1, correction=0)
    chosen = maps[spread.argsort(descending=True)[:most]]
    low, high = chosen.amin((1, 2), keepdim=True), chosen.amax((1, 2), keepdim=True)
    return list(((chosen - low) / (high - low).clamp_min(1e-12)).numpy())


def plot_filters(module: nn.Module, *, most: int = 64, ax: Axes | None = None) -> Axes:
    """Draw the kernels of a module's first convolution; mid-grey is a weight of 0, see ``kernel_pictures``.

    >>> len(plot_filters(nn.Conv2d(1, 6, 5)).images)
    6
    """
    return plot_pictures(kernel_pictures(module)[:most], columns=16, ax=ax)


def plot_maps(module: nn.Module, x: Tensor, *, most: int = 12, ax: Axes | None = None) -> Axes:
    """Draw what each stage of a module makes of a picture ``x`` (1, c, h, w), a row for each, see ``stage_maps``.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2))
    >>> len(plot_maps(net, torch.rand(1, 1, 8, 8)).images)
    8
    """
    rows = [map_pictures(maps, most) for maps in stage_maps(module, x)]
    wide, blank = max(map(len, rows), default=1), np.zeros((1, 1, 4))  # a short row ends in nothing
    flat = [picture for row in rows for picture in [*row, *[blank] * (wide - len(row))]]
    return plot_pictures(flat, columns=wide, ax=ax)
