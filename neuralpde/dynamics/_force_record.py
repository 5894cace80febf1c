"""Forces on a solid and values at points, step by step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from neuralpde.dynamics._mac import MacDynamics
from neuralpde.geometry import AXES
from neuralpde.integrators import State, StepInfo
from neuralpde.io import save_table
from neuralpde.types import UsageError


class ForceRecord:
    """Time series of a flow with a solid; give it to ``simulate`` as ``progress``.

    Args:
        dynamics: of the flow.
        probes: points by name, at which all unknowns are kept.
        every: keep every that many steps.

    Raises:
        UsageError: for a flow without a solid.

    Example:
        >>> from neuralpde.integrators import IncrementalPressureCorrection
        >>> from neuralpde.problems import CylinderChannel
        >>> from neuralpde.representations import MacGrid
        >>> flow = CylinderChannel()
        >>> dynamics = MacDynamics(flow, MacGrid.for_problem(flow, (43, 8)))
        >>> record = ForceRecord(dynamics, {"front": (0.15, 0.2)})
        >>> state = State(0.0, dynamics.representation.initial())
        >>> for k in range(2):
        ...     state, info = IncrementalPressureCorrection().step(dynamics, state, 0.01)
        ...     keep_going = record(k + 1, 2, state, info)
        >>> list(record.columns())
        ['t', 'force_x', 'force_y', 'front_velocity_x', 'front_velocity_y', 'front_pressure']
    """

    def __init__(
        self, dynamics: MacDynamics, probes: Mapping[str, Sequence[float]] | None = None, every: int = 1
    ) -> None:
        if dynamics.representation.cut is None:
            raise UsageError(f"{dynamics.problem.name} has no solid, on which a force could act.")
        self.dynamics, self.every = dynamics, every
        self.probes = dict(probes or {})
        self._points = torch.tensor(list(self.probes.values()), dtype=dynamics.representation.dtype)
        self._rows: list[list[float]] = []

    def __call__(self, step: int, steps: int, state: State, info: StepInfo) -> bool:
        """Keeps the state's figures; never stops a run."""
        if step % self.every == 0 or step == steps:
            values = [state.t, *self.dynamics.force(state.t, state.theta).tolist()]
            if self.probes:
                values += self.dynamics.representation.at(state.theta, state.t)(self._points).flatten().tolist()
            self._rows.append(values)
        return True

    def columns(self) -> dict[str, np.ndarray]:
        """Name → time series: ``t``, ``force_x``, …, and per probe ``name_velocity_x``, …, ``name_pressure``."""
        axes = AXES[: self.dynamics.representation.dim]
        names = ["t", *[f"force_{a}" for a in axes]]
        for probe in self.probes:
            names += [*[f"{probe}_velocity_{a}" for a in axes], f"{probe}_pressure"]
        table = np.array(self._rows, dtype=np.float64).reshape(-1, len(names))
        return {name: table[:, k] for k, name in enumerate(names)}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The columns as a CSV table."""
        return save_table(path, self.columns())
