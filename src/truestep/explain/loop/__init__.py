"""A step of somebody else's loop, explained while it runs, whatever loop that is: nothing of it is changed.

`watch` counts the updates and looks at the one that is asked for; `gradients` follows what each `.grad` is made of;
`roots` takes the sum at the root of a loss apart, and `naming` finds what the program calls its terms and weights.
"""
