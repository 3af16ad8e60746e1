"""What truestep says when something given to it is wrong: one sentence, with what, where and how to mend it."""


class TruestepError(Exception):
    """The base of every error that truestep raises on purpose."""


class ConfigError(TruestepError, ValueError):
    """A setting, or a combination of settings, that cannot mean anything."""


class DataError(TruestepError, ValueError):
    """Data that cannot be read or trained on: wrong bytes, wrong labels, no samples."""


class CheckpointError(TruestepError, ValueError):
    """A checkpoint that cannot be trusted, or a state that no checkpoint can hold."""


class ShapeError(DataError):
    """Tensors whose shapes do not belong together."""


class CountError(TruestepError, ValueError):
    """A loss that would have to be split or merged, and whose count nobody has stated."""


class NonFiniteError(TruestepError, FloatingPointError):
    """A loss or gradient that is not a finite number, found before the weights moved."""


class TraceError(TruestepError, RuntimeError):
    """A function that cannot be written down as a program; whoever asked for it goes on without, and says why."""
