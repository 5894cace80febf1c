"""The weak form of one term of a problem."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._terms import named_term
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.fields import Jet
from neuralpde.problems import Problem, Term
from neuralpde.representations import FiniteElementField


class WeakTerm(WeakForm):
    """R_i of one term: with its flux and source and the boundary's conditions, or, of a term without a flux, ∫ φ_i F.

    Args:
        problem: that has the term.
        representation: the finite elements.
        name: of the term.

    Raises:
        UsageError: for a name that no term has.
    """

    def __init__(self, problem: Problem, representation: FiniteElementField, name: str) -> None:
        term = named_term(problem, name)
        super().__init__(TermProblem(problem, term), representation)
        if term.flux is None:  # acts point by point: nothing goes through the boundary
            self.boundary = []


class TermProblem(Problem):
    """A term as a problem of its own.

    Args:
        problem: that has the term.
        term: one of its terms.
    """

    def __init__(self, problem: Problem, term: Term) -> None:
        self.whole, self.term = problem, term
        self.domain, self.conditions = problem.domain, problem.conditions

    @property
    def name(self) -> str:
        return f"{self.whole.name}, {self.term.name}"

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return self.whole.unknowns

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return torch.zeros_like(u.grad) if self.term.flux is None else self.term.flux(t, x, u)

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        if self.term.flux is None:
            return self.term.rhs(t, x, u)
        return torch.zeros_like(u.value) if self.term.source is None else self.term.source(t, x, u)
