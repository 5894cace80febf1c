"""Points and weights that stand for integrals over a box or its faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from neuralpde.geometry._domain import Box
from neuralpde.geometry._grid import Grid


@dataclass(frozen=True)
class Quadrature:
    """∫ f ≈ Σ_q w_q f(x_q).

    Args:
        points: ``(q, d)``.
        weights: ``(q,)``; they sum to the measure of the domain or face.
        normals: outward unit normals ``(q, d)`` on a boundary, else None.
        shape: of a lattice the points along each axis, the last axis running fastest; else None.
    """

    points: Tensor
    weights: Tensor
    normals: Tensor | None = None
    shape: tuple[int, ...] | None = None


def lattice(domain: Box, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
    """At least n points on a lattice of cell midpoints with equal weights.

    The midpoint rule is spectrally accurate for periodic functions and second order for others, and its points cover
    the box evenly, which a least-squares fit needs more than a high order.
    """
    density = (n / domain.volume) ** (1 / domain.dim)
    counts = tuple(max(1, int(np.ceil(round(density * length, 9)))) for length in domain.lengths)
    axes = [
        a + (torch.arange(m, dtype=dtype, device=device) + 0.5) * (length / m)
        for a, length, m in zip(domain.lower, domain.lengths, counts, strict=True)
    ]
    points = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
    return Quadrature(points, points.new_full((points.shape[0],), domain.volume / points.shape[0]), shape=counts)


def cosine_lattice(
    domain: Box,
    n: int,
    periodic: Sequence[bool],
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
) -> Quadrature:
    """At least n points, dense towards the faces: x = (1 − cos πs)/2 at the midpoints s of equal cells, equally spaced
    along periodic axes.

    Along an axis of m points the first lies about (π/m)²/16 of the length from the face; the weights are those of the
    midpoint rule in s and sum to the volume but for its error.
    """
    count = max(1, int(np.ceil(round(n ** (1 / domain.dim), 9))))
    axes, weights = [], torch.ones((), dtype=dtype, device=device)
    for a, length, around in zip(domain.lower, domain.lengths, periodic, strict=True):
        s = (torch.arange(count, dtype=dtype, device=device) + 0.5) / count
        axes.append(a + length * (s if around else 0.5 * (1 - torch.cos(torch.pi * s))))
        slope = torch.ones_like(s) if around else 0.5 * torch.pi * torch.sin(torch.pi * s)
        weights = weights[..., None] * (length / count * slope)
    points = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
    return Quadrature(points, weights.reshape(-1), shape=(count,) * domain.dim)


def gauss_lattice(
    domain: Box,
    n: int,
    periodic: Sequence[bool],
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
) -> Quadrature:
    """At least n points: Gauss–Legendre points between faces, equally spaced ones along periodic axes.

    Spectrally accurate for smooth functions, where a lattice of midpoints is so on a torus only. With m points an axis
    the first lies about 1.4 / m² of the length from its face.
    """
    axes, weights = [], torch.ones((), dtype=dtype, device=device)
    density = (n / domain.volume) ** (1 / domain.dim)
    for a, length, around in zip(domain.lower, domain.lengths, periodic, strict=True):
        count = max(1, int(np.ceil(round(density * length, 9))))
        if around:
            s, w = (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
        else:
            s, w = leggauss(count)
            s, w = (s + 1) / 2, w / 2
        axes.append(a + length * torch.as_tensor(s, dtype=dtype, device=device))
        weights = weights[..., None] * (length * torch.as_tensor(w, dtype=dtype, device=device))
    points = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
    return Quadrature(points, weights.reshape(-1), shape=tuple(len(axis) for axis in axes))


def random_points(
    domain: Box, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
) -> Quadrature:
    """n independent uniform points with equal weights (Monte Carlo)."""
    points = domain.from_unit(torch.rand(n, domain.dim, generator=generator, dtype=dtype))
    return Quadrature(points, points.new_full((n,), domain.volume / n))


def gauss_legendre(domain: Box, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
    """Tensor-product Gauss–Legendre rule with n points per axis: exact for polynomials of degree 2n − 1."""
    nodes, weights = leggauss(n)
    s, w = torch.as_tensor((nodes + 1) / 2, dtype=dtype), torch.as_tensor(weights / 2, dtype=dtype)
    points = torch.stack([c.reshape(-1) for c in torch.meshgrid(*[s] * domain.dim, indexing="ij")], dim=-1)
    products = torch.stack(torch.meshgrid(*[w] * domain.dim, indexing="ij")).prod(dim=0).reshape(-1)
    return Quadrature(domain.from_unit(points), products * domain.volume)


def face_lattice(domain: Box, axis: int, side: int, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
    """At least n midpoints on one face (in 1D the single end point, weight 1), with outward normals."""
    others = [i for i in range(domain.dim) if i != axis]
    end = domain.upper[axis] if side else domain.lower[axis]
    if others:
        flat = lattice(Box(tuple(domain.lower[i] for i in others), tuple(domain.upper[i] for i in others)), n, dtype)
        points = torch.full((flat.points.shape[0], domain.dim), end, dtype=dtype)
        points[:, others] = flat.points
        weights = flat.weights
    else:
        points, weights = torch.full((1, 1), end, dtype=dtype), torch.ones(1, dtype=dtype)
    normals = torch.zeros_like(points)
    normals[:, axis] = 1.0 if side else -1.0
    return Quadrature(points, weights, normals)


def uniform_grid_quadrature(grid: Grid, dtype: torch.dtype = torch.float64) -> Quadrature:
    """The grid's own nodes with trapezoid weights."""
    return Quadrature(grid.points(dtype), grid.weights(dtype))
