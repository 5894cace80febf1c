"""Gradients of solutions: by materials, loads, boundary data and shapes, by adjoint solves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics import FiniteElementDynamics, PotentialDynamics, make_dynamics
from neuralpde.dynamics._traced import TracedDynamics
from neuralpde.dynamics._traced_form import traced_field, traced_projection
from neuralpde.dynamics._traced_motion import TracedBody
from neuralpde.fields import Field, Jet
from neuralpde.geometry import MeshDomain
from neuralpde.integrators import Integrator, State, StepInfo
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Motion, Representation
from neuralpde.simulate._arguments import as_number, check_guess, check_march, check_options, check_parts
from neuralpde.simulate._growth import GrowthGuard
from neuralpde.simulate._stability import check_step
from neuralpde.types import Status, UsageError, raise_for

Plain: TypeAlias = PotentialDynamics | FiniteElementDynamics


def solve(
    problem: Problem,
    representation: FiniteElementField,
    *,
    points: Tensor | None = None,
    guess: Tensor | None = None,
    method: str = "auto",
    **options: Any,
) -> DifferentiableField:
    """Solve a steady problem; scalars of the solution have gradients by every tensor that the problem is made from.

    Those are tensors that require a gradient among material constants, coefficients, loads and boundary data (functions
    that read them, or constants where a problem takes tensors), and the places of the mesh's points. The solution is
    found as ever, without a graph. A backward pass is one linear solve with the transposed matrix at the solution; it
    is factorised once, for however many of them::

        (∂R/∂u)ᵀ λ = ∂J/∂u,    dJ/dp = ∂J/∂p − λᵀ ∂R/∂p

    Args:
        problem: steady.
        representation: finite elements of the problem.
        points: of the mesh, ``(v, d)``: other places than its own, for gradients by the shape. The field is then looked
            at on the moved mesh.
        guess, method, options: as of :func:`neuralpde.solve`.

    Returns:
        The field, with :attr:`DifferentiableField.values` and integrals.

    Raises:
        UsageError: for a problem that moves in time, and for what has no gradient here.
        NotConvergedError: where the solve fails.

    Source: Griewank & Walther, Evaluating Derivatives (2008), chapter 15; Mitusch, Funke & Dokken, dolfin-adjoint,
    JOSS 4 (2019).

    Example: how the middle of a heated plate depends on its source.
        >>> from neuralpde.geometry import Mesh
        >>> from neuralpde.problems import Poisson
        >>> mesh = Mesh(np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.], [.5, .5]]),
        ...             np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]))
        >>> f = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        >>> plate = Poisson(source_term=lambda x: f.expand(len(x), 1), domain=MeshDomain(mesh))
        >>> u = solve(plate, FiniteElementField.for_problem(plate, degree=1))
        >>> u.values[4, 0].backward()
        >>> bool(torch.isclose(f.grad, u.values[4, 0] / f))  # it is linear in f
        True
    """
    if problem.time_order:
        raise UsageError(f"{problem.name} moves in time: use differentiable.simulate.")
    check_parts(problem, representation)
    check_guess(guess, representation)
    problem, representation = _moved(problem, representation, points)
    dynamics = _traced(_plain(problem, representation, method, options), points)
    with torch.no_grad():
        start = representation.initial() if guess is None else guess
        if guess is None and problem.guesses:
            start = representation.project(problem.initial).theta
    stage = dynamics.steady(start)
    raise_for(stage.status, problem.name, stage)
    return DifferentiableField(traced_field(representation, points), stage.theta, 0.0)


def simulate(
    problem: Problem,
    representation: Representation,
    integrator: Integrator,
    *,
    dt: float,
    t_end: float,
    points: Tensor | None = None,
    start: Tensor | None = None,
    growth_limit: float | None = 1e6,
    method: str = "auto",
    **options: Any,
) -> tuple[DifferentiableField, ...]:
    """Step a problem in time with the discrete adjoint of its steps: gradients exact for the method at hand.

    Every stage is solved as ever, and is a root in the graph of the steps, see :func:`solve`. What is kept of a stage
    is its θ and a few vectors of that length; matrices are made again in the backward pass, one assembly and one
    factorisation a stage, where the way forward takes a few.

    Args:
        problem: that moves in time.
        representation: finite elements, or the :class:`Motion` of an elastic body.
        integrator: a Runge–Kutta method, BDF2 or Newmark's.
        dt, t_end: equal steps, none longer than dt.
        points: see :func:`solve`.
        start: θ at t = 0 ``(p,)``; by default the problem's initial data, projected. Both may require a gradient.
        growth_limit, method, options: as of :func:`neuralpde.simulate`.

    Returns:
        The fields at all steps, the first one at t = 0. Those of a body are displacement and velocity.

    Raises:
        UsageError: for a steady problem, and for what has no gradient here.
        NonFiniteError: where NaN appears, or the field outgrows ``growth_limit``.
        NotConvergedError: where a step fails.
    """
    check_parts(problem, representation)
    check_guess(start, representation)
    check_march(integrator, None, representation, 1, as_number("t_end", t_end))
    if not problem.time_order:
        raise UsageError(f"{problem.name} is steady: use differentiable.solve.")
    if not (dt > 0 and t_end > 0):
        raise UsageError(f"dt and t_end must be positive; got {dt} and {t_end}.")
    problem, representation = _moved(problem, representation, points)
    plain = _plain(problem, representation, method, options)
    dynamics = _traced(plain, points)
    dynamics.check_march()
    integrator.check(dynamics)
    theta = _start(problem, representation, points) if start is None else start
    steps = max(1, int(-(-t_end // (dt * (1 + 1e-12)))))
    state, states = State(0.0, theta), [State(0.0, theta)]
    with torch.no_grad():
        still = State(0.0, theta.detach())
        guard = GrowthGuard(problem, representation, plain, still, t_end, growth_limit)
        check_step(integrator, plain, still, t_end / steps, steps)
    for _ in range(steps):
        state, info = integrator.step(dynamics, state, t_end / steps)
        raise_for(_status(state, info, guard), f"{problem.name} at t = {state.t:.4g}", info)
        states.append(state)
    return tuple(_field(representation, points, s) for s in states)


def _plain(problem: Problem, representation: Representation, method: str, options: dict[str, Any]) -> Plain:
    """The dynamics without gradients, with which everything is solved."""
    check_options(problem, representation, method, options)
    with torch.no_grad():
        dynamics = make_dynamics(problem, representation, method, **options)
    if isinstance(dynamics, PotentialDynamics | FiniteElementDynamics):
        return dynamics
    raise UsageError(
        f"gradients through solutions are those of finite elements; {problem.name} on a "
        f"{type(representation).__name__} has none: use a FiniteElementField."
    )


def _traced(plain: Plain, points: Tensor | None) -> TracedDynamics | PotentialDynamics:
    return TracedBody(plain, points) if isinstance(plain, PotentialDynamics) else TracedDynamics(plain, points)


def _status(state: State, info: StepInfo, guard: GrowthGuard) -> Status:
    """How a step went: bad where the field is no number, or has outgrown its problem."""
    with torch.no_grad():
        if not bool(torch.isfinite(state.theta).all()):
            return Status.NON_FINITE
        return info.status if not info.status.ok or guard.holds(state) else Status.UNSTABLE


def _moved(problem: Any, representation: Any, points: Tensor | None) -> tuple[Any, Any]:
    """A problem and its elements on a mesh with other points."""
    if points is None:
        return problem, representation
    domain = problem.domain
    if not isinstance(domain, MeshDomain):
        raise UsageError(f"points= moves the points of a mesh; the domain is {domain}.")
    if not isinstance(points, Tensor):
        raise UsageError(f"points= is a tensor, such as torch.from_numpy(mesh.points); got {type(points).__name__}.")
    if points.shape != domain.mesh.points.shape:
        raise UsageError(f"the mesh has points of shape {domain.mesh.points.shape}; got {tuple(points.shape)}.")
    places = points.detach().cpu().double().numpy()
    moved = replace(problem, domain=MeshDomain(replace(domain.mesh, points=np.array(places))))
    field: Any = representation.displacement if isinstance(representation, Motion) else representation
    kind = {"degree": field.degree, "dilatation": field.dilatation, "dtype": field.dtype, "device": field.device}
    return moved, type(field).for_problem(moved, **kind)


def _start(problem: Problem, representation: Any, points: Tensor | None) -> Tensor:
    """θ of the problem's initial data, with the gradients of what these are made from."""
    blocks: Any = representation.blocks.values() if isinstance(representation, Motion) else (representation,)
    found, first = list[Tensor](), 0
    for field in blocks:
        mine = slice(first, first + field.channels)
        found.append(traced_projection(field, partial(_some_channels, problem.initial, mine), points))
        first += field.channels
    return torch.cat(found)


def _some_channels(function: Callable[[Tensor], Tensor], mine: slice, x: Tensor) -> Tensor:
    return function(x)[:, mine]


def _field(representation: Any, points: Tensor | None, state: State) -> DifferentiableField:
    if not isinstance(representation, Motion):
        return DifferentiableField(traced_field(representation, points), state.theta, state.t)
    blocks: Any = representation
    u, v = blocks.split(state.theta).values()
    velocity = traced_field(blocks.velocity, points)
    return DifferentiableField(traced_field(blocks.displacement, points), u, state.t, velocity.values(v, state.t))


@dataclass(frozen=True, eq=False)
class DifferentiableField(Field):
    """A solution on finite elements, whose values have gradients.

    Args:
        representation: its elements.
        theta: ``(p,)``.
        t: time.
        velocity: of a body in motion at the nodes, ``(N, d)``.
    """

    representation: FiniteElementField
    theta: Tensor
    t: float
    velocity: Tensor | None = None

    @property
    def values(self) -> Tensor:
        """At all nodes, ``(N, c)``."""
        return self.representation.values(self.theta, self.t)

    def __call__(self, x: Tensor) -> Tensor:
        """Values at points ``(n, d)`` of space, ``(n, c)``, with gradients by these and by the mesh."""
        return self.jet(x, frozenset({"value"})).value

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        if needs - {"value", "grad"}:
            raise UsageError("finite elements have values and gradients.")
        r = self.representation
        assert isinstance(r.domain, MeshDomain)
        element, xi = r.domain.locator.nearest(x.detach().cpu().double().numpy())
        value, grad = r.tables.evaluate(self.values, element, xi)
        # the point stays where it is while elements move past it: x(ξ) follows them, zero in value
        away = x - r.tables.places(element, xi)
        value = value + (grad * (away - away.detach())[:, None]).sum(-1)
        return Jet(value, grad if "grad" in needs else None)

    def integral(self, density: Callable[[Tensor, Jet], Tensor], on: str | Sequence[str] | None = None) -> Tensor:
        """∫ f(x, u, ∇u) over the domain, or over named parts of its boundary.

        Args:
            density: (points ``(n, d)``, jet with value and gradient) → ``(n,)``.
            on: names of parts of the boundary.

        Example: the elastic energy is ``u.integral(lambda x, jet: problem.energy(0.0, x, jet))``.
        """
        r = self.representation
        assert isinstance(r.domain, MeshDomain)
        tables = [r.quadrature_tables]
        if on is not None:
            names = (on,) if isinstance(on, str) else tuple(on)
            parts = dict.fromkeys(part for name in names for part in r.domain.parts_of(name))
            tables = [table for part in parts for table in r.tables.facets(r.domain.sides[part], r.quadrature_degree)]
        total, values = self.theta.new_zeros(()), self.values
        for table in tables:
            total = total + (table.weights.reshape(-1) * density(table.points.flatten(0, 1), table.jet(values))).sum()
        return total
