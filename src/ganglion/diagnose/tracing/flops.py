"""Floating-point operations of the products of one forward pass; a multiplication with its addition counts 2.

As usual only the products are counted (dense, convolution, attention): biases, activations and normalisations are
of a lower order. The way back costs twice as much: one product of the same size for the input, one for the weights.
"""

import math

from torch import Tensor

from ganglion.diagnose.tracing.tape import Row, Value


def flops(row: Row) -> int:
    """The operations of one row: ``2 n_out k`` for a product that sums k terms for each of n_out entries.

    A convolution sums (inputs / groups x kernel) terms per output entry; zeros of the padding count as well.
    """
    out = row.outputs[0].tensor
    terms = [part.tensor if isinstance(part, Value) else part for part in row.args]
    if row.name == "linear":
        return 2 * out.numel() * terms[0].shape[-1]
    if row.name in ("matmul", "mm", "bmm"):
        return 2 * out.numel() * terms[0].shape[-1]
    if row.name in ("addmm", "baddbmm"):
        return 2 * out.numel() * terms[1].shape[-1]
    if row.name in ("conv1d", "conv2d", "conv3d"):
        return 2 * out.numel() * terms[1][0].numel()
    if row.name.startswith("conv_transpose"):
        return 2 * terms[0].numel() * terms[1][0].numel()
    if row.name == "scaled_dot_product_attention":
        return attention(*terms[:3])
    return 0


def attention(query: Tensor, key: Tensor, value: Tensor) -> int:
    """Scores (q k^T) and their weighted sum of the values."""
    places = math.prod(query.shape[:-1]) * key.shape[-2]
    return 2 * places * (query.shape[-1] + value.shape[-1])
