"""Elastic bodies, at rest or in motion: what all of their problems share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Jet, PointMemory
from neuralpde.geometry import (
    BoundaryValue,
    Box,
    Condition,
    Dirichlet,
    Domain,
    Flux,
    SameEverywhere,
    at_points,
    is_number,
    prescribed,
)
from neuralpde.problems._base import Problem, Quantity, divergence_of_flux
from neuralpde.problems._body_vectors import body_vector
from neuralpde.problems._by_part import ByPart, bound
from neuralpde.problems._contact import BodyContact, Contact, contacts_of
from neuralpde.problems._elastic_quantities import elastic_quantities
from neuralpde.problems._hyperelastic import Linear
from neuralpde.problems._manufactured import at_time, manufactured_source, takes_time, time_derivative
from neuralpde.problems._material_moduli import has_moduli, material_moduli
from neuralpde.problems._materials import INFINITE, Material, check_constant, constant
from neuralpde.problems._moduli import Moduli
from neuralpde.types import ScalarOrField, UsageError

Start = Callable[[Tensor], Tensor] | Sequence[float] | None
"""A displacement or velocity at the start: a function ``(n, d)`` → ``(n, d)``, one number per component, or rest."""


@dataclass(frozen=True)
class Rayleigh:
    """Damping C = α M + β K with the mass matrix M and the stiffness matrix K of the state at hand.

    A motion of frequency ω (rad/s) is damped by the ratio α/2ω + βω/2 of critical damping.

    Args:
        mass: α ≥ 0 in 1/s.
        stiffness: β ≥ 0 in s.

    Raises:
        UsageError: for a number below 0.
    """

    mass: float = 0.0
    stiffness: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mass", "stiffness"):
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise UsageError(f"the {name} of Rayleigh damping is a number, 0 or more; got {value!r}.")


@dataclass(frozen=True, kw_only=True)
class ElasticBody(Problem):
    """ρ ü = ∇·P + b, P = ∂Ψ/∂F with F = I + ∇u, for the displacement u in m; 0 = ∇·P + b at rest.

    All of it is written on the body as it was before it moved: x are its points, b and ρ are per reference volume, and
    P·n is the force per reference area. As a conservation law it has the flux −P: the condition ``Flux(g)`` is
    −P·n = g, and :func:`traction` states P·n itself. Boundary without a condition is refused: ``Flux(0.0)`` is free of
    traction. In 2D it is plane strain, or plane stress where the material says so.

    A body in motion has the unknowns displacement and velocity; boundary conditions are about the displacement.

    Args:
        domain, conditions: the defaults are the unit square, clamped all around.
        body_force: b in N/m³; d numbers, or a function of x or (t, x) that returns ``(n, d)``.
        density: ρ > 0 in kg/m³; needed for gravity and for motion.
        gravity: d numbers in m/s²; adds ρ g to the body force.
        steady: whether the body is at rest.
        start: the displacement at the start of a motion; a first guess at rest.
        start_velocity: of a motion, in m/s.
        damping: of a motion.
        contact: what the body may touch.
        solution: the exact displacement, a function of x or (t, x), if it is known. Without a body force and gravity b
            follows from it.

    Raises:
        UsageError: for constants out of range, a domain in 1D, vectors of another number of components, or data of a
            motion for a body at rest.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), chapters 4.3 and 8.
    """

    domain: Domain = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    body_force: Sequence[float] | Callable[..., Tensor] | None = None
    density: ScalarOrField | None = None
    gravity: Sequence[float] | None = None
    steady: bool = True
    start: Start = None
    start_velocity: Start = None
    damping: Rayleigh | None = None
    contact: tuple[Contact | BodyContact, ...] = ()
    solution: Callable[..., Tensor] | None = None
    needs: ClassVar[frozenset[str]] = frozenset({"grad", "hess"})

    if TYPE_CHECKING:  # subclasses state it: a property here would be the default of their field

        @property
        def material(self) -> Material:
            """What the body is made of, bound to its domain."""

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Domain):
            raise UsageError(
                f"{self.name} needs a domain, such as MeshDomain(read_mesh(path)); got a {type(self.domain).__name__}."
            )
        d = self.domain.dim
        if d not in (2, 3):
            raise UsageError(f"{self.name} lives in 2D or 3D; got a domain in {d}D.")
        for name in ("body_force", "gravity", "start", "start_velocity"):
            object.__setattr__(self, name, body_vector(name, getattr(self, name), d))
        if callable(self.gravity) and not isinstance(self.gravity, SameEverywhere):
            raise UsageError("gravity is the same everywhere; a load that varies is a body_force, in N/m³.")
        if self.damping is not None and not isinstance(self.damping, Rayleigh):
            raise UsageError(f"damping is Rayleigh, for instance Rayleigh(mass=0.5); got {self.damping!r}.")
        object.__setattr__(self, "contact", contacts_of(self.contact))
        object.__setattr__(self, "density", bound(self.density, self.domain))
        if self.density is not None:
            check_constant("the density", self.density, 0, INFINITE, "be positive and finite (kg/m³)")
        elif self.gravity is not None or not self.steady:
            why = "with gravity" if self.gravity is not None else "in motion (steady=False)"
            raise UsageError(f"{self.name} {why} needs a density in kg/m³, for instance density=1000.0.")
        if self.steady and (self.start_velocity is not None or self.damping is not None):
            what = "start_velocity" if self.start_velocity is not None else "damping"
            raise UsageError(f"{what} is of a body in motion: give steady=False too, or leave it away.")
        stiff = self.damping is not None and self.damping.stiffness
        if (self.jumps or stiff) and self._balances:
            where = "with Rayleigh damping of the stiffness" if stiff else "where the material (or the density) jumps"
            raise UsageError(f"a solution alone makes no body force {where}: give body_force too.")

    @property
    def time_order(self) -> int:  # type: ignore[override]
        return 0 if self.steady else 2

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        d = self.domain.dim
        return {"displacement": d} if self.steady else {"displacement": d, "velocity": d}

    @property
    def evolving(self) -> int:
        return self.domain.dim

    @property
    def jumps(self) -> bool:
        """Whether a constant goes by the parts of a mesh."""
        return self.material.jumps or isinstance(self.density, ByPart)

    @property
    def linear(self) -> bool:
        """Whether forces grow in proportion to displacements."""
        return isinstance(self.material, Linear) and not self.contact

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        """P in Pa at points, ``(n, d, d)``, of the displacement's gradient ``(n, d, d)``."""
        return self.material.stress(x, grad)

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Ψ(F) − b·u, ``(n,)``, in J/m³."""
        d = x.shape[1]
        return self.material.energy(x, u.grad[:, :d]) - (self.force(t, x) * u.value[:, :d]).sum(1)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−P, ``(n, d, d)``."""
        return -self.stress(x, u.grad[:, : x.shape[1]])

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """b, ``(n, d)``."""
        return self.force(t, x)

    def moduli(self, x: Tensor, grad: Tensor) -> Moduli | None:
        return material_moduli(self.material, x, grad)

    @property
    def even(self) -> bool:  # type: ignore[override]
        functions = (self.body_force, self.density, *vars(self.material).values())
        plain = not any(callable(value) and not isinstance(value, ByPart) for value in functions)
        return plain and has_moduli(self.material) and not self._balances

    def mass_density(self, x: Tensor) -> Tensor:
        """ρ at points, ``(n,)``."""
        assert self.density is not None, "a body without density has no inertia"
        rho = constant(self.density, x)
        return rho if isinstance(rho, Tensor) and rho.ndim else x.new_ones(len(x)) * rho

    def force(self, t: float, x: Tensor) -> Tensor:
        """b at points, gravity included, ``(n, d)`` in N/m³."""
        if self._balances:
            assert self.solution is not None
            memory: PointMemory = self.__dict__.setdefault("_balanced", PointMemory())
            return memory(lambda p: self._balance(t, p), x, t, at_time(self.solution, t, x))
        total = torch.zeros_like(x)
        if callable(self.body_force):
            given = self.body_force(t, x) if takes_time(self.body_force) else self.body_force(x)
            total = total + at_points(given, x, (x.shape[1],), "body_force")
        elif self.body_force is not None:
            total = total + x.new_tensor(tuple(self.body_force))
        if self.gravity is not None:
            total = total + self.mass_density(x)[:, None] * _vectors("gravity", self.gravity, x)
        return total

    @property
    def _balances(self) -> bool:
        """Whether the body force follows from the exact displacement."""
        return self.solution is not None and self.body_force is None and self.gravity is None

    def _balance(self, t: float, x: Tensor) -> Tensor:
        """ρ (ü + α u̇) − ∇·P of the exact displacement, damped by Rayleigh's α."""
        assert self.solution is not None
        function = self.solution

        def still(points: Tensor) -> Tensor:
            return at_time(function, t, points)

        force = manufactured_source(still, self._stress_force, self.needs, t, x)
        if self.steady:
            return force
        change = time_derivative(self._velocity, t, x)
        if self.damping is not None:
            change = change + self.damping.mass * self._velocity(t, x)
        return force + self.mass_density(x)[:, None] * change

    def _velocity(self, t: float, x: Tensor) -> Tensor:
        """u̇ of the exact displacement."""
        assert self.solution is not None
        return time_derivative(self.solution, t, x)

    def _stress_force(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """∇·P, ``(n, d)``."""
        return -divergence_of_flux(self, t, x, u)

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        if self.solution is None:
            return None
        u = at_time(self.solution, t, x)
        return u if self.steady else torch.cat([u, self._velocity(t, x)], dim=1)

    @property
    def guesses(self) -> bool:
        return self.start is not None

    def initial(self, x: Tensor) -> Tensor:
        if not self.steady and self.start is None and self.start_velocity is None:
            known = self.exact(0.0, x)
            return torch.zeros(len(x), self.channels, dtype=x.dtype, device=x.device) if known is None else known
        u = _vectors("start", self.start, x)
        return u if self.steady else torch.cat([u, _vectors("start_velocity", self.start_velocity, x)], dim=1)

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
        """See :func:`elastic_quantities`."""
        return elastic_quantities(self.material, self.domain.dim)


def _vectors(name: str, value: Start, x: Tensor) -> Tensor:
    """A start, or gravity, at points ``(n, d)``, ``(n, d)``."""
    if isinstance(value, SameEverywhere):
        return value(0.0, x)
    if callable(value):
        if takes_time(value):
            raise UsageError(f"{name} is a function of x alone: the body is there at t = 0.")
        return at_points(value(x), x, (x.shape[1],), name)
    return torch.zeros_like(x) if value is None else x.new_tensor(tuple(value)).expand(len(x), -1)


def traction(value: BoundaryValue, on: str | Sequence[str] = "all") -> Flux:
    """P·n = value on the named faces, in N/m²: what pulls at the solid from outside, as a condition on its flux −P.

    Args:
        value: one number per component, or a function of time and points ``(n, d)`` that returns ``(n, d)``.
        on: names of faces.

    Example:
        >>> traction((0.0, -2.0), on="right")
        Flux(value=(-0.0, 2.0), on='right')
    """
    outside = prescribed(value, "a traction")
    if callable(outside):
        return Flux(_Opposite(outside), on)
    return Flux(tuple(-v for v in outside) if isinstance(outside, tuple) else -outside, on)


@dataclass(frozen=True)
class _Opposite:
    """−value, of a function of t and points."""

    value: Callable[[float, Tensor], Tensor]

    def __call__(self, t: float, x: Tensor) -> Tensor:
        out = self.value(t, x)
        return -out if isinstance(out, Tensor) else out  # the condition says what is wrong with anything else
