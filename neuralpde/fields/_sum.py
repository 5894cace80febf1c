"""Linear combinations of fields."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from neuralpde.fields._field import Field
from neuralpde.fields._jet import Jet


class FieldSum(Field):
    """Σ_j c_j u_j.

    Args:
        weights: c_j.
        fields: u_j.
    """

    def __init__(self, weights: Sequence[float], fields: Sequence[Field]) -> None:
        self.weights, self.fields = tuple(weights), tuple(fields)

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
