"""Augmentation of picture batches on their device: parts by name, labels, boxes and masks moved along."""

from ganglion.data.augment.choose import augment_for
from ganglion.data.augment.pipeline import AUGMENTS, Augment, augment_named

__all__ = ["AUGMENTS", "Augment", "augment_for", "augment_named"]
