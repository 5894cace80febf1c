"""The energy whose minimum is a static state, or an implicit stage, of a body on finite elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._finite_element_systems import Iteration
from neuralpde.dynamics._free_motions import refuse_free_motions
from neuralpde.dynamics._minimise import Objective
from neuralpde.dynamics._newton import forcing
from neuralpde.dynamics._potential_space import Inertia
from neuralpde.dynamics._potentials import Matrix, Potential
from neuralpde.linalg import positive_definite
from neuralpde.types import NotConvergedError

if TYPE_CHECKING:
    from neuralpde.dynamics._finite_element_potential import FiniteElementPotential

NUDGE = 1e-6
"""Share of a move by which forces are differenced along it."""

RESOLVED = 32
"""Roundings of a place that a step has to be longer than: forces of contact are differences of places."""

ANCHOR = 1e-8
"""Stiffness of springs at nodes over the mean of the Hessian's diagonal."""

DRAWN = 1e-6
"""Relative residual of the linear step by which a body follows its supports."""


class BodyEnergy(Objective):
    """E(θ) = Π(t, u_θ) + ½ mass |u_θ − target|²_ρ + ½ rate |u_θ − origin|²_C, see :class:`Inertia`.

    Args:
        body: its potentials, mass and damping.
        t: time.
        inertia: None in statics.
    """

    @torch.no_grad()
    def __init__(self, body: FiniteElementPotential, t: float, inertia: Inertia | None) -> None:
        self.body, self.t, self.inertia = body, t, inertia
        self._latest: dict[str, tuple[Tensor, Any]] = {}
        rest = body.representation.nodes.new_zeros(body.representation.nodes.shape)
        self.loads = float(body.representation.free_part(body.form.residual(t, rest)).norm())

    def values(self, theta: Tensor) -> Tensor:
        """Displacements of all nodes, ``(N, d)``."""
        return self.body.nodal(self.t, theta)

    def energy(self, theta: Tensor) -> tuple[float, float]:
        return self._known("energy", theta, lambda: self._energy(self.values(theta)))

    def _known(self, what: str, theta: Tensor, found: Callable[[], Any]) -> Any:
        """What has been found at the very θ before: a line search ends where the next step begins. What freezes
        something may freeze it anew there."""
        if len(self.body.parts) > 1 or self.body.form.followers:
            return found()
        if what not in self._latest or self._latest[what][0] is not theta:
            self._latest[what] = (theta, found())
        return self._latest[what][1]

    @torch.no_grad()
    def _energy(self, values: Tensor) -> tuple[float, float]:
        body, inertia = self.body, self.inertia
        parts = [*body.form.energies(self.t, values), *(part.energy(self.t, values) for part in body.parts[1:])]
        if inertia is not None:
            away, moved = values - inertia.target, values - inertia.origin
            parts.append(0.5 * inertia.mass * float((away * body.weighed(away)).sum()))
            parts.append(0.5 * inertia.rate * float((moved * body.damped(moved)).sum()))
        return sum(parts), sum(abs(part) for part in parts)

    @torch.no_grad()
    def forces(self, values: Tensor) -> list[Tensor]:
        """The parts of ∂E/∂u at all nodes, ``(N, d)`` each."""
        body, inertia = self.body, self.inertia
        parts = [part.gradient(self.t, values) for part in body.parts]
        if inertia is not None:
            parts.append(inertia.mass * body.weighed(values - inertia.target))
            parts.append(inertia.rate * body.damped(values - inertia.origin))
        return parts

    def gradient(self, theta: Tensor) -> tuple[Tensor, float]:
        return self._known("gradient", theta, lambda: self._gradient(theta))

    def _gradient(self, theta: Tensor) -> tuple[Tensor, float]:
        parts = self.forces(self.values(theta))
        whole = self.body.representation.free_part(torch.stack(parts).sum(0))
        return whole, max(self.loads, *(float(part.norm()) for part in parts))

    def newton(self, theta: Tensor, gradient: Tensor, share: float, rtol: float, fall: float) -> Tensor | None:
        rtol = rtol if self.body.linear else max(rtol, forcing(fall))
        return self._solved(self.values(theta), gradient, share, rtol)

    def _solved(self, values: Tensor, gradient: Tensor, share: float, rtol: float) -> Tensor | None:
        body, inertia = self.body, self.inertia
        same = body.linear and body.damping is None  # the matrix of every state
        key = (inertia.mass, inertia.rate) if inertia is not None else (0.0, 0.0)
        try:
            factors = body.kept.get(key) if same else None
            if factors is None:
                near = not same and len(body.parts) == 1  # contacts change it at once
                factors = body.systems.factors(self._matrix(values, share), once=not same, near=near)
                if same:
                    body.keep(key, factors)
            if share < 1 and not _definite(factors):
                return None
            return body.systems.solve(factors, gradient, rtol, inexact=True)
        except NotConvergedError:
            return None

    @torch.no_grad()
    def _matrix(self, values: Tensor, share: float, follow: bool = False) -> sp.csr_matrix | sp.bsr_matrix:
        """∂²E/∂θ²; or ∂g/∂θ where what follows the body does so."""
        body, inertia = self.body, self.inertia

        def slopes(part: Potential) -> Matrix | None:
            return part.slopes(self.t, values) if follow else _mixed(part, self.t, values, share)

        whole = slopes(body.parts[0])
        assert whole is not None
        if inertia is None and not body.checked and not getattr(body.problem, "contact", ()):
            refuse_free_motions(body.problem, body.representation, whole)
            body.checked = True
        others = [slopes(part) for part in body.parts[1:]]
        whole = sum((matrix for matrix in others if matrix is not None), start=whole)
        if inertia is None:
            return whole + self._anchor(whole) if share and len(body.parts) > 1 else whole
        whole = whole + inertia.mass * body.free_mass
        return whole if body.damping is None else whole + inertia.rate * body.free_damping

    def relag(self, theta: Tensor) -> None:
        """Freeze what follows the body at θ."""
        values = self.values(theta)
        for part in self.body.parts:
            if part.follows:
                part.relag(self.t, values)

    def tangent(self, theta: Tensor) -> sp.csr_matrix | sp.bsr_matrix:
        """∂g/∂θ of forces of which nothing that follows is frozen: not symmetric."""
        return self._matrix(self.values(theta), 0.0, follow=True)

    def hessian(self, theta: Tensor) -> sp.csr_matrix | sp.bsr_matrix:
        """∂²E/∂θ²."""
        return self._matrix(self.values(theta), 0.0)

    def definite(self, theta: Tensor) -> bool:
        """Whether the Hessian is positive definite; of a system that a Krylov method solves True."""
        try:
            return _definite(self.body.systems.factors(self.hessian(theta), once=True))
        except NotConvergedError:
            return False

    def _anchor(self, whole: Matrix) -> sp.csr_matrix | sp.bsr_matrix:
        """Soft springs at a body that only a contact which may be open yet holds: Newton's steps along its free motions
        are long then, and end where the contact begins. They do not change the minimum."""
        size = whole.shape[0]
        springs = sp.identity(size, format="csr") * (ANCHOR * float(np.abs(whole.diagonal()).mean()))
        return springs.tobsr(whole.blocksize) if sp.issparse(whole) and whole.format == "bsr" else springs

    def resolution(self, theta: Tensor) -> float:
        place = (self.body.representation.nodes + self.values(theta)).abs().max()
        return RESOLVED * torch.finfo(theta.dtype).eps * float(place)

    def strayed(self, theta: Tensor) -> bool:
        return self.inertia is None and self.body.inverted(self.t, theta)

    def longest(self, theta: Tensor, step: Tensor) -> float:
        return self._longest(self.values(theta), -self.body.representation.extended(step))

    def _longest(self, values: Tensor, move: Tensor) -> float:
        return min(part.longest(self.t, values, move) for part in self.body.parts)

    def start(self, guess: Tensor, last: Tensor | None) -> Tensor | None:
        """Where to start: the guess, unless a way from the last state leads through an obstacle to it or its energy is
        not finite. In statics a body whose supports have moved is drawn along with them by a linear step."""
        if last is None:
            return guess if math.isfinite(self.energy(guess)[0]) else None
        r = self.body.representation
        for part in self.body.parts:
            last = part.cleared(self.t, last)
        stayed = r.free_part(last)
        moved = bool((self.values(stayed) != last).any())
        if (self.inertia is not None or not moved) and self._reached(guess, last):
            return guess
        for choice in (self._drawn(last), stayed):
            if choice is not None and self._reached(choice, last):
                return choice
        return None

    def _reached(self, theta: Tensor, last: Tensor) -> bool:
        values = self.values(theta)
        return self._longest(last, values - last) >= 1.0 and math.isfinite(self._energy(values)[0])

    def _drawn(self, last: Tensor) -> Tensor | None:
        """One linear step from the last state, whose supports move to where they are now."""
        r = self.body.representation
        stayed = r.free_part(last)
        move = self.values(stayed) - last
        if not math.isfinite(self._energy(last)[0]):
            return None
        up, down = (torch.stack(self.forces(last + s * NUDGE * move)).sum(0) for s in (1, -1))
        pulled = torch.stack(self.forces(last)).sum(0) + (up - down) / (2 * NUDGE)
        step = self._solved(last, r.free_part(pulled), 1.0, DRAWN)
        return None if step is None else stayed - step


def _mixed(part: Potential, t: float, values: Tensor, share: float) -> Matrix | None:
    """(1 − share) ∂²Π + share (∂²Π)₊ of a potential."""
    if share in (0.0, 1.0):
        return part.hessian(t, values, share == 1.0)
    exact, projected = (part.hessian(t, values, choice) for choice in (False, True))
    if exact is None or projected is None:
        return exact if projected is None else projected
    return (1 - share) * exact + share * projected


def _definite(factors: SuperLU | Iteration) -> bool:
    """Whether a symmetric matrix with these factors is positive definite, by Sylvester's law of inertia; of a Krylov
    method CG itself will tell."""
    return not isinstance(factors, SuperLU) or positive_definite(factors)
