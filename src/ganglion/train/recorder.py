"""A record from a training loop of one's own, in a few lines."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.record import TrainingRecord
from ganglion.objectives.base import Batch, Objective, Step
from ganglion.train.clip import global_norm
from ganglion.train.guard import gradients_of, locate
from ganglion.train.loop import mean_rate
from ganglion.train.meter import Meter
from ganglion.train.panel import Panel
from ganglion.train.run import Run


class Recorder:
    """Watches a hand-written loop and gives a ``TrainingRecord`` that ``diagnose`` judges and figures show.

    Three calls: ``step`` between ``backward()`` and ``optimizer.step()``, ``epoch`` after each pass over the data,
    ``record`` at the end. The watchers are those of the estimators; not a bit of the training changes.

    Arguments:
        model: the network, as called on a batch's x.
        optimizer: any torch optimiser of its parameters.
        loss: ``(output, y)`` to one number or one per example; only the full panel, and the place of a step that is
            not finite, need it.
        watch: ``"off"``, ``"default"`` or ``"full"``; see ``train.panel``.

    Raises ``ParameterError`` for an unknown level, or ``"full"`` without a loss.

    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 3)
    >>> y = x.sum(1, keepdim=True)
    >>> net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> recorder = Recorder(net, optimizer)
    >>> for _ in range(20):
    ...     for a, b in zip(x.split(16), y.split(16)):
    ...         optimizer.zero_grad()
    ...         loss = (net(a) - b).square().mean()
    ...         loss.backward()
    ...         sound = recorder.step(loss, a, b)
    ...         _ = optimizer.step()
    ...     recorder.epoch()
    >>> record = recorder.record(task="regression")
    >>> len(record.history), record.history[-1]["loss"] < 0.1, record.layers[0]["layer"]
    (20, True, '0')
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any,
        *,
        loss: Callable[[Any, Any], Tensor] | None = None,
        watch: str = "default",
    ) -> None:
        if watch == "full" and loss is None:
            raise ParameterError("watch='full' computes losses of its own, so it needs the loss; give loss=.")
        self.panel, self.loss = Panel(watch), loss
        self.run = Run(OwnLoop(model, loss), None, {"train": optimizer}, None, 0)
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._meter = Meter(device)
        self._moved = False  # whether an update since the last call is still to be looked at
        for hook in self.panel.hooks:
            hook.start(self.run)

    def step(self, loss: Any, x: Any = None, y: Any = None) -> bool:
        """Take in a step whose gradients stand and whose update is still to come.

        Arguments: ``loss`` the batch's mean loss; ``x`` (n, ...) and ``y`` the batch, without which activations are
        not watched. Returns whether loss and gradients are finite; if not, training should end here.
        """
        self._look_back()
        run = self.run
        run.batch, run.size = {"x": x, "y": y}, len(x) if isinstance(x, Tensor) else 1
        run.lr = self._groups()[0]["lr"]
        run.grad_norm = global_norm(gradients_of(list(run.objective.parameters())), None)
        value = torch.as_tensor(loss).detach()
        run.loss, norm = self._meter.take("train", value * run.size, run.grad_norm, run.size, None)
        if not (math.isfinite(run.loss) and math.isfinite(norm)):
            run.non_finite = run.non_finite or self._place(bool(math.isfinite(run.loss)))
            run.stopped = "non_finite"
            return False
        for hook in self.panel.hooks:
            hook.backward(run)
        self._moved = True
        return True

    def epoch(self, **numbers: float) -> None:
        """Close an epoch; ``numbers`` such as ``val_loss`` and ``val_score`` (higher is better) join its row.

        ``loss`` stands for the mean over the steps unless it is given.
        """
        self._look_back()
        run = self.run
        if run.stopped is not None:
            return
        if self._meter.empty:
            raise ParameterError("epoch() closes an epoch with steps, got none; call step() in every step.")
        run.epoch += 1
        row = {
            "epoch": run.epoch,
            "step": run.step,
            "seconds": round(run.seconds, 4),
            "lr": mean_rate(run.lr),
        }
        run.history.append(row | self._meter.row() | {k: float(v) for k, v in numbers.items()})

    def record(
        self,
        *,
        task: str | None = None,
        settings: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        scores: dict[str, dict[str, float]] | None = None,
        baselines: dict[str, dict[str, float]] | None = None,
        best_epoch: int | None = None,
    ) -> TrainingRecord:
        """The record so far; the more of the optional parts are given, the more a diagnosis can see.

        See ``base.record.TrainingRecord`` for what they hold. Settings of the optimiser are there by themselves.
        """
        self._look_back()
        run = self.run
        run.stopped = run.stopped or "epochs"
        for hook in self.panel.hooks:
            hook.end(run)
        n_parameters = sum(p.numel() for p in run.objective.parameters())
        return TrainingRecord(
            task=task,
            settings=self._settings() | (settings or {}),
            plan={"loop": "own", "torch": torch.__version__},
            history=run.history,
            layers=self.panel.layers,
            probes=self.panel.probes,
            data={"n_parameters": n_parameters} | (data or {}),
            scores=scores or {},
            baselines=baselines or {},
            non_finite=run.non_finite,
            stopped=run.stopped,
            best_epoch=best_epoch,
            seconds=run.seconds,
        )

    def _look_back(self) -> None:
        """Let the watchers see the update that was made since the last call."""
        if not self._moved:
            return
        self._moved = False
        self.run.step += 1
        for hook in self.panel.hooks:
            hook.step(self.run)

    def _groups(self) -> list[dict[str, Any]]:
        return self.run.optimizers["train"].param_groups

    def _settings(self) -> dict[str, Any]:
        plain = {k: v for k, v in self._groups()[0].items() if isinstance(v, bool | int | float)}
        chosen = {"optimizer": type(self.run.optimizers["train"]).__name__.lower(), **plain}
        if self.run.history:
            chosen["lr"] = self.run.history[0]["lr"]
        return chosen | ({"batch_size": self.run.size} if self.run.size > 1 else {})

    def _place(self, loss_is_finite: bool) -> dict[str, Any]:
        run = self.run
        if self.loss is not None and run.batch["x"] is not None:
            with run.aside():
                place = locate(run.objective, [run.batch], "train")
        else:
            what = "gradient" if loss_is_finite else "loss"
            place = {"layer": "all", "quantity": what, "cause": f"the {what} is not finite"}
        return {"epoch": run.epoch + 1, "step": run.step + 1, "phase": "train", **place}


class OwnLoop(Objective):
    """A network and a loss function as watchers want to see them."""

    def __init__(self, model: nn.Module, loss: Callable[[Any, Any], Tensor] | None) -> None:
        super().__init__()
        mode = model.training
        self.net, self.cost = model, loss
        self.training = mode

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss of a batch, of one number or one per example."""
        output = self.net(batch["x"])
        return Step(self.cost(output, batch["y"]), output)  # type: ignore[misc]
