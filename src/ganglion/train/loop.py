"""The loop: from an objective and its batches to trained weights, top to bottom on one page."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from typing import Any

import torch

from ganglion.base.errors import DataError
from ganglion.objectives.base import Batch, Objective, Phase, Step
from ganglion.optim.average import Average, AverageRule
from ganglion.optim.schedules import Schedule, constant
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.clip import Clip, clip_, global_norm
from ganglion.train.guard import Guard, gradients_of, locate
from ganglion.train.hooks import Hook, awake, listeners
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
    schedule: Schedule = constant(),  # noqa: B008 - a function
    clip: Clip = Clip(),  # noqa: B008 - frozen
    accumulate: int = 1,
    precision: str = "float32",
    average: AverageRule | None = None,
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
        average: of the weights; validation, the kept weights and the finished model are then averages.
        validate: called after each epoch in evaluation mode; its numbers join the history's row.
        keep: which weights to keep and how long to wait for better ones.
        time_limit: seconds after which training ends with the kept weights.
        checkpoint: where the run is saved and resumed from.
        hooks: watchers.

    Returns the finished ``Run``. Raises ``ParameterError`` for what cannot be trained.
    """
    check_run(objective, optimizers, epochs, max_steps, accumulate, clip)
    total = max_steps or planned_steps(batches, objective.phases, accumulate, epochs)
    run = Run(objective, batches, optimizers, epochs, total, seed, keep, time_limit)
    run.average = None if average is None else Average(objective.model, average)
    device = next((p.device for p in objective.parameters()), torch.device("cpu"))
    autocast = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    params = {p.name: list(objective.parameters_of(p.name)) for p in objective.phases}
    rates = {name: [g["lr"] for g in o.param_groups] for name, o in optimizers.items()}
    members = getattr(objective, "members", None)
    guard, meter = Guard(device, buffers=objective.buffers()), Meter(device)
    if checkpoint is not None and checkpoint.resume(run):
        meter.load(run.totals)
    for hook in hooks:
        hook.start(run)
    objective.train()
    try:
        while run.stopped is None and (epochs is None or run.epoch < epochs):
            stream = batches.epoch(seed, run.epoch, run.drawn)
            on_backward, on_step = (listeners(awake(hooks, run), m) for m in ("backward", "step"))
            for name, group, closes in updates(objective.phases, stream, accumulate, run):
                run.batch, run.phase, optimizer = group[-1], name, optimizers[name]
                set_rate(run, optimizer, rates[name], schedule)

                # gradients of the group's mean loss, micro-batch by micro-batch
                guard.open(run.step, name, group)
                run.size = size = sum(batches.size(b) for b in group)
                ask = partial(sum_gradients, objective, optimizer, group, name, size, autocast)
                loss, step = ask()
                run.grad_norm = global_norm(grads := gradients_of(params[name]), members)
                run.loss, norm = meter.take(name, loss, run.grad_norm, size, clip.norm)

                # the update, unless something is not finite
                if not guard.judge(run.loss, norm, run.step):
                    run.stopped = "non_finite"
                    break
                clip_(grads, run.grad_norm, clip, members, params[name])
                for watch in on_backward:
                    watch(run)
                again = partial(ask_again, ask, params[name], size, guard, clip, members)
                if not guard.apply(optimizer, params[name], again):
                    run.stopped = "non_finite"
                    break
                guard.after_update(objective, name, run.lr)
                batches.feedback(step)
                run.step += 1
                guard.average(run)
                for watch in on_step:
                    watch(run)

                # whether that was all, and whether to save
                if over(run, guard, max_steps):
                    break
                if closes and checkpoint is not None and checkpoint.due() and guard.read(force=True) is None:
                    checkpoint.save(run, meter.dump())
            close_epoch(run, meter, guard, validate, listeners(hooks, "epoch"), schedule)
            if checkpoint is not None and run.stopped in (None, "early", "steps"):
                checkpoint.save_epoch(run)
    except KeyboardInterrupt:
        run.stopped = "interrupt"
    return finish(run, guard, hooks)


def updates(
    phases: tuple[Phase, ...], stream: Iterator[Batch], accumulate: int, run: Run
) -> Iterator[tuple[str, list[Batch], bool]]:
    """One epoch's updates: (phase's name, its micro-batches, whether it closes a cycle of phases)."""
    while True:
        group: list[Batch] = []  # of this cycle
        for i, phase in enumerate(phases):
            for j in range(phase.repeat):
                if phase.batch == "new" or not group:
                    group = list(islice(stream, accumulate))
                    if not group:
                        return
                    run.drawn += len(group)
                yield phase.name, group, i == len(phases) - 1 and j == phase.repeat - 1


def sum_gradients(
    objective: Objective, optimizer: Any, group: list[Batch], phase: str, size: int, autocast: Any
) -> tuple[Any, Step]:
    """Gradients of a group's mean loss, micro-batch by micro-batch; the loss sum and the last step."""
    optimizer.zero_grad()
    with autocast:
        loss, step = objective.gradients(group[0], phase, size)
        for batch in group[1:]:
            more, step = objective.gradients(batch, phase, size)
            loss = loss + more
    return loss, step


def set_rate(run: Run, optimizer: Any, rates: list[Any], schedule: Schedule) -> None:
    """The learning rate of this step, in every group of the optimiser."""
    factor = schedule(run.progress, run.history)
    for group, lr in zip(optimizer.param_groups, rates):
        group["lr"] = lr * factor
    run.lr = optimizer.param_groups[0]["lr"]


def ask_again(
    ask: Callable[[], tuple[Any, Step]],
    params: list[Any],
    size: int,
    guard: Guard,
    clip: Clip,
    members: int | None,
) -> Any:
    """The mean loss with fresh gradients, for optimisers that ask several times a step (L-BFGS, SAM)."""
    with guard.buffers_held():
        loss, _ = ask()
    norm = global_norm(grads := gradients_of(params), members)
    guard.doubt(norm)
    clip_(grads, norm, clip, members, params)
    return loss / size


def over(run: Run, guard: Guard, max_steps: int | None) -> bool:
    """Whether the run ends after this step; ``run.stopped`` then says why."""
    if guard.read() is not None:
        run.stopped = "non_finite"
    elif max_steps and run.step >= max_steps:
        run.stopped = "steps"
    elif run.time_limit and run.seconds >= run.time_limit:
        run.stopped = "time"
    return run.stopped is not None


def close_epoch(
    run: Run, meter: Meter, guard: Guard, validate: Any, on_epoch: list[Any], schedule: Schedule
) -> None:
    """Write the epoch's row, validate, look whether it is the best, and open the next epoch if there is one."""
    if guard.read(force=True) is not None:
        run.stopped = "non_finite"
    if run.stopped == "non_finite":
        return
    if meter.empty:
        raise DataError("an epoch gave no batch at all; give data with at least one example.")
    run.epoch += 1
    row = {
        "epoch": run.epoch,
        "step": run.step,
        "seconds": round(run.seconds, 4),
        "lr": mean_rate(run.lr),
        **meter.row(),
    }
    if run.average is not None:
        run.average.take("epoch", run.progress)
    with nullcontext() if run.average is None else run.average.in_place():
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
    if run.progress < 1 and schedule(run.progress, run.history) == 0:
        run.stopped = run.stopped or "early"  # steps of size 0 change nothing


def finish(run: Run, guard: Guard, hooks: tuple[Hook, ...]) -> Run:
    """Name a step that was not finite, put the kept weights in place, tell the hooks."""
    run.stopped = run.stopped or "epochs"
    if run.stopped == "non_finite":
        run.non_finite = name_the_step(run, guard)
    if run.average is not None:
        run.average.settle()
    if run.keep is not None:
        run.keep.restore(run.objective.model)
    run.objective.eval()
    run.spent, run.started = run.seconds, time.monotonic()
    for hook in hooks:
        hook.end(run)
    return run


def name_the_step(run: Run, guard: Guard) -> dict[str, Any]:
    """Say which step was not finite, in which layer, and why; the weights are those before it."""
    step, phase, group = guard.bad_step()
    with run.aside():
        place = locate(run.objective, group, phase)
    guard.take_back()
    run.objective.zero_grad()
    return {"epoch": run.epoch + 1, "step": step + 1, "phase": phase, **place}


def mean_rate(lr: Any) -> float:
    """A group's learning rate as one number, the mean where it is a vector."""
    return float(torch.as_tensor(lr, dtype=torch.float64).mean())
