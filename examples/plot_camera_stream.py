"""Classifying the frames of a camera that watches a yard, one by one as they come, at a measured rate.

The clip is drawn: a yard through the day, empty or with a person, a car or a dog that crosses it, under noise and
changing light. A small convolutional network learns from labelled clips and is asked about every frame of a new one,
alone and on one thread, as a device at the camera would ask it.

    python examples/plot_camera_stream.py

The rate is that of ``predict_proba`` on one frame, with everything that the call checks. 30 frames a second are what
most cameras give.
"""

import argparse
import time

import numpy as np
import torch

import ganglion

SIDE = 48  # pixels
KINDS = np.array(["car", "dog", "empty", "person"])
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE]


def ellipse(row: float, column: float, high: float, wide: float) -> np.ndarray:
    """Where an ellipse is, (SIDE, SIDE)."""
    return ((ROWS - row) / high) ** 2 + ((COLUMNS - column) / wide) ** 2 < 1


def figure_of(kind: str, row: float, column: float, size: float, stride: float) -> np.ndarray:
    """The outline of what crosses the yard."""
    if kind == "person":
        legs = ellipse(row + 5 * size, column + stride, 5 * size, 1.3) | ellipse(
            row + 5 * size, column - stride, 5 * size, 1.3
        )
        return (
            legs
            | ellipse(row - 1, column, 4 * size, 2 * size)
            | ellipse(row - 6 * size, column, 2 * size, 1.8 * size)
        )
    if kind == "car":
        body = (np.abs(ROWS - row) < 3 * size) & (np.abs(COLUMNS - column) < 10 * size)
        cabin = (np.abs(ROWS - row + 4 * size) < 3 * size) & (np.abs(COLUMNS - column) < 5 * size)
        return body | cabin
    if kind == "dog":
        legs = np.abs(np.abs(COLUMNS - column) - 3.5 * size + stride / 3) < 0.8
        return (
            ellipse(row, column, 2 * size, 5 * size)
            | ellipse(row - 2 * size, column + 5 * size, 1.8 * size, 1.8 * size)
            | (legs & (np.abs(ROWS - row - 2 * size) < 2 * size))
        )
    return np.zeros((SIDE, SIDE), bool)


def clip(frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Frames (n, SIDE, SIDE, 3) of a yard and what is in each of them (n,)."""
    ground = np.where(ROWS > 20, 95, 150) + 12 * np.sin(COLUMNS / 5 + rng.uniform(0, 6)) + 10 * (ROWS > 34)
    seen, labels = [], []
    while len(seen) < frames:
        kind, length = rng.choice(KINDS), int(rng.integers(12, 30))
        start, end = rng.uniform(8, 16), rng.uniform(32, 40)
        row, size = rng.uniform(24, 34), rng.uniform(0.8, 1.25)
        colour, light = rng.integers(0, 255, 3), rng.uniform(0.5, 1.15)
        for t in np.linspace(0, 1, length):
            scene = np.repeat((light * ground)[:, :, None], 3, axis=2) * np.array([1, 1, 0.92])
            scene[figure_of(kind, row, start + t * (end - start), size, 2.5 * np.sin(9 * t))] = colour * light
            seen.append((scene + rng.normal(0, 9, scene.shape)).clip(0, 255))
            labels.append(kind)
    return np.array(seen[:frames], dtype=np.uint8), np.array(labels[:frames])


def stream(network: ganglion.CNNClassifier, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answer to each frame, asked alone, and the seconds that it took."""
    answers, seconds = [], []
    for frame in frames:
        begin = time.perf_counter()
        answers.append(network.classes_[network.predict_proba(frame[None]).argmax()])
        seconds.append(time.perf_counter() - begin)
    return np.array(answers), np.array(seconds)


def main(train: int = 4000, test: int = 600) -> dict[str, float]:
    """Learn from one day's clip, answer another's; the numbers that are printed."""
    X, y = clip(train, np.random.default_rng(0))
    network = ganglion.CNNClassifier(widths=(16, 32, 64), max_epochs=6).fit(X, y)
    frames, truth = clip(test, np.random.default_rng(1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        stream(network, frames[:5])  # the first calls set memory up
        answers, seconds = stream(network, frames)
    finally:
        torch.set_num_threads(threads)
    draw(frames, answers, truth)
    return {
        "accuracy": float((answers == truth).mean()),
        "frames a second, one thread": 1 / float(np.median(seconds)),
        "milliseconds of a frame, 95 % below": 1e3 * float(np.quantile(seconds, 0.95)),
        "weights": network.record_size(),
    }


def draw(frames: np.ndarray, answers: np.ndarray, truth: np.ndarray) -> None:
    """Frames of the new clip with their answers, wrong ones in red."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 6, figsize=(9, 3.4), layout="constrained")
    for ax, at in zip(axes.flat, np.linspace(0, len(frames) - 1, 12).astype(int)):
        ax.imshow(frames[at])
        ax.set_title(answers[at], fontsize=9, color="black" if answers[at] == truth[at] else "tab:red")
        ax.axis("off")
    figure.suptitle("A camera's frames and what the network says of each", fontsize=10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", help="where to write the figure")
    options = parser.parse_args()
    for name, value in main().items():
        print(f"{name}: {value:.4g}")
    if options.picture:
        import matplotlib.pyplot as plt

        plt.savefig(options.picture, dpi=110)
