"""The equations of finite elements as functions of all that they read: what their solutions' gradients are made of."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from neuralpde.dynamics._finite_element_systems import LEAST, SYMMETRY, FiniteElementSystems, Iteration
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.implicit import root
from neuralpde.problems import energy_flux
from neuralpde.representations import FiniteElementField, add, scatter

Density: TypeAlias = Callable[[Tensor], Tensor] | None
Matrix: TypeAlias = sp.csr_matrix | sp.bsr_matrix


def traced_field(field: FiniteElementField, points: Tensor | None) -> FiniteElementField:
    """The same elements on points ``(v, d)`` of the mesh that require a gradient."""
    if points is None:
        return field
    out = copy.copy(field)
    out.__dict__.pop("quadrature_tables", None)
    out.tables = field.tables.moved(points)
    return out


def traced_projection(field: FiniteElementField, target: Callable[[Tensor], Tensor], points: Tensor | None) -> Tensor:
    """θ of the L² projection of a function, as a function of what it and the boundary data read: ∫ φ_i (u − f) = 0.

    Args:
        field: the elements.
        target: f of points ``(n, d)``, ``(n, c)``.
        points: see :func:`traced_field`.
    """
    moved, free = traced_field(field, points), field.free_dofs
    # tables are made here, and not in a pass that is run twice
    table, _ = moved.quadrature_tables, moved.nodes

    def residual(theta: Tensor) -> Tensor:
        away = table.values @ moved.values(theta, 0.0)[table.dofs]
        away = away - target(table.points.flatten(0, 1)).reshape(away.shape)
        return moved.free_part(
            scatter(table.dofs, table.values.mT @ (table.weights[..., None] * away), field.tables.num_nodes)
        )

    with torch.no_grad():
        theta = field.project(target).theta
    systems = FiniteElementSystems("the projection", field.dim, Newton())
    return root(theta, residual, Adjoint(systems, lambda: field.mass()[free][:, free]))


class TracedForm:
    """A weak form whose residual has gradients by coefficients, loads, boundary data and the places of nodes.

    Between the two passes nothing of a residual is kept but its nodal values; the tables of the elements are kept once.

    Args:
        form: that the solver works with.
        field: its elements, on points that may require a gradient.
        systems: solves with its matrices.
    """

    def __init__(self, form: WeakForm, field: FiniteElementField, systems: FiniteElementSystems) -> None:
        self.plain, self.field, self.systems = form, field, systems
        self.form = type(form)(form.problem, field)
        # tables are made here, and not in a pass that is run twice
        self.made = (self.form.pieces, field.quadrature_tables, field.nodes)

    def residual(self, t: float, values: Tensor) -> Tensor:
        """R at all nodes, ``(N, c)``."""
        if not values.requires_grad and type(self.form.problem).flux is energy_flux:
            values = values.detach().requires_grad_()  # slopes of an energy keep their graph for those who require one
        return self.form.residual(t, values)

    def kept(self, t: float, values: Tensor) -> Tensor:
        """R, of which only the nodal values are kept between the passes."""
        return checkpoint(self.residual, t, values, use_reentrant=False, preserve_rng_state=False)

    def weighed(self, values: Tensor, density: Density = None) -> Tensor:
        """M u at all nodes, ``(N, c)``, with ρ a function of points ``(n, d)`` → ``(n,)``."""
        total = torch.zeros_like(values)
        for table in self.field.chunks(values.shape[1]):
            w = table.weights
            if density is not None:
                w = w * density(table.points.flatten(0, 1)).reshape(w.shape)
            add(total, table.dofs, table.values.mT @ (w[..., None] * (table.values @ values[table.dofs])))
        return total

    def matrix(self, t: float, theta: Tensor) -> Matrix:
        """−∂R/∂u of the free unknowns."""
        with torch.no_grad():
            return -self.plain.jacobian(t, self.plain.representation.values(theta, t))[1]

    def root(self, theta: Tensor, residual: Callable[[Tensor], Tensor], matrix: Callable[[], Matrix]) -> Tensor:
        """θ with residual(θ) = 0 as a function of what the residual reads, see :func:`neuralpde.implicit.root`.

        Args:
            theta: ``(p,)``.
            residual: of the free unknowns.
            matrix: makes ∂residual/∂θ at θ: once, in the first backward pass, which factorises it.
        """
        return root(theta, residual, Adjoint(self.systems, matrix))


class Adjoint:
    """v ↦ A⁻ᵀ v. The matrix is made and factorised when it is first needed, and kept.

    Args:
        systems: solves with it.
        matrix: makes A.
    """

    def __init__(self, systems: FiniteElementSystems, matrix: Callable[[], Matrix]) -> None:
        self.systems, self.matrix = systems, matrix
        self._factors: SuperLU | Iteration | None = None

    def __call__(self, v: Tensor) -> Tensor:
        if not bool(v.any()):
            return torch.zeros_like(v)
        if self._factors is None:
            self._factors = self.systems.factors(_transposed(self.matrix()), once=True)
        return self.systems.solve(self._factors, v, LEAST)


def _transposed(matrix: Matrix) -> Matrix:
    """Aᵀ, which of a symmetric matrix is A itself."""
    x, y = np.random.default_rng(0).standard_normal((2, matrix.shape[0]))
    product = matrix @ x
    if abs(y @ product - x @ (matrix @ y)) <= SYMMETRY * np.linalg.norm(product):
        return matrix
    return matrix.T.tocsr()
