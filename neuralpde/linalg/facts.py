"""What solvers want to know about a matrix when something goes wrong, measured with a few products."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from neuralpde.linalg.constants import NullConstants, null_constants
from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import norm
from neuralpde.types import UsageError

_PRODUCTS = 6
_NULL = 1e-10


class MatrixFacts:
    """Norm, symmetry and null vectors of A, each measured when first asked for and kept.

    Args:
        A: square, ``(n, n)``.

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> facts = MatrixFacts(MatrixOperator([[1.0, 5.0], [0.0, 2.0]]))
        >>> facts.asymmetric, facts.annihilates(torch.tensor([1.0, 1.0]))
        (True, False)
    """

    def __init__(self, A: LinearOperator) -> None:
        self.A = A
        self.eps = torch.finfo(A.dtype).eps

    def _random(self, seed: int) -> Tensor:
        draw = torch.randn(self.A.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return draw.to(self.A.device)

    @cached_property
    def norm(self) -> float:
        """‖A‖₂ from below, within some per cent: the largest stretch of a few powers of A on a random vector."""
        v, size = self._random(0), 0.0
        for _ in range(_PRODUCTS):
            length = norm(v)
            if not 0.0 < length < float("inf"):
                break
            v = self.A.matvec(v / length).to(torch.float64)
            size = max(size, norm(v))
        return size

    @cached_property
    def largest(self) -> float:
        """Largest |a_ij| of a matrix with entries, 0 for other operators."""
        if not isinstance(self.A, MatrixOperator):
            return 0.0
        entries = (self.A.matrix.values() if self.A.is_sparse else self.A.matrix).detach()
        return max(abs(float(end)) for end in entries.aminmax()) if entries.numel() else 0.0

    @cached_property
    def asymmetric(self) -> bool:
        """uᵀA v ≠ vᵀA u by more than rounding, for random u and v."""
        u, v = self._random(1), self._random(2)
        Au, Av = self.A.matvec(u).to(torch.float64), self.A.matvec(v).to(torch.float64)
        size = norm(Au)
        if not 0.0 < size < float("inf"):
            return norm(Av) > 0.0
        gap = abs(float(u @ (Av / size)) - float(v @ (Au / size)))
        return gap > self.eps**0.5 * norm(v) / max(len(u), 1) ** 0.5

    def annihilates(self, r: Tensor) -> bool:
        """Aᵀ r = 0 to rounding, r ``(n,)`` ≠ 0: then no x lowers ‖r‖ = ‖b − A x‖ any further. Where A has no transpose
        and is not symmetric either nothing is known, and the answer is False."""
        size = norm(r)
        if not 0.0 < size < float("inf"):
            return False
        try:
            product = self.A.rmatvec(r / size) if self.asymmetric else self.A.matvec(r / size)
        except (UsageError, NotImplementedError):
            return False
        return norm(product.to(torch.float64)) <= _NULL * self.norm or self.norm == 0.0

    @cached_property
    def constants(self) -> NullConstants | None:
        """Constants of components with Aᵀ 1_c = 0, or ``None`` where there are none or A has no transpose."""
        try:
            return null_constants(self.A, (lambda: self.norm, lambda: self.asymmetric))
        except (UsageError, NotImplementedError):
            return None

    @property
    def constants_known(self) -> bool:
        """Whether :attr:`constants` were looked up."""
        return "constants" in vars(self)

    def unreachable(self, b: Tensor, target: float) -> Tensor | None:
        """What :attr:`constants` show b ``(n,)`` to hold that no A x has, where its norm is above ``target``. What A
        reaches only by an x so long that its rounding errors are above the target counts as not reached."""
        null = self.constants
        if null is None or not 0.0 < target < float("inf"):
            return None
        part = null.means(b, target / (4.0 * torch.finfo(torch.float64).eps * (self.norm or 1.0)))
        return part if norm(part) > target else None

    def floor(self, x: float, b: float, dtype: torch.dtype = torch.float64) -> float:
        """4 ε (‖A‖ ‖x‖ + ‖b‖), from ‖x‖ and ‖b‖: about the rounding
        error of b − A x in ``dtype``."""
        return 4.0 * torch.finfo(dtype).eps * (self.norm * x + b)
