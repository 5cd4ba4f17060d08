"""Windows by enumeration, and the counts that the literature's protocol has."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.windows import gather, split_starts, whole_windows, window_starts


@pytest.mark.parametrize(
    ("T", "L", "H", "stride"), [(10, 4, 2, 1), (10, 4, 2, 3), (6, 4, 2, 1), (7, 1, 1, 2)]
)
def test_starts_by_enumeration(T, L, H, stride):
    expected = [s for s in range(0, T, stride) if s + L + H <= T]
    assert window_starts(T, L, H, stride).tolist() == expected
    assert window_starts(T, L, H).dtype == torch.int64


def test_no_time_to_forecast_is_in_two_parts():
    T, L, H = 100, 9, 4
    split = split_starts(T, L, H, (50, 70, 95))
    ends = [0, 50, 70, 95]
    for part, first, end in zip(split, ends, ends[1:]):
        forecast = {int(s) + L + h for s in part for h in range(H)}
        assert forecast == set(range(max(first, L), end))
    assert int(split.train.max()) + L + H == 50  # training sees nothing beyond its border
    assert int(split.valid.min()) == 50 - L  # validation looks back into it
    assert split_starts(T, L, H, (50, 70, 95), stride=5).valid.tolist() == split.valid.tolist()


def test_counts_of_the_usual_protocol():
    """Windows of ETTh1 as the Informer and DLinear code count them: 8640 - 336 - 96 + 1 and twice 2880 - 96 + 1."""
    assert [len(part) for part in split_starts(17420, 336, 96, (8640, 11520, 14400))] == [8209, 2785, 2785]
    assert [len(part) for part in split_starts(1000, 10, 5)] == [686, 96, 196]


def test_gathered_windows_are_the_slices():
    values = torch.randn(30, 3)
    starts = window_starts(30, 5, 2, 4)
    past, future = gather(values, starts, 5, 2)
    for s, seen, told in zip(starts.tolist(), past, future):
        assert torch.equal(seen, values[s : s + 5])
        assert torch.equal(told, values[s + 5 : s + 7])


def test_windows_without_gaps():
    values = torch.randn(60, 2)
    values[torch.tensor([7, 8, 31]), torch.tensor([0, 1, 1])] = float("nan")
    starts = torch.from_numpy(np.random.default_rng(0).permutation(50))
    kept = [s for s in starts.tolist() if not values[s : s + 10].isnan().any()]
    assert whole_windows(values, starts, 10).tolist() == kept
    assert whole_windows(values[:, 0], starts, 10).tolist() == [
        s for s in starts.tolist() if not values[s : s + 10, 0].isnan().any()
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: window_starts(5, 4, 2), "needs 6 times, got 5"),
        (lambda: split_starts(20, 4, 2, (10, 10, 20)), "0 < a < b < c <= 20"),
        (lambda: split_starts(20, 4, 2, (10, 15, 21)), "0 < a < b < c <= 20"),
        (lambda: split_starts(20, 4, 2, (5, 15, 20)), "needs 6 times, got 5"),
        (lambda: split_starts(20, 4, 3, (10, 12, 20)), "validation has 2"),
        (lambda: split_starts(20, 4, 3, (10, 18, 20)), "test has 2"),
        (lambda: split_starts(1, 1, 1), "0 < a < b"),
        (lambda: gather(torch.zeros(5, 1), torch.tensor([-1]), 2, 1), "starts from 0 to 2"),
        (lambda: gather(torch.zeros(5, 1), torch.tensor([3]), 2, 1), "got 3 to 3"),
        (lambda: whole_windows(torch.zeros(5, 1), torch.tensor([3]), 3), "got 3 to 3"),
    ],
)
def test_what_does_not_fit(call, words):
    with pytest.raises(DataError, match=words):
        call()


@pytest.mark.parametrize("numbers", [(0, 2, 1), (4, 0, 1), (4, 2, 0), (4.0, 2, 1)])
def test_wrong_numbers(numbers):
    with pytest.raises(ParameterError, match="a window's"):
        window_starts(20, *numbers)
