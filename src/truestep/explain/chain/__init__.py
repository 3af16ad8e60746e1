"""The chain rule of one small step, written out with its numbers: behind `write_out`.

`trace` runs the model on numbers that remember where they came from, `operations`, `elements` and `losses` turn what
torch computed into formulas of `algebra`, `naming` and `computation` order them, `slopes` differentiates, `notation`
writes text and LaTeX, and `write` puts the pages together.
"""
