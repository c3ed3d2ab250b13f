"""Observers: what calibration streams past, kept as statistics of a fixed size."""
