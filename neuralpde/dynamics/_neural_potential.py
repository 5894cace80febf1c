"""The potential energy of a body on a neural field, and its minimum."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from neuralpde.dynamics._contact_parts import rigidity
from neuralpde.dynamics._element_points import ElementPoints
from neuralpde.dynamics._field_boundary import BoundaryEnergy
from neuralpde.dynamics._field_contact import contact_energies
from neuralpde.dynamics._field_damping import FieldDamping
from neuralpde.dynamics._field_energy import FieldEnergy
from neuralpde.dynamics._field_moment import Moment
from neuralpde.dynamics._field_watch import Watch
from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.dynamics._potential_space import Inertia, PotentialSpace
from neuralpde.dynamics._stage_energy import StageEnergy
from neuralpde.fields import Jet
from neuralpde.geometry import MeshDomain
from neuralpde.integrators import Stage
from neuralpde.optimize import EnergySolution, GaussNewton, NaturalGradient, natural_gradient
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

UNSTRAINED = 1e-8
"""A strain that counts as none."""

SETTLED, FOLLOWED = 3e-3, 20
"""Change of a state from one minimum to the next, as a share, below which what follows has settled; most minima."""

ROUNDS, CLOSE = 5, 1e-2
"""Times that a step's iterations begin anew, and its error from which on they do not: an impact takes many of them."""


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
        usual = STEP if problem.time_order else STATIC
        self.fit_options = usual if fit is None else _completed(fit, usual)
        p, floats = representation.num_dofs, representation.channels * representation.dim
        self.points = DENSITY * p if points is None else points
        if self.points * floats < p:
            raise UsageError(f"{points} points cannot determine {p} weights; use points ≥ {DENSITY * p}.")
        self._begin: Tensor | None = None
        self._frozen: tuple[tuple[Moment, Tensor], ...] = ()
        self._ended: tuple[float, Tensor] | None = None
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
    def _inner(self) -> ElementPoints:
        """The points inside."""
        return ElementPoints(self.elements, self.body.quadrature.points)

    @cached_property
    def damping(self) -> FieldDamping | None:
        """Of a motion."""
        problem = self.problem
        if not isinstance(problem, ElasticBody) or problem.damping is None:
            return None
        return FieldDamping(problem, self.form, self._inner.x, *self._inner.places)

    def at_points(self, nodal: Tensor) -> Tensor:
        """Values ``(N, d)`` of the nodes at the points inside, ``(n, d)``."""
        return self._inner.values(nodal)

    @cached_property
    def density(self) -> Tensor:
        """ρ at the points inside, ``(n,)``."""
        return self.problem.mass_density(self.body.quadrature.points)

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
        for group, _, pull in self.body.pulls(t, theta):
            total = total + ElementPoints(self.elements, group.x).gathered(group.weights[:, None] * pull, total)
        return total if self.damping is None else total - self.damping.force(velocity)

    def damp(self, t: float, values: Tensor) -> None:
        if self.damping is not None:
            self.damping.freeze(t, values)

    def damping_power(self, velocity: Tensor) -> float:
        return 0.0 if self.damping is None else float((velocity * self.damping.force(velocity)).sum())

    def lag(self, t: float, theta: Tensor, velocity: Tensor) -> None:
        self._begin = theta
        self._freeze(Moment(t), theta)
        self.follow(t, self.nodal(t, theta))

    def _freeze(self, when: Moment, theta: Tensor, begins: bool = True) -> None:
        """Take what is frozen on the boundary, at the beginning of a step or later in it."""
        self._frozen = ((when, theta),) if begins else (self._frozen[0], (when, theta))
        self.body.freeze(when, theta, begins)

    def follow(self, t: float, values: Tensor) -> None:
        self.form.lag(values)

    @property
    def parts(self) -> tuple[BoundaryEnergy, ...]:  # type: ignore[override]
        return tuple(energy for _, energy in self.body.surfaces)

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        return self.body.shares(t, theta)

    def outputs(self, t: float, theta: Tensor) -> dict[str, float]:
        """The least gap of every contact at its points in m, and its force and that of friction by components in N."""
        return self.body.touches(t, theta)

    def rubbed(self, t: float, values: Tensor) -> float:
        return 0.0 if self._ended is None else self.body.heat(*self._ended)

    def driven(self, before: tuple[float, Tensor], after: tuple[float, Tensor]) -> float:
        moved = 0.0 if self._ended is None else self.body.shifted(before[0], *self._ended)
        return moved + self.form.worked(before, after)

    def minimise(self, t: float, guess: Tensor, inertia: Inertia | None = None, last: Tensor | None = None) -> Stage:
        if inertia is None:
            return self._rested(t, guess)
        mass, target = inertia.mass * self.density, self.at_points(inertia.target)
        drag = None if self.damping is None else self.damping.drag(inertia.rate, inertia.origin)
        way = target if last is None else target - self.at_points(last)
        kinetic = 0.5 * float((self.body.quadrature.weights * mass) @ way.square().sum(1))
        energy = StageEnergy(self.body, Moment(t), mass, target, drag, floor=kinetic + self._least)
        starts = [guess] if self._begin is None else [guess, self._begin]
        stage = self._moved(energy, min(starts, key=lambda theta: _finite(energy.value(theta))))
        self._ended = (t, stage.theta)
        return stage

    @cached_property
    def _least(self) -> float:
        """The energy of a strain that counts as none."""
        if not isinstance(self.problem, ElasticBody):
            return 0.0
        return UNSTRAINED**2 * rigidity(self.problem) * float(self.body.quadrature.weights.sum())

    def _rested(self, t: float, guess: Tensor) -> Stage:
        """The state at rest. What follows it is taken anew from every minimum, until that stays where it is."""
        theta, iterations, done = self._at_rest(guess), 0, 0.0
        self._freeze(Moment(t, 0.0), theta)
        follows = any(energy.follows for energy in self.parts)
        while done < 1.0:
            factor = self._bearable(t, theta, done)
            found = self._raised(t, factor, theta, rough=follows or factor < 1.0)
            iterations += found.iterations
            theta, done = found.theta, factor
            if found.status is Status.NON_FINITE:
                break
        if follows and found.status is not Status.NON_FINITE:
            return self._settled(t, theta, iterations)
        return self._stage(found, iterations, self.body.strain(t, theta) + self._least)

    def _settled(self, t: float, theta: Tensor, iterations: int) -> Stage:
        """The state at rest with what follows it taken from itself: from one minimum for the next, until they agree."""
        change, rough, before = math.inf, True, self.nodal(t, theta)
        for _ in range(FOLLOWED):
            self._freeze(Moment(t), theta, begins=False)
            found = self._raised(t, 1.0, theta, rough)
            iterations, theta = iterations + found.iterations, found.theta
            after = self.nodal(t, theta)
            change = float((after - before).norm() / after.norm().clamp(min=1e-300))
            if not rough and change <= SETTLED:
                return self._stage(found, iterations, self.body.strain(t, theta) + self._least)
            rough, before = change > SETTLED, after
        return Stage(theta, Status.UNSETTLED, change, iterations, found.history)

    def _moved(self, energy: StageEnergy, theta: Tensor) -> Stage:
        """The minimum that ends a stage."""
        iterations = 0
        for _ in range(ROUNDS):
            found = natural_gradient(energy, theta, self.fit_options)
            iterations, theta = iterations + found.iterations, found.theta
            stage = self._stage(found, iterations, energy.size(theta))
            if found.status is not Status.MAXITER or stage.residual <= CLOSE:
                break
        return stage

    def _bearable(self, t: float, theta: Tensor, done: float) -> float:
        """The largest factor of loads and supports, of some, whose energy is finite at the start."""
        factor = 1.0
        while factor - done > SMALLEST:
            if math.isfinite(StageEnergy(self.body, Moment(t, factor)).value(theta)):
                return factor
            factor = done + EASY * (factor - done)
        return 1.0

    def _raised(self, t: float, factor: float, theta: Tensor, rough: bool) -> EnergySolution:
        """The minimum at a factor of the loads, with more points where energies of others disagree."""
        options = replace(self.fit_options, rtol=1e-3, stall=1e-2) if rough else self.fit_options
        when, iterations = Moment(t, factor), 0
        while True:
            energies = [
                StageEnergy(body, when, floor=self._least) for body in (self._denser(2 * self.points), self.body)
            ]
            watch = Watch(energies[0], energies[1], theta)
            found = natural_gradient(energies[1], theta, options, watch)
            iterations += found.iterations
            if not watch.parts(found.theta, found.energy) or self.points >= MOST * self.representation.num_dofs:
                return replace(found, iterations=iterations)
            theta, self.points = watch.theta, 4 * self.points
            self.body = self._denser(self.points)

    def _denser(self, points: int) -> FieldEnergy:
        made = FieldEnergy(self.problem, self.representation, points, contact_energies(self.problem), seed=points)
        for number, state in enumerate(self._frozen):
            made.freeze(*state, begins=number == 0)
        return made

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


def _completed(fit: NaturalGradient, usual: NaturalGradient) -> NaturalGradient:
    """Options with the usual ones where they leave it to the problem."""
    scaling = usual.scaling if fit.scaling is None else fit.scaling
    return replace(fit, scaling=scaling, settle=usual.settle if fit.settle is None else fit.settle)


def _finite(energy: float) -> float:
    """For comparisons: what is no number is the highest."""
    return energy if math.isfinite(energy) else math.inf
