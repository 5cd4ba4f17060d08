"""What tags say of spans: whether they do, by which scheme, and where they break it."""

import re
from collections.abc import Sequence
from itertools import pairwise

from ganglion.nn.crf import allowed_transitions

SPAN = re.compile(r"O|[BIELSU](-.+)?", re.DOTALL)


def are_spans(tags: Sequence[str]) -> bool:
    """Whether different tags are those of spans: O, B-PER, I-PER and the like.

    >>> are_spans(["B-PER", "I-PER", "O"]), are_spans(["NOUN", "O"])
    (True, False)
    """
    hyphens = any("-" in tag for tag in tags) or {"B", "O"} <= set(tags)
    return hyphens and all(SPAN.fullmatch(tag) for tag in tags)


def scheme_of(sentences: Sequence[Sequence[str]]) -> str:
    """The scheme that the tags of all sentences keep to: "bio", "iobes", or "none" where there is no such.

    >>> scheme_of([["B-X", "I-X", "O"]]), scheme_of([["S-X", "O"]]), scheme_of([["O", "I-X"]]), scheme_of([["NOUN"]])
    ('bio', 'iobes', 'none', 'none')
    """
    known = {tag for tags in sentences for tag in tags}
    if not are_spans(sorted(known)):
        return "none"
    for scheme, letters in (("bio", "OBI"), ("iobes", "OBIES")):
        if {tag[0] for tag in known} <= set(letters) and broken(sentences, scheme) is None:
            return scheme
    return "none"


def broken(sentences: Sequence[Sequence[str]], scheme: str) -> str | None:
    """Where tags first break a scheme, in words; nothing where they do not.

    Raises ``ParameterError`` for what are no tags of the scheme.

    >>> broken([["O"], ["O", "I-X"]], "bio")
    'I-X stands behind O in sentence 1'
    """
    if scheme == "none":
        return None
    known = sorted({tag for tags in sentences for tag in tags})
    table = allowed_transitions(known, scheme).tolist()
    code = {tag: i for i, tag in enumerate(known)}
    for i, tags in enumerate(sentences):
        steps = [len(known), *(code[tag] for tag in tags), len(known)]
        for place, (one, next_) in enumerate(pairwise(steps)):
            if not table[one][next_]:
                before = tags[place - 1] if place else "the beginning"
                return f"{tags[place] if place < len(tags) else 'the end'} stands behind {before} in sentence {i}"
    return None
