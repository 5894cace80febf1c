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
    return weights, defects, left


def galerkin(stencil: Floats, excess: Floats, weights: Floats, defects: Floats) -> tuple[Floats, Floats]:
    """Stencil ``(4, c0, c1)`` and excess ``(c0, c1)`` of Pᵀ A P, of which no digit is lost: the couplings come from
    faces and the excess from the defects, so that a singular operator stays singular and a weak link stays a link."""
    coarse, sums = np.zeros((4, *weights.shape[1:])), np.zeros(weights.shape[1:])
    _couplings(stencil, excess, weights, coarse)
    if excess.any() or defects.any():
        _sums(stencil, excess, weights, defects, sums)
    return coarse, sums


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


@compiled
def _couplings(stencil, excess, weights, coarse):  # type: ignore[no-untyped-def]
    """−(Pᵀ A P)_IJ. At centres A P = 0, so their star is eliminated; each square of four coarse points adds its part.

    In one square with corners a, b (next column), c (next row), d, edges p (a–b), q (c–d), l (a–c), r (b–d), centre m
    of diagonal D: the star gives D P_ma P_mb − w_mp P_pa P_pb to the pair (a, b), a coupling w of two edges gives
    −w (P_pa − P_la)(P_pb − P_lb), and the edge itself w_ap (1 − P_pa) P_pb + w_pb P_pa (1 − P_pb) − excess P_pa P_pb.
    """
    rows, columns = excess.shape
    coarse0, coarse1 = weights.shape[1:]
    nine = stencil.shape[0] == 4
    for a in range(coarse0):
        i, b = 2 * a, (a + 1) % coarse0
        for c in range(coarse1):
            j, d = 2 * c, (c + 1) % coarse1
            if j + 1 < columns:
                u, v = weights[0, a, c], weights[1, a, c]
                own = stencil[0, i, j] * (1.0 - u) * v + stencil[0, i, j + 1] * u * (1.0 - v)
                coarse[0, a, c] += own - excess[i, j + 1] * u * v
            if i + 1 < rows:
                u, v = weights[2, a, c], weights[3, a, c]
                own = stencil[1, i, j] * (1.0 - u) * v + stencil[1, i + 1, j] * u * (1.0 - v)
                coarse[1, a, c] += own - excess[i + 1, j] * u * v
            if i + 1 >= rows or j + 1 >= columns:
                continue
            left, right = stencil[0, i + 1, j], stencil[0, i + 1, j + 1]
            lower, upper = stencil[1, i, j + 1], stencil[1, i + 1, j + 1]
            total = left + right + lower + upper + excess[i + 1, j + 1]
            pa, pb, qc, qd = weights[0, a, c], weights[1, a, c], weights[0, b, c], weights[1, b, c]
            la, lc, rb, rd = weights[2, a, c], weights[3, a, c], weights[2, a, d], weights[3, a, d]
            ma, mb, mc, md = weights[4, a, c], weights[5, a, c], weights[6, a, c], weights[7, a, c]
            if nine:
                after = (j + 2) % columns
                total += stencil[2, i, j] + stencil[3, i, after] + stencil[3, i + 1, j + 1] + stencil[2, i + 1, j + 1]
                # Couplings of edges: p–l, p–r, q–l, q–r.
                pl, pr = stencil[3, i, j + 1], stencil[2, i, j + 1]
                ql, qr = stencil[2, i + 1, j], stencil[3, i + 1, after]
                coarse[0, a, c] -= pl * (pa - la) * pb + pr * pa * (pb - rb)
                coarse[0, b, c] -= ql * (qc - lc) * qd + qr * qc * (qd - rd)
                coarse[1, a, c] -= pl * (la - pa) * lc + ql * la * (lc - qc)
                coarse[1, a, d] -= pr * (rb - pb) * rd + qr * rb * (rd - qd)
                coarse[2, a, c] += pr * pa * rd + ql * la * qd
                coarse[3, a, d] += pl * pb * lc + qr * rb * qc
            coarse[0, a, c] += total * ma * mb - lower * pa * pb
            coarse[0, b, c] += total * mc * md - upper * qc * qd
            coarse[1, a, c] += total * ma * mc - left * la * lc
            coarse[1, a, d] += total * mb * md - right * rb * rd
            coarse[2, a, c] += total * ma * md
            coarse[3, a, d] += total * mb * mc


@compiled
def _sums(stencil, excess, weights, defects, out):  # type: ignore[no-untyped-def]
    """Row sums of Pᵀ A P: those of A P 1 at coarse points, and the shares of edges; at centres A P = 0."""
    rows, columns = excess.shape
    coarse0, coarse1 = weights.shape[1:]
    nine = stencil.shape[0] == 4
    for a in range(coarse0):
        for c in range(coarse1):
            out[a, c] += _row_sum(2 * a, 2 * c, stencil, excess, defects, nine)
            if 2 * c + 1 < columns:
                value = _row_sum(2 * a, 2 * c + 1, stencil, excess, defects, nine)
                out[a, c] += weights[0, a, c] * value
                out[a, (c + 1) % coarse1] += weights[1, a, c] * value
            if 2 * a + 1 < rows:
                value = _row_sum(2 * a + 1, 2 * c, stencil, excess, defects, nine)
                out[a, c] += weights[2, a, c] * value
                out[(a + 1) % coarse0, c] += weights[3, a, c] * value


@compiled
def _row_sum(i, j, stencil, excess, defects, nine):  # type: ignore[no-untyped-def]
    """(A P 1)_i = excess (1 − q_i) + Σ w (q_j − q_i), with the defects q = 1 − P 1."""
    rows, columns = excess.shape
    up, right = (i + 1) % rows, (j + 1) % columns
    own = _defect(i, j, defects)
    value = excess[i, j] * (1.0 - own)
    value += stencil[0, i, j] * (_defect(i, right, defects) - own)
    value += stencil[0, i, j - 1] * (_defect(i, (j - 1) % columns, defects) - own)
    value += stencil[1, i, j] * (_defect(up, j, defects) - own)
    value += stencil[1, i - 1, j] * (_defect((i - 1) % rows, j, defects) - own)
    if nine:
        before, left = (i - 1) % rows, (j - 1) % columns
        value += stencil[2, i, j] * (_defect(up, right, defects) - own)
        value += stencil[3, i, j] * (_defect(up, left, defects) - own)
        value += stencil[2, before, left] * (_defect(before, left, defects) - own)
        value += stencil[3, before, right] * (_defect(before, right, defects) - own)
    return value


@compiled
def _defect(i, j, defects):  # type: ignore[no-untyped-def]
    if i % 2 == 0 and j % 2 == 0:
        return 0.0
    return defects[0 if i % 2 == 0 else (1 if j % 2 == 0 else 2), i // 2, j // 2]
