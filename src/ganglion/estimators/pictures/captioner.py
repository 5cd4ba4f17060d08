"""A network that describes pictures in words, and shows where it looks for each."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.errors import ParameterError
from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.augment import Augment, augment_named
from ganglion.data.captions import SPECIAL, coded, read_captions, texts_of, vocabulary
from ganglion.data.images import Images
from ganglion.data.split import plain_split
from ganglion.estimators.base import plain
from ganglion.estimators.pictures.network import PictureNetwork
from ganglion.estimators.table import read_weight
from ganglion.estimators.training import weighted_mean
from ganglion.metrics.bleu import bleu
from ganglion.models.captioner import CaptionNet
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.norms import NORMS, norm_named
from ganglion.objectives.caption import Captioning
from ganglion.train.plan import numpy_on_one_thread

MIN_VALIDATION = 10  # fewer pictures tell epochs apart by luck
SCORED = 1_000  # training pictures that the training score is taken from
SHAPE = ("widths", "convolutions", "kernel", "units", "attention", "activation", "norm", "dropout")


class Part(NamedTuple):
    """Pictures of one part: on the device x (n, c, h, w), words (n, R, T), weight (n,) or none; and their captions."""

    x: Tensor
    words: Tensor
    weight: Tensor | None
    captions: list[list[str]]

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


class ImageCaptioner(PictureNetwork):
    """Describes pictures: convolutions see, an LSTM says word after word, attention picks the place for each.

    Xu et al. 2015, arXiv:1502.03044. Words are what stands between white space in the training captions; learned:
    ``words_``, the most frequent first, and ``steps_``, words of the longest caption with its end.

    >>> X = np.zeros((40, 8, 8), np.uint8)
    >>> X[::2, 2:6, :3] = X[1::2, 2:6, 5:] = 255
    >>> captions = ["a bar on the left", "a bar on the right"] * 20
    >>> model = ImageCaptioner(widths=(8,), units=32, lr=0.01, batch_size=8).fit(X, captions)
    >>> model.predict(X[:2])
    ['a bar on the left', 'a bar on the right']
    """

    widths: Annotated[tuple[int, ...], AtLeast(1), "channels of each stage; each halves the map"] = (
        32, 64
    )  # fmt: skip
    convolutions: Annotated[int, AtLeast(1), "convolutions in each stage"] = 2
    kernel: Annotated[int, AtLeast(1), "height and width of the kernels"] = 3
    units: Annotated[int, AtLeast(2), "of the LSTM; word vectors and attention have half as many"] = 256
    attention: Annotated[
        Literal["soft", "hard"], "soft takes the mean of all places by weight, hard takes one place"
    ] = "soft"
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the convolutions"
    ] = "gelu"
    norm: Annotated[
        str | None, Known("norm", lambda: list(NORMS), norm_named), "normalisation of the channels"
    ] = "batch"
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of the last layer's inputs dropped"
    ] = 0.0
    min_count: Annotated[int, AtLeast(1), "how often a word must stand in the captions to be learned"] = 1
    beam: Annotated[int, AtLeast(1), "beginnings of a caption that are followed; 1 is greedy"] = 3
    length_power: Annotated[
        float, Between(0, 1), "0 looks for the most probable caption, 1 for the highest mean log P of a word"
    ] = 0.0

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "captioning"

    def _check(self) -> None:
        super()._check()
        if self.augment not in (None, "auto") and augment_named(self.augment).mixes:
            raise ParameterError(
                f"augment={self.augment!r} mixes pictures, and no caption describes two at once; leave mixup and "
                "cutmix out."
            )

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ImageCaptioner":
        """Learn from pictures X and their captions y, with optional weights (n,) of the pictures.

        X is an array (n, h, w) or (n, h, w, c), a list of such pictures, or a list or column of file paths. y has for
        each picture a text, or a list of several. Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._need(y, "captions")
        again = self.warm_start and hasattr(self, "module_")
        images = self._read_pictures(X, reset=not again)
        n = len(images) + len(images.refused)
        given = read_captions(y, n)
        captions = [given[i] for i in images.kept]
        weight = read_weight(sample_weight, None, n)[images.kept]
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(images, captions, weight, seed, again)

    def _fit(
        self, images: Images, captions: list[list[str]], weight: NDArray, seed: int, again: bool
    ) -> "ImageCaptioner":
        device, n = self._device(), len(images)
        rows = np.arange(n), np.zeros(0, np.int64)
        if round(n * self.validation_fraction) >= MIN_VALIDATION:
            rows = plain_split(n, self.validation_fraction, seed)
        if not again:
            self._learn_words([captions[i] for i in rows[0]])
        train, held = (self._part(images, captions, weight, part, device) for part in rows)
        if not again:
            self.module_ = self._build()
            self._standardise(train.x)
        self.module_ = self._place(self.module_, device)
        objective = Captioning(self.module_)
        set_up = self._picture_set_up(objective, train.tensors(), self._augment())
        self._precision = set_up.plan.precision
        validate = (lambda: self._validation(objective, held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held.x) else {})
        scores = {name: self._scores(objective, part) for name, part in parts.items()}
        self._rest()
        dummy = _dummy(train.captions, (held if len(held.x) else train).captions)
        facts = self._facts(train, held, images)
        self._record(run, set_up, data=facts, scores=scores, baselines={"dummy": dummy})
        return self

    def _learn_words(self, captions: list[list[str]]) -> None:
        """Learn the vocabulary and the longest caption, and what varies the pictures."""
        self.words_ = vocabulary(captions, self.min_count)
        self.steps_ = coded(captions, self.words_).shape[2]
        self.augment_, self.augment_reasons_ = self.augment, []
        if self.augment == "auto":
            self.augment_ = None
            self.augment_reasons_ = [
                "pictures stay as they are: captions speak of sides, colours and numbers"
            ]

    def _augment(self) -> Augment | None:
        return augment_named(self.augment_) if self.augment_ else None

    def _build(self) -> CaptionNet:
        shape = {k: plain(getattr(self, k)) for k in SHAPE}
        return CaptionNet(self.image_shape_, SPECIAL + len(self.words_), **shape)

    def _part(
        self, images: Images, captions: list[list[str]], weight: NDArray, rows: NDArray, device: torch.device
    ) -> Part:
        own = [captions[i] for i in rows]
        uneven = len(rows) and np.ptp(weight[rows]) > 0
        share = torch.as_tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32) if uneven else None
        words = torch.from_numpy(coded(own, self.words_))
        tensors = (self._pixels(images, rows), words, share)
        return Part(*(None if t is None else t.to(device) for t in tensors), own)  # type: ignore[arg-type]

    def _facts(self, train: Part, held: Part, images: Images) -> dict[str, Any]:
        return {
            "n_rows": len(train.x) + len(held.x),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "captions": sum(map(len, train.captions + held.captions)),
            "words": len(self.words_),
            "longest": self.steps_ - 1,
            "image_shape": list(self.image_shape_),
            "refused": len(images.refused),
        }

    # --- judging ------------------------------------------------------------------------------------------

    def _validation(self, objective: Captioning, held: Part) -> dict[str, float]:
        found = self._scores(objective, held)
        return {"val_loss": found["loss"], "val_score": found["score"]}

    @torch.inference_mode()
    def _scores(self, objective: Captioning, part: Part) -> dict[str, float]:
        """Mean loss, share of captions exactly right, and BLEU, in the arithmetic of training."""
        was_training = objective.training
        objective.eval()
        losses, texts = [], []
        with torch.autocast(part.x.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            for x, words in zip(*(t.split(self._together()) for t in (part.x, part.words))):
                losses.append(objective({"x": x, "words": words}, "train").loss)
                texts += texts_of(self._said(x)[0].cpu().numpy(), self.words_)
        objective.train(was_training)
        return {"loss": weighted_mean(torch.cat(losses), part.weight), **judged(texts, part.captions)}

    # --- answering ----------------------------------------------------------------------------------------

    def _said(self, x: Tensor) -> tuple[Tensor, Any]:
        """Codes (n, T) of the captions of pictures on the device, and what the decoder saw of them."""
        memory = self.module_.look(x)
        search = {"steps": self.steps_, "beam": self.beam, "length_power": self.length_power}
        return self.module_.search(memory, **search)[0], memory

    def _blocks(self, X: Any) -> Iterator[Tensor]:
        """Pictures as tensors, a block at a time."""
        check_is_fitted(self, ["module_"])
        images, step = self._read_pictures(X, reset=False), self._together()
        for i in range(0, len(images), step):
            yield self._pixels(images, np.arange(i, min(i + step, len(images))))

    @torch.inference_mode()
    def predict(self, X: Any) -> list[str]:
        """The caption of each picture."""
        blocks = (self._said(x)[0].numpy() for x in self._blocks(X))
        return [text for codes in blocks for text in texts_of(codes, self.words_)]

    @torch.inference_mode()
    def attend(self, X: Any) -> NDArray[np.float32]:
        """Where it looks for each word of ``predict``'s captions: weights (n, ``steps_``, h, w) of the grid's places.

        Each step's weights sum to 1, those behind the end, which is a step of its own, are 0.
        """
        found = []
        for x in self._blocks(X):
            words, memory = self._said(x)
            weights = self.module_.tell(memory, words).weights * (words >= 0)[..., None]
            found.append(weights.unflatten(2, self.module_.grid).float().numpy())
        return np.concatenate(found)

    def score(self, X: Any, y: Any) -> float:
        """The share of pictures whose caption is, word by word, one of those in y."""
        texts = self.predict(X)
        return judged(texts, read_captions(y, len(texts)))["score"]

    def _promised(self) -> CaptionNet:
        return self._build()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def judged(texts: Sequence[str], captions: Sequence[Sequence[str]]) -> dict[str, float]:
    """``score``, the share of texts that are one of their captions, and ``bleu`` of all.

    >>> judged(["a disc", "a cross"], [["a disc", "one disc"], ["a square"]])["score"]
    0.5
    """
    right = [text in several for text, several in zip(texts, captions)]
    return {"score": float(np.mean(right)), "bleu": bleu(texts, captions)}


def _dummy(train: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> dict[str, float]:
    """The scores of always saying the most frequent caption."""
    texts, counts = np.unique([text for several in train for text in several], return_counts=True)
    return judged([str(texts[counts.argmax()])] * len(others), others)
