"""Watching layers: gradient, update and activation statistics at a few moments of a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion.train.hooks import Hook
from ganglion.train.look import Sight, answering, dense_pass, look, look_by_hand, numbers, probe_rows, ratio

if TYPE_CHECKING:
    from ganglion.train.run import Run

EARLY = (0, 1, 3, 7)  # updates before which steps show their size and have done no harm yet
SHARE = 0.005  # of the steps: what moments beyond those of the epochs 1, 2, 4, 8 ... may cost
CALL = 2.4e6  # multiplications in the time that a layer's calls take in a step
MOMENT_CALLS = 5  # calls of a moment, in those of a step


@dataclass
class Moment:
    """What a due moment found; the norms of all matrices one after the other, each a tensor of one number."""

    step: int
    epoch: int
    grads: list[Tensor]
    before: list[Tensor]
    after: list[Tensor]
    moved: list[Tensor]
    seen: dict[str, Sight]


class LayerWatch(Hook):
    """Writes a row per layer with weights at a few of the first steps and at the start of ever rarer epochs.

    The first step alone would not do: a last layer that starts at zero lets no gradient through. After the
    epochs 1, 2, 4, 8 ... a moment is taken only where its cost, estimated from shapes and never from a clock,
    is below a share of the steps so far.

    A row has ``step, epoch, layer, kind, index, weight_norm, grad_norm, update_ratio`` (norms over all of a
    layer's matrices), and over up to 256 training rows in evaluation mode, always the same, ``input_mean,
    input_std, input_shift`` and, where an activation follows, ``activation, mean, std, dead, saturated``; see
    ``base.record``. ``rows`` holds them.
    """

    def __init__(self) -> None:
        self._epoch = 0  # the last one that was seen to open
        self._before: list[Tensor] | None = None
        self._grads: list[Tensor] = []
        self._moments: list[Moment] = []
        self._probe: Tensor | None = None
        self._spent = 0.0  # in steps

    def start(self, run: "Run") -> None:
        """Find the layers."""
        self.layers = layers_of(run.objective.model)
        self._matrices: list[nn.Parameter] = []
        self._parts: dict[str, slice] = {}
        for name, layer in self.layers.items():
            own = matrices_of(layer)
            self._parts[name] = slice(len(self._matrices), len(self._matrices) + len(own))
            self._matrices += own
        self._by_hand = dense_pass(run.objective)

    def rests(self, run: "Run") -> bool:
        """In most epochs after the first ones."""
        return run.step > EARLY[-1] and not _due(run.epoch)

    def backward(self, run: "Run") -> None:
        """At a due moment, keep what the update will change."""
        if run.epoch == self._epoch and (run.step > EARLY[-1] or run.step not in EARLY):
            return
        self._epoch = run.epoch
        if run.step not in EARLY and not self._affords(run):
            return
        self._before = [p.detach().clone() for p in self._matrices]
        grads = [p.new_zeros(()) if p.grad is None else p.grad.detach() for p in self._matrices]
        self._grads = norms(grads)

    def step(self, run: "Run") -> None:
        """Look at a due moment."""
        if self._before is None:
            return
        if self._probe is None:
            self._probe = probe_rows(run)
        before, now, n = self._before, [p.detach() for p in self._matrices], len(self._matrices)
        sizes = norms([*before, *now, *torch._foreach_sub(before, now)])
        parts = sizes[:n], sizes[n : 2 * n], sizes[2 * n :]
        self._moments.append(Moment(run.step, run.epoch + 1, self._grads, *parts, self._look(run)))
        self._before = None

    def _look(self, run: "Run") -> dict[str, Sight]:
        x = self._probe
        if x is None:
            return {}
        if self._by_hand is not None:
            inputs, dense = self._by_hand
            return look_by_hand(self.layers, dense, inputs(x))
        with answering(run.objective), run.aside():
            return look(self.layers, lambda: run.objective.model(x))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per moment and layer so far."""
        rows: list[dict[str, Any]] = []
        earlier: dict[str, Sight] = {}
        for moment in self._moments:
            seen = moment.seen
            called = {name: i for i, name in enumerate(seen)}  # a head may be made before what feeds it
            for made, (name, m) in enumerate(self.layers.items()):
                part = self._parts[name]
                rows.append(
                    {
                        "step": moment.step,
                        "epoch": moment.epoch,
                        "layer": name,
                        "kind": type(m).__name__,
                        "index": called.get(name, len(called) + made),
                        "weight_norm": together(moment.after[part]),
                        "grad_norm": together(moment.grads[part]),
                        "update_ratio": ratio(together(moment.moved[part]), together(moment.before[part])),
                        **(seen[name].row(earlier.get(name)) if name in seen else {}),
                    }
                )
            earlier = seen
        return numbers(rows)

    def _affords(self, run: "Run") -> bool:
        """Whether an epoch that opens is looked at."""
        if not _due(run.epoch):
            return False
        if _doubles(run.epoch):
            return True
        cost = self._cost(run)
        if self._spent + cost > SHARE * run.step:
            return False
        self._spent += cost
        return True

    def _cost(self, run: "Run") -> float:
        """What a moment costs, in steps of this run."""
        weights, calls = sum(p.numel() for p in self._matrices), CALL * len(self.layers)
        rows = 0 if self._probe is None else len(self._probe)
        step = calls + 3.0 * run.size * weights
        return (MOMENT_CALLS * calls + (rows + 20.0) * weights) / step


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that hold a matrix of their own, by name, in the order in which they were made."""
    return {
        name or "model": m
        for name, m in model.named_modules()
        if "parametrizations" not in name.split(".") and matrices_of(m)
    }


def matrices_of(module: nn.Module) -> list[nn.Parameter]:
    """A module's own parameters with two or more dimensions, whatever it calls them; reparametrised ones too."""
    own = list(module.parameters(recurse=False))
    if hasattr(module, "parametrizations"):
        own += module.parametrizations.parameters()  # type: ignore[union-attr, operator, arg-type]
    return [p for p in own if p.dim() > 1]


def norms(values: list[Tensor]) -> list[Tensor]:
    """Euclidean norms, each a tensor of one number."""
    return list(torch._foreach_norm(values)) if values else []


def together(parts: list[Tensor]) -> Tensor:
    """The norm of several parts from the norms of each."""
    return parts[0] if len(parts) == 1 else torch.stack(parts).norm()


def _doubles(epoch: int) -> bool:
    """0 and the powers of two."""
    return epoch & (epoch - 1) == 0


def _due(epoch: int) -> bool:
    """Those, and between them epochs at least a quarter further than the last: 0, 1, 2 ... 8, 10, 12, 15, 16, 18."""
    at = 0
    while at < epoch:
        at += max(1, at // 4)
    return at == epoch or _doubles(epoch)
