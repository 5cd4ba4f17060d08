"""What classifiers of pictures share: labels, a validation part, augmentation, scores beside simple models."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.named import name_in
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.augment import Augment, augment_for, augment_named
from ganglion.data.images import Images
from ganglion.data.pictures import unit
from ganglion.data.split import MIN_VALIDATION, stratified_split
from ganglion.data.streamed import RESIDENT_BELOW
from ganglion.estimators.classes import ClassTarget
from ganglion.estimators.pictures.network import PictureNetwork
from ganglion.estimators.supervised import Pass, SupervisedLearner
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import Part, SetUp, answers
from ganglion.objectives.base import Objective
from ganglion.objectives.supervised import Supervised
from ganglion.train.plan import numpy_on_one_thread
from ganglion.train.run import Run

GLANCE = 5_000  # pictures by which augmentation is chosen
SOFT = ("cross_entropy", "kl", "margin")  # losses that take shares of classes for a target
YARDSTICK_COLUMNS = 256  # of the small pictures that simple models get


class PictureClassifier(ClassTarget, PictureNetwork, SupervisedLearner):
    """A network from pictures to classes; subclasses build the module."""

    _unit = "pictures"
    test_time: Annotated[
        Literal["auto", "off"], "auto also asks about the mirrored picture where training mirrored pictures"
    ] = "auto"

    def _build(self, start: Tensor) -> nn.Module:
        """The module for pictures of ``image_shape_``; ``start`` (k,) is the best answer that does not look."""
        raise NotImplementedError

    # --- training -----------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None
    ) -> "PictureClassifier":
        """Learn from pictures X and labels y (n,), with optional weights (n,).

        X may be an array (n, h, w) or (n, h, w, c), a list of such pictures, or a list or column of file paths.
        ``validation`` (n,) is true for the pictures that are not trained on and choose the epoch, such as those of
        whole patients; without it ``validation_fraction`` of them are split off by chance. Raises ``DataError`` or
        ``ParameterError``.
        """
        self._check()
        self._need(y)
        again = self.warm_start and hasattr(self, "module_")
        images = self._read_pictures(X, reset=not again)
        labels = np.asarray(y)
        given = len(images) + len(images.refused)
        if labels.ndim and len(labels) != given:
            raise DataError(f"X and y must have the same number of rows, got {given} and {len(labels)}.")
        weight = read_weight(sample_weight, None, given)[images.kept]
        codes = self._read_target(labels[images.kept], weight, classes=None, keep=again)
        weight = self._class_weighted(codes, weight)
        parts = read_validation(validation, given, images.kept)
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(images, codes, weight, seed, again, parts)

    def _fit(
        self, images: Images, codes: np.ndarray, weight: np.ndarray, seed: int, again: bool,
        parts: tuple[np.ndarray, np.ndarray] | None,
    ) -> "PictureClassifier":  # fmt: skip
        device, rows = self._device(), parts or self._split(codes, seed)
        resident = images.nbytes <= RESIDENT_BELOW
        kept = len(images) if resident else max(1, RESIDENT_BELOW // 4 // (images.nbytes // len(images)))
        rows = within(*rows, kept, back=parts is None)
        seen = spaced(rows[0], kept)
        train, held = (self._part(images, codes, weight, part, device) for part in (seen, rows[1]))
        if not again:
            self._learn_target(codes[rows[0]], weight[rows[0]])
            self._choose_augment(train)
            self.module_ = self._build(self._start(codes[rows[0]], weight[rows[0]]).float())
            self._standardise(train.x)
        self.module_ = self._place(self.module_, device)
        objective = self._objective(self.module_)
        if resident:
            set_up = self._picture_set_up(objective, train.tensors(), self._augment())
        else:
            goal = Part.of(np.empty(0), codes[rows[0]], weight[rows[0]], device, torch.float32).tensors()
            goal.pop("x")
            set_up = self._picture_set_up(objective, goal, self._augment(), images.take(rows[0]))
        self._precision = set_up.plan.precision
        validate = (lambda: self._validation(held)) if len(held.x) else None
        run = self._train(set_up, seed, contents(train, held, images, codes), validate)
        self._finish(run, set_up, train, held, images, len(rows[0]))
        return self

    def _split(self, codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if round(len(codes) * self.validation_fraction) < MIN_VALIDATION:
            return np.arange(len(codes)), np.zeros(0, dtype=np.int64)
        return stratified_split(codes, self.validation_fraction, seed)

    def _part(
        self, images: Images, codes: np.ndarray, weight: np.ndarray, rows: np.ndarray, device: torch.device
    ) -> Part:
        x = self._pixels(images, rows)
        part = Part.of(np.empty(0), codes[rows], weight[rows], device, torch.float32)
        return Part(x.to(device), part.y, part.weight)

    def _choose_augment(self, train: Part) -> None:
        """Learn what varies the pictures and leaves their classes alone, where that is left to us."""
        self.augment_, self.augment_reasons_ = self.augment, []
        if self.augment == "auto":
            some = slice(None, None, max(1, len(train.x) // GLANCE))
            self.augment_, self.augment_reasons_ = augment_for(train.x[some].cpu(), train.y[some].cpu())

    def _check(self) -> None:
        super()._check()
        mixes = self.augment not in (None, "auto") and augment_named(self.augment).mixes
        if mixes and name_in(self.loss) not in SOFT:
            raise ParameterError(
                f"augment={self.augment!r} mixes classes, which loss={self.loss!r} cannot take for a target; use "
                "loss='cross_entropy', or leave mixup and cutmix out."
            )

    def _augment(self) -> Augment | None:
        return augment_named(self.augment_, classes=len(self.classes_)) if self.augment_ else None

    def _objective(self, model: nn.Module) -> Objective:
        return Supervised(model, self._loss(smooth=True), self.l1, self.max_norm, self.activity)

    def _finish(self, run: Run, set_up: SetUp, train: Part, held: Part, images: Images, n_train: int) -> None:
        """Leave what was learned: the module on the CPU, the record, the verdict."""
        scores = self._scores(train, held)
        baselines, facts = self._yardsticks(train.first(20_000), held)
        # what small pictures tell a linear model of labels and scales says nothing of those that a network meets
        facts = {k: v for k, v in facts.items() if k == "confident_errors"}
        self._rest()
        counts = np.bincount(train.y.cpu().numpy(), minlength=len(self.classes_))
        sizes = {
            "n_rows": n_train + len(held.x),
            "n_train": n_train,
            "n_validation": len(held.x),
            "classes": {str(label): int(k) for label, k in zip(self.classes_, counts)},
            "image_shape": list(self.image_shape_),
            "refused": len(images.refused),
        }
        self._record(run, set_up, data=facts | sizes, scores=scores, baselines=baselines)

    # --- answering ----------------------------------------------------------------------------------------

    def _inputs(self, X: Any, dtype: torch.dtype) -> Tensor:
        x = self._pixels(self._read_pictures(X, reset=False))
        return x.to(dtype) if x.is_floating_point() else x.to(dtype) / 255

    def _compared(self, x: Tensor, goal: Tensor) -> Pass:
        """As for tables; where answers take the mirrored pictures in, these go through in the same pass."""
        if not self._mirrors():
            return super()._compared(x, goal)
        value, n = self._loss(smooth=True).value, len(x)

        def cost(output: Tensor) -> Tensor:
            return value((output[:n] + output[n:]) / 2, goal).mean()

        words = f"{self.loss}, mean of {n:,} pictures and their mirrors"
        return Pass((torch.cat([x, x.flip(3)]),), cost, words)

    def _answers(self, x: Tensor) -> Tensor:
        """Outputs in the arithmetic of training, as the loop asks for them after each epoch."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            return answers(self.module_, x, self._together(), self._both_ways).float()

    def _both_ways(self, x: Tensor) -> Tensor:
        """The module's outputs (n, k), averaged with those for the mirrored pictures where mirrors are alike."""
        output = self.module_(x)
        return (output + self.module_(x.flip(3))) / 2 if self._mirrors() else output

    def _mirrors(self) -> bool:
        augment = self._augment() if self.test_time == "auto" else None
        return augment is not None and any(name == "flip" for name, _ in augment.parts)

    def _columns(self, x: Tensor) -> np.ndarray:
        """Small pictures as rows of numbers (n, columns), each the mean of an area."""
        side = max(1, int((YARDSTICK_COLUMNS / x.shape[1]) ** 0.5))
        size = [min(side, s) for s in x.shape[2:]]
        parts = [nn.functional.adaptive_avg_pool2d(unit(part), size).flatten(1) for part in x.split(1000)]
        return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, x.shape[1] * size[0] * size[1]))

    @torch.inference_mode()
    def _outputs(self, X: Any) -> np.ndarray:
        """Raw outputs (n, k) in double precision; files are decoded a block at a time."""
        check_is_fitted(self, ["module_"])
        images, step = self._read_pictures(X, reset=False), self._together()
        blocks = (
            self._pixels(images, np.arange(i, min(i + step, len(images))))
            for i in range(0, len(images), step)
        )
        return torch.cat([self._both_ways(x) for x in blocks]).double().numpy()

    def _promised(self) -> nn.Module:
        return self._build(torch.zeros(self._units()))


def within(
    train: np.ndarray, held: np.ndarray, most: int, *, back: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and at most so many for validation, since these stay in memory.

    The others go ``back`` to training; where the caller keeps the parts asunder they are left out.

    >>> [part.tolist() for part in within(np.array([0, 2]), np.array([1, 3, 4, 5]), 2)]
    [[0, 2, 3, 5], [1, 4]]
    """
    kept = spaced(held, most)
    return (np.sort(np.concatenate([train, np.setdiff1d(held, kept)])) if back else train), kept


def spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // max(most, 1)))]


def contents(train: Part, held: Part, images: Images, codes: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """What a checkpoint of a run on these pictures is named by: those in memory, all labels, the files' names."""
    yield from train.contents()
    yield from held.contents()
    yield "labels", codes.tobytes()
    yield "names", "\n".join(images.names or []).encode()
