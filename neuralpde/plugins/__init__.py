"""Where other people's scripts meet this package: ``neuralpde.plugins.scipy`` and ``neuralpde.plugins.petsc``.

The two are imported by their full names: each needs the other package, and this one alone needs neither.
"""
