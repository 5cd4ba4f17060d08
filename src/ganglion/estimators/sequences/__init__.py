"""Estimators for sequences: series of numbers, and texts."""
