"""Steady incompressible flow on a staggered grid in 2D, by Newton's method for the stream function."""

from __future__ import annotations

from typing import Any

import torch
from scipy.sparse.linalg import splu
from torch import Tensor

from neuralpde.dynamics._mac_jacobian import FaceJacobian, curl_matrix
from neuralpde.geometry import Dirichlet, Outflow
from neuralpde.integrators import Stage, State
from neuralpde.types import Status, UsageError

RTOL = 1e-10
"""The momentum equation's residual against its largest term at which a flow is steady."""
DIVERGENCE = 1e-10
"""Largest divergence of a steady flow."""
NEWTON_STEPS = 12
"""Most Newton steps in a row; one that starts close enough needs six."""
COARSEST = 32
"""Fewest cells along an axis of a grid that a finer one starts from."""
FIRST_FACTOR, LEAST_FACTOR = 4.0, 1.05
"""By how much the viscosity falls from one steady flow to the next, at first and at least."""


def steady_flow(dynamics: Any, guess: Tensor) -> Stage:
    """The steady flow −∇·(u u) + ν Δ_h u − G p = 0, D u = 0, with its pressure.

    Velocities free of divergence are u = u₀ + C ψ with the discrete curl C of a stream function, and CᵀG = 0: what is
    left is Cᵀ F(u₀ + C ψ) = 0, one equation and one unknown per node. Newton's method with a sparse LU of Cᵀ F′ C. It
    starts from the flow on a grid of half the cells where there is one (and no guess), else from the guess; where it
    does not converge from there, from flows of larger viscosity, which falls by factors that adapt.

    A flow is steady when the largest |F − G p| is below 1e-10 of the largest term (advection, diffusion or G p) and the
    divergence below 1e-10. Such a flow need not be stable.

    Args:
        dynamics: the :class:`~neuralpde.dynamics.MacDynamics`.
        guess: θ to start from; zeros stand for no guess.

    Returns:
        θ, the residual against the largest term, and Newton steps on all grids together.

    Raises:
        UsageError: in 3D, for open faces, a flow without viscosity, data that move in time, or where nothing holds the
            velocity along a periodic axis.
    """
    _refuse(dynamics)
    solver = SteadyFlow(dynamics)
    steps = 0
    if bool(guess.any()):
        stage = solver.newton(_projected(dynamics, guess), 1.0)
        if stage.status.ok:
            return solver.completed(stage)
        steps = stage.iterations
    start, before = _from_coarser(dynamics, guess)
    stage = solver.continued(start, steps + before)
    return solver.completed(stage)


def _from_coarser(dynamics: Any, guess: Tensor) -> tuple[Tensor, int]:
    """The flow on half the cells, interpolated; the guess where there is no such grid or no such flow."""
    r = dynamics.representation
    if min(r.cells) < 2 * COARSEST or any(n % 2 for n in r.cells):
        return _projected(dynamics, guess), 0
    half = type(r)(r.domain, r.conditions, shape=[n // 2 for n in r.cells], dtype=r.dtype, device=r.device)
    coarse = steady_flow(type(dynamics)(dynamics.problem, half), half.initial().to(guess))
    if not coarse.status.ok:
        return _projected(dynamics, guess), coarse.iterations
    field = half.velocity.at(half.split(coarse.theta)["velocity"], 0.0)
    velocity = torch.cat([field(x)[:, i] for i, x in enumerate(r.velocity.points)])
    pressure = r.split(guess)["pressure"]
    return _projected(dynamics, r.join({"velocity": velocity, "pressure": pressure})), coarse.iterations


def _projected(dynamics: Any, theta: Tensor) -> Tensor:
    projected: Tensor = dynamics.constrain(State(0.0, theta), 0.0).theta
    return projected


class SteadyFlow:
    """Newton's method on one grid.

    Args:
        dynamics: the :class:`~neuralpde.dynamics.MacDynamics`.
    """

    def __init__(self, dynamics: Any) -> None:
        self.dynamics, self.representation = dynamics, dynamics.representation
        self.velocity = self.representation.velocity
        self.curl = curl_matrix(self.velocity)
        self.jacobian = FaceJacobian(self.velocity)
        # boundary data aside, diffusion is linear: its matrix serves every viscosity
        self.diffusion = self.jacobian(lambda u: self._slope(u, "diffusion"), self.velocity.initial())

    def _slope(self, velocity: Tensor, part: str | None = None) -> Tensor:
        r = self.representation
        pressure = velocity.new_zeros(*velocity.shape[:-1], r.pressure.num_dofs)
        out: Tensor = self.dynamics.slope(0.0, r.join({"velocity": velocity, "pressure": pressure}), part)
        return out

    def continued(self, theta: Tensor, steps: int = 0) -> Stage:
        """The steady flow by way of flows of larger viscosity, as few as it takes.

        Args:
            theta: a flow free of divergence.
            steps: Newton steps taken already.
        """
        ratio, reached = 1.0, self.newton(theta, 1.0)
        steps += reached.iterations
        while not reached.status.ok and ratio < 1e12:  # slow enough flows are within reach of any start
            ratio *= FIRST_FACTOR
            reached = self.newton(theta, ratio)
            steps += reached.iterations
        factor = FIRST_FACTOR**0.5  # the last one failed
        while reached.status.ok and ratio > 1.0 and factor > LEAST_FACTOR:
            following = max(1.0, ratio / factor)
            stage = self.newton(reached.theta, following)
            steps += stage.iterations
            if stage.status.ok:
                reached, ratio, factor = stage, following, min(FIRST_FACTOR, 1.5 * factor)
            else:
                factor **= 0.5
        status = reached.status if ratio == 1.0 else Status.STAGNATED
        return Stage(reached.theta, status, reached.residual, steps)

    def newton(self, theta: Tensor, ratio: float) -> Stage:
        """Newton's method for ``ratio`` times the problem's viscosity, from a flow free of divergence."""
        r = self.representation
        parts = r.split(theta)
        u, least = parts["velocity"], float("inf")
        tolerance = max(RTOL, 100 * torch.finfo(u.dtype).eps)
        for step in range(NEWTON_STEPS + 1):
            theta = r.join({"velocity": u, "pressure": parts["pressure"]})
            residual, scale = self._residual(u, ratio)
            size = float(residual.abs().max())
            # where every term is as good as 0 (a uniform flow) only rounding is left to compare with
            scale = max(scale, self._rounding(u, ratio) / tolerance)
            relative = size / scale if scale else size
            if not relative < float("inf"):
                return Stage(theta, Status.NON_FINITE, relative, step)
            if relative <= tolerance and self._divergence(theta) <= max(DIVERGENCE, tolerance):
                return Stage(theta, Status.CONVERGED_RTOL, relative, step)
            # steps from far away first make a large residual and then a small one; three such in a row lead nowhere
            if step == NEWTON_STEPS or relative > 1e3 * least:
                break
            least = min(least, relative)
            whole = self.jacobian(self._slope, u, max(float(u.abs().max()), 1e-300) if bool(u.any()) else 1.0)
            matrix = self.curl.T @ (whole + (ratio - 1.0) * self.diffusion) @ self.curl
            try:
                psi = splu(matrix.tocsc()).solve(-(self.curl.T @ residual.double().cpu().numpy()))
            except RuntimeError:
                return Stage(theta, Status.SINGULAR_MATRIX, relative, step)
            u = u + torch.as_tensor(self.curl @ psi, dtype=u.dtype, device=u.device)
        return Stage(theta, Status.MAXITER, relative, step)

    def completed(self, stage: Stage) -> Stage:
        """The stage with its pressure."""
        return Stage(self.dynamics.complete(0.0, stage.theta), stage.status, stage.residual, stage.iterations)

    def _residual(self, u: Tensor, ratio: float) -> tuple[Tensor, float]:
        """F − G p at the free faces with the p that leaves least of it, and the largest of F's terms and G p."""
        r = self.representation
        diffusion = self._slope(u, "diffusion")
        slope = self._slope(u) + (ratio - 1.0) * diffusion
        p = self.dynamics.poisson.solve(-r.divergence(r.velocity.spread(r.velocity.unpack(slope))))
        push = r.velocity.pack(r.gradient(p))
        terms = (slope - ratio * diffusion, ratio * diffusion, push)
        return slope - push, max(float(term.abs().max()) for term in terms)

    def _rounding(self, u: Tensor, ratio: float) -> float:
        """What rounding alone leaves in F: eps times the largest stencil coefficients times the velocity."""
        h, speed = min(self.representation.spacing), float(u.abs().max())
        stencil = 8 * ratio * self.dynamics.problem.viscosity / h**2 + 4 * speed / h
        return 64 * torch.finfo(u.dtype).eps * stencil * speed

    def _divergence(self, theta: Tensor) -> float:
        return float(self.representation.divergence(self.dynamics.faces(theta, 0.0)).abs().max())


def _refuse(dynamics: Any) -> None:
    r, problem = dynamics.representation, dynamics.problem
    conditions = [r.boundary.on(*r.domain.face(face)) for face in r.domain.faces]
    march = "march in time instead: simulate(problem, representation, IncrementalPressureCorrection(), dt=, t_end=)"
    if r.dim != 2:
        raise UsageError(f"steady flows are solved for in 2D; {problem.name} is in 3D: {march}.")
    if any(isinstance(condition, Outflow) for condition in conditions):
        raise UsageError(f"steady flows are solved for in closed or periodic boxes; this one has an Outflow: {march}.")
    if not problem.viscosity:
        raise UsageError(f"{problem.name} without viscosity has many steady flows: give it a viscosity, or {march}.")
    if any(r.boundary.periodic) and not any(isinstance(condition, Dirichlet) for condition in conditions):
        raise UsageError(
            "nothing holds the velocity along the periodic axis, so that this flow has many steady states: give a "
            f"Dirichlet velocity on a face, or {march}."
        )
    at_rest = r.initial()
    if not torch.equal(dynamics.slope(0.0, at_rest), dynamics.slope(1.0, at_rest)):
        raise UsageError(f"the boundary velocities of {problem.name} move in time, so that no flow is steady: {march}.")
