"""Sweeps of grids in space by lines, beside dense matrices of the same lines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from neuralpde.linalg import GeometricMultigrid, jit
from neuralpde.linalg.multigrid._space_layout import Layout
from neuralpde.linalg.multigrid._space_lines import LineLevel
from neuralpde.systems import pressure_system

BOX, RING = (False, False, False), (True, True, True)


def level_of(layout: Layout, finest: bool, axis: int) -> tuple[LineLevel, np.ndarray]:
    """A level with lines along one axis and random couplings, and its dense matrix."""
    rng = np.random.default_rng(0)
    level = LineLevel(layout, finest, (axis,))
    n = int(np.prod(layout.grid))
    cells, matrix = np.arange(n).reshape(layout.grid), np.zeros((n, n))
    for number, d in enumerate(level.half):
        w = rng.random(layout.grid).astype(np.float32)
        for a, step in enumerate(d):
            if step and not layout.periodic[a]:
                np.moveaxis(w, a, 0)[-1 if step > 0 else 0] = 0.0
        layout.put(w, level.w[number])
        np.subtract.at(matrix, (cells, np.roll(cells, [-s for s in d], (0, 1, 2))), w)
    excess = rng.random(layout.grid)
    layout.put(excess, level.excess)
    level.ready()
    matrix += matrix.T
    matrix -= np.diag(matrix.sum(1) - excess.ravel())
    level.coarsen((2, 2 if layout.paired else 1, 2))
    return level, matrix


def swept(matrix: np.ndarray, grid: tuple[int, ...], axis: int, r: np.ndarray, u: np.ndarray, back: bool) -> np.ndarray:
    """Gauss–Seidel by lines in four colours; the coupling of a ring's last cell to its first keeps the value before."""
    u, places = u.ravel().copy(), np.indices(grid).reshape(3, -1)
    first, second = (a for a in range(3) if a != axis)
    # along the first axis colours are kinds of cells; along the others planes come first
    for colour in range(3, -1, -1) if back else range(4):
        mine = (places[first] % 2 == colour // 2) & (places[second] % 2 == colour % 2)
        near = np.abs(places[axis][:, None] - places[axis][None, :]) <= 1
        same = (places[first][:, None] == places[first]) & (places[second][:, None] == places[second])
        T = np.where(near & same, matrix, 0.0)[np.ix_(mine, mine)]
        u[mine] += np.linalg.solve(T, (r.ravel() - matrix @ u)[mine])
    return u.reshape(grid)


@pytest.mark.parametrize("axis", (0, 1, 2))
@pytest.mark.parametrize("finest", (True, False))
@pytest.mark.parametrize(
    ("grid", "periodic", "paired"),
    [((7, 6, 9), BOX, True), ((6, 7, 8), BOX, False), ((6, 8, 6), RING, True), ((6, 4, 6), RING, False)],
)
def test_sweeps_solve_lines_in_four_colours(
    axis: int, finest: bool, grid: tuple[int, int, int], periodic: tuple[bool, bool, bool], paired: bool
) -> None:
    layout = Layout(grid, periodic, paired)
    level, matrix = level_of(layout, finest, axis)
    rng = np.random.default_rng(1)
    r, u = rng.standard_normal((2, *grid)).astype(np.float32)
    for back in (False, True):
        layout.put(r, level.r)
        layout.put(u, level.u)
        level._sweep(back)
        expected = swept(matrix.astype(np.float64), grid, axis, r, u, back)
        np.testing.assert_allclose(layout.get(level.u), expected, atol=2e-5)


@pytest.mark.parametrize("shape", ((33, 40, 47), (40, 12, 90)))
def test_slabs_change_nothing_in_sweeps_by_lines(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    system = pressure_system("switching", shape, 0, sides="open")
    M = GeometricMultigrid(smoother="lines").build(system.operator)
    r, before = system.rhs.reshape(-1), torch.get_num_threads()
    results = []
    try:
        for threads, smallest in itertools.product((1, 2, 5), (jit.SMALLEST_SLAB, 1)):
            torch.set_num_threads(threads)
            monkeypatch.setattr(jit, "SMALLEST_SLAB", smallest)
            results.append(M @ r)
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert torch.equal(results[0], other)
