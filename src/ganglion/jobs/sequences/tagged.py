"""Sentences whose words have tags, ready to be learned from: a CoNLL file, or a table of texts and of tags."""

import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.tags import Tagged, read_conll, read_conllu
from ganglion.data.target import Task
from ganglion.jobs.sequences.judged import Judged, tell
from ganglion.jobs.sequences.look import Wanted, texts_in
from ganglion.jobs.sequences.reading import ending, is_file, new_texts
from ganglion.jobs.sequences.words import WordsJob

CONLL = (".conllu", ".conll", ".bio", ".iob", ".iob2")
SPAN_SCORES = {"span_f1": "f1", "precision": "precision", "recall": "recall"}
WORDS_PER_SECOND = 8_000  # that are learned from on one core


@dataclass(kw_only=True)
class TagJob(WordsJob):
    """What is to be learned from sentences: a tag for each word."""

    unit: ClassVar[str] = "sentences"
    nameless: ClassVar[str] = "the sentences"
    example: ClassVar[str] = "sentences.conllu"
    call: ClassVar[str] = 'model.predict(["A new sentence."])'
    command: ClassVar[str] = "ganglion predict {model} new.txt --output predictions.csv"

    @property
    def metric(self) -> str:
        """Whole spans lead where tags are spans, else right tags."""
        return "span_f1" if self.spans else "tags"

    @cached_property
    def spans(self) -> bool:
        """Whether tags mark spans."""
        from ganglion.estimators.sequences.schemes import are_spans

        return are_spans(sorted({tag for own in self.y for tag in own}))

    def goal(self, rows: np.ndarray) -> list[list[str]]:
        """Their tags."""
        return [self.y[i] for i in rows]

    def columns(self) -> Frame:
        """The table, if there is one."""
        if self.beside is None:
            raise DataError("--group and --time name a column of a table, but this is a file of sentences; "
                            "leave them out.")  # fmt: skip
        return self.beside

    def networks(self) -> dict[str, type]:
        """One class; its ``cell`` chooses what reads."""
        from ganglion.estimators.sequences.tagger import TokenTagger

        return {"tagger": TokenTagger}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Words that are learned from."""
        words = n_train * np.mean([len(one) for one in self.texts])
        return estimator.max_epochs * words / WORDS_PER_SECOND + 2.0

    def answer(self, estimator: Any, rows: np.ndarray) -> list[list[str]]:
        """The tags that it gives."""
        return estimator.predict(self.take(rows))

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """Right tags and whole spans, beside the most frequent tag of all and of each word."""
        from ganglion.estimators.sequences.sentences import most_frequent

        sentences, truth = self.take(result.test), self.goal(result.test)
        said = {"network": result.answer}
        if compare and len(result.train):
            most, own = most_frequent(self.take(result.train), self.goal(result.train))
            said["lexicon"] = [[own.get(word, most) for word in words] for words in sentences]
            said["dummy"] = [[most] * len(words) for words in sentences]
        tell(result, {name: judged_tags(tags, truth, spans=self.spans) for name, tags in said.items()})

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """How many tags, and whether they are spans."""
        tags = sorted({tag for own in self.y for tag in own})
        if self.spans:
            kinds = {tag.partition("-")[2] for tag in tags} - {""}
            return f"spans of {len(kinds)} kinds" if len(kinds) > 1 else f"spans of {', '.join(kinds)}"
        return f"{len(tags)} tags of words"

    def facts(self) -> str:
        """How many sentences and words."""
        return f"{len(self):,} sentences, {sum(map(len, self.texts)):,} words"

    def title(self, name: str) -> str:
        """The column, or just the tags of the file."""
        return super().title(name) if self.beside is not None else f"Tags of {name}"

    def target_flag(self) -> str:
        """The target, where there is a table."""
        return super().target_flag() if self.beside is not None else ""

    def target_argument(self) -> str:
        """The target, where there is a table."""
        return super().target_argument() if self.beside is not None else ""

    def page(self, result: Any) -> dict[str, Any]:
        """Tags that are taken for others, and sentences with mistakes."""
        from ganglion.jobs.sequences.page_tags import page_parts

        return page_parts(result)

    def known(self, estimator: Any, source: Any) -> Any:
        """Sentences from a list, a table or a file."""
        return new_sentences(source, self.names)


def judged_tags(said: list[list[str]], truth: list[list[str]], *, spans: bool) -> Judged:
    """What tags are worth: the share that is right, and precision, recall and F1 of whole spans."""
    from ganglion.metrics.spans import span_scores

    right = np.array([sum(a == b for a, b in zip(own, true)) for own, true in zip(said, truth)], float)
    words = np.array([len(true) for true in truth], float)
    scores = {"tags": float(right.sum() / max(words.sum(), 1.0))}
    if not spans:
        return Judged(scores, right, words)
    found = span_scores(truth, said)
    return Judged(scores | {own: found.get(name, 0.0) for own, name in SPAN_SCORES.items()})


def is_tagged(source: Any) -> bool:
    """Whether something is the path of a file of tagged words, by its ending."""
    return is_file(source) and ending(source) in CONLL


def read_tagged(source: Any) -> Tagged:
    """The sentences of a file by its ending: CoNLL-U, or a word and its tag on each line."""
    return read_conllu(source) if ending(source) == ".conllu" else read_conll(source)


def open_tagged(source: Any) -> TagJob:
    """The job of a file of tagged words."""
    started, found = time.monotonic(), read_tagged(source)
    return tag_job(found.words, found.tags, [], "tags", n_read=len(found.words), notes=[], started=started)


def tags_of(wanted: Wanted) -> TagJob:
    """The job of a table with a column of texts and one of tags, a tag for each word."""
    started = time.monotonic()
    texts = [text.split() for text in wanted.texts()]
    tags = [own.split() for own in texts_in(wanted.table, [wanted.target])]
    rows = np.array([i for i in range(len(texts)) if texts[i] and len(tags[i]) == len(texts[i])], np.int64)
    notes = [*wanted.table.notes, *wanted.notes]
    if len(rows) < len(texts):
        notes.append(f"{len(texts) - len(rows):,} rows without a tag for each word were left out")
    return tag_job(
        [texts[i] for i in rows], [tags[i] for i in rows], wanted.names, wanted.target,
        beside=wanted.table.take(rows), n_read=len(texts), notes=notes, settings=wanted.settings, started=started,
        rows=rows,
    )  # fmt: skip


def tag_job(
    sentences: list[list[str]], tags: list[list[str]], names: list[str], target: str, **more: Any
) -> TagJob:
    """The job of these sentences and the tags of their words."""
    y = np.empty(len(tags), dtype=object)
    y[:] = tags
    return TagJob(texts=sentences, names=names, y=y, task=Task("tagging"), targets=[target], **more)


def new_sentences(source: Any, names: list[str]) -> Any:
    """Sentences from a file of words, a table, a text file with a sentence on each line, or a list."""
    source = source[0] if isinstance(source, list) and len(source) == 1 and is_file(source[0]) else source
    if is_tagged(source):
        return read_tagged(os.fspath(source)).words
    if isinstance(source, list) and source and not isinstance(source[0], str):
        return source
    texts, table = new_texts(source, names)
    return [one.split() for one in texts] if table is not None and names else texts
