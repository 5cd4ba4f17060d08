"""More convolutional layers see more of photographs than two do, at equal numbers of weights."""

import io
import itertools

import numpy as np
import pytest

from ganglion import CNNClassifier

EPOCHS = 12  # the default; with 6 the nine layers were 4.4 points better (77.8 and 73.3 %)


@pytest.fixture(scope="module")
def photographs(measuring):
    """20,000 and 10,000 colour pictures of 32 x 32 and their labels: a part of CIFAR-10, compressed once more."""
    image = pytest.importorskip("PIL.Image")
    folder = measuring("cifar10_jpeg_subset")
    parts = []
    for name in ("train", "test"):
        with np.load(folder / f"{name}.npz") as file:
            raw, at, y = file["jpeg"].tobytes(), file["offset"], file["label"]
        pictures = (np.asarray(image.open(io.BytesIO(raw[a:b]))) for a, b in itertools.pairwise(at))
        parts += [np.stack(list(pictures)), y.astype(int)]
    return parts


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_deep_convolutional_neural_network(photographs):
    """Nine convolutional layers with batch norm are at least 5 points better than two with as many weights.

    The two have a dense layer behind them, as LeNet does, or they would have to be as wide as they are costly; both
    have batch norm, the same augmentation, optimiser and number of epochs.
    """
    X, y, X_test, y_test = photographs
    same = {"max_epochs": EPOCHS, "augment": "flip+crop(2)", "random_state": 0, "watch": "off"}
    deep = CNNClassifier(convolutions=3, **same).fit(X, y)
    flat = CNNClassifier(widths=(32, 64), convolutions=1, head="flatten", hidden=(120,), **same).fit(X, y)
    convolutions = [p for p in deep.module_.features.parameters() if p.dim() == 4]
    assert len(convolutions) >= 8
    assert deep.record_size() <= flat.record_size() <= 1.1 * deep.record_size()
    scores = deep.score(X_test, y_test), flat.score(X_test, y_test)
    assert scores[0] >= scores[1] + 0.05, scores
