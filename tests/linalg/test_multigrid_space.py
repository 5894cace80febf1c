"""Multigrid in space: exact products, symmetry, and iterations that depend on neither size nor geometry."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import GeometricMultigrid, solve_linear
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.systems import pressure_system

pytest.importorskip("numba")

BOX = (False, False, False)


def weights_of(k, periodic=BOX, scale=(1.0, 1.0, 1.0)):
    """Harmonic means of cell coefficients as face weights, 0 where a cell is solid."""
    weights = []
    for axis in range(3):
        beside = np.roll(k, -1, axis)
        w = scale[axis] * np.where(k * beside > 0, 2 * k * beside / np.where(k + beside > 0, k + beside, 1.0), 0.0)
        if not periodic[axis]:
            w[(slice(None),) * axis + (-1,)] = 0.0
        weights.append(w)
    return weights


def open_side(k):
    """Row sums of a grid whose first plane is beside an open boundary."""
    excess = np.zeros(k.shape)
    excess[0] = 2 * k[0]
    return excess


def matrix_of(weights, excess):
    numbers = np.arange(excess.size).reshape(excess.shape)
    a = sp.diags(excess.ravel()).tocsr()
    for axis, w in enumerate(weights):
        i, j, v = numbers.ravel(), np.roll(numbers, -1, axis).ravel(), w.ravel()
        a += sp.coo_matrix((np.r_[v, v, -v, -v], (np.r_[i, j, i, j], np.r_[i, j, j, i])), a.shape).tocsr()
    return a


def interpolation_of(level):
    """P of a level as a matrix."""
    step, grid = level.step, level.layout.grid
    numbers = np.arange(int(np.prod(grid))).reshape(grid)
    p = np.zeros((numbers.size, int(np.prod(step.grid))))
    for share, o in zip(level.share, step.offsets, strict=True):
        for column, coarse in enumerate(np.ndindex(*step.grid)):
            value = share[tuple(i + 1 for i in coarse)]
            if value != 0.0:
                x = [(c * i + s) % n for c, i, s, n in zip(step.factors, coarse, o, grid, strict=True)]
                p[numbers[tuple(x)], column] += value
    return p


def two_levels(weights, excess, factors=(2, 2, 2), periodic=BOX):
    from neuralpde.linalg.multigrid._space_layout import Layout
    from neuralpde.linalg.multigrid._space_level import SpaceLevel

    level = SpaceLevel(Layout(excess.shape, periodic), finest=True)
    for number, axis in enumerate((2, 1, 0)):
        level.layout.put(weights[axis], level.w[number])
    level.layout.put(excess, level.excess)
    level.ready()
    return level, level.coarsen(factors)


def random_fluid(shape, solid=0.25, seed=0):
    generator = np.random.default_rng(seed)
    return np.where(generator.random(shape) > solid, generator.uniform(0.1, 1.0, shape), 0.0)


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 1, 2), (2, 1, 2)])
@pytest.mark.parametrize("periodic", [BOX, (True, False, False), (False, True, True)])
def test_the_coarse_operator_is_the_galerkin_product(factors, periodic):
    from neuralpde.linalg.multigrid._space_coarsest import matrix

    k = random_fluid((8, 8, 8) if any(periodic) else (5, 8, 7))
    weights, excess = weights_of(k, periodic), open_side(k)
    level, coarse = two_levels(weights, excess, factors, periodic)
    p, a = interpolation_of(level), matrix_of(weights, excess)
    expected = p.T @ (a @ p)
    found = matrix(coarse.layout, coarse.half, coarse.w, coarse.excess).toarray()
    np.testing.assert_allclose(found, expected, atol=3e-7 * abs(expected).max())
    further = coarse.coarsen((2, 2, 2))
    p = interpolation_of(coarse)
    expected = p.T @ expected @ p
    found = matrix(further.layout, further.half, further.w, further.excess).toarray()
    np.testing.assert_allclose(found, expected, atol=3e-6 * abs(expected).max())


def test_constants_are_interpolated_exactly_where_nothing_holds_them():
    k = random_fluid((12, 11, 13), solid=0.2, seed=3)
    weights = weights_of(k)
    level, _ = two_levels(weights, np.zeros(k.shape))
    ones = interpolation_of(level).sum(1)
    coupled = matrix_of(weights, np.zeros(k.shape)).diagonal() > 0
    served = ones > 0
    assert (coupled & ~served).sum() <= 0.01 * coupled.sum()
    np.testing.assert_allclose(ones[served], 1.0, atol=1e-6)


def test_corridors_of_one_cell_keep_their_constants():
    k = np.ones((10, 12, 8))
    k[0::2] = 0.0  # all coarse points lie in walls
    weights = weights_of(k)
    level, coarse = two_levels(weights, np.zeros(k.shape))
    ones = interpolation_of(level).sum(1).reshape(k.shape)
    np.testing.assert_allclose(ones[1::2], 1.0, atol=1e-6)
    assert abs(coarse.excess).max() < 1e-12


CASES = {
    "box": dict(),
    "holes": dict(k=random_fluid((28, 26, 30), 0.1)),
    "ring": dict(periodic=(True, False, True)),
    "odd ring": dict(shape=(27, 26, 29), periodic=(True, True, True)),
    "aligned": dict(scale=(1.0, 100.0, 1.0)),
    "lines": dict(smoother="lines"),
    "ring of lines": dict(smoother="lines", periodic=(True, False, True)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cycle_is_symmetric_and_positive(name):
    case = CASES[name]
    k = case.get("k", np.ones(case.get("shape", (28, 26, 30))))
    weights, excess = weights_of(k, case.get("periodic", BOX), case.get("scale", (1.0, 1.0, 1.0))), open_side(k)
    A = StencilOperator([torch.from_numpy(w) for w in weights], torch.from_numpy(excess))
    M = GeometricMultigrid(smoother=case.get("smoother", "auto")).build(A)
    assert len(M.hierarchy.levels) > 1
    generator = torch.Generator().manual_seed(1)
    r, s = torch.randn(2, k.size, generator=generator, dtype=torch.float64)
    size = float((M @ r).norm() * s.norm())
    assert abs(float((M @ r) @ s - r @ (M @ s))) < 2e-6 * size
    assert float((M @ r) @ r) > 0 and float((M @ s) @ s) > 0
    solution = solve_linear(A, A @ r, M=GeometricMultigrid(smoother=case.get("smoother", "auto")), rtol=1e-8)
    assert solution.iterations <= 16


@pytest.mark.parametrize(
    ("family", "limit"),
    [
        ("circles", 11),
        ("blobs", 13),
        ("walls", 13),
        ("rooms", 12),
        ("comb", 13),
        ("gaps", 12),
        ("closed rooms", 13),
        ("jump checkerboard", 15),
        ("jump blobs", 15),
        ("jump inclusions", 15),
        ("aligned", 10),
        ("switching", 15),
    ],
)
def test_iterations_of_the_families(family, limit):
    for seed in (3, 4):
        system = pressure_system(family, (32, 32, 32), seed=seed)
        solution = solve_linear(system.operator, system.rhs, M=GeometricMultigrid(), rtol=1e-6)
        assert solution.iterations <= limit


@pytest.mark.parametrize("seed", (0, 1))
def test_rooms_behind_thin_walls_keep_to_themselves(seed):
    """Cells beside a wall were interpolated from coarse cells behind it where the nearest ones lay in the wall: 17."""
    system = pressure_system("walls", (96, 96, 96), seed=seed)
    assert solve_linear(system.operator, system.rhs, M="multigrid", rtol=1e-6).iterations <= 12


@pytest.mark.parametrize(
    ("family", "grid", "seed"), [("jump checkerboard", (33, 47, 38), 1), ("walls", (64, 64, 64), 5)]
)
def test_what_coarse_grids_cannot_hold_joins_the_coarsest(family, grid, seed):
    system = pressure_system(family, grid, seed=seed)
    M = GeometricMultigrid().build(system.operator)
    assert any(level.beside is not None for level in M.hierarchy._levels)
    r, s = torch.randn(2, M.shape[0], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert abs(float((M @ r) @ s - r @ (M @ s))) < 1e-5 * float((M @ r).norm() * s.norm())
    # 64 and 36 without
    assert solve_linear(system.operator, system.rhs, M=GeometricMultigrid(), rtol=1e-6).iterations <= 14


def test_cells_left_out_on_any_grid_are_unknowns_of_the_coarsest(monkeypatch):
    from neuralpde.linalg.multigrid import _space_coarsest, _space_hierarchy

    matrices = []
    exact = _space_hierarchy.joined
    monkeypatch.setattr(_space_hierarchy, "joined", lambda *given: matrices.append(exact(*given)) or matrices[-1])
    monkeypatch.setattr(_space_coarsest, "LARGEST_WORK", 1e5)
    k = np.ones((20, 20, 20))
    k[random_fluid(k.shape, 0.5, seed=2) == 0.0] = 0.0
    weights, excess = weights_of(k), np.zeros(k.shape)
    A = StencilOperator([torch.from_numpy(w) for w in weights], torch.from_numpy(excess))
    M = GeometricMultigrid().build(A)
    levels = M.hierarchy._levels
    left = [level.beside.cells if level.beside else np.zeros(0, int) for level in levels[:-1]]
    assert len(levels) >= 4 and sum(len(cells) > 0 for cells in left) >= 2
    basis = sp.identity(k.size, format="csr")
    for level, cells in zip(levels, left, strict=False):
        # the grid first, then what earlier grids left out, then what this one does
        n = int(np.prod(level.layout.grid))
        basis = sp.hstack([basis[:, :n] @ interpolation_of(level), basis[:, n:], basis[:, cells]]).tocsr()
    scaled = matrix_of(weights, excess) / M._unit
    expected = (basis.T @ scaled @ basis).toarray()
    found, sums, _ = matrices[0]
    np.testing.assert_allclose(found.toarray(), expected, atol=3e-6)
    np.testing.assert_allclose(sums, 0.0, atol=1e-12)  # nothing holds the constants
    r, s = torch.randn(2, k.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert abs(float((M @ r) @ s - r @ (M @ s))) < 1e-5 * float((M @ r).norm() * s.norm())
    b = A @ torch.randn(k.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert solve_linear(A, b, M=GeometricMultigrid(), rtol=1e-6).iterations <= 14


def test_a_strong_ball_in_weak_surroundings_keeps_its_constant():
    """Cells at its edge have strong couplings to others that lie beside coarse points of the surroundings."""
    system = pressure_system("jump inclusions", (64, 64, 64), seed=3, contrast=1e6, sides="open")
    solution = solve_linear(system.operator, system.rhs, M=GeometricMultigrid(), rtol=1e-6)
    assert solution.iterations <= 14  # 24 where these couplings count for the coarse points


def test_iterations_do_not_grow_with_the_grid():
    counts = []
    for n in (24, 48):
        k = np.ones((n, n, n))
        A = StencilOperator([torch.from_numpy(w) for w in weights_of(k)], torch.from_numpy(open_side(k)))
        b = A @ torch.randn(n**3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        counts.append(solve_linear(A, b, M=GeometricMultigrid(), rtol=1e-8).iterations)
    assert abs(counts[1] - counts[0]) <= 1


def test_an_update_is_a_fresh_build():
    first, second = random_fluid((24, 25, 26), 0.1, 1), random_fluid((24, 25, 26), 0.1, 2)
    operators = [
        StencilOperator([torch.from_numpy(w) for w in weights_of(k)], torch.from_numpy(open_side(k)))
        for k in (first, second)
    ]
    M = GeometricMultigrid().build(operators[0])
    M.update(operators[1])
    r = torch.randn(first.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(M @ r, GeometricMultigrid().build(operators[1]) @ r)


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 3, 3), (2, 40, 60), (70, 3, 50), (40, 50, 2), (2, 2, 300)])
def test_flat_and_tiny_grids(shape):
    k = np.ones(shape)
    A = StencilOperator([torch.from_numpy(w) for w in weights_of(k)], torch.from_numpy(open_side(k)))
    x = torch.randn(k.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    solution = solve_linear(A, A @ x, M=GeometricMultigrid(), rtol=1e-8)
    assert solution.iterations <= 12
    assert float((solution.x - x).norm() / x.norm()) < 1e-4


def test_the_banded_inverse_is_the_pseudoinverse():
    from neuralpde.linalg.multigrid._space_coarsest import BandedInverse

    k = np.ones((5, 4, 6))
    k[2] = 0.0  # two parts, neither held
    points = np.indices(k.shape).reshape(3, -1).T
    weights, excess = weights_of(k), np.zeros(k.shape)
    a = matrix_of(weights, excess)
    r = np.random.default_rng(0).standard_normal(k.size) * (k.ravel() > 0)
    np.testing.assert_allclose(BandedInverse(a, excess.ravel(), points)(r), np.linalg.pinv(a.toarray()) @ r, atol=1e-10)
    excess = open_side(k)
    a = matrix_of(weights, excess)
    inverse = BandedInverse(a, excess.ravel(), points)(r)
    np.testing.assert_allclose(inverse, np.linalg.pinv(a.toarray()) @ r, atol=1e-10)


def test_what_the_hierarchy_says_of_itself():
    k = np.ones((32, 32, 32))
    A = StencilOperator([torch.from_numpy(w) for w in weights_of(k)], torch.from_numpy(open_side(k)))
    hierarchy = GeometricMultigrid().build(A).hierarchy
    assert hierarchy.levels == ((32, 32, 32), (16, 16, 16))
    assert hierarchy.memory_bytes > hierarchy.cycle_bytes > 4 * 11 * 32**3
    assert 1.5 < hierarchy.operator_complexity < 2.5
