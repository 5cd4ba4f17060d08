"""Keeping a lane by sight: a network steers a simulated car from the pictures of its camera.

The road bends at random. A controller that knows the car's place (offset, heading, curvature) drives and is recorded,
also from places beside the middle; a convolutional network learns its steering from the pictures alone, as one class
for each of 21 curvatures (the output form of ALVINN, Pomerleau 1989). Then it drives by itself on roads that it has
never seen, and the controller drives them too.

    python examples/plot_lane_keeping.py

Imitation from pictures works here because the recordings hold places beside the middle and how to return from them.
It says nothing about real roads, which are not drawn by fifteen lines of NumPy.
"""

import argparse
from dataclasses import dataclass

import numpy as np

import ganglion

HEIGHT, WIDTH = 24, 48  # pixels of the camera
LANE = 1.8  # metres from the middle to the edge
SPEED, STEP = 10.0, 0.1  # metres per second, seconds
CURVES = np.linspace(-0.1, 0.1, 21)  # curvatures that can be steered, 1 / metre
AHEAD = np.linspace(3.0, 25.0, HEIGHT)[::-1]  # metres, from the picture's top row to its bottom row


@dataclass
class Cars:
    """Many cars, each on a road of its own: (n,) offsets to the left and headings, (n, steps) curvatures."""

    roads: np.ndarray
    offset: np.ndarray
    heading: np.ndarray
    at: int = 0

    def bend(self, metres: float) -> np.ndarray:
        """The road's curvature so far ahead."""
        return self.roads[:, min(self.at + int(metres / (SPEED * STEP)), self.roads.shape[1] - 1)]

    def steer(self, curvature: np.ndarray) -> None:
        """Drive on for one step."""
        self.heading = self.heading + SPEED * STEP * (curvature - self.bend(0))
        self.offset = self.offset + SPEED * STEP * np.sin(self.heading)
        self.at += 1

    def controller(self) -> np.ndarray:
        """What a controller that knows everything would steer, tuned by hand: offset, heading, the bend ahead."""
        return self.bend(1.0) - 0.03 * self.offset - 0.4 * self.heading

    def pictures(self, rng: np.random.Generator) -> np.ndarray:
        """What the cameras see, (n, HEIGHT, WIDTH): the lane in perspective, its edges bright, in changing light."""
        bends = np.stack([self.bend(d) for d in AHEAD], 1)
        middle = -self.offset[:, None] - self.heading[:, None] * AHEAD + bends * AHEAD**2 / 2
        columns = np.arange(WIDTH) - WIDTH / 2 + 0.5
        across = -columns[None, None, :] * AHEAD[None, :, None] / 18.0  # metres to the left at each pixel
        beside = np.abs(across - middle[:, :, None])
        road = 1 / (1 + np.exp((beside - LANE) * 6))
        paint = np.exp(-(((beside - LANE) / (0.12 + 0.03 * AHEAD[None, :, None])) ** 2))
        light = rng.uniform(0.6, 1.2, (len(middle), 1, 1))
        values = light * (90 - 40 * road + 140 * paint) + rng.normal(0, 8, beside.shape)
        return values.clip(0, 255).astype(np.uint8)


def roads(n: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Curvatures along n roads: straights and bends of random strength and length, smoothly joined."""
    wild = np.repeat(rng.uniform(-0.05, 0.05, (n, steps // 25 + 2)), 25, axis=1)
    kernel = np.ones(15) / 15
    return np.stack([np.convolve(road, kernel, "same") for road in wild])[:, :steps]


def recordings(n: int, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and the class of the controller's steering, from drives that are pushed aside now and then."""
    cars = Cars(roads(n, steps, rng), rng.normal(0, 0.6, n), rng.normal(0, 0.08, n))
    seen, steered = [], []
    for _ in range(steps):
        wish = cars.controller()
        seen.append(cars.pictures(rng))
        steered.append(np.abs(wish[:, None] - CURVES).argmin(1))
        cars.steer(wish)
        pushed = rng.random(n) < 0.1
        cars.offset = cars.offset + pushed * rng.normal(0, 0.7, n)
        cars.heading = cars.heading + pushed * rng.normal(0, 0.08, n)
    return np.concatenate(seen), np.concatenate(steered)


def drive(
    network: ganglion.CNNClassifier | None, n: int, steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (steps, n) of n cars on new roads and what the first one saw; without a network the controller steers."""
    rng = np.random.default_rng(seed)
    cars = Cars(roads(n, steps, rng), np.zeros(n), np.zeros(n))
    course, film = [], []
    for _ in range(steps):
        pictures = cars.pictures(rng)
        if network is None:
            wish = cars.controller()
        else:
            wish = network.predict_proba(pictures) @ CURVES[network.classes_]
        cars.steer(wish)
        course.append(cars.offset.copy())
        film.append(pictures[0])
    return np.array(course), np.array(film)


def main(tracks: int = 100, steps: int = 300, drives: int = 60) -> dict[str, float]:
    """Record, learn, drive; the numbers that are printed."""
    X, y = recordings(drives, 150, np.random.default_rng(0))
    network = ganglion.CNNClassifier(
        widths=(16, 32), head="flatten", hidden=(64,), max_epochs=8, augment=None, label_smoothing=0.0
    ).fit(X, y)
    course, film = drive(network, tracks, steps, seed=1)
    reference, _ = drive(None, tracks, steps, seed=1)
    kept, kept_too = ((np.abs(c).max(0) < LANE).sum() for c in (course, reference))
    found = {
        "pictures": len(X),
        "tracks": tracks,
        "kept the lane": int(kept),
        "controller kept the lane": int(kept_too),
        "mean distance from the middle, m": float(np.abs(course).mean()),
        "controller's, m": float(np.abs(reference).mean()),
    }
    draw(course, reference, film)
    return found


def draw(course: np.ndarray, reference: np.ndarray, film: np.ndarray) -> None:
    """What the camera saw, and where the cars drove."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9, 5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2))
    for ax, at in zip(top.subplots(1, 5), np.linspace(0, len(film) - 1, 5).astype(int)):
        ax.imshow(film[at], cmap="gray", vmin=0, vmax=255)
        ax.set_title(f"{at * SPEED * STEP:.0f} m", fontsize=9)
        ax.axis("off")
    ax = bottom.subplots()
    metres = np.arange(len(course)) * SPEED * STEP
    ax.plot(metres, course, color="tab:blue", linewidth=0.5, alpha=0.4)
    ax.plot(metres, reference.mean(1), color="black", linewidth=1, label="controller, mean")
    ax.axhline(LANE, color="tab:red", linestyle="--", label="edge of the lane")
    ax.axhline(-LANE, color="tab:red", linestyle="--")
    ax.set(xlabel="metres", ylabel="offset in metres", title="The network on roads that it has not seen")
    ax.legend(loc="upper right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=int, default=100)
    parser.add_argument("--picture", help="where to write the figure")
    options = parser.parse_args()
    for name, value in main(options.tracks).items():
        print(f"{name}: {value:.3g}")
    if options.picture:
        import matplotlib.pyplot as plt

        plt.savefig(options.picture, dpi=110)
