"""Filtering pictures with kernels by name: edges, blurs, sharpening, textures.

As in a convolutional layer the kernel is not flipped: ``out_(i,j) = sum_(a,b) K_(a,b) x_(i+a-p, j+b-q)``, p and q
the kernel's middle. x grows to the right and y downwards, so ``sobel_x`` answers where a picture grows brighter to
the right.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.base.fields import Above, AtLeast
from ganglion.base.named import named
from ganglion.base.numbers import number

# how a picture abcd goes on beyond its edge, by scipy's words -> NumPy's
EDGES = {
    "reflect": "symmetric",  # dcba|abcd|dcba
    "mirror": "reflect",  # dcb|abcd|cba
    "nearest": "edge",  # aaaa|abcd|dddd
    "wrap": "wrap",  # abcd|abcd|abcd
    "zero": "constant",  # 0000|abcd|0000
}
MOST_CHANNELS = 4

SLOPE = np.array([[-1.0, 0.0, 1.0]])


def _across(weights: tuple[float, float, float]) -> np.ndarray:
    """The slope along x, averaged over three rows."""
    return np.array([weights]).T @ SLOPE


def _both(weights: tuple[float, float, float]) -> np.ndarray:
    """The slopes along x and along y."""
    return np.stack([_across(weights), _across(weights).T])


def _box(size: int = 3) -> np.ndarray:
    number("box's size", size, AtLeast(1), whole=True)
    return np.full((size, size), 1 / size**2)


def _gaussian(std: float = 1.0) -> np.ndarray:
    """Cut at four standard deviations and brought to the sum 1."""
    number("gaussian's std", std, Above(0))
    reach = int(4 * std + 0.5)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    return np.outer(bell, bell) / bell.sum() ** 2


def _gabor(wavelength: float = 8.0, angle: float = 0.0, std: float = 0.0, phase: float = 0.0) -> np.ndarray:
    """A wave under a bell, ``exp(-r^2 / (2 std^2)) cos(2 pi u / wavelength + phase)``, minus its mean.

    u runs along the angle (degrees, from x towards y); a std of 0 is half the wavelength. It answers to stripes of
    that width and direction, much as simple cells of the visual cortex do (Daugman 1985).
    """
    number("gabor's wavelength", wavelength, Above(0))
    number("gabor's std", std, AtLeast(0))
    number("gabor's angle", angle, AtLeast(-360))
    number("gabor's phase", phase, AtLeast(-360))
    std = std or wavelength / 2
    reach = int(3 * std + 0.5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    u = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
    bell = np.exp(-0.5 * (x**2 + y**2) / std**2)
    wave = bell * np.cos(2 * np.pi * u / wavelength + math.radians(phase))
    wave -= bell * wave.sum() / bell.sum()  # no answer to a plain surface
    return wave / bell.sum()


# name -> what makes the kernel (h, w) from the numbers in its brackets, or two of them, of which the length is taken
FILTERS: dict[str, Callable[..., np.ndarray]] = {
    "sobel_x": lambda: _across((1, 2, 1)),
    "sobel_y": lambda: _across((1, 2, 1)).T,
    "scharr_x": lambda: _across((3, 10, 3)),
    "scharr_y": lambda: _across((3, 10, 3)).T,
    "prewitt_x": lambda: _across((1, 1, 1)),
    "prewitt_y": lambda: _across((1, 1, 1)).T,
    "edge": lambda: _both((1, 2, 1)),
    "laplacian": lambda: np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "outline": lambda: np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "sharpen": lambda: np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "emboss": lambda: np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    "box": _box,
    "gaussian": _gaussian,
    "gabor": _gabor,
}


def kernel_named(text: str) -> np.ndarray:
    """The kernel (h, w) of a name, which may carry numbers in brackets; of "edge" the two (2, h, w).

    Raises ``ParameterError`` with the nearest known name, or for numbers that it does not take.

    >>> kernel_named("sobel_x").tolist()
    [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
    """
    return named("filter", text, FILTERS)


def filter_image(image: Any, kernel: Any, edges: str = "reflect") -> np.ndarray:
    """A picture filtered with a kernel, every channel by itself.

    ``sobel``, ``scharr`` and ``prewitt`` (with ``_x`` or ``_y``) are slopes, "edge" the length of Sobel's two,
    ``sqrt(s_x^2 + s_y^2)``; "laplacian" the sum of the second differences; "outline" eight times a place minus its
    neighbours; "sharpen" the picture minus its laplacian; "emboss" light from the upper left; "box(size)" and
    "gaussian(std)" means; "gabor(wavelength, angle, std, phase)" stripes.

    Arguments:
        image: numbers (h, w), (h, w, c) or (n, h, w, c), at most four channels.
        kernel: one of these names, or numbers (kh, kw), whose middle is ``((kh - 1) // 2, (kw - 1) // 2)``.
        edges: how the picture goes on beyond its edge, in the words of ``scipy.ndimage``: "reflect", "mirror",
            "nearest", "wrap", or "zero".

    Returns float64 numbers of the picture's shape, on the picture's scale, below 0 as well. Raises ``DataError`` for
    other pictures, ``ParameterError`` for other kernels.

    >>> filter_image([[0, 0, 8, 8]], "sobel_x").tolist()
    [[0.0, 32.0, 32.0, 0.0]]
    """
    x = _picture(image)
    kernels = kernel_named(kernel) if isinstance(kernel, str) else _own(kernel)
    if edges not in EDGES:
        raise ParameterError(unknown_name("edges", edges, list(EDGES)))
    (above, below), (left, right) = (((k - 1) // 2, k // 2) for k in kernels.shape[-2:])
    batch = x.reshape(1, *x.shape, 1) if x.ndim == 2 else x.reshape(-1, *x.shape[-3:])  # (n, h, w, c)
    wide = np.pad(batch, ((0, 0), (above, below), (left, right), (0, 0)), EDGES[edges])  # type: ignore[call-overload]
    places = torch.as_tensor(wide).permute(0, 3, 1, 2).flatten(0, 1)[:, None]  # (n c, 1, h, w)
    weight = torch.as_tensor(kernels.reshape(-1, 1, *kernels.shape[-2:]))
    found = F.conv2d(places, weight)
    found = found if len(weight) == 1 else found.square().sum(1, keepdim=True).sqrt()
    n, height, width, channels = batch.shape
    return found.reshape(n, channels, height, width).permute(0, 2, 3, 1).reshape(x.shape).numpy()


def _own(kernel: Any) -> np.ndarray:
    array = _numbers("a kernel", kernel, ParameterError)
    if array.ndim != 2 or not array.size:
        raise ParameterError(f"a kernel must be numbers (kh, kw), got {array.shape}; give two axes.")
    return array


def _picture(image: Any) -> np.ndarray:
    x = _numbers("a picture", image, DataError)
    if x.ndim not in (2, 3, 4) or not x.size or (x.ndim > 2 and x.shape[-1] > MOST_CHANNELS):
        raise DataError(
            f"a picture must be numbers (h, w), (h, w, c) or (n, h, w, c) with at most {MOST_CHANNELS} channels, got "
            f"{x.shape}; give grey pictures (n, h, w) as pictures[..., None]."
        )
    return x


def _numbers(what: str, value: Any, kind: type[Exception]) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise kind(f"{what} must be an array of real numbers, got {type(value).__name__}; give numbers.")
    if not np.isfinite(array).all():
        raise kind(f"{what} must be finite, got NaN or infinite entries; replace them first.")
    return array.astype(np.float64)
