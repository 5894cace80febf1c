"""Interpolation at the edges of a plane's coarse grid, a row at a time: from both ends, couplings across lumped."""

from __future__ import annotations

from neuralpde.linalg.jit import compiled


@compiled
def level_sums(sums, ring, below, here, nine):  # type: ignore[no-untyped-def]
    """Couplings of edges in a coarse row: to both ends, with those across lumped; across alone; excess."""
    for k in range(1, sums.shape[1] - 1):
        sums[0, k], sums[1, k] = ring[here, 0, 0, k], ring[here, 0, 1, k]
        sums[2, k], sums[3, k] = ring[here, 1, 1, k] + ring[below, 1, 1, k], ring[here, 4, 1, k]
    if nine:
        for k in range(1, sums.shape[1] - 1):
            sums[0, k] += ring[here, 3, 1, k] + ring[below, 2, 0, k]
            sums[1, k] += ring[here, 2, 1, k] + ring[below, 3, 0, k + 1]


@compiled
def upright_sums(sums, ring, here, above, nine):  # type: ignore[no-untyped-def]
    """The same of edges between coarse rows."""
    for k in range(1, sums.shape[1] - 1):
        sums[0, k], sums[1, k] = ring[here, 1, 0, k], ring[above, 1, 0, k]
        sums[2, k], sums[3, k] = ring[above, 0, 0, k] + ring[above, 0, 1, k - 1], ring[above, 4, 0, k]
    if nine:
        for k in range(1, sums.shape[1] - 1):
            sums[0, k] += ring[here, 2, 1, k - 1] + ring[here, 3, 1, k]
            sums[1, k] += ring[above, 2, 0, k] + ring[above, 3, 0, k]


@compiled
def share(out, a, places, sums, theta):  # type: ignore[no-untyped-def]
    """Interpolation at edges from their two ends; see :func:`held_by` for one of them."""
    size = sums.shape[1]
    p, q, d = places
    orphans, weak = 0, 0
    for k in range(1, size - 1):
        across = sums[2, k]
        weak += sums[0, k] + sums[1, k] < theta * across
        before, after, rest = held_by(sums[0, k], sums[1, k], sums[3, k])
        orphans += (before + after == 0.0) & (across != 0.0)
        out[a, p, k], out[a, q, k], out[a, d, k] = before, after, rest
    for layer in places:
        out[a, layer, 0], out[a, layer, size - 1] = out[a, layer, size - 2], out[a, layer, 1]
    return orphans, weak


@compiled
def held_by(before, after, excess):  # type: ignore[no-untyped-def]
    """Weights of an edge's ends, and its defect, from its couplings with them; 0, 0 and 1 where nothing holds it.

    Of couplings that are negative, as Galerkin operators may have them, the positive part counts, or else the size.
    """
    sign = -1.0 if (before <= 0.0) & (after <= 0.0) else 1.0
    before, after, excess = max(sign * before, 0.0), max(sign * after, 0.0), max(excess, 0.0)
    share = 1.0 / max(before + after + excess, 1e-300)
    return before * share, after * share, (excess * share if before + after > 0.0 else 1.0)
