"""A detector of objects in pictures: one stage, no anchors, trained from scratch on few pictures."""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import Above, AtLeast, Between, Known, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.augment import Augment, augment_for, augment_named
from ganglion.data.images import Images
from ganglion.data.objects import Objects, padded, read_objects
from ganglion.data.split import MIN_VALIDATION, plain_split
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.network import PictureNetwork
from ganglion.estimators.table import read_weight
from ganglion.estimators.training import answers, weighted_mean
from ganglion.metrics.detection import Detections, average_precisions, mean_average_precision
from ganglion.models.detector import Detector
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import NORMS, norm_named
from ganglion.objectives.detection import Detection
from ganglion.train.plan import numpy_on_one_thread

SCORED = 200  # training pictures that the training score is taken from
SMALL_SIDE = (
    20.0  # pixels that the shorter sides of nearly all boxes shall keep where pictures are made smaller
)
NEARLY_ALL = 0.05
MOST = 100  # objects found in a picture, as COCO counts them
LEAST_SCORE = 0.01  # that a detection needs to count in ``score``
SCALES = "affine(scale=0.25)"  # objects come in other sizes; joins what the pictures allow
SHAPE = ("widths", "blocks", "stride", "activation", "norm")


class Part(NamedTuple):
    """Pictures of one part: on the device x, boxes (n, M, 4), labels (n, M), weight (n,) or none; what is in them.

    ``truth`` has their objects in their own pixels, ``sizes`` (n, 2) their own heights and widths.
    """

    x: Tensor
    boxes: Tensor
    labels: Tensor
    weight: Tensor | None
    truth: list[Objects]
    sizes: np.ndarray

    def tensors(self) -> dict[str, Tensor]:
        """By the names that batches use."""
        return {name: part for name, part in self._asdict().items() if isinstance(part, Tensor)}

    def first(self, n: int) -> "Part":
        """The first n pictures."""
        return Part(*(None if part is None else part[:n] for part in self))  # type: ignore[arg-type]

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """The tensors as bytes, with names and shapes: what a checkpoint of a run on them is named by."""
        for name, part in self.tensors().items():
            yield f"{name} {tuple(part.shape)}", part.cpu().numpy().tobytes()


class ObjectDetector(PictureNetwork):
    """Finds objects in pictures: where they are and of which class.

    A small network gives scores and box sides at every place of one map (``models.detector``); it needs no
    pretrained weights. Pictures are stretched to one size, and boxes with them; ``image_size=None`` takes the
    pictures' own, made smaller as long as nearly all boxes keep 20 pixels on their shorter side.

    >>> import numpy as np
    >>> X = np.zeros((20, 32, 32), np.uint8)
    >>> X[:, 8:20, 6:18] = 255
    >>> model = ObjectDetector(widths=(8, 16), stride=4, lr=0.01, max_epochs=15, batch_size=4, augment=None)
    >>> found = model.fit(X, [([[6, 8, 18, 20]], ["square"])] * 20).predict(X[:1])[0]
    >>> str(found.labels[0]), bool(np.abs(found.boxes[0] - [6, 8, 18, 20]).max() < 2)
    ('square', True)
    """

    widths: Annotated[tuple[int, ...], AtLeast(1), "channels of each stage; each halves the map"] = (
        16, 32, 64, 128, 128
    )  # fmt: skip
    blocks: Annotated[int, AtLeast(1), "residual blocks of each stage but the first"] = 1
    stride: Annotated[
        int, AtLeast(2), "pixels between the places that objects are looked for at; 2, 4, 8 ..."
    ] = 8
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the hidden units"
    ] = "gelu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(NORMS), norm_named), "normalisation of the channels"
    ] = "batch"
    box_weight: Annotated[
        float, Above(0), Search(1, 20, log=True), "what an error of the boxes costs beside one of the scores"
    ] = 5.0
    score_threshold: Annotated[float, Between(0, 1), "score from which predict tells of an object"] = 0.3
    nms_threshold: Annotated[
        float, Between(0, 1), "IoU above which the lower of two boxes of a class is left out"
    ] = 0.5
    max_epochs, early_stopping = 30, False

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "detection"

    def _check(self) -> None:
        super()._check()
        strides = [2 ** (i + 1) for i in range(len(self.widths))]
        if self.stride not in strides:
            raise ParameterError(
                f"ObjectDetector's stride must be one of {strides} with {len(self.widths)} widths, got "
                f"{self.stride!r}; choose one of these."
            )

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ObjectDetector":
        """Learn from pictures X and the objects y in each, with optional weights (n,) of the pictures.

        X is an array (n, h, w) or (n, h, w, c), a list of such pictures, or a list or column of file paths. y has for
        each picture (boxes (m, 4), labels (m,)), boxes as x0, y0, x1, y1 in the picture's own pixels, or a dict of
        these names, or is what ``data.boxes`` reads; no objects are ``([], [])``. Objects that are ``hard`` are
        neither right nor wrong to find. Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._need(y)
        again = self.warm_start and hasattr(self, "module_")
        images = self._read_pictures(X, reset=not again)
        given = read_objects(y)
        n = len(images) + len(images.refused)
        if len(given) != n:
            read_objects(given, np.zeros((n, 2)))
        objects = read_objects([given[i] for i in images.kept], images.sizes)
        weight = read_weight(sample_weight, None, n)[images.kept]
        self._learn_classes(objects, again)
        if not again and self.image_size is None:
            self._choose_size(images, objects)
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(images, objects, weight, seed, again)

    def _learn_classes(self, objects: list[Objects], again: bool) -> None:
        labels = [one.labels[~one.hard] for one in objects if len(one.labels)]
        kinds = {"text" if part.dtype.kind == "U" else "number" for part in labels}
        if len(kinds) > 1:
            raise DataError("labels of one kind are expected, got texts and numbers; make them all texts.")
        found = np.unique(np.concatenate(labels)) if labels else np.zeros(0)
        if not len(found):
            raise DataError("at least one object is expected to learn from, but no picture has one; check y.")
        if again and not np.isin(found, self.object_classes_).all():
            raise DataError(
                f"a further fit expects the classes of the first, {self.object_classes_.tolist()}, got "
                f"{found.tolist()}; set warm_start=False."
            )
        if not again:
            self.object_classes_ = found

    def _choose_size(self, images: Images, objects: list[Objects]) -> None:
        """Make pictures smaller as long as nearly all boxes stay large enough to be told from their ground."""
        scale = np.array(images.size) / images.sizes
        sides = np.concatenate(
            [((one.boxes[:, 2:] - one.boxes[:, :2]) * s[::-1]).min(1) for one, s in zip(objects, scale)]
        )
        shrink = min(1.0, SMALL_SIDE / float(np.quantile(sides, NEARLY_ALL)))
        images.size = tuple(max(1, round(side * shrink)) for side in images.size)  # type: ignore[assignment]
        self.image_shape_ = (images.channels, *images.size)
        self.n_features_in_ = int(np.prod(self.image_shape_))

    def _fit(
        self, images: Images, objects: list[Objects], weight: np.ndarray, seed: int, again: bool
    ) -> "ObjectDetector":
        device, n = self._device(), len(images)
        rows = np.arange(n), np.zeros(0, np.int64)
        if round(n * self.validation_fraction) >= MIN_VALIDATION:
            rows = plain_split(n, self.validation_fraction, seed)
        train, held = (self._part(images, objects, weight, part, device) for part in rows)
        if not again:
            self._choose_augment(train)
            self.module_ = Detector(
                self.image_shape_, len(self.object_classes_), side=mean_side(train), **self._shape()
            )
            self._standardise(train.x)
        self.module_ = self._place(self.module_, device)
        objective = Detection(self.module_, float((train.labels >= 0).sum() / len(train.x)), self.box_weight)
        set_up = self._picture_set_up(objective, train.tensors(), self._augment())
        self._precision = set_up.plan.precision
        validate = (lambda: self._validation(objective, held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held.x) else {})
        scores = {name: self._scores(objective, part) for name, part in parts.items()}
        self._rest()
        self._record(run, set_up, data=self._facts(train, held, images), scores=scores, baselines={})
        return self

    def _part(
        self,
        images: Images,
        objects: list[Objects],
        weight: np.ndarray,
        rows: np.ndarray,
        device: torch.device,
    ) -> Part:
        truth, sizes = [objects[i] for i in rows], images.sizes[rows]
        boxes, labels = padded(truth, self.object_classes_, np.array(images.size) / sizes)
        uneven = len(rows) and np.ptp(weight[rows]) > 0
        share = torch.as_tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32) if uneven else None
        tensors = (self._pixels(images, rows), boxes, labels, share)
        return Part(*(None if t is None else t.to(device) for t in tensors), truth, sizes)  # type: ignore[arg-type]

    def _choose_augment(self, train: Part) -> None:
        """Learn what varies the pictures and could be there, where that is left to us."""
        self.augment_, self.augment_reasons_ = self.augment, []
        if self.augment == "auto":
            text, self.augment_reasons_ = augment_for(train.x.cpu(), None)
            self.augment_ = f"{text}+{SCALES}" if text else SCALES

    def _augment(self) -> Augment | None:
        return augment_named(self.augment_) if self.augment_ else None

    def _shape(self) -> dict[str, Any]:
        return {k: plain(getattr(self, k)) for k in SHAPE}

    def _facts(self, train: Part, held: Part, images: Images) -> dict[str, Any]:
        codes = train.labels[train.labels >= 0].cpu().numpy()
        counts = np.bincount(codes, minlength=len(self.object_classes_))
        return {
            "n_rows": len(train.x) + len(held.x),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "objects": {str(label): int(k) for label, k in zip(self.object_classes_, counts)},
            "image_shape": list(self.image_shape_),
            "refused": len(images.refused),
        }

    # --- judging ------------------------------------------------------------------------------------------

    def _validation(self, objective: Detection, held: Part) -> dict[str, float]:
        loss, found = self._look(objective, held)
        return {"val_loss": loss, "val_score": map50(held.truth, found)}

    def _scores(self, objective: Detection, part: Part) -> dict[str, float]:
        loss, found = self._look(objective, part)
        scores = mean_average_precision(part.truth, found)
        return {"loss": loss, "score": scores["map50"], **scores}

    @torch.inference_mode()
    def _look(self, objective: Detection, part: Part) -> tuple[float, list[Detections]]:
        """Mean loss and detections of pictures that lie on the device."""
        with torch.autocast(part.x.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            output = answers(self.module_, part.x, self._together()).float()
        losses = sum(objective.losses(output, part.boxes, part.labels).values())
        return weighted_mean(losses, part.weight), self._found(output, part.sizes, LEAST_SCORE)

    # --- answering ----------------------------------------------------------------------------------------

    def _found(self, output: Tensor, sizes: np.ndarray, least: float) -> list[Detections]:
        """The objects that outputs speak of, in the pixels of pictures of these sizes (n, 2)."""
        boxes, codes, scores = (
            part.cpu().numpy() for part in self.module_.detect(output, MOST, self.nms_threshold)
        )
        scale = np.tile(sizes[:, ::-1] / np.array(self.image_shape_[:0:-1]), 2).astype(np.float32)
        boxes = boxes * scale[:, None]
        return [
            Detections(box[seen], self.object_classes_[code[seen]], score[seen])
            for box, code, score, seen in zip(boxes, codes, scores, scores >= max(least, 1e-6))
        ]

    @torch.inference_mode()
    def _detections(self, X: Any, least: float) -> tuple[list[Detections], Images]:
        check_is_fitted(self, ["module_"])
        images, step = self._read_pictures(X, reset=False), self._together()
        found: list[Detections] = []
        for i in range(0, len(images), step):
            rows = np.arange(i, min(i + step, len(images)))
            found += self._found(self.module_(self._pixels(images, rows)), images.sizes[rows], least)
        return found, images

    def predict(self, X: Any) -> list[Detections]:
        """What is in each picture, best first: ``boxes`` (k, 4) in its own pixels, ``labels`` and ``scores`` (k,)."""
        return self._detections(X, self.score_threshold)[0]

    def score(self, X: Any, y: Any) -> float:
        """The mean average precision at IoU 0.5 (``metrics.detection``) on pictures X with the objects y."""
        found, images = self._detections(X, LEAST_SCORE)
        return map50(read_objects(y, images.sizes), found)

    def _promised(self) -> Detector:
        return Detector(self.image_shape_, len(self.object_classes_), **self._shape())


def map50(truth: list[Objects], found: list[Detections]) -> float:
    """The mean over classes of the average precision at IoU 0.5."""
    parts = average_precisions(truth, found, ious=(0.5,)).values()
    return float(np.mean(list(parts))) if parts else float("nan")


def mean_side(part: Part) -> float:
    """The geometric mean of the boxes' sides in pixels."""
    sides = (part.boxes[..., 2:] - part.boxes[..., :2])[part.labels != -1]
    return float(sides.clamp(min=1).log().mean().exp())
