"""What the flow benches share: errors of velocities, grids of the same memory and error, references, doing nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuralpde.benches._grids import Kind, Scheme, Search
from neuralpde.benches._marching import Measured, Times
from neuralpde.benches._rows import Row
from neuralpde.dynamics import MacDynamics, SpectralDynamics
from neuralpde.geometry import Boundary, Box, Periodic
from neuralpde.integrators import RK4, AdvectionReflection, IncrementalPressureCorrection
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import GridField, MacGrid, Product, SpectralGrid
from neuralpde.simulate import Solution, simulate


class FlowReference(Times):
    """Velocities at all measured times on a fixed lattice, computed once for every method.

    The lattice stands in the midpoints of its cells, where neither walls nor the nodes of usual grids are.

    Args:
        problem: the flow.
        times: measured times, all of them multiples of the difference of the first two; the last one ends every run.
        points: of the lattice along the longest axis; the others have the same spacing.
        solution: a better solution of the same problem; the exact one by default.

    Raises:
        ValueError: where there is neither, or the better solution lacks a measured time.
    """

    ERRORS = ("rel_l2", "rel_l2_final", "mse", "mse_final", "max_error", "pressure_rel_l2")

    def __init__(
        self, problem: IncompressibleFlow, times: Sequence[float], points: int = 64, solution: Solution | None = None
    ) -> None:
        super().__init__(problem, times)
        counts = _shape(problem, points, 2)
        self.axes = [
            a + (torch.arange(n, dtype=torch.float64) + 0.5) * (length / n)
            for a, n, length in zip(problem.domain.lower, counts, problem.domain.lengths, strict=True)
        ]
        self.x = torch.stack([c.reshape(-1) for c in torch.meshgrid(*self.axes, indexing="ij")], dim=-1)
        self.values = self._exact() if solution is None else self.velocities(solution)
        self.pressure = self._exact_pressure() if solution is None else self._final_pressure(solution)

    def _exact(self) -> Tensor:
        found = [self.problem.exact(t, self.x) for t in self.times]
        known = [u[:, : self.problem.domain.dim] for u in found if u is not None]
        if len(known) < len(found):
            raise ValueError(f"{self.problem.name} has no exact solution; give a better one, see spectral_reference")
        return torch.stack(known)

    def _exact_pressure(self) -> Tensor:
        found = self.problem.exact(self.times[-1], self.x)
        assert found is not None  # the velocity was there
        return _without_mean(found[:, self.problem.domain.dim])

    def _final_pressure(self, solution: Solution) -> Tensor:
        """The pressure of a run at the last measured time, without its mean, ``(n,)``."""
        r = solution.representation
        with torch.no_grad():
            field = solution.at(self.times[-1])
            found = field(self.x.to(dtype=r.dtype, device=r.device))[:, self.problem.domain.dim]
        return _without_mean(found.double().cpu())

    def velocities(self, solution: Solution) -> Tensor:
        """The velocity of a run at all measured times, ``(times, n, d)``."""
        r, d = solution.representation, self.problem.domain.dim
        states = solution.states[self.rows(solution)]
        with torch.no_grad():
            if isinstance(r, SpectralGrid):
                return _on_axes(r, states, self.axes)
            # the velocity alone, where it is a block: the pressure is not asked for
            if isinstance(r, Product) and "velocity" in r.blocks:
                velocity, states = r.blocks["velocity"], r.split(states)["velocity"]
            else:
                velocity = r
            x = self.x.to(dtype=r.dtype, device=r.device)
            fields = [velocity.at(theta, t) for theta, t in zip(states, self.times, strict=True)]
            return torch.stack([field(x)[:, :d].double().cpu() for field in fields])

    def measure(self, solution: Solution) -> dict[str, Tensor]:
        """``rel_l2``, ``mse`` (mean over times, points and components) and ``max_error`` of the velocity, two of them
        at the end; ``pressure_rel_l2`` at the end."""
        e = self._final_pressure(solution) - self.pressure
        return {**self.compare(self.velocities(solution)), "pressure_rel_l2": e.norm() / self.pressure.norm()}

    def compare(self, found: Tensor) -> dict[str, Tensor]:
        """The errors of velocities ``(times, n, d)``."""
        e, u = found - self.values, self.values
        return {
            "rel_l2": e.norm() / u.norm(),
            "rel_l2_final": e[-1].norm() / u[-1].norm(),
            "mse": e.square().mean(),
            "mse_final": e[-1].square().mean(),
            "max_error": e.abs().max(),
        }


def _without_mean(pressure: Tensor) -> Tensor:
    return pressure - pressure.mean()


def _on_axes(r: SpectralGrid, states: Tensor, axes: Sequence[Tensor]) -> Tensor:
    """Velocities on a lattice, axis by axis: a lattice needs no work per point and mode."""
    u = r.arrays(states, "velocity").double().cpu()
    for i, (n, points) in enumerate(zip(r.grid.shape, axes, strict=True)):
        # the series through the nodal values 1, 0, 0, … and its shifts: what takes values along the axis to points
        line = GridField(Box((r.domain.lower[i],), (r.domain.upper[i],)), (Periodic(),), shape=n, order="fourier")
        series = line.interpolate(torch.eye(n, dtype=torch.float64), points[:, None])
        u = torch.tensordot(u, series, dims=([2 + i], [1])).movedim(-1, 2 + i)
    return u.flatten(2).movedim(1, -1)


def _shape(problem: IncompressibleFlow, nodes: int, least: int) -> tuple[int, ...]:
    """Nodes per axis with about equal spacings, ``nodes`` along the longest axis."""
    longest = max(problem.domain.lengths)
    return tuple(max(least, round(nodes * length / longest)) for length in problem.domain.lengths)


def _filling(problem: IncompressibleFlow, least: int, floats: Callable[[tuple[int, ...]], int]) -> Callable[[int], int]:
    """The most nodes along the longest axis whose floats (float64) fit into so many bytes, at least ``least``."""

    def fill(memory_bytes: int) -> int:
        def fits(nodes: int) -> bool:
            return 8 * floats(_shape(problem, nodes, least)) <= memory_bytes

        # one velocity per axis and a pressure in every cell, but for walls and solids: few grids have to be looked at
        d, longest = problem.domain.dim, max(problem.domain.lengths)
        volume = math.prod(length / longest for length in problem.domain.lengths)
        nodes = max(least, round((memory_bytes / (8 * (d + 1) * volume)) ** (1 / d)))
        while nodes > least and not fits(nodes):
            nodes -= 1
        while fits(nodes + 1):
            nodes += 1
        return nodes

    return fill


STAGGERED = tuple(
    Scheme(integrator, MacDynamics) for integrator in (RK4(), IncrementalPressureCorrection(), AdvectionReflection())
)
FOURIER = (
    Scheme(RK4(), SpectralDynamics, "2/3 rule"),
    Scheme(RK4(), SpectralDynamics, "padded", {"dealias": "pad"}),
)


def flow_kinds(problem: IncompressibleFlow) -> dict[str, Kind]:
    """The grids that compete, in float64, by their names.

    Staggered ones by RK4, pressure correction and advection–reflection; on periodic domains Fourier ones by RK4, with
    the 2/3 rule (the fastest) and with padding (the most accurate in its memory). Velocity and pressure count.
    """

    def staggered(problem: Any, nodes: int) -> MacGrid:
        return MacGrid.for_problem(problem, _shape(problem, nodes, 4))

    def fourier(problem: Any, nodes: int) -> SpectralGrid:
        return SpectralGrid.for_problem(problem, _shape(problem, nodes, 4))

    d, boundary = problem.domain.dim, Boundary(problem.domain, problem.conditions)
    if all(boundary.periodic) and problem.solid is None:
        fill = _filling(problem, 4, lambda shape: (d + 1) * math.prod(shape))
        return {"MAC": Kind(staggered, fill, STAGGERED), "spectral": Kind(fourier, fill, FOURIER)}
    # walls, open faces and solids change how many faces are free
    fill = _filling(problem, 4, lambda shape: MacGrid.for_problem(problem, shape).stored_floats)
    return {"MAC": Kind(staggered, fill, STAGGERED)}


class FlowSearch(Search):
    """Tries staggered and Fourier grids, see :func:`flow_kinds`; rows are made by ``grid_rows``.

    Args:
        reference: the flow, its measured times and velocities.
        metric, halvings, slowest: as for :class:`Search`.
    """

    def __init__(
        self, reference: FlowReference, metric: str = "rel_l2", halvings: int = 11, slowest: float = 10.0
    ) -> None:
        assert isinstance(reference.problem, IncompressibleFlow)
        super().__init__(reference, flow_kinds(reference.problem), metric, halvings, slowest)


def frozen_field(case: str, reference: FlowReference, errors: Sequence[str] = ("rel_l2", "mse")) -> list[Row]:
    """Rows of the initial velocity kept for ever: what a method that does nothing would reach."""
    problem = reference.problem
    start = problem.initial(reference.x)[:, : problem.domain.dim]
    found = reference.compare(start.expand_as(reference.values))
    return [Row(case, "frozen field", name, float(found[name])) for name in errors if name in found]


@dataclass(frozen=True)
class SpectralReference:
    """A fine pseudo-spectral solution, and how far a run of half its nodes and twice its step differs from it.

    Args:
        reference: to measure other methods with.
        solution: the fine run.
        coarse: figures of the other run, its errors against the fine one.
    """

    reference: FlowReference
    solution: Solution
    coarse: Measured

    @property
    def difference(self) -> float:
        """Relative L2 difference of the two over all measured times; the fine one is much closer to the truth."""
        return self.coarse.errors["rel_l2"]

    def rows(self, case: str) -> list[Row]:
        """The fine run's size and seconds, and the difference of the two."""
        method = f"spectral reference ({'×'.join(map(str, self.solution.representation.grid.shape))})"  # type: ignore[attr-defined]
        return [
            Row(case, method, "dofs", self.solution.representation.num_dofs),
            Row(case, method, "memory_bytes", self.solution.representation.memory_bytes(), "B"),
            Row(case, method, "seconds", self.solution.seconds, "s"),
            Row(case, method, "steps", len(self.solution.infos)),
            *[Row(case, method, f"{name}_to_half_resolution", self.coarse.errors[name]) for name in ("rel_l2", "mse")],
        ]


def spectral_reference(
    problem: IncompressibleFlow, times: Sequence[float], nodes: int, steps: int, points: int = 64
) -> SpectralReference:
    """A flow on a periodic domain by the pseudo-spectral method at two resolutions.

    Args:
        problem: the flow.
        times, points: as for :class:`FlowReference`.
        nodes: of the fine grid along its longest axis; the coarse one has half of them.
        steps: of RK4 between two measured times on the fine grid; half of them on the coarse one. |u| dt/h of about 1/2
            is stable.

    Raises:
        NonFiniteError: where the steps are too long.
    """
    spacing = times[1] - times[0]
    runs = []
    for factor in (1, 2):
        count = max(1, steps // factor)
        grid = SpectralGrid.for_problem(problem, _shape(problem, nodes // factor, 4))
        runs.append(simulate(problem, grid, RK4(), dt=spacing / count, t_end=times[-1], save_every=count))
    reference = FlowReference(problem, times, points, runs[0])
    return SpectralReference(reference, runs[0], Measured.of(runs[1], reference))
