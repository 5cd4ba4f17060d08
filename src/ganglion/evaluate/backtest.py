"""A rolling-origin evaluation: forecasters on the same windows, and which of them is really better than another.

Axes: n origins, H times that are forecast, k columns, Q levels.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.metrics.forecast import Comparison, diebold_mariano, interval_coverage, mase, pinball_loss

ALPHA = 0.05
NAIVE = "last value"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Backtest:
    """What forecasters said at the same origins, how good that was, and what may be concluded from it."""

    origins: NDArray[np.int64]
    """(n,) the first time that is forecast."""
    truth: Array = field(repr=False)
    """(n, H, k), in the units of the series, as all forecasts."""
    forecasts: dict[str, Array] = field(repr=False)
    """(n, H, k) by name; the first is the one that is judged."""
    quantiles: Array = field(repr=False)
    """(n, H, k, Q) of the first."""
    levels: tuple[float, ...]
    scores: dict[str, dict[str, float]]
    """``mase``; ``mse`` and ``mae`` in units of each column's spread in the history; ``coverage`` and ``pinball``."""
    comparisons: dict[str, Comparison]
    """Diebold-Mariano: the first forecaster against each other one; below 0 it is better."""
    against_last: dict[str, Comparison]
    """Each forecaster against the last value."""

    @property
    def beats_last_value(self) -> list[str]:
        """Forecasters whose squared errors are smaller than those of the last value, by 5 % of both sides."""
        return [name for name, found in self.against_last.items() if better(found)]

    @property
    def verdict(self) -> str:
        """What may be concluded, in a sentence or two."""
        who, first = self.beats_last_value, next(iter(self.forecasts))
        n = f"{len(self.origins):,} origins"
        if not self.against_last:
            return f"{n} are too few for horizons that overlap so much; nothing can be concluded."
        if not who:
            return f"Nothing beats the last value (Diebold-Mariano, p below {ALPHA:g}, {n})."
        others = [name for name, found in self.comparisons.items() if name != NAIVE and better(found)]
        rest = f" {first} beats {_listed(others)}." if others else f" {first} beats none of the others."
        return f"Better than the last value: {_listed(who)} (Diebold-Mariano, p below {ALPHA:g}, {n}).{rest}"

    def __str__(self) -> str:
        """A table, a row for each forecaster, and the verdict."""
        names = list(dict.fromkeys(key for row in self.scores.values() for key in row))
        lines = ["forecaster | " + " | ".join(names) + " | p against it", "--- | " * (len(names) + 1) + "---"]
        for who, row in self.scores.items():
            cells = [f"{row[name]:.4f}" if name in row else "" for name in names]
            p = self.comparisons.get(who)
            lines.append(" | ".join([who, *cells, "" if p is None else _told(p)]))
        return "\n".join(f"| {line} |" for line in lines) + "\n\n" + self.verdict


def better(found: Comparison) -> bool:
    """Whether the first forecaster's errors are smaller, and not by luck."""
    return found.statistic < 0 and found.p_value < ALPHA


def judged(
    forecasts: dict[str, ArrayLike], truth: ArrayLike, origins: ArrayLike, history: ArrayLike, *, season: int = 1,
    stride: int = 1, quantiles: ArrayLike | None = None, levels: tuple[float, ...] = (),
) -> Backtest:  # fmt: skip
    """Score forecasts of the same windows and compare them pairwise.

    The loss of an origin is its mean squared error over times and columns, each column in units of its spread in the
    history. Windows of H times whose origins lie ``stride`` apart share times, so the Diebold-Mariano test counts
    ``ceil(H / stride)`` steps of correlation.

    Arguments:
        forecasts: (n, H, k) by name; the first is the one that is judged.
        truth: (n, H, k).
        origins: (n,).
        history: (t, k) the values before all origins, NaN where nothing is known.
        season: of the mean absolute scaled error, as ``metrics.forecast.mase`` has it.
        stride: times between neighbouring origins.
        quantiles: (n, H, k, Q) of the first forecaster.
        levels: (Q,) rising.

    Raises ``DataError`` where shapes do not fit or numbers are not finite.

    >>> y = np.random.default_rng(0).normal(size=(200, 1, 1))
    >>> found = judged({"mean": 0 * y, "last value": np.roll(y, 1)}, y, np.arange(200), y[:, 0])
    >>> found.beats_last_value
    ['mean']
    """
    true, past = np.asarray(truth, np.float64), np.asarray(history, np.float64)
    said = {name: np.asarray(one, np.float64) for name, one in forecasts.items()}
    wrong = {name: one.shape for name, one in said.items() if one.shape != true.shape}
    if wrong or true.ndim != 3 or past.ndim != 2 or past.shape[1] != true.shape[2]:
        raise DataError(
            f"forecasts and truth (n, H, k) and a history (t, k) are expected, got {wrong or true.shape} and "
            f"{past.shape}; give one shape."
        )
    spread = np.nanstd(past, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    gaps = {name: (one - true) / spread for name, one in said.items()}
    scores = {
        name: _mase(true, one, past, season)
        | {"mse": float(np.square(gaps[name]).mean()), "mae": float(np.abs(gaps[name]).mean())}
        for name, one in said.items()
    }
    first, told = next(iter(said)), np.zeros((*true.shape, 0)) if quantiles is None else np.asarray(quantiles)
    if levels:
        scores[first] |= _quantile_scores(true / spread, told / spread[:, None], levels)
    steps = -(-true.shape[1] // stride)
    size = {name: np.sqrt(np.square(gap).mean(axis=(1, 2))) for name, gap in gaps.items()}
    others = [name for name in said if name != first]
    beside = {name: _compared(size[first], size[name], steps) for name in others}
    naive = {
        name: _compared(size[name], size[NAIVE], steps) for name in said if name != NAIVE and NAIVE in said
    }
    return Backtest(
        np.asarray(origins, np.int64), true, said, told, levels, scores, _there(beside), _there(naive)
    )  # fmt: skip


def _compared(one: Array, other: Array, steps: int) -> Comparison | None:
    """The test, where there are errors enough for it."""
    if len(one) <= max(steps, 1):
        return None
    try:
        return diebold_mariano(one, other, horizon=steps)
    except DataError:  # the losses differ by one constant
        return None


def _there(found: dict[str, Comparison | None]) -> dict[str, Comparison]:
    return {name: one for name, one in found.items() if one is not None}


def _mase(true: Array, said: Array, past: Array, season: int) -> dict[str, float]:
    """The mean over columns that change; gaps of the history are left out."""
    found = []
    for j, column in enumerate(past.T):
        known = column[~np.isnan(column)]
        if len(known) > season and np.abs(known[season:] - known[:-season]).any():
            found.append(mase(true[..., j], said[..., j], known, season))
    return {"mase": float(np.mean(found))} if found else {}


def _quantile_scores(true: Array, told: Array, levels: tuple[float, ...]) -> dict[str, float]:
    """The mean pinball loss, and the share of values between the outer quantiles."""
    scores = {"pinball": float(pinball_loss(true.ravel(), told.reshape(-1, len(levels)), levels).mean())}
    if len(levels) > 1:
        scores["coverage"] = interval_coverage(true, told[..., 0], told[..., -1])
    return scores


def _told(p: Comparison) -> str:
    return f"{p.p_value:.3f} ({'better' if p.statistic < 0 else 'worse'})"


def _listed(names: list[str]) -> Any:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
