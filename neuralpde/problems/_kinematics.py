"""How a body deforms: what materials read of the displacement's gradient."""

from __future__ import annotations

from functools import cached_property
from itertools import permutations

import torch
from torch import Tensor


class Deformation:
    """F = I + H at points, H = ∇u the displacement's gradient.

    All of it is written in H and not in F: small strains keep all their digits, which 1 + 1e-9 would not. In 2D it is
    plane strain: F₃₃ = 1, and the invariants are those of the 3D tensor.

    Args:
        grad: H, ``(n, d, d)`` with d = 2 or 3.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), chapter 2.
    """

    def __init__(self, grad: Tensor) -> None:
        self.grad, self.dim = grad, grad.shape[-1]

    @cached_property
    def eye(self) -> Tensor:
        """I, ``(d, d)``."""
        return torch.eye(self.dim, dtype=self.grad.dtype, device=self.grad.device)

    @cached_property
    def gradient(self) -> Tensor:
        """F, ``(n, d, d)``."""
        return self.grad + self.eye

    @cached_property
    def trace(self) -> Tensor:
        """tr H, ``(n,)``."""
        return trace(self.grad)

    @cached_property
    def small_strain(self) -> Tensor:
        """ε = (H + Hᵀ)/2, ``(n, d, d)``."""
        return 0.5 * (self.grad + self.grad.mT)

    @cached_property
    def green_strain(self) -> Tensor:
        """E = (FᵀF − I)/2 = ε + HᵀH/2, ``(n, d, d)``."""
        return self.small_strain + 0.5 * self.grad.mT @ self.grad

    @cached_property
    def stretch(self) -> Tensor:
        """tr FᵀF − 3 = 2 tr H + |H|², ``(n,)``."""
        return 2 * self.trace + self.grad.square().sum((-2, -1))

    @cached_property
    def volume_change(self) -> Tensor:
        """J − 1, J = det F, ``(n,)``."""
        if self.dim == 2:
            return self.trace + determinant(self.grad)
        first, changes = self.grad[:, 0], self.cofactor_change[:, 0]  # J = Σ_k F_0k C_0k
        return first[:, 0] + changes[:, 0] + (first * changes).sum(-1)

    @cached_property
    def volume_ratio(self) -> Tensor:
        """J = det F, ``(n,)``."""
        return 1 + self.volume_change

    @cached_property
    def cofactor_change(self) -> Tensor:
        """∂J/∂F − I, ∂J/∂F = J F⁻ᵀ, ``(n, d, d)``."""
        if self.dim == 2:
            return cofactor(self.grad)
        shift = (self.trace * self.eye[..., None]).permute(2, 0, 1)
        return cofactor(self.grad) - self.grad.mT + shift

    @cached_property
    def cofactor(self) -> Tensor:
        """∂J/∂F = J F⁻ᵀ, ``(n, d, d)``."""
        return self.eye + self.cofactor_change

    @cached_property
    def cofactor_slope(self) -> Tensor:
        """∂²J/∂F_ij∂F_kl = ε_ikm ε_jln F_mn (in 2D ε_ik ε_jl), ``(n, d, d, d, d)``."""
        e, n = _levi_civita(self.grad), len(self.grad)
        if self.dim == 2:
            return torch.einsum("ik,jl->ijkl", e, e).expand(n, -1, -1, -1, -1)
        return torch.einsum("ikm,jlo,nmo->nijkl", e, e, self.gradient)

    @cached_property
    def inverse_change(self) -> Tensor:
        """F⁻ᵀ − I, ``(n, d, d)``."""
        change = self.cofactor_change - self.volume_change[:, None, None] * self.eye
        return change / self.volume_ratio[:, None, None]


def _levi_civita(like: Tensor) -> Tensor:
    """ε of permutations, ``(d,) * d``."""
    d = like.shape[-1]
    e = like.new_zeros((d,) * d)
    for order in permutations(range(d)):
        e[order] = (-1.0) ** sum(order[a] > order[b] for a in range(d) for b in range(a, d))
    return e


def trace(a: Tensor) -> Tensor:
    """tr A of ``(n, d, d)``, ``(n,)``."""
    return a.diagonal(dim1=-2, dim2=-1).sum(-1)


def determinant(a: Tensor) -> Tensor:
    """det A of ``(n, 2, 2)`` or ``(n, 3, 3)``, ``(n,)``: entries by unbind, as each index of its own costs a backward
    pass a whole array of zeros."""
    if a.shape[-1] == 2:
        xx, xy, yx, yy = a.flatten(-2).unbind(-1)
        return xx * yy - xy * yx
    first, second, third = a.unbind(-2)
    return (first * torch.linalg.cross(second, third)).sum(-1)


def cofactor(a: Tensor) -> Tensor:
    """∂ det A / ∂A of ``(n, d, d)``, ``(n, d, d)``."""
    if a.shape[-1] == 2:
        xx, xy, yx, yy = a.flatten(-2).unbind(-1)
        return torch.stack([yy, -yx, -xy, xx], dim=-1).unflatten(-1, (2, 2))
    # entries in long rows: six products of whole blocks, and no cross products of three numbers each
    wide = a.permute(1, 2, 0)
    wide = torch.cat([wide, wide[:2]])
    wide = torch.cat([wide, wide[:, :2]], dim=1)
    out = wide[1:4, 1:4] * wide[2:, 2:] - wide[1:4, 2:] * wide[2:, 1:4]
    return out.permute(2, 0, 1)


def in_space(grad: Tensor) -> Tensor:
    """H of plane strain as the 3D tensor ``(n, 3, 3)``: nothing moves along z."""
    return grad if grad.shape[-1] == 3 else torch.nn.functional.pad(grad, (0, 1, 0, 1))
