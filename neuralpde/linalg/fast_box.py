"""The fast solver of a box as a preconditioner for what is almost a box."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.linalg.fast import BoxLaplacian
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.types import UsageError


class FastBox(Preconditioner):
    """M ≈ A⁻¹ by the fast solver of a box: for variable coefficients, other boundary rows, or masks on that box.

    When A is symmetric and the box has a Neumann axis, M = A_box⁻¹ W⁻¹ with the trapezoid weights W, which is symmetric
    as conjugate gradients need (A is then the symmetric form W A_box); otherwise M = A_box⁻¹. A constant in the null
    space is divided by the smallest other eigenvalue, so that M is definite.

    Args:
        box: the constant-coefficient operator; good values are α and β in the middle of those of A.

    Raises:
        UsageError: from ``build``, when A and the box differ in size.

    Source: Concus and Golub, Use of fast direct methods for the efficient numerical solution of nonseparable elliptic
    equations, SIAM J. Numer. Anal. 10 (1973).

    Example:
        >>> box = BoxLaplacian((3,), 0.25, "dirichlet")
        >>> FastBox(box).build(box).shape
        (3, 3)
    """

    def __init__(self, box: BoxLaplacian) -> None:
        self.box = box

    def build(self, A: LinearOperator) -> LinearOperator:
        box = self.box
        if A.shape != box.shape:
            raise UsageError(f"the box has {box.shape[0]} nodes {box.grid}, but A has shape {A.shape}")
        symbol = box.symbol()
        if bool((symbol == 0).any()):
            others = symbol[symbol != 0]
            smallest = others[others.abs().argmin()] if others.numel() else torch.ones_like(symbol[:1])
            symbol = torch.where(symbol == 0, smallest, symbol)
        weights = box.weights() if A.symmetric and not box.symmetric else torch.ones_like(box.weights())

        def inverse(r: Tensor) -> Tensor:
            return box.divide(r.reshape(box.grid) / weights, symbol).reshape(-1)

        symmetric = A.symmetric or box.symmetric
        definite = symmetric and bool((symbol > 0).all())
        return CallableOperator(
            box.shape, inverse, symmetric=symmetric, positive_definite=definite, dtype=box.dtype, device=box.device
        )
