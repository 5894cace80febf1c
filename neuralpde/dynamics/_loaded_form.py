"""The weak form of an elastic body: its energies, its loads by a factor, and Hessians without negative eigenvalues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._moduli_rows import gradient_rows
from neuralpde.dynamics._strain_forces import FLOATS, StrainForces
from neuralpde.dynamics._weak_form import POINT, Density, WeakForm, _jet, _Piece
from neuralpde.fields import Jet
from neuralpde.geometry import Condition, MeshDomain, Neumann, Pressure, Robin
from neuralpde.linalg import positive_part
from neuralpde.problems import ElasticBody, Problem
from neuralpde.problems._kinematics import Deformation
from neuralpde.representations import FiniteElementField, Tables
from neuralpde.types import UsageError


class LoadedForm(WeakForm):
    """R = −∂Π/∂u of Π = ∫ Ψ(∇u) − s b·u dx − ∮ s g·u dS with a factor s for all loads, by which they are raised.

    Args:
        problem: that states its energy, the density Ψ − b·u.
        representation: finite elements for the displacement.

    Raises:
        UsageError: where a part of the boundary has no condition, or Neumann's: such a form has no potential.
    """

    follows = True
    factor: float = 1.0
    """Of body forces, tractions and pressures."""

    definite: bool = False
    """Whether Jacobians take ∂²Ψ/∂F² with its negative eigenvalues clamped to zero."""

    def __init__(self, problem: Problem, representation: FiniteElementField) -> None:
        super().__init__(problem, representation)
        self._made: list[FollowerPressure] = []
        self.strain = StrainForces(self)
        assert isinstance(representation.domain, MeshDomain)
        table = representation.boundary.table
        for face in representation.domain.sides:
            if isinstance(table.get(face), Neumann | None):
                raise UsageError(
                    f"{problem.name} needs a support or a load on {face}: give Dirichlet, or traction(0.0) where it is "
                    "free."
                )

    def energies(self, t: float, values: Tensor) -> tuple[float, float]:
        """The strain energy ∫ Ψ, and the energy of the loads −∫ s b·u − ∮ s g·u, of nodal values ``(N, d)``."""
        if self.strain.serve:
            whole = -self.factor * float((self.strain.loads(t) * values).sum())
            for piece in self.boundary:
                jet = _jet(piece.tables, values)
                whole += float(piece.tables.weights.reshape(-1) @ self._exchanged(piece, t, jet))
            return self.strain(values)[0], whole
        strain = whole = 0.0
        for piece in self._parts(POINT):
            weights, jet = piece.tables.weights.reshape(-1), _jet(piece.tables, values)
            if piece.whole:
                x = piece.tables.points.flatten(0, 1)
                rest = Jet(torch.zeros_like(jet.value), jet.grad)
                own = float(weights @ self.problem.energy(t, x, rest))
                strain += own
                whole += self._loads(t, x, jet, weights, own)
            else:
                whole += float(weights @ self._exchanged(piece, t, jet))
        return strain, whole

    def residual(self, t: float, values: Tensor) -> Tensor:
        if not self.strain.serve:
            return super().residual(t, values)
        total = self.factor * self.strain.loads(t) - self.strain(values)[1]
        for piece in self.boundary:
            self._gather(total, piece, *self._at(piece, t, _jet(piece.tables, values)))
        return total

    def load_energy(self, t: float, values: Tensor) -> float:
        """−∫ s b·u − ∮ s g·u alone, of nodal values ``(N, d)``."""
        if not isinstance(self.problem, ElasticBody):
            return self.energies(t, values)[1]
        whole = 0.0
        for piece in self._parts(POINT):
            weights, jet = piece.tables.weights.reshape(-1), _jet(piece.tables, values)
            if piece.whole:
                whole += self._loads(t, piece.tables.points.flatten(0, 1), jet, weights, 0.0)
            else:
                whole += float(weights @ self._exchanged(piece, t, jet))
        return whole

    def loads(self, t: float, values: Tensor) -> Tensor:
        """The forces of the loads on the nodes, ``(N, d)``, in N: minus the slope of their energy."""
        total = torch.zeros_like(values)
        for piece in self._parts(POINT):
            jet, x = _jet(piece.tables, values), piece.tables.points.flatten(0, 1)
            load = self.factor * self.problem.source(t, x, jet) if piece.whole else self._at(piece, t, jet)[0]
            self._gather(total, _Piece(piece.tables, piece.density, False), load, load)
        return total

    def worked(self, before: tuple[float, Tensor], after: tuple[float, Tensor]) -> float:
        """Work of loads that change in time or follow the body between two times with nodal displacements, in J: that
        of their mean force, less what their energy tells."""
        energies, forces = [], []
        for t, values in (before, after):
            self.lag(values)
            energies.append(self.load_energy(t, values))
            forces.append(self.loads(t, values))
        return energies[1] - energies[0] + 0.5 * float(((forces[0] + forces[1]) * (after[1] - before[1])).sum())

    def _loads(self, t: float, x: Tensor, jet: Jet, weights: Tensor, strain: float) -> float:
        """Energy of the body forces at some points, whose strain energy is known."""
        if isinstance(self.problem, ElasticBody):  # b does not depend on u
            return -self.factor * float(weights @ (self.problem.source(t, x, jet) * jet.value).sum(-1))
        return self.factor * (float(weights @ self.problem.energy(t, x, jet)) - strain)

    def lag(self, values: Tensor) -> None:
        """Freeze the pressures that follow the body at nodal displacements ``(N, d)``."""
        for pressure in self.followers:
            pressure.lag(values)

    @cached_property
    def boundary(self) -> list[_Piece]:
        self._made.clear()
        pieces: list[_Piece] = WeakForm.boundary.func(self)  # type: ignore[attr-defined]
        self._frozen = tuple(self._made)
        for pressure in self._frozen:
            pressure.normals = pressure.rest
        return pieces

    @property
    def followers(self) -> tuple[FollowerPressure, ...]:
        """Pressures that act on the deformed boundary, as it was when they were frozen last."""
        return self._frozen if self.boundary else ()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Pressures that follow the body at every state, so that Jacobians hold their load stiffness."""
        frozen = [(pressure, pressure.normals) for pressure in self.followers]
        for pressure, _ in frozen:
            pressure.normals = None
        try:
            yield
        finally:
            for pressure, normals in frozen:
                pressure.normals = normals

    def slopes(self, t: float, values: Tensor, definite: bool, whole: bool = False) -> sp.csr_matrix | sp.bsr_matrix:
        """∂R/∂u; if ``definite`` of ∂²Ψ/∂F² without negative eigenvalues, if ``whole`` between all unknowns."""
        self.definite, self.whole = definite, whole
        try:
            return self.jacobian(t, values, rest=False)[1]
        finally:
            self.definite = self.whole = False

    def least_volume(self, values: Tensor) -> float:
        """The smallest det F at the points of the quadrature, F = I + ∇u."""
        least, rows = torch.inf, values.T.contiguous()
        for table in self.chunks(FLOATS):
            least = min(least, float(Deformation(gradient_rows(table, rows).permute(2, 0, 1)).volume_ratio.min()))
        return least

    def _exchanged(self, piece: _Piece, t: float, jet: Jet) -> Tensor:
        """Density on the boundary of the energy whose slope is −load; loads are affine in u."""
        loaded = self._at(piece, t, jet)[0] + self._at(piece, t, Jet(torch.zeros_like(jet.value), jet.grad))[0]
        return -0.5 * (loaded * jet.value).sum(-1)

    def _inside(self, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
        source, flux = super()._inside(t, x, u)
        return self.factor * source, flux

    def _through(self, condition: Condition | None, table: Tables) -> Density:
        density = super()._through(condition, table)
        if isinstance(condition, Robin):  # an elastic foundation is no load
            return density
        if isinstance(condition, Pressure) and condition.follower:
            self._made.append(FollowerPressure(condition, table))
            density = self._made[-1]

        def scaled(t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
            load, flux = density(t, x, u)
            return self.factor * load, flux

        return scaled

    def _slopes(self, piece: _Piece, t: float, values: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        load, flux, parts = super()._slopes(piece, t, values)
        if self.definite and "gg" in parts:
            parts["gg"] = -positive_tangent(-parts["gg"])
        return load, flux, parts


class FollowerPressure:
    """−p cof(F) N on a facet of a deformed body, with F as it was when it was frozen, or of the field itself.

    Args:
        condition: states p.
        table: of the facets.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), equations 2.54 (Nanson) and 8.60.
    """

    def __init__(self, condition: Pressure, table: Tables) -> None:
        assert table.normals is not None
        self.condition, self.table = condition, table
        self.rest = table.normals.reshape(-1, table.normals.shape[-1])
        self.normals: Tensor | None = None
        """Frozen ones, times the change of the area; None takes them from the field."""

    def lag(self, values: Tensor) -> None:
        """Freeze the normals of nodal displacements."""
        self.normals = self._turned(_jet(self.table, values).grad)

    def _turned(self, grad: Tensor) -> Tensor:
        return (Deformation(grad).cofactor @ self.rest[..., None])[..., 0]

    def __call__(self, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
        normals = self._turned(u.grad) if self.normals is None else self.normals
        return -self.condition.flux(t, x, normals), torch.zeros_like(u.grad)


def positive_tangent(tangent: Tensor) -> Tensor:
    """The nearest positive semi-definite tensors ∂²Ψ/∂F², ``(e, q, c, d, c, d)``: negative eigenvalues become zero.

    Source: Teran, Sifakis, Irving & Fedkiw, Robust quasistatic finite elements and flesh simulation (2005).
    """
    m = tangent.shape[2] * tangent.shape[3]
    return positive_part(tangent.reshape(-1, m, m)).reshape(tangent.shape)
