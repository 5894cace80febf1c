"""Sweeps of planes: lines are solved exactly, slabs give what one thread gives, and pieces are what they say."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
import torch
from numba.core.errors import TypingError

from neuralpde.linalg import GeometricMultigrid, StencilOperator, jit
from neuralpde.linalg.multigrid import _plane_hierarchy
from neuralpde.linalg.multigrid._plane_lines import LineLevel
from neuralpde.linalg.views import piece
from neuralpde.systems import pressure_system


@pytest.mark.parametrize("axis", (0, 1))
@pytest.mark.parametrize("shape", ((41, 38), (35, 44), (46, 33), (60, 61), (7, 200)))
def test_lines_are_solved_exactly(axis: int, shape: tuple[int, int]) -> None:
    """Where cells couple along one axis only, one sweep by lines is A⁻¹, whatever the number of lines."""
    rng = np.random.default_rng(0)
    weights = [np.zeros(shape), np.zeros(shape)]
    weights[axis] = rng.random(shape) + 0.5
    np.moveaxis(weights[axis], axis, 0)[-1] = 0.0
    A = StencilOperator(weights, 0.1 * rng.random(shape))
    x = torch.from_numpy(rng.standard_normal(A.shape[0]))
    z = GeometricMultigrid(smoother="lines").build(A).matvec(A @ x)
    assert float((z - x).abs().max()) < 1e-4 * float(x.abs().max())


def strong_lines(axis: int, shape: tuple[int, int], points: int) -> tuple[LineLevel, np.ndarray, np.ndarray]:
    """A level with lines along one axis, its stencil and its row sums."""
    rng = np.random.default_rng(1)
    stencil, excess = rng.random((points // 2, *shape)), rng.random(shape)
    total = excess.copy()
    for layer, (down, right) in zip(stencil, ((0, 1), (1, 0), (1, 1), (1, -1)), strict=False):
        total += layer + np.roll(layer, (down, right), (0, 1))
    coarse = tuple((n + 1) // 2 for n in shape)
    return LineLevel(stencil, 1.0 / total, excess, rng.random((8, *coarse)), (axis,)), stencil, excess


@pytest.mark.parametrize("axis", (0, 1))
@pytest.mark.parametrize("points", (5, 9))
def test_a_sweep_by_lines_leaves_nothing_on_the_lines_swept_last(axis: int, points: int) -> None:
    """Around a torus, but for the two cells at the seam of each line: its coupling keeps the value of before."""
    level, stencil, excess = strong_lines(axis, (36, 30), points)
    rng = np.random.default_rng(2)
    r, e = rng.standard_normal(level.grid).astype(np.float32), rng.standard_normal(level.coarse).astype(np.float32)
    level.down(r, 1.0)
    z = level.up(r, 1.0, e, 1.0, np.empty_like(r)).astype(np.float64)
    left = r - excess * z
    for layer, (down, right) in zip(stencil, ((0, 1), (1, 0), (1, 1), (1, -1)), strict=False):
        flow = layer * (np.roll(z, (-down, -right), (0, 1)) - z)
        left += flow - np.roll(flow, (down, right), (0, 1))
    across, along = np.moveaxis(left, 1 - axis, 0), slice(1, -1)
    assert np.abs(across[1::2, along]).max() < 1e-5 * np.abs(r).max()
    assert np.abs(across[::2, along]).max() > 0.1
    assert np.abs(level.residual(r, z.astype(np.float32)) - left).max() < 1e-4


@pytest.mark.parametrize(
    ("family", "shape"), tuple(itertools.product(("circles", "aligned", "switching"), ((96, 90), (97, 131))))
)
def test_slabs_change_nothing(family: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    system = pressure_system(family, shape, 0, sides="open")
    monkeypatch.setattr(_plane_hierarchy, "COARSEST", 50)
    M = GeometricMultigrid().build(system.operator)
    r, before = system.rhs.reshape(-1), torch.get_num_threads()
    results = []
    try:
        for threads, smallest in ((1, jit.SMALLEST_SLAB), (2, 1), (5, 1)):
            torch.set_num_threads(threads)
            monkeypatch.setattr(jit, "SMALLEST_SLAB", smallest)
            results.append(M.matvec(r))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_pieces() -> None:
    sums = numba.njit(lambda a, start, size: piece(a, start, size).sum())
    assert sums(np.arange(24.0).reshape(2, 3, 4), 5, 3) == 5.0 + 6.0 + 7.0
    with pytest.raises(TypingError, match="C order"):
        sums(np.arange(24.0).reshape(4, 6).T, 0, 1)
    with pytest.raises(TypingError, match="integer"):
        sums(np.arange(24.0), 0.0, 1)
