"""Watching layers: gradient, update and activation statistics at a few moments of a run."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion.train.hooks import Hook
from ganglion.train.look import Spread, answering, look, probe_rows

if TYPE_CHECKING:
    from ganglion.train.run import Run

EARLY = (0, 1, 3, 7)  # updates before which steps show their size and have done no harm yet
SHARE = 0.005  # of the steps: what moments beyond those of the epochs 1, 2, 4, 8 ... may cost
CALL = 2.4e6  # multiplications in the time that a layer's calls take in a step
MOMENT_CALLS = 5  # calls of a moment, in those of a step


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
        self.rows: list[dict[str, Any]] = []
        self._epoch = 0  # the last one that was seen to open
        self._before: list[Tensor] | None = None
        self._grads: list[float] = []
        self._spread: dict[str, Spread] = {}
        self._probe: Tensor | None = None
        self._spent = 0.0  # in steps

    def start(self, run: "Run") -> None:
        """Find the layers."""
        self.layers = layers_of(run.objective.model)
        self._matrices = [p for name in self.layers for p in matrices_of(self.layers[name])]

    def backward(self, run: "Run") -> None:
        """At a due moment, keep what the update will change."""
        opens = run.epoch != self._epoch
        if not opens and run.step not in EARLY:
            return
        self._epoch = run.epoch
        if run.step not in EARLY and not self._affords(run):
            return
        self._before = [p.detach().clone() for p in self._matrices]
        self._grads = norms([p.grad if p.grad is not None else p.new_zeros(()) for p in self._matrices])

    def step(self, run: "Run") -> None:
        """Write the rows of a due moment."""
        if self._before is None:
            return
        if self._probe is None:
            self._probe = probe_rows(run)
        seen, spread = self._look(run)
        now, n = [p.detach() for p in self._matrices], len(self._matrices)
        sizes = norms([*self._before, *now, *torch._foreach_sub(self._before, now)])
        old, new, moved, at = sizes[:n], sizes[n : 2 * n], sizes[2 * n :], 0
        called = {name: place for place, name in enumerate(seen)}  # a head may be made before what feeds it
        for made, (name, m) in enumerate(self.layers.items()):
            part = slice(at, at := at + len(matrices_of(m)))
            size = together(old[part])
            row = {
                "step": run.step,
                "epoch": run.epoch + 1,
                "layer": name,
                "kind": type(m).__name__,
                "index": called.get(name, len(called) + made),
                "weight_norm": together(new[part]),
                "grad_norm": together(self._grads[part]),
                "update_ratio": together(moved[part]) / size if size else 0.0,
                **seen.get(name, {}),
            }
            if name in spread and name in self._spread:
                row["input_shift"] = self._spread[name].shift_to(spread[name])
            self.rows.append(row)
        self._before, self._spread = None, spread

    def _look(self, run: "Run") -> tuple[dict[str, dict[str, Any]], dict[str, Spread]]:
        x = self._probe
        if x is None:
            return {}, {}
        with answering(run.objective), run.aside():
            return look(self.layers, lambda: run.objective.model(x))

    def _affords(self, run: "Run") -> bool:
        """Whether an epoch that opens is looked at."""
        if run.epoch & (run.epoch - 1) == 0:
            return True
        cost = self._cost(run)
        if not _due(run.epoch) or self._spent + cost > SHARE * run.step:
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


def norms(values: list[Any]) -> list[float]:
    """Euclidean norms, with one wait for the device."""
    if not values:
        return []
    return torch.stack(torch._foreach_norm([v.detach() for v in values])).tolist()


def together(parts: list[float]) -> float:
    """The norm of several parts from the norms of each."""
    return parts[0] if len(parts) == 1 else sum(p * p for p in parts) ** 0.5


def _due(epoch: int) -> bool:
    """Epochs 0, 1, 2, 3, then the next at least a quarter further."""
    at = 0
    while at < epoch:
        at += max(1, at // 4)
    return at == epoch
