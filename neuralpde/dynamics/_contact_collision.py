"""How far a body may move along a step before something touches."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._contact_gaps import Gaps

KEPT = 0.1
"""Share of a gap that is left at least after one step of Newton's method."""

ADVANCES = 200
"""Most advances of one detection; what it has found by then is safe too."""


def longest_step(gaps: Gaps, places: Tensor, step: Tensor) -> float:
    """The largest s ≤ 1, or nearly, up to which every gap keeps a tenth of what it is now.

    Additive conservative advancement: in Δs a gap shrinks by its greatest speed times Δs at most, so that much of the
    way is safe, whatever lies between the places before and after.

    Args:
        gaps: of one contact.
        places: control points ``(N, d)``.
        step: how they move at s = 1, ``(N, d)``.

    Source: Li, Kaufman & Jiang, Codimensional incremental potential contact, ACM Trans. Graph. 40 (2021), section 5.
    """
    fastest = float(step.norm(dim=-1).max()) if len(step) else 0.0
    if fastest == 0:
        return 1.0
    control, _ = gaps.near(places, 2 * fastest * (1 + 1e-9))
    if not len(control):
        return 1.0
    x, move = places[control], step[control]
    speed, now = gaps.speed(move), gaps.gap(x)
    if bool((now <= 0).any()):
        return 0.0
    hit = speed > (1 - KEPT) * now
    x, move, speed, left = x[hit], move[hit], speed[hit], KEPT * now[hit]
    s, best = torch.zeros_like(left), 1.0
    for _ in range(ADVANCES):
        room = gaps.gap(x + s[:, None, None] * move) - left
        arrived = room <= 1e-3 * left  # so near to its tenth that it is there
        if bool(arrived.any()):
            best = min(best, float(s[arrived].min()))
        s = s + room.clamp(min=0) / speed
        going = ~arrived & (s < best)
        if not bool(going.any()):
            return best
        x, move, speed, left, s = x[going], move[going], speed[going], left[going], s[going]
    return min(best, float(s.min()))
