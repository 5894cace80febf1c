"""What a run has done so far, kept outside the solver: for checkpoints, for failures, and for going on later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from neuralpde.cases._build import Run, Study
from neuralpde.cases._domain import mesh_key
from neuralpde.cases._folder import folder_document
from neuralpde.cases._forces import Forces
from neuralpde.cases._progress import Display, Stop
from neuralpde.dynamics import make_dynamics
from neuralpde.integrators import State, StepInfo
from neuralpde.simulate import Solution, load_solution
from neuralpde.simulate._energy_outputs import joined_energies
from neuralpde.types import Status, UsageError

CHECKPOINT_SECONDS = 60.0
"""How much work a killed process loses at most."""


class Recorder:
    """Keeps the saved states as they come, and a checkpoint on disk.

    Args:
        study, run: what is solved.
        before: the solution that this run continues, or None.
        save: writes a checkpoint.
        display, stop: shown and asked at every step.
        forces: told of every step, or None.
    """

    def __init__(
        self,
        study: Study,
        run: Run,
        before: Solution | None,
        save: Callable[[Solution], None],
        display: Display,
        stop: Stop,
        forces: Forces | None = None,
    ) -> None:
        self.study, self.run, self.before, self.save = study, run, before, save
        self.display, self.stop = display, stop
        self.dynamics = make_dynamics(study.problem, run.representation, run.method, **run.options)
        self.forces = forces
        if forces is not None:
            forces.attach(self.dynamics)
        self.begin = self.last_saved = time.monotonic()
        self.states: list[State] = []
        self.completed = 0
        self.infos: list[StepInfo] = []
        self.last: State | None = None

    def __call__(self, step: int, steps: int, state: State, info: StepInfo) -> bool:
        """Take note of a step; False asks the solver to stop."""
        if not self.states:
            t, theta = state.history[0]
            self.states.append(State(t, theta))
        self.infos.append(info)
        self.last = state
        if self.forces is not None:
            self.forces(step, steps, state, info)
        if step % self.run.times.get("save_every", 1) == 0 or step == steps:
            self.states.append(State(state.t, state.theta))
        self.display(step, steps, state, info)
        if time.monotonic() - self.last_saved > CHECKPOINT_SECONDS:
            self.save(self.solution(Status.INTERRUPTED))
            self.last_saved = time.monotonic()
        return not self.stop.asked

    def _completed(self, state: State) -> State:
        """As the solver saves it: with a flow's pressure, for instance, at the state's own time."""
        return State(state.t, self.dynamics.complete(state.t, state.theta))

    def solution(self, status: Status) -> Solution:
        """The steps so far as a solution; needs at least one step or a run before.

        Its set-up is counted as solving, as only the solver can tell them apart.
        """
        if self.last is None:
            if self.before is None:
                raise ValueError("no step was done")
            return replace(self.before, status=status)
        # only now: of a run that ends well the solver has completed every state itself, which for a network is a fit
        self.states[self.completed :] = [self._completed(state) for state in self.states[self.completed :]]
        states, self.completed = self.states, len(self.states)
        if states[-1].t != self.last.t:
            states = [*states, self._completed(self.last)]
        solution = Solution(
            self.study.problem,
            self.run.representation,
            torch.tensor([s.t for s in states], dtype=torch.float64),
            torch.stack([s.theta for s in states]),
            tuple(self.infos),
            self.last,
            status,
            0.0,
            time.monotonic() - self.begin,
            math.nan,
            {
                "integrator": repr(self.run.integrator),
                "dt": self.run.times["dt"],
                "method": self.run.method,
                "options": {name: str(option) for name, option in self.run.options.items()},
            },
            options=self.run.options,
        )
        return joined(self.before, solution)


def joined(before: Solution | None, after: Solution) -> Solution:
    """One solution of a run and its continuation, which starts with the state that the run ended with."""
    if before is None:
        return after
    early = before.times < after.times[0]
    return replace(
        after,
        times=torch.cat([before.times[early], after.times]),
        states=torch.cat([before.states[early], after.states]),
        infos=(*before.infos, *after.infos),
        setup_seconds=before.setup_seconds + after.setup_seconds,
        solve_seconds=before.solve_seconds + after.solve_seconds,
        fit_error=before.fit_error,
        energies=joined_energies(before.energies, after.energies),
    )


def load_previous(study: Study, run: Run, path: Path, document: dict) -> Solution:
    """The saved run that ``run`` goes on from.

    Args:
        study, run: what the case file says now.
        path: the file.
        document: the case that the file was made from.

    Raises:
        UsageError: if it has another problem or representation, or has gone beyond the end that the case asks for.
        DataError: if the file is damaged.
    """
    asked = folder_document(study.document, study.base)
    if document["problem"] != asked["problem"]:
        ours, theirs = (Path(mesh_key(d) or "").name for d in (asked, document))
        if ours and theirs and ours != theirs:
            message = f"expected the mesh of the case, {ours}; the run was made on {theirs}."
            raise UsageError(f"--restart {path}: {message}")
        raise UsageError(f"--restart {path}: expected the problem of the case; the run was made from another one.")
    before = load_solution(path, study.problem)
    old, new = before.representation.config(), run.representation.config()
    for key in new:
        if old.get(key) != new[key]:
            raise UsageError(
                f"--restart {path}: expected the representation of run {run.name}, {key} = {new[key]}; "
                f"the run was saved with {key} = {old.get(key)}."
            )
    if run.integrator is not None and before.last.t > run.times["t_end"] + 1e-9 * run.times["dt"]:
        raise UsageError(
            f"--restart {path}: t_end must lie after the start t = {before.last.t:g}; got {run.times['t_end']:g}."
        )
    return before


def is_finished(solution: Solution, run: Run) -> bool:
    """Whether a saved run has reached the end that the case asks for, or the rest at which it may stop."""
    if run.integrator is None:
        return solution.status.ok
    if solution.status is Status.STEADY and solution.recipe["until_steady"] <= run.times.get("until_steady", 0.0):
        return True
    return solution.last.t >= run.times["t_end"] - 1e-9 * run.times["dt"]
