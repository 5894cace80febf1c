"""The multigrid that suits a problem on finite elements."""

from __future__ import annotations

from neuralpde.dynamics._node_blocks import NodeBlocks
from neuralpde.linalg import AlgebraicMultigrid, Preconditioner
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, linear_subspace

STRENGTH = {(2, False): 0.0, (3, False): 0.0, (2, True): 0.1, (3, True): 0.02}
"""Strength threshold by dimension, and whether nodes hold several unknowns: the fastest of 0 to 0.25 for the sum of
building and solving with 1e5 unknowns. In 3D more than that fills the coarse levels."""


def elliptic_multigrid(problem: Problem, representation: FiniteElementField) -> Preconditioner:
    """Smoothed aggregation for the matrix of a problem's weak form on the free unknowns.

    Elements of degree 2 get the linear ones on the same mesh as the first coarse level. Unknowns of a node stay
    together, also where some of them are held (:class:`NodeBlocks`), and the problem says what its operator nearly
    sends to zero.

    Args:
        problem: with its ``near_nullspace``.
        representation: its finite elements.
    """
    field, prolongation = representation, None
    if representation.degree > 1:
        field, prolongation = linear_subspace(representation)
        if not len(field.free):
            field, prolongation = representation, None
    c = field.channels
    modes = problem.near_nullspace(field.nodes[field.free]) if c > 1 else None
    if modes is not None and field.partly:
        modes = modes * ~field.fixed[field.free][..., None]
    made = AlgebraicMultigrid(
        "smoothed_aggregation",
        near_nullspace=None if modes is None else modes.flatten(0, 1),
        theta=STRENGTH.get((field.dim, c > 1)),
        block=c,
        cycle="V" if c > 1 and field.dim == 3 else "W",
        prolongation=prolongation,
        single=True,
        smoother="jacobi" if c > 1 else "gauss_seidel",
    )
    r = representation
    return NodeBlocks(made, ~r.fixed[r.free].reshape(-1)) if r.partly else made
