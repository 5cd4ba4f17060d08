"""Affine maps of the plane, one for each picture: (n, 2, 3), in pixels from the picture's centre, y down.

Products are written out, since a matrix product may run in half precision under autocast or on an accelerator.
"""

import torch
from torch import Tensor


def compose(second: Tensor, first: Tensor) -> Tensor:
    """The map that does ``first`` and then ``second``: ``A2 (A1 p + t1) + t2``.

    Arguments: maps (n, 2, 3). Returns (n, 2, 3).

    >>> shift, double = torch.tensor([[[1.0, 0, 3], [0, 1, 0]]]), torch.tensor([[[2.0, 0, 0], [0, 2, 0]]])
    >>> compose(double, shift)[0].tolist()
    [[2.0, 0.0, 6.0], [0.0, 2.0, 0.0]]
    """
    product = second[:, :, :1] * first[:, :1] + second[:, :, 1:2] * first[:, 1:]
    product[:, :, 2] += second[:, :, 2]
    return product


def identity(n: int, device: torch.device) -> Tensor:
    """``n`` maps (n, 2, 3) that leave every point where it is.

    >>> identity(1, torch.device("cpu")).tolist()
    [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    return torch.eye(2, 3, device=device).expand(n, 2, 3).clone()


def inverse(maps: Tensor) -> Tensor:
    """The map back, ``A^-1 q - A^-1 t``, in closed form, so that no device waits for a check.

    >>> inverse(torch.tensor([[[0.5, 0, 3], [0, 0.5, 0]]])).int()[0].tolist()
    [[2, 0, -6], [0, 2, 0]]
    """
    (a, b, x), (c, d, y) = (row.unbind(1) for row in maps.unbind(1))
    det = a * d - b * c
    rows = [d, -b, b * y - d * x, -c, a, c * x - a * y]
    return (torch.stack(rows, 1) / det[:, None]).view(-1, 2, 3)


def affine(angle: Tensor, scale: Tensor, shear: Tensor, shift: Tensor) -> Tensor:
    """Scale, then shear, then turn, then shift.

    Arguments:
        angle: radians (n,); positive turns to the right (clockwise), since y points down.
        scale: factors (n,).
        shear: (n, 2); x grows by ``shear[:, 0] * y``, and then y by ``shear[:, 1] * x``.
        shift: pixels (n, 2), to the right and down.

    >>> one, none = torch.ones(1), torch.zeros(1, 2)
    >>> affine(one * torch.pi / 2, one, none, none).round().int()[0].tolist()
    [[0, -1, 0], [1, 0, 0]]
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    p, q = shear.unbind(1)
    sheared = (1.0, p, q, 1 + p * q)  # rows (1, p) and (q, 1 + q p)
    linear = [
        cos * sheared[0] - sin * sheared[2],
        cos * sheared[1] - sin * sheared[3],
        sin * sheared[0] + cos * sheared[2],
        sin * sheared[1] + cos * sheared[3],
    ]
    turned = torch.stack(linear, 1).view(-1, 2, 2) * scale[:, None, None]
    return torch.cat([turned, shift[:, :, None]], 2)
