"""Whether a flow, or any field, has come to rest."""

from __future__ import annotations

import math

from torch import Tensor

from neuralpde.integrators import State
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.simulate._evolving import EvolvingValues
from neuralpde.types import UsageError


class RestTest:
    """Tells a field that no longer moves: ‖uⁿ⁺¹ − uⁿ‖ ≤ tolerance · dt ‖uⁿ⁺¹‖, in the root mean square.

    ‖·‖ is taken over the values of the unknowns that move by themselves: those of a grid at its nodes or faces, those
    of a network at quadrature points. The tolerance is a rate, 1/time: a field that relaxes as exp(−λt) is then within
    about tolerance/λ of its steady state, relative to its size. A field that only fades, like exp(−λt) itself, never
    passes while λ is larger than the tolerance.

    Args:
        problem, representation: what is solved, and where its field is kept.
        tolerance: largest relative change in a unit of time; None for no test.

    Raises:
        UsageError: for a tolerance that is no positive finite number.
    """

    def __init__(self, problem: Problem, representation: Representation, tolerance: float | None) -> None:
        number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool)
        if tolerance is not None and not (number and 0 < tolerance < math.inf):
            raise UsageError(
                f"until_steady must be a positive number such as 1e-6, the largest relative change in a unit of time, "
                f"or None to march to t_end; got {tolerance!r}."
            )
        self.tolerance = tolerance
        self.values = None if tolerance is None else EvolvingValues(problem, representation)

    def passes(self, before: State, after: State) -> bool:
        """Whether the step between two states moved nothing that counts."""
        if self.values is None or self.tolerance is None:
            return False
        old, new = self.values(before.theta, before.t), self.values(after.theta, after.t)
        return _rms(new - old) <= self.tolerance * (after.t - before.t) * _rms(new)


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
