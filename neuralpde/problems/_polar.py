"""The rotation in a deformation: polar decomposition F = R S, with derivatives that are stable at F = I."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuralpde.problems._kinematics import Deformation, cofactor, determinant, trace


def away_from_rotation(grad: Tensor) -> Tensor:
    """F − R of F = I + ∇u, ``(n, d, d)``: what is left of a deformation without its rotation R.

    |F − R|² = Σ (σ_i − 1)² with the singular values σ of F, and its slope is 2 (F − R). R is the rotation that is
    nearest to F, so that the last σ is negative where det F is.

    In 2D R turns by the angle of (tr F, F₂₁ − F₁₂), which needs no singular values.

    Args:
        grad: ∇u, ``(n, 2, 2)`` or ``(n, 3, 3)``.
    """
    body = Deformation(grad)
    if body.dim == 3:
        rotation: Tensor = _Rotation.apply(body.gradient)
        return body.gradient - rotation
    along, across = 2 + body.trace, grad[:, 1, 0] - grad[:, 0, 1]
    length = torch.sqrt(along**2 + across**2 + torch.finfo(grad.dtype).tiny)
    # 1 − cos: small angles keep their digits, and those beyond 90° do not divide by zero
    forward = along > 0
    versine = torch.where(
        forward, across**2 / (length * torch.where(forward, length + along, length)), 1 - along / length
    )
    sine = across / length
    return grad + torch.stack([versine, sine, -sine, versine], dim=-1).unflatten(-1, (2, 2))


def rotation_rate(rotation: Tensor, gradient: Tensor, change: Tensor) -> Tensor:
    """δR of δF in 3D, ``(n, 3, 3)``: δR = R [ω]×, (tr(S) I − S) ω = axial(Rᵀ δF − δFᵀ R), S = RᵀF.

    No difference of singular values is divided by: tr(S) I − S holds their sums.
    """
    stretch = rotation.mT @ gradient
    eye = torch.eye(3, dtype=gradient.dtype, device=gradient.device)
    sums = trace(stretch)[..., None, None] * eye - 0.5 * (stretch + stretch.mT)
    turned = rotation.mT @ change
    skew = turned - turned.mT
    axial = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)
    omega = (cofactor(sums) @ axial[..., None])[..., 0] / determinant(sums)[..., None]  # symmetric: cof/det inverts it
    zero = torch.zeros_like(omega[..., 0])
    x, y, z = omega.unbind(-1)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return rotation @ torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


class _Rotation(torch.autograd.Function):
    """F ``(…, 3, 3)`` → R. δR/δF is symmetric, so that it is its own adjoint."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor) -> Tensor:
        u, _, v = torch.linalg.svd(gradient)
        # the nearest rotation, not a reflection
        sign = torch.sign(determinant(u @ v))
        flip = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], dim=-1)
        return (u * flip[..., None, :]) @ v

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # type: ignore[override]
        gradient, rotation = ctx.saved_tensors
        return rotation_rate(rotation, gradient, slope)

    @staticmethod
    def jvp(ctx: Any, change: Tensor) -> Tensor:  # type: ignore[override]
        gradient, rotation = ctx.saved_tensors
        return rotation_rate(rotation, gradient, change)
