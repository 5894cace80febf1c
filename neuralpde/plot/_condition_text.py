"""Boundary conditions in a few words, for legends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from neuralpde.geometry import (
    Boundary,
    Condition,
    Dirichlet,
    Domain,
    Flux,
    FreeSlip,
    Outflow,
    Periodic,
    Pressure,
    Robin,
)

FREE = "no condition"


def grouped_conditions(
    domain: Domain, conditions: Sequence[Condition], solid: bool = False
) -> list[tuple[tuple[str, ...], str]]:
    """Faces and what holds on them, faces of one condition together, in the order of the domain's faces.

    Faces that no condition names are last: ``(faces, "no condition")``. Of a ``solid`` fluxes are told as tractions.
    """
    boundary = Boundary(domain, conditions)
    groups: dict[tuple[int, ...], list[str]] = {}
    texts: dict[tuple[int, ...], str] = {}
    for face in domain.faces:
        on = [*boundary.partial.get(face, ()), *([boundary.table[face]] if face in boundary.table else [])]
        on = on if len(on) == 1 else [c for c in on if not _says_nothing(c)]
        if on:
            key = tuple(id(c) for c in on)
            groups.setdefault(key, []).append(face)
            texts[key] = ", ".join(_solid_text(c) if solid else condition_text(c) for c in on)
    out = [(tuple(faces), texts[key]) for key, faces in groups.items()]
    named = {face for faces, _ in out for face in faces}
    free = tuple(face for face in domain.faces if face not in named)
    return [*out, (free, FREE)] if free else out


def _says_nothing(condition: Condition) -> bool:
    return isinstance(condition, Flux) and isinstance(condition.value, int | float) and condition.value == 0


def _solid_text(condition: Condition) -> str:
    """A condition of a body that deforms, without its faces."""
    if _says_nothing(condition):
        return "free"
    if isinstance(condition, Flux):
        value = condition.value
        if isinstance(value, Sequence):
            return f"traction {value_text(tuple(-v for v in value))}"
        return f"traction {value_text(value if callable(value) else -value)}"
    return condition_text(condition)


def condition_text(condition: Condition) -> str:
    """A condition without its faces.

    Example:
        >>> condition_text(Robin(2.0, 20.0)), condition_text(Periodic("x"))
        ('Robin 2 (u − 20)', 'periodic')
    """
    if isinstance(condition, Periodic):
        return "periodic"
    if isinstance(condition, FreeSlip):
        return "free slip"
    if isinstance(condition, Outflow):
        return "outflow"
    if isinstance(condition, Robin):
        value = value_text(condition.value)
        return f"Robin {value_text(condition.coefficient)} " + ("u" if value == "0" else f"(u − {value})")
    if isinstance(condition, Dirichlet) and condition.components is not None:
        held = ", ".join(f"u_{letter}" for letter in condition.components)
        return f"{held} = {value_text(condition.value)}"
    kind = "Follower pressure" if isinstance(condition, Pressure) and condition.follower else type(condition).__name__
    return f"{kind} {value_text(condition.value)}"


def value_text(value: Any) -> str:
    """A boundary value: a number, numbers, or the name of a function."""
    if isinstance(value, int | float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"({', '.join(value_text(v) for v in value)})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(t, x)"
    name = getattr(value, "__name__", "")
    return f"{name}(t, x)" if name.isidentifier() and len(name) <= 24 else "g(t, x)"
