"""Boundary conditions in a few words, for legends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from neuralpde.geometry import Boundary, Condition, Domain, FreeSlip, Outflow, Periodic, Robin

FREE = "no condition"


def grouped_conditions(domain: Domain, conditions: Sequence[Condition]) -> list[tuple[tuple[str, ...], str]]:
    """Faces and what holds on them, faces of one condition together, in the order of the domain's faces.

    Faces that no condition names are last: ``(faces, "no condition")``.
    """
    table = Boundary(domain, conditions).table
    groups: dict[int, list[str]] = {}
    for face in domain.faces:
        if face in table:
            groups.setdefault(id(table[face]), []).append(face)
    out = [(tuple(faces), condition_text(table[faces[0]])) for faces in groups.values()]
    free = tuple(face for face in domain.faces if face not in table)
    return [*out, (free, FREE)] if free else out


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
    return f"{type(condition).__name__} {value_text(condition.value)}"


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
