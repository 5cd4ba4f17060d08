"""Recurrent layers: a state that is carried from place to place of a sequence.

Axes: n sequences, t places, c numbers in, u units. ``there`` (n, t) is true for what is no padding, which stands
behind a sequence's end. The cells are written out to be read, and as the oracle of torch's fused kernels, which
``Recurrent`` runs.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.nn.noise import Dropout

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """Base of the cells: two maps, of the input and of the state, cut into ``gates`` parts of u numbers."""

    gates = 1
    states = 1

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.input, self.state = nn.Linear(inputs, self.gates * units), nn.Linear(units, self.gates * units)

    def begin(self, n: int, like: Tensor) -> State:
        """The state before the first place: zeros (n, u)."""
        return tuple(like.new_zeros(n, self.units) for _ in range(self.states))

    def forward(self, x: Tensor, state: State) -> State:
        """One place: x (n, c) and the state before -> the state after; its first part is the answer."""
        raise NotImplementedError

    def copy_from(self, layer: nn.RNNBase, which: str = "l0") -> "Cell":
        """Take the weights of torch's layer, as in ``"l0"`` or ``"l0_reverse"``."""
        with torch.no_grad():
            for mine, name in ((self.input, "ih"), (self.state, "hh")):
                mine.weight.copy_(getattr(layer, f"weight_{name}_{which}"))
                mine.bias.copy_(getattr(layer, f"bias_{name}_{which}"))
        return self


class RNNCell(Cell):
    """``h' = tanh(W x + b + U h + c)`` (Elman 1990).

    >>> RNNCell(3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4),))[0].shape
    torch.Size([2, 4])
    """

    def forward(self, x: Tensor, state: State) -> State:
        """(n, c), ((n, u),) -> ((n, u),)."""
        return (torch.tanh(self.input(x) + self.state(state[0])),)


class LSTMCell(Cell):
    """``c' = f c + i g, h' = o tanh(c')``: what is kept, what is written and what is told are gated.

    ``i, f, o = sigmoid(...)``, ``g = tanh(...)`` of ``W x + b + U h + c`` (Hochreiter and Schmidhuber 1997; forget
    gates by Gers et al. 2000). As long as f is near 1 the cell c hands its gradient on unchanged.

    >>> len(LSTMCell(3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(2, 4))))
    2
    """

    gates, states = 4, 2

    def forward(self, x: Tensor, state: State) -> State:
        """(n, c), ((n, u), (n, u)) -> hidden and cell."""
        hidden, cell = state
        i, f, g, o = (self.input(x) + self.state(hidden)).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


class GRUCell(Cell):
    """``h' = (1 - z) n + z h`` with ``n = tanh(W_n x + b_n + r (U_n h + c_n))`` and gates ``r, z = sigmoid(...)``.

    Cho et al. 2014, arXiv:1406.1078, in the form of cuDNN and torch: r acts behind the product with U_n.

    >>> GRUCell(3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4),))[0].shape
    torch.Size([2, 4])
    """

    gates = 3

    def forward(self, x: Tensor, state: State) -> State:
        """(n, c), ((n, u),) -> ((n, u),)."""
        a, b = self.input(x).chunk(3, 1), self.state(state[0]).chunk(3, 1)
        r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
        new = torch.tanh(a[2] + r * b[2])
        return ((1 - z) * new + z * state[0],)


CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}
LAYERS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def unrolled(cell: Cell, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
    """A cell along a sequence (n, t, c), place by place: answers (n, t, u) and the last state.

    >>> unrolled(RNNCell(3, 4), torch.zeros(2, 5, 3))[0].shape
    torch.Size([2, 5, 4])
    """
    state, answers = cell.begin(len(x), x) if state is None else state, []
    for place in x.unbind(1):
        state = cell(place, state)
        answers.append(state[0])
    return torch.stack(answers, 1), state


def reversed_places(lengths: Tensor, t: int) -> Tensor:
    """Where each place of the reversed sequences comes from (n, t): padding stays where it is.

    >>> reversed_places(torch.tensor([2]), 4).tolist()
    [[1, 0, 2, 3]]
    """
    places = torch.arange(t, device=lengths.device)
    turned = lengths[:, None] - 1 - places
    return torch.where(turned >= 0, turned, places)


class Recurrent(nn.Module):
    """Stacked recurrent layers by torch's fused kernels, forwards or in both directions, on ragged batches.

    Padding stands behind the end, so the forward direction never sees it before the end; the backward one reads each
    sequence turned around its own length. So nothing has to be packed, which the kernels of a CPU are slower for, and
    no length has to leave an accelerator.

    Arguments:
        cell: "rnn", "lstm" or "gru".
        inputs: numbers c at each place.
        units: u of each direction.
        layers: how many are stacked.
        bidirectional: whether a second direction reads from the end; its answers are appended.
        dropout: share of each layer's answers that the next does not get.
        memory: how many places gates keep what they took in, at the start; nothing leaves it to the usual biases.

    Raises ``ParameterError`` for an unknown cell, and for a memory of cells without gates.

    >>> answers, last = Recurrent("gru", 3, 4, bidirectional=True)(torch.zeros(2, 5, 3))
    >>> answers.shape, last.shape
    (torch.Size([2, 5, 8]), torch.Size([2, 8]))
    """

    def __init__(
        self, cell: str, inputs: int, units: int, *, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0,
        memory: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if cell not in LAYERS:
            raise ParameterError(unknown_name("cell", cell, list(LAYERS)))
        if memory is not None and cell == "rnn":
            raise ParameterError(
                f"memory sets gates, and an rnn has none, got memory={memory}; take an lstm or a gru, or leave it out."
            )
        self.cell, self.units, self.both = cell, units, bidirectional
        width = units * (1 + bidirectional)
        sizes = [inputs] + [width] * (layers - 1)
        self.forwards = nn.ModuleList(LAYERS[cell](size, units, batch_first=True) for size in sizes)
        backwards = sizes if bidirectional else []
        self.backwards = nn.ModuleList(LAYERS[cell](size, units, batch_first=True) for size in backwards)
        self.drop = Dropout(dropout)
        for layer in (*self.forwards, *self.backwards):
            _initialise(layer)
            if memory is not None:
                _remember(layer, memory)

    def forward(self, x: Tensor, there: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, t, c) -> answers (n, t, u or 2 u) and the last of each direction, (n, u or 2 u)."""
        turned = None
        if self.both and there is not None:
            turned = reversed_places(there.sum(1), x.shape[1])[..., None]
        for i, layer in enumerate(self.forwards):
            x = self.drop(x) if i else x
            answers = layer(x)[0]
            if self.both:
                back = self.backwards[i](_reversed(x, turned))[0]
                answers = torch.cat([answers, _reversed(back, turned)], 2)
            x = answers
        return x, self._last(x, there)

    def _last(self, x: Tensor, there: Tensor | None) -> Tensor:
        """What each direction answered when it had read all."""
        ahead = x[:, -1, : self.units]
        if there is not None:
            end = (there.sum(1) - 1).clamp(min=0)[:, None, None].expand(-1, 1, self.units)
            ahead = x[..., : self.units].gather(1, end).squeeze(1)
        return torch.cat([ahead, x[:, 0, self.units :]], 1) if self.both else ahead

    def step(self, x: Tensor, states: tuple[State, ...] | None = None) -> tuple[Tensor, tuple[State, ...]]:
        """Places (n, t, c) behind those that led to ``states``: answers, and the states after (one direction only).

        A state's parts are (n, u), so that a search can choose among rows.
        """
        after: list[State] = []
        for i, layer in enumerate(self.forwards):
            x = self.drop(x) if i else x
            before: Any = None if states is None else [part[None].contiguous() for part in states[i]]
            if before is not None:
                before = tuple(before) if self.cell == "lstm" else before[0]
            x, state = layer(x, before)
            after.append(tuple(part[0] for part in (state if self.cell == "lstm" else (state,))))
        return x, tuple(after)


def _reversed(x: Tensor, turned: Tensor | None) -> Tensor:
    """Sequences (n, t, c) from their ends on; ``turned`` (n, t, 1) where their lengths differ."""
    return x.flip(1) if turned is None else x.gather(1, turned.expand(-1, -1, x.shape[2]))


@torch.no_grad()
def _initialise(layer: nn.RNNBase) -> None:
    """Orthogonal maps of the state, Glorot's of the input, biases 0, and 1 for an LSTM's forget gate.

    A state map that keeps lengths neither fades nor explodes what it carries (Saxe et al. 2014, arXiv:1312.6120); a
    forget gate that starts open lets gradients through from the first step on (Jozefowicz et al. 2015).
    """
    for name, weight in layer.named_parameters():
        if "weight_hh" in name:
            for part in weight.chunk(weight.shape[0] // layer.hidden_size):
                nn.init.orthogonal_(part)
        elif "weight_ih" in name:
            for part in weight.chunk(weight.shape[0] // layer.hidden_size):
                nn.init.xavier_uniform_(part)
        else:
            nn.init.zeros_(weight)
    if isinstance(layer, nn.LSTM):
        layer.bias_ih_l0.chunk(4)[1].fill_(1.0)  # type: ignore[union-attr, operator]


@torch.no_grad()
def _remember(layer: nn.RNNBase, places: int) -> None:
    """Keep gates that forget after 1 to ``places`` places: biases ``log u``, u uniform in [1, places - 1].

    Tallec and Ollivier 2018, arXiv:1804.11188 (chrono initialisation). An LSTM's input gate gets the opposite, so that
    it takes in as slowly as it forgets; a GRU's one gate is both.
    """
    parts = list(layer.bias_ih_l0.chunk(4 if isinstance(layer, nn.LSTM) else 3))  # type: ignore[union-attr, operator]
    parts[1].uniform_(1, max(places - 1, 1)).log_()
    if isinstance(layer, nn.LSTM):
        parts[0].copy_(-parts[1])
