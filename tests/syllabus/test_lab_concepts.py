"""Concepts that are statements about training rather than parts: the lab measures them, the criteria are checked."""

import itertools

import numpy as np
import pytest

from ganglion import lab


def table(name, **options):
    return lab.run(name, **options).shown.table


def column(rows, name):
    return [float(np.mean(row[name])) for row in rows.values() if name in row]


def test_shallow_neural_network():
    """At an equal number of units the deep network of a folded map has a tenth of the shallow one's error, and less."""
    rows = table("depth-against-width", quick=True)
    deep = rows["8 folds"]["error, deep"]
    shallow = rows["8 folds"]["error, shallow with as many"]
    assert np.mean(deep) < 0.1 * np.mean(shallow)
    # smooth targets are no such case, so the claim is not true of everything
    assert np.mean(rows["one sine"]["error, shallow with as many"]) < 0.05


def test_model_complexity_tradeoff():
    rows = table("double-descent", quick=True)
    features = [int(name.split()[0].replace(",", "")) for name in rows]
    train, test = column(rows, "training error"), column(rows, "test error (median)")
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(train))
    peak = features[int(np.argmax(test))]
    assert 36 <= peak <= 44  # the training sets have 40 rows
    before = test[: features.index(peak)]
    assert min(before) < before[0]  # falls, then rises to the peak: the U below interpolation
    assert before[-1] > min(before)
    assert test[-1] < 0.2 * max(test)  # the second descent


def test_curse_of_dimensionality():
    rows = table("curse-of-dimensionality", quick=True)
    assert np.mean(rows["2 dimensions"]["(far - near) / near"]) == pytest.approx(73, rel=0.6)
    assert np.mean(rows["1,000 dimensions"]["(far - near) / near"]) == pytest.approx(0.11, abs=0.03)
    needed = {d: np.mean(rows[f"{d} dimensions"]["rows for error 0.2"]) for d in (2, 6)}
    assert needed[6] >= 10 * needed[2]


def test_bias_variance_tradeoff():
    rows = table("bias-variance", quick=True)
    for row in rows.values():
        assert row["bias^2"] + row["variance"] + row["noise"] == pytest.approx(
            row["error on new points"], rel=0.02
        )
    bias, variance = column(rows, "bias^2"), column(rows, "variance")
    assert next(iter(rows)) == "degree 1"
    assert list(rows)[-1] == "degree 9"
    assert all(b < a + 1e-4 for a, b in itertools.pairwise(bias))
    assert all(b > a for a, b in itertools.pairwise(variance))


@pytest.mark.slow
def test_batch_size_generalization_effect():
    result = lab.run("batch-size-generalisation")
    rows = result.shown.table
    assert {"batch 8", "batch 512"} < set(rows)
    gap = rows["gap, 8 minus 512"]
    assert set(gap) == {"equal passes", "equal updates", "equal updates, tuned"}
    assert gap["equal passes"][0] > 0.1 > 0.05 > abs(gap["equal updates, tuned"][0])
    assert all(len(row["equal updates"]) > 1 for name, row in rows.items() if name.startswith("batch"))
    assert result.plot().containers  # the intervals are drawn


def test_universal_approximation():
    rows = table("universal-approximation", quick=True)
    tanh = [float(np.mean(values)) for values in rows["tanh"].values()]
    assert next(iter(rows["tanh"])) == "2 units"
    assert max(rows["tanh"]["50 units"]) <= 1e-2
    assert all(b < a for a, b in itertools.pairwise(tanh))
    assert min(rows["square"]["50 units"]) > 0.5
    assert min(rows["cube"]["50 units"]) > 0.1
