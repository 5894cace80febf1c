"""The boundary of a body as Bézier patches, whose control points follow the nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.geometry import ELEMENTS
from neuralpde.geometry._mesh import Floats, Ints, reference_quadrature
from neuralpde.representations import FiniteElementField


@dataclass(frozen=True)
class Patches:
    """Bézier patches (flat or curved pieces of facets) of one kind.

    A patch lies inside the convex hull of its control points c_j, and ∫ x dS = Σ_j w_j c_j where its facet is straight.

    Args:
        control: numbers of the control points of every patch, ``(n, m)``.
        weights: w_j = ∫ B_j dS on the undeformed body in m (m² in 3D), ``(n, m)``.
        degree: of the polynomials.
        shape: ``"line"``, ``"triangle"`` or ``"quad"``.
    """

    control: Tensor
    weights: Tensor
    degree: int
    shape: str


class ContactSurface:
    """Points c = c⁰ + B u that follow the nodal displacements u, and the patches that they span.

    Args:
        representation: of the displacement.
        facets: of the mesh, ``(n, 2)`` of element and local facet.
        pieces: parts along each axis of a facet that become patches of their own.

    Source: Farin, Curves and Surfaces for CAGD (2002), chapters 4 and 17.
    """

    def __init__(self, representation: FiniteElementField, facets: Ints, pieces: int = 1) -> None:
        r = representation
        self.dim, self.num_nodes = r.mesh.dim, r.tables.num_nodes
        element = r.mesh.element
        corners = len(element.facets[0])
        self.shape = {2: "line", 3: "triangle", 4: "quad"}[corners]
        self.degree = max(element.order, r.degree)
        places, rows, columns, entries, weights = [], [], [], [], []
        found = 0
        for number in np.unique(facets[:, 1]):
            chosen = facets[facets[:, 1] == number, 0]
            for piece in _pieces(self.shape, pieces):
                c0, shares, w = _controls(r, int(number), chosen, piece, self.shape, self.degree)
                e, m = w.shape
                nodes = r.tables.dofs[torch.from_numpy(chosen)].cpu().numpy()
                places.append(c0.reshape(-1, self.dim))
                weights.append(w)
                rows.append(np.broadcast_to(found + np.arange(e * m).reshape(e, m, 1), (e, m, nodes.shape[1])).ravel())
                columns.append(np.broadcast_to(nodes[:, None], (e, m, nodes.shape[1])).ravel())
                entries.append(np.broadcast_to(shares, (e, *shares.shape)).ravel())
                found += e * m
        row, column, entry = np.concatenate(rows), np.concatenate(columns), np.concatenate(entries)
        kept = np.abs(entry) > 1e-12
        matrix = sp.csr_matrix((entry[kept], (row[kept], column[kept])), shape=(found, self.num_nodes))
        self._merge(np.concatenate(places), matrix, np.concatenate(weights))

    def _merge(self, places: Floats, matrix: sp.csr_matrix, weights: Floats) -> None:
        """Points that neighbouring patches share become one: those that are the same function of the nodes."""
        random = np.random.default_rng(0).uniform(0.5, 1.5, matrix.shape[1])
        size = np.abs(places).max(initial=1e-300)
        keys = np.round(np.column_stack([places / size, matrix @ random]), 9) + 0.0
        _, first, numbers = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        self.matrix: sp.csr_matrix = matrix[first]
        self.start = torch.from_numpy(places[first])
        control = torch.from_numpy(numbers.reshape(weights.shape).astype(np.int64))
        self.patches = Patches(control, torch.from_numpy(weights), self.degree, self.shape)

    @cached_property
    def _spread(self) -> sp.csr_matrix:
        return self.matrix.T.tocsr()

    @cached_property
    def point_weights(self) -> Tensor:
        """Share of the undeformed boundary that belongs to every control point, ``(n,)``."""
        flat = self.patches.control.flatten()
        return torch.zeros(len(self.start), dtype=torch.float64).index_add(0, flat, self.patches.weights.flatten())

    def place(self, values: Tensor) -> Tensor:
        """Control points of the displaced body, ``(n, d)``, of nodal displacements ``(N, d)``."""
        return self.start + self.move(values)

    def move(self, step: Tensor) -> Tensor:
        """How they move as the nodes move by ``(N, d)``."""
        return torch.from_numpy(self.matrix @ step.detach().cpu().double().numpy())

    def gather(self, forces: Tensor) -> Tensor:
        """What forces on control points ``(n, d)`` are on the nodes, ``(N, d)``."""
        return torch.from_numpy(self._spread @ forces.numpy())

    @cached_property
    def dof_matrix(self) -> sp.csr_matrix:
        """B for all components, ``(n d, N d)``."""
        return sp.kron(self.matrix, sp.identity(self.dim), format="csr")


def _controls(
    r: FiniteElementField, number: int, elements: Ints, piece: tuple[Floats, Floats], shape: str, degree: int
) -> tuple[Floats, Floats, Floats]:
    """Control points of a piece of one facet of some elements: places ``(e, m, d)``, shares of the elements' nodes
    ``(m, k)``, and weights ``(e, m)``."""
    mesh, flat = r.mesh, ELEMENTS[shape]
    corners = np.asarray(mesh.element.nodes)[list(mesh.element.facets[number])]
    at = _lattice(shape, degree)
    turn = np.linalg.inv(_bernstein(shape, degree, at))
    xi = flat.values(at @ piece[0].T + piece[1]) @ corners
    nodes = mesh.points[mesh.cells[elements]]
    c0 = np.einsum("mk,kg,egd->emd", turn, mesh.element.values(xi), nodes, optimize=True)
    shares = turn @ r.tables.basis(torch.from_numpy(xi))[0].cpu().double().numpy()
    s, w = reference_quadrature(flat, 3)
    tangents = np.einsum("qka,kd->qda", flat.gradients(s @ piece[0].T + piece[1]), corners) @ piece[0]
    inner = flat.values(s @ piece[0].T + piece[1]) @ corners
    slopes = np.einsum("egd,qga,qab->eqdb", nodes, mesh.element.gradients(inner), tangents, optimize=True)
    area = np.sqrt(np.linalg.det(np.swapaxes(slopes, -1, -2) @ slopes))
    return c0, shares, (area * w) @ _bernstein(shape, degree, s)


def _pieces(shape: str, count: int) -> list[tuple[Floats, Floats]]:
    """Maps s → A s + b of the reference facet onto equal parts of it."""
    h = 1.0 / count
    if shape == "triangle":
        up = [(np.eye(2) * h, np.array([i, j]) * h) for i in range(count) for j in range(count - i)]
        return up + [
            (-np.eye(2) * h, np.array([i + 1, j + 1]) * h) for i in range(count - 1) for j in range(count - 1 - i)
        ]
    dim = ELEMENTS[shape].dim
    return [(np.eye(dim) * h, np.array(corner) * h) for corner in product(range(count), repeat=dim)]


def _lattice(shape: str, degree: int) -> Floats:
    """Points where a polynomial of that degree is known by its values."""
    dim = ELEMENTS[shape].dim
    grid = [index for index in product(range(degree + 1), repeat=dim) if shape != "triangle" or sum(index) <= degree]
    return np.array(grid, dtype=float) / degree


def _bernstein(shape: str, degree: int, s: Floats) -> Floats:
    """Bernstein polynomials in the order of :func:`_lattice`, ``(n, m)``."""
    out = []
    for index in np.round(_lattice(shape, degree) * degree).astype(int):
        if shape == "triangle":
            rest = degree - int(index.sum())
            factor = math.factorial(degree) / math.prod(math.factorial(int(i)) for i in (*index, rest))
            out.append(factor * s[:, 0] ** index[0] * s[:, 1] ** index[1] * (1 - s.sum(1)) ** rest)
        else:
            axes = zip(index.tolist(), s.T, strict=True)
            out.append(math.prod(math.comb(degree, i) * x**i * (1 - x) ** (degree - i) for i, x in axes))
    return np.stack(out, axis=1)
