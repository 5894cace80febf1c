"""Which element a point lies in."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from neuralpde.geometry._mesh import Floats, Ints, Mesh

NEAREST = (8, 32, 128, 512)
"""Elements looked at for a point: those with the nearest middles, more where none of them holds it."""

NEWTON = 12
INSIDE = 1e-9
"""Reference coordinates beyond the element by that much still count as inside."""

KEPT = 4
"""Sets of points whose elements are remembered: a lattice goes through in several parts."""


class Locator:
    """Finds elements and reference coordinates of points, by a tree of the elements' middles and Newton's method.

    Args:
        mesh: of a domain.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._latest: list[tuple[Floats, tuple[Ints, Floats]]] = []

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.mesh.points[self.mesh.cells[:, : self.mesh.element.corners]].mean(1))

    @cached_property
    def _radii(self) -> Floats:
        """How far each element reaches from its middle; curved ones a bit further than their nodes."""
        x = self.mesh.points[self.mesh.cells]
        away = np.linalg.norm(x - self._tree.data[:, None], axis=-1).max(1)
        return away * (1.0 if self.mesh.element.order == 1 else 1.25)

    def find(self, x: Floats, slack: float = INSIDE) -> tuple[Ints, Floats]:
        """Elements of points ``(n, d)``, −1 outside, ``(n,)``; reference coordinates in them, ``(n, d)``.

        Args:
            x: points.
            slack: how far beyond an element, in its reference coordinates, a point may lie.
        """
        element = np.full(len(x), -1, dtype=np.int64)
        xi = np.zeros_like(x)
        left = np.flatnonzero(np.isfinite(x).all(1))
        done = 0
        for count in NEAREST:
            count = min(count, len(self.mesh.cells))
            if not len(left) or count <= done:
                break
            away, candidates = self._tree.query(x[left], k=range(done + 1, count + 1))
            # an element reaches no further than its radius from its middle
            near = away <= self._radii[candidates] * (1 + slack) + 1e-300
            for column in range(candidates.shape[1]):
                at = np.flatnonzero(near[:, column] & (element[left] < 0))
                if len(at):
                    rows, chosen = left[at], candidates[at, column]
                    found = self.reference(chosen, x[rows])
                    inside = self._beyond(found) <= slack
                    element[rows[inside]], xi[rows[inside]] = chosen[inside], found[inside]
            left = left[(element[left] < 0) & (away[:, -1] <= self._radii.max())]
            done = count
        return element, xi

    def remember(self, x: Floats, element: Ints, xi: Floats) -> None:
        """Take in what :meth:`nearest` need not look for: points of a rule on the elements, for instance."""
        self._latest = [(x.copy(), (element, xi)), *self._latest[: KEPT - 1]]

    def nearest(self, x: Floats) -> tuple[Ints, Floats]:
        """See :meth:`_nearest`; answers for the latest sets of points are kept: a run asks for them many times."""
        for points, answer in self._latest:
            if np.array_equal(points, x):
                return answer
        answer = self._nearest(x)
        self._latest = [(x.copy(), answer), *self._latest[: KEPT - 1]]
        return answer

    def _nearest(self, x: Floats) -> tuple[Ints, Floats]:
        """As :meth:`find`, but points outside get the closest of the elements looked at and coordinates clipped to it:
        a polygon does not reach a curved boundary."""
        element, xi = self.find(x)
        out = np.flatnonzero(element < 0)
        if len(out):
            count = min(NEAREST[0], len(self.mesh.cells))
            candidates = self._tree.query(x[out], k=range(1, count + 1))[1]
            best = np.full(len(out), np.inf)
            for column in candidates.T:
                found = self.reference(column, x[out])
                beyond = self._beyond(found)
                closer = beyond < best
                best[closer] = beyond[closer]
                element[out[closer]], xi[out[closer]] = column[closer], found[closer]
            far = ~np.isfinite(best)
            element[out[far]], xi[out[far]] = candidates[far, 0], 1 / (self.mesh.dim + 1)
        return element, xi

    def reference(self, element: Ints, x: Floats) -> Floats:
        """ξ with x(ξ) = x in the given elements, by Newton's method, ``(n, d)``; NaN where it does not converge."""
        shape = self.mesh.element
        corners = self.mesh.points[self.mesh.cells[element]]
        xi = np.full_like(x, 1 / (shape.dim + 1) if shape.shape in ("triangle", "tetrahedron") else 0.5)
        affine = self.mesh.kind in ("triangle", "tetra")
        for _ in range(1 if affine else NEWTON):
            misfit = x - np.einsum("nk,nkd->nd", shape.values(xi), corners)
            jacobians = np.einsum("nkd,nka->nda", corners, shape.gradients(xi))
            with np.errstate(all="ignore"):
                try:
                    step = np.linalg.solve(jacobians, misfit[..., None])[..., 0]
                except np.linalg.LinAlgError:
                    step = np.linalg.pinv(jacobians) @ misfit[..., None]
                    step = step[..., 0]
            xi = np.clip(xi + step, -10, 10)
            if np.abs(step).max(initial=0) < 1e-13:
                break
        still = np.abs(step).max(axis=1, keepdims=True) < 1e-8
        return xi if affine else np.where(still, xi, np.nan)

    def _beyond(self, xi: Floats) -> Floats:
        """How far outside the reference element, 0 inside; infinite for NaN."""
        out = np.maximum(-xi, 0).max(1)
        if self.mesh.element.shape in ("triangle", "tetrahedron"):
            out = np.maximum(out, xi.sum(1) - 1)
        else:
            out = np.maximum(out, (xi - 1).max(1))
        return np.where(np.isfinite(out), np.maximum(out, 0), np.inf)
