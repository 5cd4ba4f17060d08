"""Runs that are stopped and continued end in the bits of a run that was left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ganglion.data.batches import ResidentBatches
from ganglion.models.mlp import MLP
from ganglion.objectives.base import Objective, Phase, Step
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.optim.average import ema, swa
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.optimizers import OPTIMIZERS, make_optimizer
from ganglion.optim.schedules import cool_down, cosine, plateau
from ganglion.train import checkpoint
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.clip import Clip
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.run import Keep

# --- killed processes ---------------------------------------------------------------------------------------


def killed(kills, seed, optimizer):
    script = Path(__file__).with_name("killing.py")
    command = [sys.executable, str(script), str(kills), str(seed), optimizer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_killed(told, kills):
    assert told["kills"] == kills
    assert set(told["ends"]) == {told["expected"]}
    assert told["inside"] == kills // 2
    assert told["torn"] > 0  # some died with half a file written
    assert told["resumed"] >= kills // 2  # and most had a checkpoint to go on from
    assert told["leftovers"] == 0  # swept


def test_ten_kills_end_in_the_same_bits():
    check_killed(killed(10, 7, "adamw"), 10)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_hundred_kills_end_in_the_same_bits(optimizer):
    check_killed(killed(100, 11, optimizer), 100)


# --- the loop, stopped at a step ----------------------------------------------------------------------------


class TwoPhases(Objective):
    phases = (Phase("critic", repeat=2), Phase("generator", batch="same"))

    def __init__(self):
        super().__init__()
        self.generator, self.critic = nn.Linear(3, 3), nn.Linear(3, 1)

    @property
    def model(self):
        return self.generator

    def parameters_of(self, phase):
        return getattr(self, phase).parameters()

    def forward(self, batch, phase):
        fake = self.generator(torch.randn_like(batch["x"]))
        if phase == "generator":
            return Step(-self.critic(fake).squeeze(-1), fake)
        return Step((self.critic(fake.detach()) - self.critic(batch["x"])).squeeze(-1).tanh())


def data(n=52, dtype=torch.float32):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, generator=g, dtype=dtype)
    return {"x": x, "y": (x.prod(1) > 0).long(), "weight": torch.rand(n, generator=g, dtype=dtype) + 0.5}


def network(dtype=torch.float32, **options):
    torch.manual_seed(3)
    return MLP(3, (), (8, 8), 2, dropout=0.2, init="he", **options).to(dtype)


def by_hand(dtype=torch.float32):
    net = network(dtype)
    flat = Flat(net)
    objective = SupervisedByHand(net, loss_named("cross_entropy"), l1=1e-4, flat=flat)
    return objective, {"train": FlatAdamW(flat, lr=1e-2, weight_decay=0.1)}


def by_autograd(name):
    net = network()
    decay = 0.0 if name == "lbfgs" else 0.01
    objective = Supervised(net, loss_named("cross_entropy"))
    return objective, {"train": make_optimizer(name, net, 1e-2, decay)}


def with_batch_norm(name="adam"):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    return Supervised(net, loss_named("cross_entropy")), {"train": make_optimizer(name, net, 1e-2)}


def two_phases():
    torch.manual_seed(3)
    objective = TwoPhases()
    rule = torch.optim.RMSprop
    return objective, {p.name: rule(objective.parameters_of(p.name), lr=1e-2) for p in objective.phases}


CASES = {
    "by hand": (by_hand, {"schedule": cosine(), "clip": Clip(norm=0.5)}),
    "by hand, double": (lambda: by_hand(torch.float64), {"dtype": torch.float64}),
    "accumulated": (by_hand, {"accumulate": 3}),
    "batch norm": (with_batch_norm, {}),
    "two phases": (two_phases, {}),
    "plateau": (by_hand, {"schedule": plateau(factor=0.3, wait=1), "lossy": True}),
    "cool down": (by_hand, {"schedule": cool_down(wait=1, fall=3), "lossy": True}),
    "early stop": (by_hand, {"keep": 2, "lossy": True, "epochs": 30}),
    "bf16": (lambda: by_autograd("adamw"), {"precision": "bf16"}),
    "steps": (by_hand, {"epochs": None, "max_steps": 31}),
    "ema, by hand": (by_hand, {"average": ema(0.9), "keep": 99, "lossy": True}),
    "ema, batch norm": (with_batch_norm, {"average": ema(0.9)}),
    "swa": (by_hand, {"average": swa(0.3)}),
    "sam, batch norm": (lambda: with_batch_norm("sam+adamw"), {"clip": Clip(scale=1.0)}),
    "adaptive clipping": (lambda: by_autograd("lion"), {"clip": Clip(adaptive=0.01)}),
    **{f"autograd, {name}": (lambda name=name: by_autograd(name), {}) for name in OPTIMIZERS},
}


def run(make, settings, folder=None, hooks=()):
    """A run from scratch, or from what stands in the folder."""
    objective, optimizers = make()
    options = {"epochs": 4, **settings}
    tensors = data(dtype=options.pop("dtype", torch.float32))
    keep, lossy = options.pop("keep", None), options.pop("lossy", False)
    torch.manual_seed(5)

    def validate():
        with torch.no_grad():  # a course that falls and rises
            norm = torch.cat([p.ravel() for p in objective.model.parameters()]).norm()
            return {"val_loss": float((40 * norm).sin())}

    return fit(
        objective,
        ResidentBatches(tensors, 8),
        optimizers=optimizers,
        validate=validate if lossy else None,
        keep=None if keep is None else Keep(patience=keep),
        checkpoint=None if folder is None else Checkpoint(folder, resume=True),
        hooks=hooks,
        **options,
    )


def bits(run):
    return b"".join(p.detach().numpy().tobytes() for p in run.objective.state_dict().values())


def course(run):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("case", CASES)
def test_stopped_inside_epochs_and_continued(case, tmp_path, StopAt):
    make, settings = CASES[case]
    alone = run(make, settings)
    for at in (2, 3, 7, 11, 16):
        if at < alone.step:
            with pytest.raises(StopAt.signal):
                run(make, settings, tmp_path, (StopAt(at),))
    state = checkpoint.read(tmp_path / checkpoint.NAME)[0]["state"]
    assert ["drawn", 0] not in state["dict"]
    again = run(make, settings, tmp_path)
    assert again.resumed == "on the same plan"
    assert bits(again) == bits(alone)
    assert course(again) == course(alone)
    assert again.stopped == alone.stopped == {"early stop": "early", "steps": "steps"}.get(case, "epochs")


def test_the_cases_do_what_they_are_named_after():
    early = run(*CASES["early stop"])
    assert 2 < early.epoch < 30
    assert early.keep.best_epoch == early.epoch - 2
    rates = [row["lr"] for row in run(*CASES["plateau"]).history]
    assert rates[-1] < rates[0]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("case", ["by hand", "early stop", "steps"])
def test_a_finished_run_has_nothing_more_to_do(case, tmp_path, StopAt):
    make, settings = CASES[case]
    alone = run(make, settings, tmp_path)
    again = run(make, settings, tmp_path, (StopAt(alone.step + 1), StopAt(1)))
    assert bits(again) == bits(alone)
    assert again.step == alone.step
    assert course(again) == course(alone)


def test_plateau_belongs_to_one_history():
    """Two runs that share the schedule of a name do not see each other's cuts."""
    schedule = plateau(factor=0.5, wait=1)
    stuck, falling = [{"loss": 1.0}] * 3, [{"loss": 1.0 / (i + 1)} for i in range(3)]
    assert schedule(0.5, stuck) == 0.25
    assert schedule(0.5, falling) == 1.0


@pytest.mark.usefixtures("always")
def test_an_interrupted_run_can_be_resumed(tmp_path):
    make, settings = CASES["by hand"]

    class Press(Hook):
        def step(self, run):
            if run.step == 11:
                raise KeyboardInterrupt

    pressed = run(make, settings, tmp_path, (Press(),))
    assert pressed.stopped == "interrupt"
    again = run(make, settings, tmp_path)
    assert bits(again) == bits(run(make, settings))
