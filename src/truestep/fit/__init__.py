"""The loop, evaluation and what a run leaves behind."""
