"""Element matrices from the coefficients of a bilinear form at quadrature points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]
"""Coefficients at q points (or one for all) of e elements: ``"uu"`` ``(e, q, c, c)``, ``"ug"`` ``(e, q, c, c, d)``,
``"gu"`` ``(e, q, c, d, c)`` and ``"gg"`` ``(e, q, c, d, c, d)``; the first letter is the test function's, u its value
and g its gradient. Parts that are missing are zero."""


class ElementMatrices:
    """∫ (φ_i, ∇φ_i)ᵀ S (φ_j, ∇φ_j) of every element.

    S is pulled back to the reference element, Ŝ = |J| T S Tᵀ with T = diag(1, J⁻¹). What is left is the same for all
    elements: one product of Ŝ with a table of the reference element, Σ_q w_q B̂_i B̂_j. Where ∇φ and J are constant,
    S is summed over the points first.

    Args:
        values: φ at the points of the reference element, ``(q, k)``.
        slopes: its reference gradients, ``(q, k, d)``; q is 1 where they are constant.
    """

    def __init__(self, values: Tensor, slopes: Tensor) -> None:
        self.values, self.slopes = values, slopes

    @cached_property
    def _tables(self) -> dict[str, Tensor]:
        """Per part Σ over (q, test's axes, trial's axes) of B̂_i B̂_j, ``(…, k k)``."""
        basis = {"u": self.values[:, None], "g": self.slopes.transpose(1, 2)}
        out = {}
        for part in ("uu", "ug", "gu", "gg"):
            left, right = basis[part[0]], basis[part[1]]
            out[part] = (left[:, :, None, :, None] * right[:, None, :, None, :]).flatten(3).flatten(0, 2)
        return out

    def __call__(self, parts: Parts, weights: Tensor, inverse: Tensor) -> Tensor:
        """Matrices ``(c, c, e, k k)`` of elements.

        Args:
            parts: of S.
            weights: of the points times det J, ``(e, q)``.
            inverse: ∂ξ_a/∂x_i, ``(e, q, d, d)``; q is 1 where it is constant.
        """
        total = None
        for name, part in parts.items():
            if name == "gg" and part.shape[1] == 1 == inverse.shape[1]:
                matrix = self._constant(part[:, 0], weights, inverse[:, 0])
            else:
                flat = self._pulled_back(name, part, weights, inverse)
                matrix = flat.reshape(*flat.shape[:3], -1) @ self._tables[name]
            total = matrix if total is None else total.add_(matrix)
        assert total is not None
        return total

    def of_rows(self, pulled: Tensor) -> Tensor:
        """Matrices ``(c, c, e, k k)`` of ∫ ∇φ_i S ∇φ_j from Ŝ with the weights, its points and elements running last.

        Args:
            pulled: ``(c, c, d, d, q, e)``, as wide as the reference gradients' q or wider where these are constant.
        """
        c, q, e = pulled.shape[0], pulled.shape[-2], pulled.shape[-1]
        if len(self.slopes) == 1 < q:
            pulled = pulled.sum(-2, keepdim=True)
        rows = pulled.reshape(c * c, -1, e)
        return (rows.transpose(1, 2) @ self._rows).reshape(c, c, e, -1)

    def of_pairs(self, pulled: Tensor) -> Tensor:
        """Those of the pairs i < j of an element's nodes alone, elements running last, ``(c, c, k (k − 1)/2, e)``."""
        c, e = pulled.shape[0], pulled.shape[-1]
        if len(self.slopes) == 1 < pulled.shape[-2]:
            pulled = pulled.sum(-2, keepdim=True)
        return (self._pair_rows @ pulled.reshape(c * c, -1, e)).reshape(c, c, -1, e)

    @cached_property
    def _pair_rows(self) -> Tensor:
        """The table of ∇φ_i ∇φ_j for i < j, ``(k (k − 1)/2, d d q)``."""
        k = self.slopes.shape[1]
        i, j = torch.triu_indices(k, k, 1)
        return self._rows[:, i * k + j].T.contiguous()

    @cached_property
    def _rows(self) -> Tensor:
        """The table of ∇φ_i ∇φ_j with its points behind its axes, ``(d d q, k k)``."""
        q, _, d = self.slopes.shape
        return self._tables["gg"].reshape(q, d * d, -1).transpose(0, 1).reshape(d * d * q, -1).contiguous()

    def _constant(self, part: Tensor, weights: Tensor, inverse: Tensor) -> Tensor:
        """Where S and J are constant: |J| J⁻¹ S J⁻ᵀ with the matrix of the reference element, without quadrature; S may
        be the same for all elements, ``(1, c, d, c, d)``."""
        e, c, d = len(inverse), part.shape[1], inverse.shape[-1]
        shares = weights[0] / weights[0].sum()
        slopes = self.slopes.expand(len(shares), -1, -1)
        reference = torch.einsum("q,qia,qjb->abij", shares, slopes, slopes).reshape(d * d, -1)
        scaled = inverse * weights.sum(1)[:, None, None]
        if len(part) == 1 and c > 1:
            pairs = (scaled[:, :, None, :, None] * inverse[:, None, :, None, :]).reshape(-1, d * d)
            pulled = part[0].permute(0, 2, 1, 3).reshape(c * c, d * d) @ pairs.T
        else:
            half = scaled[:, None] @ part.reshape(-1, c, d, c * d)
            whole = (half.reshape(e, c * d * c, d) @ inverse.mT).reshape(e, c, d, c, d)
            pulled = whole.permute(1, 3, 0, 2, 4)
        return (pulled.reshape(c * c * e, d * d) @ reference).reshape(c, c, e, -1)

    def _pulled_back(self, name: str, part: Tensor, weights: Tensor, inverse: Tensor) -> Tensor:
        """Ŝ with the weights, ``(c, c, e, q, …)``."""
        e, c, q, d = len(part), part.shape[2], weights.shape[1], inverse.shape[-1]
        shape = part.shape[2:]
        flat = part.expand(-1, q, *shape).flatten(2)
        if name == "gg" and len(self.slopes) == 1 == inverse.shape[1]:
            q, flat = 1, weights[:, None] @ flat
        else:
            flat = weights[..., None] * flat
        across = inverse.expand(-1, q, -1, -1)
        if name[0] == "g":
            flat = across[:, :, None] @ flat.reshape(e, q, c, d, -1)
        if name[1] == "g":
            flat = flat.reshape(e, q, -1, d) @ across.mT
        weighted = flat.reshape(e, q, *shape)
        if name == "uu":
            return weighted.permute(2, 3, 0, 1)
        if name == "ug":
            return weighted.permute(2, 3, 0, 1, 4)
        if name == "gu":
            return weighted.permute(2, 4, 0, 1, 3)
        return weighted.permute(2, 4, 0, 1, 3, 5)
