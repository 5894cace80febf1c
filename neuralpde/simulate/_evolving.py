"""The values of a field that move by themselves, as far as a march has to look at them."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.problems import Problem
from neuralpde.representations import (
    FiniteElementField,
    GridField,
    MacGrid,
    Motion,
    Product,
    Representation,
    SpectralGrid,
)

PROBES = 256
"""Points at which a field whose state is not made of its values is looked at."""


class EvolvingValues:
    """The unknowns with a time derivative: of a grid its state, else the field at quadrature points.

    Pressures, which follow from a constraint, are left out.

    Args:
        problem, representation: what is solved, and where its field is kept.
    """

    def __init__(self, problem: Problem, representation: Representation) -> None:
        self.problem, self.representation = problem, representation
        on_grid = isinstance(representation, FiniteElementField | GridField | MacGrid | Motion | SpectralGrid)
        self.points = None if on_grid else representation.quadrature(PROBES).points

    def __call__(self, theta: Tensor, t: float) -> Tensor:
        """Of one state, ``(n,)`` on a grid and ``(n, c)`` at points."""
        r, hidden = self.representation, self.problem.algebraic
        if self.points is None:
            if not isinstance(r, Product):
                return theta
            return torch.cat([part.reshape(-1) for name, part in r.split(theta).items() if name not in hidden])
        with torch.no_grad():
            return self.channels(r.at(theta, t)(self.points))

    def channels(self, values: Tensor) -> Tensor:
        """Values ``(n, c)`` of all unknowns without the channels of those that follow from a constraint."""
        counts = self.problem.unknowns.items()
        parts = zip(counts, values.split([c for _, c in counts], dim=-1), strict=True)
        return torch.cat([part for (name, _), part in parts if name not in self.problem.algebraic], dim=-1)
