"""What simulate and solve return: times, states, and everything one asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.geometry import Grid
from neuralpde.integrators import State, StepInfo
from neuralpde.plot import Samples, animation, comparison, picture
from neuralpde.problems import Problem, exact_fits
from neuralpde.representations import Representation
from neuralpde.simulate._between import between_times
from neuralpde.types import Status, UsageError


@dataclass(frozen=True)
class Solution:
    """A solved problem.

    Args:
        problem, representation: what was solved, and where the field is kept.
        times: saved times, ``(k,)``.
        states: saved θ, ``(k, p)``.
        infos: one :class:`StepInfo` per step taken in this run.
        last: the last state with its history; a restart continues from it.
        status: ``COMPLETED``, or why the run ended early.
        setup_seconds: initial fit and construction of the dynamics.
        solve_seconds: all steps.
        fit_error: root mean square misfit of the initial fit (0 on grids).
        recipe: integrator, dt, method and options, for the record.
    """

    problem: Problem
    representation: Representation
    times: Tensor
    states: Tensor
    infos: tuple[StepInfo, ...]
    last: State
    status: Status
    setup_seconds: float
    solve_seconds: float
    fit_error: float = 0.0
    recipe: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time: set-up, initial fit and all steps."""
        return self.setup_seconds + self.solve_seconds

    def at(self, t: float) -> Field:
        """The field at a time: a saved state where there is one, else the cubic polynomial in time through the
        values of the four nearest saved fields.

        Raises:
            UsageError: for a time outside the saved ones.
        """
        times = self.times
        tolerance = 1e-9 * max(1.0, float(times.abs().max()))
        k = int((times - t).abs().argmin())
        if abs(float(times[k]) - t) <= tolerance:
            return self.representation.at(self.states[k], float(times[k]))
        if not float(times[0]) <= t <= float(times[-1]):
            raise UsageError(f"the solution spans t = {float(times[0]):g} … {float(times[-1]):g}; got t = {t:g}.")
        start = max(0, min(int(torch.searchsorted(times, t)) - 2, len(times) - 4))
        near = range(start, min(start + 4, len(times)))
        fields = [self.representation.at(self.states[j], float(times[j])) for j in near]
        return between_times(t, [float(times[j]) for j in near], fields)

    def probe(self, points: Tensor | Sequence[Sequence[float]], times: Sequence[float] | None = None) -> Tensor:
        """Values at points ``(n, d)`` for each time (the saved ones by default), ``(k, n, c)``.

        Raises:
            UsageError: for points outside the domain or of the wrong dimension.
        """
        x = torch.as_tensor(points, dtype=self.representation.dtype)
        d = self.problem.domain.dim
        if x.ndim != 2 or x.shape[1] != d:
            raise UsageError(f"probe needs points of shape (n, {d}); got {tuple(x.shape)}.")
        outside = ~self.problem.domain.contains(x)
        if bool(outside.any()):
            raise UsageError(
                f"{int(outside.sum())} of {len(x)} points lie outside the domain, first {x[outside][0].tolist()}."
            )
        wanted = [float(t) for t in (self.times if times is None else times)]
        with torch.no_grad():
            return torch.stack([self.at(t)(x) for t in wanted])

    def error(
        self,
        times: Sequence[float] | None = None,
        points: int = 2001,
        reference: Solution | None = None,
        unknown: str | None = None,
    ) -> dict[str, float]:
        """Error against the exact solution, or a reference, over saved (or given) times and a uniform lattice.

        Args:
            times: default all saved ones.
            points: lattice points per axis, ends included (at most 201 in 2D, 41 in 3D).
            reference: a better solution of the same problem.
            unknown: of a problem with several the one to look at; the first by default (a flow's velocity).

        Returns:
            ``mae``, ``mse`` (means over times and points), ``rel_l2`` (|error|₂ / |u|₂ over both), ``max_error``.

        Raises:
            UsageError: if there is neither an exact solution nor a reference, or no such unknown.
        """
        channels = self._channels(unknown)
        most = {1: points, 2: 201}.get(self.problem.domain.dim, 41)
        x = self._lattice(min(points, most))[1]
        wanted = [float(t) for t in (self.times if times is None else times)]
        if reference is None:
            fits, reason = exact_fits(self.problem, wanted)
            if not fits:
                raise UsageError(f"{self.problem.name}: {reason}; pass reference=another_solution.")
        total = {"absolute": 0.0, "square": 0.0, "norm": 0.0}
        largest, count = 0.0, 0
        for t in wanted:
            with torch.no_grad():
                exact = reference.at(t)(x) if reference is not None else self.problem.exact(t, x)
                assert exact is not None  # exact_fits has seen to it
                exact = exact[:, channels]
                e = self.at(t)(x)[:, channels] - exact
            total["absolute"] += float(e.abs().sum())
            total["square"] += float(e.square().sum())
            total["norm"] += float(exact.square().sum())
            largest, count = max(largest, float(e.abs().max())), count + e.numel()
        tiny = np.finfo(float).tiny
        return {
            "mae": total["absolute"] / count,
            "mse": total["square"] / count,
            "rel_l2": (total["square"] / max(total["norm"], tiny)) ** 0.5,
            "max_error": largest,
        }

    def _channels(self, unknown: str | None) -> slice:
        """Where an unknown's values are."""
        known = self.problem.unknowns
        name = next(iter(known)) if unknown is None else unknown
        if name not in known:
            raise UsageError(f"the unknowns of {self.problem.name} are {', '.join(known)}; got {name!r}.")
        start = sum(c for other, c in list(known.items())[: list(known).index(name)])
        return slice(start, start + known[name])

    def _lattice(self, points: int) -> tuple[Grid, Tensor]:
        d = self.problem.domain.dim
        grid = Grid(self.problem.domain, (points,) * d, (False,) * d)
        return grid, grid.points(self.representation.dtype)

    def samples(self, points: int | None = None, frames: int = 61, name: str | None = None) -> Samples:
        """Values on a lattice at up to ``frames`` saved times, for pictures."""
        grid, x = self._lattice(points or (801 if self.problem.domain.dim == 1 else 101))
        chosen = np.unique(np.linspace(0, len(self.times) - 1, min(frames, len(self.times))).round().astype(int))
        times = [float(self.times[k]) for k in chosen]
        values = self.probe(x, times).reshape(len(times), *grid.shape, -1).cpu().numpy()
        exact = None
        if exact_fits(self.problem, times)[0]:
            known = [r for t in times if (r := self.problem.exact(t, x)) is not None]
            exact = torch.stack(known).reshape(values.shape).cpu().numpy()
        axes = tuple(grid.axis(i).numpy() for i in range(self.problem.domain.dim))
        label = name or f"{type(self.representation).__name__}, {self.representation.num_dofs} dofs"
        labels = tuple(self.problem.unknowns) if self.problem.channels == len(self.problem.unknowns) else ("u",)
        return Samples(label, axes, np.array(times), values, exact, labels, self.problem.name)

    def plot(self, path: str | Path, name: str | None = None) -> Path:
        """A PNG picture: profiles and space–time image in 1D, images in 2D, errors where they are known."""
        return picture(self.samples(name=name), path)

    def animate(self, path: str | Path, name: str | None = None, seconds: float = 4.0) -> Path:
        """A GIF of the saved times."""
        return animation([self.samples(name=name)], path, seconds)

    def summary(self) -> str:
        """A few lines: what was solved, how, how long it took, how wrong it is where that is known."""
        r, iterations = self.representation, sum(i.iterations for i in self.infos)
        worst = max((i.residual for i in self.infos), default=0.0)
        lines = [
            f"{self.problem.name} on {type(r).__name__}: {r.num_dofs} dofs, {r.memory_bytes()} bytes ({r.dtype})",
            f"{len(self.infos)} steps to t = {self.last.t:g}: {self.status.meaning}",
            f"{self.setup_seconds:.2f} s set-up (initial fit {self.fit_error:.1e}) + {self.solve_seconds:.2f} s solve, "
            f"{iterations} linear solves, largest stage residual {worst:.1e}",
        ]
        try:
            e = self.error()
        except UsageError:
            lines.append("no exact solution to compare with")
        else:
            lines.append("error: " + ", ".join(f"{name} {value:.2e}" for name, value in e.items()))
        return "\n".join(lines)

    def save(self, path: str | Path, case: dict[str, Any] | None = None) -> Path:
        """Write an HDF5 file with checksums, atomically; ``case`` is stored so that the command line can rebuild it."""
        from neuralpde.simulate._files import save_solution

        return save_solution(self, path, case)


def compare(solutions: dict[str, Solution], path: str | Path) -> Path:
    """Solutions of one problem side by side: a PNG, or a GIF by the path's suffix."""
    several = [s.samples(name=name) for name, s in solutions.items()]
    return animation(several, path) if Path(path).suffix == ".gif" else comparison(several, path)
