"""NAFEMS' benchmarks: their geometry, and the bars with few elements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuralpde.benches import nafems
from neuralpde.benches._mapped_meshes import mapped_mesh
from neuralpde.geometry import MeshDomain

AREA = math.pi / 4 * (3.25 * 2.75 - 2 * 1)


@pytest.mark.parametrize("kind", ["triangle6", "quad8", "quad9"])
def test_the_membrane_covers_the_quarter_ellipse(kind: str) -> None:
    areas = [MeshDomain(nafems.membrane(kind, (n, n)).domain.mesh).volume for n in (4, 8)]  # type: ignore[attr-defined]
    assert abs(areas[1] / AREA - 1) < 1e-4 and abs(areas[1] - AREA) < abs(areas[0] - AREA) / 8


@pytest.mark.parametrize("kind", ["tetra10", "hexahedron20", "hexahedron27"])
def test_the_plate_and_the_line_that_carries_it(kind: str) -> None:
    domain = nafems.plate(kind, (4, 4, 2)).domain
    assert isinstance(domain, MeshDomain)
    assert math.isclose(domain.volume, nafems.THICKNESS * AREA, rel_tol=1e-3)
    ends = domain.mesh.points[domain.mesh.sets["EE"].reshape(-1)]
    assert len(domain.mesh.sets["EE"]) == 4
    np.testing.assert_allclose(ends[:, 2], 0.3, atol=1e-12)
    np.testing.assert_allclose((ends[:, :2] / nafems.OUTER) ** 2 @ np.ones(2), 1.0, atol=1e-12)


def test_the_load_is_normal_to_the_outer_ellipse() -> None:
    angle = torch.linspace(0.1, 1.4, 7, dtype=torch.float64)
    x = torch.stack([3.25 * angle.cos(), 2.75 * angle.sin()], dim=1)
    along = torch.stack([-3.25 * angle.sin(), 2.75 * angle.cos()], dim=1)
    load = nafems.pull(0.0, x)
    assert float((load * along).sum(1).abs().max()) < 1e-8
    torch.testing.assert_close(load.norm(dim=1), torch.full((7,), 10e6, dtype=torch.float64))


def test_nodes_stay_in_the_middle_of_graded_edges() -> None:
    mesh = mapped_mesh("triangle6", (4, 4), lambda x: x, powers=(2.0, 2.0))
    corners = mesh.points[mesh.cells[:, [[0, 1], [1, 2], [2, 0]]]]
    np.testing.assert_allclose(mesh.points[mesh.cells[:, 3:]], corners.mean(2), atol=1e-14)
    assert math.isclose(mesh.points[:, 0][mesh.points[:, 0] > 0].min(), 1 / 32)


def test_the_bars_are_met_with_few_elements() -> None:
    found = {(row.case, row.method, row.metric): row.value for row in nafems.rows(quick=True)}
    assert found["LE1", "P2 triangles, 8 × 8", "rel_error"] <= 0.01
    assert all(math.isfinite(value) for value in found.values())
    plate = nafems.Method("Q2 hexahedra", "hexahedron20", 2, (6, 6, 4))
    assert {row.metric: row.value for row in nafems.measured("LE10", plate)}["rel_error"] <= 0.03
