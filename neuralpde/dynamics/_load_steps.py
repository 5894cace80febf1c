"""Loads and moved supports raised from nothing to all, in steps as large as Newton's method takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._potential_space import PotentialSpace
from neuralpde.integrators import Stage
from neuralpde.types import Status, UsageError

CUT = 0.25
"""Length of a step over that of one that failed: beyond what a body carries every trial costs many iterations."""

RESOLVED = 1e-2
"""Step over the load that is carried below which that one counts as the largest."""


@dataclass(frozen=True)
class LoadSteps:
    """How loads and moved supports are raised in statics: by a factor from 0 to 1.

    Args:
        first: the first factor that is tried; 1 tries the whole load at once.
        growth: by which a step is longer than one that went well.
        smallest: step below which the load at hand counts as the largest one that the body carries; so does a step
            below a hundredth of that load.
        stable: whether an equilibrium that is not stable (the body buckles or snaps through) is left for one that is;
            if not it is noted.

    A step that fails (Newton's method does not converge, or elements are turned inside out) is quartered.

    Raises:
        UsageError: for numbers out of range.
    """

    first: float = 1.0
    growth: float = 2.0
    smallest: float = 1e-3
    stable: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.smallest <= self.first <= 1 <= self.growth):
            raise UsageError(f"load steps have 0 < smallest ≤ first ≤ 1 ≤ growth; got {self}.")


def raised(space: PotentialSpace, guess: Tensor, options: LoadSteps) -> tuple[Stage, tuple[float, ...]]:
    """The state under the whole load, and the factors of the loads on the way to it.

    Args:
        space: the body's.
        guess: θ to start from, for the whole load at once; steps start from nothing.
        options: of the steps.
    """
    if not isinstance(space, FiniteElementPotential):
        return space.minimise(0.0, guess), ()
    done, step, factors = 0.0, options.first, list[float]()
    theta, count, history = guess, 0, list[float]()
    try:
        while True:
            at = 1.0 if done + step > 1 - 0.5 * options.smallest else done + step
            space.form.factor = done
            last = space.nodal(0.0, theta)
            space.lag(0.0, theta, torch.zeros_like(last))
            space.form.factor = at
            for part in space.parts:
                part.span = at - done
            stage = space.minimise(0.0, theta, None, last)
            count += stage.iterations
            history += stage.history
            ended = replace(stage, iterations=count, history=tuple(history))
            if stage.status.ok and not space.inverted(0.0, stage.theta):
                done, theta = at, stage.theta
                factors.append(at)
                step *= options.growth
                if at == 1.0:
                    return ended, tuple(factors)
                continue
            step *= CUT
            if not done:
                theta = space.representation.initial()
            if step < max(options.smallest, RESOLVED * done):
                return replace(ended, theta=theta, status=_told(ended.status)), tuple(factors)
    finally:
        space.form.factor = 1.0


def _told(status: Status) -> Status:
    """How the raising of a load ended, from how its last step did: what helps a single solve does not help it."""
    if status.ok:  # the minimum itself was found, of a body that is turned inside out
        return Status.INVERTED
    return Status.UNCARRIED if status in (Status.MAXITER, Status.UPHILL) else status
