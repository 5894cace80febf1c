"""The forces on a run's solid as a table in its folder, which a run that goes on continues."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuralpde.dynamics import ForceRecord
from neuralpde.integrators import Dynamics, State, StepInfo
from neuralpde.io import load_table, save_table
from neuralpde.problems import CylinderChannel, Problem, drag_and_lift

Columns = dict[str, np.ndarray]


class Forces:
    """``NAME-forces.csv``: t, force_x, force_y, and of a cylinder in a channel its coefficients, drag and lift.

    Args:
        path: of the table.
        problem: with a solid.
        every: keep every that many steps.
        before: the table of the run that is gone on with, or None; one that is not there is left out.
        start: time at which this run goes on; later rows of that table are another run's.
    """

    def __init__(self, path: Path, problem: Problem, every: int, before: Path | None, start: float) -> None:
        self.path, self.problem, self.record = path, problem, ForceRecord(every=every)
        self.early: Columns = {}
        if before is not None and before.is_file():
            table = load_table(before)
            kept = table.get("t", np.zeros(0)) <= start * (1 + 1e-12)
            self.early = {name: column[kept] for name, column in table.items()}

    def attach(self, dynamics: Dynamics) -> None:
        """Record the states of this run's dynamics."""
        self.record.attach(dynamics)  # type: ignore[arg-type]  # check_outputs has seen to its solid

    def __call__(self, step: int, steps: int, state: State, info: StepInfo) -> None:
        """Take note of a step."""
        self.record(step, steps, state, info)

    def columns(self) -> Columns:
        """The table so far; empty before the first step."""
        if self.record.dynamics is None:
            return self.early
        new = self.record.columns()
        if isinstance(self.problem, CylinderChannel):
            new = {**new, **drag_and_lift(self.problem, new)}
        if self.early.keys() != new.keys():
            return new
        return {name: np.concatenate([self.early[name], column]) for name, column in new.items()}

    def save(self) -> None:
        """Write the table, if there is anything in it."""
        columns = self.columns()
        if columns:
            save_table(self.path, columns)
