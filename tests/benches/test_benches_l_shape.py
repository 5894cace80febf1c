"""The bench of the re-entrant corner: its meshes, its quick version, and what grading is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuralpde.benches import l_shape
from neuralpde.benches._rows import Row
from neuralpde.geometry import MeshDomain


@pytest.fixture(scope="module")
def quick() -> dict[tuple[str, str, str], float]:
    rows = list(l_shape.rows(quick=True))
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in rows)
    found = {(row.case, row.method, row.metric): row.value for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("power", [1.0, 5.0])
def test_the_mesh_covers_the_domain(power: float) -> None:
    mesh = l_shape.l_mesh(6, power)
    domain = MeshDomain(mesh)
    assert math.isclose(domain.volume, 3.0, rel_tol=1e-13) and mesh.qualities.min() > 0.02
    assert len(mesh.cells) == 6 * 6**2
    middles = mesh.points[mesh.facet_nodes(mesh.boundary)].mean(1)
    on_outside = (np.isclose(middles, 0) | np.isclose(middles, 2)).any(1)
    on_corner = (np.isclose(middles, 1) & (middles[:, ::-1] >= 1)).any(1)
    assert (on_outside | on_corner).all()
    assert domain.contains(torch.tensor([[0.99, 0.99], [1.01, 1.01]], dtype=torch.float64)).tolist() == [True, False]


@pytest.mark.parametrize("case", [l_shape.LAPLACE, l_shape.TORSION])
@pytest.mark.parametrize("degree", [1, 2])
def test_it_agrees_with_scikit_fem(quick: dict[tuple[str, str, str], float], case: str, degree: int) -> None:
    name = f"P{degree} graded, 12 rings"
    ours, theirs = (quick[case, method, "value"] for method in (name, f"scikit-fem {name}"))
    assert math.isclose(ours, theirs, rel_tol=1e-10)
    assert quick[case, name, "dofs"] == quick[case, f"scikit-fem {name}", "dofs"]


def test_grading_is_worth_it_at_the_corner(quick: dict[tuple[str, str, str], float]) -> None:
    uniform, graded = (quick["laplace", f"P2 {how}, 12 rings", "error"] for how in ("uniform", "graded"))
    assert graded < 1e-4 and uniform > 100 * graded


@pytest.mark.parametrize("case", [l_shape.LAPLACE, l_shape.TORSION])
def test_the_bar_is_met_with_fewer_unknowns(case: str) -> None:
    """1e-5 at a quarter of the unknowns that are allowed."""
    rows = {row.metric: row.value for row in l_shape.elements_rows(case, l_shape.Method(2, 60, l_shape.POWER[2]))}
    assert rows["error"] <= 1e-5 and rows["dofs"] <= 50_000
