"""The potential energy of a neural field by quadrature on its mesh: densities, points and loads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Pressure, Quadrature, Robin
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import UsageError

NEEDS = frozenset({"value", "grad"})

Density = Callable[["Moment", Quadrature, Jet], Tensor]
"""(when, points, jet) → energy by volume or area, ``(n,)``."""

GROUPS = 16
"""Groups into which the points inside are dealt; a metric is made from some of them."""

SIDES = 2.0
"""Points on each part of the boundary for √n inside, for n^(2/3) in 3D."""


class Moment(NamedTuple):
    """When an energy is looked at.

    Args:
        t: time of loads and supports.
        factor: of loads and supports, by which they are raised.
    """

    t: float
    factor: float = 1.0


@dataclass(frozen=True)
class Group:
    """Some of the points of an integral.

    Args:
        points: with their weights, and on the boundary their normals.
        density: what is integrated.
        rows: the points' numbers among all inside; None on the boundary.
    """

    points: Quadrature
    density: Density
    rows: Tensor | None = None

    @property
    def x(self) -> Tensor:
        """``(n, d)``."""
        return self.points.points

    @property
    def weights(self) -> Tensor:
        """``(n,)``."""
        return self.points.weights


class FieldEnergy:
    """Π(t, u) = ∫ Ψ(t, x, u, ∇u) dx + ∮ … dS of a problem that states its energy Ψ.

    With :class:`Flux` the boundary has ∮ g·u, with :class:`Robin` ∮ α (½ u − v)·u and with :class:`Pressure` ∮ p n·u:
    what makes n·flux = g, α (u − v) and p n natural.

    Args:
        problem: that states its energy.
        representation: a neural field on a mesh's domain.
        points: number of quadrature points inside, at least.
        extra: energies by area on parts of the boundary, by their names.
        seed: of the order in which points are dealt to groups.

    Raises:
        UsageError: for a domain without a mesh, or a part of the boundary with a condition that has no energy: none,
            Neumann's, or a pressure that follows the body.
    """

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        points: int,
        extra: Sequence[tuple[str, Density]] = (),
        seed: int = 0,
    ) -> None:
        if not isinstance(representation.domain, MeshDomain):
            raise UsageError("energies are integrated on a mesh: take a MeshDomain.")
        self.problem, self.representation = problem, representation
        self.quadrature = inner_points(representation, points)
        x, w = self.quadrature.points, self.quadrature.weights
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device)
        self.inside = [
            Group(Quadrature(x[rows].contiguous(), w[rows]), self._inner, rows) for rows in order.chunk(GROUPS)
        ]
        self.edges = [
            Group(edge_points(representation, face, points), density) for face, density in [*self._loads(), *extra]
        ]

    def _inner(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        x = points.points
        whole = self.problem.energy(when.t, x, u)
        if when.factor == 1.0:
            return whole
        strain = self.problem.energy(when.t, x, Jet(torch.zeros_like(u.value), u.grad))
        return strain + when.factor * (whole - strain)

    def _loads(self) -> Iterator[tuple[str, Density]]:
        table = self.representation.boundary.table
        for face in self.representation.domain.faces:
            condition = table.get(face)
            if isinstance(condition, Dirichlet) or (isinstance(condition, Flux) and condition.value == 0.0):
                continue
            if not isinstance(condition, Flux | Robin | Pressure):
                raise UsageError(
                    f"{self.problem.name} needs a support or a load on {face}: give Dirichlet, or traction(0.0) where "
                    "it is free."
                )
            if isinstance(condition, Pressure) and condition.follower:
                raise UsageError(
                    "a pressure that follows the body has no energy: a neural field takes Pressure(…, follower=False), "
                    "finite elements take both."
                )
            yield face, self._load(condition)

    def _load(self, condition: Flux | Robin | Pressure) -> Density:
        c = self.representation.channels

        def density(when: Moment, points: Quadrature, u: Jet) -> Tensor:
            x, normals = points.points, points.normals
            if isinstance(condition, Pressure):
                assert normals is not None
                given = when.factor * condition.flux(when.t, x, normals)
            else:
                given = when.factor * condition.at(when.t, x, c)
            if isinstance(condition, Robin):
                given = condition.coefficient * (0.5 * u.value - given)
            return (given * u.value).sum(-1)

        return density

    def strain(self, t: float, theta: Tensor) -> float:
        """∫ Ψ(∇u) dx: the energy of a field that has the same gradient and is zero, by which no load does work."""
        field, total = self.representation.at(theta, t), 0.0
        for group in self.inside:
            with torch.no_grad():
                u = field.jet(group.x, NEEDS)
                still = Jet(torch.zeros_like(u.value), u.grad)
                total += float(group.weights @ self.problem.energy(t, group.x, still))
        return total

    def field(self, theta: Tensor, when: Moment) -> Field:
        """u_θ, what supports hold times the factor."""
        field = self.representation.at(theta, when.t)
        return field if when.factor == 1.0 else _Eased(field, self.representation, when)


class _Eased(Field):
    """A neural field less 1 − s of its lift."""

    def __init__(self, field: Field, representation: NeuralField, when: Moment) -> None:
        self.field, self.representation, self.when = field, representation, when

    def __call__(self, x: Tensor) -> Tensor:
        return self.jet(x, frozenset({"value"})).value

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        jet, hard = self.field.jet(x, needs), self.representation.hard
        if not hard.active:
            return jet
        lift = hard.lift_jet(self.when.t, x, needs).parts()
        less = 1 - self.when.factor
        return Jet(**{name: part - less * lift[name] for name, part in jet.parts().items()})


def inner_points(r: NeuralField, points: int) -> Quadrature:
    """At least so many points inside: by the same rule on every element, or evenly spread where elements are more."""
    assert isinstance(r.domain, MeshDomain)
    few = len(r.domain.mesh.cells) <= 2 * points
    return (r.domain.lattice if few else r.domain.spread)(points, r.dtype, r.device)


def edge_points(r: NeuralField, face: str, points: int) -> Quadrature:
    """Points on a part of the boundary, as dense as so many are inside."""
    q = r.domain.face_lattice(face, max(16, int(SIDES * points ** ((r.dim - 1) / r.dim))), r.dtype)
    assert q.normals is not None
    return Quadrature(q.points.to(r.device), q.weights.to(r.device), q.normals.to(r.device))
