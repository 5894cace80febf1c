"""Parts of a boundary that meet with different data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuralpde.geometry import AXES, contradictions

if TYPE_CHECKING:
    from neuralpde.representations._finite_element import FiniteElementField


def meeting_notes(field: FiniteElementField, t: float = 0.0) -> tuple[str, ...]:
    """Sentences about parts of the boundary that hold different values of a component where they meet.

    Args:
        field: finite elements; a node has what the last condition says.
        t: time at which data are looked at.
    """
    return tuple(
        f"{found.first} and {found.second} meet with different values of "
        f"{f'the component {AXES[found.component]}' if field.channels > 1 else 'u'}: what they share has that of "
        f"{found.second}, whose condition comes last"
        for found in contradictions(field.boundary, field.channels, (t,))
    )
