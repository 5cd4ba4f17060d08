"""Receptive fields: which entries of the input one entry of a feature map can see, along convolutions and poolings.

Per axis: ``size`` entries, the next output's field lies ``jump`` entries further, and the first one starts at
``start`` (negative where it reaches into the padding). A window of k entries with stride s, padding p and dilation d
turns (size, jump, start) into ``(size + d (k - 1) jump, s jump, start - p jump)`` (Araujo et al. 2019, Distill).
"""

from dataclasses import dataclass
from typing import Any

from ganglion.diagnose.tracing.tape import Row, Value
from ganglion.diagnose.tracing.windows import each, sides

ENTRYWISE = frozenset(
    {"batch_norm", "dropout", "add", "sub", "mul", "div", "prelu", "clone", "contiguous", "to", "cat"}
)


@dataclass(frozen=True)
class Field:
    """The receptive field of a feature map; one number per axis."""

    size: tuple[float, ...]
    jump: tuple[float, ...]
    start: tuple[float, ...]

    @property
    def centre(self) -> tuple[float, ...]:
        """The middle of the first output's field, in entries of the input."""
        return tuple(a + (n - 1) / 2 for a, n in zip(self.start, self.size))

    def __str__(self) -> str:
        return "x".join(f"{n:g}" for n in self.size)


def window(field: Field, kernel: Any, stride: Any, before: Any, dilation: Any) -> Field:
    """The field after one more window."""
    parts = zip(field.size, field.jump, field.start, kernel, stride, before, dilation)
    found = [(n + d * (k - 1) * j, s * j, a - p * j) for n, j, a, k, s, p, d in parts]
    size, jump, start = zip(*found)
    return Field(size, jump, start)


def united(fields: list[Field]) -> Field | None:
    """The smallest field that holds them all; none if they move at different speeds."""
    first = fields[0]
    if any(f.jump != first.jump for f in fields):
        return None
    start = tuple(min(parts) for parts in zip(*(f.start for f in fields)))
    ends = tuple(max(a + n for a, n in pairs) for pairs in zip(*(list(zip(f.start, f.size)) for f in fields)))
    return Field(tuple(e - a for e, a in zip(ends, start)), first.jump, start)


def receptive_fields(rows: list[Row], entrywise: set[str]) -> dict[int, Field | None]:
    """The field of every value by its id, from the first convolution or pooling on.

    ``None`` where everything is mixed (a dense layer over the map, a global pooling).
    """
    fields: dict[int, Field | None] = {}
    for row in rows:
        found = after(row, [v for v in row.inputs if v.row is not None or id(v) in fields], fields, entrywise)
        if found is not NOWHERE:
            for value in row.outputs:
                fields[id(value)] = found
    return fields


NOWHERE: Any = object()  # before the first window


def after(row: Row, made: list[Value], fields: dict[int, Field | None], entrywise: set[str]) -> Any:
    """The field behind a row: a window's, its inputs' own, none, or ``NOWHERE``."""
    known = [fields[id(v)] for v in made if id(v) in fields]
    how = geometry(row)
    if how is not None:
        kernel, stride, before, dilation = how
        axes = len(kernel)
        start = known[0] if known else Field((1,) * axes, (1,) * axes, (0,) * axes)
        return (
            None
            if start is None or len(start.size) != axes
            else window(start, kernel, stride, before, dilation)
        )
    if not known:
        return NOWHERE
    if None in known or (row.name not in ENTRYWISE and row.name not in entrywise):
        return None
    return united(known)  # type: ignore[arg-type]


def geometry(row: Row) -> tuple[Any, Any, Any, Any] | None:
    """Kernel, stride, zeros before and dilation per axis, if the row slides a window."""
    named = dict(zip(ARGUMENTS.get(row.name[:-2], ()), row.args)) | row.options
    if row.name in ("conv1d", "conv2d", "conv3d"):
        kernel = named["weight"].tensor.shape[2:]
    elif row.name[:-2] in ("max_pool", "avg_pool"):
        kernel = each(named["kernel_size"], int(row.name[-2]))
    else:
        return None
    axes = len(kernel)
    default = kernel if "pool" in row.name else 1
    stride = each(named.get("stride") or default, axes)
    dilation = each(named.get("dilation") or 1, axes)
    before = [a for a, _ in sides(named.get("padding", 0), kernel, dilation)]
    return kernel, stride, before, dilation


ARGUMENTS = {
    "conv": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool": ("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool": ("input", "kernel_size", "stride", "padding"),
}
