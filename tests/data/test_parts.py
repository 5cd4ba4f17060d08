"""Imputing, scaling and encoding against scikit-learn; weights against repeated rows."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from ganglion.data import weighted
from ganglion.data.bayes import bayesian_ridge
from ganglion.data.dates import growing_parts, turning_parts
from ganglion.data.encode import choose, codes, kept_levels, one_hot, ordinal, signs
from ganglion.data.impute import METHODS as IMPUTE
from ganglion.data.impute import Imputer
from ganglion.data.scale import METHODS as SCALE
from ganglion.data.scale import Scaler
from ganglion.data.schema import Column


def gappy(seed=0, n=120, d=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * [1, 10, 100, 1, 0.1] + [0, 5, 0, -3, 1]
    X[rng.random(X.shape) < 0.15] = np.nan
    return X


ONES = np.ones(120)


@pytest.mark.parametrize("method", ["mean", "median", "most_frequent"])
def test_simple_filling_is_scikit_learns(method):
    X = np.round(gappy(), 0)
    theirs = SimpleImputer(strategy=method).fit_transform(X)
    np.testing.assert_allclose(Imputer(method).fit(X, ONES).transform(X), theirs)


def test_neighbors_are_scikit_learns():
    X = gappy()
    mean, std = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    theirs = KNNImputer(n_neighbors=5).fit_transform((X - mean) / std) * std + mean
    np.testing.assert_allclose(Imputer("knn", 5).fit(X, ONES).transform(X), theirs, rtol=1e-9)


def test_rows_without_neighbors_get_the_mean():
    X = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    filled = Imputer("knn", 2).fit(X, np.ones(3)).transform(np.array([[np.nan, np.nan]]))
    np.testing.assert_allclose(filled, [[3.0, 4.0]])


def test_bayesian_ridge_is_scikit_learns():
    rng = np.random.default_rng(1)
    X, counts = rng.normal(size=(60, 4)), rng.integers(1, 5, 60).astype(float)
    y = X @ [1.0, -2.0, 0.0, 3.0] + rng.normal(size=60) + 7
    theirs = BayesianRidge().fit(X, y, sample_weight=counts)
    coefficients, intercept = bayesian_ridge(X, y, counts)
    np.testing.assert_allclose(coefficients, theirs.coef_, rtol=1e-6)
    np.testing.assert_allclose(intercept, theirs.intercept_, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_iterative_filling_is_scikit_learns():
    X = gappy(n=200)
    theirs = IterativeImputer(BayesianRidge(), max_iter=10, random_state=0, imputation_order="ascending")
    expected = theirs.fit_transform(X)
    ours = Imputer("iterative").fit(X, np.ones(200)).transform(X)
    spread = np.nanstd(X, axis=0)
    assert np.max(np.abs(ours - expected) / spread) < 0.02
    truth_error = np.abs(SimpleImputer().fit_transform(X) - expected).mean()
    assert np.abs(ours - expected).mean() < 0.01 * truth_error


def test_columns_full_in_training_are_filled_later():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1)) * np.array([1.0, 2.0]) + rng.normal(size=(100, 2)) * 0.01
    imputer = Imputer("iterative").fit(X, np.ones(100))
    assert imputer.transform(np.array([[1.0, np.nan]]))[0, 1] == pytest.approx(2.0, abs=0.1)


THEIRS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "quantile": QuantileTransformer(n_quantiles=257, output_distribution="normal"),
}


@pytest.mark.parametrize("method", THEIRS)
def test_scaling_is_scikit_learns(method):
    X = np.random.default_rng(0).normal(size=(2000, 3)) ** 3
    ours = Scaler(method).fit(X, np.ones(2000)).transform(X)
    inner = slice(None) if method != "quantile" else np.abs(ours).max(axis=1) < 2
    tolerance = 1e-9 if method != "quantile" else 0.02
    np.testing.assert_allclose(ours[inner], THEIRS[method].fit_transform(X)[inner], atol=tolerance)


def test_robust_scaling_is_scikit_learns():
    X = gappy(n=401)
    ours = Scaler("robust").fit(X, np.ones(401)).transform(X)
    np.testing.assert_allclose(ours, RobustScaler().fit_transform(X), rtol=0.05, atol=0.05)


def test_auto_bends_outliers_and_keeps_the_middle():
    X = np.append(np.random.default_rng(0).normal(size=999), 1e9)[:, None]
    auto = Scaler("auto").fit(X, np.ones(1000)).transform(X)
    robust = Scaler("robust").fit(X, np.ones(1000)).transform(X)
    np.testing.assert_allclose(auto, robust / np.sqrt(1 + (robust / 3) ** 2), rtol=1e-12)
    assert np.abs(auto).max() <= 3
    spiky = np.array([[0.0]] * 9 + [[8.0]])
    np.testing.assert_allclose(
        Scaler("auto").fit(spiky, np.ones(10)).transform(spiky)[-1], 2 / np.sqrt(1 + 4 / 9)
    )


@pytest.mark.parametrize("method", SCALE)
def test_columns_without_spread_become_zero(method):
    X = np.full((5, 1), 7.3)
    scaled = Scaler(method).fit(X, np.ones(5)).transform(X)
    assert scaled.max() == (7.3 if method == "none" else 0)


def test_quantiles_are_numpys():
    X = np.random.default_rng(0).normal(size=(101, 3))
    levels = np.array([0.0, 0.25, 0.5, 0.9, 1.0])
    expected = np.quantile(X, levels, axis=0, method="averaged_inverted_cdf")
    np.testing.assert_allclose(weighted.quantiles(X, np.ones(101), levels), expected)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repeated_rows(seed):
    """Whole weights give what repeated rows give, for every way of filling and scaling."""
    rng = np.random.default_rng(seed)
    X = gappy(seed, n=80)
    counts = rng.integers(1, 5, 80)
    repeated = np.repeat(X, counts, axis=0)
    for method in IMPUTE:
        one = Imputer(method, 5).fit(X, counts.astype(float)).transform(X)
        other = Imputer(method, 5).fit(repeated, np.ones(len(repeated))).transform(X)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8, err_msg=method)
    for method in SCALE:
        one = Scaler(method).fit(X, counts.astype(float)).transform(X)
        other = Scaler(method).fit(repeated, np.ones(len(repeated))).transform(X)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12, err_msg=method)


def test_weights_as_counts():
    np.testing.assert_array_equal(weighted.as_counts(np.array([3, 1]), 2), [3, 1])
    np.testing.assert_allclose(weighted.as_counts(np.array([0.3, 0.1]), 2), [1.5, 0.5])
    np.testing.assert_array_equal(weighted.as_counts(None, 2), [1, 1])


def test_codes_of_every_storage():
    levels = pa.array(["1", "2", "x"])
    assert codes(pa.array(["2", " x ", "NA", "new"]), levels).tolist() == [2, 3, 0, 0]
    assert codes(np.array([1.0, 2.0, np.nan]), levels).tolist() == [1, 2, 0]
    assert codes(np.array([1.5, 7.0]), pa.array(["007", "1.50"])).tolist() == [2, 1]
    truth = pa.array(["False", "True"])
    assert codes(np.array([True, False]), truth).tolist() == [2, 1]
    assert codes(np.array([1.0, 0.0]), truth, "boolean").tolist() == [2, 1]
    assert codes(pa.array(["yes", "NO", "x"]), truth, "boolean").tolist() == [2, 1, 0]


def test_encodings():
    out = np.zeros((3, 2), dtype=np.float32)
    one_hot(np.array([1, 0, 2]), 2, out)
    assert out.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert signs(np.array([0, 1, 2])).tolist() == [0, -1, 1]
    assert ordinal(np.array([0, 1, 2, 3]), 3).tolist() == [0, -1, 0, 1]
    assert choose("ordinal", 5, 16) == "ordinal"
    column = Column("a", "category", levels=["a", "b", "c"], shares=[0.5, 0.3, 0.2])
    assert kept_levels(column, 10, "embedding") == ["a", "b", "c"]
    assert kept_levels(column, 6, "embedding") == ["a", "b"]
    assert kept_levels(column, 5, "onehot") == ["a", "b", "c"]


def test_date_parts():
    days = np.array(["2021-07-01T18:00", "NaT"], dtype="datetime64[us]")
    number = np.where(np.isnat(days), np.nan, days.astype(np.int64) / 86_400_000_000)
    np.testing.assert_allclose(growing_parts(number), [[2021, 18809.75], [np.nan, np.nan]])
    parts = turning_parts(number)
    angle = 2 * np.pi * 3 / 7  # a Thursday
    np.testing.assert_allclose(parts[0], [0, -1, np.sin(angle), np.cos(angle), -1, 0], atol=1e-12)
    assert not parts[1].any()
