"""Elastic moduli ∂P/∂F in closed form: sums of a few products, which cost a fraction of their d⁴ entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

Product: TypeAlias = tuple[Tensor | float, Tensor | None, Tensor | None]
"""(c, A, B): a factor ``()`` or ``(n,)``, and tensors ``(d, d, n)``; None is the identity."""


@dataclass(frozen=True)
class Moduli:
    """∂P_aJ/∂F_bL = Σ c Y_ab X_JL + Σ c U_aJ V_bL + Σ c U_aL V_bJ at n points.

    Points are the last axis: every product is then a few operations on long rows. Isotropic materials have two to eight
    terms. What maps the indices J and L (a pull-back to a reference element) maps X, U and V alone.

    Args:
        like: of the gradients' shape ``(d, d, n)``.
        plain: (c, Y, X) of the first sum.
        outer: (c, U, V) of the second.
        crossed: (c, U, V) of the third.
    """

    like: Tensor
    plain: tuple[Product, ...] = ()
    outer: tuple[Product, ...] = ()
    crossed: tuple[Product, ...] = ()

    def __add__(self, other: Moduli) -> Moduli:
        return Moduli(self.like, self.plain + other.plain, self.outer + other.outer, self.crossed + other.crossed)

    def entries(self, inverse: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        """The entries ``(a, b, J, L, n)``, symmetric under (a, J) ↔ (b, L).

        Args:
            inverse: ∂ξ_α/∂x_J ``(d, d, n)``, by which J and L are taken along the axes of a reference element.
            weights: a factor ``(n,)``.
        """
        d, n = self.like.shape[0], self.like.shape[-1]
        eye = torch.eye(d, dtype=self.like.dtype, device=self.like.device)[..., None]
        across = eye if inverse is None else inverse
        metric = eye if inverse is None else contracted(inverse, inverse)
        total = self.like.new_zeros(d, d, d, d, n)
        for c, y, x in self.plain:
            mapped = metric if x is None else _both(x, across, inverse)
            mapped = _scaled(c, weights) * mapped
            if y is None:
                for a in range(d):
                    total[a, a] += mapped
            else:
                total.addcmul_(y[:, :, None, None], mapped[None, None].expand_as(total))
        for c, u, v in self.outer:
            left, right = self._mapped(c, u, v, across, inverse, weights)
            total.addcmul_(left[:, None, :, None], right[None, :, None, :])
        for c, u, v in self.crossed:
            left, right = self._mapped(c, u, v, across, inverse, weights)
            total.addcmul_(left[:, None, None, :], right[None, :, :, None])
        return total

    def pairs(self, gradients: Tensor, weights: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Σ_JL w g_iJ A_aJbL g_jL of pairs (i, j) of vectors g ``(k, d, n)``, ``(a, b, pairs, n)``."""
        d, n = self.like.shape[0], self.like.shape[-1]
        total = self.like.new_zeros(d, d, len(i), n)
        one, two = gradients[i], gradients[j]
        for c, y, x in self.plain:
            turned = two if x is None else contracted(two, x)
            mapped = _scaled(c, weights) * _dot(one, turned)
            if y is None:
                total.diagonal(dim1=0, dim2=1).add_(mapped[..., None])
            else:
                total.addcmul_(y[:, :, None], mapped[None, None].expand_as(total))
        for terms, first, second in ((self.outer, i, j), (self.crossed, j, i)):
            for c, u, v in terms:
                left = gradients.transpose(0, 1) if u is None else contracted(u, gradients)
                right = left if v is u else gradients.transpose(0, 1) if v is None else contracted(v, gradients)
                left = _scaled(c, weights) * left
                total.addcmul_(left[:, first][:, None], right[:, second][None])
        return total

    def _mapped(
        self,
        c: Tensor | float,
        u: Tensor | None,
        v: Tensor | None,
        across: Tensor,
        inverse: Tensor | None,
        weights: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        left = _along(u, across, inverse)
        right = left if v is u else _along(v, across, inverse)
        return _scaled(c, weights) * left, right

    def full(self) -> Tensor:
        """∂P_aJ/∂F_bL as ``(n, d, d, d, d)``, indices in the order a, J, b, L."""
        return self.entries().permute(4, 0, 2, 1, 3)


def _scaled(c: Tensor | float, weights: Tensor | None) -> Tensor | float:
    return c if weights is None else c * weights


def _along(u: Tensor | None, across: Tensor, inverse: Tensor | None) -> Tensor:
    """U_aα = Σ_J U_aJ ∂ξ_α/∂x_J."""
    if u is None:
        return across.transpose(0, 1)
    return u if inverse is None else contracted(u, across)


def _both(x: Tensor, across: Tensor, inverse: Tensor | None) -> Tensor:
    """X_αβ = Σ ∂ξ_α/∂x_J X_JL ∂ξ_β/∂x_L."""
    if inverse is None:
        return x
    return contracted(contracted(across, x.transpose(0, 1)), across)


def contracted(a: Tensor, b: Tensor) -> Tensor:
    """Σ_k a_ik b_jk of ``(i, k, …)`` and ``(j, k, …)``, ``(i, j, …)``: a reduction over a short axis would be slow."""
    total = a[:, None, 0] * b[None, :, 0]
    for k in range(1, a.shape[1]):
        total = total.addcmul_(a[:, None, k], b[None, :, k])
    return total


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Σ_k a_pk b_pk of ``(p, k, n)``, ``(p, n)``."""
    total = a[:, 0] * b[:, 0]
    for k in range(1, a.shape[1]):
        total = total.addcmul_(a[:, k], b[:, k])
    return total


def cofactor_and_volume(f: Tensor) -> tuple[Tensor, Tensor]:
    """∂J/∂F ``(d, d, n)`` and J = det F ``(n,)`` of ``(d, d, n)``."""
    if len(f) == 2:
        cofactors = torch.stack([torch.stack([f[1, 1], -f[1, 0]]), torch.stack([-f[0, 1], f[0, 0]])])
        return cofactors, f[0, 0] * f[1, 1] - f[0, 1] * f[1, 0]
    a, b, c = f
    rows = [torch.linalg.cross(*pair, dim=0) for pair in ((b, c), (c, a), (a, b))]
    return torch.stack(rows), (a * rows[0]).sum(0)


def volume_moduli(cofactors: Tensor, volume: Tensor, first: Tensor, second: Tensor) -> Moduli:
    """Those of an energy U(J) by U′ ``(n,)`` and U″ ``(n,)``: U″ C⊗C + U′ ∂C/∂F with C = ∂J/∂F, where
    ∂C_aJ/∂F_bL = (C_aJ C_bL − C_aL C_bJ) / J."""
    share = first / volume
    return Moduli(cofactors, outer=((second + share, cofactors, cofactors),), crossed=((-share, cofactors, cofactors),))
