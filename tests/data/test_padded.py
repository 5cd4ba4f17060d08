"""Ragged sequences: padded, in parts, in batches, as by hand."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError
from ganglion.data.padded import Ragged, RaggedBatches
from ganglion.data.ragged import read_sequences


def some(n=30, seed=0, least=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(max(least, 1), 9), 2)).astype(np.float32) for _ in range(n)]


def ragged(parts):
    return Ragged.of(read_sequences(parts), torch.device("cpu"))


def by_hand(parts):
    out = np.full((len(parts), max(map(len, parts)), 2), np.nan, np.float32)
    for row, part in zip(out, parts):
        row[: len(part)] = part
    return out


@pytest.mark.parametrize("rows", [None, [3], [7, 1, 2, 2], list(range(29, -1, -1))])
def test_padding_is_as_by_hand(rows):
    parts = some()
    chosen = parts if rows is None else [parts[i] for i in rows]
    found = ragged(parts).padded(None if rows is None else np.array(rows))
    np.testing.assert_array_equal(found.numpy(), by_hand(chosen))


def test_equal_lengths_are_a_view():
    whole = ragged(np.arange(24.0).reshape(4, 3, 2))
    assert whole.padded().data_ptr() == whole.values.data_ptr()
    assert whole.padded(np.array([1, 2])).tolist() == whole.padded()[1:3].tolist()
    assert whole.padded(np.array([2, 1])).tolist() == whole.padded()[[2, 1]].tolist()


def test_codes_are_padded_with_zeros_and_nothing_is_one_place_long():
    codes = Ragged(torch.tensor([5, 6, 7]), np.array([0, 0, 2, 3]), pad=0)
    assert codes.padded().tolist() == [[0, 0], [5, 6], [7, 0]]
    assert codes.padded(np.array([0])).tolist() == [[0]]
    assert Ragged(torch.zeros(0, dtype=torch.int64), np.array([0, 0]), pad=0)[:0].padded().shape == (0, 1)


def test_parts_are_views_and_have_no_gaps():
    parts = some()
    part = ragged(parts)[4:9]
    np.testing.assert_array_equal(part.padded().numpy(), by_hand(parts[4:9]))
    assert len(ragged(parts)[:100]) == 30
    with pytest.raises(IndexError, match="gaps"):
        ragged(parts)[::2]


def test_blocks_hold_every_row_once_and_little_padding():
    whole = ragged(some(200))
    blocks = list(whole.blocks(places=64))
    assert sorted(np.concatenate(blocks).tolist()) == list(range(200))
    assert all(len(b) * whole.lengths[b].max() <= 64 for b in blocks)
    assert len(list(whole.blocks(places=1))) == 200


def test_batches_hold_every_row_once_with_what_belongs_to_it():
    parts = some(45)
    whole, y = ragged(parts), torch.arange(45)
    batches = RaggedBatches(whole, {"y": y}, batch_size=8)
    seen = []
    for batch in batches.epoch(3, 1):
        np.testing.assert_array_equal(batch["x"].numpy(), by_hand([parts[i] for i in batch["y"].tolist()]))
        seen += batch["y"].tolist()
    assert sorted(seen) == list(range(45))
    assert len(batches) == 6


def test_an_epoch_goes_on_where_it_was_left_and_another_is_another():
    batches = RaggedBatches(ragged(some(45)), {"y": torch.arange(45)}, batch_size=8)
    whole = [b["y"].tolist() for b in batches.epoch(0, 0)]
    assert [b["y"].tolist() for b in batches.epoch(0, 0, start=4)] == whole[4:]
    assert [b["y"].tolist() for b in batches.epoch(0, 1)] != whole


def test_parts_of_unequal_numbers():
    with pytest.raises(DataError, match="one length"):
        RaggedBatches(ragged(some(5)), {"y": torch.arange(4)}, 2)


def test_batches_sorted_by_something_else():
    whole, by = ragged(some(45)), np.arange(45)[::-1].copy()
    batches = RaggedBatches(whole, {"row": torch.arange(45)}, batch_size=8, by=by)
    rows = [batch["row"].numpy() for batch in batches.epoch(0, 0)]
    assert sorted(np.concatenate(rows)) == list(range(45))
    assert all(np.ptp(by[part]) < 8 for part in rows)
