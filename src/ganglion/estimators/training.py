"""From a matrix to a trained network: plan, objective, optimiser, validation, record."""

import copy
import hashlib
import json
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.fields import fields_of
from ganglion.data.batches import ResidentBatches
from ganglion.nn.quick import onednn_is_quicker
from ganglion.objectives.base import Objective
from ganglion.objectives.losses import Loss
from ganglion.objectives.supervised import Supervised, SupervisedByHand, goes_by_hand
from ganglion.optim.average import average_named
from ganglion.optim.flat import Flat
from ganglion.optim.optimizers import goes_flat, make_flat, make_optimizer
from ganglion.optim.schedules import Schedule, cool_down, flat_cosine, schedule_named
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.clip import Clip
from ganglion.train.panel import Panel
from ganglion.train.plan import Plan, auto_batch_size, choose_precision, choose_threads, threads
from ganglion.train.progress import Progress
from ganglion.train.run import Keep, Run

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bf16": torch.float32}
ANSWER_ROWS = 8192  # rows per forward pass outside training
TELLING = 1_000  # validation rows from which on a difference between two epochs is more than luck
ONLINE = {
    "max_epochs": 1,
    "validation_fraction": 0.0,
    "schedule": "constant",
    "checkpoint": None,
    "resume": False,
}


@dataclass
class Part:
    """Rows of one part of the data as tensors on the device: x (n, features), y, weight (n,) with mean 1."""

    x: Tensor
    y: Tensor
    weight: Tensor | None = None

    @classmethod
    def of(
        cls, x: np.ndarray, y: np.ndarray, weight: np.ndarray, device: torch.device, dtype: torch.dtype
    ) -> "Part":
        """Move arrays to the device; equal weights are left out."""
        y_type = torch.int64 if y.dtype.kind in "iu" else dtype
        uneven = len(weight) and np.ptp(weight) > 0
        scaled = torch.as_tensor(weight / weight.mean(), dtype=dtype, device=device) if uneven else None
        return cls(
            torch.as_tensor(x, dtype=dtype, device=device),
            torch.as_tensor(y, dtype=y_type, device=device),
            scaled,
        )

    def tensors(self) -> dict[str, Tensor]:
        """By the names that batches use."""
        named = {"x": self.x, "y": self.y}
        return named if self.weight is None else named | {"weight": self.weight}

    def first(self, n: int) -> "Part":
        """The first n examples."""
        return Part(self.x[:n], self.y[:n], None if self.weight is None else self.weight[:n])

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """The tensors as bytes, with names and shapes: what a checkpoint of a run on them is named by."""
        for name, tensor in self.tensors().items():
            yield f"{name} {tuple(tensor.shape)}", tensor.cpu().numpy().tobytes()


def online_settings(estimator: Any) -> Any:
    """The estimator's settings for one pass over some more rows; raises ``ParameterError``."""
    if estimator.average is not None:
        raise ParameterError(
            "partial_fit goes on from the weights that answer, so these cannot be an average; set average=None."
        )
    return copy.copy(estimator).set_params(**ONLINE)


def batch_size_of(settings: Any, n: int) -> int:
    """The batch size in force: given, the whole data, or by the rule for n rows."""
    if settings.batch_size == "full":
        return n
    return min(n, auto_batch_size(n) if settings.batch_size == "auto" else settings.batch_size)


def precision_of(settings: Any, n: int, features: int, device: torch.device) -> str:
    """The arithmetic in force."""
    return choose_precision(settings.precision, device, batch_size_of(settings, n) == n, n * features)


def make_plan(
    settings: Any,
    model: nn.Module,
    n: int,
    device: torch.device,
    *,
    precision: str,
    by_hand: bool = False,
    uses: float = 1.0,
) -> Plan:
    """How this run computes; ``uses`` is how often an example's forward pass takes a weight."""
    batch = batch_size_of(settings, n)
    parameters = sum(p.numel() for p in model.parameters())
    return Plan(
        device=str(device),
        threads=choose_threads(2.0 * batch * parameters * uses),
        precision=precision,
        backward="by hand" if by_hand else "autograd",
        optimizer="one buffer, fused" if by_hand else settings.optimizer,
        batch_size=batch,
        n_parameters=parameters,
        torch=torch.__version__,
        cpu=f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        products="oneDNN where large" if by_hand and onednn_is_quicker() else "torch",
    )


class SetUp:
    """Objective, optimiser, batches and plan of a run; as a block it holds the plan's threads.

    Arguments:
        settings: an object with the fields of ``TrainingFields``.
        objective: what is wanted of the model, which lies on the device.
        optimizer: of the objective's parameters.
        batches: see ``data.batches``.
        plan: how the run computes.
        flat: the buffer of all parameters, where there is one.
        held: validation rows that choose the epoch.

    Raises ``ParameterError`` for batches of one example under batch normalisation.
    """

    def __init__(
        self, settings: Any, objective: Objective, optimizer: Any, batches: Any, plan: Plan, flat: Any = None,
        held: int = 0,
    ) -> None:  # fmt: skip
        if objective.couples_batch and plan.batch_size == 1:
            raise ParameterError(
                "batch normalisation needs batch_size of at least 2, got 1; set batch_size=32."
            )
        self.settings, self.objective, self.optimizer = settings, objective, optimizer
        self.batches, self.plan, self.flat, self.held = batches, plan, flat, held
        self.panel = Panel(settings.watch)
        self._threads = threads(plan.threads)

    @classmethod
    def of_rows(
        cls, settings: Any, model: nn.Module, loss: Loss, train: Part, state: Any = None, held: int = 0
    ) -> "SetUp":
        """For rows that lie on the device: ``model`` (n, features) -> (n, outputs), by hand where that goes.

        ``state`` is that of the optimiser after an earlier ``partial_fit``.
        """
        # autocast and a penalty on activations need autograd, and adaptive clipping the layers apart
        plain = settings.precision != "bf16" and not settings.activity and settings.clip_adaptive is None
        by_hand = plain and goes_flat(settings.optimizer) and goes_by_hand(model, loss)
        n, features, device = *train.x.shape, train.x.device
        precision = precision_of(settings, n, features, device)
        plan = make_plan(settings, model, n, device, precision=precision, by_hand=by_hand)
        flat = Flat(model) if by_hand else None
        if flat is not None:
            objective: Supervised = SupervisedByHand(model, loss, settings.l1, settings.max_norm, flat=flat)
            optimizer: Any = make_flat(settings.optimizer, flat, **rates_of(settings))
        else:
            objective = Supervised(model, loss, settings.l1, settings.max_norm, settings.activity)
            optimizer = make_optimizer(settings.optimizer, model, **rates_of(settings))
        if isinstance(optimizer, torch.optim.LBFGS) and plan.batch_size < len(train.x):
            warnings.warn(
                "lbfgs compares gradients from step to step, and mini-batches make each the gradient of another "
                "function; set batch_size='full', or take 'adamw'.",
                UserWarning,
                stacklevel=5,
            )
        if state is not None:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        least = 2 if objective.couples_batch else 1  # a row alone has no spread to be normalised by
        batches = ResidentBatches(train.tensors(), plan.batch_size, least=least)
        return cls(settings, objective, optimizer, batches, plan, flat, held)

    def __enter__(self) -> "SetUp":
        self._threads.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._threads.__exit__(*error)
        if self.flat is not None:
            self.flat.release()

    def arguments(self, data: Iterable[tuple[str, bytes]], validate: Any, seed: int) -> dict[str, Any]:
        """What ``train.fit`` is called with besides objective and batches; ``data`` names a checkpoint."""
        chosen = self.settings
        keep = Keep(patience=chosen.patience if chosen.early_stopping else None)
        return {
            "optimizers": {"train": self.optimizer},
            "epochs": chosen.max_epochs,
            "seed": seed,
            "schedule": schedule_of(chosen, self.held),
            "clip": Clip(chosen.clip_norm, chosen.clip_value, chosen.clip_adaptive, chosen.scale_norm),
            "average": None if chosen.average is None else average_named(chosen.average),
            "accumulate": chosen.accumulate,
            "precision": self.plan.precision,
            "validate": validate,
            "keep": keep if validate is not None else None,
            "time_limit": chosen.time_limit,
            "checkpoint": checkpoint_of(chosen, data, self.plan, seed),
            "hooks": (*self.panel.hooks, *([Progress()] if chosen.verbose else [])),
        }


def schedule_of(settings: Any, held: int) -> Schedule:
    """The schedule that settings ask for; auto cools down what stands still where validation rows can tell that."""
    if settings.schedule != "auto":
        return schedule_named(settings.schedule)
    return cool_down() if settings.early_stopping and held >= TELLING else flat_cosine()


def rates_of(settings: Any) -> dict[str, float]:
    """What optimisers are made with."""
    return {k: getattr(settings, k) for k in ("lr", "weight_decay", "momentum")}


def checkpoint_of(
    settings: Any, data: Iterable[tuple[str, bytes]], plan: Plan, seed: int
) -> Checkpoint | None:
    """The checkpoint of a run, named by its data and by every setting that changes numbers."""
    if settings.resume and settings.random_state is None:
        raise ParameterError("resume=True needs the seed of the first run; give random_state a whole number.")
    if settings.checkpoint is None:
        if settings.resume:
            raise ParameterError("resume=True needs the folder to continue from; give checkpoint='folder'.")
        return None
    silent = {"checkpoint", "resume", "verbose", "watch", "time_limit", "device", "random_state"}
    silent |= {"module", "backbone"}  # texts of code hold addresses
    chosen = [(k, str(getattr(settings, k))) for k in sorted(fields_of(type(settings))) if k not in silent]
    digest = hashlib.sha256(json.dumps([chosen, seed]).encode())
    for name, content in data:
        digest.update(name.encode() + content)
    return Checkpoint(
        settings.checkpoint, resume=settings.resume, identity=digest.hexdigest(), plan=plan.to_dict()
    )


def or_back_to(start: dict[str, Tensor], model: nn.Module, run: Run) -> None:
    """Undo a run whose very last step, which no loss has judged, led to numbers that are not finite."""
    if all(bool(torch.isfinite(v.float()).all()) for v in model.state_dict().values()):  # as they will answer
        return
    model.load_state_dict(start)
    run.stopped = "non_finite"
    run.non_finite = run.non_finite or {
        "epoch": run.epoch, "step": run.step, "phase": "train", "layer": "all", "quantity": "weight",
        "cause": "the weights overflow",
    }  # fmt: skip


def tell(run: Run) -> None:
    """Warn where training did not end as planned."""
    if run.stopped == "non_finite" and run.non_finite is not None:
        at = run.non_finite
        warnings.warn(
            f"training met numbers that are not finite at epoch {at['epoch']}, step {at['step']}, layer "
            f"{at['layer']} ({at['cause']}); the step was not applied and the last good weights are kept. "
            "A smaller lr or clip_norm=1 usually helps.",
            ConvergenceWarning,
            stacklevel=5,
        )
    elif run.stopped == "interrupt":
        warnings.warn(
            "training was interrupted; the best weights so far are kept.", UserWarning, stacklevel=5
        )


@torch.inference_mode()
def answers(
    model: nn.Module, x: Tensor, rows: int = ANSWER_ROWS, ask: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """The model's outputs for all rows, in evaluation mode, in blocks; ``ask`` may call it in another way."""
    ask = ask or model
    was_training = model.training
    model.eval()
    try:
        parts = [ask(x[i : i + rows]) for i in range(0, len(x), rows)]
    finally:
        model.train(was_training)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def weighted_mean(values: Tensor, weight: Tensor | None) -> float:
    """The mean of values (n,), by weights with mean 1 if there are any."""
    return float(values.mean() if weight is None else (values * weight).mean())
