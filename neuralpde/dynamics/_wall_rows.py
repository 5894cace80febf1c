"""Natural boundary conditions as weighted rows of a least-squares problem."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from neuralpde.dynamics._linearised import coefficients
from neuralpde.fields import Jet
from neuralpde.geometry import Flux, MeshDomain, Neumann, Pressure, Quadrature, Robin
from neuralpde.problems import Problem
from neuralpde.representations import NeuralField
from neuralpde.types import UsageError

NEEDS = frozenset({"value", "grad"})


@dataclass(frozen=True)
class WallRows:
    """What a condition asks of a field at points of one part of the boundary: rows that are zero where it holds.

    Neumann: n·∇u − g. Flux: n·f(t, x, u) − g. Robin: n·f(t, x, u) − α (u − value). Pressure: n·f(t, x, u) − p n.

    Args:
        problem: whose flux it is.
        quadrature: points, weights and normals.
        condition: what holds there.
        length: |Ω| over the measure of the part.
        diffusivity: κ, the size of ∂F/∂Δu.
        held: components that a support holds there: their rows are zero.
    """

    problem: Problem
    quadrature: Quadrature
    condition: Neumann | Flux | Robin | Pressure
    length: float
    diffusivity: float
    held: tuple[int, ...] = ()

    def values(self, t: float, x: Tensor, u: Jet, normals: Tensor) -> Tensor:
        """The rows at points with normals ``(n, d)``, ``(n, c)``."""
        rows = self._all(t, x, u, normals)
        if not self.held:
            return rows
        free = torch.tensor([k not in self.held for k in range(rows.shape[1])], dtype=rows.dtype, device=rows.device)
        return rows * free

    def _all(self, t: float, x: Tensor, u: Jet, normals: Tensor) -> Tensor:
        condition, c = self.condition, u.value.shape[1]
        if isinstance(condition, Neumann):
            return (u.grad * normals[:, None]).sum(-1) - condition.at(t, x, c)
        out = (self.problem.flux(t, x, u) * normals[:, None]).sum(-1)
        if isinstance(condition, Pressure):
            return out - condition.flux(t, x, normals)
        if isinstance(condition, Robin):
            return out - condition.coefficient * (u.value - condition.at(t, x, c))
        return out - condition.at(t, x, c)

    def scale(self, steady: bool, weight: float) -> Tensor:
        """√ of the weights, ``(n, 1)``, beside rows inside of which the squares' mean is taken.

        A flux η through a wall has the effect of a density η |Γ|/|Ω| = η / length all over the domain, and that is what
        a steady row inside is. In a time step a row inside is a difference of u: in the domain's own time length²/κ
        that density changes u by length · η / κ. Heavier rows (h⁻¹ with the spacing h of points, as norms of traces
        have it) make Levenberg–Marquardt several times slower and smooth solutions no closer.
        """
        q, by_slope = self.quadrature, isinstance(self.condition, Neumann)
        if steady:
            unit = (self.diffusivity if by_slope else 1.0) / self.length
        else:
            unit = self.length / (1.0 if by_slope else self.diffusivity)
        return unit * (weight * q.weights / q.weights.sum()).sqrt()[:, None]


def wall_rows(problem: Problem, representation: NeuralField, points: int) -> list[WallRows]:
    """Rows of every part of the boundary with a natural condition.

    Args:
        problem: what is true.
        representation: the neural field.
        points: number of points inside; the boundary's are as dense.

    Raises:
        UsageError: for Flux or Robin on a problem without a flux.
    """
    r, domain = representation, representation.domain
    natural = (Neumann, Flux, Robin, Pressure)
    conditions = {face: condition for kind in natural for face, condition in r.boundary.named(kind).items()}
    if not conditions:
        return []
    kappa, spacing = diffusivity(problem, r), (domain.volume / points) ** (1 / domain.dim)
    rows = []
    for face, condition in conditions.items():
        assert isinstance(condition, natural)
        if not isinstance(condition, Neumann) and type(problem).flux is Problem.flux:
            raise UsageError(
                f"{type(condition).__name__} on {face} is about the flux, and {problem.name} states none: define "
                "flux(self, t, x, u), or give Neumann there."
            )
        measure = float(domain.face_lattice(face, 1).weights.sum())
        count = max(2, round(points ** (1 - 1 / domain.dim)))
        wanted = max(count, math.ceil(measure / spacing ** (domain.dim - 1)))
        q = domain.face_lattice(face, count, r.dtype)
        if isinstance(domain, MeshDomain):
            q = thinned(q, wanted)
        held = r.boundary.held(face, r.channels)
        rows.append(WallRows(problem, q, condition, domain.volume / measure, kappa, held))
    return rows


def thinned(quadrature: Quadrature, n: int) -> Quadrature:
    """Of more than 2 n points about n, evenly spread, each with the weights of those that are nearest to it."""
    x = quadrature.points.cpu().double().numpy()
    if len(x) <= 2 * n:
        return quadrature
    weights = quadrature.weights.cpu().double().numpy()
    chosen = np.unique(np.searchsorted(np.cumsum(weights[_along(x)]) / weights.sum(), (np.arange(n) + 0.5) / n))
    chosen = _along(x)[chosen]
    share = np.bincount(cKDTree(x[chosen]).query(x)[1], weights, len(chosen))
    assert quadrature.normals is not None
    picked = torch.from_numpy(chosen)
    share_of = torch.as_tensor(share, dtype=quadrature.weights.dtype)
    return Quadrature(quadrature.points[picked], share_of, quadrature.normals[picked])


def _along(x: np.ndarray) -> np.ndarray:
    """An order of points in which neighbours are near: along a curve that fills space (Morton)."""
    low, size = x.min(0), np.ptp(x, axis=0).max() or 1.0
    cells = np.minimum(((x - low) / size * 1024).astype(np.int64), 1023)
    key = np.zeros(len(x), dtype=np.int64)
    for bit in range(10):
        for axis in range(x.shape[1]):
            key |= ((cells[:, axis] >> bit) & 1) << (bit * x.shape[1] + axis)
    return np.argsort(key, kind="stable")


def diffusivity(problem: Problem, representation: NeuralField) -> float:
    """Median of |∂F/∂Δu| over a few points; 1 where F has no second derivatives."""
    needs = problem.needs | {"value"}
    if not needs & {"laplacian", "hess"}:
        return 1.0
    r = representation
    x = r.domain.some_points(16).to(r.device, r.dtype)
    n, c, d = len(x), r.channels, r.dim
    ones = torch.ones(n, c, d, d, dtype=x.dtype, device=x.device)
    jet = Jet(ones[..., 0, 0].clone(), ones[..., 0].clone(), ones[..., 0, 0].clone(), ones)
    found = coefficients(problem, 0.0, x, jet, needs)[1]
    by = found["hess"].diagonal(dim1=-2, dim2=-1).mean(-1) if "hess" in found else found["laplacian"]
    size = by.diagonal(dim1=1, dim2=2).abs()
    positive = size[torch.isfinite(size) & (size > 0)]
    return float(positive.median()) if len(positive) else 1.0


def rows_at(wall: WallRows, t: float, field: Callable[[Tensor, frozenset[str]], Jet]) -> Tensor:
    """The rows of a field at the wall's points, ``(n, c)``."""
    q = wall.quadrature
    assert q.normals is not None
    return wall.values(t, q.points, field(q.points, NEEDS), q.normals)
