"""Newton's method for a neo-Hookean cantilever against scikit-fem and torch-fem: seconds an iteration.

A beam four times as long as high, clamped at one end, bends under its own weight by a fifth of its length. All sides
take the load in the same two steps, to the same residual of 1e-8 of the load, and solve every linear system to the same
forcing term. Ours is what ``solve`` does, with its line search on the energy, energies and residuals counted as
assembly, and with the factors that tell at the end whether the equilibrium is stable.

scikit-fem's side is a loop of full Newton steps with forms written by hand, stress and tangent in closed form, the same
quadrature (one point for P1), in the faster of two idioms, and the fastest of several solvers, which all solve every
system: SuperLU, and CG with PyAMG's smoothed aggregation with rigid motions, by Gauss–Seidel or by Jacobi sweeps; each
made anew for every matrix, or kept (SuperLU until it takes some iterations). torch-fem's, where the extra ``bench``
is installed, is the same loop with its parts: its hyperelastic material, its assembly, its CG with the multigrid of the
first matrix, or its direct solver. Its quadratic elements have half as many quadrature points or fewer.

Seconds are processor time of one thread, the least of the repeats. ``setup`` is what is made once for a mesh: its
checks, that of its supports among them, names of its sides, tables and patterns; the first hierarchy is part of the
iterations. ``ratio`` is scikit-fem's seconds an iteration over ours, ``ratio_rebuilt`` the same without preconditioners
that are kept, ``over_torch_fem`` our seconds over torch-fem's, ``displacement`` the relative difference from ours.

What bounds the ratio are the solves: where both sides use the same factors it cannot come near that of assembly.
Seconds of assembly and of solves an iteration, ours and scikit-fem's: 2D P2 with 20,400 unknowns 0.019 + 0.054 and
0.052 + 0.041, both with SuperLU that is kept; ours factorises once more, to tell whether the equilibrium is stable,
and the ratio is 1.3. With 101,248 it is 3.2. 3D P1 with 19,008: 0.043 + 0.035 and 0.084 + 0.088, 2.2; with 105,840:
0.22 + 0.28 and 0.73 + 0.69, 2.8. 3D P2 with 24,336: 0.085 + 0.054 and 0.45 + 0.32, 5.6; with 105,840: 0.43 + 0.27 and
3.2 + 1.7, 7.1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neuralpde.benches import _skfem, _torch_fem, _torch_fem_newton, fem_speed
from neuralpde.benches._marching import one_thread
from neuralpde.benches._one_process import in_a_process
from neuralpde.benches._rows import Row
from neuralpde.benches._skfem_newton import Clock, March, NeoHookeanForms, newton
from neuralpde.dynamics import Newton, PotentialDynamics
from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._free_motions import refuse_free_motions
from neuralpde.dynamics._load_steps import LoadSteps
from neuralpde.geometry import Dirichlet, Flux
from neuralpde.problems import Elasticity, NeoHookean
from neuralpde.representations import FiniteElementField
from neuralpde.types import raise_for

RTOL, STEPS = 1e-8, (0.5, 1.0)
LENGTH, WEIGHT = 4.0, 2e-3


@dataclass(frozen=True)
class Setting:
    """Elements of a beam.

    Args:
        dim, degree: of the elements.
        cells: along its height.
        repeats: of both sides.
    """

    dim: int
    degree: int
    cells: int
    repeats: int = 2


SETTINGS = (
    Setting(2, 2, 25),
    Setting(2, 2, 56),
    Setting(3, 1, 11),
    Setting(3, 1, 20, 1),
    Setting(3, 2, 6),
    Setting(3, 2, 10, 1),
)
QUICK = (Setting(2, 2, 3, 1), Setting(3, 1, 2, 1))


def beam(setting: Setting) -> Any:
    """scikit-fem's mesh."""
    import skfem

    x, y = np.linspace(0, LENGTH, round(LENGTH) * setting.cells + 1), np.linspace(0, 1, setting.cells + 1)
    return skfem.MeshTri.init_tensor(x, y) if setting.dim == 2 else skfem.MeshTet.init_tensor(x, y, y)


def ours(setting: Setting, mesh: Any) -> tuple[March, float]:
    """Our Newton's method, and the seconds of its set-up."""
    begin = time.process_time()
    domain = fem_speed.domain_of(mesh)
    force = (0.0,) * (setting.dim - 1) + (-WEIGHT,)
    rubber = NeoHookean(shear_modulus=_skfem.SHEAR, lame_lambda=_skfem.BULK)
    body = Elasticity(rubber, domain=domain, conditions=(Dirichlet(0.0, on="x-"), Flux(0.0)), body_force=force)
    field = FiniteElementField.for_problem(body, setting.degree)
    dynamics = PotentialDynamics(body, field, Newton(rtol=RTOL), LoadSteps(first=STEPS[0], growth=1.0))
    space = dynamics.space
    assert isinstance(space, FiniteElementPotential)
    with torch.no_grad():
        whole = space.form.slopes(0.0, torch.zeros_like(field.nodes), False)
    refuse_free_motions(body, field, whole)
    space.checked = True
    setup = time.process_time() - begin
    clock, systems = Clock(), space.systems
    for name in ("factors", "solve"):
        work = getattr(systems, name)
        setattr(systems, name, lambda *args, work=work, **options: clock("solve", work, *args, **options))
    begin = time.process_time()
    stage = dynamics.steady(field.initial())
    taken = time.process_time() - begin
    raise_for(stage.status, "the cantilever", stage)
    solving = clock.seconds["solve"]
    seconds = {"assembly": (taken - solving) / stage.iterations, "solve": solving / stage.iterations}
    values = field.values(stage.theta, 0.0).numpy().reshape(-1)
    return March(stage.iterations, seconds, "neuralpde", values, _skfem.places(field.nodes.numpy(), setting.dim)), setup


def theirs(setting: Setting, mesh: Any) -> tuple[March, float]:
    """scikit-fem's, and the seconds of its set-up."""
    begin = time.process_time()
    order = max(1, 2 * (setting.degree - 1)) if setting.degree == 1 else 2 * setting.degree
    force = (0.0,) * (setting.dim - 1) + (-WEIGHT,)
    forms = NeoHookeanForms(mesh, setting.degree, order, force)
    setup = time.process_time() - begin
    return newton(forms, STEPS, RTOL), setup


def others(setting: Setting, mesh: Any) -> tuple[March, float]:
    """torch-fem's, and the seconds of its set-up."""
    force = (0.0,) * (setting.dim - 1) + (-WEIGHT,)
    return _torch_fem_newton.cantilever(fem_speed.domain_of(mesh).mesh, setting.degree, force, STEPS, RTOL)


def setting_rows(setting: Setting) -> list[Row]:
    """One beam: seconds an iteration of every side."""
    mesh = beam(setting)
    sides = (ours, theirs, others) if _torch_fem.installed() else (ours, theirs)
    runs = [[side(setting, mesh) for side in sides] for _ in range(setting.repeats)]
    marches = [march for march, _ in runs[-1]]
    free = int((marches[1].places[:, 0] > 1e-9).sum())
    case = f"neo-Hookean cantilever {setting.dim}D P{setting.degree}, {free} unknowns"
    rows, sums = [], []
    for side, (name, march) in enumerate(zip(("neuralpde", "scikit-fem", "torch-fem"), marches, strict=False)):
        method = name if side == 0 else f"{name}, {march.method}"
        parts = {part: min(run[side][0].seconds[part] for run in runs) for part in ("assembly", "solve")}
        sums.append(sum(parts.values()))
        rows += [Row(case, method, part, value, "s") for part, value in parts.items()]
        rows.append(Row(case, method, "iteration", sums[-1], "s"))
        rows.append(Row(case, method, "setup", min(run[side][1] for run in runs), "s"))
        rows.append(Row(case, method, "iterations", march.iterations))
        if side:
            rows.append(Row(case, name, "displacement", difference(marches[0], march)))
    rebuilt = min(run[1][0].seconds["assembly"] + run[1][0].seconds["rebuilt"] for run in runs)
    rows.append(Row(case, "both", "ratio", sums[1] / sums[0]))
    rows.append(Row(case, "both", "ratio_rebuilt", rebuilt / sums[0]))
    return [*rows, Row(case, "both", "over_torch_fem", sums[0] / sums[2])] if len(sums) > 2 else rows


def difference(one: March, other: March) -> float:
    """Relative difference of two displacements, however each side numbers its unknowns."""
    a, b = (march.displacement[fem_speed.order_of(march.places)] for march in (one, other))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def rows(quick: bool = False) -> Iterator[Row]:
    """Seconds an iteration of every beam, measured in a process of its own with one thread.

    Args:
        quick: tiny meshes.
    """
    return in_a_process(measured_rows, quick)


def measured_rows(quick: bool) -> Iterator[Row]:
    """The rows, measured in this process."""
    yield Row("baselines", "torch-fem", "installed", float(_torch_fem.installed()))
    with one_thread():
        for warm in QUICK:  # what is imported and made once is nobody's
            setting_rows(warm)
        for setting in QUICK if quick else SETTINGS:
            yield from setting_rows(setting)
