"""Edges of bins: quantiles of rows and of distinct values, weights as repetition, few for small and wide tables."""

import numpy as np

from ganglion.data.bins import MOST_BINS, bin_edges


def test_edges_are_quantiles_of_rows_and_of_distinct_values():
    tail = np.r_[np.zeros(900), np.arange(1.0, 401.0)]  # most rows at one value, a long tail
    (edges,) = bin_edges(tail[:, None], np.ones(len(tail)), 4)
    rows = np.quantile(tail, [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf")
    levels = np.quantile(np.unique(tail), [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf")
    assert edges.tolist() == np.unique(np.r_[rows, levels]).tolist()


def test_whole_weights_equal_repeated_rows_and_weight_0_a_removed_one():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(700, 3)), rng.integers(0, 4, 700)
    some = bin_edges(X, weight.astype(float), 8)
    repeated = bin_edges(np.repeat(X, weight, axis=0), np.ones(weight.sum()), 8)
    assert all(np.array_equal(a, b) for a, b in zip(some, repeated))


def test_small_tables_have_none_and_two_valued_columns_have_none():
    rng = np.random.default_rng(0)
    assert [len(e) for e in bin_edges(rng.normal(size=(100, 2)), np.ones(100), 32)] == [0, 0]
    mixed = np.c_[rng.normal(size=500), rng.integers(0, 2, 500)]
    assert [len(e) > 2 for e in bin_edges(mixed, np.ones(500), 32)] == [True, False]


def test_wide_tables_share_a_bounded_number():
    X = np.random.default_rng(0).normal(size=(3000, 40))
    edges = bin_edges(X, np.ones(3000), 32)
    assert 0 < sum(len(e) - 1 for e in edges) <= MOST_BINS
    assert sum(map(len, bin_edges(np.tile(X, 10), np.ones(3000), 32))) == 0
