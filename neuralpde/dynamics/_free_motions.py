"""Steady problems that leave something undetermined: fields that a matrix sends to zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from neuralpde.geometry import MeshDomain
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import UsageError

ROUNDINGS = 50
"""Of a row's entries, up to which their sums are zero."""

DOUBLE = 1e-12
"""The same in double precision, as a relative size."""


def refuse_free_motions(problem: Problem, r: FiniteElementField, matrix: sp.csr_matrix | sp.bsr_matrix) -> None:
    """Refuse a steady problem's matrix A on the free unknowns that is singular by its conditions.

    On each connected part of A, and on each body of elements that share facets, A must not send a combination of the
    problem's ``near_nullspace`` to zero: constants, or rigid motions of an elastic body, about a node or hinge on which
    it hangs as well. Nor must Aᵀ, whose null space are the sums of equations that no unknown can balance.

    Raises:
        UsageError: that says what is missing.
    """
    if not matrix.shape[0]:
        return
    modes = problem.near_nullspace(r.nodes[r.free]).flatten(0, 1).double().cpu().numpy()
    diagonal = np.abs(matrix.diagonal())
    scale = 1 / np.where(diagonal > 0, diagonal, 1.0)
    zero = max(DOUBLE, ROUNDINGS * float(np.finfo(matrix.dtype).eps))
    for rows, where in _parts(r, matrix, modes.shape[1] > r.channels):
        fields = np.zeros_like(modes)
        fields[rows] = _orthonormal(modes[rows])[:, : modes.shape[1]]
        used = fields[:, np.abs(fields).max(0) > 0]
        if used.shape[1] and _smallest(scale[:, None] * (matrix @ used)) <= zero:
            raise UsageError(_free(problem, modes.shape[1] > r.channels, where))
        if used.shape[1] and _smallest(scale[:, None] * (matrix.T @ used)) <= zero:
            raise UsageError(
                f"{problem.name} with these conditions has no solution, or many{where}: nothing leaves through the "
                "boundary, so that ∫ u is free and ∫ source must vanish: give u on a part of the boundary (Dirichlet), "
                "or an exchange (Robin)."
            )


def _free(problem: Problem, rigid: bool, where: str) -> str:
    if rigid:
        return (
            f"{problem.name} with these conditions leaves the body free to move as a rigid one{where}: give u on "
            "enough of its boundary (Dirichlet) to hold shifts and rotations; a single node is a hinge."
        )
    return (
        f"{problem.name} with these conditions fixes u only up to a constant{where}: give u on a part of the boundary "
        "(Dirichlet), or an exchange (Robin)."
    )


def _parts(r: FiniteElementField, matrix: sp.csr_matrix, bodies: bool) -> Iterator[tuple[np.ndarray, str]]:
    """Unknowns of each connected part and, for ``bodies``, of elements that share facets; and where that is."""
    count, part = connected_components(matrix, directed=False)
    for number in range(count):
        yield np.flatnonzero(part == number), " on a part of the mesh that nothing else joins" if count > 1 else ""
    assert isinstance(r.domain, MeshDomain)
    if not bodies:
        return
    cells = r.domain.mesh.cells[:, : r.domain.mesh.element.corners]
    row = np.repeat(np.arange(len(cells)), cells.shape[1])
    on = sp.csr_matrix((np.ones(cells.size, dtype=np.int32), (row, cells.reshape(-1))))
    count, body = connected_components(on @ on.T >= r.dim, directed=False)
    if count == 1:
        return
    dofs, free = r.tables.dofs.cpu().numpy(), r.free.cpu().numpy()
    for number in range(count):
        nodes = np.isin(free, dofs[body == number])
        yield (
            np.flatnonzero(np.repeat(nodes, r.channels)),
            " on a part of the mesh that hangs on single nodes or an edge",
        )


def _orthonormal(modes: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the columns, filled with zeros where they depend on each other."""
    u, s, _ = np.linalg.svd(modes, full_matrices=False)
    basis = np.zeros_like(modes)
    basis[:, : len(s)] = u * (s > 1e-10 * max(s.max(), 1e-300))
    return basis


def _smallest(columns: np.ndarray) -> float:
    return float(np.linalg.svd(np.linalg.qr(columns, mode="r"), compute_uv=False).min())
