"""Potentials: scalar functions of nodal displacements, with their gradients and Hessians."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from neuralpde.dynamics._loaded_form import LoadedForm

Matrix: TypeAlias = sp.csr_matrix | sp.bsr_matrix


class Potential(ABC):
    """A part of the potential energy Π of a body, as a function of the displacements of its nodes ``(N, d)``.

    Forces are −∇Π. A part that is no potential by itself (friction, a pressure that follows the body) is one as soon as
    something of it is frozen, which :meth:`lag` does.
    """

    name: str
    """Under which its energy is recorded."""

    stores: bool = True
    """Whether its energy can be had back, and is recorded; that of friction is heat."""

    follows: bool = False
    """Whether :meth:`lag` is called again at the minimum, until what is frozen belongs to the minimum itself."""

    span: float = 1.0
    """In statics the share of the loads by which the step at hand raises them."""

    @abstractmethod
    def energy(self, t: float, values: Tensor) -> float:
        """In joules (in 2D per metre of thickness); infinite or NaN where a displacement is not admissible."""

    @abstractmethod
    def gradient(self, t: float, values: Tensor) -> Tensor:
        """∂Π/∂u of all nodes, ``(N, d)``: minus the force on each."""

    @abstractmethod
    def hessian(self, t: float, values: Tensor, projected: bool) -> Matrix | None:
        """∂²Π/∂u² between the free unknowns; None where it is zero.

        Args:
            t: time.
            values: displacements ``(N, d)``.
            projected: clamp negative eigenvalues of every element's (point's, contact's) share, so that the sum is
                positive semi-definite.
        """

    def damping_stiffness(self, t: float, values: Tensor) -> Matrix | None:
        """Its projected Hessian between all unknowns where it is of the body's own strain: what damps with it."""
        return None

    def longest(self, t: float, values: Tensor, step: Tensor) -> float:
        """The largest s ≤ 1 such that values + s' · step is admissible for all s' ≤ s."""
        return 1.0

    def cleared(self, t: float, values: Tensor) -> Tensor:
        """Admissible values at time t near those of the state before, into which an obstacle may have moved."""
        return values

    def dissipated(self, t: float, values: Tensor) -> float:
        """What has become heat from the state that was frozen to this one, in J."""
        return 0.0

    def driven(self, begin: float, t: float, values: Tensor) -> float:
        """Work of what moves in time (an obstacle) from ``begin`` to t, with the forces at the end, in J."""
        return 0.0

    def lag(self, t: float, values: Tensor) -> None:  # noqa: B027 (most freeze nothing)
        """Freeze what is taken from the state at the beginning of a step: friction, the normals of a pressure."""

    def relag(self, t: float, values: Tensor) -> None:
        """Freeze what :attr:`follows` at another state of the same step: what belongs to its beginning stays."""
        self.lag(t, values)

    def slopes(self, t: float, values: Tensor) -> Matrix | None:
        """∂²Π/∂u², and how the force changes with what is frozen where that :attr:`follows`: not symmetric then."""
        return self.hessian(t, values, False)

    def outputs(self, t: float, values: Tensor) -> dict[str, float]:
        """What is recorded beside the energy, by name: a contact's force and its least distance."""
        return {}


class ElasticPotential(Potential):
    """∫ Ψ(F) − b·u dx − ∮ g·u dS: the strain energy, and that of the loads which do not follow the body.

    Args:
        form: the weak form of the problem with its loads.
    """

    name = "elastic"

    def __init__(self, form: LoadedForm) -> None:
        self.form = form

    @property
    def follows(self) -> bool:  # type: ignore[override]
        return bool(self.form.followers)

    def lag(self, t: float, values: Tensor) -> None:
        self.form.lag(values)

    def damping_stiffness(self, t: float, values: Tensor) -> Matrix:
        return -self.form.slopes(t, values, definite=True, whole=True)

    def slopes(self, t: float, values: Tensor) -> Matrix:
        with self.form.following():
            return self.hessian(t, values, False)

    def energy(self, t: float, values: Tensor) -> float:
        return sum(self.form.energies(t, values))

    def gradient(self, t: float, values: Tensor) -> Tensor:
        return -self.form.residual(t, values)

    def hessian(self, t: float, values: Tensor, projected: bool) -> Matrix:
        matrix = self.form.slopes(t, values, projected)
        np.negative(matrix.data, out=matrix.data)  # in place: it is ours alone
        return matrix
