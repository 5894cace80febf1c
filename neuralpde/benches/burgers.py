"""A front that forms by itself: Burgers' equation by neural time stepping, beside grids.

u_t + u u_x = ν u_xx on [−1, 1], periodic, u(x, 0) = −sin πx, t ≤ 1, against the solution of Cole and Hopf on 2,001
points: ``rel_l2`` over all saved times after 0, ``rel_l2_final`` at t = 1. Cases ``viscosity 0.05/pi`` (a front about
0.03 wide; bar for both errors: 1e-4 in 3 min for the worst of three seeds) and ``viscosity 0.01/pi`` (0.006 wide, the
usual test of physics-informed networks; Raissi, Perdikaris & Karniadakis, JCP 378 (2019), publish 6.7e-4).

Methods:

- ``neural``: a centred tanh field stepped by SDIRK4, every stage a Gauss–Newton fit in function space on a uniform
  lattice. The features move into the front by themselves.
- ``grid same memory``: the best uniform grid of orders 2, 6 and Fourier, of RK4 (u u_x as it is, and in its
  skew-symmetric form), implicit midpoint and SDIRK4, and of their step sizes, with as many bytes as ``neural``.
- ``grid same error``: of the same choices and any number of nodes the fastest that is as accurate as ``neural``.

Steps divide the time between two saved times: nothing is interpolated in time. One thread each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from neuralpde.benches._grids import GridSearch, Scheme, grid_rows
from neuralpde.benches._marching import SEEDS, NeuralMethod, Reference, one_thread, rows_of
from neuralpde.benches._rows import Row
from neuralpde.dynamics import DiscreteDynamics
from neuralpde.integrators import RK4, SDIRK4, ImplicitMidpoint
from neuralpde.problems import Burgers


class SkewSymmetric(DiscreteDynamics):
    """u_t = −⅓ (u u_x + (u²)_x) + ν u_xx on a grid, for explicit steps.

    The same equation, but its discrete advection conserves Σu². A central u u_x lets aliasing feed a front that the
    grid does not resolve until the run blows up, with implicit steps too; this one only oscillates.
    """

    explicit_only = True

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        grid, problem = self.representation, self.problem
        assert isinstance(problem, Burgers)
        first, second = grid.derivatives[1][0], grid.derivatives[2][0]
        u = grid.full(theta, t)
        return (problem.viscosity * second(u, 0) - (u * first(u, 0) + first(u * u, 0)) / 3).reshape(-1)


SCHEMES = (
    Scheme(RK4()),
    Scheme(RK4(), SkewSymmetric, "skew-symmetric"),
    Scheme(ImplicitMidpoint()),
    Scheme(SDIRK4()),
)
CASES = {f"viscosity {share}/pi": Burgers(viscosity=share / math.pi) for share in (0.05, 0.01)}
ERRORS = ("rel_l2", "rel_l2_final", "max_error", "mae")

# Of SDIRK4, dt 0.05 has a classical error of 2e-6 where the front is wide; the thin one forms faster.
NEURAL = {
    "viscosity 0.05/pi": NeuralMethod(SDIRK4(), 0.05, (10, 10), 4.0, 500, first=200, atol=5e-7),
    "viscosity 0.01/pi": NeuralMethod(SDIRK4(), 0.02, (12, 12), 4.0, 1500, first=200, atol=1e-6),
}
QUICK = {name: replace(m, hidden=(6, 6), points=200, first=100, atol=1e-4) for name, m in NEURAL.items()}


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and errors of every method on both cases.

    Args:
        quick: until t = 0.2, before the front, one seed and a small field.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``setup_seconds``, ``seconds_max``, ``rel_l2``, ``rel_l2_final``,
        ``max_error``, ``mae``, ``steps``, ``iterations``.
    """
    with one_thread():
        methods, seeds, t_end = (QUICK, SEEDS[:1], 0.2) if quick else (NEURAL, SEEDS, 1.0)
        for case, method in methods.items():
            count = round(t_end / method.dt)
            reference = Reference(CASES[case], [method.dt * k for k in range(1, count + 1)])
            runs = [method.run(reference, seed) for seed in seeds]
            yield from rows_of(case, "neural", runs, ERRORS)
            search = GridSearch(
                reference,
                SCHEMES,
                "rel_l2",
                halvings=3 if quick else 9,
                slowest=0.2 if quick else 4.0,
            )
            nodes = [round(32 * 2 ** (k / 4)) for k in range(0, 25, 4 if quick else 1)]  # 32 … 2048
            yield from grid_rows(case, search, runs, nodes, ERRORS)
