"""Nests of tuples, lists and dicts, as the arguments of torch functions are."""

from collections.abc import Callable, Iterator
from typing import Any


def swap(tree: Any, kinds: dict[type, Callable[[Any], Any]]) -> Any:
    """A nest in which everything of some kinds is changed.

    >>> swap((1, [2, {"a": "b"}]), {int: lambda n: n + 1, str: str.upper})
    (2, [3, {'a': 'B'}])
    """
    for kind, change in kinds.items():
        if isinstance(tree, kind):
            return change(tree)
    if type(tree) in (tuple, list):
        return type(tree)(swap(part, kinds) for part in tree)
    if isinstance(tree, dict):
        return {key: swap(part, kinds) for key, part in tree.items()}
    return tree


def every(tree: Any, kind: type) -> Iterator[Any]:
    """Everything of a kind in a nest, in order.

    >>> list(every((1, [2, {"a": 3}]), int))
    [1, 2, 3]
    """
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, dict):
        yield from every(list(tree.values()), kind)
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from every(part, kind)
