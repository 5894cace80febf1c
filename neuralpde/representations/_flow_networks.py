"""What every pair of networks for the velocity and the pressure of a flow shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

from torch import Tensor

from neuralpde.optimize import GaussNewton
from neuralpde.representations._base import Projection
from neuralpde.representations._neural_field import NeuralField
from neuralpde.representations._product import Product


class FlowNetworks(Product):
    """A velocity's network beside a plain network for the pressure, which its subclasses make."""

    kind: ClassVar[str]
    velocity: Any
    pressure: NeuralField

    @classmethod
    def for_problem(cls, problem: Any, **options: Any) -> Self:
        """Networks on a flow's domain that hold its walls."""
        return cls(problem.domain, problem.conditions, **options)  # type: ignore[call-arg]

    def project(
        self,
        target: Callable[[Tensor], Tensor],
        t: float = 0.0,
        guess: Tensor | None = None,
        *,
        options: GaussNewton | None = None,
        points: int | None = None,
        **_: Any,
    ) -> Projection:
        """The velocity's fit; the pressure follows from it later, its weights stay as they are."""
        start = self.split(self.initial() if guess is None else guess)
        first = None if guess is None else start["velocity"]
        fit = self.velocity.project(lambda x: target(x)[:, : self.dim], t, first, options=options, points=points)
        theta = self.join({"velocity": fit.theta, "pressure": start["pressure"]})
        return Projection(theta, fit.error, fit.status, fit.iterations, fit.seconds)

    def config(self) -> dict[str, Any]:
        hidden = self.pressure.config()["hidden"]
        return {**self.velocity.config(), "kind": self.kind, "pressure_hidden": hidden}
