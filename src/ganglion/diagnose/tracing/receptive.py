"""Receptive fields of a trace: what one entry of a feature map sees of the input, row after row of the tape."""

from ganglion.diagnose.tracing.nest import swap
from ganglion.diagnose.tracing.tape import Row, Value
from ganglion.nn.receptive import Field, field_after, point, window_of


def receptive_fields(rows: list[Row]) -> dict[int, Field | None]:
    """The field of every value by its id, from the first convolution or pooling on.

    ``None`` where everything is mixed (a dense layer over the map, a global pooling).
    """
    fields: dict[int, Field | None] = {}
    for row in rows:
        known = [fields[id(v)] for v in row.inputs if id(v) in fields]
        args, options = swap((row.args, row.options), {Value: lambda value: value.tensor})
        slid = window_of(row.name, args, options)
        if known or slid is not None:
            found = field_after(row.name, args, options, known or [point(len(slid.kernel))])  # type: ignore[union-attr]
            fields |= {id(value): found for value in row.outputs}
    return fields
