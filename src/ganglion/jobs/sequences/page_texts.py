"""The part of a report that only texts with classes have: words that tell, mistakes, where it looks."""

from typing import Any

import numpy as np
import torch

from ganglion.evaluate import worst_mistakes
from ganglion.explain import attention_maps
from ganglion.jobs.sequences.looks import SHOWN, look_part, words_of
from ganglion.jobs.sequences.texts import length_words
from ganglion.report import Part, Passage, Piece

MISTAKES = 8
WORDS, CLASSES = 14, 12  # that are listed
LETTERS = 700  # of a text that are shown


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that texts with classes fill."""
    parts = [*telling(result.estimator), *mistakes(result), *looks(result)]
    return {"family": "sequence", "facts": facts_of(result), "parts": parts}


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job = result.job
    facts = {"texts read": f"{job.n_read:,}", "columns read": ", ".join(job.names)}
    facts |= {"for training": f"{len(result.train):,}", "for the test": f"{len(result.test):,}"}
    counts = list(zip(job.task.classes, job.task.counts))
    if len(counts) <= 3:
        facts["classes"] = ", ".join(f"{str(c)[:20]}: {k:,}" for c, k in counts)
    else:
        facts["classes"] = f"{len(counts)}, of {min(job.task.counts):,} to {max(job.task.counts):,} texts"
    facts["length"] = length_words(job.texts)
    facts["vocabulary"] = f"{result.estimator.tokenizer_.size:,} tokens"
    return facts


def evidence(estimator: Any) -> np.ndarray | None:
    """How far each token speaks for each class of a bag (tokens, k); nothing of a network that reads in order."""
    from ganglion.models.text import BEGIN, STEP, BagNet

    net = estimator.module_
    if not isinstance(net, BagNet):
        return None
    table = (net.ratio * (BEGIN + STEP * net.weight) * net.gain).detach().double().cpu().numpy()
    return table - table.mean(1, keepdims=True)


def telling(estimator: Any) -> list[Part]:
    """The tokens that speak loudest for each class."""
    table = evidence(estimator)
    if table is None:
        return []
    rows = []
    for k, label in enumerate(estimator.classes_[:CLASSES]):
        best = [int(i) for i in np.argsort(-table[:, k])[:WORDS] if table[i, k] > 0]
        words = [estimator.tokenizer_.decode([i]).strip() for i in best]
        rows.append([label, " · ".join(word for word in words if word)])
    lead = (
        "A bag counts words and pairs of words; these speak loudest for each class, by how often they stand in its "
        "texts and by how far the network learned to trust them. Look here for words that give the answer away."
    )
    return [Part(id="words", name="Words that tell", title="Words that tell", lead=lead,
                 heads=["class", "words and pairs"], rows=rows)]  # fmt: skip


def mistakes(result: Any) -> list[Part]:
    """The texts where it was wrong and most sure of itself."""
    job, classes = result.job, result.estimator.classes_.tolist()
    found = worst_mistakes(job.y[result.test], result.answer, classes=classes, n=MISTAKES)
    if not found:
        return []
    passages = [
        Passage(
            pieces=shaded(result.estimator, job.texts[result.test[one.row]], one.predicted),
            name=f"is {one.true}, said {one.predicted}",
            note="" if one.confidence is None else f"{min(one.confidence, 0.999):.1%} sure",
        )
        for one in found
    ]
    lead = "The texts where the network was wrong and most sure of itself. Look here first for wrong labels."
    if evidence(result.estimator) is not None:
        lead += " Shaded words speak for what was said."
    return [Part(id="mistakes", name="Worst mistakes", title="Worst mistakes", lead=lead, passages=passages)]


def shaded(estimator: Any, text: str, label: Any) -> list[Piece] | str:
    """A text's words, shaded by how far each speaks for a class; as it is, where single words do not."""
    table = evidence(estimator)
    text = text if len(text) <= LETTERS else text[:LETTERS] + " …"
    if table is None:
        return text
    k = estimator.classes_.tolist().index(label)
    words = [word for line in text.splitlines(keepends=True) for word in line.split(" ")]
    told = [float(table[estimator.tokenizer_.encode(word.strip())][:, k].sum()) for word in words]
    top = max([abs(one) for one in told], default=0.0) or 1.0
    return [Piece(text=f"{word} ", weight=max(0.0, one / top)) for word, one in zip(words, told)]


def looks(result: Any) -> list[Part]:
    """Where a transformer's last layer looks in a test text."""
    estimator = result.estimator
    texts = [text for text in result.job.take(result.test[:50]) if text.strip()]
    if not texts:
        return []
    text = min(texts, key=lambda one: abs(len(one) - 120))  # some twenty words
    codes = estimator._coded([text], torch.device("cpu")).padded()[:, :SHOWN]
    maps = attention_maps(estimator.module_, codes)
    if not maps:
        return []
    words = words_of(estimator.tokenizer_, codes[0])
    lead = "Which word (row) looks at which (column) in the last layer, mean over its heads, in one of the test texts."
    return [look_part(words, words, maps[-1].weights[0].mean(0), lead)]
