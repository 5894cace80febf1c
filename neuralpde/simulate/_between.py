"""Fields between saved times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuralpde.fields import Field, FieldSum


def between_times(t: float, times: Sequence[float], fields: Sequence[Field]) -> FieldSum:
    """Σ_j ℓ_j(t) u_j: the Lagrange polynomial in time through fields u_j at times t_j; its order is their number."""
    weights = [
        math.prod((t - times[k]) / (times[j] - times[k]) for k in range(len(times)) if k != j)
        for j in range(len(times))
    ]
    return FieldSum(weights, fields)
