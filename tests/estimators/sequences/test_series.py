"""Series to classes and numbers: lengths, gaps, padding, and what is refused."""

import numpy as np
import pytest
import torch

from ganglion import SequenceClassifier, SequenceRegressor, load
from ganglion.base.errors import DataError, ParameterError

CELLS = ["rnn", "lstm", "gru", "tcn", "transformer"]


def waves(n=80, seed=0):
    """Slow and fast waves of 10 to 24 places."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = [np.sin(np.arange(rng.integers(10, 25)) * (0.4 + 0.6 * k) + rng.uniform(0, 6)) for k in y]
    return X, np.array(["slow", "fast"])[y]


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_and_is_saved(cell, tmp_path):
    X, y = waves()
    model = SequenceClassifier(cell=cell, units=16, layers=1, max_epochs=30, lr=0.01).fit(X, y)
    assert model.score(*waves(seed=1)) > 0.9
    back = load(model.save(tmp_path / "m.ganglion"))
    assert (back.predict_proba(X) == model.predict_proba(X)).all()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pool", ["last", "mean", "max", "both", "attention"])
def test_what_stands_behind_the_end_is_not_seen(cell, pool, bidirectional):
    X, y = waves(12)
    shape = {"cell": cell, "pool": pool, "bidirectional": bidirectional, "units": 8, "layers": 2}
    model = SequenceClassifier(**shape, max_epochs=1).fit(X, y)
    alone = np.concatenate([model._outputs([series]) for series in X])
    np.testing.assert_allclose(model._outputs(X), alone, atol=2e-6)
    assert np.ptp(alone[:, 0]) > 0


def test_numbers_in_their_own_units():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(5, 15), 2)) for _ in range(300)]
    y = np.array([[1000 + 50 * s[:, 0].max(), s[:, 1].mean()] for s in X])
    model = SequenceRegressor(units=16, layers=1, max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.predict(X).shape == (300, 2)
    single = SequenceRegressor(units=16, layers=1, max_epochs=2).fit(X, y[:, 0])
    assert single.predict(X).shape == (300,)


def test_arrays_and_lists_are_the_same_series():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 7, 2)).astype(np.float32)
    y = (X[:, :, 0].sum(1) > 0).astype(int)
    answers = [
        SequenceClassifier(units=8, layers=1, max_epochs=3).fit(form, y).predict_proba(X)
        for form in (X, list(X), [s.tolist() for s in X])
    ]
    assert (answers[0] == answers[1]).all()
    assert (answers[0] == answers[2]).all()


def test_gaps_are_filled_and_not_taken_for_the_end():
    X, y = waves()
    holes = [np.where(np.arange(len(s)) == len(s) // 2, np.nan, s) for s in X]
    model = SequenceClassifier(units=16, layers=1, max_epochs=30, lr=0.01).fit(X, y)
    assert (model.predict(holes) == y).mean() > 0.9
    line = [np.interp(np.arange(len(s)), np.flatnonzero(~np.isnan(s)), s[~np.isnan(s)]) for s in holes]
    np.testing.assert_allclose(model.predict_proba(holes), model.predict_proba(line), atol=1e-6)


def test_channels_are_scaled():
    X, y = waves()
    X = [np.stack([s * 1e4 + 1e6, np.zeros(len(s))], 1) for s in X]
    assert SequenceClassifier(units=16, layers=1, max_epochs=30, lr=0.01).fit(X, y).score(X, y) > 0.9


def test_rows_that_choose_the_epoch():
    X, y = waves()
    mask = np.arange(80) >= 60
    model = SequenceClassifier(units=8, layers=1, max_epochs=2).fit(X, y, validation=mask)
    assert model.record_.data["n_validation"] == 20
    model = SequenceClassifier(units=8, layers=1, max_epochs=2, validation_fraction=0).fit(X, y)
    assert "val_loss" not in model.history_[0]


def test_a_further_fit_goes_on():
    X, y = waves()
    model = SequenceClassifier(units=8, layers=1, max_epochs=3, warm_start=True).fit(X, y)
    before = model.record_.scores["train"]["loss"]
    assert model.fit(X, y).record_.scores["train"]["loss"] < before


def test_the_last_place_of_a_causal_network_sees_all_before_it():
    model = SequenceClassifier(
        cell="tcn", pool="last", bidirectional=False, layers=3, kernel=3, units=8, max_epochs=1
    )
    X, y = waves(12)
    model.fit(X, y)
    x = torch.from_numpy(np.array(X[0][:8], np.float32))[None, :, None].requires_grad_()
    model.module_(x).sum().backward()
    assert (x.grad[0, :, 0] != 0).all()


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ([], "at least one sequence"),
        ([[1.0], []], "no steps"),
        ([np.ones((3, 2)), np.ones((3, 1))], "channels"),
        (["abc", "def"], "numbers"),
        ([[1.0, np.inf], [1.0]], "finite"),
        (np.ones((2, 2, 2, 2)), "dimensions"),
    ],
)
def test_what_is_no_series(X, said):
    with pytest.raises(DataError, match=said):
        SequenceClassifier(max_epochs=1).fit(X, [0, 1])


def test_other_channels_than_in_training():
    X, y = waves(12)
    model = SequenceClassifier(units=4, layers=1, max_epochs=1).fit(X, y)
    with pytest.raises(DataError, match="2 channels"):
        model.predict([np.ones((4, 2))])
    with pytest.raises(DataError, match="same number of rows"):
        SequenceClassifier(max_epochs=1).fit(X, y[:-1])


def test_heads_that_do_not_divide():
    with pytest.raises(ParameterError, match="heads"):
        SequenceClassifier(cell="transformer", units=10, heads=4, max_epochs=1).fit(*waves(12))
