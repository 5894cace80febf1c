"""PETSc's Krylov solvers with this package's preconditioners: from the command line of any program, or from petsc4py.

``-pc_type python -pc_python_type neuralpde.plugins.petsc.NeuralPC -pc_neural_kind multigrid -pc_neural_shape 128,128``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg._stencil_poisson import whole_numbers
from neuralpde.plugins.scipy import ScipyPreconditioner, as_preconditioner
from neuralpde.types import UsageError


class NeuralPC:
    """A preconditioner for PETSc's type ``python``.

    In parallel each process preconditions the diagonal block of the rows that it owns (block Jacobi). For a grid these
    rows may begin and end anywhere; the fewer unknowns have a neighbour in another process, the fewer iterations.

    Options, after the prefix of the PC (such as ``-sub_`` below ``-pc_type bjacobi``):

    - ``-pc_neural_kind``: "multigrid", "amg", "ic", "ssor", "chebyshev", "jacobi", "direct" or "identity";
    - ``-pc_neural_shape 128,128``: cells of each axis of the whole grid, the axis that is numbered first last;
    - ``-pc_neural_mask cells.npy``: a Boolean array of that shape, where not all cells are unknowns: True in those.

    Args:
        kind, shape, mask, options: as in :func:`neuralpde.plugins.scipy.as_preconditioner`; the options of the command
            line take their place. Without a kind it is "multigrid" where a shape is known, else "amg".

    A matrix whose values change is set up anew when PETSc says so (``KSPSetOperators``), on the same grid. The
    preconditioner is linear, fixed and has the sign of A, as ``-ksp_type cg`` needs. Multigrid works in float32: in
    place of ``gmres``, which takes M of a sum for the sum of M and then reports residuals below 1e-6 that it does not
    have, use ``-ksp_type fgmres``, which keeps what M did to each vector.
    """

    def __init__(
        self,
        kind: str | None = None,
        shape: Sequence[int] | None = None,
        mask: NDArray[np.bool_] | None = None,
        **options: Any,
    ) -> None:
        self.kind, self.shape, self.mask, self.options = kind, shape, mask, options
        self._preconditioner: ScipyPreconditioner | None = None

    def create(self, pc: Any) -> None:
        """PETSc made the PC; the options are read in :meth:`setFromOptions`."""

    def setFromOptions(self, pc: Any) -> None:
        """Read the options of the command line.

        Raises:
            UsageError: for a shape that is none, or a mask that cannot be read.
        """
        from petsc4py import PETSc

        given = PETSc.Options(pc.getOptionsPrefix())
        if given.hasName("pc_neural_kind"):
            self.kind = given.getString("pc_neural_kind")
        if given.hasName("pc_neural_shape"):
            self.shape = _shape(given.getString("pc_neural_shape"))
        if given.hasName("pc_neural_mask"):
            self.mask = _mask(given.getString("pc_neural_mask"))

    def setUp(self, pc: Any) -> None:
        """Build the preconditioner of this process's diagonal block, or follow its new entries.

        Raises:
            UsageError: for a matrix without entries, or one that does not suit the kind.
        """
        block, first, rows = _diagonal_block(pc.getOperators()[1])
        if self._preconditioner is not None and self._preconditioner.shape == block.shape:
            self._preconditioner.update(block)
            return
        kind = self.kind or ("amg" if self.shape is None else "multigrid")
        grid: dict[str, Any] = {}
        if kind == "multigrid" and self.shape is not None:
            grid = dict(
                zip(("shape", "mask"), part_of_grid(self.shape, self.mask, first, rows, block.shape[0]), strict=True)
            )
        self._preconditioner = as_preconditioner(block, kind, **grid, **self.options)

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """y = M x."""
        assert self._preconditioner is not None
        y.setArray(self._preconditioner.matvec(x.getArray(readonly=True)))

    def applyTranspose(self, pc: Any, x: Any, y: Any) -> None:
        """y = Mᵀ x."""
        assert self._preconditioner is not None
        y.setArray(self._preconditioner.rmatvec(x.getArray(readonly=True)))

    def view(self, pc: Any, viewer: Any) -> None:
        """What ``-ksp_view`` prints."""
        made = self._preconditioner
        viewer.printfASCII(f"  neuralpde: kind {made.kind if made else self.kind}, shape {self.shape}\n")
        if made is not None and pc.comm.size > 1:
            viewer.printfASCII("  block Jacobi: one block a process\n")

    def destroy(self, pc: Any) -> None:
        """Free the memory of the levels."""
        self._preconditioner = None


def attach(
    ksp: Any,
    kind: str | None = None,
    shape: Sequence[int] | None = None,
    mask: NDArray[np.bool_] | None = None,
    **options: Any,
) -> NeuralPC:
    """Give a KSP of petsc4py this package's preconditioner; its options of the command line still take precedence.

    Args:
        ksp: a ``petsc4py.PETSc.KSP``; its matrix may be set before or after.
        kind, shape, mask, options: see :class:`NeuralPC`.

    Returns:
        The preconditioner, which ``ksp`` now holds.

    Example::

        ksp = PETSc.KSP().create()
        ksp.setOperators(A)
        ksp.setType("cg")
        attach(ksp, shape=(128, 128))
        ksp.solve(b, x)
    """
    context = NeuralPC(kind, shape, mask, **options)
    pc = ksp.getPC()
    pc.setType("python")
    pc.setPythonContext(context)
    return context


def part_of_grid(
    shape: Sequence[int], mask: NDArray[np.bool_] | None, first: int, rows: int, owned: int
) -> tuple[tuple[int, ...], NDArray[np.bool_] | None]:
    """The slab of a grid in which the rows of one process lie, and the cells of it that they are.

    Args:
        shape: of the whole grid.
        mask: cells that are unknowns, or all.
        first: number of this process's first row.
        rows: of the whole matrix.
        owned: rows of this process.

    Raises:
        UsageError: when the grid has another number of unknowns than the matrix, or for a shape or mask that is none.
    """
    shape = whole_numbers("shape", shape)
    if mask is not None and np.shape(mask) != shape:
        raise UsageError(f"the mask has shape {np.shape(mask)}, but the grid has shape {shape}")
    cells = np.arange(int(np.prod(shape))) if mask is None else np.flatnonzero(mask)
    across = int(np.prod(shape[1:]))
    if cells.size != rows:
        if mask is None and first == 0 and owned == rows < cells.size and rows % across == 0:
            return (rows // across, *shape[1:]), None  # a block of whole rows of the grid below another PC
        raise UsageError(f"the grid of shape {tuple(shape)} has {cells.size} unknowns, but the matrix has {rows} rows")
    mine = cells[first : first + owned]
    if not owned:
        return (1, *shape[1:]), np.zeros((1, *shape[1:]), dtype=bool)
    top, bottom = int(mine[0]) // across, int(mine[-1]) // across + 1
    slab = (bottom - top, *shape[1:])
    if owned == (bottom - top) * across:
        return slab, None
    inside = np.zeros(slab, dtype=bool)
    inside.ravel()[mine - top * across] = True
    return slab, inside


def _diagonal_block(matrix: Any) -> tuple[sp.csr_matrix, int, int]:
    """The entries between the rows that this process owns, the first of these, and the rows of the whole matrix."""
    from petsc4py import PETSc

    block = matrix.getDiagonalBlock() if matrix.getComm().getSize() > 1 else matrix
    if not block.getType().startswith("seqaij"):
        if block.getType() in ("python", "shell", "mffd"):
            raise UsageError(
                f"the preconditioner needs the entries of its matrix, but PETSc gave one of type {block.getType()!r}: "
                "pass an assembled matrix as the second argument of KSPSetOperators"
            )
        block = block.convert("seqaij", PETSc.Mat())  # a new matrix: without it PETSc's own would change its type
    pointers, columns, values = block.getValuesCSR()
    if np.iscomplexobj(values):
        raise UsageError("this PETSc was built for complex numbers; the preconditioner needs one for real numbers")
    size = block.getSize()
    first = int(matrix.getOwnershipRange()[0])
    return sp.csr_matrix((values, columns, pointers), shape=size), first, int(matrix.getSize()[0])


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        raise UsageError(f"-pc_neural_shape takes whole numbers with commas, such as 128,128, got {text!r}") from None


def _mask(path: str) -> NDArray[np.bool_]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise UsageError(f"-pc_neural_mask takes a file of numpy.save, got {path!r}: {error}") from None
