"""Resident batches: each example once an epoch, in an order that is a function of (seed, epoch) alone."""

from itertools import chain

import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.data import batches as module
from ganglion.data.batches import ResidentBatches, batch_sizes, order
from ganglion.objectives.base import Objective, Phase, Step
from ganglion.train.loop import fit


def resident(n=23, size=5, **options):
    x = torch.arange(n, dtype=torch.float32)
    return ResidentBatches({"x": x[:, None] * torch.ones(2), "y": x.long()}, size, **options)


def drawn(batches, *where):
    return [b["y"].tolist() for b in batches.epoch(*where)]


@pytest.mark.parametrize("n", [1, 4, 5, 6, 23])
def test_every_example_once(n):
    batches = resident(n)
    parts = drawn(batches, 0, 0)
    assert len(parts) == len(batches) == -(-n // 5)
    assert sorted(chain(*parts)) == list(range(n))
    assert [len(p) for p in parts[:-1]] == [5] * (len(parts) - 1)
    assert all(torch.equal(b["x"][:, 0].long(), b["y"]) for b in batches.epoch(0, 0))


def test_the_order_depends_on_seed_and_epoch_and_nothing_else():
    batches = resident()
    orders = {where: tuple(chain(*drawn(batches, *where))) for where in [(0, 0), (0, 1), (1, 0), (7, 3)]}
    assert len(set(orders.values())) == 4
    torch.manual_seed(99)
    again = resident()
    for where, known in reversed(orders.items()):
        assert tuple(chain(*drawn(again, *where))) == known
    assert orders[7, 3] == tuple(order(7, 3, 23).tolist())


@pytest.mark.parametrize("start", range(6))
@pytest.mark.parametrize("members", [None, (3, 8)])
def test_a_start_skips_whole_batches(start, members):
    batches = resident(members=members)
    assert drawn(batches, 4, 2, start) == drawn(batches, 4, 2)[start:]


def test_unshuffled_stays_in_order():
    assert drawn(resident(7, 3, shuffle=False), 0, 5) == [[0, 1, 2], [3, 4, 5], [6]]


def test_members_have_their_own_orders():
    seeds = (5, 0, 11)
    together = list(resident(members=seeds).epoch(99, 1))
    for i, seed in enumerate(seeds):
        assert [b["y"][i].tolist() for b in together] == drawn(resident(), seed, 1)
    assert together[0]["x"].shape == (3, 5, 2)
    assert resident(members=seeds).size(together[-1]) == 3
    assert resident().size(next(iter(resident().epoch(0, 0)))) == 5


@pytest.mark.parametrize("members", [None, (3, 8)])
def test_large_data_give_the_same_batches(members, monkeypatch):
    """Above a size the epoch is gathered batch by batch."""
    small = [b["x"] for b in resident(members=members).epoch(0, 0, 1)]
    monkeypatch.setattr(module, "GATHER_ALL_BELOW", 0)
    large = [b["x"] for b in resident(members=members).epoch(0, 0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(small, large, strict=True))


@pytest.mark.parametrize(
    "tensors", [{}, {"x": torch.zeros(0, 2)}, {"x": torch.zeros(3, 2), "y": torch.zeros(4)}]
)
def test_unequal_or_empty_tensors_are_refused(tensors):
    with pytest.raises(DataError):
        ResidentBatches(tensors, 2)


# --- what the loop makes of them ----------------------------------------------------------------------------


class Counting(Objective):
    """Writes down which batches each phase sees."""

    def __init__(self, *phases):
        super().__init__()
        self.phases = phases or (Phase(),)
        self.w, self.seen = torch.nn.Parameter(torch.zeros(1)), []

    @property
    def model(self):
        return self

    def forward(self, batch, phase):
        self.seen.append((phase, batch["y"].tolist()))
        return Step((self.w * batch["x"][:, 0]).square())


def seen(objective, epochs=1, accumulate=1, size=5):
    rules = {p.name: torch.optim.SGD([objective.w], lr=0.1) for p in objective.phases}
    run = fit(objective, resident(20, size), optimizers=rules, epochs=epochs, accumulate=accumulate)
    return run, objective.seen


def test_phases_draw_new_batches_or_take_the_same():
    batches = drawn(resident(20), 0, 0)
    _, told = seen(Counting(Phase("a", repeat=2), Phase("b", batch="same")))
    wanted = [("a", 0), ("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 3)]
    assert told == [(phase, batches[i]) for phase, i in wanted]


def test_an_epoch_that_ends_inside_a_cycle_leaves_the_rest_out():
    run, told = seen(Counting(Phase("a", repeat=3), Phase("b", batch="same")), epochs=2)
    assert [phase for phase, _ in told] == [*"aaab", "a"] * 2
    assert run.step == run.total_steps == 10


def test_micro_batches_stand_inside_a_phase():
    batches = drawn(resident(20), 0, 0)
    run, told = seen(Counting(Phase("a"), Phase("b", batch="same")), accumulate=3)
    wanted = [*(("a", i) for i in range(3)), *(("b", i) for i in range(3)), ("a", 3), ("b", 3)]
    assert told == [(phase, batches[i]) for phase, i in wanted]
    assert run.step == 4


@pytest.mark.parametrize(
    "phases",
    [
        (Phase("a"), Phase("b", batch="same"), Phase("c")),
        (Phase("a", batch="same"), Phase("b")),
        (Phase("a", repeat=3), Phase("b", repeat=2, batch="same"), Phase("c", repeat=2)),
        (Phase("a", batch="same"),),
    ],
)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_planned_steps_are_those_made(phases, accumulate):
    run, _ = seen(Counting(*phases), epochs=3, accumulate=accumulate, size=3)
    assert run.step == run.total_steps


def test_an_epoch_without_batches_is_refused():
    class Empty(ResidentBatches):
        def epoch(self, seed, epoch, start=0):
            return iter(())

    objective = Counting()
    rules = {"train": torch.optim.SGD([objective.w], lr=0.1)}
    with pytest.raises(DataError, match="no batch"):
        fit(objective, Empty({"x": torch.zeros(3, 2)}, 2), optimizers=rules, epochs=1)


@pytest.mark.parametrize("length", [{}, {"epochs": 2, "max_steps": 3}])
def test_one_length_is_expected(length):
    objective = Counting()
    rules = {"train": torch.optim.SGD([objective.w], lr=0.1)}
    with pytest.raises(ParameterError, match="one of them"):
        fit(objective, resident(), optimizers=rules, **length)


def test_a_phase_without_optimiser_is_refused():
    with pytest.raises(ParameterError, match="'train' has no optimiser"):
        fit(Counting(), resident(), optimizers={}, epochs=1)


def test_coupled_examples_cannot_be_accumulated():
    objective = Counting()
    objective.couples_batch = True
    rules = {"train": torch.optim.SGD([objective.w], lr=0.1)}
    with pytest.raises(ParameterError, match="accumulate=1"):
        fit(objective, resident(), optimizers=rules, epochs=1, accumulate=2)


def test_max_steps_ends_inside_an_epoch():
    objective = Counting()
    rules = {"train": torch.optim.SGD([objective.w], lr=0.1)}
    run = fit(objective, resident(), optimizers=rules, max_steps=7)
    assert (run.step, run.stopped, len(run.history)) == (7, "steps", 2)


# --- a last batch that would be too small -------------------------------------------------------------------


@pytest.mark.parametrize("least", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 3, 5, 6, 8, 9, 23])
def test_a_small_last_batch_joins_the_one_before(n, least):
    sizes = batch_sizes(n, 5, least)
    assert sum(sizes) == n
    assert all(size == 5 for size in sizes[:-1])
    rest = n % 5 or min(n, 5)
    assert sizes[-1] == (rest if rest >= least or n < 5 else 5 + rest)


@pytest.mark.parametrize("members", [None, (3, 8)])
@pytest.mark.parametrize("bound", [0, 2**28])
def test_joined_batches_hold_every_example_once_from_any_start(members, bound, monkeypatch):
    monkeypatch.setattr(module, "GATHER_ALL_BELOW", bound)
    batches, apart = (resident(21, 5, least=least, members=members) for least in (2, 1))
    parts = drawn(batches, 0, 0)
    assert len(parts) == len(batches) == 4
    assert batches.size(list(batches.epoch(0, 0))[-1]) == 6
    for start in range(5):
        assert drawn(batches, 0, 0, start) == parts[start:]
    alone = drawn(apart, 0, 0)
    assert parts[:3] == alone[:3]
    if members is None:
        assert parts[3] == alone[3] + alone[4]
