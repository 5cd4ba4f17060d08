"""How good a prediction is: scores, their intervals, the confusion table and calibration.

What scikit-learn has stands here under scikit-learn's name and is scikit-learn's.
"""

from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    d2_absolute_error_score,
    d2_pinball_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    precision_recall_curve,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

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
    "accuracy_score",
    "balanced_accuracy_score",
    "bootstrap_interval",
    "calibration_curve",
    "class_table",
    "classification_scores",
    "confusion_table",
    "d2_absolute_error_score",
    "d2_pinball_score",
    "difference_interval",
    "expected_calibration_error",
    "f1_score",
    "log_loss",
    "mean_absolute_error",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "output_table",
    "precision_recall_curve",
    "precision_score",
    "r2_score",
    "recall_score",
    "regression_scores",
    "roc_auc_score",
    "roc_curve",
    "wilson_interval",
    "with_interval",
]
