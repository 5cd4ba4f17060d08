"""Gaps in series, filled by the line between their neighbours."""

import numpy as np

from ganglion.data.ragged import Sequences


def filled(series: Sequences) -> Sequences:
    """Series whose NaN lie on the line between their neighbours, and at an end repeat the nearest number.

    A channel that is missing throughout a series is 0. Series without gaps are returned as they are.

    >>> from ganglion.data.ragged import read_sequences
    >>> nan = float("nan")
    >>> filled(read_sequences([[nan, 1, nan, nan, 4]])).values.ravel().tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0]
    """
    gaps = np.isnan(series.values)
    if not gaps.any():
        return series
    values, places = series.values.copy(), np.arange(len(series.values))
    of = np.repeat(np.arange(len(series)), series.lengths)
    for c in np.flatnonzero(gaps.any(0)):
        for i in np.unique(of[gaps[:, c]]):
            part = slice(series.offsets[i], series.offsets[i + 1])
            gap, at = gaps[part, c], places[part]
            known = at[~gap]
            values[part, c][gap] = np.interp(at[gap], known, values[known, c]) if len(known) else 0.0
    return Sequences(values, series.offsets)
