"""Polynomials of Chebyshev as a preconditioner: nothing but products with A."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Jacobi, Preconditioner
from neuralpde.types import UsageError

STEPS = 12
"""Of Lanczos, for the largest eigenvalue of D⁻¹A."""


class Chebyshev(Preconditioner):
    """M = p(D⁻¹A) D⁻¹, where 1 − λ p(λ) = T_k((b + a − 2λ) / (b − a)) / T_k((b + a) / (b − a)).

    T_k is the polynomial of Chebyshev, [a, b] = [b / ratio, b], and b is above the largest eigenvalue of D⁻¹A, D its
    diagonal. Of all polynomials of degree k with the value 1 at 0 that one is smallest on [a, b]. Below a it stays
    between 0 and 1, so that M is symmetric positive definite where A is. Only products with A and its diagonal are
    needed: it works matrix-free, on every device, with many threads, in the precision of what it is applied to.

    One application costs k − 1 products with A, and CG takes about 1/k of the iterations, with their scalar products.

    Args:
        degree: k ≥ 1, of 1 − λ p(λ); good values are 3 to 8. 1 is the diagonal alone.
        ratio: b / a; good values are about 4 k². Smaller for a smoother (4 to 30).
        largest: b where it is known, such as 2 for a graph Laplacian; by default from 12 steps of Lanczos.
        block: unknowns of a node, which follow each other: D is then the diagonal blocks.

    Raises:
        UsageError: for options out of range; from ``build`` when A is not square, or its diagonal is not positive.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), sections 12.3.2 and 12.3.3; Zhou, Saad, Tiago and
    Chelikowsky, J. Comput. Phys. 219 (2006), section 3 (the bound by Lanczos' method).

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> A = MatrixOperator([[2.0, -1.0], [-1.0, 2.0]])  # eigenvalues of D⁻¹A: 1/2 and 3/2
        >>> M = Chebyshev(12, ratio=4.0, largest=1.6).build(A)
        >>> [round(z, 4) for z in (M @ (A @ torch.tensor([1.0, 2.0]))).tolist()]
        [1.0, 2.0]
    """

    def __init__(
        self, degree: int = 4, *, ratio: float | None = None, largest: float | None = None, block: int = 1
    ) -> None:
        if degree < 1:
            raise UsageError(f"the degree of a Chebyshev polynomial must be ≥ 1, got {degree}")
        if ratio is not None and not ratio > 1.0:
            raise UsageError(f"ratio must be > 1, got {ratio}")
        if largest is not None and not 0.0 < largest < math.inf:
            raise UsageError(f"largest must be positive, got {largest}")
        self.degree, self.largest, self.block = degree, largest, block
        self.ratio = 4.0 * degree**2 if ratio is None else float(ratio)

    def build(self, A: LinearOperator) -> LinearOperator:
        if A.shape[0] != A.shape[1]:
            raise UsageError(f"Chebyshev polynomials need a square matrix, got shape {A.shape}")
        diagonal = A.diagonal()
        if not bool((diagonal >= 0.0).all()):
            row = int((~(diagonal >= 0.0)).nonzero()[0])
            raise UsageError(
                f"Chebyshev polynomials need a positive diagonal, but entry {row} is {float(diagonal[row]):.3g}; "
                "pass −A and −b if A is negative definite (a Laplacian instead of −Δ)"
            )
        scaling = Jacobi(self.block).build(A)
        largest = largest_eigenvalue(A, scaling) if self.largest is None else self.largest
        return ChebyshevOperator(A, scaling, self.degree, (largest / self.ratio, largest))


class ChebyshevOperator(LinearOperator):
    """r → p(D⁻¹A) D⁻¹ r; what :meth:`Chebyshev.build` returns.

    Args:
        A: the matrix, ``(n, n)``.
        scaling: D⁻¹.
        degree: of 1 − λ p(λ).
        interval: a and b.
    """

    def __init__(self, A: LinearOperator, scaling: LinearOperator, degree: int, interval: tuple[float, float]) -> None:
        definite = A.symmetric and scaling.positive_definite
        super().__init__(A.shape, symmetric=A.symmetric, positive_definite=definite, dtype=A.dtype, device=A.device)
        self.A, self.scaling, self.degree, self.interval = A, scaling, degree, interval

    def matvec(self, x: Tensor) -> Tensor:
        a, b = self.interval
        centre, half = 0.5 * (b + a), 0.5 * (b - a)
        rho = half / centre
        step = self.scaling.matvec(x) / centre
        z, left = step.clone(), x
        for _ in range(1, self.degree):
            left = left - self.A.matvec(step).to(x.dtype)
            last, rho = rho, 1.0 / (2.0 * centre / half - rho)
            step = step.mul(rho * last).add_(self.scaling.matvec(left), alpha=2.0 * rho / half)
            z += step
        return z.to(x.dtype)


def largest_eigenvalue(A: LinearOperator, scaling: LinearOperator, steps: int = STEPS) -> float:
    """A bound from above of the largest eigenvalue of D⁻¹A, for symmetric A and a positive diagonal matrix D.

    Lanczos' method in the inner product of D finds a value below it, and the length of what is left, which is added.

    Args:
        A: shape ``(n, n)``.
        scaling: D⁻¹.
        steps: products with A.
    """
    n = A.shape[0]
    if n == 0:
        return 1.0
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(n, generator=generator, dtype=torch.float64).to(A.device)  # D v
    v = scaling.matvec(w).double()
    before, length = torch.zeros_like(w), math.sqrt(float(w @ v))
    alphas, betas = list[float](), list[float]()
    for _ in range(min(steps, n)):
        w, v = w / length, v / length
        rest = A.matvec(v.to(A.dtype)).double() - (betas[-1] if betas else 0.0) * before
        alphas.append(float(rest @ v))
        rest -= alphas[-1] * w
        before, w = w, rest
        v = scaling.matvec(w).double()
        length = math.sqrt(max(float(w @ v), 0.0))
        betas.append(length)
        if not length > 1e-12 * max(map(abs, alphas)):
            break
    if not all(map(math.isfinite, alphas + betas)):
        raise UsageError("Chebyshev polynomials got a matrix whose products are NaN or Inf")
    off = torch.tensor(betas[:-1], dtype=torch.float64)
    small = torch.diag(torch.tensor(alphas, dtype=torch.float64)) + torch.diag(off, 1) + torch.diag(off, -1)
    largest = float(torch.linalg.eigvalsh(small)[-1]) + betas[-1]
    if not largest > 0.0:
        raise UsageError(
            f"Chebyshev polynomials need a matrix with positive eigenvalues, but the largest is {largest:.3g}"
        )
    return largest
