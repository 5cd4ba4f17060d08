"""A trace as text that a learner can follow: forwards, backwards, and what an optimiser would do."""

import textwrap
from collections.abc import Sequence

import torch

from ganglion.diagnose.tracing.record import Layer, Trace, norm, together
from ganglion.diagnose.tracing.rules import COPIES
from ganglion.diagnose.tracing.slopes import SLOPES

WIDTH = 110
LEAST = 14  # letters of a column that gives way to others
STEPS = 12  # of time in one line at most
MOST_LINES = 48  # of layers that are read line by line; of more only those with weights are shown
FORWARD_TITLE, BACKWARD_TITLE = 24, 22  # letters up to which a layer's kind stands beside its name
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"))
WORDS = {
    "add": "1 for each", "sub": "1 and -1", "mul": "the other factor", "div": "1 / divisor", "cat": "1, parted again",
    "cross_entropy": "softmax(z) - y", "softmax": "p (g - sum p g)", "log_softmax": "g - p sum g",
    "mean": "1 / n", "sum": "1 for every entry", "dropout": "mask / (1 - p)", "embedding": "1 where looked up",
    "amax": "1 at the largest, else 0", "amin": "1 at the smallest, else 0",
    "batch_norm": "gamma / s, less means", "layer_norm": "gamma / s, less means", "rms_norm": "gamma / rms, less mean",
    "group_norm": "gamma / s, less means", "instance_norm": "gamma / s, less means",
    "scaled_dot_product_attention": "P^T, and P (dP - mean)", "matmul": "the other matrix",
} | {
    f"{name}{n}d": words
    for n in (1, 2, 3)
    for name, words in {"max_pool": "1 at the largest, else 0", "adaptive_max_pool": "1 at the largest, else 0",
                        "avg_pool": "1 / window", "adaptive_avg_pool": "1 / window"}.items()
}  # fmt: skip

FORWARD = (
    "FORWARD, read downwards: a layer forms a weighted sum z = W x + b (the bias joins before the activation), "
    "an activation turns it into h = f(z)."
)
BACKWARD = (
    "BACKWARD, read downwards from the loss to the input: what arrives, dL/d(output), times the local derivative is "
    "what leaves, dL/d(input), and arrives at the layer before (the chain rule); where ways meet, shares are added. "
    "Numbers are norms of whole gradients; ratio = leaving / arriving."
)
UPDATE = (
    "UPDATE: the pass has changed nothing. Backpropagation computes the gradient; an optimiser uses it. The gradient "
    "points uphill, to where the loss rises fastest, so gradient descent steps against it: w <- w - lr dL/dw. "
    "A small step lowers the loss by about lr |dL/dw|^2 = lr x {slope}."
)


def table(trace: Trace) -> str:
    """The pass as text that fits 110 columns."""
    shown = trace.chief(MOST_LINES)
    out = "x".join(map(str, trace.output.shape)) or "one number"
    head = [
        f"output {out}, loss {number(trace.loss)} ({trace.loss_name}), module in {trace.mode} mode",
        f"{trace.n_parameters:,} parameters, {trace.flops:,} floating-point operations forwards (products only)",
    ]
    parts = [
        [cut(line, WIDTH) for line in head],
        [*folded(FORWARD), *folded(left_out(trace, shown)), *forward_lines(shown)],
        [*folded(BACKWARD), *backward_lines(shown[::-1])],
        *[step_lines(layer) for layer in shown if layer.steps],
        [*folded(UPDATE.format(slope=number(trace.gradient_norm**2))), *folded(check(trace))],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def left_out(trace: Trace, shown: Sequence[Layer]) -> str:
    """What is not listed, where something is not."""
    total = len(trace.shown)
    if len(shown) == total:
        return ""
    return f"Of {total} layers the {len(shown)} with weights and the loss are listed; trace.layers holds all."


def titles(layers: Sequence[Layer], most: int) -> list[str]:
    """Names with their kinds, all without where some would be longer than ``most``."""
    full = [layer.title for layer in layers]
    return full if max(map(len, full), default=0) <= most else [layer.name for layer in layers]


def forward_lines(layers: Sequence[Layer]) -> list[str]:
    """What every layer makes of its input; of maps the number of examples stands in the head."""
    n = examples(layers)
    shapes = "in > out" if n is None else f"in > out, {n:,} each"
    head = ["#", "layer", "computes", shapes, "weights", "flop", "sees", "mean", "sd", "zeros"]
    lines = []
    for layer, title in zip(layers, titles(layers, FORWARD_TITLE)):
        values = layer.output.tensor
        spread = float(values.std(correction=0)) if values.numel() else 0.0
        zeros = f"{100 * float((values == 0).double().mean()):.0f} %"
        lines.append([
            str(layer.index), title, symbol(layer), f"{sizes(layer.in_shape, n)} > {sizes(layer.out_shape, n)}",
            count(layer.n_parameters), count(layer.flops),
            str(layer.sees or ""), number(float(values.double().mean())), number(spread), zeros,
        ])  # fmt: skip
    return aligned(head, lines, left={1, 2, 3}, room=(1, 2))


def backward_lines(layers: Sequence[Layer]) -> list[str]:
    """What arrives at every layer, by what it is multiplied, and what leaves."""
    head = [
        "#",
        "layer",
        "arriving",
        "x local derivative",
        "= leaving",
        "ratio",
        "gradient of the parameters",
    ]
    lines = []
    for layer, title in zip(layers, titles(layers, BACKWARD_TITLE)):
        leaves = bool(layer.shares())
        weights = ", ".join(
            f"{name.rsplit('.', 1)[-1]} {number(norm(v.grad))}"
            for name, v in layer.parameters.items()
            if v.grad is not None
        )
        if len(layer.parameters) > 3:
            length = together(v.grad for v in layer.parameters.values())
            weights = f"{len(layer.parameters)} tensors, together {number(length)}"
        lines.append([
            str(layer.index), title, number(layer.arriving), local(layer),
            number(layer.leaving) if leaves else "", number(layer.gain) if leaves else "", weights,
        ])  # fmt: skip
    return aligned(head, lines, left={1, 3, 6}, room=(1, 3, 6))


def symbol(layer: Layer) -> str:
    """The operation with its symbol: z for a weighted sum, h for an activation."""
    main = layer.main
    weighed = main.name == "linear" or main.name.startswith("conv")
    if layer.kind == "loss":
        return "the loss"
    if layer.steps:
        return f"h, {len(layer.steps)} steps"
    if weighed and len(layer.rows) == 1:
        return f"z = {main.name}"
    return f"h = {main.name}" if main.local is not None and not weighed else layer.operation


def local(layer: Layer) -> str:
    """The local derivative in a few words."""
    main = layer.main
    if layer.steps:
        return f"{len(layer.rows)} operations, see the steps"
    if layer.kind == "loss":
        return WORDS.get(main.name, "dL/d(output)") if len(layer.rows) < 3 else "dL/d(output)"
    if main.local is not None and layer.local_max is not None:
        if main.name in SLOPES:
            low, high = torch.aminmax(main.local)
            return f"f'(z) {number(float(low))} to {number(float(high))}"
        return f"W, largest {number(layer.local_max)}"
    if not main.by_formula:
        return "by autograd"
    if main.name in COPIES:
        return "1, moved to its place"
    parts = layer.operation.split(", ")
    if len(parts) > 1:
        told = len(parts) == 2 and all(part in WORDS for part in parts)
        return ", ".join(WORDS[part] for part in parts) if told else f"{len(layer.rows)} operations"
    return WORDS.get(main.name, main.rule.split(":  ", 1)[-1].rstrip("."))


def step_lines(layer: Layer) -> list[str]:
    """The gradient at every step of time of a recurrent layer."""
    ways: dict[str, list[tuple[str, float]]] = {}
    for step, value in layer.steps:
        way, _, t = step.rpartition("t=")
        ways.setdefault(way.strip(), []).append((t, norm(value.grad)))
    lines = [f"{layer.name}: |dL/dh| by step of time; it shrinks or grows on its way back through time"]
    for way, found in ways.items():
        found.sort(key=lambda pair: int(pair[0]))
        every = max(1, -(-len(found) // STEPS))
        cells = [f"t={t}\0{number(g)}" for t, g in found[::every]]  # \0: a space that does not break
        text = f"  {way or 'layer 0'}:  " + "   ".join(cells)
        lines += [line.replace("\0", " ") for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]
    return lines


def check(trace: Trace) -> str:
    """How well the products multiply out, and what was not by a formula."""
    foreign = sorted({row.name for row in trace.rows if not row.by_formula and row.leaving})
    kept = [name for name, g in trace.gradients.items() if g is None]
    text = f"CHECK: the products agree with autograd to {trace.deviation:.0e} of the largest entry."
    if foreign:
        text += f" Without a formula of their own, so taken from autograd one by one: {', '.join(foreign)}."
    if kept:
        text += f" The loss does not depend on {', '.join(kept[:5])}{' ...' if len(kept) > 5 else ''}."
    return text


def aligned(head: list[str], lines: list[list[str]], left: set[int], room: Sequence[int]) -> list[str]:
    """Columns under their heads, empty ones left out; where lines are too long the widest in ``room`` gives way."""
    kept = [i for i in range(len(head)) if any(line[i] for line in lines)]
    places = {i: place for place, i in enumerate(kept)}
    left, room = {places[i] for i in left if i in places}, [places[i] for i in room if i in places]
    rows = [[row[i] for i in kept] for row in (head, *lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(kept))]
    for _ in range(sum(widths) + 2 * (len(widths) - 1) - WIDTH):
        widest = max(room, key=lambda i: widths[i] if widths[i] > max(LEAST, len(rows[0][i])) else 0)
        widths[widest] -= 1
    return ["  ".join(
        cut(cell, w).ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))
    ).rstrip() for row in rows]  # fmt: skip


def cut(text: str, width: int) -> str:
    """A text cut in its middle.

    >>> cut("encoder.layers.0.self_attn", 14)
    'encoder…f_attn'
    """
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def folded(text: str) -> list[str]:
    """A paragraph in lines."""
    return textwrap.wrap(text, WIDTH)


def examples(layers: Sequence[Layer]) -> int | None:
    """How many examples go through, where all shapes start with their number and some are maps (n, c, h, w)."""
    shapes = [s for layer in layers if layer.kind != "loss" for s in (layer.in_shape, layer.out_shape)]
    first = {shape[0] if len(shape) > 1 else None for shape in shapes}
    return first.pop() if len(first) == 1 and max(map(len, shapes)) > 3 else None


def sizes(shape: tuple[int, ...], n: int | None = None) -> str:
    """A shape in one word, without a first number ``n``.

    >>> sizes((32, 8, 6, 6)), sizes((32, 8, 6, 6), 32), sizes(())
    ('32x8x6x6', '8x6x6', '1')
    """
    return "x".join(map(str, shape[1:] if shape and shape[0] == n else shape)) or "1"


def count(value: int) -> str:
    """How many, in at most seven letters; nothing for none.

    >>> [count(v) for v in (0, 18_432, 42_467_328)]
    ['', '18,432', '42.5M']
    """
    size, unit = next(((size, unit) for size, unit in UNITS if value >= size), (1, ""))
    return f"{value / size:.3g}{unit}" if unit else f"{value:,}" if value else ""


def number(value: float) -> str:
    """A number in at most eight characters.

    >>> [number(v) for v in (0, 0.123456, -12.5, 1e-7, 12345.678)]
    ['0', '0.123', '-12.5', '1.0e-07', '12,346']
    """
    size = abs(value)
    if size == 0:
        return "0"  # and never -0
    if size < 1e-3 or size >= 1e5:
        return f"{value:.1e}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"
