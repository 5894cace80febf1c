"""The bench of finite elements: its quick version, and that both sides agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import _skfem, fem_speed
from neuralpde.benches._rows import Row


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(fem_speed.rows(quick=True))


def test_both_sides_find_the_same(quick: list[Row]) -> None:
    assert all(math.isfinite(row.value) for row in quick)
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    bounds = {"matrix": 1e-10, "solution": 1e-6, "residual": 1.1e-8}
    for row in quick:
        assert row.value <= bounds.get(row.metric, math.inf), row
    cases = {row.case.split(",")[0] for row in quick}
    assert cases >= {"poisson 2D P1", "poisson 3D P2", "elasticity 2D P2", "elasticity 3D P1", "Hessian 3D P1"}


def test_ratios_are_those_of_the_sums(quick: list[Row]) -> None:
    for case in {row.case for row in quick if row.metric == "ratio"}:
        sums = {}
        for row in quick:
            if row.case == case and row.unit == "s":
                side = row.method.split(",")[0]
                sums[side] = sums.get(side, 0.0) + row.value
        ratio = next(row.value for row in quick if row.case == case and row.metric == "ratio")
        mine = sums.pop("neuralpde")
        assert math.isclose(ratio, mine / min(sums.values()), rel_tol=1e-9)


@pytest.mark.parametrize(("dim", "degree"), [(2, 2), (3, 1)])
def test_both_idioms_of_the_baseline_give_one_matrix(dim: int, degree: int) -> None:
    mesh = _skfem.unit_mesh(dim, 3)
    (a, f, x), (b, g, y) = (way(mesh, degree) for way in (_skfem.elasticity, _skfem.elasticity_by_scalars))
    assert fem_speed.difference(a, b, (x, y)) <= 1e-13
    assert np.abs(f[fem_speed.order_of(x)] - g[fem_speed.order_of(y)]).max() <= 1e-13


def test_the_full_bench_has_the_sizes_of_its_bars() -> None:
    for dim in (2, 3):
        for kind in ("poisson", "elasticity"):
            for degree in (1, 2):
                sizes = []
                for s in fem_speed.SETTINGS:
                    if (s.kind, s.dim, s.degree) == (kind, dim, degree):
                        sizes.append((s.cells * degree + 1) ** dim * (dim if kind == "elasticity" else 1))
                assert len(sizes) == 2 and sizes[0] >= 0.9e5 and sizes[1] >= 3.7e5
