"""Figures of forecasts show what was known, what was said and when, and how far off it was."""

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.plot import plot_forecast, plot_horizon, to_svg
from ganglion.plot.forecast import LINE

HOURS = np.datetime64("2017-06-10T00") + np.arange(48) * np.timedelta64(1, "h")


def ticks(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.get_xticklabels()]


def test_truth_forecasts_bands_and_origins():
    truth = np.arange(40.0)
    truth[5] = np.nan
    ax = plot_forecast(HOURS, truth, [(30, [1.0, 2.0], None, None), (40, [3.0] * 8, [2.0] * 8, [4.0] * 8)])
    known, first, origin, second, last = ax.lines
    assert np.array_equal(known.get_ydata(), truth, equal_nan=True)
    assert first.get_ydata().tolist() == [1, 2]
    assert origin.get_ydata().tolist() == [29]  # the last value that the first forecast knew
    assert len(second.get_xdata()) == 8
    assert last.get_ydata().tolist() == [39]
    assert len(ax.collections) == 1  # one band
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["true", "forecast"]


@pytest.mark.parametrize(
    ("step", "n", "first", "below"),
    [
        ("h", 48, "00:00\n30 Dec", "2019"),
        ("D", 60, "1 Jan", "2019 to 2020"),
        ("D", 900, "Jan\n2020", ""),
        ("W", 900, "2020", ""),
    ],
)
def test_dates_are_written_as_people_do(step, n, first, below):
    times = np.datetime64("2019-12-30") + np.arange(n) * np.timedelta64(1, step)
    ax = plot_forecast(times, np.zeros(n), [])
    assert first in ticks(ax)
    assert ax.get_xlabel() == below


def test_times_may_be_numbers_and_names_are_only_text():
    ax = plot_forecast(range(4), [1.0, np.nan, 3.0], [(3, [4.0], None, None)], name="<b> $\\frac{$ \x00")
    assert ax.lines[1].get_marker() == "o"  # a single value is no line
    assert "&lt;b&gt; $" in to_svg(ax, "Forecast")


def test_a_forecast_beyond_the_times_gets_one_sentence():
    with pytest.raises(DataError, match="got 3 for 5"):
        plot_forecast(range(3), [1.0, 2.0, 3.0], [(3, [1.0, 2.0], None, None)])


def test_the_network_stands_out_and_names_do_not_meet():
    ax = plot_horizon({"network": [1.0, 2.0], "last value": [2.0, 2.01], "$drift": [np.nan, np.nan]})
    strong, quiet = ax.lines
    assert strong.get_linewidth() > quiet.get_linewidth()
    assert strong.get_xdata().tolist() == [1, 2]
    one, other = ax.texts
    assert (one.get_text(), other.get_text()) == ("network", "last value")
    assert other.xy[1] - one.xy[1] >= 0.99 * LINE * ax.get_ylim()[1]
    assert ax.get_ylim()[0] == 0


def test_nothing_to_show():
    assert "no time" in plot_forecast([], [], []).texts[0].get_text()
    assert "no error" in plot_horizon({}).texts[0].get_text()
    assert plot_horizon({"network": [0.0]}).get_ylim()[1] == 1
