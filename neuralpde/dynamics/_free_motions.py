"""Steady problems that leave something undetermined: fields that a matrix sends to zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from neuralpde.geometry import AXES, MeshDomain, Robin
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Representation
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
    modes = problem.near_nullspace(r.nodes).flatten(0, 1)[r.free_numbers].double().cpu().numpy()
    diagonal = np.abs(matrix.diagonal())
    scale = 1 / np.where(diagonal > 0, diagonal, 1.0)
    zero = max(DOUBLE, ROUNDINGS * float(np.finfo(matrix.dtype).eps))
    for rows, where in _parts(r, matrix, modes.shape[1] > r.channels):
        fields = np.zeros_like(modes)
        fields[rows] = _orthonormal(modes[rows])[:, : modes.shape[1]]
        used = fields[:, np.abs(fields).max(0) > 0]
        left = _kernel(scale[:, None] * (matrix @ used), zero) if used.shape[1] else np.zeros((0, 0))
        if left.size:
            motions = np.linalg.lstsq(modes[rows], used[rows] @ left, rcond=None)[0]
            raise UsageError(_free(problem, r, motions, where))
        if used.shape[1] and _smallest(scale[:, None] * (matrix.T @ used)) <= zero:
            raise UsageError(
                f"{problem.name} with these conditions has no solution, or many{where}: nothing leaves through the "
                "boundary, so that ∫ u is free and ∫ source must vanish: give u on a part of the boundary (Dirichlet), "
                "or an exchange (Robin)."
            )


def refuse_unsupported(problem: Problem, r: Representation) -> None:
    """Refuse a steady elastic body whose supports leave rigid motions free, from its conditions alone.

    That is what a field asks for that has no matrix: a motion m is held where a support holds m_k at some point.
    Bodies on elastic foundations (Robin), bodies that touch obstacles, and other problems pass.

    Raises:
        UsageError: that names the motions.
    """
    x, rows = list[Tensor](), list[tuple[int, ...]]()
    for name, condition in r.boundary.essential:
        points = r.boundary.places(name, 8)
        x, rows = [*x, points], [*rows, *([condition.held(r.channels)] * len(points))]
    around = torch.cat([*x, r.domain.some_points(16)])
    modes = problem.near_nullspace(around).double().cpu().numpy()
    foundation = any(isinstance(c, Robin) and c.coefficient > 0 for c in r.boundary.table.values())
    carried = foundation or bool(getattr(problem, "contact", ()))
    if carried or modes.shape[-1] <= r.channels:
        return
    sizes = np.abs(modes).max((0, 1))
    held = [modes[i, k] / sizes for i, components in enumerate(rows) for k in components]
    left = _kernel(np.array(held), 1e-9) if held else np.eye(len(sizes))
    if left.size:
        raise UsageError(_free(problem, r, left / sizes[:, None], ""))


def _free(problem: Problem, r: Representation, motions: np.ndarray, where: str) -> str:
    """A sentence about the motions ``(modes, k)`` that are free, in the problem's own modes."""
    if len(motions) > r.channels:
        return (
            f"{problem.name} with these conditions leaves the body free to {motion_names(motions, r.dim)}{where}: give "
            "u on enough of its boundary (Dirichlet, with components='x' and so on for rollers) to hold shifts and "
            "rotations; a single node is a hinge."
        )
    return (
        f"{problem.name} with these conditions fixes u only up to a constant{where}: give u on a part of the boundary "
        "(Dirichlet), or an exchange (Robin)."
    )


def motion_names(motions: np.ndarray, dim: int) -> str:
    """Rigid motions in words, such as ``"move along x and y, and to turn"``.

    Args:
        motions: columns that span them: d shifts and the rotations in the planes xy (in 3D also xz, yz) of each,
            ``(d + d (d − 1)/2, k)``.
        dim: d.
    """
    motions = motions / np.abs(motions).max(0)
    turns = motions[dim:] * max(1.0, 1 / max(float(np.abs(motions[dim:]).max()), 1e-300))
    _, sizes, rows = np.linalg.svd(turns)
    rank = int((sizes > 1e-6 * max(sizes.max(initial=0.0), 1e-300)).sum()) if np.abs(motions[dim:]).max() > 1e-9 else 0
    shifts = motions[:dim] @ rows[rank:].T  # combinations that turn nothing
    words = [f"move along {_listed([_direction(v) for v in _basis(shifts)])}"] if len(_basis(shifts)) else []
    if rank and dim == 2:
        words.append("turn")
    elif rank:  # the plane xy turns about z, xz about −y, yz about x
        axes = _basis(motions[dim:][::-1] * np.array([[1.0], [-1.0], [1.0]]))
        words.append(f"turn about {_listed([_direction(v) for v in axes])}")
    return ", and to ".join(words)


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _basis(columns: np.ndarray) -> list[np.ndarray]:
    """Directions that span the columns, the axes themselves where they do."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    span = u[:, s > 1e-6 * max(float(s.max(initial=0.0)), 1e-9)]
    out = list[np.ndarray]()
    for v in np.eye(len(columns)):
        if np.linalg.norm(span @ (span.T @ v) - v) < 1e-6:
            out.append(v)
    rest = span - sum((np.outer(v, v @ span) for v in out), np.zeros_like(span))
    u, s, _ = np.linalg.svd(rest, full_matrices=False)
    return out + list(u[:, s > 1e-6].T)


def _direction(v: np.ndarray) -> str:
    axis = int(np.abs(v).argmax())
    v = v / np.linalg.norm(v) * np.sign(v[axis])
    if abs(v[axis]) > 1 - 1e-9:
        return AXES[axis]
    return f"({', '.join(f'{c:.2g}' for c in v)})"


def _parts(r: FiniteElementField, matrix: sp.csr_matrix, bodies: bool) -> Iterator[tuple[np.ndarray, str]]:
    """Unknowns of each connected part and, for ``bodies``, of elements that share facets; and where that is."""
    width = matrix.blocksize[0] if matrix.format == "bsr" else 1
    graph = (np.ones(len(matrix.indices), dtype=np.int8), matrix.indices, matrix.indptr)  # of whole blocks
    count, part = connected_components(sp.csr_matrix(graph, shape=(matrix.shape[0] // width,) * 2), directed=False)
    part = np.repeat(part, width)
    for number in range(count):
        yield np.flatnonzero(part == number), " on a part of the mesh that nothing else joins" if count > 1 else ""
    assert isinstance(r.domain, MeshDomain)
    if not bodies:
        return
    body = r.domain.mesh.components
    count = int(body.max()) + 1
    if count == 1:
        return
    dofs, free = r.tables.dofs.cpu().numpy(), r.free_dofs // r.channels
    for number in range(count):
        yield (
            np.flatnonzero(np.isin(free, dofs[body == number])),
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


def _kernel(columns: np.ndarray, zero: float) -> np.ndarray:
    """Combinations ``(modes, k)`` of the columns that are at most that long."""
    _, sizes, rows = np.linalg.svd(np.linalg.qr(columns, mode="r"))
    return rows[sizes <= zero].T
