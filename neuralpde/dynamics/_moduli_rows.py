"""Elastic moduli at the points of elements, points and elements as the last axes: long rows for every operation."""

from __future__ import annotations

from torch import Tensor

from neuralpde.problems import Moduli, contracted
from neuralpde.representations import Tables


def gradient_rows(table: Tables, values: Tensor) -> Tensor:
    """∇u at points, ``(c, d, q e)``."""
    (e, q), d = table.weights.shape, table.inverse.shape[-1]
    local, slopes = values[table.dofs].permute(2, 1, 0), table.slopes[0]  # (c, k, e)
    along = (slopes.transpose(1, 2).reshape(-1, slopes.shape[1]) @ local).reshape(len(local), len(slopes), d, -1)
    grad = contracted(along.transpose(1, 2), table.inverse.permute(3, 2, 1, 0))  # (c, α, q, e) and (J, α, q, e)
    return grad.expand(-1, -1, q, -1).reshape(len(local), d, q * e)


def pulled_back(moduli: Moduli, table: Tables) -> Tensor:
    """−w J⁻¹ A J⁻ᵀ of moduli A, ``(c, c, d, d, q, e)``."""
    e, q = table.weights.shape
    inverse = table.inverse.permute(2, 3, 1, 0).expand(-1, -1, q, -1).flatten(2)
    return moduli.entries(inverse, -table.weights.T.reshape(-1)).unflatten(-1, (q, e))
