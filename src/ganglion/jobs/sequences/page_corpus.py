"""The part of a report that only language models have: what they write, what surprises them, where they look."""

from typing import Any

import numpy as np
import torch

from ganglion.explain import attention_maps
from ganglion.jobs.sequences.looks import SHOWN, look_part, words_of
from ganglion.objectives.language import token_losses
from ganglion.report import Part, Passage, Piece

SAMPLES = ((0.5, "careful"), (0.8, "balanced"), (1.0, "as learned"))  # temperatures
LETTERS, NAMES = 400, 12  # that are written; of short texts so many
LOUD = 6.0  # nats of a token that is shaded fully
PASSAGE = 300  # tokens


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that a language model fills."""
    scores, estimator = result.scores, result.estimator
    said = [
        ("Of each character that it has never seen, the network is off by ", False),
        (f"{scores['nats']:.2f} nats", True),
        (
            f" ({scores['bits']:.2f} bits): it hesitates as if between {np.exp(scores['nats']):.1f} characters.",
            False,
        ),
    ]
    facts = {
        "characters": f"{sum(map(len, result.job.pieces)):,}",
        "texts" if result.job.each else "lines": f"{len(result.job):,}",
        "for training": f"{len(result.train):,}", "for the test": f"{len(result.test):,}",
        "tokens": f"{estimator.tokenizer_.size:,} ({estimator.tokenizer_!r})"[:80],
    }  # fmt: skip
    parts = [*samples(result), *surprises(result), *looks(result)]
    return {"family": "sequence", "task": "language", "facts": facts, "parts": parts, "said": said}


def samples(result: Any) -> list[Part]:
    """What it writes at some temperatures."""
    estimator, each = result.estimator, result.job.each
    passages = []
    for temperature, name in SAMPLES:
        chosen = {"temperature": temperature, "random_state": 0, "length": LETTERS}
        text = (", ".join(one.strip() for one in estimator.generate(n=NAMES, stop=True, **chosen)) if each
                else estimator.generate(opening(result), **chosen))  # fmt: skip
        passages.append(Passage(pieces=text, name=f"temperature {temperature:g}, {name}"))
    lead = (
        "Written by the network."
        if each
        else "Written by the network, going on from the beginning of the test text."
    )
    return [Part(id="samples", name="Samples", title="What it writes", lead=lead, passages=passages)]


def opening(result: Any) -> str:
    """The first line of the test text."""
    return result.job.take(result.test[:1])


def surprises(result: Any) -> list[Part]:
    """A passage of the test text, each token shaded by how little it was expected."""
    estimator = result.estimator
    text = result.job.take(result.test)
    text = text if isinstance(text, str) else "\n".join(text[:NAMES])
    codes = estimator.tokenizer_.encode(text[: 8 * PASSAGE])[: min(PASSAGE, estimator.context + 1)]
    if len(codes) < 2:
        return []
    given = torch.from_numpy(codes.astype(np.int64))[None]
    with torch.inference_mode():
        losses = token_losses(estimator.module_(given[:, :-1]), given[:, 1:])[0].tolist()
    pieces = [Piece(text=estimator.tokenizer_.decode([int(code)]), weight=min(1.0, loss / LOUD))
              for code, loss in zip(codes, [0.0, *losses])]  # fmt: skip
    lead = "From the test text: the darker a token, the less the network expected it. Names and new words stand out."
    return [
        Part(
            id="surprise",
            name="Surprise",
            title="What surprises it",
            lead=lead,
            passages=[Passage(pieces=pieces)],
        )
    ]


def looks(result: Any) -> list[Part]:
    """Where the last layer of a transformer looks."""
    estimator, text = result.estimator, result.job.take(result.test)
    text = text if isinstance(text, str) else next((one for one in text if len(one) > 3), "")
    codes = torch.from_numpy(estimator.tokenizer_.encode(text[: 8 * SHOWN]).astype(np.int64))[None, :SHOWN]
    if codes.shape[1] < 2:
        return []
    maps = attention_maps(estimator.module_, codes)
    if not maps:
        return []
    words = words_of(estimator.tokenizer_, codes[0])
    lead = "Which token (row) looks at which before it (column) in the last layer, mean over its heads."
    return [look_part(words, words, maps[-1].weights[0].mean(0), lead)]
