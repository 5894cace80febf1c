"""The potential energy of a neural field by quadrature on its mesh: densities, points and loads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.dynamics._field_boundary import (
    BoundaryEnergy,
    DeadLoad,
    FollowerLoad,
    RubEnergy,
    TouchEnergy,
)
from neuralpde.dynamics._field_moment import Moment
from neuralpde.fields import Field, Jet
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Pressure, Quadrature, Robin
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import UsageError

NEEDS = frozenset({"value", "grad"})

Density = Callable[[Moment, Quadrature, Jet], Tensor]
"""(when, points, jet) → energy by volume or area, ``(n,)``."""

GROUPS = 16
"""Groups into which the points inside are dealt; a metric is made from some of them."""

SIDES = 2.0
"""Points on each part of the boundary for √n inside, for n^(2/3) in 3D."""


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
        UsageError: for a domain without a mesh, or a part of the boundary with a condition that has no energy: none, or
            Neumann's.
    """

    def __init__(
        self,
        problem: Problem,
        representation: NeuralField,
        points: int,
        extra: Sequence[tuple[str, BoundaryEnergy]] = (),
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

    def _loads(self) -> Iterator[tuple[str, BoundaryEnergy]]:
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
            follower = isinstance(condition, Pressure) and condition.follower
            yield face, FollowerLoad(condition) if follower else DeadLoad(condition)  # type: ignore[arg-type]

    @property
    def surfaces(self) -> list[tuple[Group, BoundaryEnergy]]:
        """The parts of the boundary, with their energies."""
        return [(group, group.density) for group in self.edges if isinstance(group.density, BoundaryEnergy)]

    def freeze(self, when: Moment, theta: Tensor, begins: bool = True) -> None:
        """Take what is frozen on the boundary from u_θ; ``begins`` at the beginning of a step."""
        field = self.field(theta, when)
        for group, energy in self.surfaces:
            with torch.no_grad():
                energy.freeze(when, group.points, field.jet(group.x, NEEDS), begins)

    def shares(self, t: float, theta: Tensor) -> dict[str, float]:
        """The parts of Π by name: ``"elastic"``, ``"external"``, and those of the boundary that can be had back."""
        when, field = Moment(t), self.representation.at(theta, t)
        out = {"elastic": self.strain(t, theta), "external": 0.0}
        with torch.no_grad():
            for group in self.inside:
                out["external"] += float(group.weights @ group.density(when, group.points, field.jet(group.x, NEEDS)))
            out["external"] -= out["elastic"]
            for group, energy in self.surfaces:
                if energy.stores:
                    jet = field.jet(group.x, NEEDS)
                    if energy.follows:
                        energy.freeze(when, group.points, jet)
                    part = float(group.weights @ energy(when, group.points, jet))
                    out[energy.name] = out.get(energy.name, 0.0) + part
        return out

    def pulls(self, t: float, theta: Tensor) -> Iterator[tuple[Group, TouchEnergy | RubEnergy, Tensor]]:
        """Forces −∂e/∂u by area at the points of contacts and of friction, ``(n, d)``."""
        when, field = Moment(t), self.representation.at(theta, t)
        for group, energy in self.surfaces:
            if isinstance(energy, TouchEnergy | RubEnergy):
                with torch.no_grad():
                    jet = field.jet(group.x, NEEDS)
                with torch.enable_grad():
                    value = jet.value.detach().requires_grad_()
                    total = energy(when, group.points, Jet(value, jet.grad)).sum()
                    yield group, energy, -torch.autograd.grad(total, value)[0]

    def touches(self, t: float, theta: Tensor) -> dict[str, float]:
        """The least gap of every contact at its points in m, and what it and friction push the body with, in N."""
        when, field, out = Moment(t), self.representation.at(theta, t), dict[str, float]()
        for group, energy, pull in self.pulls(t, theta):
            if isinstance(energy, TouchEnergy):
                with torch.no_grad():
                    gap = float(energy.gap(when, group.points, field.jet(group.x, NEEDS)).min())
                out[f"{energy.name} gap"] = min(gap, out.get(f"{energy.name} gap", gap))
            for axis, force in zip("xyz", (group.weights @ pull).tolist(), strict=False):
                name = f"{energy.name} force {axis}"
                out[name] = out.get(name, 0.0) + force
        return out

    def shifted(self, begin: float, t: float, theta: Tensor) -> float:
        """Work of obstacles that have moved since ``begin``, with their forces at t, in J."""
        work = 0.0
        for group, energy, pull in self.pulls(t, theta):
            contact = energy.contact.contact
            if contact.motion is not None:
                shift = contact.shift(t, group.x) - contact.shift(begin, group.x)
                work += float(group.weights @ pull @ shift)
        return work

    def heat(self, t: float, theta: Tensor) -> float:
        """What friction has taken since the step began, in J."""
        when, field = Moment(t), self.representation.at(theta, t)
        with torch.no_grad():
            return sum(
                float(group.weights @ energy.heat(when, group.points, field.jet(group.x, NEEDS)))
                for group, energy in self.surfaces
                if not energy.stores
            )

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
