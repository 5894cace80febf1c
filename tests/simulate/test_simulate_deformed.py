"""Pictures of solids show them deformed, and by how much it is enlarged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.plot import triangulation
from neuralpde.problems import LinearElasticity
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, solve
from neuralpde.simulate._deformed import deformed


@pytest.fixture(scope="module")
def sheared() -> Solution:
    """u = (0.003 y, 0) on the unit square, which is at rest under no force."""

    def shear(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([0.003 * x[:, 1], torch.zeros_like(x[:, 0])], dim=1)

    domain = MeshDomain(unit_mesh("triangle", 4))
    p = LinearElasticity(domain=domain, conditions=(Dirichlet(lambda t, x: shear(x)),), body_force=(0.0, 0.0))
    return solve(p, FiniteElementField.for_problem(p, degree=1))


def test_a_sheared_square_is_drawn_as_a_parallelogram(sheared: Solution) -> None:
    samples = sheared.samples()
    assert samples.triangulation is not None and samples.title.endswith("displacements × 20")
    rest = triangulation(sheared.problem.domain.mesh).points  # type: ignore[attr-defined]
    assert np.allclose(samples.triangulation.points, rest + 20 * 0.003 * rest[:, 1:] * [1, 0])
    assert np.allclose(samples.values[0, :, 0], 0.003 * rest[:, 1])
    assert samples.axes[0][-1] == pytest.approx(1.06)


@pytest.mark.parametrize(("largest", "scale"), [(0.1, 1.0), (0.03, 1.0), (0.003, 20.0), (7e-7, 1e5), (40.0, 0.002)])
def test_scales_are_round(largest: float, scale: float) -> None:
    shown = triangulation(unit_mesh("triangle", 2))
    u = largest * np.eye(len(shown.points), 2)
    drawn, s = deformed(shown, u)
    assert s == pytest.approx(scale)
    assert np.allclose(drawn.points - shown.points, scale * u)


def test_a_body_at_rest_stays() -> None:
    shown = triangulation(unit_mesh("triangle", 2))
    drawn, s = deformed(shown, np.zeros_like(shown.points))
    assert s == 1.0 and np.array_equal(drawn.points, shown.points)
