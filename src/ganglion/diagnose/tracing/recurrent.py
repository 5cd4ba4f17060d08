"""Recurrent layers step by step, so that a trace shows each step of time instead of one closed kernel.

Legend: T steps, B sequences, H units. The weights of a layer and direction are ``w_x, w_h, b_x, b_h`` (and ``w_r``,
the projection of an LSTM), in torch's order.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

State = tuple[Tensor, ...]
Say = Callable[..., None]


def rnn_cell(x: Tensor, state: State, weights: list[Any], squash: Callable[[Tensor], Tensor]) -> State:
    """``h_t = f(W_x x_t + b_x + W_h h_{t-1} + b_h)`` (Elman 1990)."""
    w_x, w_h, b_x, b_h = weights[:4]
    return (squash(F.linear(x, w_x, b_x) + F.linear(state[0], w_h, b_h)),)


def tanh_cell(x: Tensor, state: State, weights: list[Any]) -> State:
    """The plain cell with tanh."""
    return rnn_cell(x, state, weights, torch.tanh)


def relu_cell(x: Tensor, state: State, weights: list[Any]) -> State:
    """The plain cell with ReLU."""
    return rnn_cell(x, state, weights, torch.relu)


def lstm_cell(x: Tensor, state: State, weights: list[Any]) -> State:
    """``c_t = f c_{t-1} + i g``, ``h_t = o tanh(c_t)`` (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""
    w_x, w_h, b_x, b_h = weights[:4]
    h, c = state
    i, f, g, o = (F.linear(x, w_x, b_x) + F.linear(h, w_h, b_h)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return (F.linear(h, weights[4]) if len(weights) > 4 else h), c


def gru_cell(x: Tensor, state: State, weights: list[Any]) -> State:
    """``h_t = (1 - z) n + z h_{t-1}`` with ``n = tanh(W x_t + b + r (U h_{t-1} + c))`` (Cho et al. 2014)."""
    w_x, w_h, b_x, b_h = weights[:4]
    x_r, x_z, x_n = F.linear(x, w_x, b_x).chunk(3, -1)
    h_r, h_z, h_n = F.linear(state[0], w_h, b_h).chunk(3, -1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return ((1 - z) * n + z * state[0],)


CELLS = {"rnn_tanh": tanh_cell, "rnn_relu": relu_cell, "lstm": lstm_cell, "gru": gru_cell}


def one_way(
    say: Say,
    cell: Any,
    xs: Tensor,
    state: State,
    weights: list[Any],
    back: bool,
    mask: Tensor | None,
    what: str,
) -> tuple[Tensor, State]:
    """(T, B, inputs) through one layer in one direction: outputs (T, B, H) and the last state.

    Where ``mask`` (T, B, 1) is 0 a sequence has ended (or, backwards, not yet begun) and keeps its state.
    """
    outputs: list[Any] = [None] * len(xs)
    each = xs.unbind(0)
    for t in reversed(range(len(each))) if back else range(len(each)):
        say(f"{what}t={t}")
        new = cell(each[t], state, weights)
        state = new if mask is None else tuple(torch.where(mask[t], a, b) for a, b in zip(new, state))
        outputs[t] = state[0]
        say(f"{what}t={t}", state[0])
    return torch.stack(outputs), state


def layers(
    say: Say, kind: str, xs: Tensor, first: State, flat: Any, biased: bool, n_layers: int, dropout: float,
    train: bool, both: bool, mask: Tensor | None,
) -> tuple[Tensor, State]:  # fmt: skip
    """All layers and directions; ``first`` holds the first states (layers x directions, B, H)."""
    ways = 2 if both else 1
    size = len(flat) // (n_layers * ways)
    last: list[State] = []
    for layer in range(n_layers):
        sides = []
        for way in range(ways):
            at = layer * ways + way
            weights = list(flat[at * size : (at + 1) * size])
            weights = weights if biased else [*weights[:2], None, None, *weights[2:]]
            what = (f"layer {layer} " if n_layers > 1 else "") + ("back " if way else "")
            state = tuple(part[at] for part in first)
            ys, end = one_way(say, CELLS[kind], xs, state, weights, way == 1, mask, what)
            sides.append(ys)
            last.append(end)
        xs = torch.cat(sides, -1) if both else sides[0]
        if dropout and train and layer < n_layers - 1:
            xs = F.dropout(xs, dropout, True)
    return xs, tuple(torch.stack(parts) for parts in zip(*last))


def unrolled(kind: str) -> Callable[..., Any]:
    """A stand-in for ``torch.lstm`` and its like, with their two signatures (padded and packed)."""

    def run(say: Say, data: Tensor, second: Any, *rest: Any) -> Any:
        packed = isinstance(second, Tensor) and second.dtype == torch.int64 and second.dim() == 1
        if packed:
            first, flat, biased, n_layers, dropout, train, both = rest
            batches, batch_first = second.tolist(), False
            xs, mask = padded(data, batches)
        else:
            first, mask, xs = second, None, data
            flat, biased, n_layers, dropout, train, both, batch_first = rest
            xs = xs.transpose(0, 1) if batch_first else xs
        state = tuple(first) if kind == "lstm" else (first,)
        ys, last = layers(say, kind, xs, state, flat, biased, n_layers, dropout, train, both, mask)
        if packed:
            ys = torch.cat([ys[t, :n] for t, n in enumerate(batches)])
        return (ys.transpose(0, 1) if batch_first else ys, *last)

    return run


def padded(data: Tensor, batches: list[int]) -> tuple[Tensor, Tensor]:
    """Packed rows as (T, B, inputs), zeros behind the ends, and the mask (T, B, 1) of what is there."""
    parts = data.split(batches)
    xs = torch.stack([F.pad(part, (0, 0, 0, batches[0] - len(part))) for part in parts])
    there = torch.arange(batches[0], device=data.device) < torch.tensor(batches, device=data.device)[:, None]
    return xs, there[:, :, None]


def single(cell: Any, kind: str) -> Callable[..., Any]:
    """A stand-in for ``torch.lstm_cell`` and its like: one step."""

    def run(say: Say, x: Tensor, first: Any, *weights: Any) -> Any:
        new = cell(x, tuple(first) if kind == "lstm" else (first,), list(weights))
        return new if kind == "lstm" else new[0]

    return run


UNROLLED: dict[str, Callable[..., Any]] = {kind: unrolled(kind) for kind in CELLS} | {
    f"{kind}_cell": single(cell, kind) for kind, cell in CELLS.items()
}
"""torch's name of a recurrent kernel -> the same in single steps, with a callback that is told the step."""
