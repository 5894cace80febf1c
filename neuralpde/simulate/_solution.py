"""What simulate and solve return: times, states, and everything one asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.integrators import State, StepInfo
from neuralpde.io import save_table
from neuralpde.plot import Samples, animation, picture
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.simulate._between import between_times
from neuralpde.simulate._energies import Energies
from neuralpde.simulate._energy_outputs import energy_table, plot_energies
from neuralpde.simulate._errors import channels_of, errors_by_unknown
from neuralpde.simulate._export import Points, export_solution, probe_table
from neuralpde.simulate._fluxes import check_given, flux_table
from neuralpde.simulate._probe import probe
from neuralpde.simulate._quantities import samples_of
from neuralpde.simulate._summary import summary
from neuralpde.types import Status, UsageError

PICTURE_POINTS = 161
"""Lattice points per axis of a picture of a plane."""


@dataclass(frozen=True)
class Solution:
    """A solved problem.

    Args:
        problem, representation: what was solved, and where the field is kept.
        times: saved times, ``(k,)``.
        states: saved θ, ``(k, p)``.
        infos: one :class:`StepInfo` per step taken in this run; the last is that of a failed step where one failed.
        last: the last state with its history; a restart continues from it.
        status: ``COMPLETED``; ``STEADY`` where the field came to rest before; or why the run ended early.
        setup_seconds: initial fit and construction of the dynamics.
        solve_seconds: all steps.
        fit_error: root mean square misfit of the initial fit (0 on grids), with what a constraint took from the start.
        recipe: integrator, dt, method and options, for the record.
        notes: what did not go as well as it might have, though no step failed (a pressure's fit that is not close).
        options: of the dynamics. They are not in files, which have them in words only, in the recipe.
        energies: of a body, at the start and after every step of this run, with forces and gaps of its contacts.
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
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    energies: Energies | None = None

    @property
    def seconds(self) -> float:
        """Wall time: set-up, initial fit and all steps."""
        return self.setup_seconds + self.solve_seconds

    @property
    def at_rest(self) -> bool:
        """Whether the last state is a steady one: solved for as such, or marched to."""
        return self.status is Status.STEADY or self.recipe.get("integrator") == "steady"

    def spans(self, t: float) -> bool:
        """Whether :meth:`at` knows the field at a time."""
        return float(self.times[0]) <= t and (self.at_rest or t <= float(self.times[-1]) * (1 + 1e-9))

    def at(self, t: float) -> Field:
        """The field at a time: a saved state where there is one, else the cubic polynomial in time through the
        values of the four nearest saved fields. A field at rest stays as it was last.

        Raises:
            UsageError: for a time outside the saved ones.
        """
        times = self.times
        if self.at_rest:
            t = min(t, float(times[-1]))
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

    def probe(
        self,
        points: Tensor | Sequence[Sequence[float]],
        times: Sequence[float] | None = None,
        quantity: str | None = None,
    ) -> Tensor:
        """Values at points ``(n, d)`` for each time (the saved ones by default), ``(k, n, c)``: of all unknowns, or of
        a ``quantity`` (see :meth:`samples`), such as a stress.

        NaN inside a solid, and in holes and notches of a mesh, so that a line may cross them. A point beside a mesh by
        less than a twentieth of an element, as on an arc whose chords the mesh has, gets what the element goes on to.

        Raises:
            UsageError: for points outside the domain (the box around a mesh) or of the wrong dimension, or if none of
                them lies in the mesh.
        """
        return probe(self, points, times, quantity)

    def error(
        self,
        times: Sequence[float] | None = None,
        points: int = 2001,
        reference: Solution | None = None,
        unknown: str | None = None,
    ) -> dict[str, float]:
        """Error against the exact solution, or a reference, over saved (or given) times and a uniform lattice; on a
        mesh by quadrature over its elements, so that means and norms are integrals.

        Args:
            times: default all saved ones.
            points: lattice points per axis, ends included (at most 201 in 2D, 41 in 3D); on a mesh at least as many in
                all, and four (in 3D three) along each axis of every element.
            reference: a better solution of the same problem, on a mesh also on a finer one.
            unknown: of a problem with several the one to look at; the first by default (a flow's velocity).

        Returns:
            ``mae``, ``mse`` (means over times and points), ``rel_l2`` (|error|₂ / |u|₂ over both; NaN where u is zero),
            ``max_error``.

        Raises:
            UsageError: if there is neither an exact solution nor a reference, the reference solves another problem
                (another domain, other conditions, another viscosity, …), or there is no such unknown.
        """
        name = unknown or next(iter(self.problem.unknowns))
        channels_of(self.problem, name)  # refuses a name that no unknown has
        return errors_by_unknown(self, times, points, reference)[name]

    def errors(
        self, times: Sequence[float] | None = None, points: int = 2001, reference: Solution | None = None
    ) -> dict[str, dict[str, float]]:
        """:meth:`error` of every unknown by its name, in one pass."""
        return errors_by_unknown(self, times, points, reference)

    def samples(
        self,
        points: int | None = None,
        frames: int = 61,
        name: str | None = None,
        quantity: str | None = None,
        reference: Solution | None = None,
        magnification: float | None = None,
    ) -> Samples:
        """Values on a lattice, or at the points of a mesh's triangles, at up to ``frames`` saved times, for pictures.

        Args:
            points: lattice points per axis; default 801 in 1D, 101 in 2D; on a mesh those of the streamlines.
            frames: most times.
            name: of the method; default the representation and its dofs.
            quantity: one of the problem's quantities (a flow's ``"vorticity"``, ``"speed"`` or ``"pressure"``), its
                unknowns, or a component of either (``"displacement_x"``); by default the first quantity, or all
                unknowns where there is none. The vorticity comes with the velocity, for streamlines. Inside a solid
                the values are NaN, and stay blank.
            reference: a better solution of the same problem, which errors are shown against in place of the exact one;
                none are shown where it ends before the last of the times.
            magnification: what displacements of a body are drawn times; by default they are as they are, or where
                nobody would see that enlarged by a round number.

        Raises:
            UsageError: for a box in 3D, a name that there is not, or a reference that solves another problem.
        """
        return samples_of(self, points, frames, name, quantity, reference, magnification=magnification)

    def plot(
        self,
        path: str | Path,
        name: str | None = None,
        quantity: str | None = None,
        reference: Solution | None = None,
        magnification: float | None = None,
    ) -> Path:
        """A PNG picture: profiles and space–time image in 1D, images in 2D, errors where they are known or against a
        ``reference``; of flows the vorticity with streamlines, or another ``quantity`` (see :meth:`samples`). A mesh is
        shown by its own elements, one in space whole and cut open."""
        # a picture of a plane shows four times, evenly chosen; thin layers need more points than a film has
        points, frames = (None, 61) if self.problem.domain.dim == 1 else (PICTURE_POINTS, 4)
        return picture(self.samples(points, frames, name, quantity, reference, magnification), path)

    def animate(
        self,
        path: str | Path,
        name: str | None = None,
        seconds: float = 4.0,
        quantity: str | None = None,
        reference: Solution | None = None,
        magnification: float | None = None,
    ) -> Path:
        """A GIF of the saved times; ``quantity``, ``reference`` and ``magnification`` as for :meth:`samples`."""
        return animation(
            [self.samples(name=name, quantity=quantity, reference=reference, magnification=magnification)],
            path,
            seconds,
        )

    def summary(self) -> str:
        """A few lines: what was solved, how, how long it took, how wrong it is where that is known."""
        return summary(self)

    def save(self, path: str | Path, case: dict[str, Any] | None = None) -> Path:
        """Write an HDF5 file with checksums, atomically; ``case`` is stored so that the command line can rebuild it."""
        from neuralpde.simulate._files import save_solution

        return save_solution(self, path, case)

    def export(
        self,
        path: str | Path,
        points: int | Sequence[int] | None = None,
        times: Sequence[float] | None = None,
    ) -> Path:
        """Write files for ParaView: a collection ``run.pvd`` and beside it one ``run_0000.vti`` a time.

        They hold every unknown and every quantity (of flows velocity, pressure, vorticity, speed) at the points of a
        uniform lattice, and the signed distance to a solid where the problem has one.

        On a mesh the files are ``run_0000.vtu``, with the mesh's own elements: curved ones as such, and with nodes in
        the middles of edges where the field is no polynomial of degree 1. Of every element they have the quality, the
        number of its part and 1 in each part by its name; ``run_boundary.vtu`` has the boundary with its tags.

        Args:
            path: ``.pvd``; the folder is made if there is none.
            points: lattice points per axis, or one number per axis; default the nodes of a grid, the corners of a
                staggered grid's cells, else 801, 129 or 65 per axis in 1D, 2D and 3D. None of it on a mesh.
            times: default the saved ones.

        Raises:
            UsageError: another suffix, impossible points, or a time outside the saved ones.
        """
        return export_solution(self, path, points, times)

    def probe_table(
        self,
        points: Points | Mapping[str, Sequence[float]],
        times: Sequence[float] | None = None,
        quantities: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """:meth:`probe` as columns: ``t`` and one per point and value, such as ``velocity_x[0]``.

        Args:
            points: ``(n, d)``; or by name, ``{"front": (0.15, 0.2)}``, for columns such as ``front_velocity_x``.
            times: default the saved ones.
            quantities: names of what is wanted in place of all unknowns, see :meth:`samples`.

        Raises:
            UsageError: for points outside the domain or of the wrong dimension, or names that there are not.
        """
        return probe_table(self, points, times, quantities)

    def fluxes(self, **options: Any) -> dict[str, np.ndarray]:
        """What leaves through each part of a mesh's boundary at the saved times, see :func:`flux_table`.

        Args:
            options: of the dynamics; those of the run by default, but for one that comes from a file.

        Raises:
            UsageError: for a run from a file that had options, without them.
        """
        options = {**self.options, **options}
        check_given(self.recipe.get("options", {}), options)
        dt = self.recipe.get("dt")
        return flux_table(self.problem, self.representation, self.times, self.states, dt, **options)

    def save_probes(
        self,
        path: str | Path,
        points: Points | Mapping[str, Sequence[float]],
        times: Sequence[float] | None = None,
        quantities: Sequence[str] | None = None,
    ) -> Path:
        """Write :meth:`probe_table` as CSV; the folder of ``path`` is made if there is none."""
        return save_table(path, probe_table(self, points, times, quantities))

    def energy_table(self) -> dict[str, np.ndarray]:
        """:attr:`energies` as columns: ``t``, the parts, ``total``, ``dissipated``, forces and gaps of contacts.

        Raises:
            UsageError: for a run that has none.
        """
        return energy_table(self)

    def plot_energies(self, path: str | Path, title: str = "") -> Path:
        """A picture of :attr:`energies` over time."""
        return plot_energies(self, path, title)
