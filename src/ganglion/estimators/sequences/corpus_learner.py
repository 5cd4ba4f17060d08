"""What learns from texts by themselves: its fields, what it reads, and the run."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.tokens import END, TOKENIZERS, Tokenizer, read_texts, tokenizer_named
from ganglion.estimators.base import plain
from ganglion.estimators.learner import Learner
from ganglion.estimators.sequences.corpus import Answers, Stream
from ganglion.estimators.sequences.reader import tokens_field
from ganglion.estimators.training import SetUp, make_plan, rates_of
from ganglion.models.language import LanguageNet
from ganglion.nn.positions import POSITIONS, positions_named
from ganglion.objectives.base import Objective
from ganglion.objectives.language import total_loss
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import numpy_on_one_thread, sequence_precision

CHARACTERS_BELOW = 2_000_000  # characters of text, below which words are too rare to be learned
PIECES = "bpe(4000)"
SCORED = 50_000  # tokens of the training part that its score is taken from
LEAST_HELD = 100  # tokens; fewer tell epochs apart by luck
Rows = tuple[np.ndarray, np.ndarray]
Part = Stream | Answers


class CorpusLearner(Learner):
    """An estimator that learns from texts alone, as one stream of tokens.

    A subclass says what is asked of the network, ``_objective``, and what it is judged by, ``_blocks``.
    """

    units: Annotated[int, AtLeast(2), Search(32, 1024, log=True), "width of every layer"] = 128
    layers: Annotated[int, AtLeast(1), Search(1, 12), "blocks, or recurrent layers"] = 4
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    positions: Annotated[
        str, Known("positions", lambda: list(POSITIONS), positions_named), "how a transformer tells places"
    ] = "rotary"
    context: Annotated[int, AtLeast(1), "tokens that are seen at most"] = 128
    tokens: Annotated[
        str,
        Known("tokens", lambda: ["auto", *TOKENIZERS], tokens_field),
        "what a text is cut into; auto takes characters of short texts and bpe(4000) of long ones",
    ] = "auto"
    tied: Annotated[bool, "whether inputs and outputs share the tokens' vectors"] = False
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of what layers hand on that is dropped"
    ] = 0.0
    max_steps: Annotated[int | None, AtLeast(1), "updates at most, whatever the epochs"] = None
    optimizer, lr, weight_decay, schedule = "muon", 4e-3, 0.1, "flat_cosine"
    max_epochs = 10
    preprocessor_ = None

    _without = ("l1", "max_norm", "activity")
    _shape: ClassVar[tuple[str, ...]] = ("units", "layers", "heads", "positions", "dropout", "tied")

    def _task(self) -> str:
        return "language"

    # --- training -----------------------------------------------------------------------------------------

    def _objective(self) -> Objective:
        """What is trained."""
        raise NotImplementedError

    def _blocks(self, part: Part) -> Iterable[tuple[Tensor, Tensor]]:
        """Codes (n, t) and those that are asked for (n, t), of a part that is judged."""
        raise NotImplementedError

    def _trained(self, texts: list[str], parts: Callable[[int], tuple[Part, Part]]) -> "CorpusLearner":
        """Learn the tokens of texts, and train on what ``parts`` makes of them with the seed."""
        again = self.warm_start and hasattr(self, "module_")
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            if not again:
                self.tokenizer_ = self._tokenizer(texts).learn(texts)
                self.n_features_in_ = 1
            return self._fit(*parts(seed), seed, again)

    def _reads(self) -> str:
        """What reads: attention, where there is no choice."""
        return getattr(self, "cell", "transformer")

    def reader_shape(self) -> dict[str, Any]:
        """The fields that a reader must share to begin with this one's weights."""
        shape = {"cell": self._reads(), "units": self.units, "layers": self.layers}
        attends = {"heads": self.heads, "positions": self.positions}
        return shape | (attends if shape["cell"] == "transformer" else {"bidirectional": False})

    def _given(self, X: Any, sample_weight: Any) -> list[str]:
        """The texts as they were given, empty ones too; weights are refused."""
        if sample_weight is not None:
            raise DataError("texts are learned without weights, got sample_weight; leave it out.")
        return listed(X)

    def _texts(self, X: Any) -> list[str]:
        texts = [text for text in listed(X) if text]
        if not texts:
            raise DataError("a text, or a list of texts, is expected, got nothing to read; give some text.")
        return texts

    def _tokenizer(self, texts: list[str]) -> Tokenizer:
        name = self.tokens
        if name == "auto":
            name = "characters" if sum(map(len, texts)) < CHARACTERS_BELOW else PIECES
        return tokenizer_named(name)

    def _parts(self, texts: list[str], rows: Rows | None, seed: int) -> tuple[Stream, Stream]:
        """The streams to learn from and to choose the epoch by, on the device; ``rows`` says which texts are which."""
        device = pick_device(self.device)
        rng = np.random.default_rng(seed)
        if rows is None and len(texts) == 1:
            whole = self.tokenizer_.encode(texts[0])
            kept = len(whole) - round(self.validation_fraction * len(whole))
            parts = [whole[:kept], whole[kept:]]
        elif rows is None:
            order = rng.permutation(len(texts))
            kept = len(texts) - round(self.validation_fraction * len(texts))
            parts = [self._joined([texts[i] for i in part]) for part in (order[:kept], order[kept:])]
        else:  # what was given in some order is shuffled too, lest neighbours in a window tell of one another
            parts = [self._joined([texts[i] for i in part]) for part in (rng.permutation(rows[0]), rows[1])]
        if rows is None and len(parts[1]) < LEAST_HELD:
            parts = [np.concatenate(parts), parts[1][:0]]
        if len(parts[0]) < 2:
            raise DataError(f"a text of at least 2 tokens is expected, got {len(parts[0])}; give more text.")
        train, held = (Stream(torch.from_numpy(part.astype(np.int64)).to(device)) for part in parts)
        return train, held

    def _joined(self, texts: list[str]) -> np.ndarray:
        """Codes of texts, an end before the first and behind each."""
        if not texts:
            return np.zeros(0, np.int32)
        codes, offsets = self.tokenizer_.encode_all(texts)
        return np.concatenate([[END], np.insert(codes, offsets[1:], END)]).astype(np.int32)

    def _fit(self, train: Part, held: Part, seed: int, again: bool) -> "CorpusLearner":
        if not again:
            self.module_ = self._promised()
        self.module_ = self._place(self.module_, train.told.device)
        set_up = self._set_up(train)
        validate = (lambda: self._validation(held)) if len(held) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held) else {})
        scores = {name: self._told(part) for name, part in parts.items()}
        dummy = {"dummy": self._dummy(train, held if len(held) else train)}
        self._rest()
        self._record(run, set_up, data=self._facts(train, held), scores=scores, baselines=dummy)
        return self

    def _promised(self) -> LanguageNet:
        return LanguageNet(self.tokenizer_.size, **{k: plain(getattr(self, k)) for k in self._shape})

    def _set_up(self, train: Part) -> SetUp:
        objective, device = self._objective(), train.told.device
        precision = self.precision
        if precision == "auto":  # what recurrent cells carry over many places would lose digits on its way
            attends = self._reads() == "transformer"
            precision = sequence_precision("transformer", self.units, device) if attends else "float32"
        n, places = len(train.batches(self.context, 1)), train.places(self.context)  # type: ignore[arg-type]
        plan = make_plan(self, self.module_, n, device, precision=precision, uses=places)
        batches = train.batches(self.context, plan.batch_size)
        rates = rates_of(self) | {"bf16": precision == "bf16"}
        return Steps(self, objective, make_optimizer(self.optimizer, objective, **rates), batches, plan)

    def _validation(self, held: Part) -> dict[str, float]:
        told = self._told(held)
        return {"val_loss": told["loss"], "val_score": told["score"]}

    @torch.inference_mode()
    def _told(self, part: Part) -> dict[str, float]:
        """Mean ``-log P`` of a token that is asked for, in nats; its opposite is the score."""
        was_training = self.module_.training
        self.module_.eval()
        total, asked = total_loss(self.module_, self._blocks(part))
        self.module_.train(was_training)
        loss = total / max(asked, 1)
        return {"loss": loss, "score": -loss, "perplexity": float(np.exp(min(loss, 700.0)))}

    def _dummy(self, train: Part, part: Part) -> dict[str, float]:
        """The scores of telling each token's frequency in the training text, one added to each count."""
        counts = torch.bincount(train.told, minlength=self.tokenizer_.size).double() + 1
        loss = float(-(counts / counts.sum()).log()[part.told].mean())
        return {"loss": loss, "score": -loss, "perplexity": float(np.exp(loss))}

    def _facts(self, train: Part, held: Part) -> dict[str, Any]:
        sizes = {"n_train": len(train), "n_validation": len(held)}
        return {
            "n_rows": sum(sizes.values()),
            **sizes,
            "tokens": self.tokenizer_.size,
            "tokenizer": repr(self.tokenizer_),
        }

    def _stream(self, X: Any) -> Stream:
        """One text as a stream, or several with an end behind each."""
        texts = self._texts(X)
        codes = self.tokenizer_.encode(texts[0]) if len(texts) == 1 else self._joined(texts)
        if len(codes) < 2:
            raise DataError(f"a text of at least 2 tokens is expected, got {len(codes)}; give more text.")
        return Stream(torch.from_numpy(codes.astype(np.int64)))

    def _blank(self) -> list[str]:
        return [""]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.target_tags.required = False
        return tags


def listed(X: Any) -> list[str]:
    """The texts of a list, an array or a column, or the one that is given."""
    return [X] if isinstance(X, str) else read_texts(X)


class Steps(SetUp):
    """A set-up whose run may be bounded by its number of updates."""

    def arguments(self, *given: Any) -> dict[str, Any]:
        """As of every run; ``max_steps`` takes the place of the epochs where it is given."""
        arguments = super().arguments(*given)
        if self.settings.max_steps is not None:
            arguments |= {"epochs": None, "max_steps": self.settings.max_steps}
        return arguments
