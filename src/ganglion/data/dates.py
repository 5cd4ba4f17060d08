"""A date as numbers: what grows (year, elapsed days) and what turns (month, weekday, hour)."""

import numpy as np

from ganglion.data.features import cyclic

GROWING = ("year", "elapsed")
TURNING = ("month_sin", "month_cos", "weekday_sin", "weekday_cos", "hour_sin", "hour_cos")

METHODS = ("parts", "cyclic", "elapsed")
GROWS = {"parts": GROWING, "cyclic": (), "elapsed": ("elapsed",)}
TURNS = {"parts": TURNING, "cyclic": TURNING, "elapsed": ()}


def growing_parts(days: np.ndarray) -> np.ndarray:
    """Year (with its fraction left out) and days since 1970, shape (n, 2); NaN for no date.

    Args:
        days: (n,) days since 1970-01-01 with their fraction, NaN = missing.

    Example:
        >>> growing_parts(np.array([365.0])).tolist()
        [[1971.0, 365.0]]
    """
    gap = np.isnan(days)
    years = _moments(days).astype("datetime64[Y]").astype(np.int64) + 1970.0
    return np.column_stack([np.where(gap, np.nan, years), days])


def turning_parts(days: np.ndarray) -> np.ndarray:
    """Month, weekday and hour as points on a circle, shape (n, 6); 0 for no date.

    Args:
        days: (n,) days since 1970-01-01 with their fraction, NaN = missing.

    Example:
        >>> turning_parts(np.array([4.25]))[0].round(3).tolist()  # a Monday in January, six o'clock
        [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    """
    gap = np.isnan(days)
    filled = np.where(gap, 0.0, days)
    month = _moments(days).astype("datetime64[M]").astype(np.int64) % 12
    weekday = np.floor(filled - 4.0) % 7  # 1970-01-05 was a Monday
    parts = [cyclic(month, 12), cyclic(weekday, 7), cyclic(filled % 1.0, 1)]
    return np.where(gap[:, None], 0.0, np.hstack(parts))


def _moments(days: np.ndarray) -> np.ndarray:
    whole = np.floor(np.where(np.isnan(days), 0.0, days)).astype(np.int64)
    return whole.astype("datetime64[D]")
