"""Linear elasticity: small displacements of a solid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Jet, PointMemory
from neuralpde.geometry import BoundaryValue, Box, Condition, Dirichlet, Domain, Flux
from neuralpde.problems._base import Problem, Quantity, divergence_of_flux
from neuralpde.problems._by_part import ByPart, bound
from neuralpde.problems._coefficients import coefficient
from neuralpde.problems._manufactured import at_time, manufactured_source
from neuralpde.types import ScalarOrField, UsageError

PLANES = ("strain", "stress")


@dataclass(frozen=True)
class LinearElasticity(Problem):
    """0 = ∇·σ + b with σ = 2μ ε + λ tr(ε) I, ε = (∇u + ∇uᵀ)/2, for the displacement u in metres.

    μ = E / (2 (1 + ν)) and λ = E ν / ((1 + ν)(1 − 2ν)); a sheet in plane stress has λ = E ν / (1 − ν²). As a
    conservation law it has the flux f = −σ: the condition ``Flux(g)`` is −σ·n = g. :func:`traction` states σ·n itself.
    Boundary without a condition is refused: ``Flux(0.0)`` is free of traction.

    Args:
        young: Young's modulus E > 0 in Pa; a number, a function ``(n, d)`` → ``(n, 1)``, or :class:`ByPart`.
        poisson_ratio: ν, between −1 and 0.5.
        body_force: b in N/m³; d numbers, or a function ``(n, d)`` → ``(n, d)``.
        plane: in 2D ``"strain"`` (a slice of a long body) or ``"stress"`` (a thin sheet).
        solution: the exact displacement ``(n, d)`` → ``(n, d)``, if it is known. Without a body force b follows from
            it.
        domain, conditions: the defaults are the unit square, clamped all around.

    Raises:
        UsageError: for constants out of range, a domain in 1D, or a body force of another number of components.

    Source: Hughes, The Finite Element Method (2000), chapter 2.7.
    """

    young: ScalarOrField = 1.0
    poisson_ratio: float = 0.3
    body_force: Sequence[float] | Callable[[Tensor], Tensor] | None = None
    plane: str = "strain"
    solution: Callable[[Tensor], Tensor] | None = None
    domain: Domain = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset({"grad", "hess"})

    @property
    def jumps(self) -> bool:
        """Whether Young's modulus goes by parts."""
        return isinstance(self.young, ByPart)

    def __post_init__(self) -> None:
        d = self.domain.dim
        if d not in (2, 3):
            raise UsageError(f"{self.name} lives in 2D or 3D; got a domain in {d}D.")
        object.__setattr__(self, "young", bound(self.young, self.domain))
        if not callable(self.young) and not 0 < self.young < float("inf"):
            raise UsageError(f"Young's modulus must be positive and finite (Pa); got {self.young}.")
        if not -1 < self.poisson_ratio < 0.5:
            raise UsageError(
                f"Poisson's ratio must lie between −1 and 0.5, where a solid is incompressible; got "
                f"{self.poisson_ratio}."
            )
        if isinstance(self.young, ByPart) and not all(value > 0 for value in self.young.numbers):
            raise UsageError(f"Young's modulus must be positive in every part (Pa); got {self.young}.")
        if self.jumps and self.solution is not None and self.body_force is None:
            raise UsageError("a solution alone makes no body force where Young's modulus jumps: give body_force too.")
        if self.plane not in PLANES:
            raise UsageError(f"plane is 'strain' or 'stress'; got {self.plane!r}.")
        if isinstance(self.body_force, Sequence) and len(self.body_force) != d:
            raise UsageError(f"a body force in {d}D has {d} components; got {tuple(self.body_force)}.")

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return {"displacement": self.domain.dim}

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        """σ in Pa at points, ``(n, d, d)``, of the displacement's gradient ``(n, d, d)``."""
        ratio, d = self.poisson_ratio, grad.shape[-1]
        flat = d == 2 and self.plane == "stress"
        shear = 1 / (1 + ratio)  # 2μ/E
        bulk = ratio / (1 - ratio**2) if flat else ratio / ((1 + ratio) * (1 - 2 * ratio))  # λ/E
        strain = 0.5 * (grad + grad.mT)
        trace = strain.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
        sigma = shear * strain + bulk * trace * torch.eye(d, dtype=grad.dtype, device=grad.device)
        young = coefficient(self.young, x)
        return (young[..., None] if isinstance(young, Tensor) else young) * sigma

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """½ σ:ε − b·u, ``(n,)``, in J/m³."""
        return 0.5 * (self.stress(x, u.grad) * u.grad).sum((1, 2)) - (self._force(x) * u.value).sum(1)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−σ, ``(n, d, d)``."""
        return -self.stress(x, u.grad)

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """b, ``(n, d)``."""
        return self._force(x)

    def _force(self, x: Tensor) -> Tensor:
        if callable(self.body_force):
            return self.body_force(x)
        if self.body_force is not None:
            return x.new_tensor(tuple(self.body_force)).expand(len(x), -1)
        if self.solution is None:
            return torch.zeros_like(x)
        memory: PointMemory = self.__dict__.setdefault("_balanced", PointMemory())
        return memory(self._balance, x, at_time(self.solution, 0.0, x))

    def _balance(self, x: Tensor) -> Tensor:
        """What balances the stress of the exact displacement."""
        assert self.solution is not None
        return manufactured_source(self.solution, self._stress_force, self.needs, 0.0, x)

    def _stress_force(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """∇·σ, ``(n, d)``."""
        return -divergence_of_flux(self, t, x, u)

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        return None if self.solution is None else at_time(self.solution, t, x)

    def near_nullspace(self, x: Tensor) -> Tensor:
        """Rigid motions: d shifts and the rotations in each plane, ``(n, d, 3)`` or ``(n, 3, 6)``."""
        centred, d = x - x.mean(0), x.shape[1]
        modes = list(torch.eye(d, dtype=x.dtype, device=x.device).expand(len(x), -1, -1).unbind(-1))
        for i, j in combinations(range(d), 2):
            turn = torch.zeros_like(x)
            turn[:, i], turn[:, j] = -centred[:, j], centred[:, i]
            modes.append(turn)
        return torch.stack(modes, dim=-1)

    def quantities(self) -> tuple[Quantity, ...]:
        """The size of the displacement in metres."""
        return (Quantity("displacement", lambda u: u.value.norm(dim=-1, keepdim=True)),)


def traction(value: BoundaryValue, on: str | Sequence[str] = "all") -> Flux:
    """σ·n = value on the named faces, in N/m²: what pulls at the solid from outside, as a condition on its flux −σ.

    Args:
        value: one number per component, or a function of time and points ``(n, d)`` that returns ``(n, d)``.
        on: names of faces.

    Example:
        >>> traction((0.0, -2.0), on="right")
        Flux(value=(-0.0, 2.0), on='right')
    """
    if callable(value):
        outside = value
        return Flux(lambda t, x: -outside(t, x), on)
    return Flux(tuple(-v for v in value) if isinstance(value, Sequence) else -value, on)
