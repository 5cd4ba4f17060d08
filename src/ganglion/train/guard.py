"""The guard: a step whose loss or gradient is not finite is not applied, and is named."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.objectives.base import Batch, Objective

READ_EVERY = 50  # steps between looks at the device's flag, where a look would wait for the device


class Guard:
    """Decides whether an update may be applied.

    On the CPU a look costs a microsecond, so each step is judged at once. On an accelerator the verdict
    stays there: a sticky flag makes the optimiser leave weights and moments as they are, and is read every
    ``READ_EVERY`` steps, so no step waits.
    """

    def __init__(self, device: torch.device, waits: bool | None = None) -> None:
        self.now = device.type == "cpu" if waits is None else not waits
        self.flag = None if self.now else torch.zeros((), device=device)
        self.since = 0
        self.first_bad: Tensor | None = None if self.now else torch.full((), -1.0, device=device)

    def judge(self, loss: Any, norm: Any, step: int) -> bool:
        """Whether the step is good; where the answer stays on the device: True until a bad one is read."""
        if self.now:
            return math.isfinite(loss) and math.isfinite(norm)
        bad = ~(torch.isfinite(loss) & torch.isfinite(norm))
        self.first_bad.copy_(torch.where(bad & (self.flag == 0), step, self.first_bad))  # type: ignore[union-attr]
        self.flag.copy_(torch.maximum(self.flag, bad.to(self.flag.dtype)))  # type: ignore[union-attr]
        self.since += 1
        return True

    def read(self, *, force: bool = False) -> int | None:
        """The number of the first bad step, if a look is due and there was one."""
        if self.now or not (force or self.since >= READ_EVERY):
            return None
        self.since = 0
        return int(self.first_bad) if bool(self.flag) else None  # type: ignore[arg-type]

    def apply(self, optimizer: Any, params: list[Tensor]) -> None:
        """Make the update unless the flag is up, without waiting for the device."""
        if self.now:
            optimizer.step()
        elif getattr(optimizer, "_step_supports_amp_scaling", False):
            optimizer.grad_scale, optimizer.found_inf = None, self.flag
            optimizer.step()
        else:
            before = [p.detach().clone() for p in params]
            optimizer.step()
            with torch.no_grad():
                for p, old in zip(params, before):
                    p.copy_(torch.where(self.flag == 0, p, old))  # type: ignore[operator]


def locate(objective: Objective, batch: Batch, phase: str) -> dict[str, Any]:
    """Where numbers stop being finite in one forward and backward pass: layer, quantity, likely cause."""
    for name, value in batch.items():
        if isinstance(value, Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
            return {"layer": "input", "quantity": name, "cause": f"the batch's {name} is not finite"}
    for name, p in objective.named_parameters():
        if not torch.isfinite(p).all():
            return {"layer": _layer(name), "quantity": "weight", "cause": f"{name} was not finite already"}
    bad: list[str] = []
    handles = [
        m.register_forward_hook(lambda _m, _i, out, name=name: bad.append(name) if _is_bad(out) else None)
        for name, m in objective.named_modules()
        if name and not list(m.children())
    ]
    try:
        objective.zero_grad()
        step = objective(batch, phase)
    finally:
        for handle in handles:
            handle.remove()
    if bad:
        return {"layer": _layer(bad[0] + "."), "quantity": "activation", "cause": "activations overflow"}
    if not torch.isfinite(step.loss).all():
        return {"layer": "loss", "quantity": "loss", "cause": "the loss overflows for finite outputs"}
    step.loss.sum().backward()
    for name, p in reversed(list(objective.named_parameters())):
        if p.grad is not None and not torch.isfinite(p.grad).all():
            return {"layer": _layer(name), "quantity": "gradient", "cause": "gradients overflow"}
    return {"layer": "all", "quantity": "gradient norm", "cause": "the gradient norm overflows"}


def _layer(parameter: str) -> str:
    return parameter.removeprefix("model.").rpartition(".")[0] or "model"


def _is_bad(out: Any) -> bool:
    tensors = out if isinstance(out, tuple | list) else (out,)
    return any(
        isinstance(t, Tensor) and t.is_floating_point() and not torch.isfinite(t).all() for t in tensors
    )


def gradients_of(params: list[nn.Parameter]) -> list[Tensor]:
    """The gradients that are there."""
    return [p.grad for p in params if p.grad is not None]
