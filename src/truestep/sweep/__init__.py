"""Sweeps: all variants of a study train at once, stacked into one tensor program."""
