"""Fields between saved times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from neuralpde.fields import Field, Jet


class BetweenTimes(Field):
    """Σ_j ℓ_j(t) u_j: the Lagrange polynomial in time through fields u_j at times t_j; its order is their number."""

    def __init__(self, t: float, times: Sequence[float], fields: Sequence[Field]) -> None:
        self.fields = fields
        self.weights = [
            math.prod((t - times[k]) / (times[j] - times[k]) for k in range(len(times)) if k != j)
            for j in range(len(times))
        ]

    def __call__(self, x: Tensor) -> Tensor:
        out = self.weights[0] * self.fields[0](x)
        for w, u in zip(self.weights[1:], self.fields[1:], strict=True):
            out = out + w * u(x)
        return out

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        jets = [u.jet(x, needs).parts() for u in self.fields]
        weighted = [{name: w * part for name, part in j.items()} for w, j in zip(self.weights, jets, strict=True)]
        total = weighted[0]
        for parts in weighted[1:]:
            total = {name: total[name] + parts[name] for name in total}
        return Jet(**total)
