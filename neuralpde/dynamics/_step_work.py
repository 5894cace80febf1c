"""What a step of a body has turned into heat, and the work that supports, obstacles and loads have done in it."""

from __future__ import annotations

import torch

from neuralpde.dynamics._nodal_motion import NodalMotion
from neuralpde.integrators import State


class StepWork:
    """Heat and work of one step of a motion, from the states at its ends.

    The power of a body is d/dt (T + Π) = v·r + ∂Π/∂t − v·C v − friction, r = M a + ∂Π/∂u + C v what supports push with.
    Over a step

    - supports that move do Δu·(M Δv/dt + mean of ∂Π/∂u + C v at both ends), of order 2;
    - loads do −Δg·(mean of u) where they change in time, and where they follow the body what their energy does not
      tell, of order 2; to rounding what Newmark's average acceleration makes of a linear body;
    - obstacles that move do their force at the end of the step times their shift, of order 1. So the impulses of
      contact count as implicit Euler's and Newmark's methods have them.

    Args:
        motion: at the nodes.
    """

    def __init__(self, motion: NodalMotion) -> None:
        self.motion, self.space = motion, motion.space

    def dissipated(self, before: State, after: State) -> float:
        """∫ v·C v dt with the damping frozen at the beginning and the mean velocity, and what friction took."""
        (_, first), (u, last) = (self.motion.nodal(state) for state in (before, after))
        return (after.t - before.t) * self.space.damping_power(0.5 * (first + last)) + self.space.rubbed(after.t, u)

    def driven(self, before: State, after: State) -> float:
        """The work that supports, obstacles and changing loads have done on the body."""
        (u, _), (w, _) = (self.motion.nodal(state) for state in (before, after))
        return self.space.driven((before.t, u), (after.t, w)) + self._supports(before, after)

    def _supports(self, before: State, after: State) -> float:
        (u, v), (w, z) = (self.motion.nodal(state) for state in (before, after))
        moved = torch.where(self.motion.velocity.fixed, w - u, 0.0)
        if not bool(moved.any()):
            return 0.0
        forces = []
        for state, place, speed in ((before, u, v), (after, w, z)):
            self.space.follow(state.t, place)
            forces.append(self.space.force(state.t, self.motion.split(state.theta)[0], speed))
        pull = self.motion.weighed((z - v) / (after.t - before.t)) - 0.5 * (forces[0] + forces[1])
        return float((moved * pull).sum())
