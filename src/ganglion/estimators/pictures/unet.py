"""A U-Net that names the class of every pixel, for pictures of any sizes."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Known
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.augment import augment_for, augment_named
from ganglion.data.crops import CropBatches
from ganglion.data.images import Images, read_images, spread
from ganglion.data.masks import nearest
from ganglion.data.pictures import PictureBatches, unit
from ganglion.data.split import plain_split
from ganglion.diagnose.pixels import COLUMNS, linear_masks
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.masks import MaskTarget, Scenes, counted
from ganglion.estimators.pictures.network import PictureNetwork
from ganglion.estimators.table import read_weight
from ganglion.estimators.training import SetUp, rates_of
from ganglion.metrics.segmentation import mask_confusion, mask_scores
from ganglion.models.tiles import in_tiles, over_symmetries
from ganglion.models.unet import UNet
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import NORMS, norm_named
from ganglion.objectives.segmentation import Segmentation
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import numpy_on_one_thread
from ganglion.train.run import Run

SHAPE = ("widths", "convolutions", "kernel", "activation", "norm", "up", "skips")
MIN_VALIDATION = 10  # of fewer pictures none is kept aside
PATCH = 128  # pixels of a crop's side: an epoch's crops of a large picture fit into the processor's caches
TILE = 1024  # pixels of a side up to which a picture is answered at once
ROW = 16 * 16  # pixels that tell as much as a row of a table: neighbours are alike
SCORED = 2**21  # pixels of the training part that its score is taken from


class UNetSegmenter(MaskTarget, PictureNetwork):
    """A network that predicts a class for every pixel: encoder, decoder, and skips between them.

    Ronneberger et al. 2015, arXiv:1505.04597. It is trained on random crops, so that pictures may be large and of
    mixed sizes, and answers in each picture's own size.

    >>> rng = np.random.default_rng(0)
    >>> masks = np.kron(rng.random((12, 4, 4)) > 0.6, np.ones((6, 6), bool))
    >>> X = (80 * masks + rng.integers(0, 100, masks.shape)).astype(np.uint8)
    >>> model = UNetSegmenter(widths=(8, 16), max_epochs=20).fit(X, masks)
    >>> model.predict(X[:2]).shape, bool(model.score(X, masks) > 0.9)
    ((2, 24, 24), True)
    """

    widths: Annotated[tuple[int, ...], AtLeast(1), "channels of each level; between levels the map is halved"] = (
        16, 32, 64, 128
    )  # fmt: skip
    convolutions: Annotated[int, AtLeast(1), "convolutions in each block"] = 2
    kernel: Annotated[int, AtLeast(1), "height and width of the kernels"] = 3
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the hidden units"
    ] = "relu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(NORMS), norm_named), "normalisation of the channels"
    ] = "batch"
    up: Annotated[
        Literal["transposed", "nearest"], "how the map is doubled: learned, or repeated and convolved"
    ] = "transposed"
    skips: Annotated[bool, "whether the decoder sees the encoder's maps of its size"] = True
    patch_size: Annotated[
        int | Literal["auto"],
        AtLeast(1),
        "height and width of training crops; auto: 128, or the pictures' own",
    ] = "auto"
    test_time: Annotated[
        Literal["symmetries"] | None,
        "symmetries answers with the mean over four turns and their mirror images",
    ] = None
    lr, max_epochs = 8e-3, 40

    # --- reading ------------------------------------------------------------------------------------------

    def _read_pictures(self, X: Any, *, reset: bool) -> Images:
        if not reset:
            images = read_images(X, size=self._size(), channels=self.image_shape_[0], corrupt="refuse")
            self._check_range(images)
            return images
        images = read_images(X, size=self._size(), channels=self.image_channels, corrupt=self.corrupt)
        most = PATCH if self.patch_size == "auto" else self.patch_size
        high, wide = self._size() or np.median(images.sizes, axis=0).astype(int).tolist()
        self.image_shape_ = (images.channels, min(most, high), min(most, wide))  # of a crop
        self.pixel_range_ = tuple(float(v) for v in images.range)
        self.n_features_in_ = int(np.prod(self.image_shape_))
        return images

    def _own(self, images: Images) -> list[Tensor]:
        """The pictures (c, h, w) in their own sizes, or in ``image_size``."""
        one = images.picture if self.image_size is None else lambda i: images.tensor([i])[0]
        pieces = spread(lambda start, stop: [self._in_range(one(i)) for i in range(start, stop)], len(images))
        return [picture for piece in pieces for picture in piece]

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "UNetSegmenter":
        """Learn from pictures X and their masks y, with optional weights (n,) of the pictures.

        X may be an array (n, h, w) or (n, h, w, c), a list of such pictures, also of mixed sizes, or of file paths.
        y is an array (n, h, w) or a list of masks (h, w) of numbers, truth values or texts, or of file paths; -1 and
        ``ignore`` say "not judged". Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._need(y, "masks")
        again = self.warm_start and hasattr(self, "module_")
        images = self._read_pictures(X, reset=not again)
        masks = self._read_target(y, images, keep=again)
        weight = read_weight(sample_weight, None, len(images) + len(images.refused))[images.kept]
        pictures = self._own(images)
        sized = (nearest(mask, (p.shape[1], p.shape[2])) for mask, p in zip(masks, pictures))
        scenes = Scenes(pictures, [torch.from_numpy(mask) for mask in sized], weight)
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(scenes, seed, again, len(images.refused))

    def _fit(self, scenes: Scenes, seed: int, again: bool, refused: int) -> "UNetSegmenter":
        device = self._device()
        train, held = (scenes.take(rows).to(device) for rows in self._split(len(scenes), seed))
        counts = self._pixel_counts(train)
        if not counts.sum():
            raise DataError("the training masks hold no judged pixel; give at least one.")
        if not again:
            self._choose_augment(train)
            self.module_ = self._build(self._start(counts).float())
            self._standardise(self._looked_at(train))
        self.module_ = self._place(self.module_, device)
        loss = self._loss(self._class_weights(counts, device))
        objective = Segmentation(self.module_, loss, self.l1, self.max_norm, self.activity)
        set_up = self._set_up(objective, train, device)
        self._precision = set_up.plan.precision
        validate = (lambda: self._validation(held)) if len(held) else None
        data = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, data, validate)
        self._finish(run, set_up, train, held, refused)
        return self

    def _split(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if n < MIN_VALIDATION or not self.validation_fraction:
            return np.arange(n), np.zeros(0, dtype=np.int64)
        return plain_split(n, self.validation_fraction, seed)

    def _looked_at(self, train: Scenes) -> Tensor:
        """Pieces (n, c, h, w) from the middle of the pictures, all of the smallest one's size."""
        height, width = (min(p.shape[axis] for p in train.pictures) for axis in (1, 2))
        corners = [((p.shape[1] - height) // 2, (p.shape[2] - width) // 2) for p in train.pictures]
        cut = [p[:, a : a + height, b : b + width] for p, (a, b) in zip(train.pictures, corners)]
        return torch.stack(cut)

    def _choose_augment(self, train: Scenes) -> None:
        """Learn which moved pictures could be there as well; masks move along, so that none of them is wrong."""
        self.augment_, self.augment_reasons_ = self.augment, []
        if self.augment == "auto":
            found, reasons = augment_for(self._looked_at(train).cpu(), None)
            parts = [part for part in found.split("+") if part and not part.startswith("crop")]
            self.augment_ = "+".join(parts) or None
            self.augment_reasons_ = reasons[:-1]  # the last is about shifts, and crops are shifted

    def _build(self, start: Tensor) -> nn.Module:
        shape = {k: plain(getattr(self, k)) for k in SHAPE}
        return UNet(self.image_shape_[0], len(start), output_bias=start, **shape)

    def _set_up(self, objective: Segmentation, train: Scenes, device: torch.device) -> SetUp:
        """Optimiser, batches of crops and plan of a run."""
        size, weight = self.image_shape_[1:], train.scaled_weight(device)
        least = 2 if objective.couples_batch else 1
        n = len(CropBatches(train.pictures, train.masks, size, 1, least=least).rows)
        plan = self._picture_plan(objective.model, n, device)
        crops = CropBatches(train.pictures, train.masks, size, plan.batch_size, least=least, weight=weight)
        augment = augment_named(self.augment_) if self.augment_ else None
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(self, objective, optimizer, PictureBatches(crops, augment), plan)

    def _validation(self, held: Scenes) -> dict[str, float]:
        """Loss and score of the pictures kept aside, by the module as it stands."""
        found = self._judged(held, self._logits(held.pictures))
        return {"val_loss": found["loss"], "val_score": found["score"]}

    def _finish(self, run: Run, set_up: SetUp, train: Scenes, held: Scenes, refused: int) -> None:
        """Leave what was learned: the module on the CPU, the record, the verdict."""
        pixels = np.cumsum([m.numel() for m in train.masks])
        some = train.take(np.arange(max(1, int((pixels <= SCORED).sum()))))
        parts = {"train": some, **({"validation": held} if len(held) else {})}
        scores = {name: self._judged(part, self._logits(part.pictures)) for name, part in parts.items()}
        baselines = self._yardsticks(train, held if len(held) else some)
        self._rest()
        rows = [sum(m.numel() for m in part.masks) // ROW for part in (train, held)]
        facts = {
            "n_rows": sum(rows),
            "n_train": rows[0],
            "n_validation": rows[1],
            "n_columns": COLUMNS * self.image_shape_[0],
            "n_pictures": len(train) + len(held),
            "classes": {str(label): int(n) for label, n in zip(self.classes_, self._pixel_counts(train))},
            "image_shape": list(self.image_shape_),
            "refused": refused,
        }
        self._record(run, set_up, data=facts, scores=scores, baselines=baselines)

    def _yardsticks(self, train: Scenes, held: Scenes) -> dict[str, dict[str, float]]:
        """The most frequent class everywhere, and a linear model of each pixel's level, surroundings and slopes."""
        k, counts = len(self.classes_), self._pixel_counts(train)
        start = self._start(counts)[:, None, None]
        dummy = self._judged(held, (start.expand(k, *m.shape) for m in held.masks))
        pictures, others = ([unit(p.cpu()).numpy() for p in part.pictures] for part in (train, held))
        said = linear_masks(pictures, [m.cpu().numpy() for m in train.masks], others, k)
        tables = [counted(m.cpu(), torch.as_tensor(one), k) for m, one in zip(held.masks, said)]
        return {"dummy": dummy, "linear": mask_scores(np.sum(tables, axis=0))}

    # --- answering ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _logits(self, pictures: list[Tensor]) -> Iterator[Tensor]:
        """Logits (k, h, w) of pictures that lie on the device, in the arithmetic of training."""
        was_training, device = self.module_.training, self._device().type
        self.module_.eval()
        with torch.autocast(device, torch.bfloat16, enabled=self._precision == "bf16"):
            found = [self._whole(self.module_, picture[None])[0].float() for picture in pictures]
        self.module_.train(was_training)
        return iter(found)

    def _whole(self, answer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The answer for pictures (n, c, h, w), in tiles where they are large and the network sees no further."""
        net = self.module_
        if max(x.shape[2:]) <= TILE or not net.local:
            return answer(x)
        return in_tiles(answer, x, TILE, net.reach, net.multiple)

    @torch.inference_mode()
    def _shares(self, picture: Tensor) -> Tensor:
        """Probabilities (k, h, w) of a picture (c, h, w)."""

        def answer(x: Tensor) -> Tensor:
            return self._whole(lambda part: torch.softmax(self.module_(part), 1), x)

        x = picture[None]
        return (over_symmetries(answer, x) if self.test_time == "symmetries" else answer(x))[0]

    def _probabilities(self, images: Images) -> Iterator[np.ndarray]:
        """Probabilities (k, h, w) of each picture, in its own size."""
        for i, size in enumerate(images.sizes.tolist()):
            share = self._shares(self._own(images.take([i]))[0])
            if list(share.shape[1:]) != size:
                share = nn.functional.interpolate(share[None], size, mode="bilinear", antialias=True)[0]
            yield share.numpy()

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes, in the order of ``classes_``: (n, k, h, w), or a list where sizes are mixed."""
        check_is_fitted(self, ["module_"])
        return _together(list(self._probabilities(self._read_pictures(X, reset=False))))

    def predict(self, X: Any) -> Any:
        """The most probable class of each pixel: (n, h, w), or a list of masks (h, w) where sizes are mixed."""
        check_is_fitted(self, ["module_"])
        shares = self._probabilities(self._read_pictures(X, reset=False))
        return _together([self.classes_[share.argmax(0)] for share in shares])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The Dice of the second of two classes, of more classes the mean, over all pixels of all pictures."""
        check_is_fitted(self, ["module_"])
        images, k = self._read_pictures(X, reset=False), len(self.classes_)
        masks = self._read_target(y, images, keep=True)
        parts = zip(masks, self._probabilities(images), read_weight(sample_weight, None, len(images)))
        tables = [w * mask_confusion([mask], [share.argmax(0)], range(k)) for mask, share, w in parts]
        return mask_scores(np.sum(tables, axis=0))["score"]

    def _promised(self) -> nn.Module:
        return self._build(torch.zeros(self.n_outputs_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _together(found: list[np.ndarray]) -> Any:
    """One array where all have one shape, else the list."""
    return np.stack(found) if len({one.shape for one in found}) == 1 else found
