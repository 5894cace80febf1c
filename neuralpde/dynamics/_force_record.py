"""Forces on a solid and values at points, step by step."""

from __future__ import annotations

import math
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

_SKIN = 1e-9
"""Points this deep inside a solid, times the domain's largest length, are still on its surface: rounding."""


class ForceRecord:
    """Time series of a flow with a solid; give it to ``simulate`` as ``progress``.

    Every state is completed first with the pressure that belongs to its velocity: what a step leaves as pressure is
    that of another time, or after a reflection none at all.

    Args:
        dynamics: of the flow; ``simulate`` gives a record that has none its own.
        probes: points by name, at which all unknowns are kept; NaN inside the solid.
        every: keep every that many steps.

    Raises:
        UsageError: for a flow without a solid, probes outside the domain or of another dimension, or ``every`` below 1.

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
        self,
        dynamics: MacDynamics | None = None,
        probes: Mapping[str, Sequence[float]] | None = None,
        every: int = 1,
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise UsageError(f"every must be a whole number of steps, at least 1; got {every!r}.")
        self.probes, self.every = dict(probes or {}), every
        self._dynamics: MacDynamics | None = None
        self._rows: list[list[float]] = []
        if dynamics is not None:
            self.attach(dynamics)

    def attach(self, dynamics: MacDynamics) -> None:
        """Record this flow from now on; of one that goes on, the rows so far are kept.

        Raises:
            UsageError: as for the record itself, and for another grid than that of the rows so far.
        """
        if not isinstance(dynamics, MacDynamics) or dynamics.representation.cut is None:
            name = getattr(getattr(dynamics, "problem", None), "name", repr(dynamics))
            raise UsageError(f"{name} has no solid, on which a force could act.")
        r = dynamics.representation
        if self._dynamics is not None and r.config() != self._dynamics.representation.config():
            raise UsageError(
                f"this record is of a grid of {self._dynamics.representation.cells} cells, the flow has {r.cells}; "
                "make a new ForceRecord."
            )
        for name, point in self.probes.items():
            if len(point) != r.dim or not all(math.isfinite(c) for c in point):
                raise UsageError(f"the probe {name!r} needs {r.dim} coordinates; got {tuple(point)}.")
            if not bool(r.domain.contains(torch.tensor([list(point)], dtype=torch.float64))):
                raise UsageError(f"the probe {name!r} at {tuple(point)} lies outside {r.domain}.")
        self._dynamics = dynamics
        points = torch.tensor(list(self.probes.values()), dtype=r.dtype, device=r.device)
        self._points = points.reshape(-1, r.dim)
        assert r.solid is not None
        self._inside = r.solid.distance(self._points).reshape(-1) < -_SKIN * max(r.domain.lengths)

    @property
    def dynamics(self) -> MacDynamics | None:
        """Of the flow that is recorded; None before there is one."""
        return self._dynamics

    def __call__(self, step: int, steps: int, state: State, info: StepInfo) -> bool:
        """Keeps the state's figures; never stops a run."""
        if step % self.every == 0 or step == steps:
            self._rows.append(self._figures(state))
        return True

    def _figures(self, state: State) -> list[float]:
        dynamics = self._attached()
        r, t = dynamics.representation, state.t
        if state.theta.shape != (r.num_dofs,):
            raise UsageError(
                f"this record is of a grid of {r.cells} cells with {r.num_dofs} values a state; got a state of shape "
                f"{tuple(state.theta.shape)}."
            )
        theta = dynamics.complete(t, state.theta)
        values = [t, *dynamics.force(t, theta).tolist()]
        if self.probes:
            found = r.at(theta, t)(self._points)
            found[self._inside] = math.nan
            values += found.flatten().tolist()
        return values

    def _attached(self) -> MacDynamics:
        if self._dynamics is None:
            raise UsageError(
                "this record knows no flow yet; give it to simulate as progress, or make it with dynamics=."
            )
        return self._dynamics

    def columns(self) -> dict[str, np.ndarray]:
        """Name → time series: ``t``, ``force_x``, …, and per probe ``name_velocity_x``, …, ``name_pressure``.

        Raises:
            UsageError: before there is a flow.
        """
        axes = AXES[: self._attached().representation.dim]
        names = ["t", *[f"force_{a}" for a in axes]]
        for probe in self.probes:
            names += [*[f"{probe}_velocity_{a}" for a in axes], f"{probe}_pressure"]
        table = np.array(self._rows, dtype=np.float64).reshape(-1, len(names))
        return {name: table[:, k] for k, name in enumerate(names)}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The columns as a CSV table."""
        return save_table(path, self.columns())
