"""Object detection: shapes are found where they are, judged as COCO judges."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ganglion.estimators.pictures.detector import ObjectDetector
from ganglion.metrics.detection import mean_average_precision


def helper(folder, name):
    """A module of the tests of another room."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow  # some ten seconds
def test_object_detection():
    """At least 0.80 mAP@0.5 on unseen scenes of shapes, by code that equals pycocotools' to 1e-6."""
    shapes, coco = helper("estimators", "shapes"), helper("metrics", "test_detection")
    X, objects = shapes.shapes_world(160, seed=0)
    unseen, truth = shapes.shapes_world(100, seed=1)
    model = ObjectDetector(widths=(16, 32, 64), stride=4, max_epochs=12).fit(X, objects)
    assert model.score(unseen, truth) >= 0.8
    model.set_params(score_threshold=0.01)
    found = [one._replace(labels=np.searchsorted(shapes.KINDS, one.labels)) for one in model.predict(unseen)]
    there = [coco.Truth(boxes, np.searchsorted(shapes.KINDS, labels)) for boxes, labels in truth]
    scores = mean_average_precision(there, found)
    assert scores["map50"] == pytest.approx(model.score(unseen, truth))
    parts = [[coco.by_definition(there, found, k, iou) for k in range(3)] for iou in (0.5, 0.75)]
    assert np.mean(parts[0]) == pytest.approx(scores["map50"], abs=1e-6)
    if importlib.util.find_spec("pycocotools"):
        np.testing.assert_allclose(
            (scores["map50"], scores["map"]), coco.coco_scores(there, found), atol=1e-6
        )
