"""``ganglion.trace`` and ``ganglion.landscape`` of picture classifiers: raw pictures in, their own loss, autograd."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ganglion
from ganglion import GanglionError
from ganglion.estimators.pictures.backbone import BackboneClassifier
from ganglion.estimators.pictures.capsule import CapsuleClassifier
from ganglion.estimators.pictures.cnn import CNNClassifier
from ganglion.estimators.pictures.detector import ObjectDetector
from ganglion.estimators.pictures.resnet import ResNetClassifier
from ganglion.estimators.pictures.style import StyleTransfer

N = 24  # pictures that are looked at


def toy(n=120):
    """Coloured pictures with a bright spot, or without."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    X = rng.integers(0, 60, (n, 8, 8, 3), dtype=np.uint8)
    X[:, 2:6, 1:5] += (90 * y.reshape(-1, 1, 1, 1)).astype(np.uint8)
    return X, np.array(["dark", "spot"])[y]


MADE = {
    "cnn": lambda: CNNClassifier(widths=(4, 6), convolutions=1, max_epochs=2, augment="crop(1)"),
    "cnn with mirrors": lambda: CNNClassifier(widths=(4,), max_epochs=2, augment="flip"),
    "resnet": lambda: ResNetClassifier(depth=8, width=3, max_epochs=1, augment=None, loss="focal"),
    "capsules": lambda: CapsuleClassifier(widths=(4,), types=2, decoder=(8,), max_epochs=1, augment=None),
    "backbone": lambda: BackboneClassifier(
        backbone=nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3)), max_epochs=2
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=MADE)
def fitted(request):
    return MADE[request.param]().fit(*toy())


def own_loss(model, x, codes):
    """The training objective of a copy in double precision, in evaluation mode; answers of mirrors taken in."""
    module = copy.deepcopy(model.module_).double().eval()
    objective = model._objective(module)
    module.requires_grad_(True)  # also what a backbone holds
    if not model._mirrors():
        return module, objective({"x": x, "y": codes}, "validation").loss.mean()
    return module, objective.loss.value((module(x) + module(x.flip(3))) / 2, codes).mean()


def as_taken(model, X, y):
    """Pictures (n, c, h, w) in [0, 1] in double precision, and codes."""
    return torch.as_tensor(X / 255.0).permute(0, 3, 1, 2), torch.as_tensor(np.searchsorted(model.classes_, y))


def test_the_products_are_autograds_gradients_of_the_own_loss(fitted):
    X, y = (part[:N] for part in toy())
    trace = ganglion.trace(fitted, X, y)
    x, codes = as_taken(fitted, X, y)
    module, loss = own_loss(fitted, x, codes)
    loss.backward()
    assert trace.loss == pytest.approx(float(loss.detach()), rel=1e-12)
    assert trace.deviation < 1e-10
    assert set(trace.gradients) == {name for name, _ in module.named_parameters()}
    largest = max(float(p.grad.abs().max()) for p in module.parameters())
    for name, p in module.named_parameters():
        assert (trace.gradients[name] - p.grad).abs().max() <= 1e-10 * largest, name
    assert (trace.input_gradients[0] != 0).any()
    assert trace.mode == "evaluation"


def test_the_middle_of_the_landscape_is_the_own_loss(fitted):
    X, y = (part[:N] for part in toy())
    found = ganglion.landscape(fitted, X, y, size=3, dims=1, curvature=False)
    _, loss = own_loss(fitted, *as_taken(fitted, X, y))
    assert found.centre == pytest.approx(float(loss.detach()), rel=1e-5)
    assert found.centre == found.loss[1]


def test_slope_and_curvature_are_there(fitted):
    X, y = (part[:N] for part in toy())
    found = ganglion.landscape(fitted, X, y, size=3, dims=1)
    assert found.slope == pytest.approx(ganglion.trace(fitted, X, y).gradient_norm, rel=1e-3)
    assert found.top >= found.bottom


def test_the_loss_is_that_of_the_probabilities():
    X, y = toy()
    for augment, words in ((None, "mean of 24 pictures"), ("flip", "mean of 24 pictures and their mirrors")):
        model = CNNClassifier(widths=(4,), max_epochs=2, augment=augment, label_smoothing=0.0).fit(X, y)
        chances = model.predict_proba(X[:N])[np.arange(N), (y[:N] == "spot").astype(int)]
        trace = ganglion.trace(model, X[:N], y[:N])
        assert trace.loss == pytest.approx(-np.log(chances).mean(), rel=1e-5)
        assert f"cross_entropy, {words})" in str(trace)


def test_arrays_lists_and_files_give_the_same_pass(tmp_path, fitted):
    X, y = (part[:6] for part in toy())
    paths = [str(tmp_path / f"{i}.png") for i in range(len(X))]
    for path, picture in zip(paths, X):
        Image.fromarray(picture).save(path)
    losses = [ganglion.trace(fitted, given, y).loss for given in (X, list(X), paths)]
    assert len(set(losses)) == 1
    centres = [ganglion.landscape(fitted, given, y, dims=1, size=3).centre for given in (X, paths)]
    assert len(set(centres)) == 1


def test_nothing_is_changed_and_no_truth_is_needed(fitted):
    X, y = (part[:6] for part in toy())
    before, answer = copy.deepcopy(fitted.module_.state_dict()), fitted.predict_proba(X)
    trace = ganglion.trace(fitted, X)
    assert "sum of the outputs" in trace.loss_name
    ganglion.landscape(fitted, X, y, dims=1, size=3)
    assert all(torch.equal(v, before[k]) for k, v in fitted.module_.state_dict().items())
    assert np.array_equal(fitted.predict_proba(X), answer)
    assert all(p.grad is None and p.requires_grad for p in fitted.module_.parameters())


def test_the_table_stays_readable(fitted):
    X, y = (part[:N] for part in toy())
    text = str(ganglion.trace(fitted, X, y))
    assert max(map(len, text.splitlines())) <= 110
    assert "each  weights" in text
    assert "contiguous" not in text
    assert "1 and -1, 1 / divisor" in text  # the first layer, which standardises


def test_of_a_deep_network_the_layers_with_weights_are_listed():
    model = ResNetClassifier(depth=20, width=2, max_epochs=1, augment=None).fit(*toy())
    trace = ganglion.trace(model, *(part[:N] for part in toy()))
    kernels = [p for p in model.module_.parameters() if p.dim() > 1]
    listed = trace.chief(48)
    assert len(trace.shown) > 48
    kinds = [layer.kind.replace("Conv1x1", "Conv2d") for layer in listed]
    assert kinds == [*["Conv2d"] * (len(kernels) - 1), "Linear", "loss"]
    text = str(trace)
    assert f"Of {len(trace.shown)} layers the {len(listed)} with weights and the loss are listed" in text
    assert all(f" {layer.name} " in text for layer in listed), "no name is cut"
    figure = ganglion.plot.plot_trace(trace)
    assert {label.get_text().split()[-1] for label in figure.get_yticklabels()} <= {
        "Conv1x1",
        "Conv2d",
        "Linear",
        "loss",
    }


def test_the_neurons_of_the_head_are_listed():
    X, y = toy()
    trace = ganglion.trace(CNNClassifier(widths=(4,), max_epochs=1, augment=None).fit(X, y), X[:3], y[:3])
    assert [neuron.layer for neuron in trace.neurons(0)] == ["head.linears.0"] * 2


def test_what_cannot_be_done_is_one_sentence():
    X, y = toy()
    world, objects = np.zeros((12, 32, 32), np.uint8), [([[6, 8, 18, 20]], ["square"])] * 12
    world[:, 8:20, 6:18] = 255
    detector = ObjectDetector(widths=(4, 4), stride=4, max_epochs=1, augment=None).fit(world, objects)
    style = StyleTransfer(network=nn.Conv2d(3, 4, 3), max_epochs=1)
    model = CNNClassifier(widths=(4,), max_epochs=1, augment=None).fit(X, y)
    for call, words in (
        (
            lambda: ganglion.trace(detector, world, objects),
            "got ObjectDetector, .* give its module_ and a loss",
        ),
        (
            lambda: ganglion.landscape(detector, world, objects),
            "landscape takes .* got ObjectDetector, .* module_",
        ),
        (lambda: ganglion.trace(style, X, y), "got StyleTransfer; fit .* CNNClassifier"),
        (lambda: ganglion.trace(model, X, y, "huber"), "with its own loss"),
        (lambda: ganglion.landscape(model, X, None), "needs the truth"),
        (lambda: ganglion.trace(model, X[:4], y[:3]), "same number of rows, got 4 and 3"),
        (lambda: ganglion.trace(model, X[:1], ["cloud"]), "unknown label 'cloud'"),
        (lambda: ganglion.trace(model, X[:2, :, :, :2], y[:2]), "pictures"),
        (lambda: ganglion.landscape(model, X / 255.0, y), "multiply them by 255"),
    ):
        with pytest.raises(GanglionError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
