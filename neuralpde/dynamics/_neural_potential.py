"""The potential energy of a body on a neural field, and its minimum."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics._field_contact import contact_densities
from neuralpde.dynamics._field_damping import FieldDamping
from neuralpde.dynamics._field_energy import FieldEnergy, Moment
from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.dynamics._potential_space import Inertia, PotentialSpace
from neuralpde.dynamics._stage_energy import StageEnergy
from neuralpde.fields import Jet
from neuralpde.geometry import MeshDomain
from neuralpde.integrators import Stage
from neuralpde.optimize import Energy, EnergySolution, GaussNewton, NaturalGradient, natural_gradient
from neuralpde.problems import ElasticBody, Problem
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.types import Status, UsageError

STATIC = NaturalGradient()
"""A static state starts from random hidden layers, undeformed."""

STEP = NaturalGradient(maxiter=40, damping=1e-4, scaling="uniform", settle=False)
"""A step starts close to its end, and should move weights evenly."""

PLACED = GaussNewton(maxiter=60, stall=1e-3, damping=1e-8, atol=1e-12)
"""Options of the fit of nodal displacements."""

DENSITY = 12
"""Quadrature points inside for each weight. With five a field that is pulled at its boundary finds ways to move that
boundary which no point inside feels, within 50 iterations; with twenty it does not."""

MOST = 200
"""Points for each weight from which no more are taken."""

EASY, SMALLEST = 0.25, 1e-3
"""A load whose energy is not finite at the start is raised in steps: by that share at first, and the smallest."""

LOOKS = 10
"""Steps from one look at other points to the next."""

DOUBT = 1e-4
"""Falls of the energy, as shares of its size, that are too small to be doubted."""


class Watch:
    """Tells when the energy falls at the points of its quadrature alone: of all weights some can make strains that lie
    between points. A fall that other points see by less than a half is such a one.

    Args:
        other: the energy at other points.
        energy: at the points of the quadrature.
        theta: the start, at which both are compared first.
    """

    def __init__(self, other: Energy, energy: Energy, theta: Tensor) -> None:
        self.other, self.theta = other, theta
        """The latest θ at which all points agreed."""
        self._before = (energy.value(theta), other.value(theta))
        self._steps = 0

    def __call__(self, theta: Tensor, value: float) -> bool:
        self._steps += 1
        return self._steps % LOOKS == 0 and self.parts(theta, value)

    def parts(self, theta: Tensor, value: float) -> bool:
        """Whether the energies of both sets of points part."""
        there = self.other.value(theta)
        fall, seen = self._before[0] - value, self._before[1] - there
        if fall - seen > max(0.5 * fall, DOUBT * self.other.size(theta)):
            return True
        self.theta, self._before = theta, (value, there)
        return False


class NeuralPotential(PotentialSpace):
    """Π(t, u_θ) by quadrature on the mesh, minimised over the weights θ by natural gradients.

    Args:
        problem: of an elastic body.
        representation: a neural field for its displacement, on a mesh's domain.
        fit: options of the minimisation (defaults: ``STATIC``, ``STEP``).
        points: number of quadrature points inside; by default twelve for each weight. In statics the energy is compared
            with that at other points, and four times as many are taken where they disagree.
        velocity: finite elements whose nodes velocities and forces belong to; None in statics.

    Raises:
        UsageError: for a domain without a mesh, or fewer points than weights.
    """

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        fit: NaturalGradient | None = None,
        points: int | None = None,
        velocity: FiniteElementField | None = None,
    ) -> None:
        if not isinstance(representation.domain, MeshDomain):
            raise UsageError("method='potential' integrates energies on a mesh: take a MeshDomain.")
        if fit is not None and not isinstance(fit, NaturalGradient):
            raise UsageError(f"energies are minimised by NaturalGradient; got {type(fit).__name__}.")
        self.problem, self.representation, self.velocity = problem, representation, velocity
        self.fit_options = fit or (STEP if problem.time_order else STATIC)
        p, floats = representation.num_dofs, representation.channels * representation.dim
        self.points = DENSITY * p if points is None else points
        if self.points * floats < p:
            raise UsageError(f"{points} points cannot determine {p} weights; use points ≥ {DENSITY * p}.")
        self._begin: Tensor | None = None
        self.extra = contact_densities(problem)
        self.body = self._denser(self.points)

    @cached_property
    def elements(self) -> FiniteElementField:
        """Finite elements whose nodes displacements are read at."""
        r = self.representation
        if self.velocity is not None:
            return self.velocity
        assert isinstance(r.domain, MeshDomain)
        return FiniteElementField(r.domain, r.conditions, r.channels, degree=2, dtype=r.dtype, device=r.device)

    @cached_property
    def form(self) -> LoadedForm:
        """The body's weak form, tested by these elements."""
        return LoadedForm(self.problem, self.elements)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Elements of the points inside, and reference coordinates there."""
        domain = self.elements.domain
        assert isinstance(domain, MeshDomain)
        return domain.locator.nearest(self.body.quadrature.points.cpu().double().numpy())

    @cached_property
    def damping(self) -> FieldDamping | None:
        """Of a motion."""
        problem = self.problem
        if not isinstance(problem, ElasticBody) or problem.damping is None:
            return None
        return FieldDamping(problem, self.form, self.body.quadrature.points, *self._places)

    @cached_property
    def _inner(self) -> tuple[Tensor, Tensor]:
        """What takes nodal values to the points inside: numbers of nodes ``(n, k)`` and their shares ``(n, k)``."""
        tables, (element, xi) = self.elements.tables, self._places
        shares, _ = tables.basis(torch.from_numpy(xi))
        return tables.dofs[torch.from_numpy(element).to(tables.dofs.device)], shares

    def at_points(self, nodal: Tensor) -> Tensor:
        """Values ``(N, d)`` of the nodes at the points inside, ``(n, d)``."""
        nodes, shares = self._inner
        return torch.einsum("nk,nkc->nc", shares, nodal[nodes])

    @cached_property
    def density(self) -> Tensor:
        """ρ at the points inside, ``(n,)``."""
        return self.problem.mass_density(self.body.quadrature.points)  # type: ignore[attr-defined]

    def nodal(self, t: float, theta: Tensor) -> Tensor:
        with torch.no_grad():
            return self.representation.at(theta, t)(self.elements.nodes)

    def place(self, t: float, nodal: Tensor, guess: Tensor) -> Stage:
        elements, r = self.elements, self.representation
        domain = elements.domain
        assert isinstance(domain, MeshDomain)

        def target(x: Tensor) -> Tensor:
            return elements.tables.evaluate(nodal, *domain.locator.nearest(x.cpu().double().numpy()))[0]

        found = r.project(target, t, guess, options=PLACED)
        size = float(nodal.square().mean().sqrt())
        near = found.status.ok or found.error <= PLACED.accept * max(size, 1e-9)
        return Stage(found.theta, Status.COMPLETED if near else found.status, found.error, found.iterations)

    def force(self, t: float, theta: Tensor, velocity: Tensor) -> Tensor:
        field, form = self.representation.at(theta, t), self.form
        total = torch.zeros_like(velocity)
        for piece in form.pieces:
            with torch.no_grad():
                jet = field.jet(piece.tables.points.flatten(0, 1), frozenset({"value", "grad"}))
            load, flux = form._at(piece, t, Jet(jet.value, jet.grad))
            form._gather(total, piece, load.detach(), flux.detach())
        return total if self.damping is None else total - self.damping.force(velocity)

    def damp(self, t: float, values: Tensor) -> None:
        if self.damping is not None:
            self.damping.freeze(t, values)

    def damping_power(self, velocity: Tensor) -> float:
        return 0.0 if self.damping is None else float((velocity * self.damping.force(velocity)).sum())

    def lag(self, t: float, theta: Tensor, velocity: Tensor) -> None:
        self._begin = theta

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        whole = StageEnergy(self.body, Moment(t)).value(theta)
        strain = self.body.strain(t, theta)
        return {"elastic": strain, "external": whole - strain}

    def minimise(self, t: float, guess: Tensor, inertia: Inertia | None = None, last: Tensor | None = None) -> Stage:
        if inertia is not None:
            mass, target = inertia.mass * self.density, self.at_points(inertia.target)
            drag = None if self.damping is None else self.damping.drag(inertia.rate, inertia.origin)
            energy = StageEnergy(self.body, Moment(t), mass, target, drag)
            starts = [guess] if self._begin is None else [guess, self._begin]
            found = natural_gradient(
                energy, min(starts, key=lambda theta: _finite(energy.value(theta))), self.fit_options
            )
            return self._stage(found, found.iterations, energy.size(found.theta))
        theta, iterations, done = self._at_rest(guess), 0, 0.0
        while done < 1.0:
            factor = self._bearable(t, theta, done)
            found = self._raised(t, factor, theta)
            iterations += found.iterations
            theta, done = found.theta, factor
            if found.status is Status.NON_FINITE:
                break
        return self._stage(found, iterations, self.body.strain(t, theta))

    def _bearable(self, t: float, theta: Tensor, done: float) -> float:
        """The largest factor of loads and supports, of some, whose energy is finite at the start."""
        factor = 1.0
        while factor - done > SMALLEST:
            if math.isfinite(StageEnergy(self.body, Moment(t, factor)).value(theta)):
                return factor
            factor = done + EASY * (factor - done)
        return 1.0

    def _raised(self, t: float, factor: float, theta: Tensor) -> EnergySolution:
        """The minimum at a factor of the loads, with more points where energies of others disagree."""
        options = self.fit_options if factor == 1.0 else replace(self.fit_options, rtol=1e-3, stall=1e-2)
        when, iterations = Moment(t, factor), 0
        while True:
            watch = Watch(StageEnergy(self._denser(2 * self.points), when), StageEnergy(self.body, when), theta)
            found = natural_gradient(StageEnergy(self.body, when), theta, options, watch)
            iterations += found.iterations
            if not watch.parts(found.theta, found.energy) or self.points >= MOST * self.representation.num_dofs:
                return replace(found, iterations=iterations)
            theta, self.points = watch.theta, 4 * self.points
            self.body = self._denser(self.points)

    def _denser(self, points: int) -> FieldEnergy:
        return FieldEnergy(self.problem, self.representation, points, self.extra, seed=points)

    def _at_rest(self, guess: Tensor) -> Tensor:
        """Random weights stand for a body that is not deformed: its output layer is nothing."""
        r = self.representation
        if not torch.equal(guess, r.initial()):
            return guess
        return guess.index_fill(0, r.outer.to(guess.device), 0.0)

    def _stage(self, found: EnergySolution, iterations: int, size: float) -> Stage:
        """A minimisation that stalls, or has used its iterations, has found the lowest field it could; what its tangent
        space could still remove says how close that is."""
        error = math.sqrt(max(found.decrement, 0.0) / max(2 * size, 1e-300))
        status = found.status
        if not status.ok and status is not Status.NON_FINITE and error <= self.fit_options.accept:
            status = Status.COMPLETED
        status = Status.UNFINISHED_FIT if status is Status.MAXITER else status
        return Stage(found.theta, status, error, iterations, found.history)


def _finite(energy: float) -> float:
    """For comparisons: what is no number is the highest."""
    return energy if math.isfinite(energy) else math.inf
