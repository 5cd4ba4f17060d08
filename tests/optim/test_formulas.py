"""A hundred steps of every optimiser against its paper's formula in NumPy, on a small network, to 1e-10.

The oracle computes everything itself, gradients included. W1 (5, 4), b1 (5,), W2 (3, 5), b2 (3,); the loss is
``mean log cosh(W2 tanh(W1 x + b1) + b2 - y)``. Weights are decayed, biases are not.
"""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from ganglion.optim.flat import Flat
from ganglion.optim.optimizers import ADAM_BETA2, BASES, OPTIMIZERS, make_flat, make_optimizer
from ganglion.optim.vector import VectorAdam

DECAY, STEPS = 0.1, 100
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 20)), 2 * RNG.normal(size=(3, 20))
START = [RNG.normal(size=s) for s in ((5, 4), (5,), (3, 5), (3,))]


@pytest.fixture(autouse=True)
def _double():
    """torch keeps some scalars of NAdam in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(w):
    w1, b1, w2, b2 = w
    h = np.tanh(w1 @ X + b1[:, None])
    out = np.tanh(w2 @ h + b2[:, None] - Y) / Y.size
    inner = (w2.T @ out) * (1 - h**2)
    return [inner @ X.T, inner.sum(1), out @ h.T, out.sum(1)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 5).double(), nn.Linear(5, 3).double()
        for p, start in zip(self.parameters(), START):
            p.data = torch.tensor(start)

    def loss(self):
        gap = self.last(self.first(torch.tensor(X.T)).tanh()) - torch.tensor(Y.T)
        return gap.cosh().log().mean()


def ours(make, steps=STEPS):
    """Weights after each step."""
    net = Net()
    optimizer, places = make(net), []

    def closure():
        optimizer.zero_grad()
        loss = net.loss()
        loss.backward()
        return loss

    for _ in range(steps):
        closure()
        optimizer.step(closure)
        places.append([p.detach().numpy().copy() for p in net.parameters()])
    return places


def by_formula(update, lr, decay=DECAY, ask=gradients):
    """The same, with ``update(w, g, state, t, lr, decay)`` for each parameter, t from 1."""
    w, states, places = [s.copy() for s in START], [{} for _ in START], []
    for t in range(1, STEPS + 1):
        g = ask(w)
        for i in range(len(w)):
            w[i] = update(w[i], g[i], states[i], t, lr, decay if w[i].ndim > 1 else 0.0)
        places.append([p.copy() for p in w])
    return places


def far(a, b):
    return max(np.abs(p - q).max() for one, other in zip(a, b, strict=True) for p, q in zip(one, other))


# --- the formulas -------------------------------------------------------------------------------------------


def mean(state, key, value, beta):
    state[key] = beta * state.get(key, 0.0) + (1 - beta) * value
    return state[key]


def momentum(w, g, s, t, lr, decay, mu=0.9, ahead=False):
    g = g + decay * w
    s["v"] = mu * s["v"] + g if t > 1 else g
    return w - lr * (g + mu * s["v"] if ahead else s["v"])


def nesterov(*args):
    return momentum(*args, ahead=True)


def adagrad(w, g, s, t, lr, decay):
    g = g + decay * w
    s["sum"] = s.get("sum", 0.0) + g**2
    return w - lr * g / (np.sqrt(s["sum"]) + 1e-10)


def rmsprop(w, g, s, t, lr, decay, alpha=0.99, centred=False):
    g = g + decay * w
    v = mean(s, "v", g**2, alpha)
    if centred:
        v = v - mean(s, "g", g, alpha) ** 2
    return w - lr * g / (np.sqrt(v) + 1e-8)


def adadelta(w, g, s, t, lr, decay, rho=0.9, eps=1e-6):
    g = g + decay * w
    v = mean(s, "v", g**2, rho)
    step = np.sqrt(s.get("d", 0.0) + eps) / np.sqrt(v + eps) * g
    mean(s, "d", step**2, rho)
    return w - lr * step


def adam(w, g, s, t, lr, decay, beta2=ADAM_BETA2, decoupled=False, amsgrad=False):
    if decoupled:
        w = w - lr * decay * w
    else:
        g = g + decay * w
    m, v = mean(s, "m", g, 0.9), mean(s, "v", g**2, beta2)
    if amsgrad:
        v = s["most"] = np.maximum(s.get("most", 0.0), v)
    return w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)


def adamw(*args, beta2=ADAM_BETA2):
    return adam(*args, beta2=beta2, decoupled=True)


def nadam(w, g, s, t, lr, decay, psi=0.004):
    """Dozat 2016 with its schedule of the momentum."""
    w = w - lr * decay * w
    now, then = (0.9 * (1 - 0.5 * 0.96 ** (psi * k)) for k in (t, t + 1))
    s["mu"] = s.get("mu", 1.0) * now
    m, v = mean(s, "m", g, 0.9), mean(s, "v", g**2, 0.999)
    ahead = then * m / (1 - s["mu"] * then) + (1 - now) * g / (1 - s["mu"])
    return w - lr * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def radam(w, g, s, t, lr, decay, beta2=0.999):
    """Liu et al. 2020, algorithm 2."""
    w = w - lr * decay * w
    m, v = mean(s, "m", g, 0.9), mean(s, "v", g**2, beta2)
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    m = m / (1 - 0.9**t)
    if rho <= 5:
        return w - lr * m
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return w - lr * m * r * np.sqrt(1 - beta2**t) / (np.sqrt(v) + 1e-8)


def lion(w, g, s, t, lr, decay):
    c = 0.9 * s.get("m", 0.0) + 0.1 * g
    mean(s, "m", g, 0.99)
    return w - lr * (np.sign(c) + decay * w)


def muon(w, g, s, t, lr, decay):
    """The hidden matrix W1 alone goes this way; W2 is the last layer."""
    if w.shape != (5, 4):
        return adamw(w, g, s, t, lr, decay)
    s["m"] = 0.95 * s.get("m", 0.0) + g
    x = g + 0.95 * s["m"]
    x = x / (np.sqrt((x**2).sum()) + 1e-7)
    for _ in range(5):
        gram = x.T @ x  # from the other side: the same polynomial of the singular values
        x = x @ (3.4445 * np.eye(4) - 4.7750 * gram + 2.0315 * gram @ gram)
    return w - lr * (0.2 * np.sqrt(5) * x + decay * w)


FORMULAS = {
    "sgd": (momentum, 0.5),
    "momentum": (momentum, 0.5),
    "nesterov": (nesterov, 0.5),
    "adagrad": (adagrad, 0.1),
    "rmsprop": (rmsprop, 0.02),
    "adadelta": (adadelta, 1.0),
    "adam": (adam, 0.05),
    "adamw": (adamw, 0.05),
    "nadam": (nadam, 0.05),
    "radam": (radam, 0.05),
    "lion": (lion, 0.01),
    "muon": (muon, 0.05),
    "rmsprop(alpha=0.9, centered=True)": (lambda *a: rmsprop(*a, alpha=0.9, centred=True), 0.01),
    "adadelta(0.5, 1e-4)": (lambda *a: adadelta(*a, rho=0.5, eps=1e-4), 1.0),
    "adam(amsgrad=True)": (lambda *a: adam(*a, amsgrad=True), 0.05),
    "adam(beta2=0.999)": (lambda *a: adam(*a, beta2=0.999), 0.05),
    "adamw(0.99)": (lambda *a: adamw(*a, beta2=0.99), 0.05),
}


def test_no_rule_is_without_a_formula():
    assert set(BASES) <= set(FORMULAS)
    assert set(OPTIMIZERS) == {*BASES, "lbfgs", "sam", "lookahead"}  # which have their own tests below


@pytest.mark.parametrize("text", FORMULAS)
def test_a_hundred_steps(text):
    update, lr = FORMULAS[text]
    found = ours(lambda net: make_optimizer(text, net, lr, weight_decay=DECAY))
    # Muon's fifteen products a step carry rounding on: 1.007e-10 on one processor, less on others
    assert far(found, by_formula(update, lr)) < (1e-9 if text == "muon" else 1e-10)
    assert far(found[:1], found[-1:]) > 0.1  # it went somewhere


@pytest.mark.parametrize("text", ["adamw", "adamw(0.99)"])
def test_a_hundred_steps_over_one_buffer(text):
    update, lr = FORMULAS[text]
    found = ours(lambda net: make_flat(text, Flat(net), lr, weight_decay=DECAY))
    assert far(found, by_formula(update, lr)) < 1e-10


def test_a_hundred_steps_with_a_rate_per_member():
    found = ours(lambda net: VectorAdam(net.parameters(), lr=0.05, betas=(0.9, ADAM_BETA2)))
    assert far(found, by_formula(adamw, 0.05, decay=0.0)) < 1e-10


@pytest.mark.parametrize("base", ["sgd", "adamw", "lion", "muon"])
def test_sam_takes_the_gradient_uphill(base):
    """``g(w + rho g / |g|)`` with the norm over all parameters (Foret et al. 2021)."""

    def uphill(w):
        g = gradients(w)
        norm = np.sqrt(sum((p**2).sum() for p in g))
        return gradients([p + 0.3 * q / norm for p, q in zip(w, g)])

    update, lr = FORMULAS[base]
    expected = by_formula(update, lr, ask=uphill)
    for text in (f"sam+{base}(0.3)", f"sam(rho=0.3, base='{base}')"):
        assert far(ours(lambda net, text=text: make_optimizer(text, net, lr, DECAY)), expected) < 1e-10
    if base == "sgd":
        assert far(ours(lambda net: make_optimizer("sam(0.3)", net, lr, DECAY)), expected) < 1e-10


@pytest.mark.parametrize("base", ["sgd", "adamw"])
def test_lookahead_goes_back_a_part_of_the_way(base):
    update, lr = FORMULAS[base]
    w, states, places = [s.copy() for s in START], [{} for _ in START], []
    slow = [s.copy() for s in START]
    for t in range(1, STEPS + 1):
        g = gradients(w)
        w = [
            update(p, q, s, t, lr, DECAY if p.ndim > 1 else 0.0) for p, q, s in zip(w, g, states, strict=True)
        ]
        if t % 3 == 0:
            slow = [a + 0.8 * (b - a) for a, b in zip(slow, w)]
            w = [a.copy() for a in slow]
        places.append(w)
    found = ours(lambda net: make_optimizer(f"lookahead+{base}(3, 0.8)", net, lr, DECAY))
    assert far(found, places) < 1e-10


# --- L-BFGS -------------------------------------------------------------------------------------------------


def two_loops(g, pairs):
    """Nocedal and Wright 2006, algorithm 7.4."""
    q, alphas = g.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (y @ s))
        q = q - alphas[-1] * y
    if pairs:
        s, y = pairs[-1]
        q = q * (s @ y) / (y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas)):
        q = q + (alpha - y @ q / (y @ s)) * s
    return -q


def test_lbfgs_without_search_is_the_two_loop_recursion():
    lr, w, pairs, places, before = 0.01, np.concatenate([s.ravel() for s in START]), [], [], None
    cuts = np.cumsum([s.size for s in START])[:-1]

    def split(v):
        return [p.reshape(s.shape) for p, s in zip(np.split(v, cuts), START)]

    for _ in range(STEPS):
        g = np.concatenate([p.ravel() for p in gradients(split(w))])
        if before is not None and before[0] @ (g - before[1]) > 1e-10:
            pairs = [*pairs, (before[0], g - before[1])][-7:]
        step = two_loops(g, pairs) * lr * (min(1.0, 1 / np.abs(g).sum()) if before is None else 1.0)
        before, w = (step, g), w + step
        places.append(split(w))
    found = ours(lambda net: make_optimizer("lbfgs(7, 1, line_search=False)", net, lr))
    assert far(found, places) < 1e-10


def test_lbfgs_ends_where_scipy_ends():
    point = nn.ParameterList([nn.Parameter(torch.tensor([[-1.2, 1.0]], dtype=torch.float64))])
    optimizer = make_optimizer("lbfgs", point, 1.0)

    def valley(x, y):
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def closure():
        optimizer.zero_grad()
        loss = valley(*point[0][0])
        loss.backward()
        return loss

    for _ in range(6):
        optimizer.step(closure)
    theirs = minimize(lambda w: valley(*w), [-1.2, 1.0], method="L-BFGS-B", options={"ftol": 1e-15}).x
    np.testing.assert_allclose(point[0].detach().numpy()[0], theirs, atol=1e-4)
    np.testing.assert_allclose(point[0].detach().numpy()[0], 1.0, atol=1e-4)


# --- weight decay -------------------------------------------------------------------------------------------

DECOUPLED = {"adamw", "nadam", "radam", "lion", "muon"}


@pytest.mark.parametrize("name", BASES)
def test_decay_is_decoupled_or_a_part_of_the_gradient(name):
    """Without a gradient, decoupled decay takes ``lr decay w``, and an adaptive rule is blind to an L2 term's size.

    Either way a bias stays as it is.
    """
    ends = {}
    for decay in (0.1, 0.2):
        net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).double()
        for p in net.parameters():
            nn.init.ones_(p)
            p.grad = torch.zeros_like(p)
        make_optimizer(name, net, 0.01, weight_decay=decay).step()
        assert all((p == 1).all() for p in net.parameters() if p.dim() == 1)
        ends[decay] = 1 - net[0].weight[0, 0].item()
    if name in DECOUPLED | {"sgd", "momentum"}:
        assert ends == pytest.approx({0.1: 0.001, 0.2: 0.002})
    elif name == "nesterov":
        assert ends == pytest.approx({0.1: 0.0019, 0.2: 0.0038})
    else:
        assert ends[0.1] == pytest.approx(ends[0.2], rel=1e-3)
        assert ends[0.1] > 0
