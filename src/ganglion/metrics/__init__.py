"""How good a prediction is: scores, their intervals, the confusion table and calibration."""

from ganglion.metrics.calibration import CalibrationCurve, calibration_curve, expected_calibration_error
from ganglion.metrics.classification import class_table, classification_scores, confusion_table
from ganglion.metrics.intervals import (
    Interval,
    bootstrap_interval,
    difference_interval,
    wilson_interval,
    with_interval,
)
from ganglion.metrics.regression import output_table, regression_scores

__all__ = [
    "CalibrationCurve",
    "Interval",
    "bootstrap_interval",
    "calibration_curve",
    "class_table",
    "classification_scores",
    "confusion_table",
    "difference_interval",
    "expected_calibration_error",
    "output_table",
    "regression_scores",
    "wilson_interval",
    "with_interval",
]
