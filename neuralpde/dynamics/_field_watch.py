"""Energies of a neural field at other points than those of its quadrature."""

from __future__ import annotations

from torch import Tensor

from neuralpde.optimize import Energy

LOOKS = 10
"""Steps from one look at other points to the next."""

DOUBT = 1e-4
"""Falls of the energy, as shares of its size, that are too small to be doubted."""


class Watch:
    """Tells when the energy falls at the points of its quadrature alone: of all weights some can make strains that lie
    between points. A fall that other points see by less than a half is such a one.

    Args:
        other: the energy at other points.
        energy: at the points of the quadrature.
        theta: the start, at which both are compared first.
    """

    def __init__(self, other: Energy, energy: Energy, theta: Tensor) -> None:
        self.other, self.theta = other, theta
        """The latest θ at which all points agreed."""
        self._before = (energy.value(theta), other.value(theta))
        self._steps = 0

    def __call__(self, theta: Tensor, value: float) -> bool:
        self._steps += 1
        return self._steps % LOOKS == 0 and self.parts(theta, value)

    def parts(self, theta: Tensor, value: float) -> bool:
        """Whether the energies of both sets of points part."""
        there = self.other.value(theta)
        fall, seen = self._before[0] - value, self._before[1] - there
        if fall - seen > max(0.5 * fall, DOUBT * self.other.size(theta)):
            return True
        self.theta, self._before = theta, (value, there)
        return False
