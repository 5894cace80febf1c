"""Nearest points of segments and triangles, and distances with their derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GapJet:
    """Gaps g with their derivatives by the places x of few control points.

    Args:
        gap: ``(n,)``.
        gradient: ∂g/∂x, ``(n, m, d)``.
        hessian: ∂²g/∂x², ``(n, m d, m d)``; None where it is zero.
        normal: unit vectors that lead away from the other side, ``(n, d)``.
        shares: γ of the point Σ γ_i x_i (of two bodies: the difference of two points) whose gap it is, ``(n, m)``.
    """

    gap: Tensor
    gradient: Tensor
    hessian: Tensor | None
    normal: Tensor
    shares: Tensor


@dataclass(frozen=True)
class Foot:
    """Where a piece is nearest: γ(s) at the best s, for q(s) = Σ γ_i(s) x_i.

    Args:
        shares: γ, ``(n, m)``.
        slopes: ∂γ/∂s along the directions in which s may move, zero in the others, ``(n, m, k)``. γ is affine in s.
    """

    shares: Tensor
    slopes: Tensor


def distance_jet(x: Tensor, foot: Foot, away: Tensor | None = None) -> GapJet:
    """min_s |Σ γ_i(s) x_i − z| with its first and second derivatives by x.

    With q = Σ γ_i x_i − z, n = q/|q|, P = (I − n nᵀ)/|q| and f = |q| the gradient is γ_i n and the Hessian
    γ_i γ_j P − f_xs f_ss⁻¹ f_sx, because f_s = 0 moves s along.

    Args:
        x: ``(n, m, d)``.
        foot: where |q| is least.
        away: z, ``(n, d)`` or ``(d,)``; None: the origin.
    """
    n, m, d = x.shape
    gamma = foot.shares
    q = torch.einsum("nm,nmd->nd", gamma, x) - (0 if away is None else away)
    length = q.norm(dim=-1)
    normal = q / length.clamp(min=1e-300)[:, None]
    across = (torch.eye(d, dtype=x.dtype) - normal[:, :, None] * normal[:, None]) / length.clamp(min=1e-300)[
        :, None, None
    ]
    hessian = torch.einsum("ni,nj,nab->niajb", gamma, gamma, across).reshape(n, m * d, m * d)
    if foot.slopes.shape[2]:
        edges = torch.einsum("nmk,nmd->ndk", foot.slopes, x)
        turned = across @ edges
        second = edges.mT @ turned
        fixed = (foot.slopes == 0).all(1)  # directions in which s stays
        second = torch.where(fixed[:, :, None] | fixed[:, None], torch.eye(second.shape[-1], dtype=x.dtype), second)
        mixed = normal[:, None, :, None] * foot.slopes[:, :, None] + gamma[:, :, None, None] * turned[:, None]
        mixed = mixed.reshape(n, m * d, -1).masked_fill(fixed[:, None], 0.0)
        hessian = hessian - mixed @ torch.linalg.solve(second, mixed.mT)
    return GapJet(length, gamma[..., None] * normal[:, None], hessian, normal, gamma)


def foot_on_segment(a: Tensor, b: Tensor, z: Tensor) -> Foot:
    """Of the segments a + s (b − a), the points nearest to z, all ``(n, d)``."""
    edge = b - a
    s = ((z - a) * edge).sum(-1) / edge.square().sum(-1).clamp(min=1e-300)
    inner = (s > 0) & (s < 1)
    s = s.clamp(0, 1)
    slope = inner.to(a.dtype)
    return Foot(torch.stack([1 - s, s], -1), torch.stack([-slope, slope], -1)[..., None])


def foot_on_triangle(c: Tensor, z: Tensor) -> Foot:
    """Of triangles ``(n, 3, d)`` the points nearest to z ``(n, d)``: inside, on an edge or at a corner."""
    u, v, w = c[:, 1] - c[:, 0], c[:, 2] - c[:, 0], z - c[:, 0]
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    det = (uu * vv - uv * uv).clamp(min=1e-300)
    s, t = (vv * uw - uv * vw) / det, (uu * vw - uv * uw) / det
    inside = (s > 0) & (t > 0) & (s + t < 1)
    shares, slopes = c.new_zeros(3, len(c), 3), c.new_zeros(3, len(c), 3, 2)
    far = []
    for k in range(3):
        i, j = k, (k + 1) % 3
        foot = foot_on_segment(c[:, i], c[:, j], z)
        shares[k][:, [i, j]], slopes[k][:, [i, j], :1] = foot.shares, foot.slopes
        far.append((torch.einsum("nm,nmd->nd", shares[k], c) - z).square().sum(-1))
    best, row = torch.stack(far).argmin(0), torch.arange(len(c))
    inner = torch.stack([1 - s - t, s, t], -1)
    turn = c.new_tensor([[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]]).expand(len(c), -1, -1)
    return Foot(
        torch.where(inside[:, None], inner, shares[best, row]),
        torch.where(inside[:, None, None], turn, slopes[best, row]),
    )
