"""Penalties, decay and dropout against closed forms and scikit-learn's linear models."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from torch import nn

from ganglion import MLPClassifier
from ganglion.data.batches import ResidentBatches
from ganglion.nn.dense import DenseStack
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.optimizers import ADAM_BETA2, make_optimizer
from ganglion.train.loop import fit


def least_squares(X, y, epochs: int, *, lr: float, l1: float = 0.0, decay: float = 0.0) -> np.ndarray:
    """Weights of a linear model by full-batch descent from zero."""
    model = nn.Linear(X.shape[1], 1, bias=False).double()
    nn.init.zeros_(model.weight)
    batches = ResidentBatches({"x": torch.as_tensor(X), "y": torch.as_tensor(y)[:, None]}, len(X))
    rule = make_optimizer("sgd", model, lr, weight_decay=decay, momentum=0.0)
    fit(
        Supervised(model, loss_named("squared_error"), l1), batches, optimizers={"train": rule}, epochs=epochs
    )
    return model.weight.detach().numpy()[0]


@pytest.fixture(scope="module")
def sparse():
    """200 rows of 100 columns, 10 of which matter."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(200, 100)), np.zeros(100)
    w[:10] = rng.choice([-2.0, 2.0], 10)
    return X, X @ w + 0.3 * rng.normal(size=200)


def test_l1_regularization(sparse):
    """The proximal step ends in scikit-learn's Lasso, with the same exact zeros (its loss is half of ours)."""
    X, y = sparse
    theirs = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(X, y).coef_
    ours = least_squares(X, y, 1000, lr=0.15, l1=0.2)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.array_equal(ours == 0, theirs == 0)
    assert (ours == 0).sum() > 50


def test_l2_regularization(sparse):
    """Ends in the closed form (X'X + n lambda I)^-1 X'y of Ridge; the norm falls as lambda grows."""
    X, y = sparse
    norms = []
    for strength in (0.01, 0.1, 1.0):
        ours = least_squares(
            X, y, 1500, lr=0.1, decay=2 * strength
        )  # slope 2 lambda w beside that of the square
        exact = np.linalg.solve(X.T @ X + 200 * strength * np.eye(100), X.T @ y)
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-8)
        np.testing.assert_allclose(
            ours, Ridge(200 * strength, fit_intercept=False).fit(X, y).coef_, atol=1e-8
        )
        norms.append(np.linalg.norm(ours))
    assert norms[0] > norms[1] > norms[2]
    assert not (ours == 0).any()


def walk(make, penalty: float = 0.0, steps: int = 100) -> torch.Tensor:
    """100 noisy steps of a weight matrix, with an optional (penalty / 2) |w|^2 in the loss."""
    noise = torch.Generator().manual_seed(0)
    layer = nn.Linear(4, 3, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, 12).double().reshape(3, 4))
    optimizer = make(layer)
    for _ in range(steps):
        optimizer.zero_grad()
        slope = torch.randn(3, 4, generator=noise, dtype=torch.float64) * torch.logspace(-2, 1, 4).double()
        ((layer.weight * slope).sum() + 0.5 * penalty * layer.weight.square().sum()).backward()
        optimizer.step()
    return layer.weight.detach().clone()


def test_weight_decay():
    """L2 in the loss for plain descent; something else for Adam; the decoupled form is torch's AdamW."""

    def made(name: str, decay: float):
        return lambda layer: make_optimizer(name, layer, 0.01, weight_decay=decay)

    torch.testing.assert_close(walk(made("sgd", 0.1)), walk(made("sgd", 0.0), 0.1), atol=1e-12, rtol=0)
    torch.testing.assert_close(walk(made("adam", 0.1)), walk(made("adam", 0.0), 0.1), atol=1e-12, rtol=0)
    decoupled = walk(made("adamw", 0.1))
    assert (decoupled - walk(made("adam", 0.1))).abs().max() > 1e-3
    theirs = walk(lambda m: torch.optim.AdamW(m.parameters(), 0.01, (0.9, ADAM_BETA2), weight_decay=0.1))
    torch.testing.assert_close(decoupled, theirs, atol=1e-10, rtol=0)
    flat = walk(lambda m: FlatAdamW(Flat(m), 0.01, (0.9, ADAM_BETA2), weight_decay=0.1))
    torch.testing.assert_close(flat, theirs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("n", [150, 1000])  # small and large masks are drawn in two ways
@pytest.mark.parametrize("by_hand", [False, True])
def test_dropout(by_hand, n):
    """1 - p are kept and scaled up so that the mean stays; a fresh mask for every row and pass; none in use."""
    p, width = 0.3, 50
    stack = DenseStack([4, width, width], "identity", dropout=p)
    for linear in stack.linears:
        nn.init.zeros_(linear.bias)
    nn.init.ones_(stack.linears[0].weight)
    nn.init.eye_(stack.linears[1].weight)  # the output shows each hidden unit
    for q in stack.parameters():
        q.grad = torch.zeros_like(q)
    x = torch.full((n, 4), 0.25)
    run = stack.by_hand().forward if by_hand else stack
    with torch.no_grad():
        first, second = run(x), run(x)
        kept = first != 0
        assert abs(float(kept.float().mean()) - (1 - p)) <= 3 * (p * (1 - p) / kept.numel()) ** 0.5
        assert torch.allclose(first[kept], torch.tensor(1 / (1 - p)))
        stack.eval()
        assert torch.equal(stack(x), torch.ones(n, width))
    assert float(first.mean()) == pytest.approx(1, abs=max(0.01, 3 * (p / (1 - p) / kept.numel()) ** 0.5))
    assert not torch.equal(kept, second != 0)
    assert not torch.equal(kept[0], kept[1])


@pytest.mark.slow
def test_dropout_lowers_the_error_on_mnist(mnist):
    """Half of 512-512 units dropped: fewer errors on the 10,000 test digits in each of two seeds.

    Reduced: trained on 2,000 digits (about 8.7 % to 7.8 %). On all 60,000 these 20 to 40 epochs of AdamW end at
    1.36 % without dropout and 1.41 % with 0.4; the published fall from 1.60 to 1.35 % is of another recipe.
    """
    X, y, X_held, y_held = mnist
    shared = {
        "hidden_layer_sizes": (512, 512),
        "activation": "relu",
        "preprocess": "none",
        "weight_decay": 0.0,
    }
    net = MLPClassifier(**shared, validation_fraction=0, max_epochs=40, batch_size=128)
    for seed in (0, 1):
        net.set_params(random_state=seed)
        errors = [
            1 - net.set_params(dropout=p).fit(X[:2000], y[:2000]).score(X_held, y_held) for p in (0.0, 0.5)
        ]
        assert errors[1] < errors[0] - 0.002
