"""What cubic interpolation needs of a staggered velocity beyond the ends of its domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from neuralpde.geometry import Dirichlet, FreeSlip
from neuralpde.representations._cubic import continued, evenly, through_wall
from neuralpde.representations._staggered import ends

if TYPE_CHECKING:
    from neuralpde.representations._face_velocity import FaceVelocity


def continued_velocity(v: FaceVelocity, faces: Sequence[Tensor], t: float, straight: bool) -> list[Tensor]:
    """See :meth:`FaceVelocity.continued`."""
    out = []
    for i, u in enumerate(faces):
        wide: list[int] = []
        for a in range(v.dim):
            axis = a - v.dim
            if v.boundary.periodic[a]:
                u = continued(u, axis)
            elif a != i:
                u = continued(u, axis, *[_beyond(v, u, i, a, side, t, wide, straight) for side in (0, 1)])
                wide.append(a)
        out.append(u)
    return out


def _beyond(
    v: FaceVelocity, u: Tensor, i: int, a: int, side: int, t: float, wide: Sequence[int], straight: bool
) -> Tensor:
    """One layer of component i beyond a face of axis a; the axes ``wide`` have theirs already."""
    axis, condition = a - v.dim, v.boundary.on(a, side)
    if not isinstance(condition, Dirichlet):
        return evenly(u, axis, side)
    wall = _widened(v, v.data(condition, i, a, side, t, wide).to(u), a, wide)
    if straight:
        return 2 * wall - evenly(u, axis, side)
    return through_wall(u, axis, side, _normal_first(v, wall.expand_as(evenly(u, axis, side)), i, a, side, t, wide))


def _normal_first(v: FaceVelocity, wall: Tensor, i: int, a: int, side: int, t: float, wide: Sequence[int]) -> Tensor:
    """The wall's values; where it meets a boundary normal to axis i those of that one.

    In a corner of contradicting data (a lid on a wall, an inflow beside one) what passes through a boundary is then
    right on all of it.
    """
    wall = wall.clone()
    for end, last in enumerate(ends(wall, i - v.dim)):
        condition = v.boundary.on(i, end)
        if isinstance(condition, FreeSlip):
            last.zero_()
        elif isinstance(condition, Dirichlet):
            value = v.data(condition, i, i, end, t, [*wide, a]).to(wall)
            last.copy_(_widened(v, ends(value, a)[side], a, wide) if value.ndim else value)
    return wall


def _widened(v: FaceVelocity, data: Tensor, a: int, wide: Sequence[int]) -> Tensor:
    """Boundary data continued along all axes before a; along the axes ``wide`` they come with the face's own ends."""
    for b in range(a if data.ndim else 0):
        if b in wide:
            inner = data.narrow(b, 1, data.shape[b] - 2)
            data = continued(inner, b, *[through_wall(inner, b, side, end) for side, end in enumerate(ends(data, b))])
        elif v.boundary.periodic[b]:
            data = continued(data, b)
    return data
