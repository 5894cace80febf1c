"""Rigid motions of a body: what elasticity sends to zero, for algebraic multigrid."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.matrix import as_tensor
from neuralpde.types import UsageError


def rigid_motions(points: Any) -> Tensor:
    """Shifts and rotations at nodes whose displacements are numbered node by node: ``near_nullspace`` of elasticity.

    B holds e_a at every node, and (x_a − c_a) e_b − (x_b − c_b) e_a for each pair of axes, over the largest |x − c|,
    where c is the mean of the nodes: two shifts and a rotation in 2D, three and three in 3D. Unknowns that are held are
    left out of A, and their rows out of B.

    Args:
        points: shape ``(n, d)``, d = 1, 2 or 3.

    Returns:
        B, shape ``(n d, d (d + 1) / 2)``, float64; unknown i d + a is component a at node i.

    Raises:
        UsageError: for another shape.

    Source: Baker, Kolev and Yang, Improving algebraic multigrid interpolation operators for linear elasticity problems,
    Numer. Linear Algebra Appl. 17 (2010), section 2.

    Example:
        >>> rigid_motions([[0.0, 0.0], [2.0, 0.0]]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    x = as_tensor(points).detach().cpu().to(torch.float64)
    if x.ndim != 2 or x.shape[1] not in (1, 2, 3):
        raise UsageError(f"points have shape (n, d) with d = 1, 2 or 3, got {tuple(x.shape)}")
    n, d = x.shape
    x = x - x.mean(0) if n else x
    size = float(x.norm(dim=1).max()) if n else 0.0
    x = x / size if size > 0.0 else x
    turned = torch.zeros(n, d, d * (d - 1) // 2, dtype=torch.float64)
    for k, (a, b) in enumerate(combinations(range(d), 2)):
        turned[:, b, k], turned[:, a, k] = x[:, a], 0.0 - x[:, b]
    shifts = torch.eye(d, dtype=torch.float64).expand(n, d, d)
    return torch.cat([shifts, turned], dim=2).reshape(n * d, -1)
