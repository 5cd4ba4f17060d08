"""Speech to text: log-mel features, convolutions, a reader, and CTC; and keywords in long streams."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.padded import Ragged, RaggedBatches
from ganglion.data.pictures import PictureBatches
from ganglion.data.sound import read_sounds
from ganglion.data.split import MIN_VALIDATION, plain_split
from ganglion.data.tokens import SPECIALS, UNKNOWN, read_texts, tokenizer_named
from ganglion.data.vary import Vary
from ganglion.estimators.base import plain
from ganglion.estimators.learner import Learner
from ganglion.estimators.sequences.reader import READER
from ganglion.estimators.sequences.speech_fields import SpeechFields
from ganglion.estimators.sequences.spotting import Spotting
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import SetUp, make_plan, rates_of, weighted_mean
from ganglion.metrics.edits import word_error_rate
from ganglion.models.ctc import ctc_beam, ctc_greedy
from ganglion.models.speech import SpeechNet
from ganglion.objectives.ctc import CTC, ctc_losses, steps_needed
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import numpy_on_one_thread

SHAPE = ("rate", "bands", "stride", "normalise", "range_db", *READER)
FIRST = 2  # label of the tokenizer's first own code; 0 is the blank, 1 what was not learned
ANSWER_SAMPLES = 2**20  # of all waves that go through the network together outside training
SCORED = 1_000  # training recordings that the training score is taken from
STATISTICS = 2**23  # samples that the features' mean and spread are taken from
LONGEST = 20  # seconds of a stream that are heard at a time at most
HOP = 0.01  # seconds from a frame to the next


class Part(NamedTuple):
    """Recordings of one part: waves, labels (n, L) with 0 behind them, weight (n,) or none, and their texts."""

    x: Ragged
    y: Tensor
    weight: Tensor | None
    texts: list[str]

    def tensors(self) -> dict[str, Tensor]:
        """What batches carry beside the waves."""
        return {"y": self.y} | ({} if self.weight is None else {"weight": self.weight})

    def first(self, n: int) -> "Part":
        """The first n recordings."""
        return Part(self.x[:n], self.y[:n], None if self.weight is None else self.weight[:n], self.texts[:n])

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield from self.x.contents()
        for name, tensor in self.tensors().items():
            yield f"{name} {tuple(tensor.shape)}", tensor.cpu().numpy().tobytes()


class SpeechRecognizer(SpeechFields, Spotting, Learner):
    """Writes down what is said: log-mel features, convolutions, a recurrent network or attention, and CTC.

    Graves et al. 2006 ("Connectionist temporal classification"): texts need no times. Its labels are words, characters
    or pieces of words, see ``tokens``. The module takes waves in [-1, 1], NaN behind their ends. Learned:
    ``tokenizer_``, ``longest_`` (samples of the longest recording, at most 20 s), ``thresholds_`` (of keywords).

    >>> tone = {word: np.sin(np.arange(800) * pitch) / 2 for word, pitch in (("low", 0.3), ("high", 1.5))}
    >>> texts = ["low", "high", "low high", "high low"] * 10
    >>> X = [np.concatenate([tone[word] for word in text.split()]) for text in texts]
    >>> quick = {"units": 16, "layers": 1, "lr": 0.02, "max_epochs": 10, "mask_bands": 0, "noise": 0.0}
    >>> model = SpeechRecognizer(cell="gru", **quick).fit(X, texts)
    >>> model.predict([np.concatenate([tone["low"], tone["high"]])])
    ['low high']
    """

    lr, max_epochs, clip_norm = 3e-3, 40, 1.0
    preprocessor_ = None

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "speech"

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> "SpeechRecognizer":
        """Learn from recordings X and what is said in each, y (n,), with optional weights (n,).

        X is an array (n, T), a list of arrays (T_i,) at ``rate`` samples a second, or a list of paths of sound files;
        see ``data.sound.read_sounds``. A text may be empty: nothing is said. ``validation`` (n,) is true for the
        recordings that are not trained on and choose the epoch; without it ``validation_fraction`` of them are split
        off by chance. Raises ``ParameterError``, and ``DataError``, also for a recording that is too short for its
        text.
        """
        self._check()
        self._need(y, "what is said in each recording")
        again = self.warm_start and hasattr(self, "module_")
        waves = read_sounds(X, self.rate)[0]
        texts = read_texts(y)
        if len(texts) != len(waves):
            raise DataError(
                f"X and y must have the same number of rows, got {len(waves)} recordings and {len(texts)} texts."
            )
        weight = read_weight(sample_weight, None, len(waves))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            rows = read_validation(validation, len(waves)) or self._split(len(waves), seed)
            return self._fit(waves, texts, weight, rows, seed, again)

    def _split(self, n: int, seed: int) -> tuple[NDArray, NDArray]:
        if round(n * self.validation_fraction) < MIN_VALIDATION:
            return np.arange(n), np.zeros(0, np.int64)
        return plain_split(n, self.validation_fraction, seed)

    def _fit(
        self, waves: list, texts: list[str], weight: NDArray, rows: tuple[NDArray, NDArray], seed: int,
        again: bool,
    ) -> "SpeechRecognizer":  # fmt: skip
        device = pick_device(self.device)
        if not again:
            self._learn([texts[i] for i in rows[0]])
            self.longest_ = min(max(len(waves[i]) for i in rows[0]), LONGEST * self.rate)
            self.module_ = self._promised()
        self._check_lengths(waves, texts)
        train, held = (self._part(waves, texts, weight, part, device) for part in rows)
        self.module_ = self._place(self.module_, device)
        if not again:
            self._standardise(train)
        set_up = self._set_up(train)
        validate = (lambda: self._validation(held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held.x) else {})
        scores = {name: self._told(part) for name, part in parts.items()}
        self._rest()
        dummy = {"dummy": _dummy(train.texts, (held if len(held.x) else train).texts)}
        self._record(run, set_up, data=self._facts(train, held), scores=scores, baselines=dummy)
        return self

    def _learn(self, texts: list[str]) -> None:
        """Learn the labels."""
        if not any(text.strip() for text in texts):
            raise DataError("texts with something said are expected, got only empty ones; give what is said.")
        self.tokenizer_ = tokenizer_named(self.tokens).learn(texts)
        self.n_features_in_, self.thresholds_ = 1, {}

    def _promised(self) -> SpeechNet:
        shape = {k: plain(getattr(self, k)) for k in SHAPE}
        masks = {"mask_bands": self.mask_bands, "mask_frames": round(self.mask_time / HOP)}
        size = self.tokenizer_.size - SPECIALS + FIRST
        return SpeechNet(size, dropout=float(self.dropout), **shape, **masks)

    def _labels(self, texts: Sequence[str]) -> Tensor:
        """Labels (n, L) of texts, 0 behind them; 1 is what was not learned."""
        codes, offsets = self.tokenizer_.encode_all(list(texts))
        labels = np.where(codes == UNKNOWN, 1, codes.astype(np.int64) - SPECIALS + FIRST)
        return Ragged(torch.from_numpy(labels), offsets, 0).padded()

    def _check_lengths(self, waves: list, texts: list[str]) -> None:
        """Refuse a recording that no alignment of its labels fits into: its loss would be infinite."""
        labels = self._labels(texts)
        lengths = torch.tensor([len(wave) for wave in waves])
        steps, needed = self.module_.steps(lengths), steps_needed(labels)
        if (steps >= needed).all():
            return
        i = int((steps < needed).int().argmax())
        raise DataError(
            f"a recording needs a step for each label and one between equal ones, but recording {i} (counted from 0) "
            f"of {len(waves[i]) / self.rate:.2f} s has {int(steps[i])} of {self.module_.seconds * 1000:.0f} ms for "
            f"{int((labels[i] > 0).sum())} labels that need {int(needed[i])}; check its text, or take a smaller stride "
            "or longer tokens."
        )

    def _part(
        self, waves: list, texts: list[str], weight: NDArray, rows: NDArray, device: torch.device
    ) -> Part:
        own = [texts[i] for i in rows]
        uneven = len(rows) and np.ptp(weight[rows]) > 0
        share = torch.as_tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32) if uneven else None
        labels = self._labels(own).to(device)
        share = None if share is None else share.to(device)
        return Part(_ragged([waves[i] for i in rows], device), labels, share, own)

    @torch.no_grad()
    def _standardise(self, train: Part) -> None:
        """Take the features' mean and spread from the first of the training recordings."""
        ends = train.x.offsets[1:]
        some = train.x[: max(1, int((ends <= STATISTICS).sum()))]
        features = [self.module_.features(some.padded(rows))[0] for rows in some.blocks(ANSWER_SAMPLES)]
        values = torch.cat([part.flatten(0, 1) for part in features])
        self.module_.scale.learn(values[~values[:, 0].isnan()])

    def _set_up(self, train: Part) -> SetUp:
        objective = CTC(self.module_)
        steps = float(np.mean(train.x.lengths)) / (self.rate * self.module_.seconds)
        precision = "float32" if self.precision == "auto" else self.precision
        device = train.x.values.device
        plan = make_plan(self, self.module_, len(train.x), device, precision=precision, uses=max(steps, 1.0))
        varied = {k: float(getattr(self, k)) for k in ("noise", "shift", "speed", "gain")}
        vary = Vary(self.rate, **varied)
        batches = PictureBatches(
            RaggedBatches(train.x, train.tensors(), plan.batch_size),
            (lambda batch, draw: batch | {"x": vary(batch["x"], draw)}) if any(varied.values()) else None,
        )
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(self, objective, optimizer, batches, plan)

    def _facts(self, train: Part, held: Part) -> dict[str, Any]:
        return {
            "n_rows": len(train.x) + len(held.x),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "minutes": float(train.x.offsets[-1] + held.x.offsets[-1]) / self.rate / 60,
            "labels": self.tokenizer_.size - SPECIALS,
        }

    # --- judging ------------------------------------------------------------------------------------------

    def _validation(self, held: Part) -> dict[str, float]:
        told = self._told(held)
        return {"val_loss": told["loss"], "val_score": told["score"]}

    def _told(self, part: Part) -> dict[str, float]:
        """Mean loss per label, and the share of words that are right, by the best path."""
        losses = torch.zeros(len(part.x), device=part.y.device)
        texts = [""] * len(part.x)
        for rows, logits, steps in self._heard(part.x):
            y = part.y[torch.from_numpy(rows).to(part.y.device)]
            losses[rows] = ctc_losses(logits, steps, y) / (y > 0).sum(1).clamp(min=1)
            for row, labels in zip(rows, ctc_greedy(logits, steps)):
                texts[row] = self._text(labels)
        return {"loss": weighted_mean(losses, part.weight), "score": _right(texts, part.texts)}

    # --- answering ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _heard(self, x: Ragged) -> Iterator[tuple[NDArray, Tensor, Tensor]]:
        """Rows, logits (m, S, k) and steps (m,) of waves, some about as long as each other at a time."""
        was_training = self.module_.training
        self.module_.eval()
        try:
            for rows in x.blocks(ANSWER_SAMPLES):
                waves = x.padded(rows)
                steps = self.module_.steps(torch.from_numpy(x.lengths[rows]).to(waves.device))
                yield rows, self.module_(waves).float(), steps
        finally:
            self.module_.train(was_training)

    def _asked(self, X: Any) -> Ragged:
        check_is_fitted(self, ["module_"])
        return _ragged(read_sounds(X, self.rate)[0], torch.device("cpu"))

    def _searched(self, logits: Tensor, steps: Tensor) -> list[list[int]]:
        if self.beam == 1:
            return ctc_greedy(logits, steps)
        return ctc_beam(logits.double().log_softmax(2), steps, self.beam)

    def _text(self, labels: Sequence[int]) -> str:
        """The text of labels, without what was not learned."""
        return self.tokenizer_.decode(
            np.array([n for n in labels if n >= FIRST], np.int64) - FIRST + SPECIALS
        )

    def predict(self, X: Any) -> list[str]:
        """What is said in each recording, in the learned words; others are left out."""
        x = self._asked(X)
        texts = [""] * len(x)
        for rows, logits, steps in self._heard(x):
            for row, labels in zip(rows, self._searched(logits, steps)):
                texts[row] = self._text(labels)
        return texts

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """``log P`` (n,) of what ``predict`` finds in each recording, in nats: near 0 where it is sure."""
        x = self._asked(X)
        found = np.zeros(len(x))
        for rows, logits, steps in self._heard(x):
            labels = self._searched(logits, steps)
            offsets = np.append(0, np.cumsum([len(part) for part in labels]))
            flat = torch.tensor([label for part in labels for label in part], dtype=torch.int64)
            found[rows] = -ctc_losses(logits, steps, Ragged(flat, offsets, 0).padded()).double().numpy()
        return found

    def score(self, X: Any, y: Any) -> float:
        """1 less the word error rate, ``metrics.edits.word_error_rate``: 1 is perfect, below 0 worse than silence."""
        return 1.0 - word_error_rate(self.predict(X), read_texts(y))

    def _blank(self) -> NDArray[np.float32]:
        """A tenth of a second of silence, (1, T)."""
        return np.zeros((1, self.rate // 10), np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags


def _ragged(waves: list, device: torch.device) -> Ragged:
    """Waves as one tensor on the device."""
    offsets = np.append(0, np.cumsum([len(wave) for wave in waves])).astype(np.int64)
    values = np.concatenate(waves) if waves else np.zeros(0, np.float32)
    return Ragged(torch.from_numpy(values).to(device), offsets, float("nan"))


def _right(texts: Sequence[str], references: Sequence[str]) -> float:
    """1 less the word error rate; where no reference has a word, the share of texts that have none either."""
    if any(text.split() for text in references):
        return 1.0 - word_error_rate(texts, references)
    return float(np.mean([not text.split() for text in texts]))


def _dummy(train: Sequence[str], others: Sequence[str]) -> dict[str, float]:
    """The score of always writing the most frequent text."""
    texts, counts = np.unique(np.array(train, dtype=object), return_counts=True)
    return {"score": _right([str(texts[counts.argmax()])] * len(others), others)}
