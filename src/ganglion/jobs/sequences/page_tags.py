"""The part of a report that only taggers have: sentences with mistakes, and the scores of spans by kind."""

from typing import Any

import numpy as np

from ganglion.metrics.spans import span_table
from ganglion.report import Part, Passage, Piece

WORST = 8
WORDS = 60  # of a sentence that are shown


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that a tagger fills; labels stand one a word."""
    job, truth = result.job, result.job.goal(result.test)
    scores = result.scores
    said = [("In sentences that it has never seen, the network gets ", False),
            (f"{scores['tags']:.1%} of the tags right", True)]  # fmt: skip
    if job.spans:
        said += [(f" and finds whole names with an F1 of {scores['span_f1']:.3f}", False)]
    return {
        "family": "sequence", "task": "tagging", "unit": "words", "facts": facts_of(result),
        "split": "words of test sentences", "said": [*said, (".", False)],
        "classes": result.estimator.classes_.tolist(),
        "y_true": flat(truth), "prediction": flat(result.answer),
        "parts": [*kinds(result, truth), *wrong(result, truth)],
    }  # fmt: skip


def flat(tags: list[list[str]]) -> np.ndarray:
    """The tags of all words."""
    return np.array([tag for own in tags for tag in own], dtype=object)


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job, estimator = result.job, result.estimator
    return {
        "sentences read": f"{job.n_read:,}", "words": f"{sum(map(len, job.texts)):,}",
        "for training": f"{len(result.train):,}", "for the test": f"{len(result.test):,}",
        "tags": f"{len(estimator.classes_)}", "different words": f"{len(estimator.words_):,}",
    }  # fmt: skip


def kinds(result: Any, truth: list[list[str]]) -> list[Part]:
    """Precision, recall and F1 of each kind of span."""
    if not result.job.spans:
        return []
    rows = [
        [
            row["label"],
            row["spans"],
            row["predicted"],
            *(share(row.get(name)) for name in ("precision", "recall", "f1")),
        ]
        for row in span_table(truth, result.answer)
    ]
    lead = "Right is what has the same kind, first and last word (the rules of CoNLL)."
    heads = ["kind", "there", "said", "right when said", "found", "F1"]
    return [Part(id="spans", name="Spans", title="Whole spans by kind", lead=lead, heads=heads, rows=rows,
                 numbers=[1, 2, 3, 4, 5])]  # fmt: skip


def share(value: float | None) -> str:
    """A score of spans, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def wrong(result: Any, truth: list[list[str]]) -> list[Part]:
    """The sentences with most wrong tags."""
    sentences, said = result.job.take(result.test), result.answer
    errors = np.array([sum(a != b for a, b in zip(own, true)) for own, true in zip(said, truth)])
    rows = [i for i in np.argsort(-errors, kind="stable")[:WORST].tolist() if errors[i]]
    if not rows:
        return []
    passages = [
        Passage(pieces=marked(sentences[i], said[i], truth[i]), note=f"{errors[i]} of {len(truth[i])} wrong")
        for i in rows
    ]
    lead = "The sentences with most mistakes, the tag under each word; of a wrong one also what is right."
    return [Part(id="mistakes", name="Worst mistakes", title="Worst mistakes", lead=lead, passages=passages)]


def marked(words: list[str], said: list[str], true: list[str]) -> list[Piece]:
    """Words with their tags.

    >>> [(piece.under, piece.mark) for piece in marked(["a", "dog"], ["DET", "VERB"], ["DET", "NOUN"])]
    [('DET', ''), ('VERB, is NOUN', 'poor')]
    """
    return [
        Piece(text=f"{word} ", under=a if a == b else f"{a}, is {b}", mark="" if a == b else "poor")
        for word, a, b in list(zip(words, said, true))[:WORDS]
    ]
