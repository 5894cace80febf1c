"""Operator-dependent interpolation on a plane, and the Galerkin operators of the coarse grids that follow from it.

Coarse points are the cells of even row and column. A grid's operator is ``(A u)_i = excess_i u_i + Σ w_ij (u_i − u_j)``
over at most eight neighbours, stored as ``stencil (4, n0, n1)``: the couplings of cell (i, j) with (i, j+1), (i+1, j),
(i+1, j+1) and (i+1, j−1). Indices wrap around; couplings across a wall are zero. A grid of five points has two layers.

Interpolation ``weights (8, c0, c1)``, of the cells beside coarse point (I, J), at fine (2I, 2J): [0, 1] at the edge
(2I, 2J+1) from (I, J) and (I, J+1); [2, 3] at the edge (2I+1, 2J) from (I, J) and (I+1, J); [4…7] at the centre
(2I+1, 2J+1) from (I, J), (I, J+1), (I+1, J), (I+1, J+1).

Source: Alcouffe, Brandt, Dendy and Painter, SIAM J. Sci. Stat. Comput. 2 (1981) 430; Dendy, J. Comput. Phys. 48 (1982)
366 (interpolation by lumped stencils at edges and full ones at centres, Galerkin coarse operators).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Floats = NDArray[np.floating[Any]]

WEAK = 0.03
"""Share of an edge's couplings along it in those across, below which it follows the centres beside it."""


def transfers(stencil: Floats, excess: Floats) -> tuple[Floats, Floats, int]:
    """Interpolation ``weights (8, c0, c1)``, its ``defects (3, c0, c1)`` and the number of edges left without.

    Defects are 1 − Σ weights at both edges and centres: 0, and not rounding, wherever the excess is zero. Edges left
    without interpolation are those of more corridors side by side than there are coarse points.
    """
    coarse = (excess.shape[0] + 1) // 2, (excess.shape[1] + 1) // 2
    weights, defects = np.zeros((8, *coarse)), np.zeros((3, *coarse))
    orphans = _edges(stencil, excess, weights, defects)
    left = int(_adopt(stencil, weights, defects)) if orphans else 0
    _centres(stencil, excess, weights, defects)
    if _follow(stencil, excess, weights, defects, WEAK):
        _centres(stencil, excess, weights, defects)
    return weights, defects, left


@compiled
def _follow(stencil, excess, weights, defects, theta):  # type: ignore[no-untyped-def]
    """Interpolation at edges that hold to their coarse points weakly, from those of the centres beside them."""
    rows, columns = excess.shape
    coarse0, coarse1 = weights.shape[1:]
    nine = stencil.shape[0] == 4
    changed = False
    for i in range(0, rows, 2):
        for j in range(1, columns, 2):
            a, c, z = i // 2, j // 2, (i // 2 - 1) % coarse0
            upper, lower = stencil[1, i, j], stencil[1, i - 1, j]
            left, right = stencil[0, i, j - 1], stencil[0, i, j]
            if nine:
                after = (j + 1) % columns
                left += stencil[3, i, j] + stencil[2, i - 1, j - 1]
                right += stencil[2, i, j] + stencil[3, i - 1, after]
            if left + right < theta * (upper + lower):
                changed = True
                left += upper * weights[4, a, c] + lower * weights[6, z, c]
                right += upper * weights[5, a, c] + lower * weights[7, z, c]
                _share(left, right, excess[i, j], weights[0:2, a, c], defects[0:1, a, c])
    for i in range(1, rows, 2):
        for j in range(0, columns, 2):
            a, c, z = i // 2, j // 2, (j // 2 - 1) % coarse1
            left, right = stencil[0, i, j - 1], stencil[0, i, j]
            lower, upper = stencil[1, i - 1, j], stencil[1, i, j]
            if nine:
                after = (j + 1) % columns
                lower += stencil[2, i - 1, j - 1] + stencil[3, i - 1, after]
                upper += stencil[2, i, j] + stencil[3, i, j]
            if lower + upper < theta * (left + right):
                changed = True
                lower += right * weights[4, a, c] + left * weights[5, a, z]
                upper += right * weights[6, a, c] + left * weights[7, a, z]
                _share(lower, upper, excess[i, j], weights[2:4, a, c], defects[1:2, a, c])
    return changed


def folded(stencil: Floats, excess: Floats) -> tuple[Floats, Floats]:
    """The same operator without couplings of cells with themselves, which axes of one cell have that were periodic."""
    right, down, up_right, up_left = stencil
    if excess.shape[0] == 1:
        right += up_right + np.roll(up_left, -1, 1)
        down[:] = up_right[:] = up_left[:] = 0.0
    if excess.shape[1] == 1:
        down += up_right + up_left
        right[:] = up_right[:] = up_left[:] = 0.0
    return stencil, excess


def inverse_diagonal(stencil: Floats, excess: Floats) -> tuple[Floats, Floats]:
    """1 / diagonal (0 where it is 0), and the excess of all but isolated cells, which have no part in coarse grids."""
    inverse, coupled = np.zeros_like(excess), np.zeros_like(excess)
    _diagonal(stencil, excess, inverse, coupled)
    return inverse, coupled


def with_isolated(stencil: Floats, inverse: Floats, excess: Floats) -> Floats:
    """The excess of all cells, isolated ones included: residuals vanish there after a sweep, and none of them reaches a
    coarse point in a solid that stands for cells of a corridor."""
    every = excess.copy()
    _restore_isolated(stencil, inverse, every)
    return every


@compiled
def _restore_isolated(stencil, inverse, excess):  # type: ignore[no-untyped-def]
    for i in range(excess.shape[0]):
        for j in range(excess.shape[1]):
            if excess[i, j] == 0.0 and inverse[i, j] > 0.0 and not _is_coupled(i, j, stencil):
                excess[i, j] = 1.0 / inverse[i, j]


@compiled
def _diagonal(stencil, excess, inverse, coupled):  # type: ignore[no-untyped-def]
    rows, columns = excess.shape
    nine = stencil.shape[0] == 4
    for i in range(rows):
        for j in range(columns):
            total = stencil[0, i, j] + stencil[0, i, j - 1] + stencil[1, i, j] + stencil[1, i - 1, j]
            if nine:
                total += stencil[2, i, j] + stencil[2, i - 1, j - 1]
                total += stencil[3, i, j] + stencil[3, i - 1, (j + 1) % columns]
            coupled[i, j] = excess[i, j] if total > 0.0 or _is_coupled(i, j, stencil) else 0.0
            total += excess[i, j]
            inverse[i, j] = 1.0 / max(total, 1e-30) if total > 0.0 else 0.0


@compiled
def _edges(stencil, excess, weights, defects):  # type: ignore[no-untyped-def]
    """Interpolation at edges; True where one has couplings, but none to the coarse points beside it."""
    rows, columns = excess.shape
    nine = stencil.shape[0] == 4
    orphans = False
    for i in range(0, rows, 2):
        for j in range(1, columns, 2):
            right = stencil[0, i, j]
            left = stencil[0, i, j - 1]
            if nine:
                after = (j + 1) % columns
                left += stencil[3, i, j] + stencil[2, i - 1, j - 1]
                right += stencil[2, i, j] + stencil[3, i - 1, after]
            held = _share(left, right, excess[i, j], weights[0:2, i // 2, j // 2], defects[0:1, i // 2, j // 2])
            orphans = orphans or (not held and _is_coupled(i, j, stencil))
    for i in range(1, rows, 2):
        for j in range(0, columns, 2):
            lower, upper = stencil[1, i - 1, j], stencil[1, i, j]
            if nine:
                after = (j + 1) % columns
                lower += stencil[2, i - 1, j - 1] + stencil[3, i - 1, after]
                upper += stencil[2, i, j] + stencil[3, i, j]
            held = _share(lower, upper, excess[i, j], weights[2:4, i // 2, j // 2], defects[1:2, i // 2, j // 2])
            orphans = orphans or (not held and _is_coupled(i, j, stencil))
    return orphans


@compiled
def _share(before, after, excess, weights, defect):  # type: ignore[no-untyped-def]
    """Interpolation at an edge from its two ends, with the couplings across lumped; False where nothing holds it.

    Of couplings that are negative, as Galerkin operators may have them, the positive part counts, or else the size.
    """
    if before <= 0.0 and after <= 0.0:
        before, after = -before, -after
    before, after, excess = max(before, 0.0), max(after, 0.0), max(excess, 0.0)
    total = before + after + excess
    defect[0] = 1.0
    if before + after > 0.0:
        weights[0], weights[1], defect[0] = before / total, after / total, excess / total
        return True
    return False


@compiled
def _is_coupled(i, j, stencil):  # type: ignore[no-untyped-def]
    """Whether a cell has any neighbour."""
    after = (j + 1) % stencil.shape[2]
    found = stencil[0, i, j] != 0.0 or stencil[0, i, j - 1] != 0.0
    found = found or stencil[1, i, j] != 0.0 or stencil[1, i - 1, j] != 0.0
    if stencil.shape[0] == 4:
        found = found or stencil[2, i, j] != 0.0 or stencil[2, i - 1, j - 1] != 0.0
        found = found or stencil[3, i, j] != 0.0 or stencil[3, i - 1, after] != 0.0
    return found


@compiled
def _adopt(stencil, weights, defects):  # type: ignore[no-untyped-def]
    """Edges without coupling to their coarse points take over one of these that lies in a solid, each at most one.

    They are the cells of a corridor of one cell between coarse rows. Its centres are interpolated from its edges by the
    usual formula, and the coarse grid has a corridor again.
    """
    rows, columns = stencil.shape[1:]
    coarse0, coarse1 = weights.shape[1:]
    taken = np.zeros((coarse0, coarse1), np.bool_)
    left = 0
    for a in range(coarse0):
        for c in range(coarse1):
            taken[a, c] = _is_coupled(2 * a, 2 * c, stencil)
    for kind in range(2):
        for i in range(kind, rows, 2):
            for j in range(1 - kind, columns, 2):
                a, c = i // 2, j // 2
                if weights[2 * kind, a, c] + weights[2 * kind + 1, a, c] > 0.0 or not _is_coupled(i, j, stencil):
                    continue
                b, d = (a + kind) % coarse0, (c + 1 - kind) % coarse1
                if not taken[a, c]:
                    taken[a, c] = True
                    weights[2 * kind, a, c], defects[kind, a, c] = 1.0, 0.0
                elif not taken[b, d]:
                    taken[b, d] = True
                    weights[2 * kind + 1, a, c], defects[kind, a, c] = 1.0, 0.0
                else:
                    left += 1
    return left


@compiled
def _centres(stencil, excess, weights, defects):  # type: ignore[no-untyped-def]
    rows, columns = excess.shape
    coarse0, coarse1 = weights.shape[1:]
    nine = stencil.shape[0] == 4
    for i in range(1, rows, 2):
        a, b = i // 2, (i // 2 + 1) % coarse0
        for j in range(1, columns, 2):
            c, d = j // 2, (j // 2 + 1) % coarse1
            after = (j + 1) % columns
            left, right = stencil[0, i, j - 1], stencil[0, i, j]
            lower, upper = stencil[1, i - 1, j], stencil[1, i, j]
            total = left + right + lower + upper + excess[i, j]
            ac, ad, bc, bd = 0.0, 0.0, 0.0, 0.0
            if nine:
                ac, ad = stencil[2, i - 1, j - 1], stencil[3, i - 1, after]
                bc, bd = stencil[3, i, j], stencil[2, i, j]
                total += ac + ad + bc + bd
            defects[2, a, c] = 1.0
            if total <= 0.0:
                continue
            ac += lower * weights[0, a, c] + left * weights[2, a, c]
            ad += lower * weights[1, a, c] + right * weights[2, a, d]
            bc += upper * weights[0, b, c] + left * weights[3, a, c]
            bd += upper * weights[1, b, c] + right * weights[3, a, d]
            weights[4, a, c], weights[5, a, c], weights[6, a, c], weights[7, a, c] = (
                ac / total,
                ad / total,
                bc / total,
                bd / total,
            )
            lost = lower * defects[0, a, c] + upper * defects[0, b, c]
            lost += left * defects[1, a, c] + right * defects[1, a, d]
            defects[2, a, c] = (excess[i, j] + lost) / total
