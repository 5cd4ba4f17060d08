"""Windows of a series for training a forecaster: where they start, and which of them may train, choose and judge.

A window that starts at s looks at the times s .. s + L - 1 (lookback L) and forecasts s + L .. s + L + H - 1
(horizon H). Only starts are kept; values are gathered a batch at a time.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number


class Split(NamedTuple):
    """Starts of windows, (n,) int64 each, that train a forecaster, choose its epoch and judge it."""

    train: Tensor
    valid: Tensor
    test: Tensor


def window_starts(T: int, L: int, H: int, stride: int = 1) -> Tensor:
    """The starts 0, stride, 2 stride ... of the ``floor((T - L - H) / stride) + 1`` windows of a series, int64.

    Arguments:
        T: times of the series.
        L: lookback, times that are seen.
        H: horizon, times that are forecast.
        stride: times between neighbouring starts.

    Raises ``DataError`` for a series shorter than one window, ``ParameterError`` for the numbers.

    >>> window_starts(10, 4, 2, stride=2).tolist()
    [0, 2, 4]
    """
    _checked(L, H, stride)
    if T < L + H:
        raise DataError(
            f"a window of {L} times to look at and {H} to forecast needs {L + H} times, got {T}; give a longer series "
            "or take a shorter lookback or horizon."
        )
    return torch.arange(0, T - L - H + 1, stride)


def split_starts(
    T: int, L: int, H: int, borders: tuple[int, int, int] | None = None, stride: int = 1
) -> Split:
    """Windows split by time so that no forecast time of one part lies in another.

    With borders a < b < c the times to forecast lie in [0, a) for training, [a, b) for validation and [b, c) for
    testing. Those of training lie inside [0, a) as a whole; the others may look back over the border, as the usual
    protocol has it (Zhou et al. 2021, arXiv:2012.07436: months of ETTh1 12, 4 and 4, borders (8640, 11520, 14400)).
    What is learned of the values (mean and spread) is to be learned of [0, a).

    Arguments:
        T: times of the series.
        L: lookback.
        H: horizon.
        borders: (a, b, c), c at most T; by default 70, 80 and 100 % of T.
        stride: times between neighbouring starts of training; validation and testing take every start.

    Raises ``DataError`` for borders out of order and for a part without any window.

    >>> [len(part) for part in split_starts(17420, 336, 96, (8640, 11520, 14400))]
    [8209, 2785, 2785]
    """
    _checked(L, H, stride)
    a, b, c = borders if borders is not None else (7 * T // 10, 8 * T // 10, T)
    if not 0 < a < b < c <= T:
        raise DataError(
            f"borders 0 < a < b < c <= {T} are expected, got {(a, b, c)}; give the ends of training, validation and "
            "test in times, or a longer series."
        )
    parts = [window_starts(a, L, H, stride)]
    for name, first, end in (("validation", a, b), ("test", b, c)):
        if end - first < H:
            raise DataError(
                f"each part needs at least the {H} times of one horizon, but {name} has {end - first}; move the "
                "borders, give a longer series or take a shorter horizon."
            )
        parts.append(torch.arange(first - L, end - H - L + 1))
    return Split(*parts)


def whole_windows(values: Tensor, starts: Tensor, length: int) -> Tensor:
    """Of the starts those whose ``length`` times have no NaN in any column of values (T, k).

    >>> whole_windows(torch.tensor([[1.0], [float("nan")], [3.0], [4.0]]), torch.arange(3), 2).tolist()
    [2]
    """
    _inside(len(values), starts, length)
    gaps = values.reshape(len(values), -1).isnan().any(dim=1).cumsum(0)
    before = torch.cat([gaps.new_zeros(1), gaps])
    kept = before[starts + length] == before[starts]
    return starts[kept]


def gather(values: Tensor, starts: Tensor, L: int, H: int) -> tuple[Tensor, Tensor]:
    """What windows see, (n, L, k), and what they forecast, (n, H, k), of values (T, k).

    Raises ``DataError`` for starts outside of the series.

    >>> past, future = gather(torch.arange(5.0)[:, None], torch.tensor([0, 2]), 2, 1)
    >>> past[..., 0].tolist(), future[..., 0].tolist()
    ([[0.0, 1.0], [2.0, 3.0]], [[2.0], [4.0]])
    """
    _inside(len(values), starts, L + H)
    steps = torch.arange(L + H, device=starts.device)
    windows = values[starts[:, None] + steps]
    return windows[:, :L], windows[:, L:]


def _inside(T: int, starts: Tensor, length: int) -> None:
    if len(starts) and (int(starts.min()) < 0 or int(starts.max()) + length > T):
        raise DataError(
            f"starts from 0 to {T - length} are expected for windows of {length} of {T} times, got "
            f"{int(starts.min())} to {int(starts.max())}; take those of window_starts."
        )


def _checked(L: Any, H: Any, stride: Any) -> None:
    for what, value in {"lookback L": L, "horizon H": H, "stride": stride}.items():
        number(f"a window's {what}", value, AtLeast(1), whole=True)
