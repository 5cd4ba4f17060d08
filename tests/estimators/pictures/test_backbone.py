"""Transfer learning: what is held stays to the bit, parts learn in turn, few examples are enough."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import ganglion
from ganglion.base.errors import GanglionError, ParameterError
from ganglion.base.registry import register_module
from ganglion.estimators.pictures.backbone import BackboneClassifier, split_rates
from ganglion.estimators.pictures.resnet import ResNetClassifier
from ganglion.models.backbone import Adapted, parts_of
from ganglion.models.resnet import ResNet
from ganglion.nn.pictures import Standardise

PLAIN = {"augment": "crop(1)", "validation_fraction": 0.0, "batch_size": 16, "watch": "off"}


class Blocks(nn.Module):
    """Three parts; the first norm behind the first convolution."""

    def __init__(self, shape=(1, 8, 8)):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(shape[0], 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2))
        self.last = nn.Conv2d(8, 10, 3)

    def forward(self, x):
        return self.last(self.middle(self.stem(x)))


def spots(n=60, channels=1):
    y = np.arange(n) % 2
    X = np.random.default_rng(0).integers(0, 100, (n, 8, 8, channels), dtype=np.uint8)
    X[y == 1, 2:5, 2:5] += 120
    return X, y


def changed(before, after):
    """Which of the named tensors are not the same to the bit."""
    return {
        k.split(".")[0] for k, v in before.state_dict().items() if not torch.equal(v, after.state_dict()[k])
    }


# --- what it is for -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_frozen_features_beat_training_from_scratch_on_few_examples():
    """Trained on the digits 0 to 6, five examples each of 7, 8 and 9 are enough; from scratch they are not."""
    digits = load_digits()
    X, y = (digits.images * 15).astype(np.uint8), digits.target
    scratch = {"depth": 8, "width": 16}
    known = ResNetClassifier(**scratch, max_epochs=8, **PLAIN | {"batch_size": 32}).fit(X[y < 7], y[y < 7])
    scores = []
    for seed in range(5):
        draw = np.random.default_rng(seed).permutation(np.flatnonzero(y >= 7))
        few = np.concatenate([draw[y[draw] == c][:5] for c in (7, 8, 9)])
        rest = np.setdiff1d(draw, few)
        how = PLAIN | {"batch_size": 8, "random_state": seed}
        models = (
            BackboneClassifier(backbone=known.module_, max_epochs=20, **how),
            BackboneClassifier(backbone=known.module_, max_epochs=20, freeze=2, **how),
            ResNetClassifier(**scratch, max_epochs=30, **how),
        )
        scores.append([m.fit(X[few], y[few]).score(X[rest], y[rest]) for m in models])
    frozen, tuned, alone = np.mean(scores, 0)
    assert frozen > alone + 0.05
    assert tuned > frozen


# --- what is held -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freeze", "learns"),
    [
        ("all", set()),
        (2, {"last"}),
        (1, {"middle", "last"}),
        ("none", {"stem", "middle", "last"}),
        (0, {"stem", "middle", "last"}),
    ],
)
def test_what_is_held_stays_to_the_bit_and_the_rest_learns(freeze, learns):
    given, (X, y) = Blocks(), spots()
    model = BackboneClassifier(backbone=given, freeze=freeze, max_epochs=2, average="ema", **PLAIN).fit(X, y)
    assert changed(given, model.module_.backbone) == learns
    assert changed(given, Blocks()) == set()  # and the one given is left alone
    assert all(p.requires_grad for p in model.module_.parameters())
    assert model.module_.head.linears[0].weight.abs().sum() > 0


@pytest.mark.parametrize(
    ("epochs", "learns"), [(2, set()), (3, {"last"}), (5, {"middle", "last"}), (9, {"middle", "last"})]
)
def test_gradual_unfreezing_goes_from_the_end(epochs, learns):
    given, (X, y) = Blocks(), spots()
    settings = {"freeze": 1, "unfreeze": "gradual", "unfreeze_every": 2, "max_epochs": epochs}
    model = BackboneClassifier(backbone=given, **settings, **PLAIN).fit(X, y)
    assert changed(given, model.module_.backbone) == learns


def test_parts_open_sequentials_and_norms_join_what_they_follow():
    assert [[type(m).__name__ for m in part] for part in parts_of(Blocks())] == [
        ["Conv2d", "BatchNorm2d", "ReLU"],
        ["Conv2d", "BatchNorm2d", "ReLU", "Dropout"],
        ["Conv2d"],
    ]
    net = ResNet((1, 8, 8), 3, depth=14, width=4)
    assert [type(part[-1]).__name__ for part in parts_of(net)] == [
        "ReLU",
        *["ResidualBlock"] * 5,
        "Sequential",
        "Head",
    ]


def test_rates_fall_towards_the_start():
    net = Adapted(Blocks(), Standardise([0.0], [1.0]), 10, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.4)
    split_rates(optimizer, net.rates(0.5))
    name = {p: n for n, p in net.named_parameters()}
    rates = {
        name[p].split(".")[-2 if "head" in name[p] else 1]: g["lr"]
        for g in optimizer.param_groups
        for p in g["params"]
    }
    assert rates == {"0": 0.4, "last": 0.2, "middle": 0.1, "stem": 0.05}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(net.parameters()))
    assert optimizer.param_groups[0]["lr"] == 0.4  # the rate that the history shows


def test_one_step_of_descent_moves_each_part_by_its_rate():
    (X, y), moved = spots(16), {}
    for decay in (1.0, 0.5):
        settings = {
            "freeze": "none",
            "layer_lr_decay": decay,
            "optimizer": "sgd",
            "momentum": 0.0,
            "lr": 1e-2,
        }
        fixed = {
            "max_epochs": 2,
            "schedule": "constant",
            "weight_decay": 0.0,
            "batch_size": "full",
            "precision": "float32",
        }
        given = Blocks()
        given.middle[-1] = nn.Identity()
        model = BackboneClassifier(backbone=given, **PLAIN | {"augment": None} | settings | fixed).fit(X, y)
        after = model.module_.backbone
        moved[decay] = {
            k: float((after.get_parameter(k) - p).detach().norm()) for k, p in given.named_parameters()
        }
    # the head starts at 0, so the first of the two steps moves it alone, and the second the parts too
    for part, share in (("stem.1.weight", 0.125), ("middle.0.weight", 0.25), ("last.weight", 0.5)):
        assert moved[0.5][part] / moved[1.0][part] == pytest.approx(share, rel=1e-3)


# --- one run in two pieces, files ---------------------------------------------------------------------------


def test_killed_and_resumed_is_the_same(after_a_kill):
    X, y = spots()
    settings = PLAIN | {"freeze": "none", "unfreeze": "gradual", "layer_lr_decay": 0.7, "max_epochs": 4}
    whole = BackboneClassifier(backbone=Blocks(), **settings).fit(X, y)
    back = after_a_kill(
        partial(BackboneClassifier, backbone=Blocks(), **settings), X, y, saves=7
    )  # in the second epoch
    assert np.array_equal(back.predict_proba(X), whole.predict_proba(X))


def test_saved_by_a_registered_class_or_with_the_module_at_hand(tmp_path):
    X, y = spots()
    model = BackboneClassifier(backbone=Blocks(), max_epochs=1, **PLAIN).fit(X, y)
    with pytest.raises(GanglionError, match=r"backbone that is not registered.*channels, height, width"):
        model.save(tmp_path / "m.ganglion")
    register_module(Blocks, name="BlocksOfThisTest")
    path = model.save(tmp_path / "m.ganglion")
    for back in (ganglion.load(path), ganglion.load(path, module=Blocks)):
        assert np.array_equal(back.predict_proba(X), model.predict_proba(X))


def test_a_network_of_our_own_loses_its_head_and_keeps_its_first_layer():
    X, y = spots()
    known = ResNetClassifier(depth=8, width=4, max_epochs=2, **PLAIN).fit(X, y).module_
    model = BackboneClassifier(backbone=known, max_epochs=1, **PLAIN).fit(X, y).module_
    assert model.standardise.mean.item() == 0.0  # its own standardise does it
    x = torch.as_tensor(X).permute(0, 3, 1, 2)
    maps = known.stages(known.stem(known.standardise(x)))
    torch.testing.assert_close(model.features(x)[:, :, 0, 0], maps.mean((2, 3)))
    scaled = model.scale(model.features(x))
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(16), atol=1e-4, rtol=0)


def test_the_numbers_that_timm_names_standardise_the_pictures():
    given, (X, y) = Blocks((3, 8, 8)), spots(channels=3)
    given.pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1)}
    model = BackboneClassifier(backbone=given, max_epochs=1, **PLAIN).fit(X, y)
    assert model.module_.standardise.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    assert model.module_.standardise.std.flatten().tolist() == pytest.approx([0.2, 0.2, 0.1])


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "backbone=None"),
        ({"backbone": 3}, "got int"),
        ({"backbone": nn.Conv2d(3, 4, 3)}, r"must take these pictures, \(n, 1, 8, 8\)"),
        ({"backbone": nn.Flatten(0)}, r"got \(128,\) for 2 pictures"),
        ({"backbone": Blocks(), "freeze": 4}, "freeze=4.*has 3"),
        ({"backbone": Blocks(), "unfreeze": "gradual"}, "freeze='all'"),
        ({"backbone": Blocks(), "l1": 0.1}, "l1 and max_norm"),
        ({"backbone": Blocks(), "optimizer": "lbfgs", "layer_lr_decay": 0.5}, "one step size"),
        ({"backbone": Blocks(), "optimizer": "muon"}, "hidden"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(settings, words):
    X, y = spots()
    with pytest.raises(ParameterError, match=words) as error:
        BackboneClassifier(**PLAIN | settings).fit(X, y)
    assert "\n" not in str(error.value)
