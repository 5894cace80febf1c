"""Whether a run still has the size of its problem, or grows without bounds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.geometry import Grid
from neuralpde.integrators import Dynamics, State
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.simulate._evolving import EvolvingValues
from neuralpde.types import UsageError

MOST_ENERGY = 1.01
"""Kinetic energy of a flow that nothing drives, over that of the start: rounding and interpolation may add a little."""


class GrowthGuard:
    """Tells a field that outgrows its problem: |u| > limit × scale somewhere, or a kinetic energy that grows by itself.

    The scale is the largest of 1, |u| at the start (with its boundary data at the first, middle and last time), and
    |F(u)| at the start times the length of the run. Pressures, which follow from a constraint, are not looked at.

    Where nothing outside drives a flow (``dynamics.passive``: no inflow, no moving wall, no open end) its kinetic
    energy can only fall; a run has outgrown it above 1.01 times that of the start.

    Args:
        problem, representation: what is solved, and where its field is kept.
        dynamics: gives F at the start.
        start: the first state.
        t_end: last time.
        limit: largest growth; None for any, of the energy too.

    Raises:
        UsageError: for a limit that is no number of at least 1.
    """

    def __init__(
        self,
        problem: Problem,
        representation: Representation,
        dynamics: Dynamics,
        start: State,
        t_end: float,
        limit: float | None,
    ) -> None:
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 1):
            raise UsageError(f"growth_limit must be a number of at least 1, or None for no limit; got {limit!r}.")
        self.values = EvolvingValues(problem, representation)
        self.dynamics, self.most_energy = dynamics, math.inf
        energy = dynamics.energy(start.theta) if dynamics.passive and limit is not None else None
        if energy is not None:
            self.most_energy = MOST_ENERGY * float(energy.detach())
        self.bound = math.inf if limit is None else limit * self._scale(dynamics, start, t_end)

    def holds(self, state: State) -> bool:
        """Whether the state's field is of a size that can be believed."""
        if self.most_energy < math.inf:
            energy = self.dynamics.energy(state.theta)
            if energy is not None and not float(energy.detach()) <= self.most_energy:
                return False
        return self.bound == math.inf or _largest(self.values(state.theta, state.t)) <= self.bound

    def _scale(self, dynamics: Dynamics, start: State, t_end: float) -> float:
        r, sizes = self.values.representation, [1.0, _largest(self.values(start.theta, start.t))]
        box = Grid(r.domain, (9,) * r.dim, (False,) * r.dim).points(r.dtype, r.device)
        with torch.no_grad():
            for t in (start.t, (start.t + t_end) / 2, t_end):
                sizes.append(_largest(self.values.channels(r.at(start.theta, t)(box))))
        if not dynamics.constrained:
            slope = dynamics.slope(start.t, start.theta)
            if self.values.points is not None and callable(slope):
                slope = slope(self.values.points)
            elif self.values.points is not None:
                slope = torch.zeros(0)  # of weights, not of values
            sizes.append(_largest(slope.detach()) * (t_end - start.t))
        return max(size for size in sizes if math.isfinite(size))


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0
