"""Energies by area on the boundary of a neural field: loads, pressures that follow the body, contact and friction."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neuralpde.dynamics._contact_barrier import slip
from neuralpde.dynamics._contact_points import PointContact
from neuralpde.dynamics._field_moment import Moment
from neuralpde.fields import Jet
from neuralpde.geometry import Flux, Pressure, Quadrature, Robin
from neuralpde.problems._kinematics import Deformation


class BoundaryEnergy(ABC):
    """An energy by area at the points of one part of the boundary.

    What is no energy by itself (friction, a pressure that follows the body) is one as soon as something of it is
    frozen, which :meth:`freeze` does.
    """

    name: str = "external"
    """Under which it is recorded."""

    stores: bool = True
    """Whether it can be had back, and is recorded; that of friction is heat."""

    follows: bool = False
    """Whether, at rest, what is frozen belongs to the minimum itself."""

    @abstractmethod
    def __call__(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        """In J/m² (in 2D by length and thickness), ``(n,)``."""

    def freeze(self, when: Moment, points: Quadrature, u: Jet, begins: bool = True) -> None:  # noqa: B027
        """Take what is frozen from a field; ``begins`` at the beginning of a step, where sliding is counted from."""

    def heat(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        """What has become heat since the step began, in J/m², ``(n,)``."""
        return torch.zeros_like(points.weights)


class DeadLoad(BoundaryEnergy):
    """g·u of a :class:`Flux`, α (½ u − v)·u of a :class:`Robin`, p n·u of a :class:`Pressure` on the body at rest."""

    def __init__(self, condition: Flux | Robin | Pressure) -> None:
        self.condition = condition

    def __call__(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        x, condition = points.points, self.condition
        if isinstance(condition, Pressure):
            return when.factor * (condition.flux(when.t, x, self.normals(points)) * u.value).sum(-1)
        given = when.factor * condition.at(when.t, x, u.value.shape[1])
        if isinstance(condition, Robin):
            given = condition.coefficient * (0.5 * u.value - given)
        return (given * u.value).sum(-1)

    def normals(self, points: Quadrature) -> Tensor:
        """``(n, d)``, times the change of the area."""
        assert points.normals is not None
        return points.normals


class FollowerLoad(DeadLoad):
    """p cof(F) N·u of a pressure that follows the body, with F as it was when it was frozen.

    Source: Holzapfel, Nonlinear Solid Mechanics (2000), equations 2.54 (Nanson) and 8.60.
    """

    follows = True

    def __init__(self, condition: Pressure) -> None:
        super().__init__(condition)
        self.turned: Tensor | None = None

    def freeze(self, when: Moment, points: Quadrature, u: Jet, begins: bool = True) -> None:
        assert points.normals is not None
        self.turned = (Deformation(u.grad.detach()).cofactor @ points.normals[..., None])[..., 0]

    def normals(self, points: Quadrature) -> Tensor:
        return super().normals(points) if self.turned is None else self.turned


class TouchEnergy(BoundaryEnergy):
    """k b(g(x + u)): the barrier of an obstacle at points.

    Args:
        contact: at points.
        name: of its energy.
    """

    def __init__(self, contact: PointContact, name: str = "contact") -> None:
        self.contact, self.name = contact, name
        self.share = 1.0
        """Factor, see :func:`~neuralpde.dynamics._contact.shared`."""

    def __call__(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        return self.share * self.contact.energy(when.t, points.points + u.value)

    def gap(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        """From the obstacle, in m, ``(n,)``."""
        return self.contact.gap(when.t, points.points + u.value)


class RubEnergy(BoundaryEnergy):
    """μ λ f₀(|T (x − xⁿ)|) of Coulomb's friction, with the pressure λ and the tangent projection T that were frozen.

    Args:
        contact: at points.
        coefficient: μ.
        slip_speed: ε in m/s, from which friction is whole.
        steady: whether the body is at rest: λ and T are then those of the end, as in
            :class:`~neuralpde.dynamics._static_friction.StaticFriction`, and the load is raised within a second.
        name: of its forces.

    Source: Li et al., Incremental potential contact (2020), section 5.
    """

    stores = False

    def __init__(
        self, contact: PointContact, coefficient: float, slip_speed: float, steady: bool, name: str = "friction"
    ) -> None:
        self.contact, self.coefficient, self.slip_speed, self.name = contact, coefficient, slip_speed, name
        self.follows = steady
        self.share, self.begin = 1.0, 0.0
        self._frozen: tuple[Tensor, Tensor, Tensor] | None = None

    def freeze(self, when: Moment, points: Quadrature, u: Jet, begins: bool = True) -> None:
        places = points.points + u.value.detach()
        push = -self.contact.jet(when.t, places)[1]
        pressure = push.norm(dim=-1)
        normal = push / pressure.clamp(min=1e-300)[:, None]
        if begins or self._frozen is None:
            self.begin, start = when.t, places - self.contact.contact.shift(when.t, places)
        else:
            start = self._frozen[2]
        self._frozen = (self.coefficient * pressure, normal, start)

    def _slid(self, when: Moment, points: Quadrature, u: Jet) -> tuple[Tensor, Tensor, float]:
        """μ λ, how far points have slid since the step began, and ε in m."""
        if self._frozen is None:
            self.freeze(when, points, Jet(torch.zeros_like(u.value)))
        assert self._frozen is not None
        load, normal, start = self._frozen
        places = points.points + u.value
        moved = places - self.contact.contact.shift(when.t, places) - start
        along = moved - (moved * normal).sum(-1, keepdim=True) * normal
        smooth = self.slip_speed * (when.t - self.begin if when.t > self.begin else 1.0)
        # a length of zero has no second derivative
        return load, (along.square().sum(-1) + (1e-8 * smooth) ** 2).sqrt(), smooth

    def __call__(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        load, length, smooth = self._slid(when, points, u)
        return self.share * load * (slip(length, smooth)[0] - smooth / 3)

    def heat(self, when: Moment, points: Quadrature, u: Jet) -> Tensor:
        load, length, smooth = self._slid(when, points, u)
        return load * slip(length, smooth)[1] * length.square()
