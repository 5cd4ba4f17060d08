"""``fit(..., validation=)``: the caller says which rows choose the epoch, for tables and pictures alike."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganglion.base.errors import DataError
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.estimators.pictures.cnn import CNNClassifier
from ganglion.search.heal import heal

N = 200
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 120, (N, 6, 6), dtype=np.uint8)
PICTURES[::2] += 100
ROWS = PICTURES.reshape(N, -1).astype(float)
Y = np.where(np.arange(N) % 2, "dark", "bright")
MASK = np.isin(np.arange(N) // 10, (3, 7, 11))  # three whole groups of ten

QUICK = {"max_epochs": 3, "random_state": 1}
MADE = {
    "table": (lambda **more: MLPClassifier(hidden_layer_sizes=(5,), **QUICK | more), ROWS, Y),
    "numbers": (lambda **more: MLPRegressor(hidden_layer_sizes=(5,), **QUICK | more), ROWS, ROWS[:, 0]),
    "pictures": (lambda **more: CNNClassifier(widths=(3,), augment=None, **QUICK | more), PICTURES, Y),
}


def weights(model):
    return torch.cat([p.flatten() for p in model.module_.parameters()])


@pytest.mark.parametrize("name", MADE)
def test_the_rows_named_choose_the_epoch_and_never_train(name):
    make, X, y = MADE[name]
    model = make().fit(X, y, validation=MASK)
    data = model.record_.data
    assert (data["n_train"], data["n_validation"]) == (N - 30, 30)
    other = X.copy()
    other[MASK] = other[MASK][::-1]  # what is kept aside may hold anything
    once, changed = (make(max_epochs=1).fit(given, y, validation=MASK) for given in (X, other))
    assert torch.equal(weights(once), weights(changed))
    expected = model.score(X[MASK], y[MASK])
    assert model.record_.scores["validation"]["score"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", MADE)
def test_none_true_trains_on_everything(name):
    make, X, y = MADE[name]
    assert make().fit(X, y, validation=np.zeros(N, bool)).record_.data["n_train"] == N


@pytest.mark.parametrize("form", [list, pd.Series, np.asarray], ids=["list", "series", "array"])
def test_any_truth_values_are_taken(form):
    make, X, y = MADE["table"]
    assert torch.equal(
        weights(make().fit(X, y, validation=form(MASK.tolist()))), weights(make().fit(X, y, validation=MASK))
    )


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (MASK[:-1], r"must hold 200 truth values, one a row, got bool \(199,\)"),
        (np.flatnonzero(MASK), r"got int64 \(30,\); give True for the rows"),
        (MASK[:, None], r"got bool \(200, 1\)"),
        (np.ones(N, bool), "keeps every row aside"),
    ],
)
def test_what_is_refused_is_one_sentence(name, wrong, words):
    make, X, y = MADE[name]
    with pytest.raises(DataError, match=words) as caught:
        make().fit(X, y, validation=wrong)
    assert "\n" not in str(caught.value)


def test_broken_pictures_leave_every_truth_value_with_its_picture(tmp_path):
    from PIL import Image

    paths = [tmp_path / f"{i}.png" for i in range(N)]
    for path, picture in zip(paths, PICTURES):
        Image.fromarray(picture).save(path)
    whole = CNNClassifier(widths=(3,), augment=None, **QUICK).fit(PICTURES[2:], Y[2:], validation=MASK[2:])
    for path in paths[:2]:
        path.write_bytes(b"")
    skipping = CNNClassifier(widths=(3,), augment=None, corrupt="skip", **QUICK)
    skipping.fit([str(path) for path in paths], Y, validation=MASK)
    assert torch.equal(weights(skipping), weights(whole))


def test_scikit_learn_cuts_it_with_the_rows():
    """Metadata routing: each fold gets the truth values of its own rows, through a pipeline too."""
    with config_context(enable_metadata_routing=True):
        make, X, y = MADE["table"]
        model = make().set_fit_request(validation=True)
        for estimator in (model, make_pipeline(StandardScaler(), model)):
            found = cross_validate(
                estimator, X, y, cv=4, params={"validation": MASK}, return_estimator=True, return_indices=True
            )
            for fitted, rows in zip(found["estimator"], found["indices"]["train"]):
                last = fitted if estimator is model else fitted[-1]
                assert last.record_.data["n_validation"] == MASK[rows].sum()


def test_healing_keeps_the_rows():
    make, X, y = MADE["table"]
    model = make(lr=1e-7).fit(X, y, validation=MASK)
    healed = heal(model, X, y, validation=MASK)
    assert healed.estimator.record_.data["n_validation"] == 30
