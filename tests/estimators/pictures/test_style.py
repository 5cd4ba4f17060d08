"""StyleTransfer: losses that fall, pictures of any kind and size, the same bits again."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion import CNNClassifier, StyleTransfer
from ganglion.base.errors import DataError, GanglionError, ParameterError


def network(channels=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(),
        nn.AvgPool2d(2), nn.Conv2d(16, 16, 3, padding=1), nn.Flatten(), nn.Linear(3, 2),
    )  # fmt: skip


def pictures(height=24, width=32, channels=3):
    """A bright disc on dark ground, and stripes."""
    y, x = np.mgrid[:height, :width]
    disc = 30 + 180 * (np.hypot(y - height / 2, x - width / 2) < height / 3)
    stripes = 128 + 100 * np.sin(x + np.arange(channels)[:, None, None]).transpose(1, 2, 0)
    return np.repeat(disc[..., None], channels, 2).astype(np.uint8), stripes.astype(np.uint8)


SETTINGS = {"network": network(), "max_epochs": 15, "style_weight": 0.5, "variation_weight": 0.0}


@pytest.fixture(scope="module")
def model():
    return StyleTransfer(**SETTINGS).fit(*pictures())


def test_content_and_style_losses_fall(model):
    start, end = model.record_.scores["start"], model.record_.scores["end"]
    assert end["content"] < start["content"] / 10
    assert end["style"] < start["style"] / 10
    history = model.history_
    assert {"loss", "content", "style", "variation"} <= set(history[0])
    assert [row["epoch"] for row in history] == list(range(1, 16))
    assert history[-1]["content"] == pytest.approx(end["content"], rel=1e-6)  # the picture that is given out
    assert end["content"] + 0.5 * end["style"] < history[0]["content"] + 0.5 * history[0]["style"]


def test_the_content_is_there(model):
    """Where the disc is, the result differs from where it is not."""
    content, _ = pictures()
    disc = content[..., 0] > 128
    grey = model.picture_.mean(2)
    assert abs(grey[disc].mean() - grey[~disc].mean()) > 40


def test_the_network_that_was_given_is_left_alone():
    given = network().train()
    before = {k: v.clone() for k, v in given.state_dict().items()}
    StyleTransfer(network=given, max_epochs=1).fit(*pictures())
    assert given.training
    assert all(p.requires_grad for p in given.parameters())
    assert all(torch.equal(v, before[k]) for k, v in given.state_dict().items())


def test_the_same_bits_again_and_others_by_another_seed():
    settings = {"network": network(), "max_epochs": 2}
    state = torch.get_rng_state()
    first, again = (StyleTransfer(**settings).fit(*pictures()).picture_ for _ in range(2))
    assert (first == again).all()
    assert (StyleTransfer(**settings, random_state=1).fit(*pictures()).picture_ != first).any()
    assert torch.equal(state, torch.get_rng_state())


def test_transform_paints_another_picture_in_the_style(model):
    content, style = pictures()
    assert (model.transform(content) == model.picture_).all()
    other = np.ascontiguousarray(content[:, :20][::-1])
    fitted = StyleTransfer(**SETTINGS).fit(content, style)
    painted = fitted.transform(other)
    assert painted.shape == other.shape
    assert fitted.record_.scores["end"]["style"] < fitted.record_.scores["start"]["style"] / 8
    assert (StyleTransfer(**SETTINGS).fit_transform(content, style) == model.picture_).all()


@pytest.mark.parametrize(
    ("optimizer", "settings"), [("adam", {"lr": 0.1, "max_epochs": 12}), ("lbfgs", {"max_epochs": 4})]
)
@pytest.mark.parametrize("start", ["noise", "content"])
def test_optimisers_and_starts(optimizer, settings, start):
    model = StyleTransfer(network=network(), optimizer=optimizer, start=start, **settings).fit(*pictures())
    first, last = model.record_.scores["start"], model.record_.scores["end"]
    assert last["style"] < first["style"] / 4
    assert last["content"] < first["content"] if start == "noise" else first["content"] < 0.1


def test_variation_makes_it_smoother():
    rough, smooth = (
        StyleTransfer(network=network(), max_epochs=6, variation_weight=w)
        .fit(*pictures())
        .record_.scores["end"]
        for w in (0.0, 3.0)
    )
    assert smooth["variation"] < rough["variation"] / 2


@pytest.mark.parametrize("kind", ["uint8", "float", "grey", "file"])
def test_pictures_of_every_kind_and_size(kind, tmp_path):
    content, style = pictures()[0], pictures(50, 20)[1]
    given, channels = content, 3
    if kind == "float":
        given = content.astype(np.float32) / 255
    if kind == "grey":
        given, style, channels = content[..., 0], style[..., 0], 1
    if kind == "file":
        from PIL import Image

        given = tmp_path / "content.png"
        Image.fromarray(content).save(given)
    painted = StyleTransfer(network=network(channels), max_epochs=1).fit(given, style).picture_
    assert painted.shape == (content.shape if kind != "grey" else content.shape[:2])
    assert painted.dtype == (np.float32 if kind == "float" else np.uint8)
    smaller = StyleTransfer(network=network(channels), max_epochs=1, image_size=16).fit(given, style).picture_
    assert smaller.shape[:2] == (12, 16)


def test_a_classifier_that_was_trained_here():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 100, (80, 12, 12, 3), dtype=np.uint8)
    X[::2, 3:8, 3:8] += 120
    classifier = CNNClassifier(widths=(6, 8), max_epochs=2, head="flatten").fit(X, np.arange(80) % 2)
    model = StyleTransfer(network=classifier, max_epochs=2).fit(*pictures())
    assert model.content_layers_ == ("features.2.0", "features.3.0")
    assert model.style_layers_ == ("features.0.0", "features.1.0")
    named = StyleTransfer(
        network=classifier, max_epochs=1, content_layers=("features.2",), style_layers=("features.1",)
    )
    assert named.fit(*pictures()).record_.scores["end"]["style"] < 1


@pytest.mark.parametrize(
    ("settings", "change", "error", "words"),
    [
        ({"network": None}, None, ParameterError, "must be an nn.Module or a fitted classifier"),
        ({"network": CNNClassifier()}, None, ParameterError, "fitted classifier"),
        ({"network": nn.Linear(3, 2)}, None, ParameterError, "no convolution"),
        ({"style_layers": ("0", "relu")}, None, ParameterError, "layer 'relu'"),
        ({"start": "middle"}, None, ParameterError, "start"),
        ({}, lambda picture: picture * 3.5, DataError, "floats from 0 to 1"),
        ({}, lambda picture: picture[..., :2], DataError, "content|channels|picture"),
    ],
)
def test_what_cannot_be_painted_is_refused(settings, change, error, words):
    content, style = pictures()
    content = content if change is None else change(content)
    with pytest.raises(error, match=words) as told:
        StyleTransfer(**{"network": network(), "max_epochs": 1, **settings}).fit(content, style)
    assert "\n" not in str(told.value)


def test_it_is_no_model_file(model, tmp_path):
    with pytest.raises(GanglionError, match="save picture_"):
        model.save(tmp_path / "m.ganglion")
