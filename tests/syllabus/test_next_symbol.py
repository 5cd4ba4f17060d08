"""What comes next: a grammar that asks for a symbol from long before, and what a table of vectors learns of words."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion import LanguageModel

# Reber's grammar: from each state the symbols that may follow and the states they lead to.
GRAMMAR = (
    {"T": 1, "P": 2},
    {"S": 1, "X": 3},
    {"T": 2, "V": 4},
    {"X": 2, "S": 5},
    {"P": 3, "V": 5},
    {"E": None},
)
THINGS = "cdefghijklmn"


def embedded(rng):
    """A word of the embedded grammar and the symbols that are legal at each of its places (Hochreiter 1997)."""
    outer = rng.choice(["T", "P"])
    word, legal, state = ["B", outer, "B"], ["B", "TP", "B"], 0
    while state is not None:
        legal.append("".join(GRAMMAR[state]))
        word.append(rng.choice(list(GRAMMAR[state])))
        state = GRAMMAR[state][word[-1]]
    return "".join([*word, outer, "E"]), [*legal, outer, "E"]


def only_legal(model, words):
    """The share of words at each of whose places the likeliest symbols, as many as are legal, are the legal ones."""
    right = []
    for word, legal in words:
        codes = torch.from_numpy(model._prompt(word[:-1]).astype(np.int64))
        with torch.inference_mode():
            told = model.module_(codes[None])[0, -len(word) :]
        likely = [told[i].argsort(descending=True)[: len(may)] for i, may in enumerate(legal)]
        right.append(
            all(set(model.tokenizer_.decode(codes.numpy())) == set(may) for codes, may in zip(likely, legal))
        )
    return float(np.mean(right))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sequence_prediction():
    """At every place of unseen words an LSTM tells exactly the legal symbols, in nine of ten runs at least."""
    rng = np.random.default_rng(0)
    known = [embedded(rng)[0] for _ in range(2_000)]
    unseen = [word for word in (embedded(rng) for _ in range(600)) if word[0] not in set(known)][:200]
    solved = 0
    for seed in range(10):
        model = LanguageModel(
            cell="lstm", units=32, layers=1, context=64, tokens="characters", memory=30, lr=0.01, batch_size=32,
            max_epochs=12, random_state=seed,
        ).fit([""] * len(known), known)  # fmt: skip
        solved += only_legal(model, unseen) == 1
    assert solved >= 9


def test_embedding_layer():
    """A look-up is a product with one-hot rows, teaches these rows alone, and brings synonyms together."""
    table, codes = nn.Embedding(9, 4), torch.tensor([2, 5, 2])
    assert torch.equal(table(codes), nn.functional.one_hot(codes, 9).float() @ table.weight)
    table(codes).pow(2).sum().backward()
    assert table.weight.grad.any(1).nonzero().flatten().tolist() == [2, 5]

    rng = np.random.default_rng(0)
    texts = []  # of twelve things, each with two names and three deeds of its own
    for thing in rng.choice(list(THINGS), 1_500):
        texts.append(f"{rng.choice(['a', 'b'])}{thing} {rng.choice(['does', 'sees', 'has'])}{thing}")
    model = LanguageModel(
        units=24, layers=1, context=12, tokens="words", max_epochs=10, batch_size=16, random_state=0
    )
    vectors = nn.functional.normalize(model.fit(texts).module_.embed.weight.detach(), dim=1)
    names = [kind + thing for thing in THINGS for kind in "ab"]
    rows = vectors[torch.tensor([model.tokenizer_.encode(name).item() for name in names])]
    nearest = (rows @ rows.T - 2 * torch.eye(24)).argmax(1)
    assert (nearest == torch.arange(24) ^ 1).float().mean() >= 0.9
