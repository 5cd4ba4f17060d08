"""Sequences of unequal lengths: every form reads the same, and bad ones are named."""

import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.ragged import buckets, padding_share, read_sequences

GIVEN = [[1.0, 2.0, 3.0], [4.0, 5.0]]
ARRAYS = [np.array(one) for one in GIVEN]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def objects(arrays):
    made = np.empty(len(arrays), object)
    made[:] = arrays
    return made


@pytest.mark.parametrize(
    "X",
    [GIVEN, tuple(GIVEN), ARRAYS, objects(ARRAYS), pd.Series(GIVEN), pl.Series(GIVEN), [ARRAYS[0][:, None], ARRAYS[1]],
     [np.array([1, 2, 3], np.int8), np.array([4, 5], np.float16)], [torch.tensor(one) for one in GIVEN],
     [np.array([1, 2, 3], object), [4, 5]]],
)  # fmt: skip
def test_every_form_means_the_same(X):
    read = read_sequences(X)
    assert read.values.dtype == np.float32
    assert read.values.flags.c_contiguous
    assert read.values.tolist() == [[1], [2], [3], [4], [5]]
    assert read.offsets.tolist() == [0, 3, 5]


@pytest.mark.parametrize("dtype", [np.int64, np.float64, object, bool])
def test_arrays(dtype):
    X = np.arange(24).reshape(2, 4, 3).astype(dtype)
    read = read_sequences(X, n_channels=3)
    assert (read[1] == X[1].astype(np.float32)).all()
    assert (read_sequences(X[..., 0])[0][:, 0] == X[0, :, 0].astype(np.float32)).all()
    transposed = read_sequences(X.transpose(2, 1, 0))  # not contiguous
    assert (transposed[2] == X[:, :, 2].T.astype(np.float32)).all()


def test_gaps_stay():
    masked = np.ma.array([7.0, 8.0], mask=[False, True])
    read = read_sequences([[1.0, np.nan], [None, 2.0], masked])
    assert np.isnan(read.values[:, 0]).tolist() == [False, True, True, False, False, True]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (pd.DataFrame({"a": [1, 2]}), "got a table"),
        (pl.DataFrame({"a": [1, 2]}), "got a table"),
        ({"a": [1, 2]}, "got a table"),
        ("text", "got str"),
        (7, "got int"),
        (np.array(7.0), "got ndarray"),
        ([], "at least one sequence"),
        (np.zeros((0, 3)), "at least one sequence"),
        ([[1], []], "sequence 1 .* has no steps"),
        (np.zeros((2, 0)), "sequence 0 .* has no steps"),
        (np.zeros((2, 3, 0)), "has no channels"),
        ([1.0, 2.0], r"sequence 0 .* 0 dimensions \(for a single sequence give \[X\]\)"),
        ([np.zeros((1, 1, 1))], "sequence 0 .* 3 dimensions"),
        (np.zeros((1, 1, 1, 1)), "got 4 dimensions"),
        ([np.zeros((3, 2)), np.zeros((3, 3))], "sequence 1 .* has 3 channels, but 2"),
        ([["a", "b"]], "sequence 0 .* real numbers"),
        ([[1.0], ["1.5"]], "sequence 1 .* real numbers"),
        ([[1.0], [1, "x"]], "sequence 1"),
        ([[1.0], objects([1, "2"])], "sequence 1"),
        ([[1.0], [1 + 2j]], "complex"),
        ([[1.0], [[1, 2], [3]]], "sequence 1"),
        ([[1.0], None], "sequence 1"),
        ([np.array(["2020-01-01"], "datetime64[D]")], "datetime64"),
        ([[1.0], [0.0, np.inf]], "sequence 1 at step 1"),
        ([[1.0, 1e39]], "sequence 0 at step 1"),
        ([[1.0, 10**400]], "sequence 0"),
        ([torch.zeros(2, requires_grad=True)], "sequence 0"),
    ],
)
def test_one_sentence_for_anything_else(X, words):
    with pytest.raises(DataError, match=words) as error:
        read_sequences(X)
    assert "\n" not in str(error.value)


def test_channels_that_are_expected():
    with pytest.raises(DataError, match="has 1 channels, but 2 are expected"):
        read_sequences(GIVEN, n_channels=2)


def test_taking_rows(rng):
    X = [rng.normal(size=(n, 2)).astype(np.float32) for n in rng.integers(1, 9, 30)]
    read = read_sequences(X)
    rows = rng.integers(-30, 30, 50)
    taken = read.take(rows)
    assert all((taken[i] == X[row]).all() for i, row in enumerate(rows))
    mask = rng.random(30) < 0.5
    assert read.take(mask).lengths.tolist() == read.lengths[mask].tolist()
    assert len(read.take([])) == 0
    assert read[-1].shape == X[-1].shape
    with pytest.raises(IndexError):
        read.take([30])


def test_contents_tell_data_apart():
    kinds = [[[1, 2], [3]], [[1], [2, 3]], [[1, 2], [4]], [[[1, 2, 3]]], [[1, 2, 3]]]
    assert len({tuple(read_sequences(X).contents()) for X in kinds}) == len(kinds)
    assert list(read_sequences(GIVEN).contents()) == list(read_sequences(ARRAYS).contents())


def test_a_hundred_thousand_sequences(rng):
    X = [np.zeros(n) for n in rng.integers(1, 20, 100_000)]
    start = time.process_time()
    read = read_sequences(X)
    read.take(np.arange(100_000)[::-1])
    assert time.process_time() - start < 5
    assert len(read) == 100_000


def test_buckets_hold_every_row_once_and_pad_little(rng):
    lengths = rng.integers(50, 201, 5000)
    batches = buckets(lengths, 64, seed=3, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(5000))
    assert sorted(map(len, batches)) == [5000 % 64] + [64] * (5000 // 64)
    assert padding_share(lengths, batches) < 0.03
    plain = [np.arange(i, min(i + 64, 5000)) for i in range(0, 5000, 64)]
    assert padding_share(lengths, plain) > 0.3  # without sorting


def test_buckets_follow_from_seed_and_epoch(rng):
    lengths = rng.integers(1, 30, 200)

    def made(seed, epoch):
        return [rows.tolist() for rows in buckets(lengths, 16, seed, epoch, window=2)]

    before = np.random.get_state()[1].tolist()
    assert made(1, 2) == made(1, 2)
    assert np.random.get_state()[1].tolist() == before
    assert len({str(made(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    company = {frozenset(rows) for rows in made(1, 0)} & {frozenset(rows) for rows in made(1, 1)}
    assert not company  # no batch comes twice
    means = [lengths[rows].mean() for rows in made(1, 0)]
    assert means != sorted(means)


def test_small_numbers():
    assert buckets([], 4, 0, 0) == []
    assert [rows.tolist() for rows in buckets([5], 4, 0, 0)] == [[0]]
    with pytest.raises(ParameterError, match="batch_size"):
        buckets([1], 0, 0, 0)
    with pytest.raises(ParameterError, match="window"):
        buckets([1], 1, 0, 0, window=0)


def test_a_table_that_a_command_read_is_refused_as_one():
    from ganglion.data.columns import as_frame

    with pytest.raises(DataError, match="got a table"):
        read_sequences(as_frame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
