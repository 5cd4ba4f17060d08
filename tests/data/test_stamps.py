"""Columns of times of every kind, with pandas as the oracle for zones."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ganglion.base.errors import DataError
from ganglion.data.columns import as_column
from ganglion.data.stamps import read_stamps

EAST = timezone(timedelta(hours=5, minutes=30))


def read(raw):
    return read_stamps(as_column(raw, "date"), "date", raw)


def days(times):
    return times.astype("datetime64[D]").astype(str).tolist()


@pytest.mark.parametrize(
    "raw",
    [["2020-01-02", "2020-01-13"], ["2020-01-02 00:00:00", "2020-01-13T00:00"], ["02.01.2020", "13.01.2020"],
     ["2/1/2020", "13/1/2020"], ["1/2/2020", "1/13/2020"], ["Jan 2, 2020", "Jan 13, 2020"], [20200102, 20200113],
     [date(2020, 1, 2), date(2020, 1, 13)], [datetime(2020, 1, 2), datetime(2020, 1, 13)], ["20200102", "20200113"],
     np.array(["2020-01-02", "2020-01-13"], "datetime64[s]"), pd.Series(pd.to_datetime(["2020-01-02", "2020-01-13"])),
     pl.Series([date(2020, 1, 2), date(2020, 1, 13)]), pa.array([date(2020, 1, 2), date(2020, 1, 13)])],
)  # fmt: skip
def test_every_form_means_the_same_days(raw):
    times, _ = read(raw)
    assert times.dtype == "datetime64[ns]"
    assert days(times) == ["2020-01-02", "2020-01-13"]


def test_months_and_quarters_stand_for_their_first_day():
    assert days(read(["1949-01", "1949/02"])[0]) == ["1949-01-01", "1949-02-01"]
    assert days(read(["2020Q1", "2020-q4", "2021 Q2"])[0]) == ["2020-01-01", "2020-10-01", "2021-04-01"]


def test_numbers_stay_numbers():
    for raw in ([1990, 1991], [1990.0, 1991.0], ["1990", "1991"], np.array([1990, 1991], np.int16)):
        times, notes = read(raw)
        assert (times.dtype, times.tolist(), notes) == (np.int64, [1990, 1991], [])
    assert read([20200101, 20201341])[0].dtype == np.int64  # the second is no day


def test_day_and_month_that_could_be_either():
    daily = [f"{day:02}/01/2020" for day in range(1, 13)]
    monthly = [f"{month:02}/01/{year}" for year in (2020, 2021) for month in range(1, 13)]
    third = [f"03/{month:02}/2020" for month in range(1, 13)]  # as months first, twelve days of March
    assert days(read(monthly)[0])[:2] == ["2020-01-01", "2020-02-01"]
    assert days(read(daily)[0])[:2] == ["2020-01-01", "2020-02-01"]  # nothing speaks against months
    assert days(read(third)[0])[:2] == ["2020-03-01", "2020-03-02"]
    assert "could be read as" in read(daily)[1][0]
    years = [f"{day:02}/{month:02}/2020" for month in (1, 2, 3) for day in (1, 3, 5, 7, 9, 11)]
    twelve = [f"{day:02}/{month:02}/2020" for month in range(1, 13) for day in range(1, 13)]
    assert len(set(days(read(years)[0]))) == len(years)
    assert len(set(days(read(twelve)[0]))) == len(twelve)


@pytest.mark.parametrize("make", [
    lambda t: t, lambda t: t.to_series(), lambda t: list(t.to_pydatetime()),
    lambda t: t.strftime("%Y-%m-%dT%H:%M:%S%z").tolist(),
    lambda t: pl.Series(t.to_pydatetime().tolist(), dtype=pl.Datetime("us", "Europe/Berlin")),
    lambda t: np.array(t.to_pydatetime(), object), lambda t: t.to_series().astype(object),
])  # fmt: skip
def test_zones_become_utc_over_both_changes_of_the_clock(make):
    for start in ("2024-03-30 22:00", "2024-10-26 22:00"):
        local = pd.date_range(start, periods=10, freq="h", tz="Europe/Berlin")
        times, notes = read(make(local))
        assert (times == local.tz_convert("UTC").tz_localize(None).to_numpy()).all()
        assert (np.diff(times) == np.timedelta64(1, "h")).all()
        assert "converted to UTC" in notes[0]


@pytest.mark.parametrize("make", [
    lambda t: t.to_series(), lambda t: list(t.to_pydatetime()), lambda t: t.strftime("%Y-%m-%d %H:%M:%S%z").tolist(),
])  # fmt: skip
def test_midnights_at_their_place_are_days(make):
    local = pd.date_range("2024-03-25", periods=14, freq="D", tz="Europe/Berlin")
    times, notes = read(make(local))
    assert days(times) == local.strftime("%Y-%m-%d").tolist()
    assert "read as those days" in notes[0]


def test_several_zones_are_one_in_utc():
    raw = [datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2020, 1, 1, 18, 30, tzinfo=EAST)]
    times, _ = read(raw)
    assert times.tolist()[1] - times.tolist()[0] == 3600 * 10**9


NAIVE, AWARE = datetime(2020, 1, 1, 3), datetime(2020, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [[NAIVE, AWARE], [AWARE, NAIVE], np.array([NAIVE, AWARE]), pd.Series([NAIVE, AWARE], dtype=object),
     ["2020-01-01 03:00", "2020-01-02 03:00Z"], ["2020-01-01 03:00+01:00", "2020-01-02 03:00"]],
)  # fmt: skip
def test_some_times_with_zones_are_refused(raw):
    with pytest.raises(DataError, match="some have one and others not"):
        read(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (["2020-01-01", "2020-02-31"], "row 1 .* '2020-02-31'"),
        (["2020-01-01", "soon"], "row 1 .* 'soon'"),
        (["2020-01-01", None], "row 1 .* missing"),
        (["2020-01-01", "NaT"], "row 1 .* missing"),
        (["2020-01-01", "01.02.2020", "2020-01-03"], "row 1 .* '01.02.2020'"),
        (["1-01", "1-02"], "row 0 .* '1-01'"),
        ([1.0, np.nan], "row 1 .* missing"),
        ([1.0, 1.5], "row 1 .* '1.5'"),
        ([1.0, np.inf], "row 1 .* 'inf'"),
        ([1.0, 1e17], "row 1"),
        ([True, False], "truth values"),
        ([datetime(2020, 1, 1), None], "row 1 .* missing"),
        ([AWARE, pd.NaT], "row 1 .* missing"),
        (["2020-01-01", "1500-01-01"], "row 1 .* '1500"),
        (["2020-01-01", "9999-12-31"], "row 1 .* '9999"),
        (["1700-01-01", "2020-01-01"], "within 290 years"),
        (["x" * 10_000], "row 0"),
    ],
)
def test_what_is_no_time_is_named(raw, words):
    with pytest.raises(DataError, match=words) as error:
        read(raw)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
