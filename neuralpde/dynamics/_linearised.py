"""A problem's right-hand side linearised about a grid field: sparse matrix of ∂F/∂θ."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._terms import chosen_rhs
from neuralpde.fields import Jet
from neuralpde.geometry import Robin
from neuralpde.problems import Problem
from neuralpde.representations import GridField, Representation
from neuralpde.types import UsageError

Coefficients = dict[str, Tensor]
"""Per part of the jet: ∂F_a/∂part, ``(n, c)`` leading (the row channel last) and the part's own axes behind."""


def coefficients(
    problem: Problem, t: float, x: Tensor, u: Jet, needs: frozenset[str], part: str | None = None
) -> tuple[Tensor, Coefficients]:
    """F of the problem or of one term, and its derivatives by the parts of the jet that the problem needs.

    F acts point by point, so one backward pass per channel gives all derivatives.
    """
    parts = {name: part.detach().requires_grad_() for name, part in u.parts().items() if name in needs | {"value"}}
    if "hess" in parts:
        parts.pop("laplacian", None)
    with torch.enable_grad():
        f = chosen_rhs(problem, part)(t, x, Jet(**parts))
        rows = (
            [
                torch.autograd.grad(f[:, a].sum(), list(parts.values()), retain_graph=True, materialize_grads=True)
                for a in range(f.shape[1])
            ]
            if f.requires_grad
            else [[torch.zeros_like(p) for p in parts.values()]] * f.shape[1]
        )
    stacked = {name: torch.stack([row[k] for row in rows], dim=1) for k, name in enumerate(parts)}
    return f.detach(), stacked


def refuse_undetermined(problem: Problem, representation: Representation) -> None:
    """Refuse a steady problem whose F does not change when a constant is added to a channel of u, where no face says
    which constant: Dirichlet does, and Robin with a coefficient above 0.

    F is linearised about random jets: about u = 0 even Δu − u³ would look undetermined. Found here because a sparse LU
    of the singular matrix often succeeds by rounding, and then returns a field with a constant of any size.

    Raises:
        UsageError: that says what is missing.
    """
    carried, free = representation.boundary.table.values(), list(range(representation.channels))
    for _, held in representation.boundary.essential:
        free = [k for k in free if k not in held.held(representation.channels)]
    if not free or any(isinstance(c, Robin) and c.coefficient > 0 for c in carried):
        return
    n, c, d = 8, representation.channels, representation.dim
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = representation.domain.some_points(n)
    jet = Jet(draw(n, c), draw(n, c, d), draw(n, c), draw(n, c, d, d))
    by_value = coefficients(problem, 0.0, x, jet, problem.needs | {"value"})[1]["value"]
    if bool((by_value[..., free] == 0).all(dim=1).all(dim=0).any()):
        raise UsageError(
            f"{problem.name} with these conditions fixes u only up to a constant (no face carries a Dirichlet "
            f"condition): give u on one face{_or_exchange(problem, representation)}."
        )


def _or_exchange(problem: Problem, representation: Representation) -> str:
    """What else may stand there: grids take no Robin, and it needs a flux."""
    possible = not isinstance(representation, GridField) and type(problem).flux is not Problem.flux
    return ", or Robin" if possible else ""


class JacobianMatrix:
    """Assembles ∂F/∂θ = Σ diag(∂F/∂part) · D_part on a grid; the matrices D are made once.

    Args:
        representation: the grid field.
        needs: parts of the jet that the problem uses.
    """

    def __init__(self, representation: GridField, needs: frozenset[str]) -> None:
        self.c, d = representation.channels, representation.dim
        n = representation.points.shape[0]
        self.matrices: dict[tuple[str, tuple[int, ...]], sp.csr_matrix] = {("value", ()): sp.identity(n, format="csr")}
        if "grad" in needs:
            self.matrices |= {("grad", (i,)): representation.matrix("grad", (i,)) for i in range(d)}
        if "laplacian" in needs and "hess" not in needs:
            self.matrices["laplacian", ()] = representation.matrix("laplacian")
        if "hess" in needs:
            pairs = [(i, j) for i in range(d) for j in range(d)]
            self.matrices |= {("hess", pair): representation.matrix("hess", pair) for pair in pairs}

    def __call__(self, parts: Coefficients) -> sp.csr_matrix:
        """The matrix ``(n c, n c)``, channels running fastest."""
        blocks: list[list[sp.csr_matrix | None]] = [[None] * self.c for _ in range(self.c)]
        for (name, axes), matrix in self.matrices.items():
            for a in range(self.c):
                for b in range(self.c):
                    part = parts[name][:, a, b]
                    for axis in axes:
                        part = part[:, axis]
                    weight = part.cpu().numpy()
                    if np.any(weight):
                        block = sp.diags(weight) @ matrix
                        old = blocks[a][b]
                        blocks[a][b] = block if old is None else old + block
        n = next(iter(self.matrices.values())).shape[0]
        if self.c == 1:
            return sp.csr_matrix(blocks[0][0]) if blocks[0][0] is not None else sp.csr_matrix((n, n))
        total = sp.csr_matrix((n * self.c, n * self.c))
        for a in range(self.c):
            for b in range(self.c):
                block = blocks[a][b]
                if block is not None:
                    place = sp.csr_matrix(([1.0], ([a], [b])), shape=(self.c, self.c))
                    total = total + sp.kron(block, place, format="csr")
        return total.tocsr()
