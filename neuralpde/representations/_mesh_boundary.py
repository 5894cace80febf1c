"""Dirichlet data on parts of a mesh's boundary, held by every field: a factor that vanishes there and a lift."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import Jet
from neuralpde.geometry import Boundary, Dirichlet, MeshDomain, NearPoints, ScalarJet, SmoothDistance, singular_corners
from neuralpde.representations._boundary_lift import BoundaryLift, LiftPoints, Parts
from neuralpde.representations._corner_functions import CornerFunctions, CornerJets, corner_jets

KEPT = 64
"""Sets of points of which factors and lifts are remembered: those of a fit, of its walls, and where errors are read."""

STEP = 2e-3
"""Step of the differences that make Hessians from exact gradients, as a share of the distance from the boundary: with
fourth order their error is that of rounding."""


class MeshBoundary:
    """u = lift + φ N with φ = 0 and lift = g on the Dirichlet parts of a mesh's boundary.

    φ is a :class:`SmoothDistance`, the lift a :class:`BoundaryLift`. Both are made once for a set of points; data that
    move in time cost a product with what is kept.

    In 2D, u = lift + φ N + Σ c_k s_k with the :class:`CornerFunctions` s_k of every singular corner, and φ falls faster
    towards these.

    Args:
        boundary: table of parts and conditions.
        channels: number of values c.
        corners: whether to add corner functions.
    """

    def __init__(self, boundary: Boundary, channels: int, corners: bool = True) -> None:
        assert isinstance(boundary.domain, MeshDomain)
        self.domain, self.channels = boundary.domain, channels
        self.data = {n: c for n, c in boundary.named(Dirichlet).items() if isinstance(c, Dirichlet)}
        self.active = bool(self.data)
        self.constant: float | None = None
        self._kept: list[_Points] = []
        held = {face: isinstance(condition, Dirichlet) for face, condition in boundary.table.items()}
        found = singular_corners(self.domain, held) if corners else []
        self.corners = [CornerFunctions(corner) for corner in found if any(corner.held)]
        if self.active:
            self.distance = SmoothDistance(self.domain, tuple(self.data))
            self.extension = BoundaryLift(self.domain, self.data, channels)
            groups = [group.constant for group in self.extension.groups]
            first = groups[0]
            if len(groups) == 1 and first is not None and bool((first == first[0]).all()):
                self.constant = float(first[0])

    @property
    def num_singular(self) -> int:
        """Number K of corner functions."""
        return sum(map(len, self.corners))

    def singular_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """Corner functions at points ``(n, 2)`` as a jet with K channels."""
        jets = self._points(x).singular
        return _as_jet((jets.value, jets.grad, jets.laplacian), jets.hess if "hess" in needs else None, x)

    def _points(self, x: Tensor) -> _Points:
        for points in self._kept:
            if points.same(x):
                return points
        self._kept = [*self._kept[-KEPT + 1 :], _Points(self, x)]
        return self._kept[-1]

    def factor(self, x: Tensor) -> Tensor:
        """φ at points ``(n, d)``, ``(n, 1)``."""
        return torch.from_numpy(self._points(x).factor(False).value[:, None]).to(x)

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives as a jet with one channel."""
        points = self._points(x)
        jet = points.factor(bool(needs - {"value"}))
        value, grad, laplacian = jet.value[:, None], jet.grad[:, None], jet.laplacian[:, None]
        return _as_jet((value, grad, laplacian), points.factor_hessian() if "hess" in needs else None, x)

    def smooth_factor(self, x: np.ndarray, near: NearPoints, jets: bool) -> ScalarJet:
        """φ: the distance, times r²/(r² + R²) of every corner with functions of its own."""
        out = self.distance.jet(x, near, jets)
        for functions in self.corners:
            out = out.times(functions.damping(x))
        return out

    def lift(self, t: float, x: Tensor) -> Tensor:
        """The data, extended, ``(n, c)``."""
        if self.constant is not None:
            return torch.full((x.shape[0], self.channels), self.constant, dtype=x.dtype, device=x.device)
        return torch.from_numpy(self.extension.at(t, self._points(x).lifted, False)[0]).to(x)

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives."""
        points = self._points(x)
        parts = self.extension.at(t, points.lifted, bool(needs - {"value"}))
        return _as_jet(parts, points.lift_hessian(t) if "hess" in needs else None, x)


class _Points:
    """What is kept of one set of points."""

    def __init__(self, boundary: MeshBoundary, x: Tensor) -> None:
        self.boundary, self.tensor = boundary, x.detach().clone()
        self.x = self.tensor.cpu().double().numpy()
        self.near = boundary_points(boundary, self.x)
        self.lifted = LiftPoints(boundary.extension, self.x, self.near)
        self._factor: tuple[bool, ScalarJet] | None = None
        self._hessian: np.ndarray | None = None
        self._around: list[tuple[np.ndarray, LiftPoints]] | None = None

    def same(self, x: Tensor) -> bool:
        """Whether these are the points."""
        mine = self.tensor
        return mine.shape == x.shape and mine.dtype == x.dtype and mine.device == x.device and torch.equal(mine, x)

    @cached_property
    def singular(self) -> CornerJets:
        """The corner functions."""
        return corner_jets(self.boundary.corners, self.x)

    def factor(self, jets: bool) -> ScalarJet:
        """φ, with derivatives if they are wanted."""
        if self._factor is None or self._factor[0] < jets:
            self._factor = (jets, self.boundary.smooth_factor(self.x, self.near, jets))
        return self._factor[1]

    def _stars(self) -> list[tuple[np.ndarray, LiftPoints]]:
        """Per axis and step: how far the points are moved ``(n,)``, and the moved points."""
        if self._around is None:
            least = self.boundary.distance
            reach = STEP / np.maximum(least.inverse(self.near, False).value, 1 / least.size)
            self._around = []
            for axis in range(self.x.shape[1]):
                for steps in (-2, -1, 1, 2):
                    moved = self.near.points.copy()
                    moved[:, axis] += steps * reach
                    self._around.append(
                        (reach, LiftPoints(self.boundary.extension, moved, boundary_points(self.boundary, moved)))
                    )
        return self._around

    def _differences(self, gradient: Callable[[LiftPoints], np.ndarray]) -> np.ndarray:
        """∂_j of gradients ``(n, c, d)``, symmetric, ``(n, c, d, d)``."""
        stars, rows = self._stars(), []
        for axis in range(self.x.shape[1]):
            reach = stars[4 * axis][0][:, None, None]
            low2, low, high, high2 = (gradient(points) for _, points in stars[4 * axis : 4 * axis + 4])
            rows.append((8 * (high - low) - (high2 - low2)) / (12 * reach))
        out = np.stack(rows, axis=-1)
        return 0.5 * (out + out.swapaxes(-1, -2))

    def factor_hessian(self) -> np.ndarray:
        """Of φ, ``(n, 1, d, d)``."""
        if self._hessian is None:
            self._hessian = self._differences(lambda p: self.boundary.smooth_factor(p.x, p.near, True).grad[:, None])
        return self._hessian

    def lift_hessian(self, t: float) -> np.ndarray:
        """Of the lift, ``(n, c, d, d)``."""
        return self._differences(lambda p: self.boundary.extension.at(t, p, True)[1])


def boundary_points(boundary: MeshBoundary, x: np.ndarray) -> NearPoints:
    """Points with those on the boundary moved off it."""
    distance = boundary.distance
    return NearPoints(x, distance.whole, distance.size, distance.balls)


def _as_jet(parts: Parts, hessian: np.ndarray | None, x: Tensor) -> Jet:
    value, grad, laplacian = (torch.from_numpy(np.ascontiguousarray(part)).to(x) for part in parts)
    return Jet(value, grad, laplacian, None if hessian is None else torch.from_numpy(hessian).to(x))
