"""How often answers stay when pictures move."""

import numpy as np
import pytest
from scipy import ndimage

from ganglion.base.errors import DataError, ParameterError
from ganglion.evaluate.shifts import shift_agreement, shifted


def test_pictures_move_as_scipy_moves_them():
    x = np.random.default_rng(0).normal(size=(3, 6, 7, 2))
    for rows, columns in ((0, 0), (1, 0), (-2, 3), (6, -7)):
        expected = ndimage.shift(x, (0, rows, columns, 0), order=0, mode="nearest")
        np.testing.assert_array_equal(shifted(x, rows, columns), expected)


def test_a_rule_that_looks_at_one_place_keeps_what_can_be_counted():
    """Is the dot of a row of eight in its left half? To the right k of eight leave that half; to the left k enter it
    and k leave the picture, so that nothing is left of them; moves up and down change nothing.
    """
    rows = np.repeat(np.eye(8)[:, None], 3, axis=1)
    found = shift_agreement(lambda x: x[:, 0, :4].sum(1) > 0, rows, furthest=3)
    columns = shift_agreement(lambda x: x[:, :4, 0].sum(1) > 0, rows.swapaxes(1, 2), furthest=3)
    assert columns == found
    for k in (1, 2, 3):
        assert found[k] == pytest.approx((1 + 1 + (8 - k) / 8 + (8 - 2 * k) / 8) / 4)


def test_a_rule_that_looks_at_no_place_keeps_everything():
    pictures = np.random.default_rng(0).random((9, 8, 8))
    assert shift_agreement(lambda x: np.zeros(len(x)), pictures) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_other_things_than_pictures_are_refused():
    with pytest.raises(DataError, match="reshape"):
        shift_agreement(len, np.zeros((5, 784)))
    with pytest.raises(ParameterError, match="furthest"):
        shift_agreement(len, np.zeros((5, 7, 7)), furthest=0)
