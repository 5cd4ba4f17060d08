"""Figures: every function takes Axes and returns them; nothing touches pyplot or opens a window."""

from ganglion.plot.attention import plot_attention
from ganglion.plot.boxes import plot_boxes, plot_precision_recall
from ganglion.plot.calibration import plot_calibration
from ganglion.plot.confusion import plot_confusion
from ganglion.plot.filters import plot_filters, plot_maps
from ganglion.plot.forecast import plot_forecast, plot_horizon
from ganglion.plot.history import plot_history
from ganglion.plot.importance import plot_importance
from ganglion.plot.landscape import plot_landscape
from ganglion.plot.layers import plot_layers
from ganglion.plot.masks import plot_masks
from ganglion.plot.pictures import plot_pictures
from ganglion.plot.residuals import plot_residuals
from ganglion.plot.roc import plot_roc
from ganglion.plot.scores import plot_scores
from ganglion.plot.svg import to_svg
from ganglion.plot.trace import plot_neurons, plot_trace
from ganglion.plot.training import plot_training
from ganglion.plot.word_attention import plot_word_attention

__all__ = [
    "plot_attention",
    "plot_boxes",
    "plot_calibration",
    "plot_confusion",
    "plot_filters",
    "plot_forecast",
    "plot_history",
    "plot_horizon",
    "plot_importance",
    "plot_landscape",
    "plot_layers",
    "plot_maps",
    "plot_masks",
    "plot_neurons",
    "plot_pictures",
    "plot_precision_recall",
    "plot_residuals",
    "plot_roc",
    "plot_scores",
    "plot_trace",
    "plot_training",
    "plot_word_attention",
    "to_svg",
]
