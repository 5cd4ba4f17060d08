"""One forward and one backward pass laid open, operation by operation, by formulas of our own."""

from ganglion.diagnose.tracing.neurons import Neuron
from ganglion.diagnose.tracing.passes import traced
from ganglion.diagnose.tracing.record import Layer, Trace

__all__ = ["Layer", "Neuron", "Trace", "traced"]
