"""Products, squares, ratios and radius of a table's numbers: ``interactions="products(10)"``.

    products(k)      x_i x_j of different columns      squares      x_i^2
    polynomial(k)    both                              radius       the length of the row
    ratios(k)        x_i / x_j                         chosen(...)  "a * b", "a / b" by name

Products, squares and radius are of the scaled numbers, so that they say something beside their parts; ratios are of
the numbers as they are. With a number k only the k best are kept: those whose part that no linear function of the
numbers explains goes most with what such a function leaves unexplained of the target, on training rows.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.base.fields import why_not
from ganglion.base.named import named
from ganglion.data.features import all_pairs, radius, ratios

Term = tuple[str, int, int]
"""An operation ("*", "/" or "r") and two places among the numeric columns."""
Wish = tuple[Callable[[list[str]], list[Term]], int | None]

MOST = 2_000  # columns added at most
MOST_PAIRED = 200  # columns of which pairs are made: 40,000 ratios take seconds to compare
MAX_ROWS = 5_000  # rows that the best are chosen on
BLOCK = 256  # candidates at a time


def _few(names: list[str]) -> list[str]:
    if len(names) > MOST_PAIRED:
        raise DataError(
            f"interactions: pairs of at most {MOST_PAIRED} numeric columns are expected, got {len(names):,}: "
            "name pairs as in chosen('a * b'), or leave columns out."
        )
    return names


def _pairs(names: list[str]) -> list[Term]:
    return [("*", i, j) for i, j in all_pairs(len(_few(names)))]


def _squares(names: list[str]) -> list[Term]:
    return [("*", i, i) for i in range(len(names))]


def _ratios(names: list[str]) -> list[Term]:
    return [("/", i, j) for i in range(len(_few(names))) for j in range(len(names)) if i != j]


def _chosen(*texts: str) -> Wish:
    def terms(names: list[str]) -> list[Term]:
        return [_read(text, names) for text in texts]

    return terms, None


def _read(text: str, names: list[str]) -> Term:
    places = {name: i for i, name in enumerate(names)}
    for sign in re.finditer(r"[*/]", str(text)):  # a name may hold one, so every place is tried
        left, right = text[: sign.start()].strip(), text[sign.end() :].strip()
        if left in places and right in places:
            return sign[0], places[left], places[right]
    parts = [part.strip() for part in re.split(r"[*/]", str(text))]
    strange = next((part for part in parts if part not in places), None)
    if len(parts) == 2 and strange is not None:
        raise ParameterError(unknown_name("interactions: numeric column", strange, names))
    raise ParameterError(
        f"interactions: two numeric columns as in 'a * b' or 'a / b' are expected, got {text!r}."
    )


INTERACTIONS: dict[str, Callable[..., Wish]] = {
    "products": lambda best=None: (_pairs, best),
    "squares": lambda best=None: (_squares, best),
    "polynomial": lambda best=None: (lambda names: _pairs(names) + _squares(names), best),
    "ratios": lambda best=None: (_ratios, best),
    "radius": lambda: (lambda names: [("r", 0, 0)] if names else [], None),
    "chosen": _chosen,
}


def wished(text: str) -> Wish:
    """What a text such as ``"products(10)"`` asks for; raises ``ParameterError``."""
    terms, best = named("interactions", text, INTERACTIONS)
    if best is not None and (
        not isinstance(best, int) or isinstance(best, bool) or best < 1 or why_not(best)
    ):
        raise ParameterError(f"interactions={text!r}: a whole number from 1 is expected, got {best!r}.")
    return terms, best


def choose_terms(
    text: str,
    names: list[str],
    raw: np.ndarray,
    scaled: np.ndarray,
    counts: np.ndarray,
    goal: np.ndarray | None,
) -> list[Term]:
    """The interactions that a text asks for, the best ones first if it gives a number.

    Args:
        text: as in ``INTERACTIONS``.
        names: of the d numeric columns.
        raw, scaled: (n, d) the numbers as they are, without gaps, and as the network sees them.
        counts: (n,) weights.
        goal: (n, k) the target, needed where the best are asked for.

    Raises:
        ParameterError: the text is unknown, or names a column that is no number.
        DataError: more columns than anybody wants.
    """
    make, best = wished(text)
    terms = make(names)
    if (count := min(len(terms), best or len(terms))) > MOST:
        raise DataError(
            f"interactions={text!r} makes {count:,} columns, at most {MOST:,} are expected: "
            "give a number as in 'products(20)', or fewer columns."
        )
    if best is None or best >= len(terms) or goal is None:
        return terms
    rows = np.linspace(0, len(raw) - 1, min(len(raw), MAX_ROWS)).astype(np.int64)
    gains = _gains(terms, raw[rows], scaled[rows], counts[rows], goal[rows])
    return [terms[i] for i in np.argsort(-gains, kind="stable")[:best]]


def _gains(
    terms: list[Term], raw: np.ndarray, scaled: np.ndarray, counts: np.ndarray, goal: np.ndarray
) -> np.ndarray:
    """How much each interaction adds to a linear model of the numbers: the squared error that it takes away."""
    root = np.sqrt(counts)[:, None]
    known = np.linalg.qr(root * np.column_stack([np.ones(len(scaled)), scaled]))[0]
    rest = root * goal
    rest = rest - known @ (known.T @ rest)
    rest /= np.maximum(np.linalg.norm(rest, axis=0), 1e-300)
    gains = np.zeros(len(terms))
    for start in range(0, len(terms), BLOCK):
        block = computed(terms[start : start + BLOCK], raw, scaled)
        block = root * (block / np.maximum(np.abs(block).max(axis=0), 1e-300))
        before = np.linalg.norm(block, axis=0)
        block -= known @ (known.T @ block)
        left = np.linalg.norm(block, axis=0)
        new = left > 1e-6 * before
        found = ((block[:, new].T @ rest) ** 2).sum(axis=1)
        gains[start : start + BLOCK][new] = found / left[new] ** 2
    return gains


def computed(terms: Sequence[Term], raw: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """The columns of ``terms``, (n, terms), from numbers without gaps as in ``choose_terms``."""
    out = np.zeros((len(raw), len(terms)))
    for column, (sign, i, j) in enumerate(terms):
        if sign == "*":
            out[:, column] = scaled[:, i] * scaled[:, j]
        else:
            out[:, column] = (radius(scaled) if sign == "r" else ratios(raw, [(i, j)]))[:, 0]
    return out


def term_names(terms: Sequence[Term], names: list[str]) -> list[str]:
    """A name for each interaction.

    >>> term_names([("*", 0, 1), ("*", 1, 1), ("/", 0, 1), ("r", 0, 0)], ["a", "b"])
    ['a * b', 'b^2', 'a / b', 'radius']
    """
    return [
        "radius"
        if sign == "r"
        else f"{names[i]}^2"
        if sign == "*" and i == j
        else f"{names[i]} {sign} {names[j]}"
        for sign, i, j in terms
    ]


def restored_terms(values: Any, width: int) -> list[Term]:
    """Terms out of a file; raises ``ValueError`` for what no ``choose_terms`` leaves."""
    terms = [(str(sign), i, j) for sign, i, j in values]
    sound = all(
        sign in ("*", "/", "r") and all(isinstance(k, int) and 0 <= k < width for k in (i, j))
        for sign, i, j in terms
    )
    if not sound or len(terms) > MOST:
        raise ValueError("unknown interactions")
    return terms
