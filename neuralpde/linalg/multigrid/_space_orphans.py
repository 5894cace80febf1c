"""Fine cells whose coarse parents all lie in solids, as in corridors one cell wide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._space_layout import Floats, Step, Triple
from neuralpde.linalg.multigrid._space_tables import parents


def adopt(step: Step, odd: Triple, share: Floats, lack: Floats, coupled: NDArray[np.bool_]) -> None:
    """Give each cell of one kind that has neighbours but no share of any coarse cell a coarse cell of its own.

    A coarse cell in a solid stands for nothing: the first orphan beside it, seen from the parent with the lower index,
    may have it. The cells between such ones are then interpolated along the corridor as everywhere.
    """
    orphan = step.fine.of_kind(coupled, odd, step.factors).copy()
    numbers = [(a, step.number(tuple(o * (1 - 2 * b) for o, b in zip(odd, a, strict=True)))) for a in parents(odd)]
    for a, number in numbers:
        orphan &= share[number][_at(step, a)] == 0.0
    free = ~(share != 0.0).any(axis=0)
    for a, number in numbers:
        took = orphan & free[_at(step, a)] & _inside(step, a)
        share[number][_at(step, a)][took] = 1.0
        free[_at(step, a)][took] = False
        step.close(share[number], a)
        step.close(free, a)
        step.fine.of_kind(lack, odd, step.factors)[took] = 0.0
        orphan &= ~took


def _at(step: Step, a: Triple) -> tuple[slice, slice, slice]:
    """Coarse cells a away from each, in plain arrays."""
    first, second, third = (slice(1 + b, 1 + b + n) for b, n in zip(a, step.grid, strict=True))
    return first, second, third


def _inside(step: Step, a: Triple) -> NDArray[np.bool_]:
    """Coarse cells whose neighbour a away is on the grid."""
    inside = np.ones(step.grid, bool)
    for axis, b in enumerate(a):
        if b and not step.fine.periodic[axis]:
            inside[(slice(None),) * axis + (-1,)] = False
    return inside
