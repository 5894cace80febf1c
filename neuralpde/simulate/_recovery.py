"""Gradients of finite elements at their nodes, from polynomials that are fitted to a patch of elements."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.geometry import ELEMENTS
from neuralpde.representations import FiniteElementField, Tables
from neuralpde.simulate._bounded_gradient import Around, bounded, bounded_volume

Ints = NDArray[np.int64]

NUMBERS = 1 << 22
"""Entries of the matrices of patches that are solved with together."""

NEAR = 0.2
"""Samples of two rings weigh (NEAR + distance/radius)^−p: at a peak of stress far ones would flatten the fit. Without
weights, as in Zienkiewicz and Zhu's patches of inner nodes, errors at corners are larger by a factor of 1.3 to 4."""

POWERS = {True: (2, 2), False: (2, 4)}
"""p on simplices, and on quads and hexahedra, of degree 1 and 2: of 0, 2, 4 and 8 those are the closest on
smooth fields and on NAFEMS' LE1 and LE10 together."""

FLAT = 1e-6
"""A diagonal entry of R below that share of the largest: the patch does not determine its polynomial."""


Gradient = Callable[[Tables], Tensor]
"""A table of some elements → gradients at its points, ``(e, q, c, d)``."""


def recovered_gradient(
    r: FiniteElementField, values: Tensor, chosen: Ints, gradient: Gradient | None = None, upright: bool = False
) -> tuple[Tensor, Tensor]:
    """∇u at the nodes of some elements, ``(N, c d)``, and where it is known, ``(N,)`` of bool.

    The gradient of an element of degree k is of order k, and at some points inside of order k + 1. At every corner of
    the mesh a polynomial of degree k (on quads and hexahedra of degree k along each axis) is fitted to it at these
    points of the elements around, at the boundary of two rings of them; at a node the polynomials of its element's
    corners are weighted as linear shape functions do. On quads and hexahedra of degree 2 the polynomials are those of
    the elements' own axes, so that thin ones serve as well. On regular meshes smooth gradients come out of order k + 1
    inside. It is not known at nodes whose patches are too small, and nowhere farther from the mean of the elements
    around than those are.

    Args:
        r: the finite elements.
        values: at the nodes, ``(N, c)``.
        chosen: numbers of the elements.
        gradient: what is recovered, in place of ∇u itself.
        upright: whether u is the displacement of a body whose det F has a meaning: it is bounded too.

    Source: Zienkiewicz & Zhu, The superconvergent patch recovery, Int. J. Numer. Meth. Eng. 33 (1992).
    """
    patches = _Patches(r, chosen)
    x, samples = patches.samples(values, gradient)
    total = values.new_zeros(r.tables.num_nodes, samples.shape[-1])
    weight = values.new_zeros(r.tables.num_nodes)
    for vertices, elements, power in patches.groups(x.shape[1]):
        _fit(patches, vertices, elements, power, x, samples, total, weight)
    missing = torch.zeros_like(weight, dtype=torch.bool)
    missing[patches.dofs] = True
    missing &= weight == 0
    found = total / weight.clamp_min(torch.finfo(total.dtype).tiny)[:, None]
    measures = torch.as_tensor(r.mesh.measures[chosen]).to(found)
    around = Around(patches.dofs, measures, samples, r.tables.num_nodes)
    found = bounded(found, around)
    return bounded_volume(found, around, r.dim) if upright else found, ~missing


class _Patches:
    """The corners of some elements, and the elements around each.

    Args:
        r: the finite elements.
        chosen: numbers of the elements.
    """

    def __init__(self, r: FiniteElementField, chosen: Ints) -> None:
        self.r, self.chosen = r, torch.from_numpy(chosen).to(r.device)
        element = r.mesh.element
        self.simplex = element.shape in ("triangle", "tetrahedron")
        local = r.tables.local_nodes.cpu().double().numpy()
        straight = {"triangle": "triangle", "quad": "quad", "tetrahedron": "tetra", "hexahedron": "hexahedron"}
        self.shares = ELEMENTS[straight[element.shape]].values(local)
        """Linear shape functions of the corners at the nodes of an element, ``(k, g)``."""
        corners = self.shares.argmax(0)
        self.dofs = r.tables.dofs[self.chosen]
        self.vertices, numbers = np.unique(self.dofs.cpu().numpy()[:, corners], return_inverse=True)
        self.numbers = numbers.reshape(len(chosen), len(corners))
        entries = (np.ones(numbers.size), (self.numbers.reshape(-1), np.repeat(np.arange(len(chosen)), len(corners))))
        self.around = sp.csr_matrix(entries, shape=(len(self.vertices), len(chosen)))
        k, d = r.degree, r.dim
        powers = itertools.product(range(k + 1), repeat=d)
        self.powers = torch.tensor([p for p in powers if not self.simplex or sum(p) <= k], device=r.device)

    @cached_property
    def table(self) -> Tables:
        """The elements at the points where gradients are taken."""
        return self.r.tables.interior(self.r.degree if self.simplex else 2 * self.r.degree - 1, self.chosen)

    def scaled(self, vertices: Ints, away: Tensor) -> Tensor:
        """Matrices T ``(v, d, d)`` that take places away from corners, those given ``(v, n, d)``, into −1 … 1.

        On simplices, whose polynomials are the same in all axes, and of degree 1, whose polynomials thin elements
        determine too, they are multiples of the identity. Else a corner has the axes of an element at it, each with a
        scale of its own.
        """
        if self.simplex or self.r.degree == 1:
            size = away.norm(dim=-1).amax(1)
            return torch.eye(away.shape[-1], dtype=away.dtype, device=away.device) / size[:, None, None]
        first = torch.from_numpy(self.around.indices[self.around.indptr[vertices]].astype(np.int64)).to(away.device)
        axes = self.table.inverse[first].mean(1)
        return axes / (away @ axes.mT).abs().amax(1)[..., None]

    def samples(self, values: Tensor, gradient: Gradient | None) -> tuple[Tensor, Tensor]:
        """Points ``(e, q, d)`` and gradients there ``(e, q, c d)``."""
        table = self.table
        if gradient is not None:
            return table.points, gradient(table).flatten(2)
        gradients = table.gradients.expand(-1, table.weights.shape[1], -1, -1)
        grad = torch.einsum("eqkd,ekc->eqcd", gradients, values[table.dofs])
        return table.points, grad.flatten(2)

    def _wide(self, samples: int) -> NDArray[np.bool_]:
        """Which corners take two rings of elements: those at the boundary of the chosen ones, and where one has too few
        samples."""
        mesh = self.r.mesh
        inverse, _, counts = mesh.shared_facets
        owners = mesh.facets[1]
        inside = np.zeros(len(mesh.cells), dtype=bool)
        inside[self.chosen.cpu().numpy()] = True
        mine = inside[owners[:, 0]]
        alone = np.bincount(inverse[mine], minlength=len(counts))[inverse] == 1
        edge = self.r.tables.facet_nodes(owners[mine & alone]).cpu().numpy()
        few = np.diff(self.around.indptr) * samples < len(self.powers) + self.r.dim
        return np.isin(self.vertices, edge) | few

    def groups(self, samples: int) -> Iterator[tuple[Ints, Ints, int]]:
        """Corners, the elements of their patches ``(v, m)``, filled up with −1, and the power of the weights."""
        wide, power = self._wide(samples), POWERS[self.simplex][self.r.degree - 1]
        for mine, rings in ((np.flatnonzero(~wide), 1), (np.flatnonzero(wide), 2)):
            if not len(mine):
                continue
            patch = self.around[mine]
            if rings == 2:
                patch = (patch @ self.around.T @ self.around).tocsr()
            sizes = np.diff(patch.indptr)
            order = np.argsort(sizes, kind="stable")
            most = max(1, NUMBERS // (int(sizes.max()) * samples * len(self.powers)))
            for part in np.split(order, range(most, len(order), most)):
                columns = np.arange(sizes[part].max())
                held = columns < sizes[part, None]
                places = np.where(held, patch.indptr[part, None] + columns, 0)
                yield mine[part], np.where(held, patch.indices[places], -1), power * (rings - 1)


def _fit(
    patches: _Patches,
    vertices: Ints,
    elements: Ints,
    power: int,
    x: Tensor,
    samples: Tensor,
    total: Tensor,
    weight: Tensor,
) -> None:
    """Add the polynomials of some corners to the nodes of the elements around them."""
    centre = patches.r.nodes[patches.vertices[vertices]]
    number, held = torch.from_numpy(elements).to(x.device), torch.from_numpy(elements >= 0).to(x.device)
    inside = held[..., None].expand(-1, -1, x.shape[1]).flatten(1).to(x.dtype)
    away = (x[number].flatten(1, 2) - centre[:, None]) * inside[..., None]
    turn = patches.scaled(vertices, away)
    local = away @ turn.mT
    distance = local.norm(dim=-1)
    rows = inside / (NEAR + distance / distance.amax(1, keepdim=True)) ** power
    q, triangle = torch.linalg.qr(_monomials(local, patches.powers) * rows[..., None])
    sizes = triangle.diagonal(dim1=-2, dim2=-1).abs()
    good = (sizes.amin(1) > FLAT * sizes.amax(1)) & (inside.sum(1) >= len(patches.powers))
    right = q.mT @ (samples[number].flatten(1, 2) * rows[..., None])
    safe = torch.where(good[:, None, None], triangle, torch.eye(len(patches.powers), dtype=x.dtype, device=x.device))
    fitted = torch.linalg.solve_triangular(safe, right, upper=True)
    place = np.full(len(patches.vertices), -1)
    place[vertices[good.cpu().numpy()]] = np.flatnonzero(good.cpu().numpy())
    for corner in range(patches.numbers.shape[1]):
        mine = place[patches.numbers[:, corner]]
        chosen = np.flatnonzero(mine >= 0)
        if len(chosen):
            which = torch.from_numpy(mine[chosen]).to(x.device)
            nodes = patches.dofs[torch.from_numpy(chosen).to(x.device)]
            share = torch.as_tensor(patches.shares[:, corner], dtype=x.dtype, device=x.device)
            near = (patches.r.nodes[nodes] - centre[which][:, None]) @ turn[which].mT
            found = _monomials(near, patches.powers) @ fitted[which]
            total.index_add_(0, nodes.flatten(), (found * share[:, None]).flatten(0, 1))
            weight.index_add_(0, nodes.flatten(), share.expand(len(nodes), -1).flatten())


def _monomials(x: Tensor, powers: Tensor) -> Tensor:
    """Products of powers of the coordinates at points ``(…, d)``, ``(…, K)``."""
    out = torch.ones(*x.shape[:-1], len(powers), dtype=x.dtype, device=x.device)
    for axis in range(x.shape[-1]):
        one = torch.stack([x[..., axis] ** p for p in range(int(powers.max()) + 1)], dim=-1)
        out = out * one[..., powers[:, axis]]
    return out
