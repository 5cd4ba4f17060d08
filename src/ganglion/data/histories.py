"""What a forecaster learns from and looks at: one series or several, from arrays, tables or a ``Series``.

Axes: n series, T times, k targets, m covariates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError
from ganglion.data.grid import Frequency
from ganglion.data.series import LARGEST, Series, read_series


@dataclass(frozen=True)
class History:
    """n series of T times at regular steps."""

    values: NDArray[np.float64]
    """(n, T, k) what is to be forecast; NaN is not known."""
    covariates: NDArray[np.float64]
    """(n, T, m)."""
    axes: int
    """Of what was given: 1 is (T,), 2 is (T, k), 3 is (n, T, k)."""
    times: NDArray[Any] | None = None
    """(T,), where there are some."""
    freq: Frequency | None = None
    report: list[str] = field(default_factory=list)
    """What was repaired, a sentence each."""
    future: NDArray[np.float64] | None = None
    """(n, H, m) the covariates behind the end, where they came along."""

    def until(self, end: int) -> "History":
        """The first ``end`` times."""
        times = None if self.times is None else self.times[:end]
        return History(
            self.values[:, :end], self.covariates[:, :end], self.axes, times, self.freq, self.report
        )


def read_history(
    X: Any, time: str | None = None, targets: str | Sequence[str] = (), covariates: str | Sequence[str] = ()
) -> History:
    """Series from an array (T,), (T, k) or (n, T, k), from a ``Series``, or from a table with a column of times.

    Arguments:
        X: the series. Tables and files are read by ``data.series.read_series``, which repairs what can be.
        time: the column of times; without it a table is an array of numbers.
        targets: the columns to forecast (none: all others).
        covariates: the columns that are known beside them.

    Raises ``DataError`` for what is no number, infinite or empty.

    >>> read_history([1, 2, 3]).values.shape
    (1, 3, 1)
    """
    if isinstance(X, History):
        return X
    if isinstance(X, Series):
        return _of_series(X)
    table = isinstance(X, str | PathLike | dict) or nw.dependencies.is_into_dataframe(X)
    if table and time is not None:
        return _of_series(read_series(X, time, targets, covariates, least=2))
    if isinstance(X, str | PathLike | dict) or len(covariates) or len(targets):
        raise DataError(
            f"named columns need a table with times, got {type(X).__name__} with time={time!r}; name its column of "
            "times with time=, or give an array of the targets alone."
        )
    values = _numbers(X)
    axes = values.ndim
    shape = {1: (1, -1, 1), 2: (1, *values.shape), 3: values.shape}[axes]
    values = values.reshape(shape)
    return History(values, np.zeros((*values.shape[:2], 0)), axes)


def _of_series(series: Series) -> History:
    return History(series.values[None], series.covariates[None], 2, series.times, series.freq, series.report)


def _numbers(X: Any) -> NDArray[np.float64]:
    """An array of one to three axes, finite or NaN."""
    try:
        found = np.asarray(X)
        if found.dtype.kind in "cmM":
            raise TypeError(f"{found.dtype} is no number")
        values = found.astype(np.float64)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:80]
        raise DataError(
            f"an array of numbers is expected, got {type(X).__name__} ({reason}); of a table name the column of times "
            "with time=."
        ) from None
    if values.ndim not in (1, 2, 3) or not values.size:
        raise DataError(
            f"series (T,), (T, k) or (n, T, k) are expected, got shape {values.shape}; give at least one number."
        )
    if (np.abs(values) > LARGEST).any():
        where = tuple(int(i) for i in np.argwhere(np.abs(values) > LARGEST)[0])
        raise DataError(
            f"finite numbers are expected, but {values[where]:g} stands at {where}; mend it, or give NaN where nothing "
            "is known."
        )
    return values
