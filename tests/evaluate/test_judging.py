"""Importance, mistakes and comparison on cases whose answer is known."""

import time

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.evaluate import compare_scores, permutation_importance, worst_mistakes
from ganglion.evaluate.columns import Columns


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def accuracy(y, p):
    return float((y == p).mean())


def tables(rng, n=300):
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    cells = {"noise": rng.normal(size=n), "city": rng.choice(["Rome", "Oslo"], n)}
    yield cells, cells
    yield cells, pd.DataFrame(cells, index=np.arange(n)[::-1] * 7)
    yield cells, pl.DataFrame(cells)
    yield cells, pa.table({k: pa.array(v) for k, v in cells.items()})


def test_the_used_column_is_found_in_every_kind_of_table(rng):
    for cells, table in tables(rng):
        before = str(table)
        found = permutation_importance(lambda t: np.asarray(t["city"]), table, cells["city"], accuracy)
        assert [one.name for one in found] == ["city", "noise"]
        # a fair coin shuffled agrees with itself half of the time
        assert found[0].mean == pytest.approx(0.5, abs=0.06)
        assert found[1].mean == found[1].std == 0
        assert str(table) == before


def test_importance_is_seeded_and_bounded(rng):
    X, calls = rng.normal(size=(5000, 3)), []

    def slow(t):
        calls.append(len(t))
        time.sleep(0.02)
        return t[:, 0] > 0

    one = permutation_importance(slow, X, X[:, 0] > 0, accuracy, max_rows=100, time_limit=0.1)
    assert set(calls) == {100}
    assert len(calls) < 12
    assert one[0].name == "column 1"
    fast = [permutation_importance(lambda t: t[:, 0] > 0, X, X[:, 0] > 0, accuracy) for _ in range(2)]
    assert fast[0] == fast[1]
    with pytest.raises(DataError):
        permutation_importance(slow, X, [1, 2], accuracy)


def test_columns_refuse_what_is_no_table():
    with pytest.raises(DataError, match="lengths"):
        Columns({"a": [1], "b": [1, 2]})
    with pytest.raises(DataError, match="int"):
        Columns(3)


def test_most_confident_mistakes_first(rng):
    proba = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.05, 0.95]]
    found = worst_mistakes(
        ["b", "a", "b", "a"], proba, classes=["a", "b"], table={"x": [10, 11, 12, 13]}, n=2
    )
    assert [(m.row, m.true, m.predicted, m.values) for m in found] == [
        (3, "a", "b", {"x": 13}),
        (0, "b", "a", {"x": 10}),
    ]
    assert worst_mistakes(["a"], [[1.0, 0.0]], classes=["a", "b"]) == []


def test_largest_errors_and_several_outputs():
    found = worst_mistakes([1.0, 2.0, 3.0], [1.0, 5.0, 2.0], n=5)
    assert [(m.row, m.error) for m in found] == [(1, 3.0), (2, 1.0)]
    y = np.array([[0.0, 0.0], [1.0, 1000.0]])
    found = worst_mistakes(y, y + [[0.4, 0.0], [0.0, 100.0]])
    assert [m.row for m in found] == [0, 1]  # 0.8 against 0.2 spreads
    with pytest.raises(DataError):
        worst_mistakes([1.0], [[1.0, 2.0]])


def test_comparison_turns_errors_round(rng):
    y = rng.normal(size=200)
    rows = compare_scores(y, {"network": y + 0.1, "linear": y + 1, "same": y + 0.1}, "rmse")
    assert rows[0].behind is None
    assert rows[1].behind.low > 0
    assert rows[2].behind[:3] == pytest.approx((0, 0, 0))
    assert compare_scores([1.0, 1.0], {"a": [1.0, 2.0]}, "r2")[0].interval is None
