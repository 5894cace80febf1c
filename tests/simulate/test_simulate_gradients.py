"""The flux as one looks at it: averaged gradients of finite elements, in pictures and files."""

from __future__ import annotations

import math
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Flux, Mesh, MeshDomain
from neuralpde.problems import ByPart, LinearElasticity, Poisson
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, quantity_names, solve
from neuralpde.simulate._gradients import smooth_jet
from neuralpde.types import UsageError


def made(n: int, degree: int = 1) -> Solution:
    p = Poisson(domain=MeshDomain(unit_mesh("triangle", n)))
    return solve(p, FiniteElementField.for_problem(p, degree=degree))


def gradient_errors(n: int) -> tuple[float, float]:
    """Root mean square errors of the averaged gradient and of the elements' own, away from the boundary."""
    run = made(n)
    x = 0.15 + 0.7 * torch.rand(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    s, c = torch.sin(math.pi * x), torch.cos(math.pi * x)
    exact = math.pi * torch.stack([c[:, 0] * s[:, 1], s[:, 0] * c[:, 1]], dim=1)
    field, needs = run.at(0.0), frozenset({"value", "grad"})
    smooth, plain = smooth_jet(run.problem, field)(x, needs).grad[:, 0], field.jet(x, needs).grad[:, 0]
    return tuple(float((g - exact).square().mean().sqrt()) for g in (smooth, plain))  # type: ignore[return-value]


def test_averaged_gradients_gain_half_an_order_at_least() -> None:
    (coarse, _), (fine, plain) = gradient_errors(12), gradient_errors(24)
    assert math.log2(coarse / fine) >= 1.5
    assert fine <= 0.3 * plain


def test_averages_stay_on_their_side_of_a_jump() -> None:
    # κ = 1 on the left and 10 on the right: u' is 20/11 and 2/11, the flux −20/11 everywhere
    mesh = unit_mesh("triangle", 8)
    right = np.flatnonzero(mesh.points[mesh.cells].mean(1)[:, 0] > 0.5)
    left = np.setdiff1d(np.arange(len(mesh.cells)), right)
    two = Mesh(mesh.points, mesh.cells, mesh.kind, {"left half": left, "right half": right}, mesh.tags)
    assert np.allclose(mesh.points[mesh.cells[left]].max(1)[:, 0].max(), 0.5)
    ends = {"x-": 0.0, "x+": 1.0}
    conditions = (*(Dirichlet(v, on=k) for k, v in ends.items()), Flux(0.0))
    kappa = ByPart({"left half": 1.0, "right half": 10.0})
    p = Poisson(domain=MeshDomain(two), source_term=0.0, diffusivity=kappa, conditions=conditions)
    run = solve(p, FiniteElementField.for_problem(p, degree=1))
    x = torch.tensor([[0.49, 0.3], [0.51, 0.3], [0.2, 0.7]], dtype=torch.float64)
    grad = smooth_jet(run.problem, run.at(0.0))(x, frozenset({"value", "grad"})).grad[:, 0, 0]
    assert grad.tolist() == pytest.approx([20 / 11, 2 / 11, 20 / 11], abs=1e-9)


def test_the_flux_is_shown_and_written(tmp_path: Path) -> None:
    run = made(12, degree=2)
    samples = run.samples(quantity="flux magnitude", points=21)
    assert samples.labels == ("flux magnitude",) and samples.velocity is not None
    assert samples.exact is not None and np.abs(samples.values - samples.exact).max() < 0.05
    assert run.samples(quantity="flux").labels == ("flux_x", "flux_y")
    assert run.plot(tmp_path / "flux.png", quantity="flux magnitude").stat().st_size > 10_000
    run.export(tmp_path / "run.pvd")
    written = meshio.read(tmp_path / "run_0000.vtu")
    x, flux = written.points, written.point_data["flux"]
    exact = -math.pi * np.cos(math.pi * x[:, 0]) * np.sin(math.pi * x[:, 1])
    assert np.abs(flux[:, 0] - exact).max() < 0.05


def test_fluxes_of_several_unknowns_are_not_offered() -> None:
    assert "flux" in quantity_names(made(2).problem)
    assert "flux" not in quantity_names(LinearElasticity())
    with pytest.raises(UsageError, match="flux magnitude"):
        made(2).samples(quantity="heat")
