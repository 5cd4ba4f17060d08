"""What scaling the slope of the Gaussian likelihood by the spread changes: noise that is learned, and curves that are.

``python benchmarks/learned_noise.py`` (a minute on one core) prints the table of docs/parts.md.
"""

import numpy as np
import torch

from ganglion import MLPRegressor

SETTINGS = {"hidden_layer_sizes": (64, 64), "dropout": 0.0, "bins": 0, "lr": 3e-3, "early_stopping": False}
GRID = np.linspace(-1.8, 1.8, 37)
HARD = np.linspace(0.2, 11.8, 400)


def noise(x: np.ndarray) -> np.ndarray:
    """From 0.1 on the left to 0.5 on the right."""
    return 0.1 + 0.4 / (1 + np.exp(-3 * x))


def learned(loss: str, n: int, epochs: int, seed: int) -> np.ndarray:
    """The noise that a network predicts for sin(2 x) with n rows."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, n)
    y = np.sin(2 * x) + noise(x) * rng.normal(size=n)
    net = MLPRegressor(loss=loss, max_epochs=epochs, random_state=seed, **SETTINGS).fit(x[:, None], y)
    return net.predict(GRID[:, None], return_std=True)[1]


def hard(loss: str, seed: int) -> float:
    """Root mean square distance from x sin(x), of which 1,000 rows with noise of 0.05 are known."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 12, 1000)
    y = x * np.sin(x) + 0.05 * rng.normal(size=1000)
    net = MLPRegressor(loss=loss, max_epochs=60, random_state=seed, **SETTINGS).fit(x[:, None], y)
    return float(np.sqrt(np.mean((net.predict(HARD[:, None]) - HARD * np.sin(HARD)) ** 2)))


def main() -> None:
    torch.set_num_threads(1)
    print("worst over three seeds: noise off at 4,000 rows | at 64,000 | change between | hard curve off by")
    for loss in ("gaussian_nll(0)", "gaussian_nll(0.5)", "gaussian_nll(1)", "squared_error"):
        rows = []
        for seed in range(3):
            off = hard(loss, seed)
            if loss == "squared_error":
                rows.append([np.nan] * 3 + [off])
                continue
            few, many = learned(loss, 4000, 30, seed), learned(loss, 64_000, 5, seed)
            rows.append(
                [
                    *(
                        np.abs(a / b - 1).max()
                        for a, b in ((few, noise(GRID)), (many, noise(GRID)), (many, few))
                    ),
                    off,
                ]
            )
        print(f"{loss:18}", " | ".join(f"{v:.3f}" for v in np.max(rows, axis=0)))


if __name__ == "__main__":
    main()
