"""Pairs of texts, ready to be learned from: a table with a column to read and a column to write."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.data.columns import Frame
from ganglion.data.target import Task
from ganglion.jobs.job import Job, Split
from ganglion.jobs.sequences.judged import Judged, share, tell
from ganglion.jobs.sequences.look import Wanted, texts_in
from ganglion.jobs.sequences.reading import new_texts

MOST_TEST = 1_000  # pairs; a search for the best text takes a while
TOKENS_PER_SECOND = 4_000  # of one core, for a transformer of 256 units


@dataclass(kw_only=True)
class PairJob(Job):
    """What is to be learned from pairs of texts: to write the second for the first."""

    unit: ClassVar[str] = "pairs of texts"
    nameless: ClassVar[str] = "the texts"
    example: ClassVar[str] = "pairs.csv"
    call: ClassVar[str] = 'model.predict(["a new text"])'
    command: ClassVar[str] = 'ganglion translate {model} "a new text"'

    texts: list[str]
    names: list[str]  # of their columns
    beside: Frame  # the whole table

    @property
    def metric(self) -> str:
        """BLEU leads."""
        return "bleu"

    def take(self, rows: np.ndarray) -> list[str]:
        """Some of the texts to read."""
        return [self.texts[i] for i in rows]

    def goal(self, rows: np.ndarray) -> list[str]:
        """The texts to be written for them."""
        return self.y[rows].tolist()

    def columns(self) -> Frame:
        """The table."""
        return self.beside

    def parts(self, fraction: float) -> tuple[np.ndarray, np.ndarray, Split | None]:
        """Pairs by chance, no more for the test than are written in a moment."""
        n = len(self)
        order = np.random.default_rng(0).permutation(n)
        test = min(max(1, round(fraction * n)), MOST_TEST)
        return np.sort(order[test:]), np.sort(order[:test]), None

    def networks(self) -> dict[str, type]:
        """One class; its ``cell`` chooses what reads and writes."""
        from ganglion.estimators.sequences.translator import Translator

        return {"translator": Translator}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Pieces of words that are written in training, one for some four characters."""
        tokens = n_train * np.mean([len(str(text)) for text in self.y]) / 4
        work = (estimator.units / 256) ** 2 * estimator.layers / 3
        return estimator.max_epochs * tokens * max(work, 0.1) / TOKENS_PER_SECOND + 10.0

    def answer(self, estimator: Any, rows: np.ndarray) -> list[str]:
        """The texts that it writes."""
        return estimator.predict(self.take(rows))

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """BLEU, the share that is exactly right and ROUGE, beside the known text that is nearest and the source."""
        from ganglion.evaluate.text_baselines import nearest_texts

        source, truth = self.take(result.test), self.goal(result.test)
        said = {"network": result.answer}
        if compare and len(result.train):
            said["nearest"] = nearest_texts(self.take(result.train), self.goal(result.train), source)
        if compare:
            said["copy"] = source
        tell(result, {name: judged_texts(texts, truth) for name, texts in said.items()})

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """From which column to which."""
        return f"{', '.join(self.names)} to {self.target}"

    def facts(self) -> str:
        """How many, and how long."""
        lengths = [int(np.median([len(one) for one in texts])) for texts in (self.texts, self.y.tolist())]
        return f"{len(self):,} pairs of texts, {lengths[0]:,} and {lengths[1]:,} characters at the median"

    def card(self, estimator: Any) -> dict[str, Any]:
        """The columns that hold the texts to read."""
        return {"text": self.names}

    def page(self, result: Any) -> dict[str, Any]:
        """Texts that were written, and where the network looked."""
        from ganglion.jobs.sequences.page_pairs import page_parts

        return page_parts(result)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over both texts."""
        from ganglion.jobs.origin import text_hash

        return text_hash(self.texts, self.y.tolist())

    def known(self, estimator: Any, source: Any) -> list[str]:
        """Texts from a list, a table or a file."""
        return new_texts(source, self.names)[0]


def judged_texts(texts: list[str], truth: list[str]) -> Judged:
    """What texts are worth beside those that were wanted."""
    from ganglion.metrics.bleu import bleu
    from ganglion.metrics.rouge import rouge

    scores = {
        "bleu": bleu(texts, truth),
        "exact": share(a == b for a, b in zip(texts, truth)),
        "rouge_l": rouge(texts, truth, "l").f1,
    }
    return Judged(scores)


def pairs_of(wanted: Wanted) -> PairJob:
    """The job of a table's pairs; rows that lack one text are left out."""
    started = time.monotonic()
    texts, answers = wanted.texts(), texts_in(wanted.table, [wanted.target])
    rows = np.array([i for i, pair in enumerate(zip(texts, answers)) if all(pair)], dtype=np.int64)
    notes = [*wanted.table.notes, *wanted.notes]
    if len(rows) < len(texts):
        notes.append(f"{len(texts) - len(rows):,} rows that lack one of the texts were left out")
    return pair_job(
        [texts[i] for i in rows], [answers[i] for i in rows], wanted.names, wanted.target,
        beside=wanted.table.take(rows), n_read=len(texts), notes=notes, settings=wanted.settings, started=started,
        rows=rows,
    )  # fmt: skip


def pair_job(texts: list[str], answers: list[str], names: list[str], target: str, **more: Any) -> PairJob:
    """The job of these texts and what is to be written for them."""
    y = np.array(answers, dtype=object)
    return PairJob(texts=texts, names=names, y=y, task=Task("translation"), targets=[target], **more)
