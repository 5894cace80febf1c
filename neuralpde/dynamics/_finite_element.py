"""A problem on finite elements: Galerkin's method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._finite_element_systems import FiniteElementSystems
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._terms import field_of, stepped_flow, term_flow
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.dynamics._weak_terms import WeakTerm
from neuralpde.fields import Field, Jet
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import NotConvergedError, Status

ROUNDING = 1e-9
"""A residual below that share of the equation's largest term that no longer falls has come down to rounding."""


class FiniteElementDynamics(Dynamics):
    """M θ̇ = R(t, θ) with the mass matrix M and the weak residual R, see :class:`WeakForm`.

    A slope is R at all nodes. Boundary data that move in time enter through M as their own values at both ends of a
    stage: with y = θ + M⁻¹ M_b g(t) that is a Runge–Kutta method for y, so explicit and implicit methods keep their
    order. A steady problem solves R = 0. The flow of a term is taken at the nodes where it acts point by point, and is
    stepped implicitly in the weak form where it states its flux.

    Args:
        problem: that states its flux.
        representation: the finite elements.
        newton: options of implicit stages and steady problems.
    """

    steps_terms = True

    def __init__(self, problem: Problem, representation: FiniteElementField, newton: Newton | None = None) -> None:
        self.problem, self.representation = problem, representation
        self.newton = newton or Newton()
        self.parts = problem.terms()
        self.form = WeakForm(problem, representation)
        self.systems = FiniteElementSystems(problem.name, representation.dim, self.newton)
        self._forms: dict[str, WeakForm] = {}
        self._kept: _Kept | None = None

    @cached_property
    def mass(self) -> sp.csr_matrix:
        """M of all unknowns."""
        return self.representation.mass()

    def _form_of(self, part: str | None) -> WeakForm:
        """The weak form of the whole problem, or of the term of that name."""
        if part is None:
            return self.form
        if part not in self._forms:
            self._forms[part] = WeakTerm(self.problem, self.representation, part)
        return self._forms[part]

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        return self._form_of(part).residual(t, self.representation.values(theta, t))

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._newton(self.form, self._target(base, terms), 1.0, 0.0, t, base.theta if guess is None else guess)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        start = base.theta if guess is None else guess
        return self._newton(self._form_of(part), self._target(base, terms), 1.0, gamma, t, start)

    def steady(self, guess: Tensor) -> Stage:
        """θ with R(0, θ) = 0."""
        zero = torch.zeros(self.representation.tables.num_nodes, self.representation.channels, dtype=guess.dtype)
        return self._newton(self.form, zero.to(guess.device), 0.0, 1.0, 0.0, guess)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        term = self.parts[part]
        if term.flow is None:
            return stepped_flow(self, term, base, dt, guess, carrier)
        field, x = field_of(self.representation, base), self._free_nodes
        if isinstance(base, State):
            field = NodalField(field, x, base.theta.reshape(-1, self.representation.channels))
        return Stage(term_flow(term, carrier)(base.t, field, x, dt).reshape(-1))

    @cached_property
    def _free_nodes(self) -> Tensor:
        return self.representation.nodes[self.representation.free]

    def _target(self, base: State, terms: Terms) -> Tensor:
        """M u_base + Σ c_j R_j at all nodes."""
        total = self._weighed(self.representation.values(base.theta, base.t))
        for c, slope in terms:
            total = total + c * slope
        return total

    def _weighed(self, values: Tensor) -> Tensor:
        product = self.mass @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def _newton(self, form: WeakForm, target: Tensor, mass: float, gamma: float, t: float, theta: Tensor) -> Stage:
        """Solve mass·M u − γ R(t, u) = target on the free nodes."""
        r, options = self.representation, self.newton
        scale = before = math.inf
        for iteration in range(options.maxiter + 1):
            values = r.values(theta, t)
            rest, jacobian = form.jacobian(t, values) if gamma else (torch.zeros_like(values), None)
            inertia = self._weighed(values) if mass else torch.zeros_like(values)
            g = (mass * inertia - gamma * rest - target)[r.free].reshape(-1)
            size = float(g.norm())
            if not math.isfinite(size):
                return Stage(theta, Status.NON_FINITE, size, iteration)
            if iteration == 0:
                scale = max(size, float(target[r.free].norm()), float((mass * inertia)[r.free].norm()))
            if size <= options.rtol * scale or size <= 1e-300:
                return Stage(theta, Status.CONVERGED_RTOL, size, iteration)
            if size <= ROUNDING * scale and size > 0.1 * before:
                return Stage(theta, Status.CONVERGED_ATOL, size, iteration)
            if iteration == options.maxiter:
                break
            before = size
            try:
                step = self._solve(mass, gamma, jacobian, g)
            except NotConvergedError as error:
                status = getattr(error.result, "status", Status.SINGULAR_MATRIX)
                return Stage(theta, status, size, iteration)
            theta = theta - step
        return Stage(theta, Status.MAXITER, size, options.maxiter)

    @cached_property
    def _free_mass(self) -> sp.csr_matrix:
        free = self.representation.free_dofs
        return self.mass[free][:, free]

    def _solve(self, mass: float, gamma: float, jacobian: SparseMatrix | None, g: Tensor) -> Tensor:
        """(mass·M − γ ∂R/∂u)⁻¹ g on the free unknowns."""
        kept = self._kept
        if kept is None or not kept.holds(mass, gamma, jacobian):
            matrix = mass * self._free_mass if jacobian is None else -gamma * jacobian
            if mass and jacobian is not None:
                matrix = matrix + mass * self._free_mass
            if not mass:
                self.systems.refuse_undetermined(matrix)
            self._kept = kept = _Kept(mass, gamma, jacobian, matrix, self.systems.factors(matrix))
        return self.systems.solve(kept.matrix, kept.factors, g)


SparseMatrix: TypeAlias = sp.csr_matrix | sp.bsr_matrix


@dataclass(frozen=True)
class _Kept:
    """mass·M − γ ∂R/∂u, its factors, and what it was made of."""

    mass: float
    gamma: float
    jacobian: SparseMatrix | None
    matrix: SparseMatrix
    factors: SuperLU | None

    def holds(self, mass: float, gamma: float, jacobian: SparseMatrix | None) -> bool:
        """Whether it is the matrix of these."""
        if (mass, gamma) != (self.mass, self.gamma) or jacobian is None or self.jacobian is None:
            return (mass, gamma) == (self.mass, self.gamma) and jacobian is self.jacobian
        same = jacobian.shape == self.jacobian.shape and len(jacobian.data) == len(self.jacobian.data)
        return same and np.array_equal(jacobian.data, self.jacobian.data)


class NodalField(Field):
    """A field whose values at its own nodes are known: reaction flows are exact there, and nothing is looked for.

    Args:
        field: of finite elements.
        nodes: some of them, ``(n, d)``.
        values: there, ``(n, c)``.
    """

    def __init__(self, field: Field, nodes: Tensor, values: Tensor) -> None:
        self.field, self.nodes, self.values = field, nodes, values

    def __call__(self, x: Tensor) -> Tensor:
        return self.values if x is self.nodes else self.field(x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return self.field.jet(x, needs)
