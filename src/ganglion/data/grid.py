"""Times at regular steps: which steps they are, where each time stands, and what the calendar says of it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.data.dates import turning_parts

UNITS = (
    ("D", 86_400 * 10**9),
    ("h", 3600 * 10**9),
    ("min", 60 * 10**9),
    ("s", 10**9),
    ("ms", 10**6),
    ("us", 1000),
)
DAY = 86_400 * 10**9
LAST = 31  # the day that stands for the last one of a month
MONTHS = {1: "M", 3: "Q", 12: "Y"}
JITTER = 0.05  # of a step; times so near to the grid are put onto it
SPARSEST, SPARE = 20, 1000  # a grid of more places than 20 a time, and 1,000, is none
LOWEST_PEAK, SPREADS = (
    0.2,
    3.5,
)  # of an autocorrelation that counts: so high, and so many spreads of pure noise


@dataclass(frozen=True)
class Frequency:
    """The step between neighbouring times; ``str`` gives pandas' name for it.

    >>> str(Frequency("time", 15 * 60 * 10**9)), str(Frequency("month", 1, day=31)), str(Frequency("number", 2))
    ('15min', 'ME', '2')
    """

    unit: Literal["time", "month", "workday", "number"]
    step: int
    """Nanoseconds, months, days from Monday to Friday, or numbers."""
    day: int = 1
    """Of months: the day on which all times fall, 31 for the last."""

    def __str__(self) -> str:
        """As pandas writes it: ``h``, ``15min``, ``D``, ``B``, ``MS``, ``QE``, ``YS``; numbers as they are."""
        if self.unit == "number":
            return str(self.step)
        if self.unit == "workday":
            return "B"
        if self.unit == "month":
            period = MONTHS.get(self.step) or f"{self.step}M"
            return period + ("E" if self.day == LAST else "S")
        name, size = next(((n, s) for n, s in UNITS if self.step % s == 0), ("ns", 1))
        return name if self.step == size else f"{self.step // size}{name}"


def regular(times: NDArray[Any]) -> tuple[Frequency, NDArray[np.int64], NDArray[Any]]:
    """The frequency of times, the place of each on the grid from 0, and the times of all places.

    The step is the median one, or, where that does not fit, the smallest. Days of equal number in a month, or always
    the last, make months, quarters and years; days without any Saturday and Sunday make workdays. Times within 5 % of
    a step of the grid are put onto it.

    Arguments: ``times`` (n,) datetime64[ns] or int64, rising, n of 2 or more.
    Raises ``DataError`` for times that are on no such grid, or on one that is nearly empty.

    >>> frequency, places, _ = regular(np.array(["2020-01-31", "2020-02-29", "2020-04-30"], "datetime64[ns]"))
    >>> str(frequency), places.tolist()
    ('ME', [0, 1, 3])
    """
    for frequency in _candidates(times):
        places, start = _places(times, frequency)
        if (np.diff(places) > 0).all():
            if places[-1] >= SPARSEST * len(times) + SPARE:
                raise _nearly_empty(times, frequency, int(places[-1]) + 1)
            return frequency, places, moments(start, frequency, int(places[-1]) + 1)
    steps = np.diff(times)
    step, at = np.sort(steps)[len(steps) // 2], int(np.argmin(steps))
    raise DataError(
        f"times at regular steps are expected, but half of the steps are {_shown(step)} and others no multiple of "
        f"it (from {times[at]} it is {_shown(steps[at])}); bring them to one step first, for example as means of "
        "hours or days."
    )


def _shown(step: Any) -> str:
    return str(Frequency("time", int(step)) if isinstance(step, np.timedelta64) else step)


def _nearly_empty(times: NDArray[Any], frequency: Frequency, size: int) -> DataError:
    at = int(np.argmax(np.diff(times)))
    return DataError(
        f"times at regular steps are expected, but {len(times):,} times would fill only a part of {size:,} steps of "
        f"{frequency}; the longest gap is from {times[at]} to {times[at + 1]}: mend a wrong time there or cut the "
        "series in two."
    )


def _candidates(times: NDArray[Any]) -> list[Frequency]:
    """What the step could be, the likeliest first."""
    steps = np.sort(np.diff(times).astype(np.int64))
    typical = [int(steps[len(steps) // 2]), int(steps[0])]
    if times.dtype.kind != "M":
        return [Frequency("number", step) for step in typical]
    found = []
    days = times.astype("datetime64[D]")
    one_clock = len(np.unique(times - days)) == 1
    if one_clock and steps[0] >= 28 * DAY:
        months = times.astype("datetime64[M]")
        of_month = (days - months.astype("datetime64[D]")).astype(int) + 1
        ends = (days + 1).astype("datetime64[M]") > months
        apart = np.sort(np.diff(months).astype(int))
        if ends.all() or (len(np.unique(of_month)) == 1 and of_month[0] <= 28):
            day = LAST if ends.all() else int(of_month[0])
            found += [Frequency("month", int(apart[i]), day) for i in (len(apart) // 2, 0)]
    if (
        one_clock
        and steps[0] == DAY
        and np.is_busday(days).all()
        and days[-1] - days[0] > np.timedelta64(5, "D")
    ):
        found.append(Frequency("workday", 1))
    return found + [Frequency("time", step) for step in typical]


def _places(times: NDArray[Any], frequency: Frequency) -> tuple[NDArray[np.int64], Any]:
    """The place of each time, and the time of place 0; places that do not rise where a time is on no place."""
    nowhere = np.zeros(len(times), np.int64)
    start = times[0]
    if frequency.unit == "workday":
        days = times.astype("datetime64[D]")
        return np.busday_count(days[0], days), start
    if frequency.unit == "month":
        apart = (times.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
    else:
        apart = (times - start).astype(np.int64)
    places = np.rint(apart / frequency.step).astype(np.int64)
    off = apart - places * frequency.step
    if frequency.unit == "time" and off.any():
        middle = int(np.median(off))
        start, off = start + np.timedelta64(middle, "ns"), off - middle
        return (places if (np.abs(off) <= JITTER * frequency.step).all() else nowhere), start
    return (nowhere if off.any() else places), start


def moments(start: Any, frequency: Frequency, n: int) -> NDArray[Any]:
    """The n times of a grid from ``start`` on, (n,); the times after a series are ``moments(last, freq, h + 1)[1:]``.

    >>> moments(np.datetime64("2020-01-31", "ns"), Frequency("month", 1, 31), 3).astype("datetime64[D]").astype(str)
    array(['2020-01-31', '2020-02-29', '2020-03-31'], dtype='<U28')
    """
    places = np.arange(n)
    if frequency.unit == "number":
        return start + places * frequency.step
    if frequency.unit == "time":
        return start + places * np.timedelta64(frequency.step, "ns")
    day = start.astype("datetime64[D]")
    clock = start - day
    if frequency.unit == "workday":
        return np.busday_offset(day, places, roll="forward").astype("datetime64[ns]") + clock
    months = start.astype("datetime64[M]") + places * frequency.step
    if frequency.day == LAST:
        return ((months + 1).astype("datetime64[D]") - 1).astype("datetime64[ns]") + clock
    return (months.astype("datetime64[D]") + (frequency.day - 1)).astype("datetime64[ns]") + clock


def calendar(times: NDArray[Any], frequency: Frequency) -> tuple[NDArray[np.float64], list[str]]:
    """Month, weekday and hour as points on circles, (T, 2 k) in [-1, 1], and the 2 k names.

    Only what changes from one time to another: no hour for days, no weekday for weeks, nothing for years and numbers.

    >>> calendar(np.array(["1970-01-05T06"], "datetime64[ns]"), Frequency("time", 3600 * 10**9))[0].round(3).tolist()
    [[0.0, 1.0, 0.0, 1.0, 1.0, 0.0]]
    """
    step = frequency.step
    turns = {
        "number": (),
        "workday": ("month", "weekday"),
        "month": ("month",) if step % 12 else (),
        "time": ("month", *(["weekday"] * (step % (7 * DAY) != 0)), *(["hour"] * (step % DAY != 0))),
    }[frequency.unit]
    if not turns:
        return np.zeros((len(times), 0)), []
    days = times.astype("datetime64[ns]").astype(np.int64) / DAY
    order = ["month", "weekday", "hour"]
    columns = [2 * order.index(turn) + side for turn in turns for side in (0, 1)]
    return turning_parts(days)[:, columns], [f"{turn}_{side}" for turn in turns for side in ("sin", "cos")]


def season_of(frequency: Frequency, values: ArrayLike) -> int:
    """The likely number of steps until a series repeats itself; 1 where nothing speaks for any.

    Steps that divide a day: a day (hourly 24); days: a week (7, workdays 5); weeks: a year (52); months: a year (12,
    quarters 4). Otherwise, or where fewer than two of these are there, the lag of the first high peak of the
    autocorrelation of the series without its linear trend, up to half of the series.

    Arguments: ``values`` (T,) or (T, k); the autocorrelations of several are averaged.

    >>> season_of(Frequency("number", 1), np.sin(np.arange(60) * 2 * np.pi / 11))
    11
    """
    series = np.asarray(values, np.float64)
    usual = _usual_season(frequency)
    if usual > 1 and len(series) >= 2 * usual:
        return usual
    least = max(LOWEST_PEAK, SPREADS / max(len(series), 1) ** 0.5)
    return _peak(_autocorrelation(series.reshape(len(series), -1)), least)


def _usual_season(frequency: Frequency) -> int:
    step = frequency.step
    if frequency.unit == "time":
        if step < DAY:
            return DAY // step if DAY % step == 0 else 1
        return {DAY: 7, 7 * DAY: 52}.get(step, 1)
    if frequency.unit == "month":
        return 12 // step if 12 % step == 0 else 1
    return 5 if frequency.unit == "workday" else 1


def _autocorrelation(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of lags 0 .. T/2, the mean over the columns that are not constant."""
    t = np.linspace(-1, 1, len(series))[:, None]
    centred = series - np.nanmean(series, axis=0)
    centred = np.where(np.isfinite(centred), centred, 0.0)
    scale = np.abs(centred).max(axis=0)
    centred = centred[:, scale > 0] / scale[scale > 0]
    trend = (t * centred).sum(axis=0) / (t * t).sum()
    rest = centred - trend * t
    rest = rest[:, (rest**2).sum(axis=0) > 1e-20 * len(rest)]
    if not rest.size:
        return np.zeros(1)
    power = np.abs(np.fft.rfft(rest, 2 * len(rest), axis=0)) ** 2
    products = np.fft.irfft(power, axis=0)[: len(rest) // 2 + 1]
    return (products / products[0]).mean(axis=1)


def _peak(correlation: NDArray[np.float64], least: float) -> int:
    """The first high peak that stands above ``least``, and as much above the dip before it."""
    inner = correlation[1:-1]
    tops = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    dips = np.minimum.accumulate(correlation)
    tops = tops[(correlation[tops] > least) & (correlation[tops] - dips[tops] > least)]
    if not len(tops):
        return 1
    high = correlation[tops] >= 0.9 * correlation[tops].max()
    return int(tops[high.argmax()])
