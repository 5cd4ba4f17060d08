"""What a column is taken for."""

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.data.columns import as_frame
from ganglion.data.read import read_table
from ganglion.data.schema import Column, describe, infer_schema

N = 60
RNG = np.random.default_rng(0)

CASES = {
    "number": RNG.normal(size=N),
    "number as text": [f" {i / 7:.3f}" for i in range(N - 1)] + [" "],
    "number with stray words": [str(i) for i in range(N - 2)] + ["abc", "NA"],
    "whole": RNG.integers(0, 3, N),
    "category": ["red", "green", "blue"] * (N // 3),
    "category with gaps": ["red", None, "?"] * (N // 3),
    "boolean": [True, False] * (N // 2),
    "boolean words": ["Yes", "No"] * (N // 2),
    "date": [f"2020-0{1 + i % 9}-1{i % 10}" for i in range(N)],
    "constant": [1.0] * N,
    "constant word": ["same"] * N,
    "empty": [None] * N,
    "empty words": ["NA", "?"] * (N // 2),
    "identifier": [f"C{i:04d}x" for i in range(N)],
    "row_id": list(range(N)),
    "text": [f"a sentence that says something about the number {i}" for i in range(N)],
}
KIND = {
    "number as text": "number",
    "number with stray words": "number",
    "whole": "number",
    "category with gaps": "category",
    "boolean words": "boolean",
    "constant word": "constant",
    "empty words": "empty",
    "row_id": "identifier",
}


@pytest.mark.parametrize("name", CASES)
def test_kinds(name):
    (column,) = infer_schema(as_frame({name: CASES[name]}))
    assert column.kind == KIND.get(name, name)
    assert column.used or column.note
    assert Column.from_dict(column.to_dict()) == column


def test_statistics_levels_and_gaps():
    number, category = infer_schema(as_frame({"a": [1, None, 5, 6], "b": ["10", "x", "9", "x"]}))
    assert (number.missing, number.mean, number.min, number.max) == (0.25, 4, 1, 6)
    assert category.levels == ["9", "10", "x"]
    assert category.shares == [0.25, 0.25, 0.5]


def test_stray_words_are_noted():
    (column,) = infer_schema(as_frame({"a": CASES["number with stray words"]}))
    assert "'abc'" in column.note
    assert column.missing == pytest.approx(2 / N)


def test_whole_numbers_become_categories_on_request():
    frame = as_frame({"whole": CASES["whole"], "number": CASES["number"]})
    assert [c.kind for c in infer_schema(frame, integer_levels=5)] == ["category", "number"]


def test_an_unnamed_matrix_holds_only_numbers():
    X = np.column_stack([np.arange(N), RNG.normal(size=N), np.ones(N)])
    assert [c.kind for c in infer_schema(as_frame(X))] == ["number", "number", "constant"]


def test_weights_count_as_repeated_rows():
    counts = RNG.integers(1, 4, N)
    columns = {k: v for k, v in CASES.items() if k != "empty"}
    frame = as_frame(columns)
    weighted = infer_schema(frame, counts.astype(float))
    repeated = infer_schema(frame.take(np.repeat(np.arange(N), counts)))
    for one, other in zip(weighted, repeated):
        assert (one.kind, one.levels, one.form) == (other.kind, other.levels, other.form)
        np.testing.assert_allclose(one.shares, other.shares, rtol=1e-12)
        if one.mean is not None:
            np.testing.assert_allclose([one.mean, one.std], [other.mean, other.std], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_infinity_names_the_column(value):
    with pytest.raises(DataError, match="column 'b'"):
        infer_schema(as_frame({"a": [1.0, 2.0], "b": [1.0, value]}))


def test_damaged_schemas_are_refused():
    stored = Column("a", "number").to_dict()
    for key, value in (("kind", "spell"), ("form", "rm"), ("levels", [1])):
        with pytest.raises(DataError):
            Column.from_dict(stored | {key: value})


def test_described_in_words():
    schema = infer_schema(as_frame(CASES))
    assert describe(schema, N) == "4 categorical, 1 date, 43 missing, 7 left out"
    assert describe(infer_schema(as_frame(np.eye(3))), 3) == "all numbers"


def test_real_tables(real_table):
    adult = infer_schema(read_table(real_table("adult_train")))
    assert sum(c.kind == "category" for c in adult) == 9
    assert sum(round(c.missing * 32561) for c in adult) == 4262
    telco = {c.name: c for c in infer_schema(read_table(real_table("telco_churn")))}
    assert telco["customerID"].kind == "identifier"
    assert telco["TotalCharges"].kind == "number"
    assert round(telco["TotalCharges"].missing * 7043) == 11
    titanic = {c.name: c for c in infer_schema(read_table(real_table("titanic_train")))}
    kinds = {titanic[name].kind for name in ("PassengerId", "Name", "Age", "Sex")}
    assert kinds == {"identifier", "text", "number", "category"}
