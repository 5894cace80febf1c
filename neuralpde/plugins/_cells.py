"""Which cells of a grid the unknowns of a matrix are, and the operator that their matrix is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg import LinearOperator, MatrixOperator, StencilOperator
from neuralpde.linalg._stencil_poisson import whole_numbers
from neuralpde.plugins._matrix import likely_grid
from neuralpde.types import UsageError

Shape = Sequence[int] | None
Mask = NDArray[np.bool_] | None

BY_GRID = ("multigrid",)
"""Preconditioners that need to know the grid."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The unknowns of a matrix on a grid.

    Args:
        grid: cells of each axis; ``None`` where no grid is known.
        mask: the cells that are unknowns; ``None`` where all are.
    """

    grid: tuple[int, ...] | None = None
    mask: Mask = None

    def operator(self, csr: sp.csr_matrix) -> LinearOperator:
        """A matrix of the unknowns: on all cells of the grid, where there is one.

        Raises:
            UsageError: when it does not fit the grid.
        """
        if self.grid is None:
            return MatrixOperator(csr)
        return StencilOperator.from_csr(csr, self.grid, mask=None if self.mask is None else self.mask)

    def spread(self, r: NDArray[Any]) -> Tensor:
        """A vector, or some side by side, of the unknowns on all cells; 0 on those that are none."""
        if self.grid is None or self.mask is None:
            return torch.from_numpy(np.require(r, np.float64, ["C", "W"]))  # torch takes no others
        full = np.zeros((self.mask.size, *r.shape[1:]))
        full[self.mask.ravel()] = r
        return torch.from_numpy(full)

    def gather(self, z: Tensor) -> NDArray[np.float64]:
        """Back from all cells to the unknowns."""
        values = np.asarray(z.numpy(), dtype=np.float64)
        return values if self.mask is None else values[self.mask.ravel()]


@contextmanager
def as_kinds() -> Iterator[None]:
    """Errors of the solver room, which says M where a script says kind."""
    try:
        yield
    except UsageError as error:
        raise UsageError(str(error).replace("M='amg'", "kind='amg'")) from None


def cells_of(csr: sp.csr_matrix, kind: str, shape: Shape, mask: Mask) -> Cells:
    """The unknowns of a matrix for a kind of preconditioner.

    Raises:
        UsageError: for a shape or a mask that is none, a kind that needs a shape and has none, and the reverse.
    """
    if kind not in BY_GRID:
        if mask is not None:
            raise UsageError(f"mask is for kind='multigrid', which knows the grid; kind={kind!r} needs A alone")
        return Cells()
    if shape is None:
        likely = likely_grid(csr)
        hint = f"the diagonals of A fit shape={likely}" if likely else "for other matrices use kind='amg'"
        raise UsageError(f"kind={kind!r} needs shape=, the cells of each axis of the grid of A; {hint}")
    grid = whole_numbers("shape", shape)
    if mask is None:
        return Cells(grid)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != grid:
        raise UsageError(
            f"mask must be a Boolean array of shape {grid}, True in the cells that are unknowns, "
            f"got dtype {mask.dtype} and shape {mask.shape}"
        )
    return Cells(grid, mask)
