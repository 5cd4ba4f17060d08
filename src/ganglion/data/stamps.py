"""A column of times: dates as text, as dates with or without zones, or whole numbers; or a row that is none."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganglion.base.errors import DataError
from ganglion.data.cells import DATE_FORMATS, number_format, parse_dates, parse_numbers, words

EARLIEST, LATEST = np.datetime64("1678-01-01", "us"), np.datetime64("2262-01-01", "us")  # of nanoseconds
LONGEST = np.timedelta64(290 * 365, "D")  # differences in nanoseconds stay inside 64 bits
WHOLE = 2.0**53
DAYS_AS_NUMBERS = (18_000_101, 21_991_231)  # whole numbers in between are read as YYYYMMDD if all are days
TELLS_APART = 1.5  # of two readings as day and month, the second wins if its steps are so much more even
SHORT = (
    (r"^(\d{4})[-/](\d{2})$", r"\1-\2-01"),
    *((rf"^(\d{{4}})[-/ ]?[Qq]{quarter}$", rf"\1-{3 * quarter - 2:02}-01") for quarter in (1, 2, 3, 4)),
)
"""Months (1949-01) and quarters (2020Q1) stand for their first day."""
ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)$"


def read_stamps(stored: Any, name: str, raw: Any = None) -> tuple[NDArray[Any], list[str]]:
    """The times of a column, (n,) datetime64[ns] or int64, and sentences on how they were read.

    Times with zones become UTC; where all of them are midnight at their place they become those days. Days written as
    numbers (20160701) are days. Text in which day and month could be either is read as the one whose steps are clearly
    more even, else month first.

    Arguments:
        stored: the column as a ``Frame`` stores it.
        name: its name, for the messages.
        raw: the column as it came, where its zones can still be seen.

    Raises ``DataError`` with row and value for what is no time, and for times with zones among times without.

    >>> read_stamps(pa.array(["2020-01", "2020-02"]), "month")[0].astype("datetime64[D]").astype(str).tolist()
    ['2020-01-01', '2020-02-01']
    """
    notes: list[str] = []
    if isinstance(stored, pa.Array):
        times = _from_text(stored, name, notes)
    elif stored.dtype.kind == "M":
        times = _from_dates(stored, name, raw, notes)
    elif stored.dtype.kind == "f":
        times = _from_numbers(stored, name, notes)
    else:
        raise DataError(f"column {name!r} is expected to hold times, got truth values; name another column.")
    if times.dtype.kind != "M":
        return times, notes
    outside = np.isnat(times) | (times < EARLIEST) | (times > LATEST)
    if outside.any():
        _no_time(name, int(outside.argmax()), times[outside.argmax()], "a time from 1678 to 2261")
    if len(times) and times.max() - times.min() > LONGEST:
        raise DataError(
            f"times within 290 years are expected in column {name!r}, got {times.min()} to {times.max()}; mend a wrong "
            "one or give years as whole numbers."
        )
    return times.astype("datetime64[ns]"), notes


def _no_time(name: str, row: int, value: Any, expected: str = "a date or a whole number") -> None:
    shown = "missing" if value is None or value != value else f"{str(value)[:60]!r}"
    raise DataError(
        f"{expected} is expected in each row of column {name!r}, but row {row} (counted from 0) is {shown}; "
        "mend it or leave the row out."
    )


def _from_numbers(numbers: NDArray[np.float64], name: str, notes: list[str]) -> NDArray[Any]:
    wrong = ~(np.abs(numbers) < WHOLE) | (numbers != np.floor(numbers))
    if wrong.any():
        _no_time(name, int(wrong.argmax()), numbers[wrong.argmax()])
    whole = numbers.astype(np.int64)
    if len(whole) and DAYS_AS_NUMBERS[0] <= whole.min() and whole.max() <= DAYS_AS_NUMBERS[1]:
        text = [f"{day // 10000}-{day // 100 % 100:02}-{day % 100:02}" for day in whole.tolist()]
        days = parse_dates(pa.array(text), "iso")
        if not np.isnat(days).any():
            notes.append(f"the numbers in {name!r} were read as days, YYYYMMDD")
            return days
    return whole


def _from_text(stored: pa.Array, name: str, notes: list[str]) -> NDArray[Any]:
    found = words(stored)
    if (found.codes < 0).any():
        _no_time(name, int((found.codes < 0).argmax()), None)
    if number_format(found.values) == "plain":
        numbers = parse_numbers(found.values)
        if not np.isnan(numbers).any():
            return _from_numbers(found.spread(numbers, np.nan), name, notes)
    text = found.values
    for pattern, full in SHORT:
        text = pc.replace_substring_regex(text, pattern, full)
    read = {form: parse_dates(text, form) for form in DATE_FORMATS}
    counts = {form: int((~np.isnat(days)).sum()) for form, days in read.items()}
    if counts["iso"] and counts["zone"]:
        place = int(np.isin(found.codes, np.flatnonzero(~np.isnat(read["zone"]))).argmax())
        _mixed(name, place, stored[place])
    best = max(counts, key=lambda form: counts[form])
    if counts[best] < len(text):
        row = int(np.isin(found.codes, np.flatnonzero(np.isnat(read[best]))).argmax())
        _no_time(name, row, stored[row])
    whole = [form for form, count in counts.items() if count == len(text)]
    if len(whole) > 1:
        best = _more_even(read, whole, name, notes)
    times = read[best]
    if best == "zone":
        times = _dates_or_utc(
            times, parse_dates(pc.replace_substring_regex(text, ZONE, ""), "iso"), name, notes
        )
    return times[found.codes]


def _more_even(read: dict[str, NDArray[Any]], forms: Sequence[str], name: str, notes: list[str]) -> str:
    """Of two readings as day and month the likelier one."""

    def unevenness(form: str) -> float:
        steps = np.diff(np.unique(read[form])).astype(np.float64)
        return float(steps.max() / np.median(steps)) if len(steps) else 1.0

    first, second = forms[:2]
    chosen = second if unevenness(second) * TELLS_APART < unevenness(first) else first
    notes.append(
        f"the dates in {name!r} could be read as {first} or {second}; {chosen} was taken (YYYY-MM-DD is sure)"
    )
    return chosen


def _mixed(name: str, row: int, value: Any) -> None:
    raise DataError(
        f"times all with a zone or all without one are expected in column {name!r}, but some have one and others not "
        f"(row {row}, counted from 0, is {str(value)!r}); convert all of them to one zone."
    )


def _from_dates(stored: NDArray[Any], name: str, raw: Any, notes: list[str]) -> NDArray[Any]:
    walls = _walls(raw, name)
    return stored if walls is None else _dates_or_utc(stored, walls, name, notes)


def _walls(raw: Any, name: str) -> NDArray[Any] | None:
    """What clocks at the place show, where times have zones."""
    raw = raw.to_series() if nw.dependencies.is_pandas_index(raw) else raw
    if nw.dependencies.is_into_series(raw):
        series = nw.from_native(raw, series_only=True)
        if isinstance(series.dtype, nw.Datetime):
            zoned = series.dtype.time_zone is not None
            return series.dt.replace_time_zone(None).to_numpy().astype("datetime64[us]") if zoned else None
        raw = series.to_list() if series.dtype == nw.Object else []
    elif not isinstance(raw, list | tuple) and getattr(getattr(raw, "dtype", None), "kind", "") != "O":
        return None
    moments = [(row, cell) for row, cell in enumerate(raw) if isinstance(cell, datetime) and cell == cell]
    aware = [row for row, cell in moments if cell.tzinfo is not None]
    if not aware:
        return None
    if len(aware) < len(moments):
        _mixed(name, aware[0], raw[aware[0]])
    return np.array([cell.replace(tzinfo=None) for _, cell in moments], "datetime64[us]")


def _dates_or_utc(utc: NDArray[Any], walls: NDArray[Any], name: str, notes: list[str]) -> NDArray[Any]:
    if len(walls) == len(utc) and (walls == walls.astype("datetime64[D]")).all():
        if (walls != utc).any():
            notes.append(f"the times in {name!r} are midnights at their place and were read as those days")
        return walls
    notes.append(f"the times in {name!r} have zones and were converted to UTC")
    return utc
