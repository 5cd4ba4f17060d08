"""Streaming: the same batches as from memory, and nothing left behind."""

import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.optim import SGD

from ganglion.base.errors import DataError
from ganglion.data import streamed
from ganglion.data.batches import ResidentBatches
from ganglion.data.images import Images, read_images
from ganglion.data.pictures import PictureBatches
from ganglion.data.streamed import AHEAD, StreamedImages, batches_of_images
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """Forty-one pictures whose value is their number."""
    paths = [str(tmp_path / f"{i}.png") for i in range(41)]
    for i, path in enumerate(paths):
        Image.new("L", (3, 2), i).save(path)
    return read_images(paths)


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ganglion-decode")]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("size", "least"), [(8, 1), (8, 2), (41, 1), (100, 1), (1, 1), (2, 2)])
def test_the_same_batches_as_from_memory(images: Images, size: int, least: int, shuffle: bool) -> None:
    y = {"y": torch.arange(41), "weight": torch.rand(41)}
    resident = batches_of_images(images, y, size, least=least, shuffle=shuffle)
    streaming = batches_of_images(images, y, size, least=least, shuffle=shuffle, memory=0)
    assert isinstance(resident, ResidentBatches)
    assert isinstance(streaming, StreamedImages)
    assert len(resident) == len(streaming)
    for epoch in (0, 1):
        ours, theirs = list(streaming.epoch(3, epoch)), list(resident.epoch(3, epoch))
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert list(a) == list(b)
            assert all(torch.equal(a[k], b[k]) for k in a)
            assert streaming.size(a) == len(b["y"])
            assert (a["x"][:, 0, 0, 0] == a["y"]).all()
    assert not threads()


def test_an_epoch_goes_on_where_it_was_left(images: Images) -> None:
    batches = StreamedImages(images, {}, 5)
    whole = [b["x"] for b in batches.epoch(0, 7)]
    for start in (0, 1, 8, 9):
        rest = [b["x"] for b in batches.epoch(0, 7, start)]
        assert len(rest) == 9 - start
        assert all(map(torch.equal, rest, whole[start:]))
    assert not torch.equal(whole[0], next(iter(batches.epoch(0, 8)))["x"])
    assert not torch.equal(whole[0], next(iter(batches.epoch(1, 7)))["x"])
    assert batches.state_dict() == {}
    batches.load_state_dict({})
    batches.feedback(None)


def test_arrays_can_be_streamed_too() -> None:
    X = np.random.default_rng(0).random((20, 4, 5, 3))
    batches = StreamedImages(read_images(X, size=(2, 3)), {}, 6)
    assert torch.equal(
        torch.cat([b["x"] for b in batches.epoch(0, 0)]),
        torch.cat(
            [b["x"] for b in ResidentBatches({"x": read_images(X, size=(2, 3)).tensor()}, 6).epoch(0, 0)]
        ),
    )


def test_nothing_is_left_when_an_epoch_is_left_early(images: Images) -> None:
    before = list(warnings.filters)
    batches = StreamedImages(images, {}, 4)
    for _ in batches.epoch(0, 0):
        break
    assert not threads()
    with pytest.raises(KeyboardInterrupt):
        for _ in batches.epoch(0, 0):
            raise KeyboardInterrupt
    assert not threads()
    stream = batches.epoch(0, 0)
    next(stream)
    assert threads()
    stream.close()
    assert not threads()
    never_begun = batches.epoch(0, 0)
    del never_begun
    assert not threads()
    assert warnings.filters == before


def test_a_broken_body_is_named_where_its_batch_is_due(images: Images) -> None:
    content = Path(images.names[25]).read_bytes()
    Path(images.names[25]).write_bytes(content[:45])
    seen = []
    with pytest.raises(DataError, match=r"25\.png' is broken or cut off"):
        for batch in StreamedImages(images, {}, 4, shuffle=False).epoch(0, 0):
            seen.append(batch["x"][0, 0, 0, 0].item())
    assert seen == [0, 4, 8, 12, 16, 20]
    Path(images.names[25]).unlink()
    with pytest.raises(DataError, match=r"25\.png' does not exist"):
        list(StreamedImages(images, {}, 4).epoch(0, 0))
    assert not threads()


def test_decoding_runs_ahead_but_not_away(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    fill = Images.fill

    def counted(self: Images, out: torch.Tensor, rows: np.ndarray) -> None:
        begun.append(len(rows))
        fill(self, out, rows)

    monkeypatch.setattr(Images, "fill", counted)
    stream = StreamedImages(images, {}, 2, shuffle=False).epoch(0, 0)
    next(stream)
    time.sleep(0.05)
    assert sum(begun) == 2 * (1 + AHEAD)
    next(stream)
    time.sleep(0.05)
    assert sum(begun) == 2 * (2 + AHEAD)
    stream.close()


def test_waiting_hides_behind_the_step(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding that takes as long as a step on each of two threads costs one step and not one per batch."""
    monkeypatch.setattr(streamed, "cores", lambda: 2)
    fill = Images.fill

    def slow(self: Images, out: torch.Tensor, rows: np.ndarray) -> None:
        time.sleep(0.02)
        fill(self, out, rows)

    monkeypatch.setattr(Images, "fill", slow)
    waited = []
    stream = StreamedImages(images, {}, 4).epoch(0, 0)
    for _ in range(10):
        clock = time.perf_counter()
        next(stream)
        waited.append(time.perf_counter() - clock)
        time.sleep(0.04)
    assert sum(waited[1:]) < 0.5 * 10 * 0.02


def test_lengths_must_agree(images: Images) -> None:
    with pytest.raises(DataError, match="one length"):
        StreamedImages(images, {"y": torch.zeros(40)}, 4)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, None])
def test_no_thread_outlives_a_run(images: Images, stop: type[BaseException] | None) -> None:
    """Whether a run is interrupted or ends by its number of steps in the middle of an epoch."""

    class Stop(Hook):
        def step(self, run: Any) -> None:
            if stop and run.step == 3:
                raise stop

    net = nn.Sequential(nn.Flatten(), Unit(), nn.Linear(6, 2))
    batches = PictureBatches(StreamedImages(images, {"y": torch.arange(41) % 2}, 4))
    optimizer = SGD(net.parameters(), lr=0.1)
    objective = Supervised(net, loss_named("cross_entropy"))
    run = fit(objective, batches, optimizers={"train": optimizer}, max_steps=5, hooks=(Stop(),))
    assert run.stopped == ("interrupt" if stop else "steps")
    assert not threads()


class Unit(nn.Module):
    """8-bit numbers as floats."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 255
