"""Statements of contact: what bodies may not enter, and how they rub."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from neuralpde.geometry import Solid, is_number, plain_numbers
from neuralpde.types import UsageError

UNITS = {"distance": "m", "stiffness": "Pa", "slip_speed": "m/s"}


def _check_numbers(contact: Contact | BodyContact) -> None:
    """Keep arrays and tensors of one number as that number, and refuse what is out of range or no name."""
    names = (contact.on,) if isinstance(contact.on, str) else contact.on
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"on= of a contact names parts of the boundary, such as 'bottom'; got {contact.on!r}.")
    for name in ("friction", *UNITS):
        object.__setattr__(contact, name, plain_numbers(getattr(contact, name)))
    if not is_number(contact.friction) or contact.friction < 0:
        raise UsageError(f"a coefficient of friction is a number, 0 or more; got {contact.friction!r}.")
    for name, unit in UNITS.items():
        value = getattr(contact, name)
        if value is not None and not (is_number(value) and value > 0):
            raise UsageError(f"the {name} of a contact must be positive and finite ({unit}); got {value!r}.")


@dataclass(frozen=True)
class Contact:
    """A body stays outside of an obstacle: φ(X + u) > 0 on its boundary, φ the obstacle's signed distance.

    A barrier keeps it there: pressure −k b′(g/d̂) where the gap g is smaller than d̂, with b(y) = −(1 − y)² ln y. At
    small d̂ that is contact of rigid walls.

    Args:
        obstacle: a solid: :class:`HalfSpace`, :class:`Disc`, :class:`Block`, :class:`SignedDistance`, or several.
        on: names of the parts of the body's boundary that may touch it.
        friction: Coulomb's coefficient μ ≥ 0.
        distance: d̂ in m, from where on the obstacle is felt; by default 1/1000 of the diagonal of the body's box.
        stiffness: k in Pa; by default twice the shear modulus, so that every pressure which the material can bear
            stands at gaps between 0.1 d̂ and d̂.
        motion: shift of the obstacle in m as a function of t, d numbers; None: it rests.
        slip_speed: ε in m/s: friction grows up to its full size as the speed of sliding grows up to ε. By default
            1/1000 of the diagonal of the body's box per second.

    Raises:
        UsageError: for numbers out of range, or an obstacle that is no solid.

    Source: Li et al., Incremental potential contact, ACM Trans. Graph. 39 (2020); Li et al., Convergent incremental
    potential contact, arXiv 2307.15908.

    Example:
        >>> from neuralpde.geometry import HalfSpace
        >>> Contact(HalfSpace((0.0, 0.0), (0.0, 1.0)), friction=0.3).friction
        0.3
    """

    obstacle: Solid
    on: str | Sequence[str] = "all"
    _: KW_ONLY
    friction: float = 0.0
    distance: float | None = None
    stiffness: float | None = None
    motion: Callable[[float], Sequence[float] | Tensor] | None = None
    slip_speed: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.obstacle, Solid):
            raise UsageError(
                f"the obstacle of a contact is a solid, for instance HalfSpace((0, 0), (0, 1)); got {self.obstacle!r}."
            )
        if self.motion is not None and not _takes_one(self.motion):
            raise UsageError(
                "the motion of an obstacle is a function of the time t that gives its shift, such as "
                f"lambda t: (0.0, -0.1 * t); got {self.motion!r}."
            )
        _check_numbers(self)

    def shift(self, t: float, x: Tensor) -> Tensor:
        """Where the obstacle has moved to at time t, ``(d,)`` like points x ``(n, d)``.

        Raises:
            UsageError: for a motion of other than d finite numbers.
        """
        if self.motion is None:
            return x.new_zeros(x.shape[1])
        moved = torch.as_tensor(self.motion(t), dtype=x.dtype, device=x.device)
        d = x.shape[1]
        if moved.shape != (d,) or not bool(moved.isfinite().all()):
            raise UsageError(
                f"the motion of an obstacle in {d}D gives {d} finite numbers (m); at t = {t:g} it gave "
                f"{moved.tolist()}."
            )
        return moved

    def at(self, t: float) -> Solid:
        """The obstacle where it is at time t: what pictures draw."""
        return self.obstacle if self.motion is None else MovedSolid(self.obstacle, self, t)


def _takes_one(function: object) -> bool:
    """Whether it is a function that can be given the time alone."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(0.0)
    except TypeError:
        return False
    except ValueError:  # of what is not written in Python
        pass
    return True


@dataclass(frozen=True)
class MovedSolid(Solid):
    """An obstacle at one time of its motion.

    Args:
        solid: where it was.
        contact: whose motion it follows.
        t: the time.
    """

    solid: Solid
    contact: Contact
    t: float

    @property
    def dim(self) -> int | None:
        return self.solid.dim

    def distance(self, x: Tensor) -> Tensor:
        return self.solid.distance(x - self.contact.shift(self.t, x))


@dataclass(frozen=True)
class BodyContact:
    """Bodies of one mesh stay outside of each other, and a body outside of itself; in 2D.

    The barrier is that of :class:`Contact`, of the distances between points of the boundary and its edges; of curved
    ones of their chords, less what the curves lie beside them.

    Args:
        on: names of the parts of the boundary that may touch.
        friction, distance, stiffness, slip_speed: as for :class:`Contact`.

    Raises:
        UsageError: for numbers out of range.
    """

    on: str | Sequence[str] = "all"
    _: KW_ONLY
    friction: float = 0.0
    distance: float | None = None
    stiffness: float | None = None
    slip_speed: float | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)


def contacts_of(given: object) -> tuple[Contact | BodyContact, ...]:
    """A body's contacts as a tuple.

    Raises:
        UsageError: for what is no sequence of contacts.
    """
    found = tuple(given) if isinstance(given, list | tuple) else (None,)
    for contact in found:
        if not isinstance(contact, Contact | BodyContact):
            raise UsageError(
                "contact is a tuple of Contact(obstacle) and BodyContact(), for instance "
                f"(Contact(HalfSpace((0, 0), (0, 1))),); got {given!r}."
            )
    return found  # type: ignore[return-value]


def obstacles(contacts: Sequence[Contact | BodyContact], t: float = 0.0) -> tuple[Solid, ...]:
    """The obstacles of some contacts at time t.

    Example:
        >>> from neuralpde.geometry import Disc
        >>> obstacles((Contact(Disc((0.0, 0.0), 1.0)), BodyContact()))
        (Disc(centre=(0.0, 0.0), radius=1.0),)
    """
    return tuple(contact.at(t) for contact in contacts if isinstance(contact, Contact))
