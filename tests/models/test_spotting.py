"""Keyword spotting: confidence against enumeration, peaks against a loop, thresholds against counting."""

import itertools

import numpy as np
import pytest

from ganglion.models.spotting import Spotted, hits_and_alarms, keyword_confidence, peaks, threshold_for


def enumerated(p, labels, end):
    """The best mean probability of all alignments that begin with the first label, end with the last at ``end``."""
    best = 0.0
    for begin in range(end + 1):
        for middle in itertools.product(range(p.shape[1]), repeat=end + 1 - begin):
            said = [s for i, s in enumerate(middle) if s and (i == 0 or middle[i - 1] != s)]
            if said == list(labels) and middle[0] and middle[-1]:
                best = max(best, np.prod(p[np.arange(begin, end + 1), middle]) ** (1 / len(labels)))
    return best


@pytest.mark.parametrize("labels", [(1,), (1, 2), (2, 2), (1, 2, 1)], ids=str)
def test_confidence_is_that_of_the_best_alignment(labels):
    p = np.random.default_rng(len(labels)).dirichlet(np.ones(3), 6)
    confidence, begin = keyword_confidence(np.log(p), labels)
    wanted = [enumerated(p, labels, end) for end in range(6)]
    np.testing.assert_allclose(confidence, wanted, rtol=1e-12)
    assert (begin <= np.arange(6)).all()


def test_a_label_alone_is_as_sure_as_it_is_probable():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    confidence, begin = keyword_confidence(np.log(p), [3])
    np.testing.assert_allclose(confidence, p[:, 3])
    assert begin.tolist() == list(range(50))


@pytest.mark.parametrize("reach", [1, 3, 10])
def test_peaks_are_the_highest_around(reach):
    c = np.random.default_rng(reach).integers(0, 5, 40) / 5
    wanted = [
        t
        for t in range(40)
        if c[t] > 0
        and c[t] > max(c[max(t - reach, 0) : t], default=-1)
        and c[t] >= c[t : t + reach + 1].max()
    ]
    assert peaks(c, reach).tolist() == wanted
    assert peaks(np.zeros(0), reach).tolist() == []


def test_thresholds_leave_as_many_as_are_allowed():
    c = np.random.default_rng(0).random(30)
    for false_alarms in (0, 0.5, 1, 3, 10):
        threshold = threshold_for(c, minutes=4.0, false_alarms=false_alarms)
        assert (c > threshold).sum() == min(30, int(4 * false_alarms))
    assert threshold_for([], 1.0, 0.0) == 0.0


def test_one_word_may_be_hit_twice_but_is_hit_once():
    found = Spotted(np.array([[1.0, 1.0], [1.2, 1.2], [3.0, 3.0]]), np.ones(3))
    hits, alarms = hits_and_alarms(found, [[0.8, 1.3]])
    assert hits.tolist() == [True]
    assert alarms.tolist() == [False, False, True]
    hits, alarms = hits_and_alarms(found, [])
    assert hits.tolist() == []
    assert alarms.all()
