"""Watching layers: gradient, update and activation statistics at a few moments of a run."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion.train.hooks import Hook

if TYPE_CHECKING:
    from ganglion.train.run import Run

PROBE_ROWS = 256
EARLY = (0, 1, 3, 7)  # updates before which steps show their size and have done no harm yet
# activation -> (lowest, highest) value, for those that have one; a unit resting on 0 for all rows is dead
BOUNDS: dict[type[nn.Module], tuple[float | None, float | None]] = {
    nn.ReLU: (None, None),
    nn.Tanh: (-1.0, 1.0),
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
}
ACTIVATIONS = (
    *BOUNDS, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.PReLU, nn.ReLU6
)  # fmt: skip


class LayerWatch(Hook):
    """Writes a row per layer with weights at a few of the first steps and at the start of ever rarer epochs.

    The first step alone would not do: a last layer that starts at zero lets no gradient through.

    A row has ``step, epoch, layer, kind, index, weight_norm, grad_norm, update_ratio`` and, where an
    activation follows, ``activation, mean, std, dead, saturated`` over up to 256 training rows (of the
    batch, where the rows are not at hand) in evaluation mode. ``rows`` holds them.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._seen: set[int] = set()
        self._before: dict[str, Tensor] | None = None
        self._norms: dict[str, float] = {}

    def start(self, run: "Run") -> None:
        """Find the layers."""
        self.layers = {
            name: m
            for name, m in run.objective.model.named_modules()
            if isinstance(getattr(m, "weight", None), Tensor) and m.weight.dim() > 1  # type: ignore[union-attr, operator]
        }

    def backward(self, run: "Run") -> None:
        """At a due moment, keep what the update will change."""
        opens = run.epoch > 0 and run.epoch not in self._seen and _due(run.epoch)
        if not opens and run.step not in EARLY:
            return
        self._seen.add(run.epoch)
        self._before = {k: m.weight.detach().clone() for k, m in self.layers.items()}  # type: ignore[operator, union-attr]
        self._norms = {
            k: float(m.weight.grad.norm()) if m.weight.grad is not None else 0.0  # type: ignore[union-attr, operator, arg-type]
            for k, m in self.layers.items()
        }

    def step(self, run: "Run") -> None:
        """Write the rows of a due moment."""
        if self._before is None:
            return
        units = activation_statistics(run)
        for index, (name, m) in enumerate(self.layers.items()):
            weight, old = m.weight.detach(), self._before[name]  # type: ignore[union-attr, operator]
            size = float(old.norm())
            self.rows.append(
                {
                    "step": run.step,
                    "epoch": run.epoch + 1,
                    "layer": name,
                    "kind": type(m).__name__,
                    "index": index,
                    "weight_norm": float(weight.norm()),
                    "grad_norm": self._norms[name],
                    "update_ratio": float((weight - old).norm()) / size if size else 0.0,
                    **units.get(name, {}),
                }
            )
        self._before = None


def _due(epoch: int) -> bool:
    """Epochs 0, 1, 2, 3, then the next at least a quarter further."""
    at = 0
    while at < epoch:
        at += max(1, at // 4)
    return at == epoch


def probe_rows(run: "Run") -> Tensor | None:
    """Up to ``PROBE_ROWS`` rows from all over the training part: in a batch of 8 half of the units look dead."""
    members = getattr(run.objective, "members", None)
    resident = getattr(run.batches, "tensors", None)
    if isinstance(resident, dict) and isinstance(resident.get("x"), Tensor) and not members:
        x = resident["x"]
        return x[:: max(1, len(x) // PROBE_ROWS)][:PROBE_ROWS]
    x = run.batch.get("x") if isinstance(run.batch, dict) else None
    if not isinstance(x, Tensor):
        return None
    return x[:, :PROBE_ROWS] if members else x[:PROBE_ROWS]


@torch.no_grad()
def activation_statistics(run: "Run") -> dict[str, dict[str, Any]]:
    """Per layer with weights, what its activation gives for some training rows, in evaluation mode."""
    model, x = run.objective.model, probe_rows(run)
    if x is None:
        return {}
    calls: list[tuple[str, nn.Module, Tensor]] = []

    def note(name: str) -> Any:
        def hook(module: nn.Module, _inputs: Any, out: Any) -> None:
            if isinstance(out, Tensor):
                calls.append((name, module, out))

        return hook

    handles = [m.register_forward_hook(note(k)) for k, m in model.named_modules() if not list(m.children())]
    was_training = model.training
    try:
        model.eval()
        with run.aside():
            model(x)
    except Exception:  # a model of the user's own that cannot be probed is not watched
        return {}
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    rows, layer = {}, None
    for name, module, out in calls:
        if isinstance(module, ACTIVATIONS) and layer is not None:
            rows[layer] = _unit_row(module, out)
        elif isinstance(getattr(module, "weight", None), Tensor) and module.weight.dim() > 1:  # type: ignore[operator, union-attr]
            layer = name
    return rows


def _unit_row(module: nn.Module, out: Tensor) -> dict[str, Any]:
    values = out.float()
    low, high = BOUNDS.get(type(module), (None, None))
    units = (
        values.reshape(-1, values.shape[-1])
        if values.dim() == 2
        else values.transpose(1, -1).reshape(-1, values.shape[1])
    )
    near = torch.zeros((), device=out.device)
    for bound in (low, high):
        if bound is not None:
            near = near + ((values - bound).abs() < 0.01 * (high - low)).float().mean()  # type: ignore[operator]
    resting = (units == 0).all(0).float().mean() if isinstance(module, nn.ReLU) else torch.zeros(())
    return {
        "activation": type(module).__name__,
        "mean": float(values.mean()),
        "std": float(values.std(correction=0)),
        "dead": float(resting),
        "saturated": float(near),
    }
