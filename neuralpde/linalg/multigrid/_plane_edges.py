"""Interpolation at the edges of a plane's coarse grid, a row at a time: from both ends, couplings across lumped."""

from __future__ import annotations

from neuralpde.linalg.jit import compiled

FOREIGN = 0.01
"""Share of the couplings lumped towards an end of an edge that must be with this end, for it to be of one material."""

NEAR = 0.08
"""Share of all couplings of an edge that must be with ends of its material, for the others to be left out."""


@compiled
def level_sums(sums, ring, below, here, nine):  # type: ignore[no-untyped-def]
    """Couplings of edges in a coarse row: to both ends, with those across lumped; across alone; excess; those with
    ends that were left out, from nine points only; row 5 is a scratch one. See :func:`_of_one_material`."""
    for k in range(1, sums.shape[1] - 1):
        sums[0, k], sums[1, k] = ring[here, 0, 0, k], ring[here, 0, 1, k]
        sums[2, k], sums[3, k] = ring[here, 1, 1, k] + ring[below, 1, 1, k], ring[here, 4, 1, k]
    if nine:
        for k in range(1, sums.shape[1] - 1):
            sums[0, k] += ring[here, 3, 1, k] + ring[below, 2, 0, k]
            sums[1, k] += ring[here, 2, 1, k] + ring[below, 3, 0, k + 1]
            sums[4, k], sums[5, k] = ring[here, 0, 0, k], ring[here, 0, 1, k]
        _of_one_material(sums)


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
            sums[4, k], sums[5, k] = ring[here, 1, 0, k], ring[above, 1, 0, k]
        _of_one_material(sums)


@compiled
def _of_one_material(sums):  # type: ignore[no-untyped-def]
    """Leave out couplings towards ends that lie in another material: from rows 4, 5, those with both ends alone.

    That is an end with which an edge is hardly coupled itself, only their neighbours are, where it has better
    couplings: else two inclusions of 1e6 with a gap of half a cell between them would stick together. An end with which
    it is not coupled at all may be in another room, behind a wall.
    """
    for k in range(1, sums.shape[1] - 1):
        before, after, to_before, to_after = sums[4, k], sums[5, k], sums[0, k], sums[1, k]
        own_before, own_after = abs(before) > FOREIGN * to_before, abs(after) > FOREIGN * to_after
        near = (before if own_before else 0.0) + (after if own_after else 0.0)
        together = near <= NEAR * (to_before + to_after + sums[2, k])
        sums[0, k] = to_before if (before != 0.0) & (together | own_before) else 0.0
        sums[1, k] = to_after if (after != 0.0) & (together | own_after) else 0.0
        sums[4, k] = abs(to_before - sums[0, k]) + abs(to_after - sums[1, k])


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
        orphans += (before + after == 0.0) & ((across != 0.0) | (sums[4, k] != 0.0))
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
