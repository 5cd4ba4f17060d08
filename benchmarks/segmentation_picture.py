"""The figure of docs/segmentation.md: a U-Net on generated tissue, whose dark spots look like membranes close by.

python benchmarks/segmentation_picture.py [--folder docs/images]
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ganglion import UNetSegmenter
from ganglion.plot import plot_masks

SIDE, CELL, WIDTH = 160, 30, 4.0  # pixels: of a picture, between the middles of cells, of a membrane
NOISE = 25.0


def tissue(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, h, w) of bent cells with dark spots inside, and the names of their pixels."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1).astype(float)
    pictures, masks = [], []
    for _ in range(n):
        bend = [60 * gaussian_filter(rng.normal(size=(SIDE, SIDE)), 8) for _ in range(2)]
        bent = places + np.stack(bend, -1)
        middles, spots = (
            rng.uniform(-CELL, SIDE + CELL, (int((SIDE / gap + 2) ** 2), 2)) for gap in (CELL, 30)
        )
        near = np.sort(np.linalg.norm(bent[:, :, None] - middles, axis=-1))[..., :2]
        membrane = near[..., 1] - near[..., 0] < WIDTH
        spot = (np.linalg.norm(bent[:, :, None] - spots, axis=-1).min(-1) < 4) & ~membrane
        level = gaussian_filter(170.0 - 80 * (membrane | spot), 0.8)
        pictures.append(np.clip(level + rng.normal(0, NOISE, level.shape), 0, 255).astype(np.uint8))
        masks.append(np.where(membrane, "membrane", "cell"))
    return np.stack(pictures), np.stack(masks)


def main() -> None:
    """Train, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("docs/images"))
    folder = parser.parse_args().folder
    model = UNetSegmenter(max_epochs=15).fit(*tissue(40, 0))
    X, masks = tissue(10, 1)
    print(model.summary())
    print("test", model.score(X, masks), "linear", model.record_.baselines["linear"], model.augment_)
    ax = plot_masks(X, masks, model.predict(X), model.classes_, most=2)
    ax.figure.savefig(folder / "segmentation.png", dpi=100, facecolor="white")


if __name__ == "__main__":
    main()
