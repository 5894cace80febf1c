"""A body in motion: its displacement beside its velocity."""

from __future__ import annotations

from typing import Any

from neuralpde.representations._base import Representation
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

    def config(self) -> dict[str, Any]:
        """The displacement's: for a problem that moves it makes both."""
        return self.displacement.config()
