"""The potential energy of a body on finite elements, and its minimum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._body_energy import BodyEnergy
from neuralpde.dynamics._elliptic import elliptic_multigrid
from neuralpde.dynamics._equilibrium import Equilibrium
from neuralpde.dynamics._finite_element_systems import FiniteElementSystems, Iteration
from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.dynamics._minimise import minimise
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._potential_space import Inertia, PotentialSpace
from neuralpde.dynamics._potentials import ElasticPotential, Potential
from neuralpde.integrators import Stage
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import Status

MATRICES = 2
"""Factors of matrices that are kept: those of two lengths of steps."""

CONTRACTION = 0.7
"""Where a minimum with what follows the body taken from the one before misses the equilibrium by more than that part of
what the one before missed it by, no more of them are made."""

FIRST = 50
"""Most iterations for each of them: a body that slides away has none."""


class FiniteElementPotential(PotentialSpace):
    """Π(t, u) = Σ of potentials of the nodal displacements, minimised by Newton's method.

    Args:
        problem: of an elastic body.
        representation: of its displacement.
        form: the body's weak form, with its loads.
        newton: options of Newton's method.
        others: potentials beside the body's own: contacts.
        mass: ∫ ρ φ_i φ_j of all unknowns; None in statics.
    """

    def __init__(
        self,
        problem: Problem,
        representation: FiniteElementField,
        form: LoadedForm,
        newton: Newton,
        others: Sequence[Potential] = (),
        mass: sp.csr_matrix | None = None,
    ) -> None:
        self.problem, self.representation, self.form, self.newton = problem, representation, form, newton
        self.parts: tuple[Potential, ...] = (ElasticPotential(form), *others)
        self.mass = mass
        self.linear = bool(getattr(problem, "linear", False))
        self.damping: sp.csr_matrix | None = None
        self.systems = FiniteElementSystems(
            problem.name, representation.dim, newton, partial(elliptic_multigrid, problem, representation)
        )
        self._held: tuple[float, Tensor] | None = None
        self.checked = False
        """Whether the supports have been seen to hold the body."""
        self.kept: dict[tuple[float, float], SuperLU | Iteration] = {}
        """Factors of matrices that do not change, by mass and rate."""

    def keep(self, key: tuple[float, float], factors: SuperLU | Iteration) -> None:
        """Keep the factors of a matrix, and those of one other at most."""
        while len(self.kept) >= MATRICES:
            self.kept.pop(next(iter(self.kept)))
        self.kept[key] = factors

    @cached_property
    def free_mass(self) -> sp.csr_matrix:
        """The mass of the free unknowns."""
        assert self.mass is not None
        free = self.representation.free_dofs
        return self.mass[free][:, free].tocsr()

    @property
    def free_damping(self) -> sp.csr_matrix:
        """The damping matrix of the free unknowns."""
        assert self.damping is not None
        free = self.representation.free_dofs
        return self.damping[free][:, free]

    def nodal(self, t: float, theta: Tensor) -> Tensor:
        """Displacements of all nodes; what supports hold by the factor of the loads."""
        if self._held is None or self._held[0] != t:
            self._held = (t, self.representation.values(torch.zeros_like(theta), t))
        return self.form.factor * self._held[1] + self.representation.extended(theta)

    def place(self, t: float, nodal: Tensor, guess: Tensor) -> Stage:
        return Stage(self.representation.free_part(nodal))

    def weighed(self, values: Tensor) -> Tensor:
        """M u of nodal values ``(N, d)``."""
        assert self.mass is not None
        product = self.mass @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def damped(self, values: Tensor) -> Tensor:
        """C v of nodal velocities ``(N, d)``; zero without damping."""
        if self.damping is None:
            return torch.zeros_like(values)
        product = self.damping @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def force(self, t: float, theta: Tensor, velocity: Tensor) -> Tensor:
        values = self.nodal(t, theta)
        return -torch.stack([part.gradient(t, values) for part in self.parts]).sum(0) - self.damped(velocity)

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        values = self.nodal(t, theta)
        self.follow(t, values)
        strain, loads = self.form.energies(t, values)
        out = {"elastic": strain, "external": loads}
        for part in (part for part in self.parts[1:] if part.stores):
            out[part.name] = out.get(part.name, 0.0) + part.energy(t, values)
        return out

    def outputs(self, t: float, theta: Tensor) -> dict[str, float]:
        values = self.nodal(t, theta)
        return {name: value for part in self.parts for name, value in part.outputs(t, values).items()}

    def lag(self, t: float, theta: Tensor, velocity: Tensor) -> None:
        values = self.nodal(t, theta)
        for part in self.parts:
            part.lag(t, values)

    def damp(self, t: float, values: Tensor) -> None:
        damping = getattr(self.problem, "damping", None)
        if damping is not None and (self.damping is None or not self.linear):
            found = [k for part in self.parts if (k := part.damping_stiffness(t, values)) is not None]
            self.damping = (damping.mass * self.mass + damping.stiffness * sum(found[1:], start=found[0])).tocsr()

    def damping_power(self, velocity: Tensor) -> float:
        return float((velocity * self.damped(velocity)).sum())

    def follow(self, t: float, values: Tensor) -> None:
        self.form.lag(values)

    def rubbed(self, t: float, values: Tensor) -> float:
        return sum(part.dissipated(t, values) for part in self.parts)

    def driven(self, before: tuple[float, Tensor], after: tuple[float, Tensor]) -> float:
        moved = sum(part.driven(before[0], *after) for part in self.parts)
        energies, forces = zip(*(self._loaded(*at) for at in (before, after)), strict=True)
        return moved + energies[1] - energies[0] + 0.5 * float(((forces[0] + forces[1]) * (after[1] - before[1])).sum())

    def _loaded(self, t: float, values: Tensor) -> tuple[float, Tensor]:
        """Energy and forces of the loads at a state."""
        self.follow(t, values)
        return self.form.load_energy(t, values), self.form.loads(t, values)

    def inverted(self, t: float, theta: Tensor) -> bool:
        """Whether an element is turned inside out somewhere, det F ≤ 0; of small displacements it is not asked."""
        return not self.linear and self.form.least_volume(self.nodal(t, theta)) <= 0

    def minimise(self, t: float, guess: Tensor, inertia: Inertia | None = None, last: Tensor | None = None) -> Stage:
        objective, (rtol, maxiter) = BodyEnergy(self, t, inertia), (self.newton.rtol, self.newton.most)
        start = objective.start(guess, last)
        if start is None:
            return Stage(guess, Status.BLOCKED, math.inf, 0)
        if not any(part.follows for part in self.parts):
            return minimise(objective, start, rtol, maxiter)
        stages = [minimise(objective, start, rtol, min(maxiter, FIRST))]
        equilibrium, before = Equilibrium(objective, maxiter), math.inf
        while True:
            held = stages[-1].status.ok
            begin = stages[-1].theta if held else start
            stages.append(equilibrium.solved(begin, rtol))
            slow = not stages[-1].history[0] <= CONTRACTION * before
            if stages[-1].status.ok or not held or slow:
                return _joined(stages)
            before = stages[-1].history[0]
            objective.relag(begin)
            stages.append(minimise(objective, begin, rtol, min(maxiter, FIRST)))


def _joined(stages: Sequence[Stage]) -> Stage:
    """Several rounds of Newton's method as one stage."""
    history = tuple(norm for stage in stages for norm in stage.history)
    return replace(stages[-1], iterations=sum(stage.iterations for stage in stages), history=history)
