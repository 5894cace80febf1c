"""Bodies that lie inside each other, of which the distances between their boundaries say nothing."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from neuralpde.dynamics._contact_surface import ContactSurface
from neuralpde.geometry import MeshDomain
from neuralpde.representations import FiniteElementField


class BodyOutlines:
    """The whole boundaries of the bodies of a mesh in 2D, as chords.

    Args:
        representation: of the displacement.
        pieces: chords along an edge.
    """

    def __init__(self, representation: FiniteElementField, pieces: int = 1) -> None:
        domain = representation.domain
        assert isinstance(domain, MeshDomain)
        facets = np.concatenate(list(domain.sides.values()))
        facets = facets[np.argsort(facets[:, 1], kind="stable")]  # as a surface has its patches
        self.surface = ContactSurface(representation, facets, pieces)
        self.edges = self.surface.patches.control[:, [0, -1]]
        body = _bodies(representation.mesh.cells)[facets[:, 0]]
        counts = np.bincount(facets[:, 1])
        of_side = np.split(body, np.cumsum(counts)[:-1])
        self.bodies = torch.from_numpy(np.concatenate([np.tile(some, pieces) for some in of_side]))

    def enclosed(self, values: Tensor) -> Tensor:
        """A point of every body that lies inside another, ``(n, 2)``, of nodal displacements ``(N, 2)``.

        A ray from a point inside a body leaves it through an odd number of edges, holes or not. Boundaries that do not
        cut each other lie inside or outside as a whole, so that one point of each body decides.
        """
        places, count = self.surface.place(values), int(self.bodies.max()) + 1
        first = torch.stack([self.edges[self.bodies == body][0, 0] for body in range(count)])
        a, b = places[self.edges[:, 0]], places[self.edges[:, 1]]
        p = places[first][:, None]
        beside = (a[:, 1] > p[..., 1]) != (b[:, 1] > p[..., 1])
        height = torch.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
        meets = a[:, 0] + (p[..., 1] - a[:, 1]) / height * (b[:, 0] - a[:, 0])
        hits = (beside & (meets > p[..., 0])).long()
        through = torch.zeros(count, count, dtype=torch.int64).index_add(1, self.bodies, hits)
        through.fill_diagonal_(0)
        return places[first][(through % 2 == 1).any(1)]


def _bodies(cells: np.ndarray) -> np.ndarray:
    """The number of the body that each element belongs to, ``(e,)``: elements that share nodes are of one."""
    elements = np.repeat(np.arange(len(cells)), cells.shape[1])
    shared = sp.csr_matrix((np.ones(cells.size), (elements, cells.ravel())))
    return connected_components(shared @ shared.T, directed=False)[1].astype(np.int64)
