"""Where the attention of a network lies: the weights of every layer that has some, for given inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.nn.attention import AdditiveAttention, MultiHeadAttention


class Look(NamedTuple):
    """What one layer looks at."""

    name: str
    """Of the layer within the network."""
    weights: Tensor
    """(n, h, t, s): how much place s counts for place t, by head; they sum to 1 over s."""
    cross: bool
    """Whether it looks at another sequence than its own."""


def attention_maps(module: nn.Module, *inputs: Any) -> list[Look]:
    """The weights of each attention in ``module(*inputs)``, in the order in which they are asked.

    Those of ``AdditiveAttention``, which a recurrent network asks once a step, are put together to one map. They say
    where a layer looks, not what an answer rests on: equal answers may come from other weights (Jain and Wallace
    2019, arXiv:1902.10186). The network is left as it was.

    >>> layer = MultiHeadAttention(4, 2, causal=True)
    >>> [look.weights.shape for look in attention_maps(layer, torch.randn(1, 3, 4))]
    [torch.Size([1, 2, 3, 3])]
    """
    found: dict[str, list[Tensor]] = {}
    crosses: dict[str, bool] = {}
    was_training = module.training
    module.eval()
    try:
        with watched(module, found, crosses), torch.no_grad():
            module(*inputs)
    finally:
        module.train(was_training)
    return [Look(name, _joined(maps), crosses[name]) for name, maps in found.items()]


def _joined(maps: list[Tensor]) -> Tensor:
    """One map of four axes as it is, those of single steps (n, s) one below the other."""
    return maps[-1] if maps[0].dim() == 4 else torch.stack(maps, 1)[:, None]


@contextmanager
def watched(module: nn.Module, found: dict[str, list[Tensor]], crosses: dict[str, bool]) -> Iterator[None]:
    """Write the weights of each attention down as it is asked; whatever happens, nothing stays behind."""
    steps = {name: m for name, m in module.named_modules() if isinstance(m, MultiHeadAttention)}
    handles = []
    try:
        for name, m in steps.items():
            crosses[name], m.step = m.cross, _noting(m, found.setdefault(name, []))  # type: ignore[method-assign]
        for name, m in module.named_modules():
            if isinstance(m, AdditiveAttention):
                crosses[name], own = True, found.setdefault(name, [])
                handles.append(m.register_forward_hook(lambda _m, _i, out, own=own: own.append(out[1])))
        yield
    finally:
        for m in steps.values():
            m.__dict__.pop("step", None)
        for handle in handles:
            handle.remove()
        for name in [name for name, maps in found.items() if not maps]:
            del found[name]


def _noting(layer: MultiHeadAttention, own: list[Tensor]) -> Any:
    """The layer's step, which writes its weights down first."""
    step = layer.step

    def noting(x: Tensor, there: Any = None, memory: Any = None, cache: Any = None) -> Any:
        if cache is None:
            own.append(layer.weights(x, there, memory))
        return step(x, there, memory, cache)

    return noting
