"""The figures of docs/layers: named filters on a photograph, and what a unit sees of its picture.

python benchmarks/layer_pictures.py [--folder docs/images]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_image
from torch import nn

from ganglion.data.filters import filter_image
from ganglion.nn.convolution import conv
from ganglion.nn.pooling import pool_named
from ganglion.nn.receptive import effective_size, gradient_map, receptive_fields
from ganglion.plot.style import INK

SHOWN = ("sobel_x", "sobel_y", "edge", "laplacian", "outline", "emboss", "sharpen", "box(9)", "gaussian(4)",
         "gabor(8)", "gabor(8, 90)")  # fmt: skip
RATES = {"3x3, four layers": (1,) * 4, "3x3, sixteen layers": (1,) * 16, "dilations 1, 2, 4, 8": (1, 2, 4, 8)}


def sheet(columns: int, rows: int) -> Figure:
    """An empty figure of square panels."""
    figure = Figure(figsize=(2.6 * columns, 2.8 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def filters() -> Figure:
    """A part of scikit-learn's photograph of a temple, grey, and what the named kernels make of it."""
    colour = load_sample_image("china.jpg")[20:300, 150:430] / 255
    picture = colour @ np.array([0.299, 0.587, 0.114])
    figure = sheet(4, 3)
    panels = {"the picture": picture} | {name: filter_image(picture, name) for name in SHOWN}
    for ax, (name, found) in zip(figure.subplots(3, 4).flat, panels.items()):
        largest = 1.0 if name in ("sharpen", "emboss") else np.quantile(np.abs(found), 0.995)
        ax.imshow(found, "gray", vmin=0 if found.mean() > 0.05 else -largest, vmax=largest)
        ax.set_title(name, color=INK, fontsize=10)
        ax.axis("off")
    return figure


def fields() -> Figure:
    """How much each place moves the middle output, mean over random starts, and the box that the calculator gives."""
    figure = sheet(4, 1)
    stacks = {
        name: [conv(8 if i else 1, 8, 3, dilation=d) for i, d in enumerate(rates)]
        for name, rates in RATES.items()
    }
    stacks["pooling after every second"] = [
        part
        for i in range(6)
        for part in (conv(8 if i else 1, 8, 3), *([pool_named("max")] if i % 2 else []))
    ]
    for ax, (name, layers) in zip(figure.subplots(1, 4), stacks.items()):
        torch.manual_seed(0)
        whole, total = (
            nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())]),
            torch.zeros(64, 64),
        )
        for _ in range(40):
            for layer in layers:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
            found = gradient_map(whole, torch.randn(8, 1, 64, 64))
            total += found / found.sum()
        field = receptive_fields(whole, (64, 64))[-1].field
        ax.imshow(total.sqrt(), "magma")
        ax.set_title(
            f"{name}\nfield {field}, effective {effective_size(total):.0f}x{effective_size(total):.0f}",
            color=INK, fontsize=10,
        )  # fmt: skip
        ax.axis("off")
    return figure


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("docs/images"))
    folder = parser.parse_args().folder
    filters().savefig(folder / "filters.png", dpi=60)
    fields().savefig(folder / "receptive-fields.png", dpi=80)


if __name__ == "__main__":
    main()
