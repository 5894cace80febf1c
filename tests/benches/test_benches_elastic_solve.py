"""The bench of preconditioners for elasticity: its quick version, its systems, and its sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import _skfem, elastic_solve
from neuralpde.benches._elastic_systems import Setting, refined, system_of
from neuralpde.benches._rows import Row
from neuralpde.benches.mesh_neural import mesh_file
from neuralpde.geometry import read_mesh


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(elastic_solve.rows(quick=True))


def test_every_method_solves_every_system(quick: list[Row]) -> None:
    assert all(math.isfinite(row.value) for row in quick)
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    left = [row for row in quick if row.metric == "residual"]
    assert len(left) == len(elastic_solve.QUICK) * len(elastic_solve.METHODS)
    assert all(row.value <= elastic_solve.RTOL for row in left)


def test_rigid_motions_save_half_of_the_iterations(quick: list[Row]) -> None:
    count = {(row.case, row.method): row.value for row in quick if row.metric == "iterations"}
    for case in {row.case for row in quick}:
        assert count[case, "amg"] <= 25
        assert 1.5 * count[case, "amg"] <= count[case, "amg without modes"] < count[case, "cg jacobi"]
        for better in ("cg ssor", "cg chebyshev", "cg ic"):
            assert count[case, better] <= 0.5 * count[case, "cg jacobi"]


def test_systems_are_the_same_matrices_as_by_forms_written_by_hand() -> None:
    import skfem

    system = system_of(Setting("cantilever_3d", 1, 0))
    mesh = read_mesh(mesh_file("cantilever_3d"))
    whole, _, where = _skfem.elasticity(skfem.MeshTet(mesh.points.T.copy(), mesh.cells.T.copy()), 1)
    free = _skfem.free_numbers("elasticity", where)
    theirs, ours = (np.lexsort(np.round(places, 9).T) for places in (where[free], system.where))
    difference = whole[free][:, free][theirs][:, theirs] - system.matrix.tocsr()[ours][:, ours]
    assert abs(difference).max() <= 1e-12 * abs(system.matrix).max()


@pytest.mark.parametrize("name", ["plate_with_holes", "nafems_le10"])
def test_refinement_keeps_the_volume_and_halves_edges(name: str) -> None:
    mesh = read_mesh(mesh_file(name))
    coarse, fine = refined(mesh, 0), refined(mesh, 1)
    assert len(fine.cells) == 2**mesh.dim * len(coarse.cells) == 2**mesh.dim * len(mesh.cells)
    assert fine.measures.sum() == pytest.approx(coarse.measures.sum(), rel=1e-12)
    assert len(fine.tags["x-"]) == 2 ** (mesh.dim - 1) * len(coarse.tags["x-"])


def test_the_full_bench_has_every_dimension_and_degree() -> None:
    assert {(s.mesh.endswith(("3d", "hole", "le10")), s.degree) for s in elastic_solve.SETTINGS} == {
        (solid, degree) for solid in (False, True) for degree in (1, 2)
    }
