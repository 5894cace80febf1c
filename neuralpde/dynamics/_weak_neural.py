"""A problem on a neural field in its weak form, tested by finite elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._dual_norm import DualNorm
from neuralpde.dynamics._free_motions import refuse_free_motions
from neuralpde.dynamics._function_space import STEADY, TIME_STEP, stage_of
from neuralpde.dynamics._function_space import _starts as starts
from neuralpde.dynamics._terms import field_of, stepped_flow, term_flow
from neuralpde.dynamics._weak_tests import WeakTests
from neuralpde.geometry import MeshDomain
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import NonFiniteError, Status, UsageError

Map = Callable[[Tensor], Tensor]

WEAK_STEP = replace(TIME_STEP, maxiter=30)
FAR = 0.1
"""Share of its target by which a step's start may miss it and count as close."""

AFRESH: dict[str, Any] = {"maxiter": 150, "stall": 1e-3, "damping": 1e-3, "scaling": "columns"}
"""How a step is fitted that starts far from its target, as a field that was nothing does."""

WEAK_STEADY = replace(STEADY, accept=5e-2)
"""The residual is the error in the energy norm, which is some ten times that in L²."""


class WeakNeuralDynamics(Dynamics):
    """Stages in the weak form: θ = argmin |r(θ)|², r_i = ∫ φ_i u_θ − γ R_i(t, u_θ) − y_i for the finite elements φ_i on
    the domain's mesh, in the dual norm of M + γK: the error that the test functions see, in the energy norm.

    R is that of :class:`WeakForm`: flux, Robin and Neumann conditions are part of it, coefficients may jump, corners
    may be singular, and no second derivatives are taken. Slopes are functionals, Σ c_j R_j. Test functions vanish where
    the field is held.

    Args:
        problem: that states its flux.
        representation: a neural field on a mesh's domain.
        fit: :class:`GaussNewton` (defaults: ``WEAK_STEP``, ``WEAK_STEADY``).
        degree: of the test functions, 1 or 2; None takes 1 where the mesh has two of those for each weight, else 2.

    Raises:
        UsageError: for a domain without a mesh, or fewer test functions than one and a half times the weights.

    Source: Kharazmi, Zhang & Karniadakis, hp-VPINNs, Comput. Methods Appl. Mech. Engrg. 374 (2021), for weak residuals;
    Rojas et al., Robust VPINNs, ibid. 425 (2024), for the dual norm.
    """

    steps_terms = True
    blends = True

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        fit: GaussNewton | None = None,
        degree: int | None = None,
    ) -> None:
        if not isinstance(representation.domain, MeshDomain):
            raise UsageError(
                "the weak form needs test functions on a mesh: take a MeshDomain, or method='function_space'."
            )
        if fit is not None and not isinstance(fit, GaussNewton):
            raise UsageError(f"the weak form is fitted by GaussNewton; got {type(fit).__name__}.")
        self.problem, self.representation = problem, representation
        self.fit_options = fit or (WEAK_STEP if problem.time_order else WEAK_STEADY)
        self.parts = problem.terms()
        self.tests = WeakTests(problem, representation, degree)
        self._norms: dict[tuple[float, float], tuple[sp.csr_matrix, DualNorm]] = {}
        self._stiffness: sp.csr_matrix | None = None
        self._stage: tuple[float, str | None, Tensor, np.ndarray] | None = None

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> np.ndarray:
        """R(t, u_θ) on the free test functions, ``(N, c)``; of an implicit stage it is what the stage's equation says,
        ∫ φ_i (u_θ − y)/γ, without the roughness of ∇u_θ (Hairer & Wanner, Solving ODEs II, IV.8)."""
        if self._stage is not None and self._stage[:2] == (t, part) and self._stage[2] is theta:
            return self._stage[3]
        return self.tests.functional(self.representation.at(theta, t), t, 0.0, -1.0, part)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._fit(self._target(base, terms), 1.0, 0.0, t, starts(base, guess))

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        target = self._target(base, terms)
        stage = self._fit(target, 1.0, gamma, t, starts(base, guess), part)
        inertia = self.tests.functional(self.representation.at(stage.theta, t), t, 1.0, 0.0)
        self._stage = (t, part, stage.theta, (inertia - target) / gamma)
        return stage

    def steady(self, guess: Tensor) -> Stage:
        """θ minimising |R(0, u_θ)|.

        Raises:
            UsageError: where constants change nothing.
        """
        refuse_free_motions(self.problem, self.tests.space, self.tests.jacobian(guess))
        zero = np.zeros((len(self.tests.space.free), self.representation.channels))
        return self._fit(zero, 0.0, 1.0, 0.0, [guess])

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
        flow, field = term_flow(self.parts[part], carrier), field_of(self.representation, base)
        target = self.tests.values(lambda x: flow(base.t, field, x, dt))
        return self._fit(target, 1.0, 0.0, base.t + dt, starts(base, guess))

    def _target(self, base: State, terms: Terms) -> np.ndarray:
        total = self.tests.functional(field_of(self.representation, base), base.t, 1.0, 0.0)
        for c, slope in terms:
            total = total + c * slope
        return total

    def _norm(self, mass: float, gamma: float, t: float, theta: Tensor) -> tuple[sp.csr_matrix, DualNorm]:
        """G = mass·M + γK on all nodes and the dual norm of its free part; K is that of the first field that asks."""
        key = (mass, gamma)
        if key not in self._norms:
            gram = mass * self.tests.space.mass()
            if gamma:
                self._stiffness = self.tests.stiffness(t, theta) if self._stiffness is None else self._stiffness
                gram = gram + gamma * self._stiffness
            self._norms[key] = gram, DualNorm(self.tests.gram(gram))
        return self._norms[key]

    def _fit(
        self, target: np.ndarray, mass: float, gamma: float, t: float, begin: list[Tensor], part: str | None = None
    ) -> Stage:
        r = self.representation
        if not np.isfinite(target).all():
            return Stage(begin[-1], Status.NON_FINITE, math.nan)
        gram, norm = self._norm(mass, gamma, t, begin[-1])

        def whitened(functional: np.ndarray) -> Tensor:
            return norm.whiten(functional.reshape(-1, 1))[:, 0].to(r.device, r.dtype)

        def residual(theta: Tensor) -> Tensor:
            return whitened(self.tests.functional(r.at(theta, t), t, mass, gamma, part) - target)

        def jacobian(theta: Tensor) -> Tensor:
            return norm.whiten(self.tests.derivatives(theta, t, mass, gamma, part)).to(r.device, r.dtype)

        def size_of(theta: Tensor) -> float:
            return float(residual(theta).norm())

        start, options = min(begin, key=size_of), self.fit_options
        if not mass or size_of(start) > FAR * float(whitened(target).norm()):
            start = min(start, self._outer_fit(residual, jacobian, start), key=size_of)
            options = options if not mass else replace(options, **AFRESH)
        try:
            fit = least_squares(residual, start, options, jacobian=jacobian)
        except NonFiniteError:  # the march reports it, with the solution so far
            return Stage(start, Status.NON_FINITE, math.nan)
        with torch.no_grad():
            values = r.at(fit.theta, t)(self.tests.space.nodes).reshape(-1).cpu().double().numpy()
        return stage_of(fit, self.fit_options.accept * max(math.sqrt(values @ (gram @ values)), 1e-9))

    def _outer_fit(self, residual: Map, jacobian: Map, theta: Tensor) -> Tensor:
        """θ with the output layer that fits best to first order: the field gets its size before its shape."""
        outer = self.representation.outer.to(theta.device)
        columns = jacobian(theta)[:, outer]
        step = torch.linalg.lstsq(columns, -residual(theta)[:, None], rcond=1e-10, driver="gelsd").solution[:, 0]
        return theta.index_add(0, outer, step)
