"""Texts to be learned from as they are, to write more of them: a text file, or many short texts."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.split import plain_split
from ganglion.data.target import Task
from ganglion.jobs.job import Job, Split
from ganglion.jobs.sequences.judged import Judged, tell
from ganglion.jobs.sequences.reading import lines_of, new_texts, read_text

PIECE = 1_000  # characters of a piece of a text that has too few lines
FEWEST_LINES = 20
FLOPS_PER_SECOND = 3e10  # of one core, forwards and backwards
TOLD_BY_COUNTS = 2_000_000  # characters that three characters back are counted in


@dataclass(kw_only=True)
class CorpusJob(Job):
    """What is to be learned from texts: what comes next in them."""

    unit: ClassVar[str] = "lines"
    nameless: ClassVar[str] = "the text"
    example: ClassVar[str] = "corpus.txt"
    call: ClassVar[str] = 'model.generate("To be", length=200, temperature=0.8)'
    command: ClassVar[str] = 'ganglion generate {model} --prompt "To be" --temperature 0.8'

    pieces: list[str]  # lines with their ends, or texts of their own
    each: bool  # whether each piece is a text of its own

    @property
    def metric(self) -> str:
        """Nats of a character lead, whatever the tokens are."""
        return "nats"

    def take(self, rows: np.ndarray) -> Any:
        """Texts of their own, or lines put together again."""
        chosen = [self.pieces[i] for i in rows]
        return chosen if self.each else "".join(chosen)

    def goal(self, rows: np.ndarray) -> None:
        """Nothing: the text is its own goal."""

    def columns(self) -> Frame:
        """There are none."""
        raise DataError("--group and --time name a column of a table, but this is a text; leave them out.")

    def parts(self, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, Split | None]:
        """The end of a text for the test; of many texts some by chance."""
        n = len(self)
        if self.each:
            return *plain_split(n, fraction, seed), None
        test = min(max(1, round(fraction * n)), n - 1)
        return np.arange(n - test), np.arange(n - test, n), None

    def networks(self) -> dict[str, type]:
        """One class; its ``cell`` chooses what reads."""
        from ganglion.estimators.sequences.language import LanguageModel

        return {"language": LanguageModel}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Products of a transformer's blocks on every character."""
        letters = sum(map(len, self.pieces)) * n_train / max(len(self), 1)
        flops = 6.0 * 12 * estimator.layers * estimator.units**2 * letters * estimator.max_epochs
        return flops / FLOPS_PER_SECOND + 5.0

    def answer(self, estimator: Any, rows: np.ndarray) -> float:
        """The mean ``log P`` of a token of these texts in nats."""
        return estimator.score(self.take(rows))

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """Nats and bits of a character and the perplexity of a token, beside counts of characters."""
        from ganglion.evaluate.text_baselines import Trigrams

        test = self.take(result.test)
        found = {"network": self._told(result, test)}
        if compare and len(result.train):
            seen, asked = (one if isinstance(one, str) else "\n".join([*one, ""])
                           for one in (self.take(result.train), test))  # fmt: skip
            for name, n in (("trigram", 3), ("dummy", 1)):
                found[name] = of_nats(Trigrams([seen[-TOLD_BY_COUNTS:]], n).loss(asked))
        tell(result, found, lower=True)

    def _told(self, result: Any, test: Any) -> Judged:
        """The network's loss of a token, spread over its characters (of texts, their ends are characters too)."""
        tokenizer = result.estimator.tokenizer_
        texts = [test] if isinstance(test, str) else test
        ends = 0 if isinstance(test, str) else len(texts)
        tokens = sum(len(tokenizer.encode(text)) for text in texts) + ends - (0 if ends else 1)
        letters = sum(map(len, texts)) + ends
        one = of_nats(-result.answer * tokens / max(letters, 1))
        one.scores["perplexity"] = float(np.exp(min(-result.answer, 700.0)))
        return one

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """To tell what comes next."""
        return "what comes next"

    def facts(self) -> str:
        """How many characters and lines."""
        letters = sum(map(len, self.pieces))
        return f"{letters:,} characters in {len(self):,} {'texts' if self.each else 'lines'}"

    def title(self, name: str) -> str:
        """A model of the file."""
        return f"A language model of {name}"

    def target_flag(self) -> str:
        """There is no target."""
        return ""

    def target_argument(self) -> str:
        """There is no target."""
        return ""

    def page(self, result: Any) -> dict[str, Any]:
        """Samples, and what surprises the network."""
        from ganglion.jobs.sequences.page_corpus import page_parts

        return page_parts(result)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over the text."""
        from ganglion.jobs.origin import text_hash

        return text_hash(self.pieces)

    def known(self, estimator: Any, source: Any) -> list[str]:
        """Texts whose next token is asked for."""
        return new_texts(source, [])[0]


def of_nats(loss: float) -> Judged:
    """A loss per character in nats and bits."""
    return Judged({"nats": loss, "bits": loss / float(np.log(2))})


def open_corpus(source: Any, *, each: bool = False) -> CorpusJob:
    """The job of a text file; with ``each`` every line is a text of its own."""
    started = time.monotonic()
    if each:
        return corpus_of([one for one in lines_of(source) if one.strip()], each=True, settings={"lines": True},
                         started=started)  # fmt: skip
    text, notes = read_text(source)
    return corpus_of(pieces_of(text), each=False, notes=notes, started=started)


def corpus_of(pieces: list[str], *, each: bool, notes: list[str] | None = None, **more: Any) -> CorpusJob:
    """The job of these pieces."""
    y, notes = np.zeros(len(pieces)), notes or []
    return CorpusJob(
        pieces=pieces, each=each, y=y, task=Task("language"), targets=["text"], n_read=len(pieces), notes=notes, **more
    )  # fmt: skip


def pieces_of(text: str) -> list[str]:
    """The lines of a text with their ends, or pieces of one length where it has few.

    >>> len(pieces_of("a line\\n" * 30)), len(pieces_of("no line at all " * 1000))
    (30, 20)
    """
    lines = text.splitlines(keepends=True)
    if len(lines) >= FEWEST_LINES:
        return lines
    size = max(1, min(PIECE, -(-len(text) // FEWEST_LINES)))
    return [text[i : i + size] for i in range(0, len(text), size)]
