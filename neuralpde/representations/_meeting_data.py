"""Parts of a boundary that meet with different data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuralpde.geometry import AXES

if TYPE_CHECKING:
    from neuralpde.representations._finite_element import FiniteElementField

SAME = 1e-9
"""Relative difference of data that agree."""


def meeting_notes(field: FiniteElementField, t: float = 0.0) -> tuple[str, ...]:
    """Sentences about parts of the boundary that hold different values of a component where they meet.

    Args:
        field: finite elements; a node has what the last condition says.
        t: time at which data are looked at.
    """
    c, notes = field.channels, list[str]()
    values = torch.zeros(field.tables.num_nodes, c, dtype=field.dtype, device=field.device)
    holder = torch.full((field.tables.num_nodes, c), -1, device=field.device)
    names = [name for name, _ in field.boundary.essential]
    for number, (nodes, condition) in enumerate(field.held):
        columns = list(condition.held(c))
        data = condition.at(t, field.nodes[nodes], c).expand(-1, c).to(values)
        for k in columns:
            before, owner = values[nodes, k], holder[nodes, k]
            size = float(torch.maximum(before.abs().max(), data[:, k].abs().max())) if len(nodes) else 0.0
            apart = (owner >= 0) & ((data[:, k] - before).abs() > SAME * size)
            for other in torch.unique(owner[apart]).tolist():
                one = f"the component {AXES[k]}" if c > 1 else "u"
                notes.append(
                    f"{names[other]} and {names[number]} meet with different values of {one}: what they share has that "
                    f"of {names[number]}, whose condition comes last"
                )
            values[nodes, k], holder[nodes, k] = data[:, k], torch.full_like(owner, number)
    return tuple(notes)
