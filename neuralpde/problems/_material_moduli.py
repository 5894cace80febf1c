"""Elastic moduli of the materials that have them in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neuralpde.problems._hyperelastic import ARAP, Linear, MooneyRivlin, NeoHookean, SaintVenantKirchhoff
from neuralpde.problems._materials import Material, constant
from neuralpde.problems._moduli import Moduli, cofactor_and_volume, contracted, volume_moduli


def material_moduli(material: Material, x: Tensor, grad: Tensor) -> Moduli | None:
    """∂P/∂F of a material at points ``(n, d)`` and gradients ∇u ``(d, d, n)``; None where it has no closed form.

    A subclass may have another stress, so that a material's own class alone counts.
    """
    made = _CLOSED.get(type(material))
    return None if made is None else made(material, x, grad)


def has_moduli(material: Material) -> bool:
    """Whether :func:`material_moduli` may know those of a material."""
    return type(material) in _CLOSED


def _gradient(grad: Tensor) -> Tensor:
    """F = I + ∇u."""
    return grad + torch.eye(len(grad), dtype=grad.dtype, device=grad.device)[..., None]


def _hooke(material: Linear, x: Tensor, grad: Tensor) -> Moduli:
    """λ δ_aJ δ_bL + μ (δ_ab δ_JL + δ_aL δ_bJ)."""
    bulk, shear = material.dilatation(x, torch.zeros_like(grad[0, 0]))[2], material.lame(x)[1]
    return Moduli(grad, ((shear, None, None),), ((bulk, None, None),), ((shear, None, None),))


def _saint_venant_kirchhoff(material: SaintVenantKirchhoff, x: Tensor, grad: Tensor) -> Moduli:
    """δ_ab S_JL + λ F_aJ F_bL + μ ((FFᵀ)_ab δ_JL + F_aL F_bJ), of P = F S."""
    f, (bulk, shear) = _gradient(grad), material.lame(x)
    left, right = contracted(f, f), contracted(f.transpose(0, 1), f.transpose(0, 1))
    eye = torch.eye(len(grad), dtype=grad.dtype, device=grad.device)[..., None]
    strain = 0.5 * (right - eye)
    stress = 2 * shear * strain + bulk * strain.diagonal().sum(-1) * eye
    return Moduli(grad, ((1.0, None, stress), (shear, left, None)), ((bulk, f, f),), ((shear, f, f),))


def _rubber(material: NeoHookean, x: Tensor, grad: Tensor) -> Moduli:
    """log: μ I and that of −μ ln J; stable: m (1 − 1/(I + 1)) I + 2m/(I + 1)² F⊗F and that of −μ J; both with U(J)."""
    f, (_, shear) = _gradient(grad), material.lame(x)
    cofactors, volume = cofactor_and_volume(f)
    _, first, second = material.dilatation(x, volume - 1)
    if material.form == "log":
        rest = volume_moduli(cofactors, volume, first - shear / volume, second + shear / volume**2)
        return Moduli(grad, plain=((shear, None, None),)) + rest
    scale, total = 4 / 3 * shear, f.square().sum((0, 1)) + (3 - len(f)) + 1
    rest = volume_moduli(cofactors, volume, first - shear, second)
    stiff = Moduli(grad, ((scale * (1 - 1 / total), None, None),), ((2 * scale / total**2, f, f),))
    return stiff + rest


def _mooney_rivlin(material: MooneyRivlin, x: Tensor, grad: Tensor) -> Moduli:
    """Of c₁₀ J^(−2/3) I₁ + c₀₁ J^(−4/3) I₂ + U(J) by the product rule; I₁ and I₂ are those in 3D.

    With A = ∂I₁/∂F = 2F, B = ∂I₂/∂F = 2(I₁ F − F FᵀF) and C = ∂J/∂F, each term g(J) I has the moduli
    g ∂²I + g′ (C⊗∂I + ∂I⊗C) + I g″ C⊗C + I g′ ∂²J.
    """
    f, out_of_plane = _gradient(grad), 3 - len(grad)
    cofactors, volume = cofactor_and_volume(f)
    left, right = contracted(f, f), contracted(f.transpose(0, 1), f.transpose(0, 1))
    # in plane strain F₃₃ = 1: I₁ = tr C + 1, and I₂ = (I₁² − C:C − 1)/2
    one = right.diagonal().sum(-1) + out_of_plane
    two = 0.5 * (one**2 - right.square().sum((0, 1)) - out_of_plane)
    slopes = 2 * f, 2 * (one * f - contracted(left, f.transpose(0, 1)))
    c10, c01 = constant(material.c10, x), constant(material.c01, x)
    _, first, second = material.dilatation(x, volume - 1)
    total = Moduli(grad)
    for c, power, value, slope in ((c10, -2 / 3, one, slopes[0]), (c01, -4 / 3, two, slopes[1])):
        g = c * volume**power
        by, again = power * g / volume, power * (power - 1) * g / volume**2
        first, second = first + by * value, second + again * value
        total = total + Moduli(grad, outer=((by, cofactors, slope), (by, slope, cofactors)))
    shear, twist = c10 * volume ** (-2 / 3), c01 * volume ** (-4 / 3)
    # ∂²I₂ = 2 (I₁ δ_ab δ_JL + 2 F_aJ F_bL − (FFᵀ)_ab δ_JL − δ_ab C_JL − F_aL F_bJ)
    plain = ((2 * shear + 2 * twist * one, None, None), (-2 * twist, left, None), (-2 * twist, None, right))
    total = total + Moduli(grad, plain, ((4 * twist, f, f),), ((-2 * twist, f, f),))
    return total + volume_moduli(cofactors, volume, first, second)


def _as_rigid_as_possible(material: ARAP, x: Tensor, grad: Tensor) -> Moduli | None:
    """In 2D Ψ = a (|F|² − 2s + 2) + U(J) with s = σ₁ + σ₂ = √(|F|² + 2J): ∂s = D/s, ∂²s = (I + ∂²J)/s − D⊗D/s³ with
    D = F + C."""
    if len(grad) == 3:
        return None
    f = _gradient(grad)
    cofactors, volume = cofactor_and_volume(f)
    _, first, second = material.dilatation(x, volume - 1)
    stiff, both = constant(material.stiffness, x), f + cofactors
    size = (f.square().sum((0, 1)) + 2 * volume).sqrt()
    rest = volume_moduli(cofactors, volume, first - 2 * stiff / size, second)
    return Moduli(grad, ((2 * stiff * (1 - 1 / size), None, None),), ((2 * stiff / size**3, both, both),)) + rest


_CLOSED: dict[type, Callable[[Any, Tensor, Tensor], Moduli | None]] = {
    Linear: _hooke,
    SaintVenantKirchhoff: _saint_venant_kirchhoff,
    NeoHookean: _rubber,
    MooneyRivlin: _mooney_rivlin,
    ARAP: _as_rigid_as_possible,
}
