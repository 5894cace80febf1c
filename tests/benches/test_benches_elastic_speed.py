"""The bench of Newton's method for elastic bodies: its quick version, and that both sides solve the same problem."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import elastic_speed
from neuralpde.benches._rows import Row
from neuralpde.benches._skfem_newton import NeoHookeanForms


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(elastic_speed.rows(quick=True))


def test_both_sides_find_the_same(quick: list[Row]) -> None:
    assert all(math.isfinite(row.value) for row in quick)
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    apart = [row.value for row in quick if row.metric == "displacement" and row.method == "scikit-fem"]
    assert len(apart) == len(elastic_speed.QUICK)
    assert max(apart) <= 1e-6


def test_ratios_are_those_of_the_parts(quick: list[Row]) -> None:
    for case in {row.case for row in quick if row.metric == "ratio"}:
        here = [row for row in quick if row.case == case]
        sums = {}
        for row in here:
            if row.metric in ("assembly", "solve"):
                side = row.method.split(",")[0]
                sums[side] = sums.get(side, 0.0) + row.value
        ratio = next(row.value for row in here if row.metric == "ratio")
        assert math.isclose(ratio, sums["scikit-fem"] / sums["neuralpde"], rel_tol=1e-9)
        assert next(row.value for row in here if row.metric == "ratio_rebuilt") >= ratio - 1e-12


@pytest.mark.parametrize(("dim", "degree"), [(2, 1), (3, 1)])
def test_torch_fem_solves_the_same_problem(dim: int, degree: int) -> None:
    pytest.importorskip("torchfem", reason="torch-fem comes with the extra 'bench'")
    setting = elastic_speed.Setting(dim, degree, 2, 1)
    mesh = elastic_speed.beam(setting)
    march, other = elastic_speed.ours(setting, mesh)[0], elastic_speed.others(setting, mesh)[0]
    assert elastic_speed.difference(march, other) <= 1e-6


@pytest.mark.parametrize("work", ["SuperLU, kept", "SA θ=0.1 W light Jacobi, kept"])
def test_kept_factors_of_the_baseline_solve_to_the_tolerance(work: str) -> None:
    mesh = elastic_speed.beam(elastic_speed.Setting(2, 2, 3))
    forms = NeoHookeanForms(mesh, 2, 4, (0.0, -1e-3))
    way = next(way for way in forms.ways() if way.name == work)
    for size in (0.0, 0.003):
        state = forms.state(size * np.sin(np.arange(len(forms.where))) * forms.where[:, 0])
        matrix, right = forms.by_vectors(state), forms.residual(state, 1.0)
        x = way(matrix, right, 1e-6)
        assert np.linalg.norm(matrix @ x - right) <= 1.1e-6 * np.linalg.norm(right)


@pytest.mark.parametrize(("dim", "degree"), [(2, 2), (3, 1)])
def test_both_idioms_of_the_baseline_are_the_derivative_of_its_residual(dim: int, degree: int) -> None:
    forms = NeoHookeanForms(elastic_speed.beam(elastic_speed.Setting(dim, degree, 1)), degree, 2 * degree, (0.1,) * dim)
    u = 0.05 * np.sin(np.arange(len(forms.where))) * (forms.where[:, 0] > 1e-9)
    state = forms.state(u)
    one, other = forms.by_vectors(state), forms.by_scalars(state)
    assert abs(one - other).max() <= 1e-13 * abs(one).max()
    v, h = np.cos(np.arange(len(forms.free))), 1e-6
    ends = []
    for sign in (1, -1):
        moved = u.copy()
        moved[forms.free] += sign * h * v
        ends.append(forms.residual(forms.state(moved), 1.0))
    wanted = (ends[0] - ends[1]) / (2 * h)
    assert np.linalg.norm(one @ v - wanted) <= 1e-7 * np.linalg.norm(wanted)


def test_the_full_bench_has_the_sizes_of_its_bars() -> None:
    for dim, degree in {(s.dim, s.degree) for s in elastic_speed.SETTINGS}:
        sizes = []
        for s in elastic_speed.SETTINGS:
            if (s.dim, s.degree) == (dim, degree):
                sizes.append(dim * 4 * s.cells * degree * (s.cells * degree + 1) ** (dim - 1))
        assert 1.8e4 <= sizes[0] <= 2.6e4 and 0.9e5 <= sizes[1] <= 1.2e5
