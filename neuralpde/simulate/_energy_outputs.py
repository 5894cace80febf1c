"""The energies of a run as a table and as a picture, with the forces of its contacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuralpde.plot import curves
from neuralpde.simulate._energies import Energies
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

ROUNDING = 1e-12
"""Parts of the energy that stay below that share of the largest are not drawn."""


def energy_table(solution: Solution) -> dict[str, np.ndarray]:
    """Columns ``t``, every part of the energy, ``total``, ``dissipated``, ``work`` and what is recorded of contacts.

    Raises:
        UsageError: for a run that has no energies.
    """
    energies = solution.energies
    if energies is None:
        raise UsageError(f"energies are recorded of bodies in motion; this run of {solution.problem.name} has none.")
    columns = {"t": energies.times, **energies.parts, "total": energies.total}
    columns |= {"dissipated": energies.dissipated, "work": energies.work}
    return {name.replace(" ", "_"): part.numpy() for name, part in {**columns, **energies.outputs}.items()}


def plot_energies(solution: Solution, path: str | Path, title: str = "") -> Path:
    """A picture of all parts of the energy over time, and of their total."""
    columns = energy_table(solution)
    assert solution.energies is not None
    names = (*solution.energies.parts, "dissipated", "work", "total")
    shown = {name: columns[name.replace(" ", "_")] for name in names}
    least = ROUNDING * float(np.max([np.abs(values).max() for values in shown.values()], initial=0.0))
    shown = {name: values for name, values in shown.items() if np.abs(values).max() > least}
    unit = "J" if solution.problem.domain.dim == 3 else "J/m"
    name = title or f"{solution.problem.name}, {type(solution.representation).__name__}"
    return curves(path, columns["t"], shown or {"total": columns["total"]}, "t [s]", f"energy [{unit}]", name)


def joined_energies(before: Energies | None, after: Energies | None) -> Energies | None:
    """Those of a run and of its continuation, which starts where the run ended."""
    if before is None or after is None:
        return after
    early = before.times < after.times[0]

    def join(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cat([a[early], b])

    return Energies(
        join(before.times, after.times),
        {name: join(before.parts[name], part) for name, part in after.parts.items() if name in before.parts},
        join(before.dissipated, after.dissipated + before.dissipated[-1]),
        join(before.work, after.work + before.work[-1]),
        {name: join(before.outputs[name], part) for name, part in after.outputs.items() if name in before.outputs},
    )
