"""Neurons, layers and activations against NumPy, SciPy and differences by hand."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.special import softmax as scipy_softmax
from torch import nn

from ganglion import MLPClassifier, MLPRegressor
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.dense import DenseStack
from ganglion.nn.init import initialise
from ganglion.nn.tabular import TableInput

NAMED = ["sigmoid", "tanh", "relu", "leaky_relu"]
BY_HAND = {
    "identity": lambda z: z,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
}


def double(stack: nn.Module) -> nn.Module:
    stack.double()
    for p in stack.parameters():
        p.grad = torch.zeros_like(p)
    return stack


def derivative(name: str, z: torch.Tensor) -> torch.Tensor:
    """The slope that the backward pass by hand uses."""
    f = activation_named(name)
    return f.backward(torch.ones_like(z), z, f.function(z))


def test_artificial_neuron(rng):
    """1,000 random neurons: f(w x + b), with the bias inside the activation; f(b) for an input of zero."""
    for _ in range(1000):
        n, name = int(rng.integers(1, 1001)), NAMED[rng.integers(4)]
        neuron = double(DenseStack([n, 1, 1], name))
        w, b, x = rng.normal(size=n) / np.sqrt(n), rng.normal(), rng.normal(size=n)
        with torch.no_grad():
            for p, value in zip(neuron.parameters(), (w[None], [b], [[1.0]], [0.0])):
                p.copy_(torch.as_tensor(value, dtype=torch.float64))
            got, at_zero = neuron(torch.as_tensor(np.stack([x, np.zeros(n)])))[:, 0].tolist()
        assert abs(got - BY_HAND[name](w @ x + b)) <= 1e-12
        assert abs(at_zero - BY_HAND[name](b)) <= 1e-12


def test_weights_and_biases(central):
    """784-300-100-10 has 266,610 numbers; gradients by hand equal differences (on a smaller stack)."""
    assert sum(p.numel() for p in DenseStack([784, 300, 100, 10]).parameters()) == 266_610
    stack = double(DenseStack([5, 4, 3], "tanh"))
    x, goal = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    run = stack.by_hand()
    run.backward(run.forward(x) - goal)
    for p in stack.parameters():

        def loss(values, p=p):
            kept, p.data = p.data, torch.as_tensor(values)
            with torch.no_grad():
                found = 0.5 * float((stack(x) - goal).square().sum())
            p.data = kept
            return found

        np.testing.assert_allclose(p.grad.numpy(), central(loss, p.data.numpy()), rtol=1e-6, atol=1e-8)


def test_hidden_layer():
    """XOR: a plane gets 3 of 4 at most, four tanh units get all 4 (in 20 seeds of 20; the card asks 45 of 50)."""
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]) * 2 - 1, np.array([0, 1, 1, 0])
    shared = {"activation": "tanh", "dropout": 0.0, "weight_decay": 0.0, "preprocess": "none", "lr": 0.1}
    shared |= {"validation_fraction": 0.0, "batch_size": "full", "max_epochs": 150, "schedule": "constant"}
    right = {(): [], (4,): []}
    for hidden, found in right.items():
        for seed in range(20):
            net = MLPClassifier(hidden_layer_sizes=hidden, random_state=seed, **shared).fit(X, y)
            found.append(round(4 * net.score(X, y)))
    assert max(right[()]) <= 3
    assert sum(n == 4 for n in right[(4,)]) >= 18


def test_dense_layer():
    """Value and all three gradients of the pass by hand equal torch.nn.Linear's; in x out + out numbers."""
    stack, theirs = double(DenseStack([6, 4])), nn.Linear(6, 4).double()
    assert sum(p.numel() for p in stack.parameters()) == 6 * 4 + 4
    theirs.load_state_dict({k.removeprefix("linears.0."): v for k, v in stack.state_dict().items()})
    x, slope = torch.randn(9, 6, dtype=torch.float64, requires_grad=True), torch.randn(9, 4).double()
    theirs(x).backward(slope)
    run = stack.by_hand()
    torch.testing.assert_close(run.forward(x.detach()), theirs(x), atol=1e-10, rtol=0)
    to_input = run.backward(slope, to_input=True)
    for ours, other in zip([*(p.grad for p in stack.parameters()), to_input], [*theirs.parameters(), x]):
        torch.testing.assert_close(ours, other.grad, atol=1e-10, rtol=0)


def test_activation_function(central):
    """Without activations five layers are one affine map, with each named one they are not; slopes are true."""
    x = torch.randn(40, 3, dtype=torch.float64)

    def distance_from_affine(name: str) -> float:
        out = double(DenseStack([3, 8, 8, 8, 8, 2], name))(3 * x).detach().numpy()
        A = np.c_[x.numpy(), np.ones(40)]
        return np.abs(out - A @ np.linalg.lstsq(A, out, rcond=None)[0]).max()

    assert distance_from_affine("identity") <= 1e-10
    assert all(distance_from_affine(name) > 1e-6 for name in NAMED)
    z = torch.linspace(-4, 4, 81, dtype=torch.float64)
    z = z[z.abs() > 1e-3]
    for name in ACTIVATIONS:
        f, h = activation_named(name), 1e-6
        if f.backward is None:
            continue
        by_differences = (f.function(z + h) - f.function(z - h)) / (2 * h)
        np.testing.assert_allclose(derivative(name, z), by_differences, atol=1e-6, err_msg=name)


@pytest.mark.filterwarnings("error")
def test_sigmoid():
    x = torch.cat([torch.linspace(-40, 40, 20_001), torch.tensor([-1e4, 1e4])]).double()
    np.testing.assert_allclose(activation_named("sigmoid").function(x), expit(x.numpy()), rtol=0, atol=1e-15)
    slopes = derivative("sigmoid", torch.linspace(-5, 5, 1001, dtype=torch.float64))
    assert slopes.argmax() == 500
    assert slopes[500] == 0.25


def test_tanh():
    x = torch.linspace(-30, 30, 20_001, dtype=torch.float64)
    value = activation_named("tanh").function(x)
    np.testing.assert_allclose(value, np.tanh(x.numpy()), rtol=0, atol=1e-15)
    np.testing.assert_allclose(derivative("tanh", x), 1 - np.tanh(x.numpy()) ** 2, rtol=0, atol=1e-15)
    assert derivative("tanh", torch.zeros(1).double()) == 1
    twice = 2 * activation_named("sigmoid").function(2 * x) - 1
    np.testing.assert_allclose(value, twice, rtol=0, atol=1e-12)


def through_thirty_layers(activation: str, init: str) -> float:
    """Gradient norm at the input over that at the output of 30 layers of 256 units."""
    stack = DenseStack([256] * 31, activation).double()
    initialise(stack, init)
    x = torch.randn(64, 256, dtype=torch.float64, requires_grad=True)
    out = stack(x)
    slope = torch.randn_like(out)
    return float(torch.autograd.grad(out, x, slope)[0].norm() / slope.norm())


def test_relu():
    """max(0, x); with He's start gradients keep their size over 30 layers, through sigmoids they vanish."""
    x = torch.randn(1000)
    assert torch.equal(activation_named("relu").function(x), x.clamp(min=0))
    assert 0.1 <= through_thirty_layers("relu", "he") <= 10
    assert through_thirty_layers("sigmoid", "lecun") < 1e-10  # lecun: standard deviation 1 / sqrt(n)
    assert derivative("relu", torch.tensor([-1.0])) == 0  # negative side: ReLU does not prevent vanishing


def test_leaky_relu():
    """Biases of -5 kill most ReLU units (no gradient for any row), and no leaky one."""
    x = torch.randn(1000)
    assert torch.equal(activation_named("leaky_relu").function(x), torch.where(x > 0, x, 0.01 * x))

    def dead_share(name: str) -> float:
        stack = DenseStack([10, 200, 1], name)
        initialise(stack, "he")
        nn.init.constant_(stack.linears[0].bias, -5.0)
        for p in stack.parameters():
            p.grad = torch.zeros_like(p)
        run = stack.by_hand()
        run.forward(torch.randn(500, 10))
        run.backward(torch.ones(500, 1))
        return float((stack.linears[0].weight.grad == 0).all(1).float().mean())

    assert dead_share("relu") >= 0.5
    assert dead_share("leaky_relu") == 0


def test_softmax(rng, central):
    """``predict_proba`` is the softmax of the outputs; they are planted through the last layer's weights."""
    k = 4
    net = MLPClassifier(hidden_layer_sizes=(), preprocess="none", max_epochs=1, validation_fraction=0)
    net.fit(rng.normal(size=(40, k)), np.arange(40) % k)

    def softmax(logits):  # a network that hands its inputs on
        layer = net._answering.stack.linears[0]
        layer.weight.data, layer.bias.data = torch.eye(k).double(), torch.zeros(k).double()
        return net.predict_proba(logits)

    logits = rng.normal(size=(50, k)).astype(np.float32) * 5
    p = softmax(logits)
    np.testing.assert_allclose(p, scipy_softmax(logits.astype(np.float64), axis=1), rtol=0, atol=1e-15)
    np.testing.assert_allclose(p.sum(1), 1, rtol=0, atol=1e-12)
    whole = np.round(logits)
    np.testing.assert_array_equal(softmax(whole + 1e4), softmax(whole))


def test_output_layer_activation(rng):
    """Identity for numbers (one or three), a sigmoid of the log-odds for two classes, softmax for more."""
    X = rng.normal(size=(120, 4))
    few = {"hidden_layer_sizes": (8,), "max_epochs": 3}
    two = MLPClassifier(**few).fit(X, X[:, 0] > 0)
    np.testing.assert_allclose(two.predict_proba(X)[:, 1], expit(two.decision_function(X)), atol=1e-12)
    three = MLPClassifier(**few).fit(X, np.arange(120) % 3)
    assert three.predict_proba(X).shape == (120, 3)
    np.testing.assert_allclose(
        three.predict_proba(X), scipy_softmax(three.decision_function(X), axis=1), atol=1e-12
    )
    one = MLPRegressor(**few).fit(X, 1e3 * X[:, 0])
    assert one.predict(X).shape == (120,)
    assert np.ptp(one.predict(X)) > 100  # not squeezed into a range
    assert MLPRegressor(**few).fit(X, X[:, :3]).predict(X).shape == (120, 3)


def test_embedding_layer(rng):
    """A lookup is one-hot times matrix and moves looked-up rows only; words used alike become neighbours.

    The corpus is generated: 40 words in 20 pairs of synonyms, each pair with contexts of its own; the task is
    to tell the context from the word.
    """
    table = TableInput(0, (7,))
    codes = torch.tensor([2, 5, 2])
    looked_up, weight = table(codes[:, None].float()), table.embeddings[0].weight
    assert torch.equal(looked_up, nn.functional.one_hot(codes, 7).float() @ weight)
    looked_up.sum().backward()
    assert torch.equal(weight.grad.abs().sum(1) > 0, torch.tensor([0, 0, 1, 0, 0, 1, 0]).bool())

    contexts = rng.dirichlet(np.full(12, 0.3), size=20)
    word = rng.permutation(np.repeat(np.arange(40), 100))
    context = np.array([rng.choice(12, p=contexts[w // 2]) for w in word])
    net = MLPClassifier(hidden_layer_sizes=(), encode="embedding", max_epochs=60, lr=0.02, weight_decay=0.0)
    net.set_params(validation_fraction=0, random_state=0)
    names = [f"word {w:02}" for w in range(40)]
    net.fit([[names[w]] for w in word], context)
    learned = net.module_.inputs.embeddings[0].weight.detach().numpy()[1:]  # code 0: never seen
    unit = learned / np.linalg.norm(learned, axis=1, keepdims=True)
    nearest = (unit @ unit.T - 2 * np.eye(40)).argmax(1)
    assert np.mean(nearest == np.arange(40) ^ 1) >= 0.9
