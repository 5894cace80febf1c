"""What the coefficients of a plane call for: lines, more visits of coarse grids, periodic axes of even length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._extent import extent

Floats = NDArray[np.floating[Any]]

STRONG = 8.0
"""Ratio of couplings along both axes from which on lines pay off."""

SHARE = 0.02
"""Share of cells with such couplings from which on there are lines."""

CONTRAST = 10.0
"""Ratio of the largest to the smallest coupling that counts as a jump."""


def line_axes(weights: list[Floats], smoother: str) -> tuple[int, ...]:
    """Axes along which lines should run: () for smoothing by points.

    A cell counts where its couplings along one axis are much stronger than those along the other, unless these are 0:
    corridors need no lines.
    """
    axes = tuple(axis for axis in range(2) if weights[0].shape[axis] > 2)
    if smoother != "auto":
        return axes if smoother == "lines" else ()
    parts = in_slabs(_strong, *weights[0].shape, *(np.ascontiguousarray(weight) for weight in weights), STRONG)
    counts = np.sum(parts, axis=0)
    return tuple(axis for axis in axes if counts[axis] > SHARE * max(counts[2], 1))


@compiled
def _strong(first, last, down, right, ratio):  # type: ignore[no-untyped-def]
    """Cells with strong couplings along axis 0, along axis 1, and cells with any."""
    along0, along1, coupled = 0, 0, 0
    for i in range(first, last):
        for j in range(down.shape[1]):
            a, b = down[i, j] + down[i - 1, j], right[i, j] + right[i, j - 1]
            along0 += b > 0.0 and a > ratio * b
            along1 += a > 0.0 and b > ratio * a
            coupled += a + b > 0.0
    return along0, along1, coupled


def wide_contrast(weights: list[Floats]) -> bool:
    """Whether couplings other than 0 differ by more than a factor of :data:`CONTRAST`."""
    _, largest, smallest = zip(*(extent(weight) for weight in weights), strict=True)
    return max(largest) > CONTRAST * min(smallest)


def evened(
    stencil: Floats | list[Floats], excess: Floats
) -> tuple[Floats | list[Floats], Floats, tuple[slice, ...] | None]:
    """The operator with one cell more along periodic axes of odd length, and the slices of the cells given, if any are.

    Sweeps by colours and coarse points at every other cell need an even number. The faces of the seam, of weights w,
    become two of 2 w with a row of cells between them whose right-hand side is 0: elimination of these gives w back,
    exactly. A diagonal coupling across the seam goes to all four sides of its square before, and a negative one is left
    out. That makes another operator, never a smaller one, which is all that a preconditioner needs:
    (a − d)² + (b − c)² ≤ (a − b)² + (c − d)² + (a − c)² + (b − d)², and (a − d)² is so by itself.
    """
    shape = excess.shape
    for axis in range(2):
        if shape[axis] % 2 and shape[axis] > 1:
            stencil, excess = _with_seam(np.asarray(stencil), excess, axis)
    return stencil, excess, None if excess.shape == shape else tuple(slice(0, n) for n in shape)


def _with_seam(stencil: Floats, excess: Floats, axis: int) -> tuple[Floats, Floats]:
    """With one row (axis 0) or column more between the last and the first, if these are coupled."""
    straight = stencil[1, -1] if axis == 0 else stencil[0, :, -1]
    crossing = np.zeros_like(straight)
    if len(stencil) == 4:
        ahead = stencil[2, -1] if axis == 0 else stencil[2, :, -1]
        back = np.roll(stencil[3, -1], -1) if axis == 0 else stencil[3, :, 0]
        crossing = np.maximum(np.maximum(ahead, back), 0.0)
    seam = 2.0 * (np.maximum(straight, 0.0) + crossing + np.roll(crossing, 1))
    if not seam.any():
        return _without_seam(stencil, axis), excess
    pads = [(0, 1 if other == axis else 0) for other in range(2)]
    stencil, excess = np.pad(stencil, [(0, 0), *pads]), np.pad(excess, pads)
    if axis == 0:
        stencil[2:, -2] = 0.0
        stencil[1, -2:] = seam
        stencil[0, [0, -2]] += crossing
    else:
        stencil[2:3, :, -2] = stencil[3:4, :, 0] = 0.0
        stencil[0, :, -2:] = seam[:, None]
        stencil[1][:, [0, -2]] += crossing[:, None]
    return stencil, excess


def _without_seam(stencil: Floats, axis: int) -> Floats:
    """Without couplings across the seam, none of which is positive."""
    there = stencil[1:, -1].any() if axis == 0 else stencil[0, :, -1].any() or stencil[2:3, :, -1].any()
    if not there and (axis == 0 or not stencil[3:4, :, 0].any()):
        return stencil
    stencil = stencil.copy()
    if axis == 0:
        stencil[1:, -1] = 0.0
    else:
        stencil[0, :, -1] = stencil[2:3, :, -1] = stencil[3:4, :, 0] = 0.0
    return stencil
