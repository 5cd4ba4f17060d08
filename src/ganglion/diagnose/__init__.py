"""From a training record to named findings, most likely cause first, each with its evidence and remedy."""

from ganglion.diagnose.finding import ACTIONS, Finding, Remedy
from ganglion.diagnose.verdict import diagnose

__all__ = ["ACTIONS", "Finding", "Remedy", "diagnose"]
