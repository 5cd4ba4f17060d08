"""Rows for training and rows for validation: stratified, plain, by group or by time."""

import numpy as np

from ganglion.base.errors import DataError

MIN_VALIDATION = 10  # fewer rows tell epochs apart by luck


def permutation(seed: int, n: int) -> np.ndarray:
    """The order that "split with seed s" means: ``numpy.random.default_rng(seed).permutation(n)``.

    Example:
        >>> sorted(permutation(0, 4).tolist())
        [0, 1, 2, 3]
    """
    return np.random.default_rng(seed).permutation(n)


def _size(n: int, fraction: float) -> int:
    if not 0 < fraction < 1:
        raise DataError(
            f"a validation share between 0 and 1 is expected, got {fraction}: give for example 0.1."
        )
    if n < 2:
        raise DataError(f"at least 2 rows are expected for a split, got {n} (1 sample): give more rows.")
    return min(max(1, round(n * fraction)), n - 1)


def plain_split(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random split; both parts in ascending order of rows.

    Args:
        n: number of rows.
        fraction: share of the second part.
        seed: of the permutation; its last rows form the second part.

    Returns:
        Row numbers for training and for validation.

    Example:
        >>> [len(part) for part in plain_split(10, 0.2, seed=0)]
        [8, 2]
    """
    size = _size(n, fraction)
    order = permutation(seed, n)
    return np.sort(order[: n - size]), np.sort(order[n - size :])


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random split that keeps the shares of the classes; every class stays in training.

    Each class gives its share rounded by largest remainder, so that the total is that of ``plain_split``
    where the classes allow; a class of one member goes to training.

    Args:
        labels: (n,) class of each row.
        fraction: share of the second part.
        seed: of the permutation.

    Example:
        >>> train, held = stratified_split(np.array([0] * 8 + [1] * 2), 0.5, seed=0)
        >>> np.bincount(np.array([0] * 8 + [1] * 2)[held]).tolist()
        [4, 1]
    """
    labels = np.asarray(labels)
    size = _size(len(labels), fraction)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * (size / len(labels))
    quota = np.minimum(np.floor(exact).astype(int), counts - 1)
    # The rest goes to the classes with the largest remainder (the larger class on a tie).
    for k in sorted(range(len(classes)), key=lambda k: (quota[k] - exact[k], -counts[k], k)):
        if quota.sum() >= size:
            break
        if quota[k] < counts[k] - 1:
            quota[k] += 1
    order = permutation(seed, len(labels))
    by_class = order[np.argsort(codes[order], kind="stable")]
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = place >= np.repeat(counts - quota, counts)
    if not held.any():
        raise DataError(
            f"classes with at least 2 members are expected for a split, got {len(classes)} classes in "
            f"{len(labels)} rows: give more rows, or validation_fraction=0."
        )
    return np.sort(by_class[~held]), np.sort(by_class[held])


def group_split(groups: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random split that never parts a group.

    Groups are taken in the order of ``permutation`` until the second part has its share of rows.

    Args:
        groups: (n,) group of each row.
        fraction: share of the second part.
        seed: of the permutation of the groups.

    Example:
        >>> train, held = group_split(np.array([1, 1, 2, 2, 3, 3]), 0.34, seed=0)
        >>> len(held)
        2
    """
    groups = np.asarray(groups)
    size = _size(len(groups), fraction)
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise DataError("at least 2 groups are expected for a split by group, got 1: leave the groups out.")
    order = permutation(seed, len(counts))
    reached = np.cumsum(counts[order])
    chosen = order[: min(int(np.argmin(np.abs(reached - size))) + 1, len(counts) - 1)]
    held = np.isin(codes, chosen)
    return np.flatnonzero(~held), np.flatnonzero(held)


def time_split(times: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The past for training, the latest rows for validation; equal moments stay together.

    Args:
        times: (n,) numbers or dates, in any order, none missing.
        fraction: share of the second part.

    Returns:
        Row numbers of both parts, each in the order of time.

    Example:
        >>> [part.tolist() for part in time_split(np.array([3, 1, 2, 4]), 0.25)]
        [[1, 2, 0], [3]]
    """
    times = np.asarray(times)
    size = _size(len(times), fraction)
    if np.any(times != times):
        raise DataError(
            "a time is expected in every row for a split by time, some are missing: drop those rows."
        )
    order = np.argsort(times, kind="stable")
    first = times[order[len(times) - size]]
    cut = int(np.searchsorted(times[order], first, side="left"))
    if cut == 0:  # the moment of the cut is the first one: what comes after it is the later part
        cut = int(np.searchsorted(times[order], first, side="right"))
    if cut == len(times):
        raise DataError(
            "at least 2 different times are expected for a split by time, got 1: use another split."
        )
    return order[:cut], order[cut:]
