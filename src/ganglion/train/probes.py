"""Costly looks at a run, rarely: curvature, the loss along a step, how a step moves what layers see."""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ganglion.optim.curvature import hessian_product, lanczos, start_vector
from ganglion.train.hooks import Hook
from ganglion.train.look import Spread, answering, look
from ganglion.train.loop import mean_rate
from ganglion.train.watch import CALL, layers_of

if TYPE_CHECKING:
    from ganglion.train.run import Run

FIRST = 16  # the update before which a reading is taken in any case
SHARE = 0.06  # of the steps: what further readings may cost
ROWS = (64, 256)  # examples of a reading: the batch size within these bounds
PRODUCTS = 10  # of the Hessian with a vector, for a reading of curvature
LINE = (-1.0, 0.0, 0.5, 1.0, 2.0, 4.0)  # where the loss is taken, in steps: 0 is before it, 1 after it
MOST_LAYERS = 6  # whose gradient change is read
CALLS = 2.8  # of a pass by autograd, in those of a step

Weights = dict[str, Tensor]


class Probes(Hook):
    """Reads curvature, the loss along the step, and the shift that a step makes for later layers.

    All on up to 256 training rows, always the same, without dropout; batch normalisation uses the rows' own
    statistics, as in training, and keeps its running ones. A reading is taken after update 16,
    where an epoch opens and the estimated cost is below a share of the steps so far, and of curvature once
    more at the kept weights. Estimates come from shapes, never from a clock, so a run has the same rows
    every time; runs of less than about 800 steps pay more than that share.

    ``rows`` holds, each with ``step``, ``epoch`` and ``kind``:

    * ``"curvature"``: ``top`` and ``bottom``, the extreme Ritz values of the Hessian after 10 steps of
      Lanczos; ``condition``, the largest absolute Ritz value over the median one; ``lr_top`` = lr * top, which
      plain gradient descent keeps below 2 (Cohen et al. 2021, arXiv:2103.00065).
    * ``"line"``: ``loss`` at the points ``at`` of the line through the step, 0 before it and 1 after it.
    * ``"shift"``: for the layers ``index``, how far means and standard deviations of its inputs moved in this
      one step (``mean_shift``, ``spread_shift``, in standard deviations), and the measure of internal
      covariate shift of Santurkar et al. (2018, arXiv:1805.11604): G is the layer's gradient before the step,
      G' the same after the layers before it have moved; ``gradient_change`` = |G' - G| / |G| and ``cosine``
      between them.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._epoch = 0
        self._spent = 0.0  # in steps
        self._before: Weights | None = None
        self._batch: dict[str, Any] | None = None

    def start(self, run: "Run") -> None:
        """Find the layers; a run of several phases or networks has no one loss to probe."""
        self._on = len(run.objective.phases) == 1 and not getattr(run.objective, "members", None)
        self.layers = layers_of(run.objective.model)

    def backward(self, run: "Run") -> None:
        """At a due moment, keep the weights that the update will change."""
        opens = run.epoch != self._epoch
        if not self._on or (not opens and run.step != FIRST):
            return
        self._epoch = run.epoch
        self._batch = self._batch or fixed_rows(run)
        if self._batch is None or (run.step != FIRST and self._spent + self._cost(run) > SHARE * run.step):
            return
        self._spent += self._cost(run)
        self._before = weights_of(run)

    def step(self, run: "Run") -> None:
        """Take a due reading."""
        if self._before is None or self._batch is None:
            return
        old, self._before = self._before, None
        with probing(run):
            for read in (curvature, line, self._shift):
                self._read(run, read, old)

    def end(self, run: "Run") -> None:
        """Read the curvature at the kept weights."""
        if self._on and self._batch is not None and run.stopped != "non_finite":
            with probing(run):
                self._read(run, curvature, {})

    def _read(self, run: "Run", read: Any, old: Weights) -> None:
        try:
            found = read(run, self._batch, old)
        except RuntimeError:  # layers without a second derivative, models that take more than x
            return
        self.rows.append({"step": run.step, "epoch": max(1, run.epoch + (run.stopped is None)), **found})

    def _shift(self, run: "Run", batch: dict[str, Any], old: Weights) -> dict[str, Any]:
        return shift(run, batch, old, self.layers)

    def _cost(self, run: "Run") -> float:
        """What a reading costs, in steps of this run."""
        weights, calls = sum(p.numel() for p in run.objective.parameters()), CALL * max(len(self.layers), 1)
        passes = 3 * (PRODUCTS + 1) + len(LINE) / 3 + min(len(self.layers), MOST_LAYERS) + 1
        rows = 0 if self._batch is None else size_of(self._batch)
        step = calls + 3.0 * run.size * weights
        return passes * (CALLS / 2 * calls + 3.0 * rows * weights) / step


def fixed_rows(run: "Run") -> dict[str, Any] | None:
    """Some rows of the training part as a batch, or of the present batch where the rows are not at hand."""
    resident = getattr(run.batches, "tensors", None)
    whole = resident if isinstance(resident, dict) else run.batch
    if not isinstance(whole, dict) or not isinstance(whole.get("x"), Tensor) or len(whole["x"]) < 2:
        return None
    n = len(whole["x"])
    most = min(max(run.size, ROWS[0]), ROWS[1], n)
    each = n // most
    return {
        k: v[::each][:most].clone() if isinstance(v, Tensor) and v.dim() and len(v) == n else v
        for k, v in whole.items()
    }


def size_of(batch: dict[str, Any]) -> int:
    """The examples of a batch."""
    return len(batch["x"])


def weights_of(run: "Run") -> Weights:
    """Copies of the objective's parameters, by name."""
    return {k: p.detach().clone() for k, p in run.objective.named_parameters()}


@contextmanager
def probing(run: "Run") -> Iterator[None]:
    """Inside the block dropout is off and batch normalisation as in training; random numbers are forked."""
    ended = run.stopped is not None  # then everything answers
    norms = [m for m in run.objective.modules() if isinstance(m, _BatchNorm) and (m.training or ended)]
    with answering(run.objective), run.aside():
        for m in norms:
            m.training = True
        try:
            yield
        finally:
            for m in norms:
                m.training = False  # and ``answering`` gives back the mode


def loss_at(run: "Run", batch: dict[str, Any], weights: Weights) -> Tensor:
    """The mean loss of a batch at other weights; running statistics are copies."""
    buffers = {k: b.clone() for k, b in run.objective.named_buffers()}
    losses = functional_call(run.objective, {**weights, **buffers}, (batch, run.phase)).loss
    return (losses * batch["weight"]).mean() if batch.get("weight") is not None else losses.mean()


def learned(weights: Weights, run: "Run") -> Weights:
    """Leaves with the values of ``weights`` for all parameters that are trained."""
    wanted = {k for k, p in run.objective.named_parameters() if p.requires_grad}
    return {k: v.detach().requires_grad_(k in wanted) for k, v in weights.items()}


def curvature(run: "Run", batch: dict[str, Any], _old: Weights) -> dict[str, Any]:
    """Extreme eigenvalues of the Hessian at the present weights."""
    leaves = learned(dict(run.objective.named_parameters()), run)
    trained = [v for v in leaves.values() if v.requires_grad]
    product = hessian_product(lambda: loss_at(run, batch, leaves), trained)
    values = lanczos(
        product, start_vector(trained[0], sum(v.numel() for v in trained)), PRODUCTS
    ).values.tolist()
    sizes = [abs(v) for v in values]
    middle = median(sizes)
    return {
        "kind": "curvature",
        "top": values[-1],
        "bottom": values[0],
        "condition": max(sizes) / middle if middle > 0 else None,
        "lr_top": mean_rate(run.lr) * values[-1],
    }


@torch.no_grad()
def line(run: "Run", batch: dict[str, Any], old: Weights) -> dict[str, Any]:
    """The loss on the line through the weights before and after the step."""
    new = dict(run.objective.named_parameters())
    losses = [float(loss_at(run, batch, {k: torch.lerp(old[k], new[k], a) for k in old})) for a in LINE]
    return {"kind": "line", "at": list(LINE), "loss": losses}


def shift(run: "Run", batch: dict[str, Any], old: Weights, layers: dict[str, nn.Module]) -> dict[str, Any]:
    """What one step of the layers before it changes for a layer: its inputs and its gradient."""
    new = weights_of(run)
    seen = [look(layers, lambda w=w: loss_at(run, batch, w)) for w in (old, new)]  # type: ignore[misc]
    spreads = [{name: sight.enters for name, sight in found.items()} for found in seen]
    names = {id(p): k for k, p in run.objective.named_parameters()}
    order = list(names.values())
    leaves = learned(old, run)
    every = max(1, -(-(len(layers) - 1) // MOST_LAYERS))
    found: dict[str, list[Any]] = {
        k: [] for k in ("index", "gradient_change", "cosine", "mean_shift", "spread_shift")
    }
    chosen = [(i, name) for i, name in enumerate(layers) if i % every == 0 and i > 0]
    for index, name in chosen:
        own = [names[id(p)] for p in layers[name].parameters(recurse=False) if p.requires_grad]
        if not own:
            continue
        ahead = set(order[: min(order.index(k) for k in own)])
        g = gradient(run, batch, leaves, own)
        moved = {k: new[k] if k in ahead else v for k, v in leaves.items()}
        h = gradient(run, batch, moved, own)
        size = float(g.norm())
        found["index"].append(index)
        found["gradient_change"].append(float((h - g).norm()) / size if size else None)
        found["cosine"].append(float(nn.functional.cosine_similarity(g, h, dim=0)) if size else None)
        for key, move in (("mean_shift", Spread.shift_to), ("spread_shift", Spread.spread_to)):
            before, after = (spread.get(name) for spread in spreads)
            found[key].append(float(move(before, after)) if before and after else None)
    return {"kind": "shift", **found}


def gradient(run: "Run", batch: dict[str, Any], weights: Weights, names: list[str]) -> Tensor:
    """The gradient of the loss in the named parameters, as one vector."""
    parts = torch.autograd.grad(
        loss_at(run, batch, weights), [weights[k] for k in names], materialize_grads=True, allow_unused=True
    )
    return torch.cat([p.reshape(-1) for p in parts])
