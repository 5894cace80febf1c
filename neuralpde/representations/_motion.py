"""A body in motion: its displacement beside its velocity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._product import Product


class Motion(Product):
    """The state of a problem of second order in time: θ is that of the displacement, then that of the velocity.

    ``for_problem`` of the displacement's representation makes it. The velocity is always one of finite elements: an
    implicit step gives it at nodes, without a fit of its own.

    Args:
        displacement: holds the problem's conditions.
        velocity: on the same mesh, holds their rates.
    """

    holds_components = True

    def __init__(self, displacement: Representation, velocity: Representation) -> None:
        super().__init__(displacement=displacement, velocity=velocity)
        self.displacement, self.velocity = displacement, velocity

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **options: Any
    ) -> Projection:
        """A body that starts undeformed does so exactly: random hidden layers and an output layer of nothing."""
        still = self._undeformed() if guess is None else None
        if still is not None:
            x = self.displacement.quadrature(options.get("points")).points
            if torch.equal(self.displacement.at(still, t)(x), target(x)[:, : self.displacement.channels]):
                guess = self.join({"displacement": still, "velocity": self.velocity.initial()})
        return super().project(target, t, guess, **options)

    def _undeformed(self) -> Tensor | None:
        """θ of a displacement that is its boundary data's lift alone; None where that is not known."""
        start, outer = self.displacement.initial(), getattr(self.displacement, "outer", None)
        return None if outer is None else start.index_fill(0, outer.to(start.device), 0.0)

    def config(self) -> dict[str, Any]:
        """The displacement's: for a problem that moves it makes both."""
        return self.displacement.config()
