"""Vectors of a Krylov recurrence in one pass each: what CG does between two products with A.

Each loop works on entries ``first ≤ i < last`` (see :func:`neuralpde.linalg.jit.in_slabs`) and returns its own sums.
Slices are taken first: an index that may be negative keeps a loop from using vector instructions.
"""

from __future__ import annotations

from typing import Any

from neuralpde.linalg.jit import compiled


@compiled
def step(first: int, last: int, y: Any, r: Any, p: Any, q: Any, alpha: float) -> float:
    """y ← y + α p and r ← r − α q; Σ r²."""
    y, r, p, q = y[first:last], r[first:last], p[first:last], q[first:last]
    square = 0.0
    for i in range(len(r)):
        y[i] += alpha * p[i]
        new = r[i] - alpha * q[i]
        r[i] = new
        square += new * new
    return square


@compiled
def dots(first: int, last: int, z: Any, q: Any, r: Any) -> tuple[float, float]:
    """Σ z q and Σ r z."""
    z, q, r = z[first:last], q[first:last], r[first:last]
    with_q, with_r = 0.0, 0.0
    for i in range(len(z)):
        with_q += z[i] * q[i]
        with_r += z[i] * r[i]
    return with_q, with_r


@compiled
def direction(first: int, last: int, p: Any, z: Any, beta: float) -> None:
    """p ← z + β p."""
    p, z = p[first:last], z[first:last]
    for i in range(len(p)):
        p[i] = z[i] + beta * p[i]


@compiled
def add(first: int, last: int, p: Any, old: Any, factor: float) -> None:
    """p ← p + factor old."""
    p, old = p[first:last], old[first:last]
    for i in range(len(p)):
        p[i] += factor * old[i]


@compiled
def dot(first: int, last: int, p: Any, q: Any) -> float:
    """Σ p q."""
    p, q = p[first:last], q[first:last]
    total = 0.0
    for i in range(len(p)):
        total += p[i] * q[i]
    return total


@compiled
def combination(first: int, last: int, x: Any, y: Any, factor: float, out: Any) -> float:
    """out ← x + factor y; Σ out²."""
    x, y, out = x[first:last], y[first:last], out[first:last]
    square = 0.0
    for i in range(len(out)):
        new = x[i] + factor * y[i]
        out[i] = new
        square += new * new
    return square
