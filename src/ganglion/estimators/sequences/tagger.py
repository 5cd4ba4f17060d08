"""Words of sentences to tags: parts of speech, and names by their spans."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import AtLeast, Between, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.forms import FIRST, PAD, Forms
from ganglion.data.padded import Ragged
from ganglion.data.split import MIN_VALIDATION, plain_split
from ganglion.data.tagged import TaggedBatches
from ganglion.data.tags import read_tags
from ganglion.data.tokens import join_words
from ganglion.estimators.base import plain
from ganglion.estimators.learner import Learner
from ganglion.estimators.sequences.reader import READER, ReaderFields
from ganglion.estimators.sequences.schemes import are_spans, broken, scheme_of
from ganglion.estimators.sequences.sentences import Part, frequencies, judged, sentences_of, simple_models
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import SetUp, make_plan, rates_of
from ganglion.metrics.spans import spans_of
from ganglion.models.tagger import TagNet
from ganglion.nn.crf import allowed_transitions
from ganglion.objectives.tagging import Tagging
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import auto_batch_size, numpy_on_one_thread

SHAPE = (*READER, "width", "dropout", "unknown")
SCORED = 2_000  # training sentences that the training score is taken from
TOGETHER = 32  # sentences of a batch at most where it is chosen: they have a target a word
GAP = -1  # what stands for a tag behind a sentence's end


class Entity(NamedTuple):
    """A span of a sentence's words that is a name: its text, its kind, its words from ``start`` to ``stop`` - 1."""

    text: str
    kind: str
    start: int
    stop: int


class TokenTagger(ReaderFields, Learner):
    """Says of each word of a sentence what it is: its part of speech, or whether it is in a name, and of what kind.

    An LSTM in both directions (or another ``cell``) reads words, their beginnings, ends and shapes; see
    ``models.tagger.TagNet``. Where tags are spans (B-PER, I-PER, O), a CRF judges them together and forbids those
    that do not follow one another. Learned: ``classes_``, ``words_``, ``signs_``, ``scheme_``; the score is the share
    of right tags, and the record's ``f1`` that of whole spans by the rules of CoNLL.

    >>> X = [["we", "met", name, "in", place] for name in ("Ann", "Bob", "Cid") for place in ("Rome", "Oslo")] * 5
    >>> tagger = TokenTagger(units=16, max_epochs=20, lr=0.01).fit(X, [["O", "O", "B-PER", "O", "B-LOC"]] * 30)
    >>> tagger.entities(["We met Eve in Paris"])[0]
    [Entity(text='Eve', kind='PER', start=2, stop=3), Entity(text='Paris', kind='LOC', start=4, stop=5)]
    """

    crf: Annotated[
        bool | Literal["auto"], "whether tags of neighbours are judged together; auto: where they are spans"
    ] = "auto"
    scheme: Annotated[
        Literal["auto", "bio", "iobes", "none"],
        "how tags say where spans begin and end, which forbids a CRF what breaks it; none forbids nothing",
    ] = "auto"
    width: Annotated[
        int, AtLeast(1), Search(16, 256, log=True), "numbers of a word's vector, and of its signs'"
    ] = 64
    unknown: Annotated[
        float, Between(0, 1, open_high=True), "share of the words that are unknown at random in training"
    ] = 0.1
    min_count: Annotated[int, AtLeast(1), "how often a word must stand in the sentences to be learned"] = 1
    units, layers, kernel, dropout = 128, 1, 3, 0.4
    max_epochs, lr, schedule = 6, 3e-3, "flat_cosine"
    preprocessor_ = None

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "tagging"

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> "TokenTagger":
        """Learn from n sentences and the tags of their words, with optional weights (n,) of the sentences.

        X has for each sentence a list of words, or a text, which is cut by ``data.tokens.split_words``; y has a list
        of as many tags. ``validation`` (n,) is true for the sentences that are not trained on and choose the epoch;
        without it ``validation_fraction`` of them are split off by chance. Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._need(y, "tags")
        again = self.warm_start and hasattr(self, "module_")
        sentences = sentences_of(X)
        if not sentences:
            raise DataError("sentences are expected, got none (0 samples); give at least one.")
        tags = read_tags(y, sentences)
        weight = read_weight(sample_weight, None, len(sentences))
        parts = read_validation(validation, len(sentences))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            rows = parts or self._split(len(sentences), seed)
            self._learn_tags(tags, again)
            return self._fit(sentences, tags, weight, rows, seed, again)

    def _split(self, n: int, seed: int) -> tuple[NDArray, NDArray]:
        if round(n * self.validation_fraction) < MIN_VALIDATION:
            return np.arange(n), np.zeros(0, np.int64)
        return plain_split(n, self.validation_fraction, seed)

    def _learn_tags(self, tags: list[list[str]], again: bool) -> None:
        """Learn which tags there are, and what they say of spans."""
        known = sorted({tag for own in tags for tag in own})
        if again:
            strange = next((tag for tag in known if tag not in set(self.classes_)), None)
            if strange is not None:
                raise DataError(
                    f"a further fit expects the tags of the first, got {strange!r}; set warm_start=False."
                )
        elif len(known) < 2:
            raise DataError(
                f"y holds one tag ({known[0]!r}), at least two different tags are expected; check the target."
            )
        else:
            self.classes_ = np.array(known, dtype=object)  # not str, which drops a NUL at the end
            self.scheme_ = scheme_of(tags) if self.scheme == "auto" else self.scheme
        wrong = broken(tags, self.scheme_)
        if wrong is not None:
            raise DataError(f"{wrong}, which scheme={self.scheme_!r} forbids; mend it, or set scheme='none'.")

    def _spans(self) -> bool:
        """Whether the tags that were learned are those of spans."""
        return are_spans(self.classes_.tolist())

    def _fit(
        self, sentences: list[list[str]], tags: list[list[str]], weight: NDArray, rows: tuple[NDArray, NDArray],
        seed: int, again: bool,
    ) -> "TokenTagger":  # fmt: skip
        device = pick_device(self.device)
        if not again:
            forms = Forms.learn([sentences[i] for i in rows[0]], self.min_count)
            self.words_, self.signs_, self.n_features_in_ = forms.words, forms.signs, 1
        train, held = (self._part(sentences, tags, weight, part, device) for part in rows)
        if not again:
            self.module_ = self._build(frequencies(train.y.values, len(self.classes_)).log())
        self.module_ = self._place(self.module_, device)
        set_up = self._set_up(train, held)
        validate = (lambda: self._validation(held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held.x) else {})
        scores = {name: self._scores(part) for name, part in parts.items()}
        simple = simple_models(train, held if len(held.x) else train, len(self.classes_), spans=self._spans())
        self._rest()
        self._record(run, set_up, data=self._facts(train, held), scores=scores, baselines=simple)
        return self

    def _build(self, start: Tensor) -> TagNet:
        judged = self._spans() if self.crf == "auto" else self.crf
        lawful = judged and self.scheme_ != "none"
        return TagNet(
            FIRST + len(self.words_), 1 + len(self.signs_), start, crf=judged,
            allowed=allowed_transitions(self.classes_.tolist(), self.scheme_) if lawful else None,
            **{k: plain(getattr(self, k)) for k in SHAPE},
        )  # fmt: skip

    def _promised(self) -> TagNet:
        return self._build(torch.zeros(len(self.classes_)))

    def _part(
        self, sentences: list[list[str]], tags: list[list[str]], weight: NDArray, rows: NDArray, device: torch.device
    ) -> Part:  # fmt: skip
        words, own = [sentences[i] for i in rows], [tags[i] for i in rows]
        x, code = self._coded(words, device), {tag: i for i, tag in enumerate(self.classes_.tolist())}
        codes = torch.tensor([code[tag] for row in own for tag in row], dtype=torch.int64, device=device)
        uneven = len(rows) and np.ptp(weight[rows]) > 0
        share = torch.as_tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32) if uneven else None
        return Part(x, Ragged(codes, x.offsets, GAP), None if share is None else share.to(device), words, own)

    def _coded(self, sentences: list[list[str]], device: torch.device) -> Ragged:
        """Sentences as rows of codes on the device."""
        rows, offsets = Forms(self.words_, self.signs_).encode(sentences)
        return Ragged(torch.from_numpy(rows).to(device), offsets, PAD)

    def _set_up(self, train: Part, held: Part) -> SetUp:
        places = float(np.mean(train.x.lengths))
        objective = Tagging(self.module_, places)
        precision = "float32" if self.precision == "auto" else self.precision
        device = train.x.values.device
        settings = copy.copy(self)
        if self.batch_size == "auto":
            settings.batch_size = min(TOGETHER, auto_batch_size(len(train.x)))
        plan = make_plan(settings, self.module_, len(train.x), device, precision=precision, uses=places)
        weight = {} if train.weight is None else {"weight": train.weight}
        batches = TaggedBatches(train.x, train.y, weight, plan.batch_size)
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(self, objective, optimizer, batches, plan, held=len(held.x))

    def _facts(self, train: Part, held: Part) -> dict[str, Any]:
        lengths = np.concatenate([train.x.lengths, held.x.lengths])
        counts = Counter(tag for own in train.tags for tag in own)
        return {
            "n_rows": len(lengths),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "words": int(lengths.sum()),
            "vocabulary": len(self.words_),
            "longest": int(lengths.max()),
            "classes": {tag: counts[tag] for tag in self.classes_.tolist()},
        }

    # --- judging ------------------------------------------------------------------------------------------

    def _validation(self, held: Part) -> dict[str, float]:
        found = self._scores(held)
        return {"val_loss": found["loss"], "val_score": found["score"]}

    def _scores(self, part: Part) -> dict[str, float]:
        """Nats per word, the share of right tags, and of spans precision, recall and F1."""
        said, losses = self._answers(part.x, part.y)
        weight = part.weights()
        loss = float((losses * weight).sum()) / max(float((part.x.lengths * weight).sum()), 1.0)
        return {"loss": loss, **judged(part.tags, said, spans=self._spans(), weight=weight)}

    # --- answering ----------------------------------------------------------------------------------------

    def _blocks(self, x: Ragged) -> Iterator[tuple[NDArray, Tensor]]:
        """Rows that are about as long, and their codes (m, t, f), by the module in evaluation mode."""
        was_training = self.module_.training
        self.module_.eval()
        try:
            for rows in x.blocks():
                yield rows, x.padded(rows)
        finally:
            self.module_.train(was_training)

    @torch.inference_mode()
    def _answers(self, x: Ragged, y: Ragged | None = None) -> tuple[list[list[str]], NDArray[np.float64]]:
        """The most probable tags of each sentence, and with y the losses (n,) of these, else zeros."""
        found: list[Any] = [None] * len(x)
        lengths, losses = x.lengths, np.zeros(len(x))
        for rows, codes in self._blocks(x):
            given = self.module_.emissions(codes)
            if y is not None:
                losses[rows] = -self.module_.log_likelihood(*given, y.padded(rows)).double().cpu().numpy()
            for row, said in zip(rows.tolist(), self.module_.decode(*given).cpu().numpy()):
                found[row] = self.classes_[said[: lengths[row]]].tolist()
        return found, losses

    def _read(self, X: Any) -> tuple[list[list[str]], Ragged]:
        check_is_fitted(self, ["module_"])
        sentences = sentences_of(X)
        return sentences, self._coded(sentences, torch.device("cpu"))

    def predict(self, X: Any) -> list[list[str]]:
        """The most probable tags of each sentence, a list with one for each word."""
        return self._answers(self._read(X)[1])[0]

    @torch.inference_mode()
    def predict_proba(self, X: Any) -> list[NDArray[np.float64]]:
        """For each sentence the probability of each tag of ``classes_`` at each of its T words, (T, k).

        Of a CRF these are marginals: all sequences of tags count that have the tag at this word.
        """
        x = self._read(X)[1]
        found: list[Any] = [None] * len(x)
        for rows, codes in self._blocks(x):
            for row, told in zip(rows.tolist(), self.module_(codes).double().numpy()):
                found[row] = told[: x.lengths[row]].copy()
        return found

    def entities(self, X: Any) -> list[list[Entity]]:
        """The names in each sentence: text, kind, and their place in words (``stop`` is not included).

        Raises ``ParameterError`` where the tags that were learned are no spans.
        """
        sentences, x = self._read(X)
        if not self._spans():
            raise ParameterError(
                f"entities are made of tags such as B-PER, I-PER and O, got {', '.join(self.classes_[:3])} ...; "
                "call predict."
            )
        return [
            [Entity(join_words(words[a:b]), kind, a, b) for kind, a, b in spans_of(tags)]
            for words, tags in zip(sentences, self._answers(x)[0])
        ]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of right tags among all words, with optional weights (n,) of the sentences."""
        return self.scores(X, y, sample_weight)["score"]

    def scores(self, X: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """``score``, the share of right tags, and where tags are spans their ``precision``, ``recall`` and ``f1``."""
        sentences, x = self._read(X)
        weight = read_weight(sample_weight, None, len(sentences))
        return judged(read_tags(y, sentences), self._answers(x)[0], spans=self._spans(), weight=weight)

    def _blank(self) -> list[list[str]]:
        return [["a"]]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.target_tags.required = True
        return tags
