"""What convolution and pooling do to size, features, values and parameters."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
from ganglion.plot.style import BLUE, ORANGE, quiet


def parameters(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters())


@experiment(
    "convolution-size",
    topic="building blocks",
    claim="A convolutional layer reduces the spatial size.",
    method="Four layers on 16 x 16 pictures, and 200 random ones (size, kernel, padding, stride, dilation) against "
    "floor((n + 2p - d(k - 1) - 1) / s) + 1.",
    verdict="does not hold",
    reading="Size follows from padding, stride and dilation: it stays with 'same' padding at stride 1 and grows with "
    "more. Stride and pooling do the reducing.",
    concepts=("convolutional-layer", "convolution-padding"),
    corrects=("W19",),
    sources=("Dumoulin and Visin 2016, arXiv:1603.07285",),
)
def convolution_size(lab: Setting) -> Shown:
    """Padding, stride, dilation."""
    layers = {
        "no padding": (3, 0, 1, 1),
        "same padding": (3, 1, 1, 1),
        "full padding": (3, 2, 1, 1),
        "same padding, stride 2": (3, 1, 2, 1),
    }
    table: dict = {
        name: {"size in": 16, "size out": size_out(16, *layer), "formula": formula(16, *layer)}
        for name, layer in layers.items()
    }
    rng = np.random.default_rng(lab.seed)
    gaps, change = [], []
    while len(gaps) < 200:
        n, k, p, s, d = (int(rng.integers(*span)) for span in ((5, 33), (1, 8), (0, 5), (1, 4), (1, 3)))
        if n + 2 * p > d * (k - 1):
            out = size_out(n, k, p, s, d)
            gaps.append(abs(out - formula(n, k, p, s, d)))
            change.append(np.sign(out - n))
    kept = float(np.mean(np.array(change) >= 0))
    table["200 random layers"] = {
        "share that keeps or enlarges": kept,
        "largest gap to the formula": max(gaps),
    }

    def draw(ax):
        sizes = {name: cells["size out"] for name, cells in table.items() if "size out" in cells}
        bars(ax, sizes, x="size out (dashed: size in)", mark=["same padding", "full padding"], line=16)

    return Shown(
        table,
        [
            Check.between("size out with same padding", table["same padding"]["size out"], 16, 16),
            Check.above("with full padding", table["full padding"]["size out"], 16),
            Check.below("with stride 2", table["same padding, stride 2"]["size out"], 16),
            Check.below("largest gap to the formula", max(gaps), 0.5),
            Check.above("share of random layers that keep or enlarge", kept, 0.05),
        ],
        draw,
    )


def size_out(n: int, kernel: int, padding: int, stride: int, dilation: int) -> int:
    """The size that a layer gives."""
    layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    return layer(torch.zeros(1, 1, n, n)).shape[-1]


def formula(n: int, k: int, p: int, s: int, d: int) -> int:
    """The size that the formula promises."""
    return math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1


@experiment(
    "kernels-and-filters",
    topic="building blocks",
    claim="The kernel's size decides how many features a convolutional layer extracts.",
    method="Layers over three channels with kernels of 1 to 7 and with 4 to 64 filters: maps, parameters, receptive "
    "field by the support of the gradient, and how many maps are linearly independent.",
    verdict="does not hold",
    reading="The number of maps is the number of filters, whatever the kernel. Kernel size sets the field, parameters "
    "and cost; it bounds only how many maps can be independent (k^2 times the channels).",
    concepts=("convolution-kernel", "feature-map", "receptive-field"),
    corrects=("W20",),
    sources=("Dumoulin and Visin 2016, arXiv:1603.07285",),
)
def kernels_and_filters(lab: Setting) -> Shown:
    """Kernels of one number of filters, filters of one kernel."""
    torch.manual_seed(lab.seed)
    table = {
        f"kernel {k}, {filters} filters": extracted(k, filters)
        for k, filters in ((1, 16), (3, 16), (5, 16), (7, 16), (3, 4), (3, 64))
    }
    kernels = [table[f"kernel {k}, 16 filters"] for k in (1, 3, 5, 7)]
    filters = [table[f"kernel 3, {c} filters"] for c in (4, 16, 64)]

    def draw(ax):
        for cells, color, name in (
            (kernels, ORANGE, "kernel 1, 3, 5, 7"),
            (filters, BLUE, "4, 16, 64 filters"),
        ):
            ax.loglog(
                [c["parameters"] for c in cells], [c["maps"] for c in cells], "o-", color=color, label=name
            )
        ax.minorticks_off()
        ax.set_xticks([50, 500, 5000], ["50", "500", "5,000"])
        ax.set_yticks([4, 16, 64], ["4", "16", "64"])
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="parameters", y="feature maps")

    return Shown(
        table,
        [
            Check.between("maps for every kernel size", [c["maps"] for c in kernels], 16, 16),
            Check.between("maps over filters", [c["maps"] / f for c, f in zip(filters, (4, 16, 64))], 1, 1),
            Check.between("field over kernel", [c["field"] / k for c, k in zip(kernels, (1, 3, 5, 7))], 1, 1),
            Check.between("independent maps of kernel 1", kernels[0]["independent"], 3, 3),
            Check.between("of 64 filters of kernel 3", filters[2]["independent"], 27, 27),
        ],
        draw,
        {"channels in": 3},
    )


def extracted(kernel: int, filters: int) -> dict[str, float]:
    """What a layer over three channels gives."""
    layer = nn.Conv2d(3, filters, kernel, padding=kernel // 2, bias=False).double()
    x = torch.randn(4, 3, 15, 15, dtype=torch.float64, requires_grad=True)
    maps = layer(x)
    (slope,) = torch.autograd.grad(maps[0, :, 7, 7].sum(), x)
    touched = (slope[0].abs().sum(0) > 0).any(0)
    rank = torch.linalg.matrix_rank(maps.detach().transpose(0, 1).flatten(1))
    found = {"maps": maps.shape[1], "independent": int(rank), "parameters": parameters(layer)}
    return found | {"field": int(touched.sum())}


@experiment(
    "transposed-convolution",
    topic="building blocks",
    claim="A transposed convolution undoes a convolution.",
    method="Random vectors of 16 numbers through a convolution of stride 2 and back: by its transpose, by the best "
    "multiple of that, and by the pseudo-inverse, all in double precision.",
    verdict="does not hold",
    reading="It restores the shape, not the values: it is the adjoint of the same linear map, <Cx, y> = <x, C'y>. With "
    "stride 2 half of the directions are lost, so that not even the best inverse brings them back.",
    concepts=("transposed-convolution",),
    corrects=("W23",),
    sources=("Dumoulin and Visin 2016, arXiv:1603.07285", "Zeiler et al. 2010"),
)
def transposed_convolution(lab: Setting) -> Shown:
    """The adjoint, its best multiple, the pseudo-inverse."""
    found: dict[str, list[float]] = {"transpose": [], "its best multiple": [], "pseudo-inverse": []}
    adjoint, rank, size = [], [], []
    for seed in lab.seeds(200, 40):
        torch.manual_seed(seed)
        kernel, x = torch.randn(1, 1, 3, dtype=torch.float64), torch.randn(1, 1, 16, dtype=torch.float64)
        forward = F.conv1d(torch.eye(16, dtype=torch.float64)[:, None], kernel, stride=2, padding=1)[:, 0].t()
        y = F.conv1d(x, kernel, stride=2, padding=1)
        back = F.conv_transpose1d(y, kernel, stride=2, padding=1, output_padding=1)
        other = torch.randn_like(y)
        returned = F.conv_transpose1d(other, kernel, stride=2, padding=1, output_padding=1)
        adjoint.append(abs(float((y * other).sum() - (x * returned).sum())) / float(y.norm() * other.norm()))
        inverse = torch.linalg.pinv(forward) @ y[0, 0]
        multiple = back * ((back * x).sum() / back.square().sum())
        for name, guess in (
            ("transpose", back),
            ("its best multiple", multiple),
            ("pseudo-inverse", inverse),
        ):
            found[name].append(float((guess - x).norm() / x.norm()))
        rank.append(float(torch.linalg.matrix_rank(forward)))
        size.append(back.shape[-1])

    def draw(ax):
        bars(ax, found, x="|what comes back - x| / |x|", mark=["transpose"])

    table: dict = {name: {"relative error": values} for name, values in found.items()}
    table["convolution"] = {"rank": rank, "size restored": size, "adjoint's gap": max(adjoint)}
    return Shown(
        table,
        [
            Check.between("size that comes back", size, 16, 16),
            Check.above("mean error of the transpose", float(np.mean(found["transpose"])), 0.5),
            Check.above("mean error of its best multiple", float(np.mean(found["its best multiple"])), 0.4),
            Check.above("mean error of the pseudo-inverse", float(np.mean(found["pseudo-inverse"])), 0.3),
            Check.below("rank, of 16", rank, 8.5),
            Check.below("gap of <Cx, y> and <x, C'y>", adjoint, 1e-10),
        ],
        draw,
    )


@experiment(
    "one-by-one-convolution",
    topic="building blocks",
    claim="A 1 x 1 convolution reduces the number of channels and adds non-linearity.",
    method="1 x 1 layers from 16 to 4, 16 and 64 channels: how far they are from a dense layer at each pixel, from "
    "f(2x - 3y) = 2f(x) - 3f(y), and the same with a ReLU behind.",
    verdict="does not hold",
    reading="It is a linear map of the channels at every pixel, to fewer, as many or more channels. The "
    "non-linearity is the activation after it.",
    concepts=("pointwise-convolution",),
    corrects=("W24",),
    sources=("Lin et al. 2014, arXiv:1312.4400",),
)
def one_by_one_convolution(lab: Setting) -> Shown:
    """Fewer, as many, more channels."""
    table = {}
    for out in (4, 16, 64):
        cells: dict[str, list[float]] = {
            "channels out": [],
            "gap to a dense layer": [],
            "from linear": [],
            "with ReLU": [],
        }
        for seed in lab.seeds(20, 5):
            torch.manual_seed(seed)
            layer = nn.Conv2d(16, out, 1, bias=False).double()
            x, y = torch.randn(2, 4, 16, 9, 9, dtype=torch.float64)
            with torch.no_grad():
                dense = (x.movedim(1, -1) @ layer.weight[:, :, 0, 0].t()).movedim(-1, 1)
                gap = float((layer(x) - dense).abs().max())
                straight, bent = (
                    from_linear(f, x, y) for f in (layer, lambda t, layer=layer: torch.relu(layer(t)))
                )
            for column, value in zip(cells, (layer(x).shape[1], gap, straight, bent)):
                cells[column].append(value)
        table[f"16 to {out} channels"] = cells

    def draw(ax):
        shown = {
            f"{name}{end}": max(np.mean(cells[column]), 1e-17)
            for name, cells in table.items()
            for end, column in (("", "from linear"), (", ReLU", "with ReLU"))
        }
        bars(ax, shown, x="distance from a linear map", log=True, mark=[n for n in shown if "ReLU" not in n])

    rows = list(table.values())
    return Shown(
        table,
        [
            Check.above(
                "channels out, at most over 16", max(v for c in rows for v in c["channels out"]) / 16, 3.5
            ),
            Check.below(
                "gap to a dense layer at each pixel",
                [v for c in rows for v in c["gap to a dense layer"]],
                1e-12,
            ),
            Check.below("distance from a linear map", [v for c in rows for v in c["from linear"]], 1e-12),
            Check.above("with a ReLU behind", [v for c in rows for v in c["with ReLU"]], 0.1),
        ],
        draw,
    )


def from_linear(f, x: Tensor, y: Tensor) -> float:
    """How far f(2x - 3y) is from 2f(x) - 3f(y), relative to its size."""
    together, apart = f(2 * x - 3 * y), 2 * f(x) - 3 * f(y)
    return float((together - apart).norm() / apart.norm())


@experiment(
    "pooling-parameters",
    topic="building blocks",
    claim="Pooling reduces the number of parameters of a network.",
    method="Two convolutions over 16 x 16 pictures with and without 2 x 2 pooling after each, once before a dense "
    "layer over all positions and once before a mean over positions.",
    verdict="holds when",
    reading="Only a dense layer after flattening gets smaller. Pooling has no parameters, and convolutions keep "
    "theirs at any size; behind a mean over positions pooling changes no count.",
    concepts=("pooling",),
    corrects=("W25",),
    sources=("Goodfellow et al. 2016, Deep Learning, sec. 9.3",),
)
def pooling_parameters(lab: Setting) -> Shown:
    """Flatten or average behind the convolutions."""
    table = {}
    for pooled in (False, True):
        for flat in (True, False):
            pool = [nn.MaxPool2d(2)] if pooled else []
            body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *pool, nn.Conv2d(8, 16, 3, padding=1), *pool)
            shape = nn.Sequential(nn.Flatten() if flat else nn.AdaptiveAvgPool2d(1), nn.Flatten())
            head = nn.Linear(shape(body(torch.zeros(1, 1, 16, 16))).shape[1], 10)
            name = f"{'pooling' if pooled else 'no pooling'}, {'flatten' if flat else 'mean'}"
            cells = {
                "convolutions": parameters(body),
                "dense layer": parameters(head),
                "pooling": sum(map(parameters, pool)),
            }
            table[name] = cells | {"all": sum(cells.values())}

    def draw(ax):
        shown = {name: cells["all"] for name, cells in table.items()}
        bars(ax, shown, x="parameters", mark=[name for name in shown if name.startswith("pooling")])

    bodies = [cells["convolutions"] for cells in table.values()]
    return Shown(
        table,
        [
            Check.below("parameters of pooling", [cells["pooling"] for cells in table.values()], 0.5),
            Check.below("difference between the convolutions' counts", max(bodies) - min(bodies), 0.5),
            Check.more(
                "before a flattened dense layer",
                table["no pooling, flatten"]["all"],
                table["pooling, flatten"]["all"],
                times=5,
            ),
            Check.between(
                "before a mean: with over without",
                table["pooling, mean"]["all"] / table["no pooling, mean"]["all"],
                1,
                1,
            ),
        ],
        draw,
    )
