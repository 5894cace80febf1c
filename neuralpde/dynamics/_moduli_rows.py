"""Elastic moduli at the points of elements, points and elements as the last axes: long rows for every operation."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.problems import Moduli, contracted
from neuralpde.representations import ElementMatrices, Tables


def gradient_rows(table: Tables, values: Tensor) -> Tensor:
    """∇u at points of nodal values with components first, ``(c, N)``: ``(c, d, q e)``."""
    (e, q), c, d = table.weights.shape, len(values), table.inverse.shape[-1]
    local = torch.stack([row.index_select(0, table.dof_rows) for row in values]).reshape(c, -1, e)  # (c, k, e)
    slopes = table.slopes[0]
    along = (slopes.transpose(1, 2).reshape(-1, slopes.shape[1]) @ local).reshape(c, len(slopes), d, e)
    grad = contracted(along.transpose(1, 2), table.inverse_rows.transpose(0, 1))  # (c, α, q, e) and (J, α, q, e)
    return grad.expand(-1, -1, q, -1).reshape(c, d, q * e)


def pulled_back(moduli: Moduli, table: Tables) -> Tensor:
    """−w J⁻¹ A J⁻ᵀ of moduli A, ``(c, c, d, d, q, e)``."""
    e, q = table.weights.shape
    inverse = table.inverse_rows.expand(-1, -1, q, -1).flatten(2)
    return moduli.entries(inverse, -table.weight_rows).unflatten(-1, (q, e))


def pair_blocks(moduli: Moduli, table: Tables, made: ElementMatrices) -> Tensor:
    """−∫ ∇φ_i A ∇φ_j of moduli A for i < j, ``(c, c, k (k − 1)/2, e)``."""
    if table.weights.shape[1] > 1 or table.slopes.shape[1] > 1:
        return made.of_pairs(pulled_back(moduli, table))
    k = table.dofs.shape[1]
    i, j = torch.triu_indices(k, k, 1)
    return moduli.pairs(table.gradient_rows, -table.weight_rows, i, j)
