"""A problem on finite elements: Galerkin's method."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._boundary_fluxes import Balance, balance, data_rate, time_stencil
from neuralpde.dynamics._decay import fastest_decay
from neuralpde.dynamics._elliptic import elliptic_multigrid
from neuralpde.dynamics._finite_element_systems import FiniteElementSystems, Iteration
from neuralpde.dynamics._free_motions import refuse_free_motions
from neuralpde.dynamics._interior_penalty import InteriorPenalty, PenalisedForm, peclet_number
from neuralpde.dynamics._newton import Iterate, Newton, downhill
from neuralpde.dynamics._terms import TermFlow, field_of, stepped_flow, term_flow
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.dynamics._weak_terms import WeakTerm
from neuralpde.fields import Field, Jet
from neuralpde.integrators import Blend, Decay, Dynamics, Stage, State, Terms
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, meeting_notes, scatter
from neuralpde.types import NotConvergedError, Status

ROUNDING = 1e-9
"""A residual below that share of the equation's largest term that no longer falls has come down to rounding."""

ROUNDINGS = 2
"""Relative residual that can be asked for at least, in roundings of the numbers' type: 2e-7 in single precision."""

FEW = 16
"""The same for a residual that no longer falls, as a multiple of what rounding leaves by estimate."""

REDUCTION = 1e-2
"""A matrix that is not the latest one is good enough where it divides the residual by that."""

MOST_PECLET = 2.0
"""Up to about there layers are resolved well enough not to oscillate beyond their own elements."""

MATRICES = 2
"""Matrices that are kept: those of implicit stages and of explicit ones."""

Key: TypeAlias = tuple[str | None, float, float]
"""Of a matrix mass·M − γ ∂R/∂u: the term, mass and γ."""


class FiniteElementDynamics(Dynamics):
    """M θ̇ = R(t, θ) with the mass matrix M and the weak residual R, see :class:`WeakForm`.

    A slope is R at all nodes. Boundary data that move in time enter through M as their own values at both ends of a
    stage: with y = θ + M⁻¹ M_b g(t) that is a Runge–Kutta method for y, of its nominal order as dt falls on one mesh.
    With dt large against h²/κ the order of implicit methods falls towards the stage order with such data: SDIRK4 shows
    1 to 2 on fine meshes (Ostermann & Roche, Math. Comput. 59 (1992)). A steady problem solves R = 0. The flow of a
    term is projected in L²; a term that states its flux instead is stepped implicitly in the weak form.

    Args:
        problem: that states its flux.
        representation: the finite elements.
        newton: options of implicit stages and steady problems.
        stabilisation: an :class:`InteriorPenalty` where advection dominates in the elements.
    """

    steps_terms = True
    blends = True

    def __init__(
        self,
        problem: Problem,
        representation: FiniteElementField,
        newton: Newton | None = None,
        stabilisation: InteriorPenalty | None = None,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.newton = newton or Newton()
        self.parts = problem.terms()
        self.stabilisation = stabilisation
        self.form = (
            WeakForm(problem, representation)
            if stabilisation is None
            else PenalisedForm(problem, representation, stabilisation)
        )
        multigrid = partial(elliptic_multigrid, problem, representation)
        self.systems = FiniteElementSystems(problem.name, representation.dim, self.newton, multigrid)
        self._forms: dict[str, WeakForm] = {}
        self._kept: dict[Key, SuperLU | Iteration] = {}
        self._diagonals: dict[Key, Tensor] = {}
        self._sides: dict[Key, float] = {}

    @cached_property
    def mass(self) -> sp.csr_matrix:
        """M of all unknowns."""
        return self.representation.mass()

    @cached_property
    def _free_mass(self) -> sp.csr_matrix:
        free = self.representation.free_dofs
        return self.mass[free][:, free]

    def _form_of(self, part: str | None) -> WeakForm:
        """The weak form of the whole problem, or of the term of that name."""
        if part is None or len(self.parts) == 1:
            return self.form
        if part not in self._forms:
            self._forms[part] = WeakTerm(self.problem, self.representation, part)
        return self._forms[part]

    @cached_property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        meeting = meeting_notes(self.representation)
        if self.stabilisation is not None:
            return meeting
        peclet = peclet_number(self.problem, self.representation)
        if peclet <= MOST_PECLET:
            return meeting
        return (
            *meeting,
            f"the element Péclet number |a| h / 2κ reaches {peclet:.3g}: layers thinner than elements make the field "
            "oscillate; use stabilisation=InteriorPenalty(), or a finer mesh",
        )

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        return self._form_of(part).residual(t, self.representation.values(theta, t))

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._newton(None, self._target(base, terms), 1.0, 0.0, t, base.theta if guess is None else guess)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        start = base.theta if guess is None else guess
        return self._newton(part, self._target(base, terms), 1.0, gamma, t, start)

    def steady(self, guess: Tensor) -> Stage:
        """θ with R(0, θ) = 0."""
        zero = torch.zeros(self.representation.tables.num_nodes, self.representation.channels, dtype=guess.dtype)
        return self._newton(None, zero.to(guess.device), 0.0, 1.0, 0.0, guess)

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
        return self._projected(term_flow(term, carrier), base, dt)

    def _projected(self, flow: TermFlow, base: State | Blend, dt: float) -> Stage:
        """θ with M (θ − θ_base) = ∫ φ (Φ(u) − u), boundary data at rest: as dt falls, the term's own weak form."""
        r, start = self.representation, base if isinstance(base, State) else base.parts[0][1]
        table, field = r.quadrature_tables, field_of(r, base)
        x = table.points.flatten(0, 1)
        before = r.values(start.theta, start.t)
        u = (table.values @ before[table.dofs]).flatten(0, 1)
        change = flow(base.t, KnownField(field, x, u) if start is base else field, x, dt) - u
        load = table.values.transpose(1, 2) @ (table.weights[..., None] * change.reshape(*table.weights.shape, -1))
        g = r.free_part(scatter(table.dofs, load, r.tables.num_nodes))
        return Stage(start.theta + self._mass_solve(g))

    def _mass_solve(self, g: Tensor) -> Tensor:
        """M⁻¹ g on the free unknowns."""
        key: Key = (None, 1.0, 0.0)
        if key not in self._kept:
            self._assemble(key, self.form, 0.0, g, g)
        return self.systems.solve(self._kept[key], g)

    def decay(self, theta: Tensor, times: tuple[float, float]) -> Decay | None:
        return fastest_decay(self.form, self._free_mass, self._mass_solve, theta, times)

    def balance(self, t: float, theta: Tensor, dt: float = 1.0, span: tuple[float, float] = (0.0, 1.0)) -> Balance:
        """What goes through each part of the boundary, the sources, and what is stored: they balance to rounding.

        ``dt`` and ``span``, the first and last times, are those of the run, for data that move in time.
        """
        r = self.representation
        values, stored = r.values(theta, t), torch.zeros(r.tables.num_nodes, r.channels, dtype=theta.dtype)
        stored = stored.to(theta.device)
        if self.problem.time_order:
            held = self._weighed(data_rate(r, time_stencil(t, dt, *span)))
            g = r.free_part(self.form.residual(t, values) - held)
            rate = r.extended(self._mass_solve(g))
            stored = held + self._weighed(rate)
        return balance(self.form, t, values, stored)

    def _target(self, base: State | Blend, terms: Terms) -> Tensor:
        """M u_base + Σ c_j R_j at all nodes."""
        values = [c * self.representation.values(state.theta, state.t) for c, state in base.parts]
        total = self._weighed(torch.stack(values).sum(0))
        for c, slope in terms:
            total = total + c * slope
        return total

    def _weighed(self, values: Tensor) -> Tensor:
        product = self.mass @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def _newton(self, part: str | None, target: Tensor, mass: float, gamma: float, t: float, theta: Tensor) -> Stage:
        """Solve mass·M u − γ R(t, u) = target on the free nodes.

        The matrix of an earlier iteration, stage or step is taken as long as it divides the residual by 100: one that
        does not change is made once. A steady residual g is measured against the right-hand side of Newton's linear
        system J θ' = J θ − g: of a linear problem that is its loads and boundary data, whatever the guess.
        """
        r, options, key = self.representation, self.newton, (part, mass, gamma)
        form, before, fresh = self._form_of(part), math.inf, key not in self._kept

        def evaluate(theta: Tensor) -> Iterate:
            g = self._residual(form, target, mass, gamma, t, theta)[0]
            return Iterate(theta, g, float(g.norm()))

        g, inertia = self._residual(form, target, mass, gamma, t, theta)
        at = Iterate(theta, g, float(g.norm()))
        scale = max(at.norm, float(r.free_part(target).norm()), float(r.free_part(inertia).norm()))
        rtol, history = max(options.rtol, ROUNDINGS * torch.finfo(theta.dtype).eps), [at.norm]

        def stage(status: Status) -> Stage:
            return Stage(at.theta, status, at.norm, len(history) - 1, tuple(history))

        while math.isfinite(at.norm):
            if not mass:
                scale = self._sides.get(key, 0.0)
            if at.norm <= rtol * scale or at.norm <= 1e-300:
                return stage(Status.CONVERGED_RTOL)
            least = self._rounding(key, at.theta)
            low = at.norm <= max(ROUNDING * scale, FEW * least)
            if at.norm <= least or (low and at.norm > 0.1 * before and fresh):
                return stage(Status.CONVERGED_ATOL)
            if len(history) > options.most:
                return stage(Status.MAXITER)
            try:
                if key not in self._kept:
                    self._assemble(key, form, t, at.theta, at.residual)
                    continue  # now the scale is known
                if at.norm > REDUCTION * before:
                    self._assemble(key, form, t, at.theta, at.residual)
                    fresh = True
                found = self._step(key, evaluate, at, rtol * scale, scale)
                if found is None and not fresh:
                    self._assemble(key, form, t, at.theta, at.residual)
                    fresh = True
                    found = self._step(key, evaluate, at, rtol * scale, scale)
            except NotConvergedError as error:
                return stage(getattr(error.result, "status", Status.SINGULAR_MATRIX))
            if found is None:
                return stage(Status.CONVERGED_ATOL if low else Status.UPHILL)
            before, at = at.norm, found
            history.append(at.norm)
        return stage(Status.NON_FINITE)

    def _step(
        self, key: Key, evaluate: Callable[[Tensor], Iterate], at: Iterate, wanted: float, scale: float
    ) -> Iterate | None:
        """Newton's step with the matrix at hand, as long as it leads downhill; ``wanted`` is the residual's aim."""
        step = self.systems.solve(self._kept[key], at.residual, 0.5 * wanted / at.norm)
        return downhill(evaluate, at, step, scale, type(self.problem).energy is not Problem.energy)

    def _rounding(self, key: Key, theta: Tensor) -> float:
        """What rounding leaves in a residual: eps ‖|A| |θ|‖, where the row sums of |A| are about twice its diagonal."""
        if key not in self._kept:
            return 0.0
        return 2 * torch.finfo(theta.dtype).eps * float((self._diagonals[key] * theta).norm())

    def _residual(
        self, form: WeakForm, target: Tensor, mass: float, gamma: float, t: float, theta: Tensor
    ) -> tuple[Tensor, Tensor]:
        """mass·M u − γ R − target at the free unknowns, and mass·M u at all nodes."""
        r = self.representation
        values = r.values(theta, t)
        inertia = mass * self._weighed(values) if mass else torch.zeros_like(values)
        rest = gamma * form.residual(t, values) if gamma else torch.zeros_like(values)
        return r.free_part(inertia - rest - target), inertia

    def _assemble(self, key: Key, form: WeakForm, t: float, theta: Tensor, g: Tensor) -> None:
        """Keep mass·M − γ ∂R/∂u of the free unknowns, and its factors; those of two pairs (mass, γ) at most."""
        _, mass, gamma = key
        whole = mass * self._free_mass if mass else None
        if gamma:
            jacobian = form.jacobian(t, self.representation.values(theta, t))[1]
            whole = -gamma * jacobian if whole is None else whole - gamma * jacobian
        assert whole is not None, "a system has a mass or a γ"
        if not mass:
            refuse_free_motions(self.problem, self.representation, whole)
        self._kept.pop(key, None)
        while len(self._kept) >= MATRICES:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = self.systems.factors(whole, once=not mass)
        self._diagonals = {k: d for k, d in self._diagonals.items() if k in self._kept}
        self._diagonals[key] = torch.as_tensor(whole.diagonal(), dtype=theta.dtype, device=theta.device)
        # its own rounding stands in for a right-hand side that is zero
        right = float(np.linalg.norm(whole @ theta.cpu().numpy() - g.cpu().numpy()))
        self._sides[key] = max(right, self._rounding(key, theta))


class KnownField(Field):
    """A field whose values at some points are known: nothing is looked for there.

    Args:
        field: of finite elements.
        points: ``(n, d)``.
        values: there, ``(n, c)``.
    """

    def __init__(self, field: Field, points: Tensor, values: Tensor) -> None:
        self.field, self.points, self.values = field, points, values

    def __call__(self, x: Tensor) -> Tensor:
        return self.values if x is self.points else self.field(x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return self.field.jet(x, needs)
