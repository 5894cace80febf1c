"""Elastic bodies by their potential energy: statics, and motion on any representation of the displacement."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._load_steps import LoadSteps, raised
from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._potential_space import PotentialSpace
from neuralpde.integrators import Dynamics, Stage, State, Terms
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Representation
from neuralpde.types import UsageError


class PotentialDynamics(Dynamics):
    """ρ ü = −∂Π/∂u of a body, or its equilibrium ∂Π/∂u = 0, by minimising energies.

    An implicit stage u − γ v = y, v − γ a(u) = z is the minimum of ½ |u − (y + γ z)|²_ρ + γ² Π(t, u), with
    v = (u − y)/γ: every diagonally implicit method has its stages from one verb, on finite elements and on neural
    fields. In statics Newton's method tries the whole load first, and raises it in steps where that fails.

    Args:
        problem: of an elastic body.
        representation: of its displacement; of a body that moves with its velocity.
        newton: options of Newton's method (finite elements).
        load_steps: of statics, see :class:`LoadSteps`.

    Source: Hairer, Lubich & Wanner, Geometric Numerical Integration (2006), chapter VI; Kharevych et al., Geometric,
    variational integrators for computer animation (2006), for steps as minima.
    """

    takes_terms = False

    def __init__(
        self,
        problem: Problem,
        representation: Representation,
        newton: Newton | None = None,
        load_steps: LoadSteps | None = None,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.parts = problem.terms()
        self.load_steps = load_steps or LoadSteps()
        self.space = _space(problem, representation, newton or Newton())
        self._notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._notes

    def steady(self, guess: Tensor) -> Stage:
        """θ with ∂Π/∂u = 0, a minimum that is reached from the guess by raising loads and moving supports."""
        stage, factors = raised(self.space, guess, self.load_steps)
        if factors and factors != (1.0,):
            self._notes = (f"load steps at the factors {', '.join(f'{f:.4g}' for f in factors)}",)
        if not stage.status.ok:
            self.reached = f"the largest load that is carried has the factor {max(factors, default=0.0):.4g}"
        return stage

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Any:
        raise UsageError(f"{self.problem.name} is steady: use solve(problem, representation).")

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        raise UsageError(f"{self.problem.name} is steady: use solve(problem, representation).")

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        raise UsageError(f"{self.problem.name} is steady: use solve(problem, representation).")


def _space(problem: Problem, representation: Representation, newton: Newton) -> PotentialSpace:
    """The adaptor of a representation."""
    if isinstance(representation, FiniteElementField):
        return FiniteElementPotential(problem, representation, LoadedForm(problem, representation), newton)
    raise UsageError(f"method='potential' serves finite elements; got {type(representation).__name__}.")
