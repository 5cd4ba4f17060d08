"""The loop: from an objective and its batches to trained weights, top to bottom on one page."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch

from ganglion.objectives.base import Batch, Objective, Phase
from ganglion.optim.schedules import Schedule, constant
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.clip import Clip, clip_, global_norm
from ganglion.train.guard import Guard, gradients_of, locate
from ganglion.train.hooks import Hook, listeners
from ganglion.train.meter import Meter
from ganglion.train.run import Keep, Run, check_run, planned_steps


def fit(
    objective: Objective,
    batches: Any,
    *,
    optimizers: dict[str, Any],
    epochs: int | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    schedule: Schedule = constant,
    clip: Clip = Clip(),  # noqa: B008 - frozen
    accumulate: int = 1,
    precision: str = "float32",
    validate: Callable[[], dict[str, float]] | None = None,
    keep: Keep | None = None,
    time_limit: float | None = None,
    checkpoint: Checkpoint | None = None,
    hooks: tuple[Hook, ...] = (),
) -> Run:
    """Train an objective on batches; what changes numbers is an argument here, hooks only watch.

    Arguments:
        objective: owns the models; gives losses per example, phase by phase.
        batches: ``epoch(seed, epoch, start)`` yields dicts of tensors; see ``data/batches.py``.
        optimizers: phase name -> optimiser of that phase's parameters.
        epochs, max_steps: how long; one of them.
        seed: of the order of the examples.
        schedule: ``(progress, history) -> factor`` on each group's learning rate.
        clip: bounds on the gradient.
        accumulate: micro-batches per update; their losses are divided by the whole group's size.
        precision: ``"float32"`` or ``"bf16"`` (autocast).
        validate: called after each epoch in evaluation mode; its numbers join the history's row.
        keep: which weights to keep and how long to wait for better ones.
        time_limit: seconds after which training ends with the kept weights.
        checkpoint: where the run is saved and resumed from.
        hooks: watchers.

    Returns the finished ``Run``. Raises ``ParameterError`` for what cannot be trained.
    """
    check_run(objective, optimizers, epochs, max_steps, accumulate)
    total = max_steps or planned_steps(batches, objective.phases, accumulate, epochs)
    run = Run(objective, batches, optimizers, epochs, total, seed, keep, time_limit)
    device = next((p.device for p in objective.parameters()), torch.device("cpu"))
    params = {p.name: list(objective.parameters_of(p.name)) for p in objective.phases}
    base_lr = {name: [g["lr"] for g in o.param_groups] for name, o in optimizers.items()}
    autocast = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    members = getattr(objective, "members", None)
    guard, meter = Guard(device), Meter(device)
    on_backward, on_step, on_epoch = (listeners(hooks, m) for m in ("backward", "step", "epoch"))
    if checkpoint is not None and checkpoint.resume(run):
        meter.load(run.totals)
    for hook in hooks:
        hook.start(run)
    objective.train()
    try:
        while run.stopped is None and (epochs is None or run.epoch < epochs):
            stream = batches.epoch(seed, run.epoch, run.drawn)
            for phase, group, closes in updates(objective.phases, stream, accumulate, run):
                optimizer, name = optimizers[phase.name], phase.name
                run.batch, run.phase = group[-1], name

                # the learning rate of this step
                factor = schedule(run.progress, run.history)
                for g, lr in zip(optimizer.param_groups, base_lr[name]):
                    g["lr"] = lr * factor
                run.lr = optimizer.param_groups[0]["lr"]

                # gradients of the group's mean loss
                optimizer.zero_grad()
                size = sum(batches.size(b) for b in group)
                with autocast:
                    loss, step = sum_gradients(objective, group, name, size)
                grads = gradients_of(params[name])
                run.grad_norm = norm = global_norm(grads, members)
                loss, norm = meter.take(name, loss, norm, size, clip.norm)

                # the update, unless something is not finite
                if not guard.judge(loss, norm, run.step):
                    run.stopped = "non_finite"
                    break
                if clip.norm is not None or clip.value is not None:
                    clip_(grads, run.grad_norm, clip, members)
                for watch in on_backward:
                    watch(run)
                if isinstance(optimizer, torch.optim.LBFGS):
                    optimizer.step(lambda: closure(objective, optimizer, group, name, size))  # noqa: B023
                else:
                    guard.apply(optimizer, params[name])
                objective.after_update(name, run.lr)
                batches.feedback(step)
                run.step += 1
                for watch in on_step:
                    watch(run)

                # when to stop, when to save
                if guard.read() is not None:
                    run.stopped = "non_finite"
                elif max_steps and run.step >= max_steps:
                    run.stopped = "steps"
                elif time_limit and run.seconds >= time_limit:
                    run.stopped = "time"
                if run.stopped:
                    break
                if closes and checkpoint is not None and checkpoint.due():
                    run.totals = meter.dump()
                    checkpoint.save(run)
            close_epoch(run, meter, guard, validate, on_epoch)
            if checkpoint is not None and (run.stopped is None or run.stopped == "early"):
                checkpoint.save_epoch(run)
    except KeyboardInterrupt:
        run.stopped = "interrupt"
    run.stopped = run.stopped or "epochs"
    if run.stopped == "non_finite":
        name_the_step(run, guard)
    if keep is not None:
        keep.restore(objective.model)
    objective.eval()
    run.spent, run.started = run.seconds, time.monotonic()
    for hook in hooks:
        hook.end(run)
    return run


def updates(
    phases: tuple[Phase, ...], stream: Iterator[Batch], accumulate: int, run: Run
) -> Iterator[tuple[Phase, list[Batch], bool]]:
    """One epoch's updates: (phase, its micro-batches, whether it closes a cycle of phases)."""
    group: list[Batch] = []
    while True:
        for i, phase in enumerate(phases):
            for j in range(phase.repeat):
                if phase.batch == "new" or not group:
                    group = list(islice(stream, accumulate))
                    if not group:
                        return
                    run.drawn += len(group)
                yield phase, group, i == len(phases) - 1 and j == phase.repeat - 1


def sum_gradients(objective: Objective, group: list[Batch], phase: str, size: int) -> tuple[Any, Any]:
    """Gradients of a group's mean loss, micro-batch by micro-batch; the loss sum and the last step."""
    loss, step = objective.gradients(group[0], phase, size)
    for batch in group[1:]:
        more, step = objective.gradients(batch, phase, size)
        loss = loss + more
    return loss, step


def closure(objective: Objective, optimizer: Any, group: list[Batch], phase: str, size: int) -> Any:
    """The mean loss with fresh gradients, for optimisers that ask several times a step (L-BFGS)."""
    optimizer.zero_grad()
    return sum_gradients(objective, group, phase, size)[0] / size


def close_epoch(run: Run, meter: Meter, guard: Guard, validate: Any, on_epoch: list[Any]) -> None:
    """Write the epoch's row, validate, look whether it is the best, and open the next epoch."""
    if guard.read(force=True) is not None:
        run.stopped = "non_finite"
    if meter.empty or run.stopped == "non_finite":
        return
    run.epoch += 1
    row = {
        "epoch": run.epoch,
        "step": run.step,
        "seconds": round(run.seconds, 4),
        "lr": mean_rate(run.lr),
        **meter.row(),
    }
    if validate is not None:
        run.objective.eval()
        row.update(validate())
        run.objective.train()
    run.history.append(row)
    if run.keep is not None and run.keep.look(row, run.objective.model):
        run.stopped = run.stopped or "early"
    run.drawn = 0
    for watch in on_epoch:
        watch(run, row)


def mean_rate(lr: Any) -> float:
    """A group's learning rate as one number, the mean where it is a vector."""
    return float(torch.as_tensor(lr, dtype=torch.float64).mean())


def name_the_step(run: Run, guard: Guard) -> None:
    """Say which step was not finite, in which layer, and why; the weights are those before it."""
    first = guard.read(force=True)
    step = run.step if first is None else first
    with run.aside():
        place = locate(run.objective, run.batch, run.phase)
    run.non_finite = {"epoch": run.epoch + 1, "step": step + 1, "phase": run.phase, **place}
    run.objective.zero_grad()
