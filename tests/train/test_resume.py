"""Runs that are stopped and continued end in the bits of a run that was left alone."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import GanglionError, ModelFileError
from ganglion.base.files import TEMPORARY
from ganglion.data.batches import ResidentBatches
from ganglion.data.split import stratified_split
from ganglion.estimators.mlp import MLPClassifier
from ganglion.models.mlp import MLP
from ganglion.objectives.base import Objective, Phase, Step
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.optimizers import OPTIMIZERS, make_optimizer
from ganglion.optim.schedules import Plateau, cosine
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


class Stopped(Exception):
    """Nothing went wrong."""


class StopAt(Hook):
    def __init__(self, at):
        self.at = at

    def step(self, run):
        if run.step == self.at:
            raise Stopped


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


def with_batch_norm():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    return Supervised(net, loss_named("cross_entropy")), {"train": make_optimizer("adam", net, 1e-2)}


def two_phases():
    torch.manual_seed(3)
    objective = TwoPhases()
    rule = torch.optim.RMSprop
    return objective, {p.name: rule(objective.parameters_of(p.name), lr=1e-2) for p in objective.phases}


CASES = {
    "by hand": (by_hand, {"schedule": cosine, "clip": Clip(norm=0.5)}),
    "by hand, double": (lambda: by_hand(torch.float64), {"dtype": torch.float64}),
    "accumulated": (by_hand, {"accumulate": 3}),
    "batch norm": (with_batch_norm, {}),
    "two phases": (two_phases, {}),
    "plateau": (by_hand, {"schedule": Plateau(factor=0.3, wait=1), "lossy": True}),
    "early stop": (by_hand, {"keep": 2, "lossy": True, "epochs": 30}),
    "bf16": (lambda: by_autograd("adamw"), {"precision": "bf16"}),
    "steps": (by_hand, {"epochs": None, "max_steps": 31}),
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


@pytest.fixture
def always(monkeypatch):
    """A checkpoint after every step."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 1e-9)


def stop_at(at, make, settings, folder):
    with pytest.raises(Stopped):
        run(make, settings, folder, (StopAt(at),))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("case", CASES)
def test_stopped_inside_epochs_and_continued(case, tmp_path):
    make, settings = CASES[case]
    alone = run(make, settings)
    for at in (2, 3, 7, 11, 16):
        if at < alone.step:
            stop_at(at, make, settings, tmp_path)
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
def test_a_finished_run_has_nothing_more_to_do(case, tmp_path):
    make, settings = CASES[case]
    alone = run(make, settings, tmp_path)
    again = run(make, settings, tmp_path, (StopAt(alone.step + 1), StopAt(1)))
    assert bits(again) == bits(alone)
    assert again.step == alone.step
    assert course(again) == course(alone)


def test_without_resume_a_run_starts_anew_and_takes_the_folder_over(tmp_path):
    make, settings = CASES["by hand"]
    run(make, settings, tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    objective, optimizers = make()
    batches = ResidentBatches(data(), 8)
    anew = fit(objective, batches, optimizers=optimizers, epochs=1, checkpoint=Checkpoint(tmp_path))
    assert anew.epoch == 1
    assert anew.resumed is None
    assert (tmp_path / checkpoint.NAME).read_bytes() != before


def test_saves_wait_for_their_time(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr(Checkpoint, "save", lambda *_: saves.append(1))
    for every, count in ((1e9, 1), (0, 4)):
        objective, optimizers = by_hand()
        place = Checkpoint(tmp_path, every=every)
        fit(objective, ResidentBatches(data(), 8), optimizers=optimizers, epochs=4, checkpoint=place)
        assert len(saves) == count, every
        saves.clear()


def test_plateau_belongs_to_one_history():
    """Two runs that share the schedule of a name do not see each other's cuts."""
    schedule = Plateau(factor=0.5, wait=1)
    stuck, falling = [{"loss": 1.0}] * 3, [{"loss": 1.0 / (i + 1)} for i in range(3)]
    assert schedule(0.5, stuck) == 0.25
    assert schedule(0.5, falling) == 1.0


# --- what a checkpoint refuses ------------------------------------------------------------------------------


def table(n=150):
    X = np.random.default_rng(1).normal(size=(n, 4))
    return X, (X[:, 0] > X[:, 1]).astype(int)


def held_out(y):
    """A row of the validation part."""
    return stratified_split(y, 0.1, 0)[1][0]


def classifier(folder, **settings):
    shape = {"hidden_layer_sizes": (8,), "max_epochs": 3, "batch_size": 16}
    return MLPClassifier(**{**shape, "checkpoint": str(folder), "resume": True, **settings})


def one_sentence(error):
    text = str(error.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 300
    return text


def test_another_plan_is_said(tmp_path):
    objective, optimizers = by_hand()
    first = Checkpoint(tmp_path, plan={"threads": 1, "precision": "float32"})
    fit(objective, ResidentBatches(data(), 8), optimizers=optimizers, epochs=1, checkpoint=first)
    objective, optimizers = by_hand()
    other = Checkpoint(tmp_path, plan={"threads": 2, "precision": "float32"}, resume=True)
    again = fit(objective, ResidentBatches(data(), 8), optimizers=optimizers, epochs=2, checkpoint=other)
    assert again.resumed == "on another plan: threads"
    assert again.epoch == 2


def test_the_record_says_that_a_run_was_resumed(tmp_path):
    X, y = table()
    assert "resumed" not in classifier(tmp_path).fit(X, y).record_.plan
    assert classifier(tmp_path).fit(X, y).record_.plan["resumed"] == "on the same plan"


@pytest.mark.parametrize(
    "other",
    [
        {"lr": 1.7e-3},
        {"max_epochs": 4},
        {"random_state": 1},
        {"dropout": 0.5},
        {"class_weight": {np.int64(0): 1.0, np.int64(1): 2.0}},
        {"hidden_layer_sizes": (9,)},
    ],
)
def test_other_settings_are_refused(other, tmp_path):
    X, y = table()
    classifier(tmp_path).fit(X, y)
    with pytest.raises(ModelFileError, match="other data or settings") as error:
        classifier(tmp_path, **other).fit(X, y)
    one_sentence(error)


@pytest.mark.parametrize("what", ["value", "held-out value", "label", "row", "weight"])
def test_other_data_are_refused(what, tmp_path):
    X, y = table()
    classifier(tmp_path).fit(X, y)
    weight = np.ones(len(y))
    if what == "value":
        X[0, 2] += 1e-3
    elif what == "held-out value":
        X[held_out(y), 2] += 1e-3
    elif what == "label":
        y = 1 - y
    elif what == "row":
        X, y, weight = X[1:], y[1:], weight[1:]
    else:
        weight[::2] = 2.0
    with pytest.raises(ModelFileError, match="other data or settings") as error:
        classifier(tmp_path).fit(X, y, sample_weight=weight)
    one_sentence(error)


def test_what_changes_no_number_is_no_other_run(tmp_path, capsys):
    X, y = table()
    first = classifier(tmp_path).fit(X, y)
    again = classifier(tmp_path, verbose=1, time_limit=1e6, device="cpu").fit(X, y)
    assert again.record_.plan["resumed"]
    assert (again.predict_proba(X) == first.predict_proba(X)).all()


def test_another_module_is_refused(tmp_path):
    X, y = table()
    classifier(tmp_path, module=nn.Linear(4, 2)).fit(X, y)
    with pytest.raises(ModelFileError, match=r"network|settings") as error:
        classifier(tmp_path, module=nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))).fit(X, y)
    one_sentence(error)


def test_resume_needs_a_folder():
    with pytest.raises(GanglionError, match="checkpoint"):
        MLPClassifier(resume=True).fit(*table())


def test_a_folder_that_cannot_be_had_is_refused_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(FlatAdamW, "step", lambda self: pytest.fail("trained"))
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ModelFileError, match="folder") as error:
            classifier(folder).fit(*table())
        one_sentence(error)


def test_every_damage_is_seen(tmp_path):
    X, y = table()
    classifier(tmp_path).fit(X, y)
    path = tmp_path / checkpoint.NAME
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"", whole[:7], whole[:40], whole[: len(whole) // 2], whole[:-1], whole + b"x", b"\0" * 100]
    for at in [0, 33, 60, 200, *rng.integers(len(whole), size=40)]:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="damaged") as error:
            classifier(tmp_path).fit(X, y)
        one_sentence(error)
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelFileError, match="cannot be read") as error:
        classifier(tmp_path).fit(X, y)
    one_sentence(error)


def test_a_newer_format_is_refused(tmp_path, monkeypatch):
    make, settings = CASES["by hand"]
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    run(make, settings, tmp_path)
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(ModelFileError, match="newer") as error:
        run(make, settings, tmp_path)
    one_sentence(error)


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(ModelFileError, match="got object"):
        checkpoint.pack({"x": object()}, {})


def test_pack_and_unpack_are_inverse():
    value = {"a": [1, 2.5, None, True, float("inf")], 3: (torch.arange(3), "text"), "e": {}, "l": []}
    tensors = {}
    text = json.dumps(checkpoint.pack(value, tensors))
    back = checkpoint.unpack(json.loads(text), tensors)
    assert torch.equal(back[3][0], value[3][0])
    assert back["a"] == value["a"]
    assert back[3][1] == "text"
    assert back["e"] == {}
    assert list(back) == list(value)


# --- full disks ---------------------------------------------------------------------------------------------


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_full_disk_leaves_the_previous_checkpoint(moment, tmp_path, monkeypatch):
    make, settings = CASES["by hand"]
    alone = run(make, settings)
    stop_at(9, make, settings, tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, moment, full)
        with pytest.raises(GanglionError, match="no space left") as error:
            run(make, settings, tmp_path)
    one_sentence(error)
    assert (tmp_path / checkpoint.NAME).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint.NAME]
    assert bits(run(make, settings, tmp_path)) == bits(alone)


@pytest.mark.usefixtures("always")
def test_a_file_that_may_not_grow_leaves_the_previous_checkpoint(tmp_path):
    """The system itself refuses the bytes: a limit on the size of files stands in for a full disk."""
    make, settings = CASES["by hand"]
    stop_at(9, make, settings, tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = None
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        run(make, settings, tmp_path)
    except GanglionError as error:
        said = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said is not None
    assert "could not be written" in said
    assert (tmp_path / checkpoint.NAME).read_bytes() == before


def test_leftovers_of_the_dead_are_swept(tmp_path):
    make, settings = CASES["by hand"]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    from ganglion.base import files

    own = files._temporary_name(checkpoint.NAME)
    left = tmp_path / own.replace(str(os.getpid()), str(dead.pid))
    left.write_bytes(b"half")
    run(make, settings, tmp_path)
    assert not [p for p in tmp_path.iterdir() if TEMPORARY.fullmatch(p.name)]


# --- Ctrl-C -------------------------------------------------------------------------------------------------


@pytest.fixture
def interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_ends_cleanly_with_the_best_weights():
    X, y = table(400)
    model = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=10**6, early_stopping=False, batch_size=16)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert model.record_.stopped == "interrupt"
    best = min(model.history_, key=lambda row: row["val_loss"])
    assert model.best_epoch_ == best["epoch"]
    assert model.record_.scores["validation"]["loss"] == pytest.approx(best["val_loss"], abs=1e-5)
    assert model.score(X, y) > 0.8


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("call", [1, 3])
def test_an_interrupt_while_validating(call, monkeypatch):
    """Also in the first epoch, before there is any row of the history."""
    calls, score = [], MLPClassifier._score

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return score(self, *args)

    monkeypatch.setattr(MLPClassifier, "_score", interrupted)
    X, y = table(200)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=9).fit(X, y)
    assert len(model.history_) == call - 1
    assert not model.module_.training
    assert model.predict(X).shape == y.shape
    assert model.summary()


@pytest.mark.usefixtures("interrupts", "always")
def test_an_interrupted_run_can_be_resumed(tmp_path):
    make, settings = CASES["by hand"]

    class Press(Hook):
        def step(self, run):
            if run.step == 11:
                signal.raise_signal(signal.SIGINT)

    pressed = run(make, settings, tmp_path, (Press(),))
    assert pressed.stopped == "interrupt"
    again = run(make, settings, tmp_path)
    assert bits(again) == bits(run(make, settings))
