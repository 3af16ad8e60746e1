"""Trainings that are timed, and one module for each family of ways to run them."""
