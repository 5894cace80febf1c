"""Energies of a body in motion, recorded at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from neuralpde.integrators import Dynamics, State


@dataclass(frozen=True)
class Energies:
    """Energies at the start of a run and after each of its steps, in J (in 2D per metre of thickness).

    Args:
        times: ``(k,)``.
        parts: by name, ``(k,)`` each: ``"kinetic"``, ``"elastic"``, ``"external"`` (of loads, −∫ b·u − ∮ g·u),
            ``"contact"``, …; their sum is the total energy.
        dissipated: what damping and friction have taken since the start, ``(k,)``.
        work: what supports and obstacles that move, and loads that change in time or follow the body, have done since
            the start, ``(k,)``. total + dissipated − work stays the same, but for the error of the steps.
        outputs: what is recorded beside them by name, ``(k,)`` each: forces and least distances of contacts.
    """

    times: Tensor
    parts: Mapping[str, Tensor]
    dissipated: Tensor
    work: Tensor
    outputs: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """The sum of all parts, ``(k,)``."""
        return torch.stack(list(self.parts.values())).sum(0)


class EnergyRecorder:
    """Collects the energies of a run.

    Args:
        dynamics: gives them; of most there are none.
        start: the first state.
    """

    def __init__(self, dynamics: Dynamics, start: State) -> None:
        self.dynamics, self.last = dynamics, start
        self.times, self.rows, self.outputs = list[float](), list[dict[str, float]](), list[dict[str, float]]()
        self.dissipated, self.work = list[float](), list[float]()
        self.known = bool(dynamics.energies(start.t, start.theta))
        if self.known:
            self._take(start, 0.0, 0.0)

    def add(self, state: State) -> None:
        """Take in the state after a step."""
        if self.known:
            taken, done = self.dynamics.dissipated(self.last, state), self.dynamics.driven(self.last, state)
            self._take(state, self.dissipated[-1] + taken, self.work[-1] + done)
            self.last = state

    def _take(self, state: State, dissipated: float, work: float) -> None:
        self.times.append(state.t)
        self.rows.append(self.dynamics.energies(state.t, state.theta))
        self.outputs.append(self.dynamics.outputs(state.t, state.theta))
        self.dissipated.append(dissipated)
        self.work.append(work)

    def finished(self) -> Energies | None:
        """All of it; None where the dynamics knows no energies."""
        if not self.known:
            return None
        columns = [_columns(rows) for rows in (self.rows, self.outputs)]
        return Energies(_column(self.times), columns[0], _column(self.dissipated), _column(self.work), columns[1])


def energy_arrays(energies: Energies | None) -> dict[str, np.ndarray]:
    """As a file keeps them: arrays by name."""
    if energies is None:
        return {}
    named = {f"energy {name}": part for name, part in energies.parts.items()}
    named |= {f"output {name}": part for name, part in energies.outputs.items()}
    named |= {"energy_times": energies.times, "energy_dissipated": energies.dissipated}
    named |= {"energy_work": energies.work}
    return {name: part.numpy() for name, part in named.items()}


def energies_from(arrays: Mapping[str, np.ndarray]) -> Energies | None:
    """Those of a file; None where it has none."""
    if "energy_times" not in arrays:
        return None
    kinds = [
        {name.removeprefix(kind): torch.as_tensor(array) for name, array in arrays.items() if name.startswith(kind)}
        for kind in ("energy ", "output ")
    ]
    times, dissipated = (torch.as_tensor(arrays[name]) for name in ("energy_times", "energy_dissipated"))
    work = torch.as_tensor(arrays["energy_work"]) if "energy_work" in arrays else torch.zeros_like(times)
    return Energies(times, kinds[0], dissipated, work, kinds[1])


def _columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column([row.get(name, 0.0) for row in rows]) for name in names}


def _column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
