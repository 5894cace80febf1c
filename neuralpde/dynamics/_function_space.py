"""A problem on a neural field: every stage is a least-squares fit of the field to a target in function space."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.dynamics._form_rows import Form, FormRows, Rows, box_wall_jacobian, row_jacobian
from neuralpde.dynamics._free_motions import refuse_unsupported
from neuralpde.dynamics._linearised import refuse_undetermined
from neuralpde.dynamics._terms import chosen_rhs, field_of, stepped_flow, term_flow
from neuralpde.dynamics._wall_rows import NEEDS, WallRows, rows_at, wall_rows
from neuralpde.fields import Jet, constant_jet
from neuralpde.geometry import MeshDomain, Quadrature
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.optimize import Adam, GaussNewton, LeastSquaresSolution, adam, least_squares
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import NonFiniteError, Status, UsageError

TIME_STEP = GaussNewton(maxiter=12, stall=1e-2, damping=1e-8, scaling="uniform", atol=1e-10)
"""A stage starts close to its target: few iterations, little damping, and the shortest way in θ."""

STEADY = GaussNewton(maxiter=300, stall=1e-3, damping=1e-3)
"""A steady problem starts from random weights."""


class FunctionSpaceDynamics(Dynamics):
    """Stages in function space: θ = argmin Σ_q w_q |u_θ(x_q) − γ F(t, x_q, u_θ) − y_q|², with y = u_base + Σ c_j F_j.

    Slopes are values of F at the quadrature points. Natural conditions enter as weighted rows on the boundary, see
    :class:`WallRows`.

    Args:
        problem: what is true.
        representation: the neural field.
        fit: :class:`GaussNewton` (defaults: ``TIME_STEP``, ``STEADY``) or :class:`Adam` (INSR's published protocol:
            random points at every step).
        points: number of quadrature points (default 3p/c).
        boundary_weight: multiplies the derived weights of the rows on the boundary.
        seed: of Adam's random points.

    Source: TENG, Chen et al., ICML 2024, for stages in function space; INSR, Chen et al., ICML 2023, for the protocol.
    """

    steps_terms = True
    blends = True

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        fit: GaussNewton | Adam | None = None,
        points: int | None = None,
        boundary_weight: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.fit_options = fit or (TIME_STEP if problem.time_order else STEADY)
        self.parts = problem.terms()
        self.quadrature = representation.quadrature(points)
        if self.quadrature.points.shape[0] * representation.channels < representation.num_dofs:
            raise UsageError(
                f"{self.quadrature.points.shape[0]} points cannot determine {representation.num_dofs} weights; "
                f"use points ≥ {3 * representation.num_dofs // representation.channels}."
            )
        self.boundary_weight = boundary_weight
        self.walls = wall_rows(problem, representation, len(self.quadrature.points))
        self.generator = torch.Generator().manual_seed(seed)

    def values(self, state: State | Blend, x: Tensor) -> Tensor:
        """u at points for a state, or a blend of states."""
        with torch.no_grad():
            return field_of(self.representation, state)(x)

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Callable[[Tensor], Tensor]:
        """F(t, u_θ) as a function of points, evaluated where a stage asks; the latest values are kept."""
        return _Slope(self.problem, chosen_rhs(self.problem, part), self.representation, t, theta)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._fit(lambda theta, x: self.representation.at(theta, t)(x), base, terms, t, guess, pointwise=None)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        rhs = chosen_rhs(self.problem, part)

        def form(x: Tensor, u: Jet) -> Tensor:
            return u.value - gamma * rhs(t, x, u)

        rows = self._rows(form, t)
        return self._fit(rows, base, terms, t, guess, pointwise=rows)

    def _rows(self, form: Form, t: float) -> FormRows:
        """Rows of the field's jets at time t."""
        return FormRows(self.representation, form, self.problem.needs | {"value"}, t)

    def steady(self, guess: Tensor) -> Stage:
        """θ minimising |F(0, u_θ)| at the quadrature points."""
        refuse_undetermined(self.problem, self.representation)
        refuse_unsupported(self.problem, self.representation)
        r, problem = self.representation, self.problem

        rows = self._rows(lambda x, u: problem.rhs(0.0, x, u), 0.0)

        def zero(x: Tensor) -> Tensor:
            return torch.zeros(x.shape[0], r.channels, dtype=x.dtype, device=x.device)

        return self._solve(rows, zero, 0.0, [guess], rows)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        if self.parts[part].flow is None:
            return stepped_flow(self, self.parts[part], base, dt, guess, carrier)
        flow, t = term_flow(self.parts[part], carrier), base.t + dt

        def target(x: Tensor) -> Tensor:
            with torch.no_grad():
                return flow(base.t, field_of(self.representation, base), x, dt)

        def rows(theta: Tensor, x: Tensor) -> Tensor:
            return self.representation.at(theta, t)(x)

        return self._solve(rows, target, t, _starts(base, guess), None)

    def admissible(self, wanted: Tensor) -> Tensor:
        """What of the target's values ``(q, c)`` a field can have: all of them, if no subclass has a constraint."""
        return wanted

    def restricted(self, rows: Tensor, own: bool) -> Tensor:
        """What counts of the weighted rows ``(c q, …)`` of a residual or its Jacobian: all, if there is no constraint.

        ``own``: the rows are the field's own values, and not those of an implicit stage.
        """
        return rows

    def _fit(
        self, rows: Rows, base: State, terms: Terms, t: float, guess: Tensor | None, pointwise: Rows | None
    ) -> Stage:
        def target(x: Tensor) -> Tensor:
            out = self.values(base, x)
            for c, slope in terms:
                out = out + c * slope(x)
            return out

        return self._solve(rows, target, t, _starts(base, guess), pointwise)

    def _solve(
        self,
        rows: Rows,
        target: Callable[[Tensor], Tensor],
        t: float,
        starts: list[Tensor],
        pointwise: Rows | None,
    ) -> Stage:
        """Fit rows(θ) to the target; ``pointwise`` is given where the rows' Jacobian is not the field's own."""
        if isinstance(self.fit_options, Adam):
            return self._solve_adam(rows, target, t, starts[-1])
        r, x = self.representation, self.quadrature.points
        root = (self.quadrature.weights / r.domain.volume).sqrt()[:, None]
        wanted = self.admissible(target(x))
        if not bool(torch.isfinite(wanted).all()):
            return Stage(starts[-1], Status.NON_FINITE, math.nan)

        def residual(theta: Tensor) -> Tensor:
            inside = self.restricted((root * (rows(theta, x) - wanted)).T.reshape(-1), pointwise is None)
            return torch.cat([inside, *self._wall_residual(theta, t)])

        def jacobian(theta: Tensor) -> Tensor:
            if isinstance(pointwise, FormRows) and pointwise.taped:
                blocks = pointwise.jacobian(theta, x)
            elif pointwise is None:
                blocks = [r.jacobian(theta, x, a) for a in range(r.channels)]
            else:
                blocks = [row_jacobian(pointwise, theta, x, a) for a in range(r.channels)]
            inside = self.restricted(torch.cat([root * block for block in blocks]), pointwise is None)
            return torch.cat([inside, *self._wall_jacobian(theta, t)])

        with torch.no_grad():
            start = min(starts, key=lambda theta: float(residual(theta).norm()))
        try:
            fit = least_squares(residual, start, self.fit_options, jacobian=jacobian)
        except NonFiniteError:  # the march reports it, with the solution so far
            return Stage(start, Status.NON_FINITE, math.nan)
        # a steady problem is fitted to zero: there the misfit at the start, or of u = 0, sets the scale
        size = max(fit.history[0], self._load(x, root))
        if self.problem.time_order:
            with torch.no_grad():  # a stage that starts from nothing has the size of what it comes to
                found = r.at(fit.theta, t)(x)
            parts = [(root * values).T.reshape(-1) for values in (wanted, found)]
            size = max(float(self.restricted(part, pointwise is None).norm()) for part in parts)
        return stage_of(fit, self.fit_options.accept * max(size, 1e-9))

    def _load(self, x: Tensor, root: Tensor) -> float:
        """Root mean square of F where u = 0: of the source. On a mesh a lift of smooth data may nearly be the solution,
        and the misfit at the start small."""
        if self.problem.time_order or not isinstance(self.representation.domain, MeshDomain):
            return 0.0
        zero = x.new_zeros(len(x), self.representation.channels)
        with torch.no_grad():
            f = self.problem.rhs(0.0, x, constant_jet(zero, x.shape[1], self.problem.needs | {"value"}))
        return float((root * f).norm())

    def _wall_scale(self, quadrature: Quadrature) -> Tensor:
        return (self.boundary_weight * quadrature.weights / quadrature.weights.sum()).sqrt()[:, None]

    def _scaled(self, wall: WallRows) -> Tensor:
        return wall.scale(self.problem.time_order == 0, self.boundary_weight)

    def _wall_residual(self, theta: Tensor, t: float) -> list[Tensor]:
        field = self.representation.at(theta, t)
        return [(self._scaled(wall) * rows_at(wall, t, field.jet)).T.reshape(-1) for wall in self.walls]

    def _wall_jacobian(self, theta: Tensor, t: float) -> list[Tensor]:
        blocks, r = [], self.representation
        for wall in self.walls:
            x, normals = wall.quadrature.points, wall.quadrature.normals
            assert normals is not None

            def rows(x: Tensor, u: Jet, normals: Tensor = normals, wall: WallRows = wall) -> Tensor:
                return wall.values(t, x, u, normals)

            if isinstance(r.domain, MeshDomain):
                found = FormRows(r, rows, NEEDS, t).jacobian(theta, x)
            else:
                found = box_wall_jacobian(r, wall, theta, t)
            blocks += [self._scaled(wall) * block for block in found]
        return blocks

    def _solve_adam(self, rows: Rows, target: Callable[[Tensor], Tensor], t: float, start: Tensor) -> Stage:
        """INSR's protocol: mean square misfit at points drawn anew at every gradient step, no stopping test."""
        r, options = self.representation, self.fit_options
        assert isinstance(options, Adam)
        n = self.quadrature.points.shape[0]

        def residual(theta: Tensor, step: int) -> Tensor:
            x = (
                r.domain.random_points(n, self.generator, r.dtype).points
                if options.resample
                else self.quadrature.points
            )
            inside = (rows(theta, x) - target(x)).reshape(-1) / math.sqrt(n)
            return torch.cat([inside, *self._wall_residual(theta, t)])

        return stage_of(adam(residual, start, options), math.inf)


class _Slope:
    """F(t, u_θ) as a function of points; a repeated call with the same tensor of points costs nothing."""

    def __init__(
        self,
        problem: Problem,
        rhs: Callable[[float, Tensor, Jet], Tensor],
        representation: NeuralField,
        t: float,
        theta: Tensor,
    ) -> None:
        self.problem, self.rhs, self.t = problem, rhs, t
        self.field = representation.at(theta, t)
        self.kept: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.kept is None or self.kept[0] is not x:
            with torch.no_grad():
                values = self.rhs(self.t, x, self.field.jet(x, self.problem.needs))
            self.kept = (x, values)
        return self.kept[1]


def _starts(base: State | Blend, guess: Tensor | None) -> list[Tensor]:
    theta = base.theta if isinstance(base, State) else base.parts[0][1].theta
    return [theta] if guess is None else [guess, theta]


def stage_of(fit: LeastSquaresSolution, largest: float) -> Stage:
    """A fit that stalls, or has used its iterations, has found the closest field it could, and its residual says how
    close; above the largest that counts as close it has found nothing."""
    status = Status.COMPLETED if fit.residual <= largest and not fit.status.ok else fit.status
    # a limit of iterations is raised in other places than that of a linear solve
    status = Status.UNFINISHED_FIT if status is Status.MAXITER else status
    return Stage(fit.theta, status, fit.residual, fit.iterations)
