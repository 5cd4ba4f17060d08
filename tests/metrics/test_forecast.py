"""Scores of forecasts by hand, by loops, against scikit-learn, and the test's size by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, norm, t, ttest_1samp
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.forecast import (
    diebold_mariano,
    forecast_scores,
    interval_coverage,
    mase,
    pinball_loss,
    smape,
)


class TestScores:
    def test_mase_by_hand(self):
        """Two seasons of four: |9 - 5|, |6 - 4|, |3 - 3|, |8 - 6| have mean 2; errors 1, 3 have mean 2."""
        history = [5, 4, 3, 6, 9, 6, 3, 8]
        assert mase([10, 7], [9, 10], history, season=4) == pytest.approx(1.0)
        assert mase([10, 7], [9, 10], history) == pytest.approx(2 / ((1 + 1 + 3 + 3 + 3 + 3 + 5) / 7))

    def test_the_naive_forecast_has_one_on_its_own_history(self, rng):
        history = rng.normal(size=50).cumsum()
        assert mase(history[7:], history[:-7], history, season=7) == pytest.approx(1.0)

    def test_mase_does_not_see_the_unit(self, rng):
        y, f, past = rng.normal(size=(3, 20))
        assert mase(5 * y + 3, 5 * f + 3, 5 * past + 3, 2) == pytest.approx(mase(y, f, past, 2))

    def test_smape(self):
        assert smape([100, 50], [110, 25]) == pytest.approx((2 * 10 / 210 + 2 * 25 / 75) / 2)
        assert smape([1, -1], [-1, 0]) == 2.0
        assert smape([0, 0], [0, 0]) == 0.0

    def test_all_scores(self, rng):
        y, f, past = rng.normal(size=(3, 4, 5))
        scores = forecast_scores(y, f, past[0], season=2)
        assert scores == pytest.approx(
            {"mae": mean_absolute_error(y, f), "mse": mean_squared_error(y, f), "smape": smape(y, f),
             "mase": mase(y, f, past[0], 2)}
        )  # fmt: skip
        assert set(forecast_scores(y, f)) == set(forecast_scores(y, f, [1, 1, 1])) == {"mae", "mse", "smape"}

    def test_pinball_is_scikit_learns(self, rng):
        y, f, levels = rng.normal(size=30), rng.normal(size=(30, 3)), [0.05, 0.5, 0.8]
        theirs = [mean_pinball_loss(y, column, alpha=q) for column, q in zip(f.T, levels)]
        np.testing.assert_allclose(pinball_loss(y, f, levels), theirs, rtol=1e-12)

    def test_pinball_is_least_at_the_quantile(self, rng):
        y, grid, levels = rng.normal(size=4001), np.linspace(-3, 3, 601), [0.1, 0.7]
        losses = np.array([pinball_loss(y, np.full((4001, 2), at), levels) for at in grid])
        np.testing.assert_allclose(grid[losses.argmin(0)], np.quantile(y, levels), atol=0.011)

    def test_coverage(self, rng):
        assert interval_coverage([1, 2, 3], [1, 3, -np.inf], [1, 4, np.inf]) == pytest.approx(2 / 3)
        y = rng.normal(size=(100, 100))
        edge = np.full_like(y, norm.ppf(0.9))
        assert interval_coverage(y, -edge, edge) == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 1e4))


def by_loops(a, b, h, power):
    """The statistic of Harvey, Leybourne and Newbold with sums written out."""
    d = [abs(x) ** power - abs(y) ** power for x, y in zip(a, b)]
    n, mean = len(d), math.fsum(d) / len(d)
    gamma = [math.fsum((d[i] - mean) * (d[i - k] - mean) for i in range(k, n)) / n for k in range(h)]
    s1 = mean / math.sqrt((gamma[0] + 2 * math.fsum(gamma[1:])) / n)
    s2 = s1 * math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    return s2, 2 * t.sf(abs(s2), n - 1)


def forecasts(rng, n, h):
    """Errors of two equally good forecasters h steps ahead: sums of h shocks, most of them common to both."""
    shocks = rng.normal(size=(2, n + h - 1)) + rng.normal(size=n + h - 1)
    return np.lib.stride_tricks.sliding_window_view(shocks, h, axis=1).sum(2)


class TestDieboldMariano:
    @pytest.mark.parametrize(("h", "power"), [*itertools.product([1, 2, 4], [1, 2, 1.5])])
    def test_the_formula(self, h, power, rng):
        a, b = forecasts(rng, 40, h)
        assert diebold_mariano(a, b, horizon=h, power=power) == pytest.approx(
            by_loops(a, b, h, power), rel=1e-10
        )

    def test_one_step_ahead_it_is_the_t_test_of_the_losses(self, rng):
        """With h = 1 the correction sqrt((n - 1) / n) turns the variance over n into that over n - 1."""
        a, b = rng.normal(size=(2, 25))
        theirs = ttest_1samp(a**2 - b**2, 0.0)
        assert diebold_mariano(a, b) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)

    @pytest.mark.parametrize(("h", "n"), [(1, 30), (2, 60), (3, 120)])
    def test_equal_forecasters_are_told_apart_about_as_often_as_said(self, h, n):
        """Of 2,000 pairs 5 %, within what chance allows."""
        rng = np.random.default_rng(h)
        found = [diebold_mariano(*forecasts(rng, n, h), horizon=h).p_value < 0.05 for _ in range(2000)]
        low, high = binom.ppf([0.001, 0.999], 2000, 0.05) / 2000
        assert low <= np.mean(found) <= high

    def test_without_the_correlation_it_would_be_wrong(self):
        """Errors four steps ahead judged as if they were independent: far too many verdicts."""
        rng = np.random.default_rng(0)
        pairs = [forecasts(rng, 100, 4) for _ in range(500)]
        assert np.mean([diebold_mariano(*pair).p_value < 0.05 for pair in pairs]) > 0.12
        assert np.mean([diebold_mariano(*pair, horizon=4).p_value < 0.05 for pair in pairs]) < 0.1

    def test_the_better_forecaster_is_found(self, rng):
        a, b = rng.normal(size=(2, 400))
        found = diebold_mariano(a, 1.4 * b)
        assert found.statistic < -3
        assert found.p_value < 0.01
        assert diebold_mariano(1.4 * b, a) == pytest.approx((-found.statistic, found.p_value))

    def test_a_variance_that_is_not_positive(self):
        """Losses that jump up and down: c_0 + 2 c_1 < 0, and with half of c_1 it is above 0."""
        d = np.array([3.0, 1, 3, 1, 3, 1, 3, 1])
        rest = d - 2
        gamma = [rest @ rest / 8, rest[1:] @ rest[:-1] / 8]
        assert gamma[0] + 2 * gamma[1] < 0
        wanted = 2 / math.sqrt((gamma[0] + gamma[1]) / 8) * math.sqrt((8 + 1 - 4 + 2 / 8) / 8)
        assert diebold_mariano(np.sqrt(d), np.zeros(8), horizon=2).statistic == pytest.approx(wanted)

    def test_the_unit_does_not_matter(self, rng):
        a, b = rng.normal(size=(2, 30))
        for unit in (1e200, 1e-200):
            assert diebold_mariano(unit * a, unit * b) == pytest.approx(diebold_mariano(a, b))

    def test_the_same_errors_do_not_differ(self):
        assert diebold_mariano([1, -2, 3], [-1, 2, 3]) == diebold_mariano([0, 0], [0, 0]) == (0.0, 1.0)


HISTORY = [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mase([1], [1, 2], HISTORY), r"got \(1,\) and \(2,\)"),
        (lambda: mase([1], [math.nan], HISTORY), "NaN"),
        (lambda: mase([], [], HISTORY), "no value"),
        (lambda: mase([1], [2], HISTORY, season=3), "more values than the season 3"),
        (lambda: mase([1], [2], [[1, 2]]), "more values"),
        (lambda: mase([1], [2], [5, 5, 5]), "nothing to scale by"),
        (lambda: smape(["a"], [1]), "array of numbers"),
        (lambda: smape([[1], [1, 2]], [1]), "array of numbers"),
        (lambda: pinball_loss([1, 2], [1, 2], [0.5]), r"got \(2,\), \(2,\) and \(1,\)"),
        (lambda: pinball_loss([1], [[1]], [1.0]), r"got \[1.0\]"),
        (lambda: interval_coverage([1], [2], [1]), "1 are larger"),
        (lambda: interval_coverage([1], [1, 2], [1]), "one shape"),
        (lambda: interval_coverage([math.inf], [0], [1]), "finite"),
        (lambda: diebold_mariano([1, 2], [1, 3], horizon=2), "than the horizon 2"),
        (lambda: diebold_mariano([1], [2]), "at least 2"),
        (lambda: diebold_mariano([[1, 2]], [[2, 3]]), "shape"),
        (lambda: diebold_mariano([2, 2, -2], [1, 1, 1]), "constant difference"),
        (lambda: diebold_mariano([0.1, 0.1, 0.1], [0.3, 0.3, -0.3], power=1), "constant difference"),
    ],
)
def test_wrong_data_are_refused(call, words):
    with pytest.raises(DataError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "call", [lambda: mase([1], [2], HISTORY, season=0), lambda: diebold_mariano([1, 2], [2, 2], horizon=0),
             lambda: diebold_mariano([1, 2], [2, 2], power=0), lambda: diebold_mariano([1, 2], [2, 2], horizon=1.5)]
)  # fmt: skip
def test_wrong_parameters_are_refused(call):
    with pytest.raises(ParameterError, match="must be"):
        call()
