"""What every estimator that trains one network shares: the run, the record of it, the verdict, the weights."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import nn

from ganglion.base.errors import ModelFileError, ParameterError
from ganglion.base.fields import fields_of
from ganglion.base.record import TrainingRecord
from ganglion.diagnose import diagnose
from ganglion.estimators.base import Estimator, plain
from ganglion.estimators.fields import TrainingFields
from ganglion.estimators.training import SetUp, or_back_to, tell
from ganglion.train.loop import fit
from ganglion.train.run import Run


class Learner(TrainingFields, Estimator):
    """An estimator around one module, ``module_``; subclasses make a ``SetUp`` and say how the parts score."""

    _without: ClassVar[tuple[str, ...]] = ()  # training fields that this objective has no use for

    def _check(self) -> None:
        super()._check()
        for name in self._without:
            if getattr(self, name):
                raise ParameterError(
                    f"{type(self).__name__} has no {name}; leave it out, or use weight_decay."
                )

    def _task(self) -> str:
        """The record's word for what is learned."""
        raise NotImplementedError

    def _train(
        self,
        set_up: SetUp,
        seed: int,
        data: Iterable[tuple[str, bytes]],
        validate: Callable[[], dict[str, float]] | None,
    ) -> Run:
        """Run the loop; warn where it did not end as planned, and never keep weights that are not finite."""
        start = {k: v.detach().clone() for k, v in self.module_.state_dict().items()}
        with set_up:
            run = fit(set_up.objective, set_up.batches, **set_up.arguments(data, validate, seed))
        or_back_to(start, self.module_, run)
        tell(run)
        return run

    def _rest(self) -> None:
        """Put the trained module where it answers: on the CPU, in single precision, in evaluation mode."""
        self.module_ = self.module_.to(torch.device("cpu"), torch.float32).eval()
        self.module_.zero_grad(set_to_none=True)

    def _record(
        self,
        run: Run,
        set_up: SetUp,
        *,
        data: dict[str, Any],
        scores: dict[str, dict[str, float]],
        baselines: dict[str, dict[str, float]],
    ) -> None:
        """Leave the record of a run and the verdict on it."""
        self.n_iter_ = max(1, run.epoch)
        self.best_epoch_ = run.keep.best_epoch if run.keep else None
        self.record_ = TrainingRecord(
            task=self._task(),
            settings={k: plain(getattr(self, k)) for k in fields_of(type(self))},
            plan=set_up.plan.to_dict() | ({"resumed": run.resumed} if run.resumed else {}),
            history=run.history,
            layers=set_up.panel.layers,
            probes=set_up.panel.probes,
            data=data | {"n_parameters": self.record_size()},
            scores=scores,
            baselines=baselines,
            non_finite=run.non_finite,
            stopped=run.stopped or "epochs",
            best_epoch=self.best_epoch_,
            seconds=run.spent,  # of training alone, earlier parts of a resumed run included
        )
        self.diagnosis_ = diagnose(self.record_)

    def record_size(self) -> int:
        """The number of parameters of the fitted module."""
        return sum(p.numel() for p in self.module_.parameters())

    # --- weights and files --------------------------------------------------------------------------------

    def _place(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module on the device."""
        return module.to(device)

    def _promised(self) -> nn.Module:
        """The module that settings and learned attributes promise; its weights come from a file."""
        raise NotImplementedError

    def _load_weights(self, weights: dict[str, Any]) -> None:
        """Only as much memory is taken as the file's own arrays justify: the shapes are compared first."""
        with torch.device("meta"):
            shapes = {k: tuple(v.shape) for k, v in self._promised().state_dict().items()}
        if shapes != {k: v.shape for k, v in weights.items()}:
            raise ModelFileError("its weights are of another network than its settings say.")
        module = self._promised()
        module.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()})
        self.module_ = self._place(module, torch.device("cpu")).eval()

    def _weights(self) -> dict[str, Any]:
        return {k: v.detach().contiguous().numpy() for k, v in self.module_.state_dict().items()}

    def _bind_answers(self) -> None:
        """What must be made anew after training, loading and unpickling; kept out of pickles as ``_answering``."""

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_answering"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            self._bind_answers()
