"""Whether an equilibrium is stable, and the way from one that is not."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs, eigsh, lobpcg
from torch import Tensor

from neuralpde.dynamics._body_energy import BodyEnergy
from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._finite_element_systems import FiniteElementSystems
from neuralpde.dynamics._minimise import minimise
from neuralpde.dynamics._potential_space import PotentialSpace
from neuralpde.dynamics._potentials import Matrix
from neuralpde.dynamics._static_friction import StaticFriction
from neuralpde.integrators import Stage
from neuralpde.types import NotConvergedError

PUSH, HALVINGS = 1e-2, 12
"""Share of the body's size by which it is pushed out of a saddle point, and how often that is halved."""

TRIES, MODES, WAY = 4, 4, 100
"""Saddle points that are left one after the other, eigenvalues nearest to zero that are looked at, and most iterations
of the way from there, which is long where the body buckles far."""

CYCLES = 40
"""Iterations of LOBPCG, each with a multigrid cycle for every mode: some eight solves."""

ROUNDING = 1e-12
"""Eigenvalue over the largest entry of the diagonal that may be rounding."""

LEFT = (
    "the equilibrium that Newton's method reached was not stable (a saddle point of the energy: the body buckles); it "
    "was left for one that is, of mirror images the one that rounding chose: a small load or a flaw of the shape "
    "decides it"
)
STAYED = (
    "this equilibrium is not stable: the matrix of stiffness has a negative eigenvalue ({:.3g}), so the body buckles "
    "or snaps through; give it a small flaw or a guess=, or simulate its motion"
)


def settled(space: PotentialSpace, stage: Stage, leave: bool = True) -> tuple[Stage, tuple[str, ...]]:
    """A minimum of the energy where an equilibrium is a saddle point, and what to note about that.

    The exact Hessian tells: by the pivots of its LU factors (Sylvester's law), and of systems that are solved by a
    Krylov method by its least eigenvalue (LOBPCG with their multigrid). Friction is frozen for that, and what is found
    only noted, because the way matters there. Pressures that follow the body have no energy: of them a negative real
    eigenvalue is noted, and nothing left; with a Krylov method nothing is told.

    Args:
        space: the body's.
        stage: an equilibrium under the whole load.
        leave: whether a saddle point is left, or only noted.

    Source: Wriggers, Nonlinear Finite Element Methods (2008), section 7.1, for stability by the tangent's inertia;
    Knyazev, Toward the optimal preconditioned eigensolver (2001).
    """
    if not isinstance(space, FiniteElementPotential) or space.linear:
        return stage, ()
    rubs = any(isinstance(part, StaticFriction) for part in space.parts)
    follows, notes = bool(space.form.followers), list[str]()
    for _ in range(TRIES):
        energy = BodyEnergy(space, 0.0, None)
        found = _negative(energy, stage.theta, follows)
        if found is None:
            return stage, tuple(notes)
        value, direction = found
        lower = None if follows or rubs or not leave else _lower(space, energy, stage, direction)
        if lower is None:
            return stage, (*notes, STAYED.format(value))
        stage, notes = lower, [LEFT]
    return stage, tuple(notes)


def _negative(energy: BodyEnergy, theta: Tensor, follows: bool) -> tuple[float, Tensor] | None:
    """A negative eigenvalue of the stiffness with its eigenvector; None where there is none."""
    matrix = energy.tangent(theta) if follows else energy.hessian(theta)
    if matrix.shape[0] <= MODES + 1:
        return None
    if energy.body.systems.iterates(matrix):
        return None if follows else _least(energy.body.systems, matrix, theta)
    if not follows and energy.definite(theta):
        return None
    matrix = matrix.tocsc()
    try:
        values, vectors = (eigs if follows else eigsh)(matrix, k=MODES, sigma=0.0, v0=np.ones(matrix.shape[0]))
    except (ArpackError, RuntimeError):  # it does not converge, or the matrix is singular
        return None
    real = np.abs(values.imag) <= 1e-8 * np.abs(values)
    lowest = int(np.argmin(np.where(real, values.real, np.inf)))
    if not (real[lowest] and values[lowest].real < -ROUNDING * abs(matrix.diagonal()).max()):
        return None
    return float(values[lowest].real), torch.as_tensor(np.ascontiguousarray(vectors[:, lowest].real)).to(theta)


def _least(systems: FiniteElementSystems, matrix: Matrix, theta: Tensor) -> tuple[float, Tensor] | None:
    """A negative eigenvalue of a large symmetric matrix; None where none is found: Ritz values lie above the least one,
    so a negative one is a proof."""
    try:
        M = systems.factors(matrix, once=True).M
    except NotConvergedError:
        return None
    if isinstance(M, str):  # the diagonal is not positive: its least entry is a Ritz value
        return None

    def cycled(x: np.ndarray) -> np.ndarray:
        columns = torch.as_tensor(x.reshape(len(x), -1).T.copy())
        return torch.stack([M.matvec(column) for column in columns], 1).numpy()

    size = matrix.shape[0]
    start = cycled(np.random.default_rng(0).standard_normal((size, MODES)))
    operator = LinearOperator((size, size), matvec=cycled, matmat=cycled, dtype=np.float64)
    with warnings.catch_warnings():  # it tells that it was stopped before its tolerance
        warnings.simplefilter("ignore")
        values, vectors = lobpcg(matrix, start, M=operator, largest=False, tol=None, maxiter=CYCLES)
    lowest = int(np.argmin(values))
    if not values[lowest] < -ROUNDING * abs(matrix.diagonal()).max():
        return None
    return float(values[lowest]), torch.as_tensor(np.ascontiguousarray(vectors[:, lowest])).to(theta)


def _lower(space: FiniteElementPotential, energy: BodyEnergy, stage: Stage, direction: Tensor) -> Stage | None:
    """A minimum below a saddle point, which a push along the direction leads to."""
    nodes, top = space.representation.nodes, energy.energy(stage.theta)[0]
    length = PUSH * float((nodes.amax(0) - nodes.amin(0)).norm()) / float(direction.abs().max())
    for _ in range(HALVINGS):
        start = stage.theta + length * direction
        if energy.longest(stage.theta, -length * direction) >= 1.0 and energy.energy(start)[0] < top:
            found = minimise(energy, start, space.newton.rtol, max(space.newton.most, WAY))
            if not found.status.ok or space.inverted(0.0, found.theta) or energy.energy(found.theta)[0] >= top:
                return None
            joined = (*stage.history, *found.history)
            return replace(found, iterations=stage.iterations + found.iterations, history=joined)
        length *= 0.5
    return None
