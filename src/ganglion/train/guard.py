"""The guard: a step whose loss or gradient is not finite is not applied, and is named."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.objectives.base import Batch, Objective

READ_EVERY = 50  # steps between looks at the device's flag, where a look would wait for the device


class Guard:
    """Decides whether an update may be applied.

    On the CPU a look costs a microsecond, so each step is judged at once. On an accelerator the verdict
    stays there: a sticky flag makes the optimiser leave weights and moments as they are, and is read every
    ``READ_EVERY`` steps, so no step waits. ``buffers`` (running statistics), which a forward pass changes,
    are left as they were as well.
    """

    def __init__(
        self, device: torch.device, waits: bool | None = None, buffers: Iterable[Tensor] = ()
    ) -> None:
        self.now = device.type == "cpu" if waits is None else not waits
        self.flag: Any = None if self.now else torch.zeros((), device=device)
        self.device, self.since = device, 0
        self.doubted = torch.zeros((), dtype=torch.bool, device=device)
        self.first_bad: Any = None if self.now else torch.full((), -1, dtype=torch.int64, device=device)
        self.buffers = list(buffers)
        self.opened = 0
        self.first: list[Tensor] = []
        self.before: list[Tensor] = []
        # the steps among which a late look must find the bad one: number, phase, batches
        self.recent: deque[tuple[int, str, list[Batch]]] = deque(maxlen=1 if self.now else READ_EVERY)

    def open(self, step: int, phase: str, group: list[Batch]) -> None:
        """A step begins: remember its batches, and what its forward pass may change."""
        self.recent.append((step, phase, group))
        if self.buffers:
            if self.opened == READ_EVERY:  # by now every phase has run: constants need no more copies
                self.buffers = [b for b, old in zip(self.buffers, self.first) if not torch.equal(b, old)]
            self.before = [b.clone() for b in self.buffers]
            self.first = self.first or self.before
            self.opened += 1

    def judge(self, loss: Any, norm: Any, step: int) -> bool:
        """Whether the step is good; where the answer stays on the device: True until a bad one is read."""
        if self.now:
            good = math.isfinite(loss) and math.isfinite(norm)
            if not good:
                self.take_back()
            return good
        self._raise(~(torch.isfinite(loss) & torch.isfinite(norm)), step)
        self.since += 1
        return True

    @contextmanager
    def buffers_held(self) -> Iterator[None]:
        """Inside the block a forward pass may run at weights that are only tried; its statistics are dropped."""
        before = _copies(self.buffers)
        yield
        _put(self.buffers, before)

    def doubt(self, norm: Tensor) -> None:
        """Take in the gradient norm of a further evaluation inside the same step."""
        self.doubted = self.doubted | ~torch.isfinite(norm).all()

    def _raise(self, bad: Any, step: int) -> None:
        self.first_bad.copy_(torch.where(bad & (self.flag == 0), step, self.first_bad))
        self.flag.copy_(torch.maximum(self.flag, bad.to(self.flag.dtype)))

    def read(self, *, force: bool = False) -> int | None:
        """The number of the first bad step, if a look is due and there was one."""
        if self.now or not (force or self.since >= READ_EVERY):
            return None
        if bool(self.flag):
            return int(self.first_bad)
        self.since = 0
        return None

    def apply(self, optimizer: Any, params: Sequence[Tensor], closure: Callable[[], Any]) -> bool:
        """Make the update unless the flag is up, without waiting for the device.

        False where an optimiser that asks several times (``closure``) was led to weights that are not finite;
        its step is then taken back.
        """
        if isinstance(optimizer, torch.optim.LBFGS):
            return self.read(force=True) is None and self._search(optimizer, params, closure)
        if getattr(optimizer, "asks_again", False):
            return self._ask_again(optimizer, params, closure)
        if self.now:
            optimizer.step()
        elif getattr(optimizer, "_step_supports_amp_scaling", False):
            optimizer.grad_scale, optimizer.found_inf = None, self.flag
            optimizer.step()
        else:
            before = _copies(params)
            optimizer.step()
            self._unless_flagged(params, before)
        return True

    def _search(self, optimizer: Any, params: Sequence[Tensor], closure: Callable[[], Any]) -> bool:
        before = _copies(params)
        optimizer.step(closure)
        if all(bool(torch.isfinite(p).all()) for p in params):
            return True
        _put(params, before)
        self.take_back()
        return False

    def _ask_again(self, optimizer: Any, params: Sequence[Tensor], closure: Callable[[], Any]) -> bool:
        """A step whose gradient comes from a second evaluation, which is judged like the first."""
        before = _copies(params)
        self.doubted = torch.zeros((), dtype=torch.bool, device=self.device)
        optimizer.step(closure)
        if not self.now:
            self._raise(self.doubted, self.recent[-1][0])
            self._unless_flagged(params, before)
        elif bool(self.doubted):
            _put(params, before)
            self.take_back()
            return False
        return True

    def average(self, run: Any) -> None:
        """Take the weights of this step into the run's average, if it has one, unless the flag is up."""
        if run.average is not None:
            run.average.take("step", run.progress, None if self.now else self.flag)

    def after_update(self, objective: Objective, phase: str, lr: float) -> None:
        """The objective's own change after a step, and nothing of it if the flag is up."""
        if self.now:
            objective.after_update(phase, lr)
            return
        if objective.acts_after_update:
            params = list(objective.parameters())
            before = _copies(params)
            objective.after_update(phase, lr)
            self._unless_flagged(params, before)
        self._unless_flagged(self.buffers, self.before)

    def take_back(self) -> None:
        """Put the buffers back where they were before the last step."""
        _put(self.buffers, self.before)

    def bad_step(self) -> tuple[int, str, list[Batch]]:
        """Number, phase and batches of the first bad step."""
        first = self.read(force=True)
        return next((known for known in self.recent if known[0] == first), self.recent[-1])

    @torch.no_grad()
    def _unless_flagged(self, values: Sequence[Tensor], before: list[Tensor]) -> None:
        for value, old in zip(values, before):
            value.copy_(torch.where(self.flag == 0, value, old))


def _copies(values: Sequence[Tensor]) -> list[Tensor]:
    return [v.detach().clone() for v in values]


@torch.no_grad()
def _put(values: Sequence[Tensor], before: list[Tensor]) -> None:
    for value, old in zip(values, before):
        value.copy_(old)


def locate(objective: Objective, group: list[Batch], phase: str) -> dict[str, Any]:
    """Where numbers stop being finite in a step over these batches: layer, quantity, likely cause."""
    places = (_locate(objective, batch, phase) for batch in group)
    unknown = {"layer": "all", "quantity": "gradient norm", "cause": "the gradient norm overflows"}
    return next((place for place in places if place is not None), unknown)


def _locate(objective: Objective, batch: Batch, phase: str) -> dict[str, Any] | None:
    layer = _layers_of(objective)
    for name, value in batch.items():
        if isinstance(value, Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
            return {"layer": "input", "quantity": name, "cause": f"the batch's {name} is not finite"}
    for name, p in objective.named_parameters():
        if not torch.isfinite(p).all():
            return {"layer": layer(name), "quantity": "weight", "cause": f"{name} was not finite already"}
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
        return {"layer": layer(bad[0] + "."), "quantity": "activation", "cause": "activations overflow"}
    if not torch.isfinite(step.loss).all():
        return {"layer": "loss", "quantity": "loss", "cause": "the loss overflows for finite outputs"}
    step.loss.sum().backward()
    for name, p in reversed(list(objective.named_parameters())):
        if p.grad is not None and not torch.isfinite(p.grad).all():
            return {"layer": layer(name), "quantity": "gradient", "cause": "gradients overflow"}
    return None


def _layers_of(objective: Objective) -> Callable[[str], str]:
    """From a parameter's name in the objective to its layer's name in the model, as records have it."""
    inside = next((name + "." for name, m in objective.named_modules() if m is objective.model and name), "")
    return lambda parameter: parameter.removeprefix(inside).rpartition(".")[0] or "model"


def _is_bad(out: Any) -> bool:
    tensors = out if isinstance(out, tuple | list) else (out,)
    return any(
        isinstance(t, Tensor) and t.is_floating_point() and not torch.isfinite(t).all() for t in tensors
    )


def gradients_of(params: list[nn.Parameter]) -> list[Tensor]:
    """The gradients that are there."""
    return [p.grad for p in params if p.grad is not None]
