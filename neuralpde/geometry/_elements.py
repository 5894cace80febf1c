"""Elements of meshes: corners, facets, and the polynomials that map a reference element onto each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TRIANGLE = ((0, 1), (1, 2), (2, 0))
_QUAD = ((0, 1), (1, 2), (2, 3), (3, 0))
_TETRA = ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2))
_HEXA = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))


@dataclass(frozen=True)
class Element:
    """A reference element: its nodes, facets and shape functions.

    The shape functions φ_j span the monomials ``exponents`` and are 1 at their own node and 0 at the others. Nodes are
    numbered as VTK does: corners, middles of edges, middles of faces, the middle.

    Args:
        name: as meshio calls it.
        shape: ``"line"``, ``"triangle"``, ``"quad"``, ``"tetrahedron"`` or ``"hexahedron"``.
        order: of the geometry, 1 or 2.
        nodes: reference coordinates, ``(k, dim)``.
        exponents: of the monomials, ``(k, dim)``.
        facets: local corners of every facet, outward by the right-hand rule (in 2D the inside on the left).
        measure: of the reference element.
    """

    name: str
    shape: str
    order: int
    nodes: tuple[tuple[float, ...], ...]
    exponents: tuple[tuple[int, ...], ...]
    facets: tuple[tuple[int, ...], ...]
    measure: float

    @property
    def dim(self) -> int:
        """Dimensions of the reference element."""
        return len(self.nodes[0])

    @property
    def corners(self) -> int:
        """Number of corners; they are the first nodes."""
        return {"line": 2, "triangle": 3, "quad": 4, "tetrahedron": 4, "hexahedron": 8}[self.shape]

    @cached_property
    def _coefficients(self) -> Array:
        """Column j: the monomials' coefficients of φ_j."""
        return np.asarray(np.linalg.inv(self._monomials(np.asarray(self.nodes))), dtype=np.float64)

    def _monomials(self, x: Array, along: int | None = None) -> Array:
        """Monomials, or their derivatives along an axis, at points ``(n, dim)``, ``(n, k)``."""
        out = np.ones((len(x), len(self.exponents)))
        for a in range(self.dim):
            power = np.array([e[a] for e in self.exponents])
            lower = np.maximum(power - 1, 0) if a == along else power
            out *= x[:, a : a + 1] ** lower * (power if a == along else 1)
        return out

    def values(self, x: Array) -> Array:
        """φ_j at reference points ``(n, dim)``, ``(n, k)``."""
        return self._monomials(x) @ self._coefficients

    def gradients(self, x: Array) -> Array:
        """∂φ_j/∂ξ_a at reference points, ``(n, k, dim)``."""
        return np.stack([self._monomials(x, a) @ self._coefficients for a in range(self.dim)], axis=-1)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs of corners that an edge joins: neighbours in a facet."""
        pairs = {tuple(sorted((f[i - 1], f[i]))) for f in self.facets for i in range(len(f))}
        return tuple(sorted(pairs))  # type: ignore[arg-type]


def _midpoints(corners: tuple[tuple[float, ...], ...], groups: tuple[tuple[int, ...], ...]) -> tuple:
    return tuple(tuple(float(v) for v in np.mean([corners[i] for i in group], axis=0)) for group in groups)


def _simplex(dim: int, order: int) -> tuple[tuple[int, ...], ...]:
    return tuple(e for e in product(range(order + 1), repeat=dim) if sum(e) <= order)


def _tensor(dim: int, order: int, squares: int) -> tuple[tuple[int, ...], ...]:
    """Exponents up to ``order``, at most so many of them 2: full, or those of the serendipity elements."""
    return tuple(e for e in product(range(order + 1), repeat=dim) if e.count(2) <= squares)


_T = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
_Q = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_P = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_H = tuple((x, y, z) for z in (0.0, 1.0) for x, y in _Q)
_T2 = _T + _midpoints(_T, ((0, 1), (1, 2), (2, 0)))
_Q8 = _Q + _midpoints(_Q, ((0, 1), (1, 2), (2, 3), (3, 0)))
_P2 = _P + _midpoints(_P, ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)))
_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
_FACES = ((0, 4, 7, 3), (1, 2, 6, 5), (0, 1, 5, 4), (3, 7, 6, 2), (0, 3, 2, 1), (4, 5, 6, 7), tuple(range(8)))
_H20 = _H + _midpoints(_H, _EDGES)

ELEMENTS: dict[str, Element] = {
    element.name: element
    for element in (
        Element("line", "line", 1, ((0.0,), (1.0,)), ((0,), (1,)), ((0,), (1,)), 1.0),
        Element("line3", "line", 2, ((0.0,), (1.0,), (0.5,)), ((0,), (1,), (2,)), ((0,), (1,)), 1.0),
        Element("triangle", "triangle", 1, _T, _simplex(2, 1), _TRIANGLE, 1 / 2),
        Element("triangle6", "triangle", 2, _T2, _simplex(2, 2), _TRIANGLE, 1 / 2),
        Element("quad", "quad", 1, _Q, _tensor(2, 1, 0), _QUAD, 1.0),
        Element("quad8", "quad", 2, _Q8, _tensor(2, 2, 1), _QUAD, 1.0),
        Element("quad9", "quad", 2, (*_Q8, (0.5, 0.5)), _tensor(2, 2, 2), _QUAD, 1.0),
        Element("tetra", "tetrahedron", 1, _P, _simplex(3, 1), _TETRA, 1 / 6),
        Element("tetra10", "tetrahedron", 2, _P2, _simplex(3, 2), _TETRA, 1 / 6),
        Element("hexahedron", "hexahedron", 1, _H, _tensor(3, 1, 0), _HEXA, 1.0),
        Element("hexahedron20", "hexahedron", 2, _H20, _tensor(3, 2, 1), _HEXA, 1.0),
        Element("hexahedron27", "hexahedron", 2, _H20 + _midpoints(_H, _FACES), _tensor(3, 2, 3), _HEXA, 1.0),
    )
}
"""Elements by meshio's names."""
