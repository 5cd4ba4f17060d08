"""Why a network says what it says."""

from ganglion.explain.attention import Look, attention_maps

__all__ = ["Look", "attention_maps"]
