"""The merges of byte-pair encoding: learned from counted words, and done in a word.

A word is a list of codes, at first one for each byte. The pair of neighbours that is most frequent becomes a code of
its own, everywhere, and so on (Sennrich et al. 2016, arXiv:1508.07909). Of pairs equally frequent the one with the
smallest codes is taken, which is also what the package ``tokenizers`` does, so both learn the same.

No two merges give the same bytes: as long as the ends of some bytes are ends of codes, what is between them has been
merged as it is wherever they stand, so the last merge inside takes all of them at once.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from importlib.util import find_spec
from itertools import chain, pairwise, repeat

from ganglion.data.tokens.tokenizer import SPECIALS

FIRST = SPECIALS + 256  # the code of the first merge
NEVER = 1 << 40  # a code above all others

Pair = tuple[int, int]


def learn_merges(
    counts: Mapping[bytes, int], most: int, min_count: int = 2, *, own: bool | None = None
) -> list[Pair]:
    """The pairs that become codes ``FIRST``, ``FIRST + 1`` ..., the most frequent first.

    Arguments:
        counts: how often each word stands in the texts.
        most: merges at most.
        min_count: how often a pair must stand there.
        own: whether to learn by the code below or, in two thirds of the time, by the package ``tokenizers``, which
            gives the same (``None``: by the package if it is installed).

    >>> learn_merges({b"low": 5, b"lower": 2, b"new": 6}, 2)
    [(112, 115), (260, 123)]
    """
    if own is None:
        own = find_spec("tokenizers") is None
    return _learned_here(counts, most, min_count) if own else _learned_by_package(counts, most, min_count)


def _learned_here(counts: Mapping[bytes, int], most: int, min_count: int) -> list[Pair]:
    words = [[SPECIALS + byte for byte in word] for word in counts]
    times = list(counts.values())
    frequency: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # words in which a pair is or once was
    for i, word in enumerate(words):
        for pair in pairwise(word):
            frequency[pair] += times[i]
            where[pair].add(i)
    queue = [
        (-count, pair) for pair, count in frequency.items()
    ]  # each pair once, its count possibly too high
    heapify(queue)
    learned: list[Pair] = []
    while queue and len(learned) < most:
        negative, pair = heappop(queue)
        if frequency[pair] != -negative:
            if frequency[pair] > 0:
                heappush(queue, (-frequency[pair], pair))
            continue
        if -negative < min_count:
            break
        code = FIRST + len(learned)
        learned.append(pair)
        change: Counter[Pair] = Counter()
        for i in where.pop(pair):
            before, words[i] = words[i], merged(words[i], pair, code)
            for old in pairwise(before):
                change[old] -= times[i]
            for new in pairwise(words[i]):
                change[new] += times[i]
                if code in new:
                    where[new].add(i)
        for touched, difference in change.items():
            frequency[touched] += difference
            if code in touched:  # only pairs with the new code have become more frequent
                heappush(queue, (-frequency[touched], touched))
    return learned


def _learned_by_package(counts: Mapping[bytes, int], most: int, min_count: int) -> list[Pair]:
    from tokenizers import Tokenizer, models, trainers

    # byte b as character b: the package then numbers codes as this module does, and meets no rules of its own
    alphabet = [chr(byte) for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + most,
        min_frequency=min_count,
        initial_alphabet=alphabet,
        show_progress=False,
        special_tokens=[],
    )
    package = Tokenizer(models.BPE())
    words = (repeat(word.decode("latin-1"), count) for word, count in counts.items())
    package.train_from_iterator(chain.from_iterable(words), trainer)
    tokens = {SPECIALS + number: token.encode("latin-1") for token, number in package.get_vocab().items()}
    codes: dict[Pair, int] = {}
    for code in range(
        FIRST, SPECIALS + len(tokens)
    ):  # what it was merged from is what the merges before leave
        left, right = apply_merges(tokens[code], codes)
        codes[left, right] = code
    return list(codes)


def merged(word: list[int], pair: Pair, code: int) -> list[int]:
    """A word with the code in the place of each such pair of neighbours, from left to right.

    >>> merged([5, 5, 5, 6], (5, 5), 260)
    [260, 5, 6]
    """
    found, i, last = [], 0, len(word) - 1
    while i <= last:
        if i < last and word[i] == pair[0] and word[i + 1] == pair[1]:
            found.append(code)
            i += 2
        else:
            found.append(word[i])
            i += 1
    return found


def apply_merges(word: bytes, codes: Mapping[Pair, int]) -> list[int]:
    """The codes of a word: of the pairs in it the one that was learned first is merged, until none is left.

    >>> apply_merges(b"aab", {(101, 102): 260, (101, 260): 261})
    [261]
    """
    found = [SPECIALS + byte for byte in word]
    code = codes.get
    new = [code(pair, NEVER) for pair in pairwise(found)]  # what each and the one behind it become
    while new and (first := min(new)) != NEVER:
        i = new.index(first)
        found[i : i + 2] = [first]
        new[i : i + 2] = [code((first, found[i + 1]), NEVER)] if i + 1 < len(found) else []
        if i:
            new[i - 1] = code((found[i - 1], first), NEVER)
    return found
