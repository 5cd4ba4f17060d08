"""What a trace tells: an estimator's own loss, the table in words, every neuron, figures, refusals."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import ganglion
from ganglion import GanglionError, MLPClassifier, MLPRegressor
from ganglion.plot import plot_neurons, plot_trace, to_svg
from ganglion.plot.style import new_axes


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(40, 9, 120), "job": rng.choice(["cook", "nurse"], 120)})
    return frame, np.where(frame.age + 9 * (frame.job == "cook") > 44, "yes", "no")


@pytest.fixture(scope="module")
def classifier(people):
    return MLPClassifier(hidden_layer_sizes=(6,), bins=3, max_epochs=4, dropout=0.3).fit(*people)


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


# --- estimators -------------------------------------------------------------------------------------------


def test_a_classifier_is_traced_with_its_columns_and_its_loss(people, classifier):
    X, y = people
    trace = ganglion.trace(classifier, X[:30], y[:30])
    chances = classifier.predict_proba(X[:30])[np.arange(30), (y[:30] == "yes").astype(int)]
    assert trace.loss == pytest.approx(-np.log(chances).mean(), abs=1e-12)
    assert trace.deviation < 1e-10
    assert trace.output.dtype == torch.float64
    assert trace.mode == "evaluation"
    assert trace.n_parameters == classifier.record_.data["n_parameters"]


def test_a_regressor_is_traced_in_the_scale_that_it_learns_in(people):
    X, _ = people
    y = 100 * X.age + 7
    model = MLPRegressor(hidden_layer_sizes=(6,), max_epochs=4).fit(X, y)
    trace = ganglion.trace(model, X[:30], y[:30])
    expected = (((model.predict(X[:30]) - y[:30]) / model.target_scale_) ** 2).mean()
    assert trace.loss == pytest.approx(expected, rel=1e-9)


def test_an_estimator_stays_as_it_is(people, classifier):
    before = {k: v.clone() for k, v in classifier.module_.state_dict().items()}
    ganglion.trace(classifier, people[0][:5])
    assert all(torch.equal(v, before[k]) for k, v in classifier.module_.state_dict().items())
    assert all(p.grad is None for p in classifier.module_.parameters())


# --- words ------------------------------------------------------------------------------------------------


def test_the_table_tells_the_story_in_110_columns():
    trace = ganglion.trace(small(), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1]), "cross_entropy")
    text = str(trace)
    assert text == trace.table()
    assert max(map(len, text.splitlines())) <= 110
    order = [text.index(word) for word in ("FORWARD", "BACKWARD", "UPDATE", "CHECK")]
    assert order == sorted(order)
    said = " ".join(text.split())
    assert "weighted sum z = W x + b (the bias joins before the activation)" in said
    assert "The gradient points uphill" in said
    assert "Backpropagation computes the gradient; an optimiser uses it" in said


def test_the_columns_of_the_table_multiply():
    """arriving x ratio = leaving in every line, and what leaves a layer arrives at the one before."""
    trace = ganglion.trace(small(), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1]), "cross_entropy")
    for layer, before in zip(trace.shown[1:], trace.shown):
        assert layer.arriving * layer.gain == pytest.approx(layer.leaving, rel=1e-12)
        assert before.arriving == pytest.approx(layer.leaving, rel=1e-12)
    back = str(trace).split("BACKWARD")[1].split("UPDATE")[0]
    line = next(line for line in back.splitlines() if "Tanh" in line)
    numbers = re.findall(r"[\d.]+(?:e-\d+)?", line)
    layer = trace.layers[1]
    assert float(numbers[2]) == pytest.approx(layer.arriving, rel=0.01)


def test_a_deep_network_of_odd_names_still_fits():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.a_rather_long_name_of_a_layer_that_goes_on = nn.Linear(64, 64)

        def forward(self, x):
            return x + self.a_rather_long_name_of_a_layer_that_goes_on(x).relu()

    module = nn.Sequential(*[nn.Sequential(nn.Sequential(Inner())) for _ in range(12)], nn.GRU(64, 32, 2))
    text = str(ganglion.trace(module, torch.randn(300, 64)))
    assert max(map(len, text.splitlines())) <= 110
    assert "t=0 " in text


def test_a_trace_and_its_parts_have_a_short_name():
    """Values know their rows and rows their values: naming all of them in turn would never end."""
    trace = ganglion.trace(nn.GRU(4, 3, 2), torch.randn(20, 2, 4))
    assert repr(trace) == f"Trace(loss {trace.loss:.4g}, 2 layers, {len(trace.rows)} operations)"
    assert repr(trace.layers[0]) == "Layer(0, GRU, (20, 2, 4) > (20, 2, 3))"
    assert repr(trace.rows[0]) == f"Row(unbind, [Value(input, (20, 2, 4))] > {trace.rows[0].outputs})"


def test_plain_numbers_only():
    found = ganglion.trace(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU()), torch.randn(2, 2, 9)).to_dict()
    assert json.loads(json.dumps(found))["layers"][0]["receptive_field"] == {
        "size": [3],
        "jump": [1],
        "centre": [1.0],
    }
    assert found["layers"][0]["flops"] == found["flops"] == 2 * 2 * 3 * 7 * 6


# --- neurons ----------------------------------------------------------------------------------------------


def test_every_neuron_by_hand():
    """Three inputs, tanh, squared error of one row, all numbers from NumPy."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, y = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 0.3]]), np.array([[0.7], [-0.2]])
    trace = ganglion.trace(module, x, y, "squared_error")
    (w1, b1, w2, b2) = (p.detach().numpy() for p in module.parameters())
    for row in (0, 1):
        z = w1 @ x[row] + b1
        h = np.tanh(z)
        gap = (w2 @ h + b2 - y[row])[0]
        dh = 2 * gap / len(x) * w2[0]
        dz = dh * (1 - h**2)
        *hidden, out = trace.neurons(row)
        for i, neuron in enumerate(hidden):
            assert [neuron.z, neuron.h, neuron.slope] == pytest.approx([z[i], h[i], 1 - h[i] ** 2], rel=1e-12)
            assert [neuron.dh, neuron.dz, neuron.db] == pytest.approx([dh[i], dz[i], dz[i]], rel=1e-12)
            assert neuron.dw.numpy() == pytest.approx(dz[i] * x[row], rel=1e-12)
            assert float(neuron.w @ neuron.x) + neuron.b == pytest.approx(neuron.z, rel=1e-12)
        assert out.dz == pytest.approx(2 * gap / len(x), rel=1e-12)
    text = trace.neuron_table(1)
    assert max(map(len, text.splitlines())) <= 110
    assert "f = tanh" in text


def test_the_parts_of_all_rows_are_the_gradient():
    trace = ganglion.trace(small(), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1]), "cross_entropy")
    parts = [[n.dw for n in trace.neurons(row)] for row in range(5)]
    total = torch.stack([sum(part) for part in list(zip(*parts))[:4]])
    assert (total - trace.gradients["0.weight"]).abs().max() < 1e-12


# --- figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [plot_trace, plot_neurons])
def test_figures(draw):
    trace = ganglion.trace(small(), torch.randn(5, 3))
    ax = new_axes()
    assert (draw(trace, 0, ax) if draw is plot_neurons else draw(trace, ax)) is ax
    assert to_svg(draw(trace), "A trace").startswith("<svg")


def test_the_figure_of_layers_shows_what_arrives():
    trace = ganglion.trace(small(), torch.randn(5, 3))
    ax = plot_trace(trace)
    drawn = [line.get_xdata()[0] for line in ax.lines if line.get_markersize() == 5]
    assert drawn == pytest.approx([layer.arriving for layer in trace.shown[::-1]])
    dead = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    nn.init.zeros_(dead[1].weight)
    assert plot_trace(ganglion.trace(dead, torch.ones(1, 2))).get_xscale() == "log"
    many = nn.Sequential(*[nn.Linear(2, 2) for _ in range(60)])
    assert len(plot_trace(ganglion.trace(many, torch.ones(1, 2))).get_yticks()) == 24


# --- refusals ---------------------------------------------------------------------------------------------

WRONG = {
    "no network": (lambda: ganglion.trace("net", [[1.0]]), "takes a fitted network or an nn.Module, got str"),
    "truth without a loss": (lambda: ganglion.trace(small(), [[1.0] * 3], [[1.0]]), "y needs a loss"),
    "loss without a truth": (lambda: ganglion.trace(small(), [[1.0] * 3], loss="mse"), "compares with a truth; give y"),
    "an unknown loss": (
        lambda: ganglion.trace(small(), [[1.0] * 3], [0], "cross_entrop"), "did you mean 'cross_entropy'"
    ),
    "no loss": (lambda: ganglion.trace(small(), [[1.0] * 3], [0], 3), "loss must be a name or a function, got int"),
    "words": (lambda: ganglion.trace(small(), ["a", "b"]), "x must hold numbers"),
    "shapes": (lambda: ganglion.trace(small(), [[1.0] * 3], [1.0], "mse"), "y must be (1, 2) as the output is"),
    "many numbers": (
        lambda: ganglion.trace(small(), [[1.0] * 3], loss=lambda output: output), "must be one number that depends on"
    ),
    "no number": (lambda: ganglion.trace(small(), [[1.0] * 3], loss=lambda _: 3.0), "got float"),
    "a row too far": (lambda: ganglion.trace(small(), [[1.0] * 3]).neurons(1), "row must be from 0 to 0, got 1"),
    "neurons of a convolution": (
        lambda: ganglion.trace(nn.Conv1d(1, 1, 1), torch.ones(1, 1, 3)).neurons(), "this network has other layers"
    ),
    "a wide layer": (lambda: ganglion.trace(nn.Linear(2, 65), torch.ones(1, 2)).neurons(), "at most 64 units"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_is_one_sentence(name):
    call, words = WRONG[name]
    with pytest.raises(GanglionError, match=re.escape(words)) as caught:
        call()
    assert str(caught.value).endswith((".", "?"))
    assert "\n" not in str(caught.value)


def test_an_estimators_refusals(people, classifier):
    X, y = people
    with pytest.raises(GanglionError, match="with its own loss"):
        ganglion.trace(classifier, X, y, loss="mse")
    with pytest.raises(GanglionError, match="same number of rows, got 5 and 4"):
        ganglion.trace(classifier, X[:5], y[:4])
    with pytest.raises(GanglionError, match="unknown label 'maybe'"):
        ganglion.trace(classifier, X[:1], ["maybe"])
    with pytest.raises(Exception, match="not fitted"):
        ganglion.trace(MLPClassifier(), X[:1])
