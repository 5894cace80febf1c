"""Rayleigh damping of a body on a neural field: at quadrature points in its stages, at nodes in its forces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.fields import Jet
from neuralpde.problems import ElasticBody
from neuralpde.representations import FiniteElementField

if TYPE_CHECKING:
    import scipy.sparse as sp


@dataclass(frozen=True)
class Drag:
    """½ (m |u − o|² + ∇(u − o):A:∇(u − o)) at the points inside, which a stage adds to its energy.

    Args:
        mass: m, ``(n,)``.
        moduli: A, ``(n, d, d, d, d)``.
        value, grad: o and ∇o, ``(n, d)`` and ``(n, d, d)``.
    """

    mass: Tensor
    moduli: Tensor
    value: Tensor
    grad: Tensor

    def density(self, rows: Tensor, u: Jet) -> Tensor:
        """At some of the points, ``(k,)``."""
        away, bent = u.value - self.value[rows], u.grad - self.grad[rows]
        stiff = torch.einsum("nij,nijkl,nkl->n", bent, self.moduli[rows], bent)
        return 0.5 * (self.mass[rows] * away.square().sum(1) + stiff)


class FieldDamping:
    """C = α M + β K with K of a state that is frozen, its negative parts left away point by point.

    Args:
        problem: with :class:`~neuralpde.problems.Rayleigh` damping.
        form: the body's weak form on the velocity's elements.
        x: points inside, ``(n, d)``, with their
        element, xi: elements and reference coordinates in these.
    """

    def __init__(self, problem: ElasticBody, form: LoadedForm, x: Tensor, element: np.ndarray, xi: np.ndarray) -> None:
        self.problem, self.form, self.x, self.places = problem, form, x, (element, xi)
        self.matrix: sp.csr_matrix | None = None
        self.moduli: Tensor | None = None

    @property
    def elements(self) -> FiniteElementField:
        """The velocity's."""
        return self.form.representation

    def freeze(self, t: float, nodal: Tensor) -> None:
        """Take K from nodal displacements ``(N, d)``; that of a linear body stays the same."""
        if self.matrix is not None and self.problem.linear:
            return
        rates = self.problem.damping
        assert rates is not None
        grad = self.elements.tables.evaluate(nodal, *self.places)[1]
        self.moduli = self._positive(self.problem.material.tangent(self.x, grad))
        stiffness = -self.form.slopes(t, nodal, definite=True, whole=True)
        mass = self.elements.mass(self.problem.mass_density)
        self.matrix = (rates.mass * mass + rates.stiffness * stiffness).tocsr()

    @staticmethod
    def _positive(tangent: Tensor) -> Tensor:
        """Without negative eigenvalues, ``(n, d, d, d, d)``."""
        matrices = tangent.flatten(3, 4).flatten(1, 2)
        sizes, axes = torch.linalg.eigh(0.5 * (matrices + matrices.mT))
        return ((axes * sizes.clamp_min(0.0)[:, None]) @ axes.mT).reshape(tangent.shape)

    def drag(self, rate: float, origin: Tensor) -> Drag:
        """½ rate |u − origin|²_C of nodal displacements ``(N, d)``."""
        rates = self.problem.damping
        assert rates is not None and self.moduli is not None
        value, grad = self.elements.tables.evaluate(origin, *self.places)
        mass = rate * rates.mass * self.problem.mass_density(self.x)
        return Drag(mass, rate * rates.stiffness * self.moduli, value, grad)

    def force(self, velocity: Tensor) -> Tensor:
        """C v of nodal velocities ``(N, d)``; zero before K has been taken."""
        if self.matrix is None:
            return torch.zeros_like(velocity)
        product = self.matrix @ velocity.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=velocity.dtype, device=velocity.device).reshape(velocity.shape)
