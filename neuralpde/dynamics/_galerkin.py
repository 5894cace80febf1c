"""Stepping in weight space: θ̇ is the least-squares solution of J θ̇ = F (Dirac–Frenkel)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.geometry import Neumann
from neuralpde.integrators import Stage, State, Terms
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import Status, UsageError


class GalerkinDynamics:
    """θ̇ = argmin_δ Σ_q w_q |J(x_q) δ − F(t, x_q, u_θ)|², J = ∂u_θ/∂θ, by a truncated SVD; explicit methods only.

    Much cheaper a step than fits in function space and much less accurate: the tangent space degenerates, so the
    cut-off decides between noise and bias.

    Args:
        problem: what is true; Dirichlet data must not move in time.
        representation: the neural field.
        rcond: singular values below rcond · σ_max are cut (1e-4 to 1e-8).
        points: number of quadrature points (default 3p/c).

    Source: Du & Zaki, Phys. Rev. E 104 (2021) (EDNN); Bruna, Peherstorfer & Vanden-Eijnden, JCP 496 (2024).
    """

    def __init__(
        self, problem: Problem, representation: NeuralField, rcond: float = 1e-6, points: int | None = None
    ) -> None:
        self.problem, self.representation, self.rcond = problem, representation, rcond
        self.quadrature = representation.quadrature(points)
        if representation.hard.active and representation.hard.constant is None:
            raise UsageError("Galerkin stepping holds constant Dirichlet data only; use method='function_space' here.")

        if representation.boundary.faces_with(Neumann):
            raise UsageError("Galerkin stepping knows no Neumann conditions; use method='function_space' here.")

    flows: tuple[bool, ...] = (False,)
    explicit_only = True

    def slope(self, t: float, theta: Tensor) -> Tensor:
        r, x = self.representation, self.quadrature.points
        root = self.quadrature.weights.sqrt()[:, None]
        with torch.no_grad():
            f = self.problem.rhs(t, x, r.at(theta, t).jet(x, self.problem.needs))
            rows = torch.cat([root * r.jacobian(theta, x, a) for a in range(r.channels)])
            u, s, vh = torch.linalg.svd(rows, full_matrices=False)
            keep = s > self.rcond * s[0]
            return vh[keep].T @ ((u.T @ (root * f).T.reshape(-1))[keep] / s[keep])

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        theta = base.theta
        for c, slope in terms:
            theta = theta + c * slope
        finite = math.isfinite(float(theta.abs().max()))
        return Stage(theta, Status.COMPLETED if finite else Status.NON_FINITE)

    def implicit(self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None) -> Stage:
        raise UsageError("Galerkin stepping is explicit; use method='function_space' with an implicit integrator.")

    def flow(self, part: int, base: State, dt: float, guess: Tensor | None = None) -> Stage:
        raise UsageError("Galerkin stepping has no flows; use method='function_space' with LieSplitting.")
