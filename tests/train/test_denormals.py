"""Numbers next to nothing count as 0 inside a block, and as before behind it."""

import numpy as np
import pytest
import torch

from ganglion import SequenceClassifier
from ganglion.train.denormals import tiny_is_zero


def product():
    return float(torch.full((1,), 1e-30) * 1e-10)


@pytest.fixture(autouse=True)
def _flushes():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot take denormal numbers as 0")
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("before", [False, True])
def test_the_processor_is_left_as_it_was_found(before):
    torch.set_flush_denormal(before)
    outside = product()
    with pytest.raises(ValueError, match="stop"), tiny_is_zero():
        assert product() == 0
        raise ValueError("stop")
    assert product() == outside
    torch.set_flush_denormal(False)
    assert product() > 0


def test_series_are_learned_so_and_nothing_is_left_behind(monkeypatch):
    inside, judge = [], SequenceClassifier._validation

    def noting(self, *given):
        inside.append(product())
        return judge(self, *given)

    monkeypatch.setattr(SequenceClassifier, "_validation", noting)
    X = np.random.default_rng(0).normal(size=(40, 30, 1)).astype(np.float32)
    y = (X[:, -1, 0] > 0).astype(int)
    model = SequenceClassifier(units=8, layers=1, max_epochs=2, validation_fraction=0.5).fit(X, y)
    assert inside
    assert not any(inside)
    assert np.isfinite(model.predict_proba(X)).all()
    assert product() > 0
