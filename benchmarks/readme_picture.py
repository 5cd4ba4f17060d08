"""The picture of README's "Look inside": gradients by layer, a traced pass, a slice of the loss.

python benchmarks/readme_picture.py [--output docs/images/inside.png]
"""

import argparse
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import ganglion
from ganglion.plot import plot_landscape, plot_layers
from ganglion.plot.trace import plot_trace


def main() -> None:
    """Train on the digits, look three ways, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/images/inside.png"))
    chosen = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    net = ganglion.MLPClassifier(
        hidden_layer_sizes=(64, 64, 64),
        activation="relu",
        optimizer="momentum",
        lr=0.05,
        bins=0,
        max_epochs=25,
    ).fit(X, y)
    figure = Figure(figsize=(11, 2.9), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    gradients, trace, loss = figure.subplots(1, 3)
    plot_layers(net.record_, gradients, quantity="grad_norm")
    plot_trace(ganglion.trace(net, X[:32], y[:32]), trace)
    plot_landscape(ganglion.landscape(net, X, y, size=41), loss)
    figure.savefig(chosen.output, dpi=100)


if __name__ == "__main__":
    main()
