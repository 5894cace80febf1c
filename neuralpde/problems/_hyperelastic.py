"""The materials: Hooke's law, rubber, flesh, and bodies that stay as rigid as they can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from neuralpde.geometry import Domain
from neuralpde.problems._kinematics import Deformation, in_space, trace
from neuralpde.problems._materials import INFINITE, Isotropic, Split, check_constant, constant, scaled
from neuralpde.problems._polar import away_from_rotation
from neuralpde.types import ScalarOrField, UsageError

FORMS = ("log", "stable")
PLANES = ("strain", "stress")


@dataclass(frozen=True)
class Linear(Isotropic, Split):
    """Ψ = μ ε:ε + λ/2 (tr ε)², ε = (∇u + ∇uᵀ)/2: Hooke's law σ = 2μ ε + λ tr(ε) I, for small displacements.

    Args:
        young, poisson_ratio, shear_modulus, lame_lambda: see :class:`Isotropic`.
        plane: in 2D ``"strain"`` (a slice of a long body) or ``"stress"`` (a thin sheet, 2μλ/(λ + 2μ) for λ).

    Raises:
        UsageError: for constants out of range.

    Source: Hughes, The Finite Element Method (2000), chapter 2.7.

    Example: a sheet of steel that is pulled by 0.1 %.
        >>> pulled = torch.tensor([[[1e-3, 0.0], [0.0, -0.3e-3]]], dtype=torch.float64)
        >>> round(float(Linear(210e9, 0.3, plane="stress").stress(torch.zeros(1, 2), pulled)[0, 0, 0]))
        210000000
    """

    plane: Literal["strain", "stress"] = "strain"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plane not in PLANES:
            raise UsageError(f"plane is 'strain' or 'stress'; got {self.plane!r}.")

    def on(self, domain: Domain) -> Linear:
        if self.plane == "stress" and domain.dim == 3:
            raise UsageError("plane='stress' is of a thin sheet in 2D; the domain is in 3D: leave plane away.")
        return super().on(domain)

    def _bulk(self, x: Tensor, d: int) -> Tensor | float:
        bulk, shear = self.lame(x)
        return 2 * shear * bulk / (bulk + 2 * shear) if d == 2 and self.plane == "stress" else bulk

    def distortion(self, x: Tensor, grad: Tensor) -> Tensor:
        return 0.5 * (self.distortion_stress(x, grad) * grad).sum((1, 2))

    def distortion_stress(self, x: Tensor, grad: Tensor) -> Tensor:
        return scaled(2 * self.lame(x)[1], Deformation(grad).small_strain)

    def dilatation(self, x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bulk = self._bulk(x, x.shape[-1])
        return 0.5 * bulk * change**2, bulk * change, bulk * torch.ones_like(change)

    def volume_change(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """tr ε ``(n,)`` and its slope I ``(n, d, d)``."""
        body = Deformation(grad)
        return body.trace, body.eye.expand_as(grad)

    def volume_bend(self, grad: Tensor) -> None:
        return None

    def cauchy(self, x: Tensor, grad: Tensor) -> Tensor:
        """σ, ``(n, 3, 3)``; in plane strain σ_zz = λ tr ε, in plane stress it is zero."""
        sigma = in_space(self.stress(x, grad))
        if grad.shape[-1] == 3 or self.plane == "stress":
            return sigma
        across = self.lame(x)[0] * trace(grad)
        return sigma + torch.nn.functional.pad(across[:, None, None], (2, 0, 2, 0))

    def strain(self, grad: Tensor) -> Tensor:
        """ε, ``(n, d, d)``."""
        return Deformation(grad).small_strain


@dataclass(frozen=True)
class SaintVenantKirchhoff(Isotropic):
    """Ψ = μ E:E + λ/2 (tr E)², E = (FᵀF − I)/2: Hooke's law for large rotations and small strains.

    It gives way under strong compression (below about 58 % of a length), where :class:`NeoHookean` does not.

    Args:
        young, poisson_ratio, shear_modulus, lame_lambda: see :class:`Isotropic`.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), chapter 6.5.
    """

    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        strain, (bulk, shear) = Deformation(grad).green_strain, self.lame(x)
        return shear * strain.square().sum((1, 2)) + 0.5 * bulk * trace(strain) ** 2

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        """P = F S, S = 2μ E + λ tr(E) I."""
        body, (bulk, shear) = Deformation(grad), self.lame(x)
        strain = body.green_strain
        second = scaled(2 * shear, strain) + scaled(bulk, trace(strain)[:, None, None] * body.eye)
        return body.gradient @ second


@dataclass(frozen=True)
class NeoHookean(Isotropic, Split):
    """Rubber. With I = tr FᵀF and J = det F, in 2D of the 3D tensor with F₃₃ = 1:

    - ``"log"``: Ψ = μ/2 (I − 3) − μ ln J + λ/2 (ln J)²; infinite where J ≤ 0.
    - ``"stable"``: Ψ = m/2 (I − 3) − m/2 ln((I + 1)/4) − μ (J − 1) + l/2 (J − 1)², m = 4μ/3 and l = λ + 5μ/6; finite
      for elements that are turned over, and lets them come back.

    Args:
        young, poisson_ratio, shear_modulus, lame_lambda: at F = I, see :class:`Isotropic`.
        form: ``"log"`` or ``"stable"``.

    Raises:
        UsageError: for constants out of range.

    Source: Bonet & Wood, Nonlinear Continuum Mechanics for Finite Element Analysis (2008), chapter 6.4; Smith, de Goes
    & Kim, Stable neo-Hookean flesh simulation, ACM Trans. Graph. 37 (2018), section 3.4, up to a constant.
    """

    form: Literal["log", "stable"] = "log"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise UsageError(f"the forms of NeoHookean are 'log' and 'stable'; got {self.form!r}.")

    def distortion(self, x: Tensor, grad: Tensor) -> Tensor:
        body, shear = Deformation(grad), self.lame(x)[1]
        stretch, change = body.stretch, body.volume_change
        if self.form == "stable":
            return shear * (2 / 3 * (stretch - torch.log1p(stretch / 4)) - change)
        out = shear * (0.5 * stretch - torch.log1p(change))
        return torch.where(change > -1, out, INFINITE)

    def distortion_stress(self, x: Tensor, grad: Tensor) -> Tensor:
        body, shear = Deformation(grad), self.lame(x)[1]
        if self.form == "log":
            return scaled(shear, grad - body.inverse_change)
        share = body.stretch / (3 * (4 + body.stretch))
        return scaled(shear, grad - body.cofactor_change + share[:, None, None] * body.gradient)

    def dilatation(self, x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bulk, shear = self.lame(x)
        if self.form == "stable":
            stiff = bulk + 5 / 6 * shear
            return 0.5 * stiff * change**2, stiff * change, stiff * torch.ones_like(change)
        log, ratio = torch.log1p(change), 1 + change
        value = torch.where(change > -1, 0.5 * bulk * log**2, INFINITE)
        return value, bulk * log / ratio, bulk * (1 - log) / ratio**2


@dataclass(frozen=True)
class MooneyRivlin(Split):
    """Rubber: Ψ = c₁₀ (Ī₁ − 3) + c₀₁ (Ī₂ − 3) + K/2 (J − 1)².

    Ī₁ = J^(−2/3) tr C and Ī₂ = J^(−4/3) (tr²C − tr C²)/2 with C = FᵀF; infinite where J ≤ 0. At F = I the
    shear modulus is 2 (c₁₀ + c₀₁).

    Args:
        c10, c01: in Pa; c₁₀ > 0 and c₀₁ ≥ 0. c₀₁ = 0 is a neo-Hookean material whose shape and volume part.
        bulk_modulus: K > 0 in Pa.

    Raises:
        UsageError: for constants out of range.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), chapter 6.5, equations 6.147 and 6.138.
    """

    c10: ScalarOrField
    c01: ScalarOrField
    bulk_modulus: ScalarOrField

    def __post_init__(self) -> None:
        check_constant("c10", self.c10, 0, INFINITE, "be positive and finite (Pa)")
        check_constant("c01", self.c01, -1e-300, INFINITE, "be 0 or more and finite (Pa)")
        check_constant("the bulk modulus", self.bulk_modulus, 0, INFINITE, "be positive and finite (Pa)")

    def distortion(self, x: Tensor, grad: Tensor) -> Tensor:
        body = Deformation(grad)
        log = -2 / 3 * torch.log1p(body.volume_change)
        first = body.stretch * torch.exp(log) + 3 * torch.expm1(log)
        second = _second(body) * torch.exp(2 * log) + 3 * torch.expm1(2 * log)
        out = constant(self.c10, x) * first + constant(self.c01, x) * second
        return torch.where(body.volume_change > -1, out, INFINITE)

    def distortion_stress(self, x: Tensor, grad: Tensor) -> Tensor:
        body = Deformation(grad)
        shrink = torch.exp(-2 / 3 * torch.log1p(body.volume_change))
        inverse, change = body.eye + body.inverse_change, grad - body.inverse_change
        first = change - scaled(body.stretch / 3, inverse)
        second = (
            scaled(body.stretch, body.gradient)
            - 2 * body.gradient @ body.green_strain
            + 2 * change
            - scaled(2 / 3 * _second(body), inverse)
        )
        return scaled(2 * constant(self.c10, x) * shrink, first) + scaled(2 * constant(self.c01, x) * shrink**2, second)

    def dilatation(self, x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bulk = constant(self.bulk_modulus, x)
        return 0.5 * bulk * change**2, bulk * change, bulk * torch.ones_like(change)


def _second(body: Deformation) -> Tensor:
    """(tr²C − tr C²)/2 − 3 = 4 tr E + 2 (tr E)² − 2 E:E, ``(n,)``."""
    strain = body.green_strain
    total = trace(strain)
    return 4 * total + 2 * total**2 - 2 * strain.square().sum((1, 2))


@dataclass(frozen=True)
class ARAP(Split):
    """As rigid as possible: Ψ = a Σ (σ_i − 1)² + v (det F − 1)² with the singular values σ of F.

    At F = I it is Hooke's law with μ = a and λ = 2v. Where det F < 0 the smallest σ counts as negative.

    Args:
        stiffness: a > 0 in Pa.
        volume: v ≥ 0 in Pa.

    Raises:
        UsageError: for constants out of range.

    Source: Chen et al., ICML 2023, arXiv 2210.00124; Smith, de Goes & Kim, ACM Trans. Graph. 38 (2019), for the slopes.
    """

    stiffness: ScalarOrField
    volume: ScalarOrField = 0.0

    def __post_init__(self) -> None:
        check_constant("the stiffness of ARAP", self.stiffness, 0, INFINITE, "be positive and finite (Pa)")
        check_constant("the volume of ARAP", self.volume, -1e-300, INFINITE, "be 0 or more and finite (Pa)")

    def distortion(self, x: Tensor, grad: Tensor) -> Tensor:
        return constant(self.stiffness, x) * away_from_rotation(grad).square().sum((1, 2))

    def distortion_stress(self, x: Tensor, grad: Tensor) -> Tensor:
        return scaled(2 * constant(self.stiffness, x), away_from_rotation(grad))

    def dilatation(self, x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stiff = constant(self.volume, x)
        return stiff * change**2, 2 * stiff * change, 2 * stiff * torch.ones_like(change)


AnyMaterial: TypeAlias = Linear | SaintVenantKirchhoff | NeoHookean | MooneyRivlin | ARAP
"""Those that a case file can name."""
