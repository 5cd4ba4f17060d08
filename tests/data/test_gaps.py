"""Gaps in series against pandas' interpolation."""

import numpy as np
import pandas as pd

from ganglion.data.gaps import filled
from ganglion.data.ragged import read_sequences


def test_lines_between_neighbours_as_pandas_draws_them():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(rng.integers(3, 12), 3)) for _ in range(40)]
    for part in parts:
        part[rng.random(part.shape) < 0.3] = np.nan
        part[0, 0] = 1.0  # a channel with something in it
    found = filled(read_sequences(parts))
    for i, part in enumerate(parts):
        frame = pd.DataFrame(part.astype(np.float32)).interpolate(limit_direction="both").fillna(0.0)
        np.testing.assert_allclose(found[i], frame.to_numpy(), atol=1e-5)


def test_what_has_no_gaps_is_the_same_thing():
    whole = read_sequences(np.ones((2, 3)))
    assert filled(whole) is whole
    gap = read_sequences([[np.nan, 1.0]])
    filled(gap)
    assert np.isnan(gap.values[0, 0])  # the input stays as it was
