"""Galerkin operators of coarse grids of a plane: Pᵀ A P for the layout and interpolation of :mod:`_plane_transfers`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Floats = NDArray[np.floating[Any]]


def galerkin(stencil: Floats, excess: Floats, weights: Floats, defects: Floats) -> tuple[Floats, Floats]:
    """Stencil ``(4, c0, c1)`` and excess ``(c0, c1)`` of Pᵀ A P, of which no digit is lost: the couplings come from
    faces and the excess from the defects, so that a singular operator stays singular and a weak link stays a link."""
    coarse, sums = np.zeros((4, *weights.shape[1:])), np.zeros(weights.shape[1:])
    _couplings(stencil, excess, weights, coarse)
    if excess.any() or defects.any():
        _sums(stencil, excess, weights, defects, sums)
    return coarse, sums


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
