"""What the levels of planes and spaces are made of, read from the arrays of their compiled loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._torch_level import GridParts
from neuralpde.types import UsageError

Floats = NDArray[np.floating[Any]]

_POINTS = (((0, 0), (0, 0)),)
_EDGES = (((0, 1), (0, 0)), ((0, 1), (0, 1)), ((1, 0), (0, 0)), ((1, 0), (1, 0)))
_CENTRES = (((1, 1), (0, 0)), ((1, 1), (0, 1)), ((1, 1), (1, 0)), ((1, 1), (1, 1)))


def plane_parts(hierarchy: Any) -> list[GridParts]:
    """The grids of a PlaneHierarchy but the coarsest.

    Raises:
        UsageError: for one that smooths by lines.
    """
    from neuralpde.linalg.multigrid._plane_four_colour import FourColourLevel
    from neuralpde.linalg.multigrid._plane_red_black import RedBlackLevel

    made = []
    for level in hierarchy._smoothers:
        if isinstance(level, RedBlackLevel):  # its black cells, the edges, neither give nor take
            finest, weights, places = True, level._centres, [*_POINTS, *_CENTRES]
        elif isinstance(level, FourColourLevel):
            finest, weights, places = False, level._weights, [*_POINTS, *_EDGES, *_CENTRES]
        else:
            raise UsageError(f"{type(level).__name__} has no form in torch")
        weights = weights[:, :, 1:-1].transpose(1, 0, 2)
        layers = _joined(level._stencil, level.grid[1])
        couplings = layers[: 2 if finest else 4]
        shares = zip(places, [np.ones(level.coarse, np.float32), *weights], strict=True)
        made.append(
            GridParts(
                offsets=((0, 1), (1, 0), (1, 1), (1, -1))[: len(couplings)],
                couplings=list(couplings),
                inverse=layers[len(couplings)],
                excess=None if finest else layers[5],
                order=((0, 0), (1, 1), (0, 1), (1, 0)) if finest else ((1, 1), (1, 0), (0, 1), (0, 0)),
                periodic=_rings(couplings),
                factors=(2, 2),
                shares=[(kind, step, _cut(array, level.grid, kind, (2, 2))) for (kind, step), array in shares],
            )
        )
    return made


def _rings(couplings: Floats) -> tuple[bool, bool]:
    """Which axes any coupling closes: (0, 1), (1, 0), (1, 1) and (1, −1) are the offsets."""
    first = any(bool(w[-1].any()) for w in couplings[1:])
    second = any(bool(w[:, -1].any()) for w in (couplings[0], *couplings[2:3]))
    return first, second or any(bool(w[:, 0].any()) for w in couplings[3:])


def space_parts(hierarchy: Any) -> list[GridParts]:
    """The grids of a SpaceHierarchy but the coarsest.

    Raises:
        UsageError: for one that smooths by lines.
    """
    from neuralpde.linalg.multigrid._space_level import SpaceLevel

    made = []
    for level in hierarchy._levels[:-1]:
        if type(level) is not SpaceLevel or level.step is None:
            raise UsageError(f"{type(level).__name__} has no form in torch")
        layout, step = level.layout, level.step
        classes = list(itertools.product((0, 1), repeat=3))
        shares = []
        for number, d in enumerate(step.offsets):
            kind, parent = tuple(abs(k) for k in d), tuple(int(k < 0) for k in d)
            inner = tuple(slice(1 + a, 1 + a + n) for a, n in zip(parent, step.grid, strict=True))
            shares.append((kind, parent, _cut(level.share[number][inner], layout.grid, kind, step.factors)))
        made.append(
            GridParts(
                offsets=level.half,
                couplings=[layout.get(w) for w in level.w],
                inverse=layout.get(level.inverse),
                excess=None,
                order=sorted(classes, key=lambda kind: sum(kind) % 2) if level.finest else classes,
                periodic=layout.periodic,
                factors=step.factors,
                shares=shares,
            )
        )
    return made


def _cut(weights: Floats, grid: tuple[int, ...], kind: tuple[int, ...], factors: tuple[int, ...]) -> Floats:
    """As many weights as there are cells of a class."""
    return weights[tuple(slice(0, -(-(n - p) // c)) for n, p, c in zip(grid, kind, factors, strict=True))]


def _joined(halves: Floats, columns: int) -> Floats:
    """``(n0, layers, 2, K + 2)``, even and odd columns apart, as ``(layers, n0, columns)``."""
    inner = halves[:, :, :, 1:-1]
    whole = np.stack([inner[:, :, 0], inner[:, :, 1]], axis=-1).reshape(*halves.shape[:2], -1)
    return np.asarray(whole[..., :columns].transpose(1, 0, 2))
