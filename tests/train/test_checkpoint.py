"""Checkpoints: what they refuse, that a full disk never costs the one before, and what they leave behind."""

import errno
import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base import files
from ganglion.base.errors import GanglionError, ModelFileError
from ganglion.base.files import TEMPORARY
from ganglion.data.batches import ResidentBatches
from ganglion.data.split import stratified_split
from ganglion.estimators.mlp import MLPClassifier
from ganglion.models.mlp import MLP
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import SupervisedByHand
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.train import checkpoint
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.loop import fit


@pytest.fixture
def stop_at(StopAt):
    """A run in a folder that is stopped at a step."""

    def stop(at, folder):
        with pytest.raises(StopAt.signal):
            tiny(folder, hooks=(StopAt(at),))

    return stop


def tiny(folder=None, epochs=4, hooks=(), **options):
    """A small run; the weights it ends with."""
    torch.manual_seed(3)
    net = MLP(3, (), (8, 8), 2, dropout=0.2, init="he")
    flat = Flat(net)
    objective = SupervisedByHand(net, loss_named("cross_entropy"), flat=flat)
    g = torch.Generator().manual_seed(0)
    x = torch.randn(52, 3, generator=g)
    torch.manual_seed(5)
    return fit(
        objective,
        ResidentBatches({"x": x, "y": (x.prod(1) > 0).long()}, 8),
        optimizers={"train": FlatAdamW(flat, lr=1e-2)},
        epochs=epochs,
        checkpoint=None if folder is None else Checkpoint(folder, **{"resume": True, **options}),
        hooks=hooks,
    )


def bits(run):
    return b"".join(p.detach().numpy().tobytes() for p in run.objective.state_dict().values())


def test_without_resume_a_run_starts_anew_and_takes_the_folder_over(tmp_path):
    tiny(tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    anew = tiny(tmp_path, epochs=1, resume=False)
    assert anew.epoch == 1
    assert anew.resumed is None
    assert (tmp_path / checkpoint.NAME).read_bytes() != before


def test_saves_wait_for_their_time(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr(Checkpoint, "save", lambda *_: saves.append(1))
    for every, count in ((1e9, 1), (0, 4)):
        tiny(tmp_path, every=every)
        assert len(saves) == count, every
        saves.clear()


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
    tiny(tmp_path, epochs=1, plan={"threads": 1, "precision": "float32"})
    again = tiny(tmp_path, epochs=2, plan={"threads": 2, "precision": "float32"})
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
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    tiny(tmp_path)
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(ModelFileError, match="newer") as error:
        tiny(tmp_path)
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
def test_a_full_disk_leaves_the_previous_checkpoint(moment, tmp_path, monkeypatch, stop_at):
    alone = tiny()
    stop_at(9, tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, moment, full)
        with pytest.raises(GanglionError, match="no space left") as error:
            tiny(tmp_path)
    one_sentence(error)
    assert (tmp_path / checkpoint.NAME).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint.NAME]
    assert bits(tiny(tmp_path)) == bits(alone)


@pytest.mark.usefixtures("always")
def test_a_file_that_may_not_grow_leaves_the_previous_checkpoint(tmp_path, stop_at):
    """The system itself refuses the bytes: a limit on the size of files stands in for a full disk."""
    stop_at(9, tmp_path)
    before = (tmp_path / checkpoint.NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = None
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        tiny(tmp_path)
    except GanglionError as error:
        said = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said is not None
    assert "could not be written" in said
    assert (tmp_path / checkpoint.NAME).read_bytes() == before


def test_leftovers_of_the_dead_are_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = files._temporary_name(checkpoint.NAME)
    left = tmp_path / own.replace(str(os.getpid()), str(dead.pid))
    left.write_bytes(b"half")
    tiny(tmp_path)
    assert not [p for p in tmp_path.iterdir() if TEMPORARY.fullmatch(p.name)]
