"""What a target asks for."""

import datetime as dt

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.data.columns import as_frame
from ganglion.data.read import read_table
from ganglion.data.target import encode_labels, infer_task

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("y", "kind", "classes"),
    [
        (["a", "b", "a"], "binary", ["a", "b"]),
        (["b", "c", "a", None, "?"], "multiclass", ["a", "b", "c"]),
        ([True, False], "binary", [False, True]),
        ([0, 1, 1, 0], "binary", [0, 1]),
        ([-1, 1], "binary", [-1, 1]),
        (np.array([3, 4, 5] * 5), "multiclass", [3, 4, 5]),
        (["1", "0", "1"], "binary", [0, 1]),
        (["None", "Mild", "None"], "binary", ["Mild", "None"]),
        (["yes.", "no."], "binary", ["no", "yes"]),
        ([1.0, 2.0, np.nan, 1.0], "binary", [1, 2]),
        (np.arange(100), "regression", []),
        (np.array([0.5, 1.5]), "regression", []),
        (["1.5", "2.5", ""], "regression", []),
        (np.ones((4, 2)) * np.arange(4)[:, None], "multioutput", []),
        (np.array([[0], [1]]), "binary", [0, 1]),
    ],
)
def test_kinds(y, kind, classes):
    task = infer_task(y)
    assert (task.kind, task.classes) == (kind, classes)
    assert task.reason


def test_told():
    assert infer_task([0, 1, 2, 3, 4], "classification").kind == "multiclass"
    assert infer_task([0, 1, 0, 1], "regression").kind == "regression"
    with pytest.raises(DataError, match="'x'"):
        infer_task(["x", "y"], "regression")


def test_rows_without_a_target_are_counted():
    task = infer_task(["a", None, "", "b", "NA"])
    assert task.kept.tolist() == [True, False, False, True, False]
    assert task.n_missing == 3
    assert task.counts == [1, 1]
    several = infer_task(np.array([[1.5, 2], [np.nan, 3], [4, 5.5]]))
    assert several.kept.tolist() == [True, False, True]
    assert several.n_outputs == 2


@pytest.mark.parametrize(
    ("y", "said"),
    [
        ([], "0 rows"),
        ([None, None], "all its cells are missing"),
        (["", "?"], "all its cells are missing"),
        (["a", "a"], "only one class, 'a'"),
        ([True, True], "only one class"),
        ([2.5, 2.5], "always 2.5"),
        ([1.5, np.inf], "infinite"),
        ([f"id{i}" for i in range(100)], "identifier or free text"),
        ([dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)], "dates"),
        ([["a", "b"], ["c", "d"]], "must be columns of numbers"),
        ([{"a": 1}, {"a": 2}], "number"),
        (np.array([1j, 2]), "Complex data not supported"),
    ],
)
def test_bad_targets_are_one_sentence(y, said):
    with pytest.raises(DataError, match=said) as caught:
        infer_task(y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "y", [["b", "a", "b"], [True, False, True], [2, 1, 2], [0.5, 1.5, 0.5], ["2", "1", "2"]]
)
def test_labels_go_there_and_back(y):
    task = infer_task(y, "classification")
    codes = task.encode(y)
    assert codes.tolist() == ([0, 1, 0] if y[0] == 0.5 else [1, 0, 1])
    decoded = task.decode(codes)
    in_words = {"2": [2, 1, 2], 0.5: ["0.5", "1.5", "0.5"]}  # no classifier takes labels with fractions
    assert decoded.tolist() == in_words.get(y[0], y)


def test_unknown_labels_name_the_row():
    with pytest.raises(DataError, match="row 2 is 'z'"):
        encode_labels(["a", "z"], ["a", "b"])
    with pytest.raises(DataError, match="row 1 is missing"):
        encode_labels([None, "a"], ["a", "b"])
    assert encode_labels(["a.", "b."], ["a", "b"]).tolist() == [0, 1]
    assert encode_labels(["1", "2.0", "2"], [1, 2]).tolist() == [0, 1, 1]


def test_numbers():
    task = infer_task(np.array([[1.5, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(task.encode([[1, 2]]), [[1, 2]])
    assert infer_task(["1.5", "2.5"]).encode(["3"]).tolist() == [3.0]
    with pytest.raises(DataError, match="row 2"):
        infer_task([1.5, 2.5]).encode([1.0, np.nan])
    with pytest.raises(DataError, match="2 target columns"):
        task.encode([1.0])


def test_real_targets(real_table):
    train, test = read_table(real_table("adult_train")), read_table(real_table("adult_test"))
    task = infer_task(train.stored("column_15"))
    assert task.classes == ["<=50K", ">50K"]
    assert task.counts == [24720, 7841]
    assert np.bincount(task.encode(test.stored("column_15"))).tolist() == [12435, 3846]
    assert (
        infer_task(read_table(real_table("california_housing")).stored("median_house_value")).kind
        == "regression"
    )
    assert infer_task(read_table(real_table("abalone")).stored("column_9")).kind == "regression"


def test_several_targets_of_words_are_refused_by_name():
    table = {"price": [1.5, 2.5, 3.5], "colour": ["red", "blue", "red"]}
    with pytest.raises(DataError, match="several targets must be columns of numbers, and 'colour' is not"):
        infer_task(as_frame(table))
