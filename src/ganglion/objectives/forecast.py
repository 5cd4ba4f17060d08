"""What a forecast costs: the error of the forecast itself, and the pinball losses of the quantiles beside it."""

import torch
from torch import Tensor

from ganglion.objectives.loss import Loss


def forecast_loss(levels: tuple[float, ...] = (), point: str = "squared_error") -> Loss:
    """``mean e(y - f) + mean_q max(q (y - f_q), (q - 1) (y - f_q))`` over times and targets.

    The first of the outputs is the forecast f, the others the quantiles f_q, whose expected loss is least at the true
    ones (Koenker and Bassett 1978).

    Arguments:
        levels: (Q,) between 0 and 1.
        point: e, "squared_error" (f is a mean) or "absolute_error" (a median).

    ``value`` takes output (n, H, k, 1 + Q) and y (n, H, k).

    >>> forecast_loss((0.9,)).value(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1))
    tensor([1.9000])
    """

    def value(output: Tensor, y: Tensor) -> Tensor:
        gap = y - output[..., 0]
        losses = (gap.square() if point == "squared_error" else gap.abs()).flatten(1).mean(1)
        if not levels:
            return losses
        q = torch.tensor(levels, dtype=output.dtype, device=output.device)
        under = y[..., None] - output[..., 1:]
        return losses + torch.maximum(q * under, (q - 1) * under).flatten(1).mean(1)

    return Loss(value)
