"""What estimators of sequences share: the reader's fields, ragged parts, and the run on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.device import pick_device
from ganglion.data.padded import Ragged, RaggedBatches
from ganglion.data.split import MIN_VALIDATION, plain_split, stratified_split
from ganglion.estimators.base import plain
from ganglion.estimators.sequences.reader import READER, ReaderFields
from ganglion.estimators.supervised import SupervisedLearner
from ganglion.estimators.training import Part, SetUp, make_plan, rates_of
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.denormals import tiny_is_zero
from ganglion.train.plan import sequence_precision
from ganglion.train.run import Run

YARDSTICK_ROWS = 20_000  # training sequences that simple models are fitted on


@dataclass
class SequencePart(Part):
    """Sequences of one part of the data, their targets (n, ...) and weights (n,) with mean 1."""

    x: Ragged  # type: ignore[assignment]

    def tensors(self) -> dict[str, Tensor]:
        """What batches carry beside the sequences."""
        return {k: v for k, v in super().tensors().items() if k != "x"}

    def first(self, n: int) -> "SequencePart":
        """The first n examples."""
        return SequencePart(self.x[:n], self.y[:n], None if self.weight is None else self.weight[:n])

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield from self.x.contents()
        yield from super().contents()


class SequenceNetwork(ReaderFields, SupervisedLearner):
    """An estimator whose examples are sequences of any length."""

    _unit = "sequences"
    pool: Annotated[
        Literal["last", "mean", "max", "both", "attention"],
        "what becomes of the places: the last, their mean, maximum, both, or a mean by learned weights",
    ] = "both"
    preprocessor_ = None  # the columns of tables; numbers are scaled by the module's first layer

    def _device(self) -> torch.device:
        return pick_device(self.device)

    def _reader(self) -> dict[str, Any]:
        """The arguments of ``models.encoder.Encoder``."""
        return {k: plain(getattr(self, k)) for k in READER}

    def _build(self, start: Tensor) -> nn.Module:
        """The module; ``start`` (k,) is the best answer that does not look."""
        raise NotImplementedError

    def _promised(self) -> nn.Module:
        return self._build(torch.zeros(self._units()))

    # --- training -----------------------------------------------------------------------------------------

    def _split(self, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if round(len(y) * self.validation_fraction) < MIN_VALIDATION:
            return np.arange(len(y)), np.zeros(0, dtype=np.int64)
        if y.dtype.kind in "iu":
            return stratified_split(y, self.validation_fraction, seed)
        return plain_split(len(y), self.validation_fraction, seed)

    def _set_up(self, train: SequencePart, held: SequencePart) -> SetUp:
        """Objective, optimiser, ragged batches and plan."""
        objective = Supervised(self.module_, self._loss(smooth=True), self.l1, self.max_norm, self.activity)
        places = float(np.mean(train.x.lengths))  # a weight is used once a place
        device = train.x.values.device
        precision = self.precision
        if precision == "auto":  # a number may need all digits, a class does not
            classes = hasattr(self, "classes_")
            precision = sequence_precision(self.cell, self.units, device) if classes else "float32"
        plan = make_plan(self, self.module_, len(train.x), device, precision=precision, uses=places)
        batches = RaggedBatches(train.x, train.tensors(), plan.batch_size)
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(self, objective, optimizer, batches, plan, held=len(held.x))

    def _run(self, train: SequencePart, held: SequencePart, seed: int) -> tuple[Run, SetUp]:
        """Train the module on one part, choose the epoch by the other."""
        set_up = self._set_up(train, held)
        validate = (lambda: self._validation(held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        with tiny_is_zero():
            return self._train(set_up, seed, contents, validate), set_up

    def _conclude(self, run: Run, set_up: SetUp, train: SequencePart, held: SequencePart) -> None:
        """Leave what was learned: the module on the CPU, the record, the verdict."""
        scores = self._scores(train, held)
        baselines, facts = self._yardsticks(train.first(YARDSTICK_ROWS), held)
        self._rest()
        facts = {k: v for k, v in facts.items() if k == "confident_errors"}
        self._record(run, set_up, data=facts | self._facts(train, held), scores=scores, baselines=baselines)

    def _facts(self, train: SequencePart, held: SequencePart) -> dict[str, Any]:
        lengths = np.concatenate([train.x.lengths, held.x.lengths])
        facts: dict[str, Any] = {
            "n_rows": len(lengths),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "shortest": int(lengths.min()),
            "longest": int(lengths.max()),
        }
        if hasattr(self, "classes_"):
            counts = np.bincount(train.y.cpu().numpy(), minlength=len(self.classes_))
            facts["classes"] = {str(label): int(k) for label, k in zip(self.classes_, counts)}
        return facts

    # --- answering ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _answers(self, x: Any) -> Tensor:
        """The module's outputs for ragged sequences or for a padded tensor, in evaluation mode."""
        ragged = x if isinstance(x, Ragged) else None
        was_training = self.module_.training
        self.module_.eval()
        try:
            if ragged is None:
                return self.module_(x)
            rows, parts = [], []
            for block in ragged.blocks():
                rows.append(block)
                parts.append(self.module_(ragged.padded(block)).float())
        finally:
            self.module_.train(was_training)
        if not parts:
            return torch.zeros(0, self._units())
        back = torch.from_numpy(np.argsort(np.concatenate(rows), kind="stable"))
        together = torch.cat(parts)
        return together[back.to(together.device)]
