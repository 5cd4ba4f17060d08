"""CTC: its loss and its decoders against the enumeration of every alignment."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ganglion.base.errors import DataError, ParameterError
from ganglion.models.ctc import ctc_beam, ctc_greedy

T, K = 5, 3


def collapse(path):
    """Equal neighbours merged, then blanks dropped."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != 0)


def labellings(log_probs):
    """P of every labelling: the sum over all alignments."""
    p = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        p[collapse(path)] += math.exp(sum(float(step[symbol]) for step, symbol in zip(log_probs, path)))
    return p


@pytest.fixture(scope="module")
def log_probs():
    logits = torch.randn(40, T, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return logits.log_softmax(2)


def test_the_loss_sums_over_all_alignments(log_probs):
    """torch's loss, to 1e-10, for every labelling that there is; the one that does not fit is infinite."""
    for values in log_probs[:3]:
        p = labellings(values)
        assert math.fsum(p.values()) == pytest.approx(1)
        for labels in itertools.chain.from_iterable(
            itertools.product((1, 2), repeat=m) for m in range(T + 1)
        ):
            loss = F.ctc_loss(
                values[:, None],
                torch.tensor([labels], dtype=torch.long),
                (T,),
                (len(labels),),
                reduction="none",
            )
            assert float(loss) == pytest.approx(-math.log(p[labels]) if labels in p else math.inf, abs=1e-10)


def test_a_wide_beam_finds_the_best_labelling(log_probs):
    best = [max(p, key=p.get) for p in map(labellings, log_probs)]
    assert list(map(tuple, ctc_beam(log_probs, None, beam=500))) == best
    assert sum(tuple(found) != one for found, one in zip(ctc_greedy(log_probs), best)) > 5


def test_one_step_at_a_time_as_written_by_hand(log_probs):
    """A narrow beam over dictionaries, two probabilities for each beginning."""
    for values in log_probs[:20].exp().tolist():
        for beam in (1, 2, 3):
            kept = {(): (1.0, 0.0)}
            for step in values:
                new = defaultdict(lambda: [0.0, 0.0])
                for labels, (blank, label) in kept.items():
                    new[labels][0] += (blank + label) * step[0]
                    for c in range(1, K):
                        if labels and labels[-1] == c:
                            new[labels][1] += label * step[c]
                            new[*labels, c][1] += blank * step[c]
                        else:
                            new[*labels, c][1] += (blank + label) * step[c]
                kept = dict(sorted(new.items(), key=lambda item: -sum(item[1]))[:beam])
            found = ctc_beam(torch.tensor([values]).log(), None, beam=beam)
            assert tuple(found[0]) == max(kept, key=lambda labels: sum(kept[labels]))


def test_where_the_best_path_is_not_the_best_labelling():
    """Two steps of 0.6 for the blank: the best path, 0.36, has no label, yet one label has 0.24 + 0.24 + 0.16."""
    log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
    assert ctc_greedy(log_probs) == [[]]
    assert ctc_beam(log_probs, None, beam=2) == [[1]]


def test_the_best_path_is_merged_before_blanks_are_dropped():
    path = torch.tensor([[1, 1, 0, 1, 2, 2, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [2, 1, 2, 1, 1, 1, 1, 2]])
    values = F.one_hot(path, 3).float()
    assert ctc_greedy(values) == [[1, 1, 2], [], [2, 1, 2, 1, 2]]
    assert ctc_greedy(values, [1, 8, 2]) == [[1], [], [2, 1]]


def test_steps_behind_the_end_do_not_count(log_probs):
    lengths = torch.arange(40) % (T + 1)
    dirty = log_probs.clone()
    dirty[torch.arange(T) >= lengths[:, None]] = torch.nan
    for decode in (ctc_greedy, ctc_beam):
        whole = decode(dirty, lengths)
        assert whole == [decode(log_probs[i : i + 1, :m])[0] for i, m in enumerate(lengths.tolist())]
        assert whole[0] == []
        assert decode(log_probs[:0]) == []


def bigrams(labels):
    """A language that dislikes repeats; the first number is the end, likelier behind label 2."""
    table = torch.tensor([[0.1, 0.3, 0.6], [0.2, 0.1, 0.7], [0.6, 0.35, 0.05]]).double().log()
    return table[labels[-1] if labels else 0]


def test_a_language_counts_each_label_once(log_probs):
    changed = 0
    for values, found in zip(log_probs, ctc_beam(log_probs, None, 500, bigrams)):
        p = labellings(values)
        for labels in p:
            said = [bigrams(labels[:i])[c] for i, c in enumerate((*labels, 0))]
            p[labels] *= math.exp(sum(map(float, said)))
        assert tuple(found) == max(p, key=p.get)
        changed += found != ctc_beam(values[None], None, 500)[0]
    assert changed > 5


def test_what_a_language_forbids_is_never_said(log_probs):
    def ends_with_two(labels):
        return [0.0 if labels and labels[-1] == 2 else -np.inf, 0.0, 0.0]

    assert all(found[-1] == 2 for found in ctc_beam(log_probs, None, 500, ends_with_two))
    with pytest.raises(DataError, match="leaves no labels for sequence 0"):
        ctc_beam(log_probs, None, 500, lambda labels: [-np.inf] * K)


def test_impossible_symbols_and_logits(log_probs):
    hard = log_probs.clone()
    hard[:, ::2, 0] = -torch.inf
    for values, found in zip(hard, ctc_beam(hard, None, 500)):
        p = labellings(values)
        assert tuple(found) == max(p, key=p.get)
    shifted = log_probs + torch.arange(T)[:, None] * 50.0
    assert ctc_beam(shifted) == ctc_beam(log_probs)


@pytest.mark.parametrize("decode", [ctc_greedy, ctc_beam])
@pytest.mark.parametrize(
    ("values", "lengths", "words"),
    [(torch.zeros(3, 2), None, r"\(n, T, k\) are expected, got \(3, 2\)"), (torch.zeros(1, 3, 2), [4], "from 0 to 3"),
     (torch.zeros(1, 3, 2), [-1], "from 0 to 3"), (torch.zeros(1, 3, 2), [1, 2], "of 1 sequences"),
     (torch.zeros(1, 3, 2), [1.0], "whole number"), (torch.full((1, 3, 2), torch.nan), None, "step 0 of sequence 0"),
     (torch.full((1, 3, 2), -torch.inf), None, "possible symbol")],
)  # fmt: skip
def test_wrong_data_are_refused(decode, values, lengths, words):
    with pytest.raises(DataError, match=words):
        decode(values, lengths)


def test_wrong_requests_are_refused(log_probs):
    with pytest.raises(ParameterError, match="at least 1"):
        ctc_beam(log_probs, None, beam=0)
    for said in ([0.0], [0.0, np.nan, 0.0]):
        with pytest.raises(DataError, match="must give 3 log-probabilities"):
            ctc_beam(log_probs, None, language=lambda labels, said=said: said)
