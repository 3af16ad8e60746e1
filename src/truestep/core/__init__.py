"""Pure tensor mathematics of one step: no files, no clock, no global random state."""
