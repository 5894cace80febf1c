"""Pictures of solids show them deformed, and by how much it is enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.plot import triangulation
from neuralpde.problems import LinearElasticity
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, compare, solve
from neuralpde.simulate._deformed import magnification_of
from neuralpde.types import UsageError


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
    assert samples.triangulation is not None and samples.caption.endswith("displacements × 20")
    rest = samples.triangulation.points
    assert np.allclose(samples.placed(0), rest + 20 * 0.003 * rest[:, 1:] * [1, 0])
    assert np.allclose(samples.values[0, :, 0], 0.003 * rest[:, 1])
    assert samples.box[1][0] == pytest.approx(1.06)


def test_a_scale_of_ones_own(sheared: Solution, tmp_path: Path) -> None:
    samples = sheared.samples(magnification=1.0)
    assert samples.caption == "LinearElasticity" and samples.box[1][0] == pytest.approx(1.003)
    assert sheared.plot(tmp_path / "u.png", magnification=3.0).stat().st_size > 5000
    with pytest.raises(UsageError, match="a factor of 0 or more; got -1"):
        sheared.samples(magnification=-1.0)


def test_a_body_compared_has_one_scale(sheared: Solution, tmp_path: Path) -> None:
    assert compare({"a": sheared, "b": sheared}, tmp_path / "both.png").stat().st_size > 5000


@pytest.mark.parametrize(("largest", "scale"), [(0.1, 1.0), (0.03, 1.0), (0.003, 20.0), (7e-7, 1e5), (40.0, 1.0)])
def test_scales_are_round(largest: float, scale: float) -> None:
    shown = triangulation(unit_mesh("triangle", 2))
    assert magnification_of(shown, largest * np.eye(len(shown.points), 2)) == pytest.approx(scale)


def test_a_body_at_rest_stays() -> None:
    shown = triangulation(unit_mesh("triangle", 2))
    assert magnification_of(shown, np.zeros_like(shown.points)) == 1.0


def test_components_are_quantities_too(sheared: Solution) -> None:
    samples = sheared.samples(quantity="displacement_x")
    assert samples.labels == ("displacement_x",)
    assert np.allclose(samples.values[0, :, 0], 0.003 * samples.triangulation.points[:, 1])  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="did you mean displacement_y"):
        sheared.samples(quantity="displacment_y")
