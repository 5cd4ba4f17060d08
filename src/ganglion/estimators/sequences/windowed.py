"""What a forecaster does with windows: which of them train and choose, forecasts step by step, widths of intervals.

Axes: n windows or series, T times, L seen, H forecast, k targets, c columns, o numbers told (a forecast, quantiles).
"""

from typing import Any

import numpy as np
import torch
from scipy.special import ndtr, stdtrit
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.windows import gather, whole_windows, window_starts
from ganglion.models.forecast import ForecastNet, naive_forecast, window_scale

SEASONS = 14  # that are looked at: two weeks of hours
AT_ONCE = 2**21  # numbers of windows that go through the network together outside training
JUDGED = 4096  # windows at most that a part is scored by, evenly spread


def lookback_of(wanted: int | str, T: int, H: int, season: int) -> int:
    """Times to look at: as wanted, or 14 seasons or 3 horizons, at most a quarter of the series, in whole seasons.

    >>> lookback_of("auto", 11520, 96, 24), lookback_of("auto", 108, 12, 12)
    (336, 24)
    """
    if wanted != "auto":
        return int(wanted)
    usual = max(SEASONS * season if season > 1 else 0, 3 * H if season == 1 else H, SEASONS)
    found = max(1, min(usual, T // 4, T - 2 * H))
    return found - found % season if found >= season else found


def parts(
    columns: Tensor, n: int, L: int, H: int, steps: int, fraction: float, stride: int
) -> tuple[Tensor, Tensor]:
    """Starts of windows that train (L + steps times) and that choose (L + H), of n series laid end to end.

    The latest ``fraction`` of the times, at least two horizons where a third of the times allows, is forecast by the
    windows that choose, and by no other; where too little would be left, all train and none chooses. Windows with gaps
    are left out.

    Raises ``DataError`` for series that are shorter than a window, or without any whole one.
    """
    T = len(columns) // n
    if T < L + H:
        raise DataError(
            f"a window of {L} times to look at and {H} to forecast needs {L + H} times, got {T}; give a longer series "
            "or take a shorter lookback or horizon."
        )
    held = max(round(fraction * T), min(2 * H, T // 3), H) if fraction else 0
    held = held if T - held >= L + H else 0
    border = T - held
    first = torch.arange(n)[:, None] * T
    train = (first + window_starts(border, L, steps, stride)).flatten()
    valid = (first + torch.arange(border - L, T - L - H + 1)).flatten() if held else train[:0]
    train, valid = whole_windows(columns, train, L + steps), whole_windows(columns, valid, L + H)
    if not len(train):
        raise DataError(
            f"windows of {L + steps} times without gaps are expected, got none; fill gaps, give more or take a shorter "
            "lookback or horizon."
        )
    return train, valid


def spread_out(starts: Tensor, most: int = JUDGED) -> Tensor:
    """At most so many of them, evenly spread."""
    if len(starts) <= most:
        return starts
    return starts[torch.linspace(0, len(starts) - 1, most).round().long()]


def better_naive(columns: Tensor, train: Tensor, L: int, H: int, k: int, season: int) -> str:
    """The naive forecast with the least squared error over the windows that train."""
    past, future = gather(columns, spread_out(train, 1000), L, H)
    kinds = ["last", "mean", *(["repeat", "season"] if 1 < season <= L else [])]
    errors = [naive_forecast(past[..., :k], H, kind, season) - future[..., :k] for kind in kinds]
    return kinds[int(np.argmin([float(gap.square().mean()) for gap in errors]))]


@torch.inference_mode()
def rolled(net: ForecastNet, past: Tensor, known: Tensor, steps: int) -> Tensor:
    """Forecasts of as many steps as are asked for, each H behind what was forecast before: (n, steps, k, o).

    Arguments: past (n, L, c), and known (n, steps, m) the covariates ahead.
    """
    told, done = [], 0
    while done < steps:
        x = past
        if net.known:
            ahead = known[:, done : done + net.H]
            ahead = torch.cat([ahead, ahead[:, -1:].expand(-1, net.H - ahead.shape[1], -1)], 1)
            x = torch.cat([past, torch.cat([ahead.new_zeros(*ahead.shape[:2], net.k), ahead], 2)], 1)
        told.append(net(x)[:, : steps - done])
        step = told[-1].shape[1]
        done += step
        if done < steps:
            new = torch.cat([told[-1][..., 0], known[:, done - step : done]], 2)
            past = torch.cat([past, new], 1)[:, -net.L :]
    return torch.cat(told, 1)


@torch.inference_mode()
def forecasts(net: ForecastNet, columns: Tensor, starts: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of windows of a series (T, c) what is told (n, steps, k, o), what came (n, steps, k), their spreads (n, 1, k)."""
    was_training = net.training
    net.eval()
    found: list[Any] = []
    size = max(1, AT_ONCE // ((net.L + steps) * columns.shape[1] * 8))
    try:
        for block in starts.split(size):
            past, future = gather(columns, block, net.L, steps)
            told = rolled(net, past, future[..., net.k : net.k + net.known], steps)
            found.append((told, future[..., : net.k], window_scale(past[..., : net.k])[1]))
    finally:
        net.train(was_training)
    return tuple(torch.cat(each) for each in zip(*found))  # type: ignore[return-value]


def apart(starts: Tensor, H: int) -> int:
    """How many of these windows there are of which no two forecast a common time.

    >>> apart(torch.arange(13), 12)
    2
    """
    n, free = 0, -1
    for start in starts.sort().values.tolist():
        if start >= free:
            n, free = n + 1, start + H
    return n


def from_few(q: float, n: int) -> float:
    """The level of a sample that stands for the level q, where the sample is worth n independent errors.

    ``Phi(t_n^-1(q))``: a normal interval of a spread that is known from n errors takes Student's quantile (Gosset
    1908), and this is the level at which a sample of normal errors has it. It tends to q.

    >>> [round(1 - 2 * from_few(0.1, n), 3) for n in (1, 2, 14, 1000)]
    [0.998, 0.941, 0.821, 0.8]
    """
    return float(ndtr(stdtrit(max(n, 1), q)))


def widths(
    told: Tensor, y: Tensor, spread: Tensor, levels: tuple[float, ...], by_step: bool, n: int
) -> np.ndarray:
    """What is added to quantiles, (H or 1, Q) in units of a window's spread, so that windows kept aside are covered.

    For levels q and 1 - q both ends move by the (1 - 2 q)-quantile of ``max(f_q - y, y - f_(1-q))``: conformalized
    quantile regression (Romano et al. 2019, arXiv:1905.03222). Windows that overlap tell nearly the same, so q is that
    of a small sample, see ``from_few``. Other levels stay. With ``by_step`` all begin at the forecast itself, each step
    has a width of its own, and a level without its opposite takes its own errors'.

    Arguments: told (m, H, k, o), y (m, H, k), spread (m, 1, k), and n of the m windows that overlap with no other.
    """
    H = y.shape[1] if by_step else 1
    shift = np.zeros((H, len(levels)))
    if not len(y):
        return shift
    found = [round(q, 12) for q in levels]
    ends = told[..., :1].expand(*y.shape, len(levels)) if by_step else told[..., 1:]
    for i, q in enumerate(found):
        other = round(1 - q, 12)
        if other not in found and by_step:
            errors = ((y - ends[..., i]) / spread).transpose(0, 1).reshape(H, -1).double().cpu().numpy()
            shift[:, i] = np.quantile(errors, from_few(q, n), axis=1)
        if q >= 0.5 or other not in found:
            continue
        j = found.index(other)
        miss = torch.maximum(ends[..., i] - y, y - ends[..., j]) / spread
        miss = miss.transpose(0, 1).reshape(H, -1).double().cpu().numpy()
        shift[:, j] = np.quantile(miss, 1 - 2 * from_few(q, n), axis=1)
        shift[:, i] = -shift[:, j]
    return shift
