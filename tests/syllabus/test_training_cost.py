"""What training costs: operations counted exactly, and how the error falls with the number of rows."""

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion import MLPClassifier
from ganglion.evaluate.learning_curve import fit_power_law


def closed_form(rows: int, inputs: int, outputs: int) -> int:
    """A dense layer: every output of every row is a sum of ``inputs`` products."""
    return 2 * rows * inputs * outputs


def closed_form_convolution(n, c_in, c_out, size, kernel, stride, padding, dilation, groups) -> int:
    """A convolution: every output pixel of every map is a sum of ``c_in / groups x kernel^2`` products."""
    places = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return 2 * n * c_out * places**2 * (c_in // groups) * kernel**2


def test_training_cost_and_data_hunger():
    """The operations of 30 random dense and convolution layers equal the closed form exactly."""
    rng = np.random.default_rng(0)
    for _ in range(15):
        rows, inputs, outputs = (int(v) for v in rng.integers(1, 40, 3))
        trace = ganglion.trace(nn.Linear(inputs, outputs), torch.randn(rows, inputs))
        assert trace.flops == closed_form(rows, inputs, outputs)
        assert trace.n_parameters == inputs * outputs + outputs
    for _ in range(15):
        kernel, stride, padding, dilation, groups = (int(rng.integers(1, 4)) for _ in range(5))
        n, size = int(rng.integers(1, 4)), int(rng.integers(9, 14))
        c_in, c_out = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        layer = nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, groups)
        trace = ganglion.trace(layer, torch.randn(n, c_in, size, size))
        assert trace.flops == closed_form_convolution(
            n, c_in, c_out, size, kernel, stride, padding, dilation, groups
        )


@pytest.mark.slow
def test_data_hunger_on_digits(digits):
    """The power law of four sizes tells the error at twice the largest to 10 %, mean of six draws of rows."""
    X, X_test, y, y_test = digits
    sizes, errors = (80, 160, 320, 640, 1280), []
    for n in sizes:
        found = []
        for seed in range(6):
            index = np.random.default_rng(seed).permutation(len(X))[:n]
            net = MLPClassifier(
                hidden_layer_sizes=(64,), preprocess="none", validation_fraction=0, max_epochs=60
            )
            net.set_params(lr=3e-3, random_state=seed).fit(X[index], y[index])
            found.append(float((1 - net.predict_proba(X_test)[np.arange(len(y_test)), y_test]).mean()))
        errors.append(np.mean(found))
    law = fit_power_law(sizes[:-1], errors[:-1])
    assert law(sizes[-1]) == pytest.approx(errors[-1], rel=0.1)
