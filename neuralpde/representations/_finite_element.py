"""Finite elements: continuous piecewise polynomials on a mesh."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Condition, Dirichlet, MeshDomain, Quadrature, rate_conditions
from neuralpde.representations._assembly import SparsePattern, scatter
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._cut_pattern import CutPattern
from neuralpde.representations._element_matrices import Parts
from neuralpde.representations._element_tables import ElementTables, Tables
from neuralpde.representations._motion import Motion
from neuralpde.representations._operators import (
    Coefficient,
    advection_parts,
    assembled,
    chunks,
    diffusion_parts,
    mass_parts,
)
from neuralpde.representations._pair_sums import PairSums
from neuralpde.representations._set_nodes import set_nodes
from neuralpde.types import Status, UsageError


class FiniteElementField(Representation):
    """u = Σ_i u_i φ_i with Lagrange elements of degree 1 or 2 (P1, P2; Q1, Q2 on quads and hexahedra).

    θ holds the free unknowns, node by node, components running fastest; what Dirichlet conditions hold carries their
    data, at a node that is held all components, on a roller one. Where parts of the boundary meet, a component takes
    the data of the last condition that holds it on one of them.

    Args:
        domain: of a mesh.
        conditions, channels, dtype, device: as for every representation.
        degree: 1 or 2.
        dilatation: how elastic bodies take the change of volume: ``"exact"``, at every point, or ``"mean"``, its mean
            in each element, which does not lock where they are nearly incompressible.

    Raises:
        UsageError: for a domain without a mesh, or another word for the dilatation.

    Source: Brenner & Scott, The Mathematical Theory of Finite Element Methods (2008).
    """

    holds_components = holds_points = True

    def __init__(
        self,
        domain: MeshDomain,
        conditions: tuple[Condition, ...] = (),
        channels: int = 1,
        *,
        degree: int = 2,
        dilatation: Literal["exact", "mean"] = "exact",
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        if not isinstance(domain, MeshDomain):
            raise UsageError(f"finite elements need a mesh: domain=MeshDomain(read_mesh(path)); got {domain}.")
        if dilatation not in ("exact", "mean"):
            raise UsageError(f"dilatation is 'exact' or 'mean'; got {dilatation!r}.")
        self.dilatation = dilatation
        super().__init__(domain, conditions, channels, dtype, device)  # type: ignore[arg-type]
        self.mesh, self.degree = domain.mesh, degree
        self.tables = ElementTables(domain.mesh, degree, dtype, self.device)
        self.held = self._held()
        """What every Dirichlet condition holds: (numbers of nodes, condition)."""
        fixed = torch.zeros(self.tables.num_nodes, channels, dtype=torch.bool, device=self.device)
        for nodes, condition in self.held:
            for k in condition.held(channels):
                fixed[nodes, k] = True
        self.fixed = fixed
        """Which components are held at every node, ``(N, c)``."""
        self.free = torch.nonzero(~fixed.all(1))[:, 0]
        """Numbers of the nodes that have a free unknown."""
        self.partly = bool((fixed.any(1) & ~fixed.all(1)).any())
        """Whether some node has held components and free ones."""

    @classmethod
    def for_problem(cls, problem: Any, degree: int = 2, **options: Any) -> Any:
        """Elements on a problem's mesh with its conditions; for a body that moves a :class:`Motion` of two."""
        if problem.time_order == 2:
            place = cls(problem.domain, problem.conditions, problem.evolving, degree=degree, **options)
            plain = options | {"dilatation": "exact"}  # a velocity has no volume
            rates = rate_conditions(problem.conditions)
            return Motion(place, cls(problem.domain, rates, problem.evolving, degree=degree, **plain))
        return cls(problem.domain, problem.conditions, problem.channels, degree=degree, **options)

    def _held(self) -> list[tuple[Tensor, Dirichlet]]:
        return [(self.nodes_of(name), condition) for name, condition in self.boundary.essential]

    def nodes_of(self, name: str) -> Tensor:
        """Numbers of the nodes on a part of the boundary, or of a named set of points or edges."""
        assert isinstance(self.domain, MeshDomain)
        if name in self.domain.sides:
            return self.tables.facet_nodes(self.domain.sides[name])
        return set_nodes(self.tables, self.domain.sets[name], name)

    @property
    def nodes(self) -> Tensor:
        """Places of all nodes, ``(N, d)``."""
        return self.tables.nodes

    @property
    def num_dofs(self) -> int:
        return len(self.free_numbers)

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """Zeros."""
        return torch.zeros(self.num_dofs, dtype=self.dtype, device=self.device)

    def values(self, theta: Tensor, t: float) -> Tensor:
        """Values at all nodes, ``(N, c)``, with the boundary data of time t; :meth:`free_part` takes θ out again."""
        out = theta.new_zeros(self.tables.num_nodes, self.channels)
        for nodes, condition in self.held:
            data = condition.at(t, self.nodes[nodes], self.channels).to(out)
            if condition.components is None:
                out[nodes] = data
            else:
                columns = list(condition.held(self.channels))
                out[nodes[:, None], columns] = data[:, columns]
        return self._placed(out, theta)

    def free_part(self, values: Tensor) -> Tensor:
        """The free unknowns ``(p,)`` among values at all nodes ``(N, c)``: of a state θ, of a residual its rows."""
        if not self.partly:
            return values[self.free].reshape(-1)
        return values.reshape(-1)[self.free_numbers]

    def extended(self, part: Tensor) -> Tensor:
        """Values at all nodes ``(N, c)`` of the free unknowns ``(p,)``, 0 in what is held."""
        return self._placed(part.new_zeros(self.tables.num_nodes, self.channels), part)

    def _placed(self, values: Tensor, part: Tensor) -> Tensor:
        if not self.partly:
            return values.index_copy(0, self.free, part.reshape(-1, self.channels))
        return values.reshape(-1).index_copy(0, self.free_numbers, part).reshape(values.shape)

    def at(self, theta: Tensor, t: float = 0.0) -> FiniteElementAt:
        return FiniteElementAt(self, self.values(theta, t))

    @cached_property
    def free_numbers(self) -> Tensor:
        """Numbers of the free unknowns among all ``N c``, ``(p,)``."""
        return torch.nonzero(~self.fixed.reshape(-1))[:, 0]

    @cached_property
    def free_dofs(self) -> np.ndarray:
        """The same for SciPy's matrices."""
        return self.free_numbers.cpu().numpy()

    @cached_property
    def pattern(self) -> SparsePattern:
        """Of matrices on all unknowns."""
        return SparsePattern(self.tables.dofs, self.tables.num_nodes, self.channels)

    @cached_property
    def free_pattern(self) -> SparsePattern:
        """Of matrices on the free unknowns: rows and columns of nodes that are held are never made."""
        numbers = torch.full((self.tables.num_nodes,), -1, dtype=torch.int64, device=self.device)
        numbers[self.free] = torch.arange(len(self.free), device=self.device)
        dofs, size = numbers[self.tables.dofs], len(self.free)
        if not self.partly:
            return SparsePattern(dofs, size, self.channels)
        return CutPattern(dofs, size, self.channels, ~self.fixed[self.free].reshape(-1))

    @cached_property
    def free_pairs(self) -> PairSums:
        """Of symmetric matrices on the free unknowns whose rows sum to zero before any is held."""
        return PairSums(self.free_pattern, self.tables.dofs, self.tables.num_nodes)

    @cached_property
    def _scalar_pattern(self) -> SparsePattern:
        return self.pattern if self.channels == 1 else SparsePattern(self.tables.dofs, self.tables.num_nodes)

    @property
    def quadrature_degree(self) -> int:
        """Degree of the rule by which weak forms are integrated: exact for products of two basis functions, and for
        the maps of curved elements."""
        return 2 * self.degree + self.mesh.element.order - 1

    @cached_property
    def quadrature_tables(self) -> Tables:
        """Basis functions at the points where weak forms are evaluated."""
        return self.tables.interior(self.quadrature_degree)

    def chunks(self, floats: int) -> Iterator[Tables]:
        """Those of some elements at a time, for work that takes so many numbers a point."""
        return chunks(self.tables, self.quadrature_degree, floats, lambda: self.quadrature_tables)

    def mass(self, density: Callable[[Tensor], Tensor] | None = None) -> sp.csr_matrix:
        """∫ ρ φ_i φ_j for all unknowns, ``(N c, N c)``; ρ is 1, or a function of points ``(n, d)`` → ``(n,)``."""
        return self._of_every_channel(lambda table: mass_parts(table, density), 1)

    def laplace(self, coefficient: Coefficient = None) -> sp.csr_matrix:
        """∫ ∇φ_i·κ∇φ_j for all unknowns, ``(N c, N c)``: the matrix of −∇·κ∇.

        Args:
            coefficient: κ, 1 by default: a number, a matrix ``(d, d)``, or a function of points ``(n, d)`` that gives
                ``(n,)``, ``(n, 1)`` or ``(n, d, d)``.

        Raises:
            UsageError: for κ of another shape.
        """
        return self._of_every_channel(lambda table: diffusion_parts(table, coefficient), self.dim**2)

    def advection(self, velocity: Sequence[float] | Callable[[Tensor], Tensor]) -> sp.csr_matrix:
        """∫ φ_i v·∇φ_j for all unknowns, ``(N c, N c)``: the matrix of v·∇.

        Args:
            velocity: v, d numbers or a function ``(n, d)`` → ``(n, d)``.

        Raises:
            UsageError: for v of another shape.
        """
        return self._of_every_channel(lambda table: advection_parts(table, velocity), self.dim)

    def _of_every_channel(self, parts: Callable[[Tables], Parts], floats: int) -> sp.csr_matrix:
        matrix = assembled(self, self._scalar_pattern, parts, floats)
        return sp.kron(matrix, sp.identity(self.channels), format="csr") if self.channels > 1 else matrix

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **_: Any
    ) -> Projection:
        """The L² projection: ∫ φ_i (u − target) = 0 for all free nodes, boundary data held."""
        begin, table = time.perf_counter(), self.quadrature_tables
        wanted = target(table.points.flatten(0, 1)).to(self.dtype)
        wanted = (wanted if wanted.ndim == 2 else wanted[:, None]).reshape(*table.weights.shape, self.channels)
        known = self.values(self.initial(), t)
        load = scatter(self.tables.dofs, _loads(table, wanted), self.tables.num_nodes)
        mass = assembled(self, self._scalar_pattern, mass_parts, 1)
        right = load.cpu().numpy() - mass @ known.cpu().numpy()
        theta = self.free_part(torch.as_tensor(self._mass_solved(mass, right), dtype=self.dtype, device=self.device))
        u = table.values @ self.values(theta, t)[table.dofs]
        error = ((u - wanted).square() * table.weights[..., None]).sum() / (table.weights.sum() * self.channels)
        return Projection(theta, float(error.sqrt()), Status.COMPLETED, 0, time.perf_counter() - begin)

    def _mass_solved(self, mass: sp.csr_matrix, right: np.ndarray) -> np.ndarray:
        """M⁻¹ of right-hand sides ``(N, c)`` on what is free; components with the same free nodes together."""
        out, free = np.zeros_like(right), ~self.fixed.cpu().numpy()
        for kind in np.unique(free, axis=1).T:
            columns = np.flatnonzero((free == kind[:, None]).all(0))
            nodes = np.flatnonzero(kind)
            if len(nodes):
                solved = spla.splu(mass[nodes][:, nodes].tocsc()).solve(right[nodes][:, columns])
                out[nodes[:, None], columns] = solved
        return out

    def quadrature(self, n: int | None = None) -> Quadrature:
        """The elements' own points, or about n of the domain."""
        if n is not None:
            return self.domain.lattice(n, self.dtype, self.device)
        table = self.quadrature_tables
        return Quadrature(table.points.flatten(0, 1), table.weights.flatten())

    def config(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        config = {"kind": "finite_element", "degree": self.degree, "dtype": dtype}
        return config if self.dilatation == "exact" else config | {"dilatation": self.dilatation}


def _loads(table: Tables, values: Tensor) -> Tensor:
    """∫ φ_i f per element, ``(e, k, c)``, of f at the points ``(e, q, c)``."""
    weighted = values * table.weights[..., None]
    return table.values.transpose(1, 2) @ weighted


class FiniteElementAt(Field):
    """The field of one θ at one time.

    Between the nodes of the mesh it is the element's polynomial; a point outside the mesh gets the value of the nearest
    element's nearest point.
    """

    def __init__(self, representation: FiniteElementField, values: Tensor) -> None:
        self.representation, self.values = representation, values

    def __call__(self, x: Tensor) -> Tensor:
        return self.jet(x, frozenset({"value"})).value

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        r = self.representation
        refused = needs - {"value", "grad"}
        if refused:
            raise UsageError(
                f"finite elements have values and gradients; asked for {', '.join(sorted(refused))}. A problem that "
                "states its flux is solved in its weak form, without second derivatives."
            )
        assert isinstance(r.domain, MeshDomain)
        element, xi = r.domain.locator.nearest(x.detach().cpu().double().numpy())
        value, grad = r.tables.evaluate(self.values, element, xi)
        return Jet(value, grad if "grad" in needs else None)
