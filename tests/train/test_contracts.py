"""The loop's contracts, proven on objectives that are as different as the field has them."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from ganglion.data.batches import ResidentBatches
from ganglion.models.stacked import StackedMLP
from ganglion.objectives.base import Objective, Phase, Step
from ganglion.optim.schedules import cosine
from ganglion.optim.vector import VectorAdam
from ganglion.train.clip import Clip
from ganglion.train.loop import fit


def mlp(*sizes, activation=nn.Tanh):
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


class Regression(Objective):
    def __init__(self, net):
        super().__init__()
        self.net = net

    @property
    def model(self):
        return self.net

    def forward(self, batch, phase):
        out = self.net(batch["x"])
        return Step((out - batch["y"]).square().mean(-1), out)


# --- adversarial: five critic steps to one, weight clipping in after_update ---------------------------------


class WassersteinToy(Objective):
    phases = (Phase("critic", repeat=5), Phase("generator", batch="same"))

    def __init__(self):
        super().__init__()
        self.generator, self.critic = mlp(2, 32, 2, activation=nn.ReLU), mlp(2, 32, 1, activation=nn.ReLU)
        self.trail = []

    @property
    def model(self):
        return self.generator

    def parameters_of(self, phase):
        return getattr(self, phase).parameters()

    def forward(self, batch, phase):
        self.trail.append(phase)
        fake = self.generator(torch.randn_like(batch["x"]))
        if phase == "generator":
            return Step(-self.critic(fake).squeeze(-1), fake)
        return Step((self.critic(fake.detach()) - self.critic(batch["x"])).squeeze(-1))

    def after_update(self, phase, lr):
        if phase == "critic":
            with torch.no_grad():
                for p in self.critic.parameters():
                    p.clamp_(-0.1, 0.1)


def test_wgan_runs_five_critic_steps_to_one_and_moves_towards_the_data():
    torch.manual_seed(0)
    objective = WassersteinToy()
    data = torch.randn(600, 2) * 0.3 + torch.tensor([2.0, -1.0])
    optimizers = {
        k: torch.optim.RMSprop(objective.parameters_of(k), lr=2e-3) for k in ("critic", "generator")
    }
    run = fit(objective, ResidentBatches({"x": data}, 60), optimizers=optimizers, epochs=150)
    assert objective.trail[:6] == ["critic"] * 5 + ["generator"]
    assert objective.trail.count("critic") == 5 * objective.trail.count("generator")
    assert all(p.abs().max() <= 0.1 + 1e-7 for p in objective.critic.parameters())
    centre = objective.generator(torch.randn(2000, 2)).mean(0)
    assert torch.allclose(centre, data.mean(0), atol=0.5), centre
    assert {"loss_critic", "loss_generator"} <= set(run.history[-1])


# --- reinforcement: rollout batches, target network ---------------------------------------------------------


class Corridor:
    """Seven cells in a row; stepping right from the last pays 1, every step costs nothing, left end is a wall."""

    n = 7

    def reset(self):
        self.at = 0
        return self.at

    def step(self, action):
        self.at = max(0, self.at + (1 if action else -1))
        done = self.at == self.n
        return min(self.at, self.n - 1), float(done), done


class Rollout:
    """Experience made while training: acts with the objective's network, replays at random."""

    def __init__(self, objective, steps, size=32):
        self.objective, self.steps, self.batch_size = objective, steps, size
        self.env, self.memory, self.errors = Corridor(), [], []

    def __len__(self):
        return self.steps

    def size(self, batch):
        return len(batch["s"])

    def epoch(self, seed, epoch, start=0):
        rng = np.random.default_rng([seed, epoch])
        state = self.env.reset()
        for _ in range(start, self.steps):
            for _ in range(4):
                with torch.no_grad():
                    values = self.objective.online(torch.eye(Corridor.n)[state])
                action = int(rng.integers(2)) if rng.random() < 0.3 else int(values.argmax())
                after, reward, done = self.env.step(action)
                self.memory.append((state, action, reward, after, float(done)))
                state = self.env.reset() if done else after
            rows = [self.memory[i] for i in rng.integers(len(self.memory), size=self.batch_size)]
            s, a, r, t, d = (torch.tensor(c) for c in zip(*rows))
            yield {"s": s, "a": a, "r": r, "t": t, "d": d}

    def feedback(self, step):
        self.errors.append(float(step.parts["error"].mean()))

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class DQNToy(Objective):
    gamma = 0.9

    def __init__(self):
        super().__init__()
        self.online = mlp(Corridor.n, 32, 2)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.updates = 0

    @property
    def model(self):
        return self.online

    def parameters_of(self, phase):
        return self.online.parameters()

    def forward(self, batch, phase):
        one_hot = torch.eye(Corridor.n)
        value = self.online(one_hot[batch["s"]]).gather(1, batch["a"][:, None]).squeeze(1)
        with torch.no_grad():
            ahead = self.target(one_hot[batch["t"]]).amax(1)
        error = value - (batch["r"] + self.gamma * (1 - batch["d"]) * ahead)
        return Step(
            nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none"),
            value,
            {"error": error.detach().abs()},
        )

    def after_update(self, phase, lr):
        self.updates += 1
        if self.updates % 20 == 0:
            self.target.load_state_dict(self.online.state_dict())


def test_dqn_learns_the_values_of_a_corridor():
    torch.manual_seed(0)
    objective = DQNToy()
    batches = Rollout(objective, steps=400)
    fit(
        objective,
        batches,
        optimizers={"train": torch.optim.Adam(objective.online.parameters(), lr=5e-3)},
        epochs=4,
    )
    values = objective.online(torch.eye(Corridor.n))
    assert (values.argmax(1) == 1).all()
    exact = [0.9 ** (Corridor.n - 1 - s) for s in range(Corridor.n)]
    assert np.allclose(values.amax(1).tolist(), exact, atol=0.1)
    assert len(batches.errors) == 1600  # the step spoke back to the replay memory


# --- meta-learning: an example is a task --------------------------------------------------------------------


class MAMLToy(Objective):
    def __init__(self):
        super().__init__()
        self.net = mlp(1, 40, 40, 1)

    @property
    def model(self):
        return self.net

    def task_loss(self, params, x, y):
        return (functional_call(self.net, params, (x,)) - y).square().mean()

    def adapt(self, params, x, y):
        slopes = grad(self.task_loss)(params, x, y)
        return {k: p - 0.05 * slopes[k] for k, p in params.items()}

    def forward(self, batch, phase):
        params = dict(self.net.named_parameters())

        def one(x, y, xq, yq):
            return self.task_loss(self.adapt(params, x, y), xq, yq)

        return Step(vmap(one)(batch["x"], batch["y"], batch["xq"], batch["yq"]))


def sinusoids(n, seed):
    g = torch.Generator().manual_seed(seed)
    amplitude, phase = (
        torch.rand(n, 1, 1, generator=g) * 4.9 + 0.1,
        torch.rand(n, 1, 1, generator=g) * math.pi,
    )
    x, xq = (torch.rand(n, 10, 1, generator=g) * 10 - 5 for _ in range(2))
    return {"x": x, "y": amplitude * (x - phase).sin(), "xq": xq, "yq": amplitude * (xq - phase).sin()}


def test_maml_adapts_to_a_new_sinusoid_in_one_step():
    torch.manual_seed(0)
    objective, test = MAMLToy(), sinusoids(200, 1)
    fit(
        objective,
        ResidentBatches(sinusoids(5000, 0), 25),
        optimizers={"train": torch.optim.Adam(objective.parameters(), lr=2e-3)},
        epochs=8,
    )
    params = dict(objective.net.named_parameters())
    with torch.no_grad():
        before = vmap(lambda x, y: objective.task_loss(params, x, y))(test["xq"], test["yq"]).mean()
    after = objective(test, "train").loss.mean()
    assert after < 0.65 * before, (before, after)


# --- an optimiser that asks several times a step ------------------------------------------------------------


def test_lbfgs_reaches_the_least_squares_solution():
    torch.manual_seed(0)
    x = torch.randn(100, 3, dtype=torch.float64)
    y = (
        x @ torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64)
        + 0.1 * torch.randn(100, 1, dtype=torch.float64)
        + 3
    )
    objective = Regression(nn.Linear(3, 1).double())
    optimizer = torch.optim.LBFGS(
        objective.parameters(), line_search_fn="strong_wolfe", tolerance_change=1e-14
    )
    fit(objective, ResidentBatches({"x": x, "y": y}, 100), optimizers={"train": optimizer}, epochs=3)
    exact = np.linalg.lstsq(np.c_[x.numpy(), np.ones(100)], y.numpy(), rcond=None)[0].ravel()
    got = torch.cat([objective.net.weight.ravel(), objective.net.bias]).detach().numpy()
    assert np.abs(got - exact).max() < 1e-6


# --- eight networks as one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [Clip(), Clip(norm=0.5)])
def test_eight_seeds_with_eight_rates_as_one_module_equal_eight_runs(clip):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(96, 5, generator=g, dtype=torch.float64)
    y = x[:, :2].prod(1, keepdim=True).sin()
    seeds, rates = tuple(range(8)), torch.logspace(-4, -1.5, 8, dtype=torch.float64)
    alone, settings = [], {"epochs": 5, "schedule": cosine(), "clip": clip}
    for seed, lr in zip(seeds, rates.tolist()):
        torch.manual_seed(seed)
        objective = Regression(mlp(5, 16, 16, 1).double())
        optimizer = torch.optim.AdamW(objective.parameters(), lr=lr, weight_decay=0.01)
        start = copy.deepcopy(objective.net)
        fit(objective, Single(x, y, 32, seed), **settings, optimizers={"train": optimizer})
        alone.append((start, objective.net))
    stacked = Regression(StackedMLP.of([start for start, _ in alone]))
    stacked.members = 8
    optimizer = VectorAdam(stacked.parameters(), lr=rates, weight_decay=0.01)
    fit(
        stacked,
        ResidentBatches({"x": x, "y": y}, 32, members=seeds),
        **settings,
        optimizers={"train": optimizer},
    )
    for i, (_, net) in enumerate(alone):
        for a, b in zip(net.parameters(), stacked.net.member(i).parameters()):
            assert (a - b).abs().max() < 1e-6
            assert a.shape == b.shape


class Single(ResidentBatches):
    """One member's order, without the member axis."""

    def __init__(self, x, y, size, seed):
        super().__init__({"x": x, "y": y}, size)
        self.member = seed

    def epoch(self, seed, epoch, start=0):
        return super().epoch(self.member, epoch, start)


# --- accumulation -------------------------------------------------------------------------------------------


def test_accumulated_micro_batches_equal_the_large_batch():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(50, 4, generator=g).double(), torch.randn(50, 1, generator=g).double()
    weights = []
    for size, accumulate in ((16, 1), (4, 4)):
        torch.manual_seed(0)
        objective = Regression(mlp(4, 8, 1).double())
        optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
        run = fit(
            objective,
            ResidentBatches({"x": x, "y": y}, size),
            optimizers={"train": optimizer},
            epochs=3,
            accumulate=accumulate,
        )
        weights.append(torch.cat([p.detach().ravel() for p in objective.parameters()]))
        assert run.step == 12
    assert (weights[0] - weights[1]).abs().max() < 1e-12


def test_gradients_of_one_phase_never_reach_the_other_when_accumulating():
    data = torch.randn(60, 2, generator=torch.Generator().manual_seed(3))
    ends = []
    for size, accumulate in ((12, 1), (4, 3)):
        torch.manual_seed(0)
        objective = WassersteinToy()
        noise = torch.randn(5, 2)
        objective.generator.forward = lambda z, g=objective.generator, at=noise[0]: nn.Sequential.forward(
            g, z * 0 + at
        )
        optimizers = {
            k: torch.optim.SGD(objective.parameters_of(k), lr=0.05) for k in ("critic", "generator")
        }
        fit(
            objective,
            ResidentBatches({"x": data}, size),
            optimizers=optimizers,
            epochs=4,
            accumulate=accumulate,
        )
        ends.append(torch.cat([p.detach().ravel() for p in objective.parameters()]))
    assert (ends[0] - ends[1]).abs().max() < 1e-6
