"""StyleTransfer on scikit-learn's two photographs, with a CNNClassifier trained here on small colour pictures.

    python benchmarks/style.py [--pictures 20000] [--epochs 8] [--side 320] [--quick] [--folder out]
                               [--set max_epochs=40 ...]

The data are ``cifar10_jpeg_subset`` (environment variable GANGLION_DATA).
"""

import argparse
import io
import os
import time
from pathlib import Path

import numpy as np
from _shared import setting
from PIL import Image
from sklearn.datasets import load_sample_images

from ganglion.estimators.pictures.cnn import CNNClassifier
from ganglion.estimators.pictures.style import StyleTransfer
from ganglion.plot.style import BLUE, MUTED, ORANGE, SIZE, new_axes, quiet

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[2] / "shared" / "data"))


def small_pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first n of the shuffled training pictures (n, 32, 32, 3) with their classes."""
    packed = np.load(DATA / "cifar10_jpeg_subset" / "train.npz")
    files, offset = packed["jpeg"].tobytes(), packed["offset"]
    rows = np.random.default_rng(0).permutation(len(offset) - 1)[:n]
    opened = (Image.open(io.BytesIO(files[offset[i] : offset[i + 1]])).convert("RGB") for i in rows)
    return np.stack([np.asarray(picture) for picture in opened]), packed["label"][rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--quick", action="store_true", help="4,000 pictures, 3 epochs, 160 pixels")
    parser.add_argument("--folder", type=Path, help="where the pictures and the curve are written")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.epochs, arguments.side = 4_000, 3, 160
    settings = dict(map(setting, arguments.set))
    start = time.perf_counter()
    network = CNNClassifier(widths=(32, 64, 128), pool="average", max_epochs=arguments.epochs)
    network.fit(*small_pictures(arguments.pictures))
    accuracy = network.record_.scores["validation"]["accuracy"]
    print(f"network: accuracy {accuracy:.3f} after {time.perf_counter() - start:.0f} s")
    china, flower = load_sample_images().images
    for name, content, style in (("china", china, flower), ("flower", flower, china)):
        model = StyleTransfer(network=network, image_size=arguments.side, **settings).fit(content, style)
        first, last = model.record_.scores["start"], model.record_.scores["end"]
        falls = ", ".join(
            f"{part} {first[part]:.3f} -> {last[part]:.4f} ({first[part] / last[part]:.1f} times)"
            for part in ("content", "style")
        )
        print(f"{name}: {falls}; {model.record_.seconds:.0f} s", flush=True)
        if arguments.folder:
            arguments.folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(model.picture_).save(arguments.folder / f"style-{name}.jpg", quality=88)
            course(model).figure.savefig(arguments.folder / f"style-{name}-losses.png", dpi=110)


def course(model: StyleTransfer) -> object:
    """The two losses over the rounds, from the noise on."""
    ax = quiet(new_axes(4.8, 2.6), x="round", y="loss")
    first, rows = model.record_.scores["start"], model.history_
    for part, colour in (("content", BLUE), ("style", ORANGE)):
        values = [first[part], *(row[part] for row in rows)]
        ax.plot(range(len(values)), values, color=colour, label=part)
    ax.set_yscale("log")
    ax.legend(frameon=False, labelcolor=MUTED, fontsize=SIZE)
    return ax


if __name__ == "__main__":
    main()
