"""Linear elements inside quadratic ones: the coarse space of multigrid."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from neuralpde.representations._finite_element import FiniteElementField
from neuralpde.types import UsageError


def linear_subspace(field: FiniteElementField) -> tuple[FiniteElementField, sp.csr_matrix]:
    """Elements of degree 1 on the mesh of elements of degree 2, and the matrix that takes their unknowns to those.

    Straight or curved, polynomials of the reference element of degree 1 are some of those of degree 2.

    Returns:
        The linear elements, and the prolongation ``(n c, m c)`` between all unknowns of the nodes that have a free one,
        n fine and m coarse. A held unknown goes to itself, and to nothing else.

    Raises:
        UsageError: for elements that are linear already.
    """
    if field.degree == 1:
        raise UsageError("elements of degree 1 hold no coarser ones on the same mesh.")
    conditions, c = field.conditions, field.channels
    dtype, device = field.dtype, field.device
    coarse = FiniteElementField(field.domain, conditions, c, degree=1, dtype=dtype, device=device)  # type: ignore[arg-type]
    fine_dofs, coarse_dofs = (f.tables.dofs.cpu().numpy() for f in (field, coarse))
    values = coarse.tables.basis(field.tables.local_nodes)[0].cpu().double().numpy()
    # any element that has a node tells what linear functions are there
    place = np.empty(field.tables.num_nodes, dtype=np.int64)
    place[fine_dofs.reshape(-1)] = np.arange(fine_dofs.size)
    place = place[field.free.cpu().numpy()]
    element, local = np.divmod(place, fine_dofs.shape[1])
    weights, columns = values[local], _free_numbers(coarse)[coarse_dofs[element]]
    kept = (np.abs(weights) > 1e-12) & (columns >= 0)
    pointers = np.concatenate([[0], np.cumsum(kept.sum(1))])
    matrix = sp.csr_matrix((weights[kept], columns[kept], pointers), shape=(len(place), len(coarse.free)))
    matrix.sort_indices()
    whole = sp.kron(matrix, sp.identity(c), format="csr") if c > 1 else matrix
    return coarse, _without_held(whole, field, coarse) if field.partly else whole


def _without_held(matrix: sp.csr_matrix, fine: FiniteElementField, coarse: FiniteElementField) -> sp.csr_matrix:
    """Without the entries of held unknowns but those, of weight 1, that take them to themselves."""
    rows, columns = (f.fixed[f.free].reshape(-1).cpu().numpy() for f in (fine, coarse))
    entries = matrix.tocoo()
    row, column = rows[entries.row], columns[entries.col]
    kept = (~row & ~column) | (row & column & (np.abs(entries.data - 1) < 1e-12))
    return sp.csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=matrix.shape)


def _free_numbers(field: FiniteElementField) -> np.ndarray:
    """Number of every node among the free ones, −1 for others."""
    out = np.full(field.tables.num_nodes, -1, dtype=np.int64)
    free = field.free.cpu().numpy()
    out[free] = np.arange(len(free))
    return out
