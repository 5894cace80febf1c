"""Finite elements as tensors: basis functions, their gradients and weights at points of every element."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import Element, Mesh, facet_rule
from neuralpde.representations._tables import Rule, Tables
from neuralpde.types import UsageError

BASES = {
    ("triangle", 1): ("MeshTri1", "ElementTriP1"),
    ("triangle", 2): ("MeshTri1", "ElementTriP2"),
    ("quad", 1): ("MeshQuad1", "ElementQuad1"),
    ("quad", 2): ("MeshQuad1", "ElementQuad2"),
    ("tetrahedron", 1): ("MeshTet1", "ElementTetP1"),
    ("tetrahedron", 2): ("MeshTet1", "ElementTetP2"),
    ("hexahedron", 1): ("MeshHex1", "ElementHex1"),
    ("hexahedron", 2): ("MeshHex1", "ElementHex2"),
}
"""scikit-fem's mesh and element by shape and degree."""


Chosen: TypeAlias = Tensor | slice | None
"""Some elements, by their numbers or as a slice, or all."""


class ElementTables:
    """Continuous piecewise polynomials of degree 1 or 2 on a mesh, straight or curved.

    Numbers of the unknowns and the reference element's basis and quadrature are scikit-fem's. The map from the
    reference element is the mesh's own, of its own order.

    Args:
        mesh: of a domain.
        degree: 1 or 2 (on quads and hexahedra of degree 1 or 2 along each axis).
        dtype, device: of all tensors.

    Raises:
        UsageError: for another degree.
    """

    def __init__(self, mesh: Mesh, degree: int, dtype: torch.dtype, device: torch.device) -> None:
        import skfem
        from skfem.assembly.dofs import Dofs

        if degree not in (1, 2):
            raise UsageError(f"finite elements here have degree 1 or 2; got {degree!r}.")
        self.mesh, self.degree, self.dtype, self.device = mesh, degree, dtype, device
        made, kind = BASES[mesh.element.shape, degree]
        self._element: Any = getattr(skfem, kind)()
        corners = mesh.cells[:, : mesh.element.corners]
        self.vertices, numbers = np.unique(corners, return_inverse=True)  # nodes of curved edges are none
        options = {} if mesh.element.shape in ("quad", "hexahedron") else {"sort_t": False}
        order = _to_skfem(mesh.element)
        topology = getattr(skfem, made)(
            mesh.points[self.vertices].T.copy(),
            numbers.reshape(corners.shape)[:, order].T.copy(),
            validate=False,
            **options,
        )
        found = Dofs(topology, self._element)
        self.dofs = torch.from_numpy(np.ascontiguousarray(found.element_dofs.T)).to(torch.int64).to(device)
        """Global numbers of the nodes of every element, ``(e, k)``."""
        self.num_nodes = int(found.N)
        self._corner_nodes = torch.from_numpy(np.ascontiguousarray(found.nodal_dofs[0])).long().to(device)
        self._rules: dict[int, Rule] = {}

    @cached_property
    def local_nodes(self) -> Tensor:
        """Reference coordinates of an element's nodes, ``(k, d)``."""
        return self._reference(self._element.doflocs)

    def _reference(self, x: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(x), dtype=self.dtype, device=self.device)

    @cached_property
    def nodes(self) -> Tensor:
        """Places of all nodes, ``(N, d)``."""
        out = torch.zeros(self.num_nodes, self.mesh.dim, dtype=self.dtype, device=self.device)
        if self.degree == 1:
            out[self._corner_nodes] = self.points[self.vertices]
            return out
        # of the elements that share a node one gives its place: of several writes all would take its gradient
        used, first = np.unique(self.dofs.cpu().numpy().reshape(-1), return_index=True)
        x = self.place(self.local_nodes).reshape(-1, self.mesh.dim)
        out[torch.from_numpy(used).to(self.device)] = x[torch.from_numpy(first).to(self.device)]
        return out

    @cached_property
    def points(self) -> Tensor:
        """The mesh's points, ``(v, d)``."""
        return self._reference(self.mesh.points)

    def moved(self, points: Tensor) -> ElementTables:
        """The same elements on points ``(v, d)`` that may require a gradient, which all tables then have."""
        if points.shape != self.mesh.points.shape:
            raise UsageError(
                f"the mesh has points of shape {self.mesh.points.shape}; got points of shape {tuple(points.shape)}."
            )
        out = copy.copy(self)
        for name in ("nodes", "_corners"):
            out.__dict__.pop(name, None)
        out.__dict__["points"] = points.to(self.dtype)
        return out

    @cached_property
    def _corners(self) -> Tensor:
        """Nodes of the geometry of every element, ``(e, g, d)``."""
        return self.points[self.mesh.cells]

    @cached_property
    def _elements(self) -> Tensor:
        return torch.arange(len(self.mesh.cells), device=self.device)

    def place(self, xi: Tensor) -> Tensor:
        """The points of all elements with the reference coordinates ``(q, d)``, ``(e, q, d)``."""
        values = self._reference(self.mesh.element.values(xi.cpu().double().numpy()))
        return torch.einsum("qg,egd->eqd", values, self._corners)

    @property
    def affine(self) -> bool:
        """Whether every map is affine: gradients of degree 1 and determinants are then constant."""
        return self.mesh.kind in ("triangle", "tetra")

    def basis(self, xi: Tensor) -> tuple[Tensor, Tensor]:
        """φ_i ``(q, k)`` and their reference gradients ``(q, k, d)``."""
        at = xi.cpu().double().numpy().T
        pairs = [self._element.lbasis(at, i) for i in range(self.dofs.shape[1])]
        values = np.stack([np.broadcast_to(v, at.shape[1:]) for v, _ in pairs], axis=-1)
        slopes = np.stack([np.broadcast_to(g, at.shape) for _, g in pairs], axis=-1)
        return self._reference(values), self._reference(slopes.transpose(1, 2, 0))

    def quadrature(self, degree: int) -> tuple[Tensor, Tensor]:
        """Points ``(q, d)`` and weights ``(q,)`` on the reference element, exact for polynomials of that degree."""
        from skfem.quadrature import get_quadrature

        points, weights = get_quadrature(self._element.refdom, degree)
        return self._reference(points.T), self._reference(weights)

    def jacobians(self, tangents: Tensor, chosen: Chosen = None) -> Tensor:
        """∂x/∂ξ from the gradients of the geometry's shape functions, ``(e, q, d, d)``."""
        corners = self._corners if chosen is None else self._corners[chosen]
        return torch.einsum("egd,qga->eqda", corners, tangents)

    def rule(self, xi: Tensor, w: Tensor) -> Rule:
        """What all elements share at reference points ``(q, d)`` with their weights ``(q,)``."""
        values, slopes = self.basis(xi)
        if self.affine and self.degree == 1:
            slopes = slopes[:1]
        at = xi.cpu().double().numpy()
        shapes = self._reference(self.mesh.element.values(at))
        tangents = self._reference(self.mesh.element.gradients(at[:1] if self.affine else at))
        return Rule(w, values, slopes, shapes, tangents)

    def interior_rule(self, degree: int) -> Rule:
        """That of a quadrature which is exact for polynomials of that degree."""
        if degree not in self._rules:
            self._rules[degree] = self.rule(*self.quadrature(degree))
        return self._rules[degree]

    def interior(self, degree: int, chosen: Chosen = None) -> Tables:
        """Tables at a quadrature of that degree of all (or chosen) elements."""
        return self.at(self.interior_rule(degree), chosen)

    def at(self, rule: Rule, chosen: Chosen = None) -> Tables:
        """Tables at the points of a rule."""
        inverse, determinant = _inverse(self.jacobians(rule.tangents, chosen))
        corners, dofs, elements = self._corners, self.dofs, self._elements
        if chosen is not None:
            corners, dofs, elements = corners[chosen], dofs[chosen], elements[chosen]
        points = torch.einsum("qg,egd->eqd", rule.shapes, corners)
        weights = determinant.abs() * rule.weights
        return Tables(rule.values[None], rule.slopes[None], inverse, weights, points, dofs, elements)

    def facet_nodes(self, facets: np.ndarray) -> Tensor:
        """Numbers of the nodes on facets ``(n, 2)``, sorted."""
        lists = [self.dofs.new_zeros(0)]
        for number in np.unique(facets[:, 1]):
            chosen = torch.from_numpy(facets[facets[:, 1] == number, 0]).to(self.device)
            lists.append(self.dofs[chosen][:, self._on_facet[int(number)]].reshape(-1))
        return torch.unique(torch.cat(lists))

    @cached_property
    def _on_facet(self) -> list[Tensor]:
        """Per local facet the local nodes on it: those that its plane holds."""
        corners, nodes = np.asarray(self.mesh.element.nodes), self.local_nodes.cpu().double().numpy()
        out = []
        for local in self.mesh.element.facets:
            base = corners[list(local)]
            span = base[1:] - base[0]
            residual = nodes - base[0]
            inside = span.T @ np.linalg.pinv(span.T)
            away = np.linalg.norm(residual - residual @ inside.T, axis=1)
            out.append(torch.as_tensor(np.flatnonzero(away < 1e-9), device=self.device))
        return out

    def facets(self, facets: np.ndarray, degree: int) -> list[Tables]:
        """Tables at quadrature points on facets ``(n, 2)``, one for each local facet that occurs.

        The rule has degree/2 + 1 points along each axis.
        """
        out = []
        for number in np.unique(facets[:, 1]):
            chosen = torch.from_numpy(facets[facets[:, 1] == number, 0]).to(self.device)
            x, normals = facet_rule(self.mesh.element, int(number), degree // 2 + 1)
            xi, outward = self._reference(x), self._reference(normals)
            rule = self.rule(xi, outward.norm(dim=1))
            table, determinant = self.at(rule, chosen), _inverse(self.jacobians(rule.tangents, chosen))[1]
            # Nanson's formula: n dS = det(J) J⁻ᵀ N dS₀
            across = table.inverse.expand(-1, len(xi), -1, -1)
            area = torch.einsum("eqad,qa->eqd", across, outward) * determinant[..., None]
            weights = area.norm(dim=-1)
            out.append(replace(table, weights=weights, normals=area / weights[..., None]))
        return out

    def single(self, place: tuple[np.ndarray, np.ndarray]) -> Tables:
        """Tables at one point, an element ``(1,)`` and reference coordinates ``(1, d)`` in it, of weight 1."""
        element, xi = place
        at = self._reference(xi)
        table = self.at(self.rule(at, at.new_ones(1)), torch.from_numpy(element).to(self.device))
        return replace(table, weights=torch.ones_like(table.weights))

    def places(self, element: np.ndarray, xi: np.ndarray) -> Tensor:
        """The points at reference coordinates ``(n, d)`` in elements ``(n,)``, ``(n, d)``."""
        shapes = self._reference(self.mesh.element.values(xi))
        return torch.einsum("ng,ngd->nd", shapes, self._corners[torch.from_numpy(element).to(self.device)])

    def evaluate(self, values: Tensor, element: np.ndarray, xi: np.ndarray) -> tuple[Tensor, Tensor]:
        """Field of nodal values ``(N, c)`` and its gradient at reference coordinates in elements, ``(n, c)`` and
        ``(n, c, d)``."""
        at = self._reference(xi)
        basis, slopes = self.basis(at)
        chosen = torch.from_numpy(element).to(self.device)
        local = values[self.dofs[chosen]]
        gradients = self._reference(self.mesh.element.gradients(xi))
        inverse, _ = _inverse(torch.einsum("ngd,nga->nda", self._corners[chosen], gradients))
        slopes = torch.einsum("nka,nad->nkd", slopes, inverse)
        return torch.einsum("nk,nkc->nc", basis, local), torch.einsum("nkd,nkc->ncd", slopes, local)


def _inverse(jacobians: Tensor) -> tuple[Tensor, Tensor]:
    """Inverses and determinants of small matrices by Cramer's rule: batched LAPACK takes them one by one."""
    j = jacobians
    if j.shape[-1] == 2:
        det = j[..., 0, 0] * j[..., 1, 1] - j[..., 0, 1] * j[..., 1, 0]
        rows = torch.stack([j[..., 1, 1], -j[..., 0, 1], -j[..., 1, 0], j[..., 0, 0]], dim=-1)
        return rows.reshape(j.shape) / det[..., None, None], det
    a, b, c = j.unbind(-1)
    cofactors = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-2)
    det = (a * cofactors[..., 0, :]).sum(-1)
    return cofactors / det[..., None, None], det


def _to_skfem(element: Element) -> list[int]:
    """Our corners in the order in which scikit-fem numbers them: the same reference coordinates."""
    import skfem

    reference = {"triangle": "RefTri", "quad": "RefQuad", "tetrahedron": "RefTet", "hexahedron": "RefHex"}
    theirs = getattr(skfem.refdom, reference[element.shape]).p.T
    ours = np.asarray(element.nodes)[: element.corners]
    return [int(np.abs(ours - x).sum(1).argmin()) for x in theirs]
