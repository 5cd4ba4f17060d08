"""A generated world of shapes with captions: sizes, colours, relations, counts, and combinations held out by rule.

    one       a small red square
    related   a small red square left of a large blue disc  (or, as right: a large blue disc right of a ...)
    counted   three green triangles                          (two or three alike, large or small)

A combination is (colour, shape, role), where the role is alone, left of, right of, above, below, two or three. With
their numbers c, s, r, the rule holds out those with ``(c + 2 s + 3 r + seed) % 5 == 0``: of each shape and role one
colour in five, so that each colour, shape and role and most pairs of them are seen. "A left of B" is also "B right
of A", so a related picture has two combinations and two right captions.
"""

import itertools

import numpy as np

SIDE = 32
PICTURES = 12_000  # of the measured runs, as the recipe
RECIPE = {"max_epochs": 8, "batch_size": 32, "units": 128, "weight_decay": 0.3}
COLOURS = {"red": (225, 45, 40), "green": (40, 180, 60), "blue": (55, 85, 235), "yellow": (235, 210, 45),
           "white": (240, 240, 240)}  # fmt: skip
SHAPES = ("square", "disc", "triangle", "cross")
RELATIONS = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
COUNTS = {"two": 2, "three": 3}
ROLES = ("alone", *RELATIONS, *COUNTS)
KINDS = ("one", "related", "counted")
RADII = {"small": (3.0, 3.8), "large": (5.0, 6.0)}


def held_out(seed=0):
    """The combinations that no training picture shows."""
    return {
        (colour, shape, role)
        for (c, colour), (s, shape), (r, role) in itertools.product(*map(enumerate, (COLOURS, SHAPES, ROLES)))
        if (c + 2 * s + 3 * r + seed) % len(COLOURS) == 0
    }


def world(n, seed, unseen=None, held=frozenset()):
    """Pictures (n, 32, 32, 3) and for each its right captions.

    ``unseen=True`` gives pictures with a combination in ``held``, ``False`` those without, ``None`` all.
    """
    rng = np.random.default_rng(seed)
    pictures, captions = [], []
    while len(pictures) < n:
        things, texts, combinations = scene(rng)
        if unseen is not None and unseen != bool(combinations & held):
            continue
        if (picture := drawn(things, rng)) is not None:
            pictures.append(picture)
            captions.append(texts)
    return np.stack(pictures), captions


def scene(rng):
    """The things in a picture, (size, colour, shape) and how they lie, its captions, and its combinations."""
    kind = ("one", "related", "related", "counted")[rng.integers(4)]
    first, second = ([str(rng.choice(list(of))) for of in (RADII, COLOURS, SHAPES)] for _ in range(2))
    if kind == "one":
        return ([first], None), [f"a {' '.join(first)}"], {(*first[1:], "alone")}
    if kind == "counted":
        count = str(rng.choice(list(COUNTS)))
        return (
            ([first] * COUNTS[count], None),
            [f"{count} {' '.join(first)}{'es' if first[2] == 'cross' else 's'}"],
            {(*first[1:], count)},
        )
    while second == first:  # these would be two alike
        second = [str(rng.choice(list(of))) for of in (RADII, COLOURS, SHAPES)]
    relation = str(rng.choice(["left of", "above"]))
    a, b = (f"a {' '.join(thing)}" for thing in (first, second))
    texts = [f"{a} {relation} {b}", f"{b} {RELATIONS[relation]} {a}"]
    return ([first, second], relation), texts, {(*first[1:], relation), (*second[1:], RELATIONS[relation])}


def kind_of(texts):
    """Which of ``KINDS`` a picture is, by its captions."""
    return "related" if len(texts) == 2 else "counted" if texts[0].split()[0] in COUNTS else "one"


def drawn(things, rng):
    """The picture, or nothing where a place for its things is not found soon."""
    things, relation = things
    radii = [rng.uniform(*RADII[size]) for size, _, _ in things]
    for _ in range(50):
        places = [rng.uniform(r + 1, SIDE - r - 1, 2) for r in radii]
        apart = all(
            np.abs(places[i] - places[j]).max() > radii[i] + radii[j] + 1.5
            for i, j in itertools.combinations(range(len(places)), 2)
        )
        if apart and (relation is None or lie(*places, relation)):
            break
    else:
        return None
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    picture = rng.uniform(10, 70) + rng.normal(0, 10, (SIDE, SIDE, 3))
    for (_, colour, shape), place, radius in zip(things, places, radii):
        inside = covered(shape, (x - place[0]) / radius, (y - place[1]) / radius)
        picture[inside] = COLOURS[colour] + rng.normal(0, 12, 3) + rng.normal(0, 6, (inside.sum(), 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def lie(a, b, relation):
    """Whether a lies left of or above b, and clearly more so than in the other direction."""
    along, across = (b - a) if relation == "left of" else (b - a)[::-1]
    return along > 1.5 * abs(across)


def covered(shape, u, v):
    """Which pixels a shape covers, by their place in units of its radius."""
    inside = (np.abs(u) <= 1) & (np.abs(v) <= 1)
    return (
        inside
        & {
            "square": inside,
            "disc": u**2 + v**2 <= 1,
            "triangle": np.abs(u) <= (v + 1) / 2,
            "cross": (np.abs(u) <= 0.36) | (np.abs(v) <= 0.36),
        }[shape]
    )
