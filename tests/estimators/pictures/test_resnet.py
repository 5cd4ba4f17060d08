"""ResNetClassifier: forms by size, a killed run, an odd file, what is refused."""

import json
import zipfile
from functools import partial

import numpy as np
import pytest
import torch

from ganglion.base.errors import ModelFileError, ParameterError
from ganglion.estimators.persist import load
from ganglion.estimators.pictures.resnet import ResNetClassifier

SMALL = {"depth": 8, "width": 4, "max_epochs": 3, "batch_size": 16}


def spots(n=60, side=8, channels=1):
    """Pictures with a bright spot, or without."""
    y = np.arange(n) % 2
    X = np.random.default_rng(0).integers(0, 100, (n, side, side, channels), dtype=np.uint8)
    X[y == 1, 2:5, 2:5] += 120
    return X, y


def test_killed_and_resumed_is_the_same(after_a_kill):
    X, y = spots()
    settings = SMALL | {"augment": "flip+crop(1)", "drop_path": 0.2, "average": "ema(0.9)"}
    whole = ResNetClassifier(**settings).fit(X, y)
    back = after_a_kill(partial(ResNetClassifier, **settings), X, y)
    assert np.array_equal(back.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize(
    "settings",
    [
        {"depth": 11, "block": "bottleneck", "width": 2},
        {"pre_activation": True, "norm": "group(2)", "activation": "gelu", "dropout": 0.2},
        {"stem": "large", "depth": 18, "width": 2, "norm": None},
    ],
)
def test_every_form_comes_back_from_its_file(settings, tmp_path):
    X, y = spots(side=18, channels=3)
    model = ResNetClassifier(**SMALL | {"max_epochs": 1} | settings).fit(X, y)
    back = load(model.save(tmp_path / "m.ganglion"))
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))


def test_pictures_of_some_hundred_pixels_get_the_large_form():
    X, y = spots(20, side=72)
    model = ResNetClassifier(width=2, max_epochs=1, augment=None).fit(X, y)
    assert len(model.module_.stages) == 4
    assert sum(isinstance(m, torch.nn.Conv2d) for m in model.module_.stages.modules()) == 16 + 3


def test_a_warm_start_goes_on(tmp_path):
    X, y = spots()
    model = ResNetClassifier(**SMALL, warm_start=True).fit(X, y)
    before = model.module_.stem[0].weight.clone()
    first = model.history_[0]["loss"]
    assert model.fit(X, y).history_[0]["loss"] < first
    assert not torch.equal(model.module_.stem[0].weight, before)


def test_a_depth_that_is_none_is_refused_before_training():
    X, y = spots()
    with pytest.raises(ParameterError, match="take 8 or 14"):
        ResNetClassifier(depth=9).fit(X, y)


@pytest.mark.parametrize(("name", "value"), [("width", 10**6), ("depth", 14)])
def test_a_file_that_promises_another_network_is_refused(name, value, tmp_path):
    X, y = spots()
    path = ResNetClassifier(**SMALL | {"max_epochs": 1}).fit(X, y).save(tmp_path / "m.ganglion")
    with zipfile.ZipFile(path) as file:
        parts = {k: file.read(k) for k in file.namelist()}
    config = json.loads(parts["config.json"])
    config["parameters"][name] = value
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for k, content in parts.items():
            file.writestr(k, content)
    with pytest.raises(ModelFileError):
        load(path)
