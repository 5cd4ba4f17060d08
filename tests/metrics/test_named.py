"""scikit-learn's scores under their names, counted by hand: they are the implementation, so they need an oracle."""

import warnings

import numpy as np
import pytest

import ganglion
from ganglion import metrics


def cases(rng, n=300):
    """Random labels and answers; some without the class, some where it is never said, some of one row."""
    for _ in range(n):
        k, rows = int(rng.integers(2, 5)), int(rng.integers(1, 30))
        y, said = rng.integers(0, k, rows), rng.integers(0, k, rows)
        yield k, y if rng.random() < 0.8 else y * 0, said if rng.random() < 0.8 else said * 0


def test_the_names_are_there():
    assert {"precision_score", "roc_curve", "mean_pinball_loss", "log_loss"} <= set(ganglion.metrics.__all__)


def test_the_precision_recall_curve_by_counting(rng):
    for _, y, _ in cases(rng):
        y = (y > 0).astype(int)
        p = np.round(rng.random(len(y)), 1)
        if not y.any():
            continue
        precision, recall, thresholds = metrics.precision_recall_curve(y, p)
        assert (precision[-1], recall[-1]) == (1.0, 0.0)
        assert thresholds.tolist() == sorted(set(p.tolist()))
        for t, one, two in zip(thresholds, precision, recall):
            hits = int(((p >= t) & (y == 1)).sum())
            assert one == hits / (p >= t).sum()
            assert two == hits / y.sum()


def test_pinball_and_log_loss_by_hand(rng):
    y, guess = rng.normal(size=(2, 50))
    for q in (0.1, 0.5, 0.9):
        gap = y - guess
        wanted = np.where(gap > 0, q * gap, (q - 1) * gap).mean()
        assert metrics.mean_pinball_loss(y, guess, alpha=q) == pytest.approx(wanted, abs=1e-15)
    assert metrics.mean_absolute_error(y, guess) == pytest.approx(np.abs(y - guess).mean(), abs=1e-15)
    assert metrics.mean_squared_error(y, guess) == pytest.approx(((y - guess) ** 2).mean(), abs=1e-15)
    codes, proba = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    wanted = -np.log(proba[np.arange(50), codes]).mean()
    assert metrics.log_loss(codes, proba, labels=[0, 1, 2]) == pytest.approx(wanted, abs=1e-12)


def test_the_table_by_class_and_the_macro_score_are_the_same_counts(rng):
    """What the report shows and what the scores say; no class that is missing turns into a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k, y, said in cases(rng, 100):
            for i, row in enumerate(metrics.class_table(y, said, range(k))):
                hits, told, there = ((y == i) & (said == i)).sum(), (said == i).sum(), (y == i).sum()
                assert row["precision"] == (hits / told if told else None)
                assert row["recall"] == (hits / there if there else None)
