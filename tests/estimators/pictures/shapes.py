"""A world of squares, discs and triangles on uneven ground, with their boxes."""

import numpy as np

KINDS = ("disc", "square", "triangle")


def shapes_world(n, seed, size=(48, 64), most=4):
    """Pictures (n, h, w, 3) and for each (boxes, labels): up to ``most`` shapes that may touch but hardly overlap."""
    rng = np.random.default_rng(seed)
    high, wide = size
    y, x = np.mgrid[:high, :wide] + 0.5
    X, objects = rng.integers(0, 70, (n, high, wide, 3)).astype(np.uint8), []
    for picture in X:
        boxes, labels = [], []
        for _ in range(rng.integers(0, most + 1)):
            side = int(rng.integers(12, 22))
            x0, y0 = (int(rng.integers(0, extent - side + 1)) for extent in (wide, high))
            if any(
                max(x0, a) < min(x0 + side, c) - 3 and max(y0, b) < min(y0 + side, d) - 3
                for a, b, c, d in boxes
            ):
                continue
            label = KINDS[rng.integers(3)]
            u, v = (x - x0) / side, (y - y0) / side  # 0 to 1 inside of the box
            inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
            form = {
                "disc": (u - 0.5) ** 2 + (v - 0.5) ** 2 <= 0.25,
                "square": inside,
                "triangle": np.abs(u - 0.5) <= v / 2,
            }
            picture[inside & form[label]] = rng.integers(110, 256, 3)
            boxes.append([x0, y0, x0 + side, y0 + side])
            labels.append(label)
        objects.append((np.array(boxes, float).reshape(-1, 4), np.array(labels, dtype=str)))
    return X, objects
