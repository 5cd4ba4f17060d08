"""A table with a column of times as a series at regular steps, and sentences on all that was repaired."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number
from ganglion.data.cells import number_format, parse_numbers, words
from ganglion.data.columns import Frame, as_frame
from ganglion.data.grid import Frequency, regular
from ganglion.data.read import read_table
from ganglion.data.stamps import read_stamps

LARGEST = 1e150  # squares of larger numbers overflow


@dataclass(frozen=True)
class Series:
    """T times at regular steps, with the numbers to forecast and those that go with them."""

    times: NDArray[Any]
    """(T,) datetime64[ns], in UTC where zones were given, or int64."""
    values: NDArray[np.float64]
    """(T, k) targets; NaN where a gap was too long to fill."""
    covariates: NDArray[np.float64]
    """(T, m) numbers known beside them."""
    freq: Frequency
    report: list[str]
    """What was repaired, a sentence each."""
    targets: list[str]
    covariate_names: list[str]
    filled: NDArray[np.bool_]
    """(T, k): values that were not there and were interpolated."""

    def __len__(self) -> int:
        """The number of times."""
        return len(self.times)


def read_series(
    X: Any, time: str = "date", targets: str | Sequence[str] = (), covariates: str | Sequence[str] = (), *,
    limit: int = 24, least: int = 3,
) -> Series:  # fmt: skip
    """Read a time-stamped table for forecasting, and say in ``report`` what was repaired.

    In this order: rows are sorted; of rows of one time the copies are dropped and the others averaged; the step is
    found (``data.grid.regular``) and missing times are inserted; rows at the ends without any target are left out;
    gaps of up to ``limit`` steps are filled on the straight line between their neighbours, so that a filled value
    knows the next one after it. Longer gaps, and those at the ends of a column, stay NaN.

    Arguments:
        X: any table that ``data.columns.as_frame`` takes, or the path of a file for ``data.read.read_table``.
        time: the column of times: dates, text, or whole numbers; or the name of a pandas index.
        targets: the columns to forecast (empty: all others).
        covariates: further columns that are known beside them.
        limit: the longest gap that is filled, in steps.
        least: times that are needed.

    Raises ``DataError`` for columns that are missing or hold no numbers, times that are none or irregular, zones in
    some times only, and fewer times than ``least``.

    >>> series = read_series({"date": ["2020-01-01", "2020-01-04", "2020-01-02"], "load": [1, 4, 2]})
    >>> series.values[:, 0].tolist(), str(series.freq)
    ([1.0, 2.0, 3.0, 4.0], 'D')
    >>> series.report[1]
    '1 time was missing in steps of D and inserted; the first: 2020-01-03'
    """
    number("read_series's limit", limit, AtLeast(0), whole=True)
    number("read_series's least", least, AtLeast(2), whole=True)
    frame, raw = _table(X, time)
    targets, covariates = _chosen(frame, time, targets, covariates)
    times, report = read_stamps(frame.stored(time), time, raw)
    report = [*frame.notes, *report]
    values = np.column_stack([_numbers(frame, name) for name in [*targets, *covariates]])
    times, values = _merged(*_sorted(times, values, report), report)
    if len(times) < least:
        raise DataError(
            f"at least {least} different times are expected in {time!r}, got {len(times)}; give more."
        )
    freq, places, grid = regular(times)
    if moved := int((grid[places] != times).sum()):
        report.append(f"{_counted(moved, 'time')} a little off the steps of {freq} and put onto them")
    values = _on_grid(places, grid, values, freq, report)
    known = np.flatnonzero(~np.isnan(values[:, : len(targets)]).all(axis=1))
    kept = slice(int(known[0]), int(known[-1]) + 1)
    if len(cut := values[kept]) < len(values):
        report.append(
            f"{_counted(len(values) - len(cut), 'row')} left out at the ends, for want of any target"
        )
    values, filled = _filled(cut, [*targets, *covariates], limit, report)
    k = len(targets)
    for name, column in zip(targets, values[:, :k].T):
        if np.nanmax(column) == np.nanmin(column):
            report.append(f"target {name!r} is constant, {column[~np.isnan(column)][0]:g} throughout")
    if len(values) < least:
        raise DataError(f"at least {least} times with a target are expected, got {len(values)}; give more.")
    return Series(
        grid[kept],
        values[:, :k].copy(),
        values[:, k:].copy(),
        freq,
        report,
        targets,
        covariates,
        filled[:, :k],
    )


def _table(X: Any, time: str) -> tuple[Frame, Any]:
    """The table, and the column of times as it came."""
    if isinstance(X, str | PathLike):
        return read_table(X), None
    if getattr(getattr(X, "index", None), "name", None) == time and time not in X:
        X = X.reset_index()
    raw = None
    if isinstance(X, list | tuple) and all(isinstance(row, dict) for row in X):
        raw = [row.get(time) for row in X]
    if isinstance(X, dict) or nw.dependencies.is_into_dataframe(X):
        names = (
            X if isinstance(X, dict) else list(X.column_names if hasattr(X, "column_names") else X.columns)
        )
        raw = X[time] if time in names else None
    if str(getattr(raw, "dtype", "")).startswith("period"):
        raw = raw.dt.to_timestamp()  # type: ignore[union-attr]
        X = X.assign(**{time: raw})
    return as_frame(X), raw


def _chosen(
    frame: Frame, time: str, targets: str | Sequence[str], covariates: str | Sequence[str]
) -> tuple[list[str], list[str]]:
    """Names of targets and covariates, none of them twice."""
    frame.index(time)
    known = [covariates] if isinstance(covariates, str) else list(covariates)
    wanted = [targets] if isinstance(targets, str) else list(targets)
    wanted = wanted or [name for name in frame.names if name not in (time, *known)]
    if not wanted:
        raise DataError(f"a column to forecast beside {time!r} is expected, got none; give one.")
    for name in (all_ := [time, *wanted, *known]):
        frame.index(name)
        if all_.count(name) > 1:
            raise DataError(
                f"each column is one of time, target and covariate, but {name!r} is named twice; choose."
            )
    if not len(frame):
        raise DataError("rows with times are expected, got a table without any; give some.")
    return wanted, known


def _numbers(frame: Frame, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where missing."""
    stored = frame.stored(name)
    if isinstance(stored, pa.Array):
        found = words(stored)
        parsed = parse_numbers(found.values, number_format(found.values) or "plain")
        column, unread = found.spread(parsed, np.nan), found.spread(np.isnan(parsed), False)
    elif stored.dtype.kind == "M":
        raise DataError(
            f"numbers are expected in column {name!r}, got dates; leave it out of targets and covariates."
        )
    else:
        column = stored.astype(np.float64)
        unread = np.zeros(len(column), bool)
    unread = unread | (np.abs(column) > LARGEST)
    if unread.any():
        row = int(unread.argmax())
        cell = str(stored[row])[:60]
        raise DataError(
            f"finite numbers are expected in column {name!r}, but row {row} (counted from 0) is {cell!r}; mend it, or "
            "leave it empty where it is missing."
        )
    if np.isnan(column).all():
        raise DataError(
            f"numbers are expected in column {name!r}, but all are missing; leave the column out."
        )
    return column


def _sorted(
    times: NDArray[Any], values: NDArray[Any], report: list[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    later = int((times[1:] < times[:-1]).sum())
    if not later:
        return times, values
    report.append(f"the rows were not in order of time and were sorted ({later} stood before an earlier one)")
    order = np.argsort(times, kind="stable")
    return times[order], values[order]


def _merged(
    times: NDArray[Any], values: NDArray[Any], report: list[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """One row a time: the first of equal ones, else the mean of what is there."""
    distinct, first, group = np.unique(times, return_index=True, return_inverse=True)
    if len(distinct) == len(times):
        return times, values
    alike = values[first][group]
    copies = ((values == alike) | (np.isnan(values) & np.isnan(alike))).all(axis=1)
    differ = np.zeros(len(distinct), bool)  # groups with different values
    differ[group[~copies]] = True
    dropped = len(times) - len(distinct) - int((np.bincount(group) - 1)[differ].sum())
    if dropped:
        report.append(f"{_counted(dropped, 'row')} left out as copies of others")
    if differ.any():
        shown = _shown(distinct[differ.argmax()])
        report.append(
            f"{_counted(int(differ.sum()), 'time')} there with different values, which were averaged; the first: "
            f"{shown}"
        )
    there = np.add.reduceat(~np.isnan(values), first)
    sums = np.add.reduceat(np.nan_to_num(values), first)
    means = np.divide(sums, there, out=np.full(sums.shape, np.nan), where=there > 0)
    return distinct, np.where(differ[:, None], means, values[first])


def _on_grid(
    places: NDArray[np.int64], grid: NDArray[Any], values: NDArray[Any], freq: Frequency, report: list[str]
) -> NDArray[np.float64]:
    whole = np.full((len(grid), values.shape[1]), np.nan)
    whole[places] = values
    if len(grid) > len(places):
        absent = np.ones(len(grid), bool)
        absent[places] = False
        first = _shown(grid[absent.argmax()])
        report.append(
            f"{_counted(int(absent.sum()), 'time')} missing in steps of {freq} and inserted; the first: {first}"
        )
    return whole


def _filled(
    values: NDArray[Any], names: list[str], limit: int, report: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Short gaps filled between their neighbours, and where."""
    values, filled = values.copy(), np.zeros(values.shape, bool)
    for j, name in enumerate(names):
        there = np.flatnonzero(~np.isnan(values[:, j]))
        gaps = np.diff(there) - 1
        short = np.repeat((gaps > 0) & (gaps <= limit), np.maximum(gaps, 0))
        missing = np.flatnonzero(np.isnan(values[:, j]))
        inside = missing[(missing > there[0]) & (missing < there[-1])] if len(there) else missing[:0]
        rows = inside[short]
        values[rows, j] = np.interp(rows, there, values[there, j])
        filled[rows, j] = True
        if len(rows):
            report.append(f"{len(rows)} missing in {name!r} filled between their neighbours")
        if left := len(missing) - len(rows):
            longest = int(gaps.max(initial=0))
            why = (
                f"the longest gap has {longest} steps, the limit is {limit}"
                if longest > limit
                else "at its ends"
            )
            report.append(f"{left} in {name!r} stay missing ({why})")
    return values, filled


def _shown(time: Any) -> str:
    """A time as short as it can be written."""
    return str(time).removesuffix("00:00:00.000000000").rstrip("T").removesuffix(".000000000")


def _counted(n: int, what: str) -> str:
    return f"{n} {what}s were" if n > 1 else f"{n} {what} was"
