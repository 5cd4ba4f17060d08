"""Tables as series: what is repaired, by hand, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.series import read_series

DAYS = ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-01-05"]


def said(series, words):
    return any(words in sentence for sentence in series.report)


def test_nothing_to_repair_nothing_said():
    series = read_series({"date": DAYS, "load": [1, 2, 4, 8, 16], "wind": [5, 4, 3, 2, 1]}, covariates="wind")
    assert series.report == []
    assert series.values[:, 0].tolist() == [1, 2, 4, 8, 16]
    assert series.covariates[:, 0].tolist() == [5, 4, 3, 2, 1]
    assert (series.targets, series.covariate_names, str(series.freq)) == (["load"], ["wind"], "D")
    assert series.times.dtype == "datetime64[ns]"
    assert not series.filled.any()


@pytest.mark.parametrize(
    "make",
    [dict, pd.DataFrame, pl.DataFrame, lambda d: pd.DataFrame(d).set_index("date"),
     lambda d: pl.DataFrame(d).to_arrow(), lambda d: pd.DataFrame(d).to_dict("records"),
     lambda d: pd.DataFrame(d).assign(date=pd.PeriodIndex(d["date"], freq="D"))],
)  # fmt: skip
def test_tables_of_every_kind(make):
    series = read_series(make({"date": DAYS, "load": [1.0, 2.0, 4.0, 8.0, 16.0]}))
    assert series.values[:, 0].tolist() == [1, 2, 4, 8, 16]
    assert series.times[-1] == np.datetime64("2020-01-05")


def test_a_file(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("date;load\n2020-01;1,5\n2020-02;\n2020-03;2,5\n")
    series = read_series(path)
    assert series.values[:, 0].tolist() == [1.5, 2.0, 2.5]
    assert str(series.freq) == "MS"


def test_rows_are_sorted():
    order = [3, 0, 4, 1, 2]
    series = read_series({"date": [DAYS[i] for i in order], "load": [float(i) for i in order]})
    assert series.values[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert said(series, "sorted (2 stood before an earlier one)")


def test_equal_times():
    rows = {"date": [*DAYS, DAYS[1], DAYS[2], DAYS[2], DAYS[0]], "a": [1, 2, 3, 4, None, 2, 6, 9, 1],
            "b": [1, None, 3, 4, 5, None, 3, None, 1]}  # fmt: skip
    series = read_series(rows)
    np.testing.assert_array_equal(series.values, [[1, 1], [2, 2], [6, 3], [4, 4], [np.nan, 5]])
    assert series.report[1:] == [
        "2 rows were left out as copies of others",
        "1 time was there with different values, which were averaged; the first: 2020-01-03",
        "1 in 'a' stay missing (at its ends)",
        "1 missing in 'b' filled between their neighbours",
    ]


def test_gaps_are_inserted_and_filled_up_to_the_limit():
    hours = pd.date_range("2020-01-01", periods=40, freq="h")
    load = np.arange(40.0) ** 2
    kept = np.r_[0:5, 7:20, 30:40]
    table = pd.DataFrame({"date": hours[kept], "load": load[kept]})
    series = read_series(table, limit=2)
    assert len(series) == 40
    assert (series.times == hours.to_numpy()).all()
    assert series.values[5:7, 0] == pytest.approx([16 + 11, 16 + 22])  # on the line from 16 to 49
    assert np.isnan(series.values[20:30]).all()
    assert np.flatnonzero(series.filled[:, 0]).tolist() == [5, 6]
    assert said(series, "12 times were missing in steps of h and inserted; the first: 2020-01-01T05")
    assert said(series, "2 missing in 'load' filled")
    assert said(series, "10 in 'load' stay missing (the longest gap has 10 steps, the limit is 2)")
    assert not np.isnan(read_series(table).values).any()
    expected = pd.Series(load).where(np.isin(np.arange(40), kept)).interpolate()
    np.testing.assert_allclose(read_series(table).values[:, 0], expected)


def test_missing_values_at_the_ends():
    load, other = [None, None, 3.0, None, 5.0, None], [None, 1.0, None, None, 4.0, None]
    series = read_series({"date": [*DAYS, "2020-01-06"], "load": load, "other": other})
    np.testing.assert_array_equal(series.values, [[np.nan, 1], [3, 2], [4, 3], [5, 4]])
    assert said(series, "2 rows were left out at the ends")
    assert said(series, "1 in 'load' stay missing (at its ends)")


def test_local_hours_over_both_changes_of_the_clock():
    """Without zones an hour is there twice in autumn and lacks in spring; with zones nothing is to repair."""
    for start, words in (
        ("2024-03-30 20:00", "1 time was missing in steps of h"),
        ("2024-10-26 20:00", "averaged"),
    ):
        aware = pd.date_range(start, periods=12, freq="h", tz="Europe/Berlin")
        table = pd.DataFrame({"date": aware.tz_localize(None), "load": np.arange(12.0)})
        naive = read_series(table)
        assert said(naive, words)
        assert not np.isnan(naive.values).any()
        zoned = read_series(table.assign(date=aware))
        assert len(zoned.report) == 1
        assert zoned.values[:, 0].tolist() == list(range(12))


def test_numbers_as_times_and_workdays():
    series = read_series({"year": [1990, 1991, 1993], "load": [1, 2, 4]}, "year")
    assert (series.times.tolist(), series.values[:, 0].tolist()) == ([1990, 1991, 1992, 1993], [1, 2, 3, 4])
    work = pd.DataFrame({"date": pd.bdate_range("2020-01-01", periods=30), "load": range(30)})
    assert read_series(work).report == []
    assert str(read_series(work.drop(index=7)).freq) == "B"


def test_constant_target_and_jitter_are_said():
    series = read_series({"date": DAYS, "load": [2] * 5})
    assert said(series, "target 'load' is constant, 2 throughout")
    series = read_series(
        {"date": ["2020-01-01 00:00", "2020-01-01 01:01", "2020-01-01 02:00"], "load": [1, 2, 4]}
    )
    assert series.values[:, 0].tolist() == [1, 2, 4]
    assert said(series, "1 time was a little off")


def test_text_of_numbers_and_truth_values():
    series = read_series(
        {"date": DAYS, "a": ["1,000.5", "2", "?", "4", "5"], "b": [True, False, True, True, False]}
    )
    np.testing.assert_allclose(series.values, [[1000.5, 1], [2, 0], [3, 1], [4, 1], [5, 0]])


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ({"date": DAYS, "load": ["1", "2", "much", "4", "5"]}, {}, "column 'load', but row 2 .* 'much'"),
        ({"date": DAYS, "load": [1, 2, np.inf, 4, 5]}, {}, "row 2 .* 'inf'"),
        ({"date": DAYS, "load": [1, 2, 1e200, 4, 5]}, {}, "row 2"),
        ({"date": DAYS, "load": [None] * 5}, {}, "all are missing"),
        ({"date": DAYS, "load": DAYS}, {}, "row 0 .* '2020-01-01'"),
        ({"date": DAYS, "load": np.array(DAYS, "datetime64[D]")}, {}, "got dates"),
        ({"date": DAYS}, {}, "a column to forecast"),
        ({"date": DAYS, "load": range(5)}, {"targets": "lod"}, "did you mean 'load'"),
        ({"date": DAYS, "load": range(5)}, {"time": "dat"}, "did you mean 'date'"),
        ({"date": DAYS, "load": range(5)}, {"targets": ["load", "load"]}, "'load' is named twice"),
        (
            {"date": DAYS, "load": range(5)},
            {"targets": "load", "covariates": "load"},
            "'load' is named twice",
        ),
        ({"date": DAYS, "load": range(5)}, {"targets": "date"}, "'date' is named twice"),
        ({"date": DAYS, "load": range(5)}, {"least": 6}, "at least 6 different times .* got 5"),
        ({"date": DAYS[:1] * 5, "load": range(5)}, {}, "got 1"),
        ({"date": DAYS, "load": [1, None, None, None, None]}, {}, "at least 3 times with a target .* got 1"),
        ({"date": [], "load": []}, {}, "without any"),
        ({"date": [*DAYS[:4], "2020-13-01"], "load": range(5)}, {}, "row 4 .* '2020-13-01'"),
        ({"date": DAYS, "load": [[1], [2], [3], [4], [5]]}, {}, "nested|list"),
    ],
)
def test_one_sentence_for_what_cannot_be_read(table, options, words):
    with pytest.raises(DataError, match=words) as error:
        read_series(table, **options)
    assert "\n" not in str(error.value)


def test_wrong_numbers():
    for options in ({"limit": -1}, {"least": 1}, {"limit": 1.5}):
        with pytest.raises(ParameterError):
            read_series({"date": DAYS, "load": range(5)}, **options)


def test_the_given_table_is_left_as_it_is():
    table = pd.DataFrame({"date": DAYS[::-1], "load": [1, np.nan, 3, 4, 5]})
    before = table.copy()
    read_series(table).values[:] = 0
    pd.testing.assert_frame_equal(table, before)
