"""Every neuron of a small dense network, for one row of the data: forwards, backwards, gradient of its weights."""

import itertools
import textwrap
from dataclasses import dataclass

import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.diagnose.tracing.record import Trace
from ganglion.diagnose.tracing.slopes import SLOPES
from ganglion.diagnose.tracing.table import WIDTH, aligned, number
from ganglion.diagnose.tracing.tape import Row

MOST = 64  # units of a layer; more are no longer read


@dataclass(frozen=True)
class Neuron:
    """One unit for one row of the data.

    ``z = w . x + b``, ``h = f(z)``, ``slope = f'(z)``; ``dh`` = dL/dh arrives, ``dz = dh f'(z)`` passes the
    activation, and ``dw = dz x``, ``db = dz`` are this row's part of the gradient of its weights and bias (the
    parts of all rows add up to it). Without an activation h = z and f'(z) = 1.
    """

    layer: str
    unit: int
    activation: str
    x: Tensor
    w: Tensor
    b: float
    z: float
    h: float
    slope: float
    dh: float
    dz: float
    dw: Tensor

    @property
    def db(self) -> float:
        """This row's part of the gradient of the bias."""
        return self.dz


def dense_layers(trace: Trace) -> list[tuple[Row, Row | None]]:
    """The weighted sums of a dense network, each with the activation on it, if there is one.

    Raises ``DataError`` where there is none, or a layer is too wide to be read unit by unit.
    """
    sums = [row for row in trace.rows if row.name == "linear" and row.outputs[0].tensor.dim() == 2]
    if not sums or any(row.call.kind in ("RNN", "LSTM", "GRU") for row in sums):
        raise DataError(
            "neurons are shown for dense layers on rows of numbers; this network has other layers."
        )
    widest = max(row.outputs[0].tensor.shape[1] for row in sums)
    if widest > MOST:
        raise DataError(
            f"neurons are shown for layers of at most {MOST} units, the widest has {widest}; use table()."
        )
    return [(row, activation_on(trace, row)) for row in sums]


def activation_on(trace: Trace, row: Row) -> Row | None:
    """The activation that takes a weighted sum, if it is the only one who does."""
    users = [other for other in trace.rows if row.outputs[0] in other.inputs]
    return users[0] if len(users) == 1 and users[0].name in SLOPES else None


def neurons(trace: Trace, row: int = 0) -> list[Neuron]:
    """All units of all dense layers for row ``row`` of the data; raises ``DataError``."""
    layers = dense_layers(trace)
    n = len(layers[0][0].outputs[0].tensor)
    if not 0 <= row < n:
        raise DataError(f"row must be from 0 to {n - 1}, got {row}.")
    return [neuron for linear, f in layers for neuron in layer_neurons(linear, f, row)]


def layer_neurons(linear: Row, f: Row | None, row: int) -> list[Neuron]:
    """The units of one layer."""
    x, weight = (part.tensor.cpu() for part in linear.args[:2])
    bias = (*linear.args, *linear.options.values())[2:3]
    b = bias[0].tensor if bias and bias[0] is not None else torch.zeros(len(weight))
    z = linear.outputs[0]
    h = z if f is None else f.outputs[0]
    slope = torch.ones_like(z.tensor) if f is None or f.local is None else f.local
    dz, dh = (torch.zeros_like(v.tensor) if v.grad is None else v.grad for v in (z, h))
    name = linear.call.path or linear.call.kind
    return [
        Neuron(
            layer=name, unit=u, activation=f.name if f else "identity", x=x[row], w=weight[u], b=float(b[u]),
            z=float(z.tensor[row, u]), h=float(h.tensor[row, u]), slope=float(slope[row, u]),
            dh=float(dh[row, u]), dz=float(dz[row, u]), dw=dz[row, u].cpu() * x[row],
        )
        for u in range(len(weight))
    ]  # fmt: skip


def neuron_table(trace: Trace, row: int = 0) -> str:
    """Every neuron as one line of text, at most 110 columns wide."""
    head = [
        "unit",
        "w . x",
        "+ b",
        "= z",
        "h = f(z)",
        "arriving dL/dh",
        "x f'(z)",
        "= dL/dz",
        "dL/dw = dL/dz x",
    ]
    which = f"row {row}, counted from 0" if row else "the first row"
    said = (
        f"NEURONS of {which}: forwards w . x + b = z and h = f(z); backwards dL/dz = dL/dh f'(z), from which "
        "dL/dw = dL/dz x, dL/db = dL/dz, and w dL/dz goes on to the layer before."
    )
    parts = ["\n".join(textwrap.wrap(said, WIDTH))]
    for name, found in itertools.groupby(
        neurons(trace, row), key=lambda n: (n.layer, n.activation, len(n.x))
    ):
        lines = [[
            str(n.unit), number(n.z - n.b), number(n.b), number(n.z), number(n.h), number(n.dh), number(n.slope),
            number(n.dz), terms(n.dw),
        ] for n in found]  # fmt: skip
        layer, activation, inputs = name
        parts.append(
            "\n".join([f"{layer}: {inputs} inputs, f = {activation}", *aligned(head, lines, {8}, (8,))])
        )
    return "\n\n".join(parts)


def terms(dw: Tensor) -> str:
    """The first entries of a weight gradient."""
    return "  ".join(number(float(v)).rjust(8) for v in dw[:3]) + ("  ..." if len(dw) > 3 else "")
