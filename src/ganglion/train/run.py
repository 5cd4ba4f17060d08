"""A run: where training stands, what it has seen, and the weights it would keep."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganglion.base.errors import ParameterError
from ganglion.base.record import watched
from ganglion.objectives.base import Objective, Phase
from ganglion.optim.average import Average
from ganglion.train.clip import Clip


@dataclass
class Keep:
    """Which weights are kept: those of the best row of the history, and when to stop waiting for a better.

    ``base.record.watched`` says how good a row is; ``patience`` is the number of epochs without a better row
    after which training ends (``None``: never).
    """

    patience: int | None = None
    best: float = math.inf
    best_epoch: int | None = None
    since: int = 0
    weights: dict[str, Tensor] | None = None

    def look(self, row: dict[str, Any], model: torch.nn.Module) -> bool:
        """Take in a row; return whether patience is over."""
        value = watched(row)
        if value < self.best:
            self.best, self.best_epoch, self.since = value, row["epoch"], 0
            self._copy(model)
        else:
            self.since += 1
        return self.patience is not None and self.since >= self.patience

    def _copy(self, model: torch.nn.Module) -> None:
        state = model.state_dict()
        if self.weights is None:
            self.weights = {k: v.detach().clone() for k, v in state.items()}
        else:
            for k, v in state.items():
                self.weights[k].copy_(v)

    def restore(self, model: torch.nn.Module) -> None:
        """Put the best weights back, if there are any."""
        if self.weights is not None:
            model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {k: getattr(self, k) for k in ("best", "best_epoch", "since", "weights")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to what a checkpoint held."""
        for k, v in state.items():
            setattr(self, k, v)


@dataclass
class Run:
    """The state of one training run, as hooks see it and checkpoints keep it."""

    objective: Objective
    batches: Any
    optimizers: dict[str, Any]
    epochs: int | None
    total_steps: int
    seed: int = 0
    keep: Keep | None = None
    time_limit: float | None = None
    average: Average | None = None
    epoch: int = 0  # finished epochs
    step: int = 0  # finished updates
    drawn: int = 0  # batches drawn in this epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None
    non_finite: dict[str, Any] | None = None
    resumed: str | None = None
    spent: float = 0.0  # seconds before the last resume
    totals: dict[str, Any] = field(default_factory=dict)  # of the epoch under way
    batch: Any = None  # the last one, for hooks
    phase: str = "train"
    size: int = 0  # examples of the last update
    lr: float = 0.0
    loss: Any = 0.0  # sum over the last step's examples
    grad_norm: Any = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Training time so far, earlier parts of a resumed run included."""
        return self.spent + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """How far the run is, from 0 to 1: in steps, or in time where time is shorter."""
        done = self.step / self.total_steps if self.total_steps else 0.0
        if self.time_limit:
            done = max(done, self.seconds / self.time_limit)
        return min(done, 1.0)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A forked random stream for a hook's own work, on the run's devices."""
        with torch.random.fork_rng(devices=cuda_devices(self.objective)):
            yield

    def state_dict(self) -> dict[str, Any]:
        """All that decides the run's future."""
        names = ("epoch", "step", "drawn", "history", "totals", "stopped")
        return {
            **{k: getattr(self, k) for k in names},
            "spent": self.seconds,
            "objective": self.objective.state_dict(),
            "optimizers": {k: o.state_dict()["state"] for k, o in self.optimizers.items()},
            "batches": self.batches.state_dict(),
            "keep": None if self.keep is None else self.keep.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "rng": torch.get_rng_state(),
            "rng_cuda": [torch.cuda.get_rng_state(d) for d in cuda_devices(self.objective)],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where a ``state_dict`` left off."""
        for k in ("epoch", "step", "drawn", "history", "totals", "stopped", "spent"):
            setattr(self, k, state[k])
        self.objective.load_state_dict(state["objective"])
        for k, o in self.optimizers.items():
            o.load_state_dict(
                {"state": state["optimizers"][k], "param_groups": o.state_dict()["param_groups"]}
            )
        self.batches.load_state_dict(state["batches"])
        if self.keep is not None and state["keep"] is not None:
            self.keep.load_state_dict(state["keep"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["rng"])
        for device, rng in zip(cuda_devices(self.objective), state["rng_cuda"]):
            torch.cuda.set_rng_state(rng, device)


def cuda_devices(module: torch.nn.Module) -> list[torch.device]:
    """The CUDA devices on which a module's parameters live."""
    return sorted({p.device for p in module.parameters() if p.device.type == "cuda"}, key=str)


def planned_steps(batches: Any, phases: tuple[Phase, ...], accumulate: int, epochs: int | None) -> int:
    """How many updates ``epochs`` epochs make; 0 where the batches have no length."""
    if epochs is None or not hasattr(batches, "__len__"):
        return 0
    cycle = [p.batch == "new" for p in phases for _ in range(p.repeat)]
    cycle[0] = True  # the first update of a cycle draws in any case
    draws = [at for at, new in enumerate(cycle) if new]
    cycles, rest = divmod(-(-len(batches) // accumulate), len(draws))
    return epochs * (cycles * len(cycle) + draws[rest])  # up to the draw that finds nothing left


def check_run(
    objective: Objective,
    optimizers: dict[str, Any],
    epochs: Any,
    steps: Any,
    accumulate: int,
    clip: Clip,
) -> None:
    """Refuse what cannot be trained, with the reason."""
    if (epochs is None) == (steps is None):
        raise ParameterError(f"give epochs or max_steps, one of them; got {epochs} and {steps}.")
    missing = [p.name for p in objective.phases if p.name not in optimizers]
    if missing:
        raise ParameterError(
            f"phase {missing[0]!r} has no optimiser; give optimizers={{{missing[0]!r}: ...}}."
        )
    searching = any(isinstance(o, torch.optim.LBFGS) for o in optimizers.values())
    if searching and clip != Clip():
        raise ParameterError(
            "L-BFGS measures its steps by the true gradient, so it cannot be clipped; leave clip_norm, clip_value, "
            "clip_adaptive and scale_norm at None, or take another optimiser."
        )
    own = set(objective.parameters())
    if clip.adaptive is not None and any(
        p not in own for f in objective.phases for p in objective.parameters_of(f.name)
    ):
        raise ParameterError(
            "adaptive clipping compares gradients with weights layer by layer, and this objective keeps all "
            "layers in one buffer; take an objective without one."
        )
    if accumulate > 1 and objective.couples_batch:
        raise ParameterError(
            "accumulate > 1 needs losses that do not depend on the other examples of a batch, and this "
            "objective couples them (batch normalisation or a contrastive loss); use accumulate=1."
        )
