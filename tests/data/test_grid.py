"""Steps, places and the calendar of regular times, against pandas' date ranges."""

import numpy as np
import pandas as pd
import pytest

from ganglion.base.errors import DataError
from ganglion.data.grid import Frequency, calendar, moments, regular, season_of

FREQUENCIES = [
    "h",
    "15min",
    "D",
    "7D",
    "3D",
    "B",
    "MS",
    "ME",
    "QS",
    "QE",
    "YS",
    "YE",
    "2MS",
    "s",
    "ms",
    "90min",
]


def range_of(freq, n=40):
    return pd.date_range("2019-01-01", periods=n, freq=freq).to_numpy().astype("datetime64[ns]")


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_frequency_and_places_with_gaps(freq):
    n = 40
    whole = range_of(freq)
    kept = np.sort(np.random.default_rng(1).choice(n, n - 8, replace=False))
    kept[0], kept[-1] = 0, n - 1
    frequency, places, grid = regular(whole[kept])
    assert str(frequency) == freq
    assert (places == kept).all()
    assert (grid == whole).all()


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_times_after_a_series(freq):
    whole = range_of(freq)
    frequency, _, _ = regular(whole[:30])
    assert (moments(whole[29], frequency, 11)[1:] == whole[30:]).all()


def test_same_day_of_every_month():
    times = range_of("MS") + np.timedelta64(14, "D") + np.timedelta64(12, "h")
    frequency, places, grid = regular(times)
    assert frequency == Frequency("month", 1, 15)
    assert (grid == times).all()
    assert (places == np.arange(40)).all()


def test_numbers_and_steps_that_only_the_smallest_explains():
    assert regular(np.array([1990, 1991, 1993]))[1].tolist() == [0, 1, 3]
    frequency, places, grid = regular(np.array([0, 2, 4, 5]))
    assert (frequency.step, places.tolist(), grid.tolist()) == (1, [0, 2, 4, 5], [0, 1, 2, 3, 4, 5])
    assert regular(np.array(["2020-01-03", "2020-01-06"], "datetime64[ns]"))[0] == Frequency(
        "time", 3 * 86400 * 10**9
    )


def test_a_little_jitter_is_put_onto_the_grid():
    whole = range_of("10min")
    off = np.random.default_rng(0).integers(-5, 6, 40).astype("timedelta64[s]")
    _, places, grid = regular(whole + off)
    assert (places == np.arange(40)).all()
    assert (np.abs(grid - whole - off) <= np.timedelta64(30, "s")).all()
    off = np.full(40, np.timedelta64(-5, "s"))
    off[0] = np.timedelta64(20, "s")  # the first time is the one that is off
    assert (regular(whole + off)[2] == whole + np.timedelta64(-5, "s")).all()


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (np.cumsum([0, 10, 11, 17, 23, 31]), "half of the steps are"),
        (
            np.array(["2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T01:31"], "datetime64[ns]"),
            "no multiple",
        ),
        (np.array([0, 1, 2, 10**9]), "longest gap is from 2 to 1000000000"),
        (
            np.array(["1900-01-01T00", "2020-01-01T00", "2020-01-01T01"], "datetime64[ns]"),
            "longest gap is from 1900",
        ),
    ],
)
def test_irregular_times_are_refused(times, words):
    with pytest.raises(DataError, match=words) as error:
        regular(times)
    assert "\n" not in str(error.value)


def test_the_calendar_as_pandas_has_it():
    times = range_of("7h", 500)
    index = pd.DatetimeIndex(times)
    found, names = calendar(times, Frequency("time", 7 * 3600 * 10**9))
    turns = {"month": (index.month - 1) / 12, "weekday": index.day_of_week / 7, "hour": index.hour / 24}
    expected = [side(2 * np.pi * np.asarray(turn)) for turn in turns.values() for side in (np.sin, np.cos)]
    np.testing.assert_allclose(found, np.column_stack(expected), atol=1e-9)
    assert names == [f"{turn}_{side}" for turn in turns for side in ("sin", "cos")]


@pytest.mark.parametrize(
    ("freq", "turns"),
    [("h", "month weekday hour"), ("D", "month weekday"), ("B", "month weekday"), ("7D", "month"), ("MS", "month"),
     ("YE", "")],
)  # fmt: skip
def test_only_what_changes(freq, turns):
    times = range_of(freq)
    found, names = calendar(times, regular(times)[0])
    assert [name.removesuffix("_sin") for name in names[::2]] == turns.split()
    assert found.shape == (40, len(names))


@pytest.mark.parametrize(
    ("freq", "season"), [("h", 24), ("15min", 96), ("D", 7), ("B", 5), ("7D", 52), ("MS", 12), ("QE", 4)]
)
def test_usual_seasons(freq, season):
    times = range_of(freq, 300)
    assert season_of(regular(times)[0], np.zeros(300)) == season
    assert season_of(regular(times)[0], np.zeros(season + 1)) == 1  # too short to say


def test_seasons_from_the_autocorrelation():
    rng, years = np.random.default_rng(0), Frequency("month", 12)
    t = np.arange(200)
    wave = np.sin(2 * np.pi * t / 17)
    assert season_of(years, wave) == 17
    assert season_of(years, 100 + 3 * t + wave + 0.3 * rng.normal(size=200)) == 17
    assert season_of(years, np.column_stack([wave, 5 * wave, np.ones(200)])) == 17
    assert season_of(years, (t % 6 == 0) * 1e30) == 6
    assert season_of(years, 2.0 * t) == season_of(years, np.ones(200)) == season_of(years, [1.0]) == 1
    noise = [season_of(years, rng.normal(size=100)) for _ in range(100)]
    assert noise.count(1) > 90
