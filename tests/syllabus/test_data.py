"""Preparing data: gaps, scales, splits, and nothing learned from rows that are kept aside."""

import html

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import ganglion
from ganglion import MLPClassifier
from ganglion.data.batches import ResidentBatches
from ganglion.data.impute import Imputer
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.scale import Scaler
from ganglion.data.split import stratified_split
from ganglion.jobs.page import report_input
from ganglion.report import render


@pytest.fixture(scope="module")
def gappy():
    """The diabetes table on one scale, whole and with a fifth of its cells missing."""
    X = load_diabetes().data
    X = X / X.std(0)
    return X, np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)


def error(X, holes, filled) -> float:
    return float(np.sqrt(((filled - X)[np.isnan(holes)] ** 2).mean()))


def test_mean_imputation(gappy):
    """scikit-learn's numbers with the training rows' means; filling 30 % leaves 0.70 of the variance."""
    _X, holes = gappy
    theirs = SimpleImputer().fit(holes[:300]).transform(holes[300:])
    ours = Imputer("mean").fit(holes[:300], np.ones(300)).transform(holes[300:])
    np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-15)
    rng = np.random.default_rng(1)
    column = rng.normal(size=(20_000, 1))
    column[rng.random(column.shape) < 0.3] = np.nan
    filled = Imputer("mean").fit(column, np.ones(20_000)).transform(column)
    assert filled.var() / np.nanvar(column) == pytest.approx(0.70, abs=0.02)


def test_the_report_shows_what_mean_imputation_leaves_of_the_variance(rng):
    """30 % of a column missing at random: the report's table says that 0.70 of its variance is left."""
    pandas = pytest.importorskip("pandas")
    half = pandas.DataFrame({"size": rng.normal(size=1000), "other": rng.normal(size=1000)})
    half.loc[rng.permutation(1000)[:300], "size"] = np.nan
    half["y"] = half["other"] > 0
    shared = {"max_epochs": 1, "hidden_layer_sizes": (4,), "compare": False}
    result = ganglion.fit(half, "y", impute="mean", **shared)
    columns = result.estimator.preprocessor_
    column = columns.schema_[0]
    known = half["size"].iloc[result.train].dropna()
    assert column.missing == pytest.approx(0.30, abs=0.03)
    assert columns.numbers_.imputer.arrays["fill"][0] == pytest.approx(known.mean(), abs=0.05)
    assert columns.variance_ratio(column) == pytest.approx(1 - column.missing, abs=1e-9)
    page = html.unescape(render(report_input(result)))
    assert f"filled with the mean and marked (variance × {1 - column.missing:.2f})" in page


def test_median_imputation(gappy):
    """scikit-learn's numbers; one value moved to 1e9 changes nothing, and would move the mean."""
    holes = gappy[1].copy()
    fills = {m: Imputer(m).fit(holes[:300], np.ones(300)) for m in ("median", "mean")}
    theirs = SimpleImputer(strategy="median").fit(holes[:300]).transform(holes[300:])
    np.testing.assert_array_equal(fills["median"].transform(holes[300:]), theirs)
    holes[np.nanargmax(holes[:300, 2]), 2] = 1e9
    for method, moved in (("median", False), ("mean", True)):
        again = Imputer(method).fit(holes[:300], np.ones(300)).arrays["fill"][2]
        assert (again != fills[method].arrays["fill"][2]) == moved


def test_knn_imputation(gappy):
    """scikit-learn's neighbours (on standardised columns) to 1e-10, and nearer to the truth than the mean."""
    X, holes = gappy
    mean, std = np.nanmean(holes, 0), np.nanstd(holes, 0)
    theirs = KNNImputer().fit_transform((holes - mean) / std) * std + mean
    ours = Imputer("knn", 5).fit(holes, np.ones(len(X))).transform(holes)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    flat = Imputer("mean").fit(holes, np.ones(len(X))).transform(holes)
    assert error(X, holes, ours) < 0.9 < error(X, holes, flat)


def test_feature_scaling(rng):
    """scikit-learn's scales, learned from the training rows alone. What it gains is in the next test."""
    X, new = rng.normal(size=(200, 4)) * [1, 10, 1e3, 1e-3] + [0, 5, -1e3, 0], rng.normal(size=(50, 4))
    for method, theirs in (("standard", StandardScaler()), ("minmax", MinMaxScaler())):
        ours = Scaler(method).fit(X, np.ones(200))
        np.testing.assert_allclose(ours.transform(X), theirs.fit_transform(X), rtol=0, atol=1e-12)
        np.testing.assert_allclose(ours.transform(new), theirs.transform(new), rtol=1e-12, atol=1e-12)


def test_scaling_lifts_ten_folds_of_breast_cancer(cancer):
    """From about 93 % with raw columns to at least 97 % and an AUC of 0.99 with standardised ones."""
    X, y = cancer
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    shared = {"hidden_layer_sizes": (32,), "validation_fraction": 0, "max_epochs": 20, "lr": 3e-3}
    found = {}
    for name, how in (("scaled", {"scale": "standard", "bins": 0}), ("raw", {"preprocess": "none"})):
        proba = cross_val_predict(MLPClassifier(**shared, **how), X, y, cv=folds, method="predict_proba")
        found[name] = accuracy_score(y, proba.argmax(1)), roc_auc_score(y, proba[:, 1])
    assert found["scaled"][0] >= 0.97
    assert found["scaled"][1] >= 0.99
    assert found["raw"][0] < 0.955


def test_validation_set(rng):
    """Three parts that are disjoint, whole, the same again and stratified to a row; only training rows are learned."""
    y = rng.permutation(np.repeat([0, 1, 2], [120, 60, 21]))

    def parts(seed: int) -> list[np.ndarray]:
        rest, test = stratified_split(y, 0.2, seed)
        train, held = stratified_split(y[rest], 0.25, seed)
        return [rest[train], rest[held], test]

    found = parts(7)
    assert sorted(np.concatenate(found)) == list(range(201))
    assert all(np.array_equal(a, b) for a, b in zip(found, parts(7)))
    assert not np.array_equal(found[2], parts(8)[2])
    for part in found:
        exact = np.bincount(y) * len(part) / 201
        assert np.abs(np.bincount(y[part]) - exact).max() <= 1

    X = rng.normal(size=(201, 3))
    X[rng.random(X.shape) < 0.1] = np.nan
    net = MLPClassifier(hidden_layer_sizes=(4,), max_epochs=1, validation_fraction=0.25)
    held = net._split(y, 0.25, 0)[1]
    before = net.fit(X, y).preprocessor_.state()[1]
    X[held] = 1e6
    after = net.fit(X, y).preprocessor_.state()[1]
    assert all(np.array_equal(before[k], after[k]) for k in before)


def test_data_pipeline(rng, tmp_path):
    """Learned from training folds alone, so a copy of the target in other rows gains nothing; replays to the bit."""
    pandas = pytest.importorskip("pandas")
    n = 400
    y = rng.integers(0, 2, n)
    frame = pandas.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["u", "v", "w"], n), "leak": 0.0})
    frame.loc[rng.random(n) < 0.1, "a"] = np.nan
    train, test = slice(0, 300), slice(300, None)
    net = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=3).fit(frame[train], y[train])
    leaking = frame.copy()
    leaking.loc[300:, "leak"] = y[300:] * 5.0
    assert net.score(leaking[test], y[test]) == net.score(frame[test], y[test])
    np.testing.assert_array_equal(net.predict_proba(leaking[test]), net.predict_proba(frame[test]))

    net.save(tmp_path / "net.ganglion")
    again = ganglion.load(tmp_path / "net.ganglion").preprocessor_
    assert isinstance(again, TablePreprocessor)
    batches = []
    for pipeline in (net.preprocessor_, again):
        stream = ResidentBatches({"x": torch.as_tensor(pipeline.transform(frame))}, 32)
        batches.append([b["x"].numpy().tobytes() for b in stream.epoch(1, 4)])
    assert batches[0] == batches[1]
