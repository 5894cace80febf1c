"""Where pictures look at a field: a lattice over a box, the triangles of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import MeshDomain
from neuralpde.plot import Triangulation, body, triangulation
from neuralpde.simulate._errors import beyond, lattice
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution


@dataclass(frozen=True)
class Places:
    """Points of a picture.

    Args:
        x: the points, ``(n, d)``.
        axes: coordinates of a lattice's nodes; on a mesh of that which streamlines are drawn from.
        shape: of arrays of values, without times and channels.
        triangulation: of a mesh.
    """

    x: Tensor
    axes: tuple[np.ndarray, ...]
    shape: tuple[int, ...]
    triangulation: Triangulation | None = None

    @property
    def lattice(self) -> Tensor:
        """The points of the lattice, ``(Π n_i, d)``."""
        if self.triangulation is None:
            return self.x
        grids = np.meshgrid(*self.axes, indexing="ij")
        return torch.as_tensor(np.stack([grid.reshape(-1) for grid in grids], axis=-1)).to(self.x)


def places_of(solution: Solution, points: int | None) -> Places:
    """A lattice of ``points`` per axis (801 by default in 1D, 101 in 2D), or the triangles of a mesh.

    Raises:
        UsageError: for a box in 3D.
    """
    problem, r = solution.problem, solution.representation
    domain = problem.domain
    if isinstance(domain, MeshDomain):
        shown = triangulation(domain.mesh) if domain.dim == 2 else body(domain.mesh)
        n = points or 101
        axes = tuple(np.linspace(a, b, n) for a, b in zip(domain.lower, domain.upper, strict=True))
        x = torch.as_tensor(shown.points, dtype=r.dtype, device=r.device)
        return Places(x, axes, (len(x),), shown)
    if domain.dim > 2:
        raise UsageError(
            f"pictures show fields in 1 or 2 dimensions and {problem.name} has {domain.dim} here; "
            "solution.export('run.pvd') writes it for ParaView."
        )
    grid, x = lattice(solution, points or (801 if domain.dim == 1 else 101))
    return Places(x, tuple(grid.axis(i).numpy() for i in range(domain.dim)), grid.shape)


def blanked(solution: Solution, x: Tensor, columns: list[Tensor], shape: tuple[int, ...]) -> np.ndarray:
    """Values ``(n, c)`` of every time as an array ``(k, *shape, c)``, with NaN inside solids and outside a mesh."""
    values = torch.stack(columns)
    blank = beyond(solution.problem, x)
    if blank is not None:
        values = values.masked_fill(blank[None, :, None], float("nan"))
    return values.reshape(len(columns), *shape, -1).cpu().numpy()
