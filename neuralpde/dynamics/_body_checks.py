"""What cannot be asked of the supports and loads of an elastic body, as sentences."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.geometry import AXES, Boundary, FreeSlip, Outflow, Periodic, PointLoad, contradictions
from neuralpde.problems import Problem
from neuralpde.types import UsageError

TIMES = (0.0, 0.37, 1.0)
"""Where supports of a motion are looked at, in s."""

ROUNDING = 1e-13
"""A displacement that is none, as a share of the body's length: sin(π) is no number of a support."""


def check_body(problem: Problem, like: Tensor) -> None:
    """Refuse supports that contradict each other where they meet, and values that are no numbers.

    Where a velocity or a temperature jumps at a corner, one value is as good as another; a body would have to tear.

    Args:
        problem: other problems than bodies pass.
        like: a tensor of the kind and place in which functions are asked.

    Raises:
        UsageError: naming the condition, or both supports.
    """
    if "displacement" not in problem.unknowns:
        return
    boundary = Boundary(problem.domain, problem.conditions)
    _check_values(problem, boundary, like)
    times = TIMES if problem.time_order else TIMES[:1]
    rounding = ROUNDING * max(problem.domain.lengths)
    for found in contradictions(boundary, problem.evolving, times, like, rounding):
        place, when = ", ".join(f"{v:.4g}" for v in found.place), f" at t = {found.t:g}" if found.t else ""
        one, other = found.values
        raise UsageError(
            f"the supports {found.first} and {found.second} contradict each other where they meet: at ({place}) "
            f"{found.first} holds u_{AXES[found.component]} at {one:.6g} and {found.second} at {other:.6g}{when}. "
            "Give them values that agree there, let one of them hold other components alone, or leave room between "
            "them."
        )


def _check_values(problem: Problem, boundary: Boundary, like: Tensor) -> None:
    """Look at every condition at a few of its points."""
    pairs = [(name, c) for name in problem.domain.faces for c in boundary.all_on(name)]
    pairs += [(name, c) for name, found in boundary.sets.items() for c in found]
    pairs += [("", load) for load in boundary.loads]
    for name, condition in pairs:
        if isinstance(condition, Periodic | FreeSlip | Outflow):
            continue
        x = torch.tensor([condition.place]) if isinstance(condition, PointLoad) else boundary.places(name, 3)
        x = x.to(like)
        value = condition.at(0.0, x, problem.evolving)
        bad = torch.nonzero(~value.isfinite().all(1))
        if len(bad):
            place = ", ".join(f"{v:.4g}" for v in x[int(bad[0, 0])].tolist())
            raise UsageError(f"{condition.label} is NaN or infinite at t = 0, x = ({place}).")
