"""Stepping in weight space: θ̇ is the least-squares solution of J θ̇ = F (Dirac–Frenkel)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.dynamics._terms import chosen_rhs
from neuralpde.geometry import Flux, Neumann, Robin
from neuralpde.integrators import Dynamics, Stage, State, Terms
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import Status, UsageError


@dataclass(frozen=True)
class Velocity:
    """θ̇, ``(p,)``, and the values F, ``(q, c)``, that it stands for."""

    theta: Tensor
    values: Tensor


class GalerkinDynamics(Dynamics):
    """θ̇ = argmin_δ Σ_q w_q |J(x_q) δ − F(t, x_q, u_θ)|², J = ∂u_θ/∂θ, by a truncated SVD; explicit methods only.

    Much cheaper a step than fits in function space and much less accurate: the tangent space degenerates, so the
    cut-off decides between noise and bias. A stage reports how far the field is from what it should be, the root mean
    square of u_θ − u_base − Σ c_j F_j at the quadrature points: steps in weight space leave it behind when they are
    too long.

    Args:
        problem: what is true; Dirichlet data must not move in time.
        representation: the neural field.
        rcond: singular values below rcond · σ_max are cut (1e-3 to 1e-6; below, the steps grow until they run away).
        points: number of quadrature points (default 3p/c).
        accept: largest residual of a stage, as a share of the field's root mean square; above it the step has failed.

    Source: Du & Zaki, Phys. Rev. E 104 (2021) (EDNN); Bruna, Peherstorfer & Vanden-Eijnden, JCP 496 (2024).
    """

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        rcond: float = 1e-4,
        points: int | None = None,
        accept: float = 1e-2,
    ) -> None:
        self.problem, self.representation, self.rcond, self.accept = problem, representation, rcond, accept
        self.parts = problem.terms()
        self.quadrature = representation.quadrature(points)
        if representation.hard.active and representation.hard.constant is None:
            raise UsageError("Galerkin stepping holds constant Dirichlet data only; use method='function_space' here.")

        for kind in (Neumann, Flux, Robin):
            if representation.boundary.named(kind):
                raise UsageError(
                    f"Galerkin stepping knows no {kind.__name__} conditions; use method='function_space' here."
                )

    explicit_only = True
    takes_terms = False

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Velocity:
        r, x = self.representation, self.quadrature.points
        root = self.quadrature.weights.sqrt()[:, None]
        with torch.no_grad():
            f = chosen_rhs(self.problem, part)(t, x, r.at(theta, t).jet(x, self.problem.needs))
            rows = torch.cat([root * r.jacobian(theta, x, a) for a in range(r.channels)])
            u, s, vh = torch.linalg.svd(rows, full_matrices=False)
            keep = s > self.rcond * s[0]
            return Velocity(vh[keep].T @ ((u.T @ (root * f).T.reshape(-1))[keep] / s[keep]), f)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        r, x = self.representation, self.quadrature.points
        theta = base.theta
        for c, velocity in terms:
            theta = theta + c * velocity.theta
        if not bool(torch.isfinite(theta).all()):
            return Stage(theta, Status.NON_FINITE, math.nan)
        with torch.no_grad():
            wanted = r.at(base.theta, base.t)(x)
            for c, velocity in terms:
                wanted = wanted + c * velocity.values
            residual = self._size(r.at(theta, t)(x) - wanted)
        close = residual <= self.accept * max(self._size(wanted), 1e-9)
        return Stage(theta, Status.COMPLETED if close else Status.STAGNATED, residual)

    def _size(self, values: Tensor) -> float:
        """Root mean square over the domain."""
        weights = self.quadrature.weights[:, None]
        return math.sqrt(float((weights * values.square()).sum()) / self.representation.domain.volume)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        raise UsageError("Galerkin stepping is explicit; use method='function_space' with an implicit integrator.")
