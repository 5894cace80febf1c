"""Materials of elastic bodies: energy densities of the displacement's gradient, and their stresses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import product
from numbers import Real
from typing import Self

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import Domain
from neuralpde.problems._by_part import ByPart, bound
from neuralpde.problems._coefficients import coefficient
from neuralpde.problems._kinematics import Deformation, in_space
from neuralpde.types import ScalarOrField, UsageError

LOOKS = 30
"""Points at which functions are checked."""


class Material(ABC):
    """An energy density Ψ(F) in J/m³ of reference volume, F = I + ∇u.

    A subclass is a frozen dataclass that states :meth:`energy` and :meth:`stress`. Both take ∇u and not F, so that
    small strains keep all their digits. In 2D a body is in plane strain, F₃₃ = 1.

    Constants may be numbers, functions ``(n, d)`` → ``(n, 1)``, :class:`ByPart`, or tensors that require a gradient.

    Example: a material of one's own, Ψ = |∇u|²/2.
        >>> @dataclass(frozen=True)
        ... class Springs(Material):
        ...     def energy(self, x, grad):
        ...         return 0.5 * grad.square().sum((1, 2))
        ...     def stress(self, x, grad):
        ...         return grad
        >>> Springs().stress(torch.zeros(1, 2), 0.1 * torch.eye(2)[None]).tolist()
        [[[0.10000000149011612, 0.0], [0.0, 0.10000000149011612]]]
    """

    @abstractmethod
    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        """Ψ at points ``(n, d)`` of gradients ∇u ``(n, d, d)``, ``(n,)``."""

    @abstractmethod
    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        """First Piola–Kirchhoff stress P = ∂Ψ/∂F in Pa, ``(n, d, d)``."""

    def tangent(self, x: Tensor, grad: Tensor) -> Tensor:
        """∂P_ij/∂F_kl = ∂²Ψ/∂F_ij∂F_kl, ``(n, d, d, d, d)``; of the stress by a backward pass per component.

        (Constants by part are looked up by their points, which ``torch.func`` would hide.)
        """
        again = torch.is_grad_enabled() and grad.requires_grad
        with torch.enable_grad():
            at = grad if again else grad.detach().requires_grad_()
            stress = self.stress(x, at).flatten(1)
            units = torch.eye(stress.shape[1], dtype=grad.dtype, device=grad.device)
            rows = [
                torch.autograd.grad(stress, at, unit.expand_as(stress), retain_graph=True, create_graph=again)[0]
                for unit in units
            ]
        return torch.stack(rows, dim=1).reshape(*grad.shape, *grad.shape[1:])

    def cauchy(self, x: Tensor, grad: Tensor) -> Tensor:
        """True stress σ = P Fᵀ / J in Pa, ``(n, 3, 3)``: in plane strain with the stress σ_zz that keeps it plane."""
        space = in_space(grad)
        body = Deformation(space)
        return self.stress(x, space) @ body.gradient.mT / body.volume_ratio[:, None, None]

    def strain(self, grad: Tensor) -> Tensor:
        """The strain that the material is written in, ``(n, d, d)``: Green's E = (FᵀF − I)/2."""
        return Deformation(grad).green_strain

    def volume_change(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """J − 1 ``(n,)`` and ∂J/∂F ``(n, d, d)`` of J = det F."""
        body = Deformation(grad)
        return body.volume_change, body.cofactor

    def volume_bend(self, grad: Tensor) -> Tensor | None:
        """∂²J/∂F², ``(n, d, d, d, d)``; None where J is linear in F."""
        return Deformation(grad).cofactor_slope

    def on(self, domain: Domain) -> Self:
        """The same material with its constants bound to a domain; functions of x are looked at in a few points.

        Raises:
            UsageError: for constants by parts that do not fit the domain, or functions out of range there.
        """
        held = {f.name: bound(getattr(self, f.name), domain) for f in fields(self)}  # type: ignore[arg-type]
        functions = {k: v for k, v in held.items() if callable(v)}
        varies = not all(isinstance(v, ByPart) for v in functions.values())
        x = domain.some_points(LOOKS) if varies else None
        for k in range(LOOKS if x is not None else 0):
            numbers = {name: _one_number(name, v, x[k : k + 1]) for name, v in functions.items()}  # type: ignore[index]
            try:
                replace(self, **numbers)  # type: ignore[type-var]
            except UsageError as error:
                place = ", ".join(f"{c:.3g}" for c in x[k].tolist())  # type: ignore[index]
                raise UsageError(f"{str(error)[:-1]} at x = ({place}).") from None
        return replace(self, **held)  # type: ignore[type-var]

    @property
    def jumps(self) -> bool:
        """Whether a constant goes by the parts of a mesh."""
        return any(isinstance(value, ByPart) for value in vars(self).values())


class Split(Material):
    """A material whose energy holds the volume in a part of its own: Ψ = Ψ_d(F) + U(J).

    That is what elements that do not lock need: they take U of a mean of J.
    """

    @abstractmethod
    def distortion(self, x: Tensor, grad: Tensor) -> Tensor:
        """Ψ_d, ``(n,)``."""

    @abstractmethod
    def distortion_stress(self, x: Tensor, grad: Tensor) -> Tensor:
        """∂Ψ_d/∂F, ``(n, d, d)``."""

    @abstractmethod
    def dilatation(self, x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """U, U′ and U″ of J − 1 ``(n,)``, ``(n,)`` each."""

    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        return self.distortion(x, grad) + self.dilatation(x, self.volume_change(grad)[0])[0]

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        change, slope = self.volume_change(grad)
        return self.distortion_stress(x, grad) + scaled(self.dilatation(x, change)[1], slope)


@dataclass(frozen=True)
class Distortion(Material):
    """What is left of a material without the energy of the volume: Ψ_d(F).

    Args:
        whole: the material.
    """

    whole: Split

    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        return self.whole.distortion(x, grad)

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        return self.whole.distortion_stress(x, grad)

    def on(self, domain: Domain) -> Distortion:
        return replace(self, whole=self.whole.on(domain))

    @property
    def jumps(self) -> bool:
        return self.whole.jumps


def constant(value: ScalarOrField, x: Tensor) -> Tensor | float:
    """A material's constant at points: a number as it is, a function as ``(n,)``."""
    out = coefficient(value, x)
    return out.reshape(-1) if isinstance(out, Tensor) and out.ndim else out


def scaled(factor: Tensor | float, a: Tensor) -> Tensor:
    """A number, or one number a point, times tensors ``(n, d, d)``."""
    return factor[:, None, None] * a if isinstance(factor, Tensor) and factor.ndim else factor * a


def check_constant(what: str, value: ScalarOrField | None, low: float, high: float, wanted: str) -> None:
    """Refuse a constant outside ]low, high[; a function is not looked at.

    Raises:
        UsageError: that says what was expected and what came.
    """
    numbers = value.numbers if isinstance(value, ByPart) else () if callable(value) else (value,)
    for number in numbers:
        known = number.item() if isinstance(number, Tensor | np.ndarray) and number.ndim == 0 else number
        if not isinstance(known, Real) or isinstance(known, bool):
            raise UsageError(
                f"{what} is a number, a function of x, ByPart, or a tensor of one number without axes; got {known!r}."
            )
        if not low < known < high:
            raise UsageError(f"{what} must {wanted}; got {known if number is value else value}.")


def _one_number(name: str, value: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """What a function says at one point ``(1, d)``."""
    out = value(x)
    if not isinstance(out, Tensor) or out.shape not in ((1, 1), (1,)):
        got = tuple(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise UsageError(f"{name} as a function of points (n, d) returns (n, 1); for n = 1 it gave {got}.")
    return float(out.detach())


def _pairs(one: ScalarOrField | None, other: ScalarOrField | None) -> Iterator[tuple[float, float]]:
    """Values that two constants have at the same place; nothing where one is a function."""
    if isinstance(one, ByPart) and isinstance(other, ByPart):
        together = [np.asarray(v.by_element) for v in (one, other) if v.domain is not None]
        if len(together) == 2:
            yield from np.unique(np.stack(together, axis=1), axis=0).tolist()
    elif not any(callable(v) and not isinstance(v, ByPart) for v in (one, other)):
        firsts, others = (
            v.numbers if isinstance(v, ByPart) else (float(torch.as_tensor(v).detach()),) for v in (one, other)
        )
        yield from product(firsts, others)


@dataclass(frozen=True)
class Isotropic(Material):
    """Constants of a material that is the same in all directions: Young's modulus and Poisson's ratio, or Lamé's.

    μ = E / (2 (1 + ν)) and λ = E ν / ((1 + ν)(1 − 2ν)).

    Args:
        young: Young's modulus E > 0 in Pa.
        poisson_ratio: ν, between −1 and 0.5.
        shear_modulus: μ > 0 in Pa, in place of these, together with
        lame_lambda: λ > −2μ/3 in Pa.

    Raises:
        UsageError: for constants out of range, or not exactly one of the two pairs.
    """

    young: ScalarOrField | None = None
    poisson_ratio: ScalarOrField | None = None
    shear_modulus: ScalarOrField | None = None
    lame_lambda: ScalarOrField | None = None

    def __post_init__(self) -> None:
        given = [name for name in CONSTANTS if getattr(self, name) is not None]
        if given not in ([*CONSTANTS[:2]], [*CONSTANTS[2:]]):
            came = ", ".join(given) or "none of them"
            raise UsageError(
                f"{type(self).__name__} takes young and poisson_ratio, or shear_modulus and lame_lambda; got {came}."
            )
        if self.young is not None:
            check_constant("Young's modulus", self.young, 0, INFINITE, "be positive and finite (Pa)")
            what = "lie between −1 and 0.5, where a solid is incompressible"
            check_constant("Poisson's ratio", self.poisson_ratio, -1, 0.5, what)
        else:
            check_constant("the shear modulus", self.shear_modulus, 0, INFINITE, "be positive and finite (Pa)")
            check_constant("Lamé's λ", self.lame_lambda, -INFINITE, INFINITE, "be finite (Pa)")
            for shear, bulk in _pairs(self.shear_modulus, self.lame_lambda):
                if not bulk > -2 / 3 * shear:
                    raise UsageError(f"Lamé's λ must be above −2μ/3 (Pa); got λ = {bulk:g} where μ = {shear:g}.")

    def lame(self, x: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """λ and μ at points in Pa, numbers or ``(n,)``."""
        if self.young is None:
            assert self.lame_lambda is not None and self.shear_modulus is not None
            return constant(self.lame_lambda, x), constant(self.shear_modulus, x)
        assert self.poisson_ratio is not None
        young, ratio = constant(self.young, x), constant(self.poisson_ratio, x)
        return young * ratio / ((1 + ratio) * (1 - 2 * ratio)), young / (2 * (1 + ratio))


CONSTANTS = ("young", "poisson_ratio", "shear_modulus", "lame_lambda")
INFINITE = float("inf")
