"""Advection that dominates in the elements: oscillations, what takes them away, and what that leaves as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import InteriorPenalty, make_dynamics
from neuralpde.dynamics._interior_penalty import PenalisedForm
from neuralpde.fields import Jet
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.integrators import ImplicitMidpoint
from neuralpde.problems import AdvectionDiffusion, BoundaryLayer, Heat
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, load_solution, simulate, solve
from neuralpde.simulate._fluxes import flux_table
from neuralpde.types import UsageError

ON = InteriorPenalty()


def layer(kind: str, n: int, kappa: float, distort: float = 0.2) -> AdvectionDiffusion:
    velocity = (1.0, 0.0, 0.0)[: 3 if kind in ("tetra", "hexahedron") else 2]
    return AdvectionDiffusion(
        velocity,
        kappa,
        0.0,
        solution=BoundaryLayer(1.0, kappa),
        domain=MeshDomain(unit_mesh(kind, n, distort)),
        conditions=(Dirichlet(0.0, "x-"), Dirichlet(1.0, "x+"), Flux(0.0)),
        steady=True,
    )


def away_from_the_layer(run: Solution, share: float = 0.7) -> float:
    """The largest error in that share of the domain, where the exact solution is next to nothing."""
    x = run.problem.domain.lattice(4000).points
    x = x[x[:, 0] < share]
    exact = run.problem.exact(0.0, x)
    assert exact is not None
    return float((run.at(0.0)(x) - exact).abs().max())


@pytest.mark.parametrize(("kind", "degree"), [("triangle", 1), ("triangle", 2), ("quad", 1), ("tetra", 1)])
def test_a_boundary_layer_thinner_than_an_element(kind: str, degree: int) -> None:
    problem = layer(kind, 20 if kind != "tetra" else 8, 1e-4)
    r = FiniteElementField.for_problem(problem, degree)
    plain, steadied = solve(problem, r), solve(problem, r, stabilisation=ON)
    share, bound = (0.7, 0.2) if kind != "tetra" else (0.5, 0.4)  # four of eight elements from the layer
    assert away_from_the_layer(steadied, share) <= bound
    assert away_from_the_layer(plain, share) >= 10 * away_from_the_layer(steadied, share)
    assert "the element Péclet number" in plain.notes[0] and "InteriorPenalty" in plain.summary()
    assert steadied.notes == ()
    table = steadied.fluxes()
    total = sum(float(v[0]) for name, v in table.items() if name.startswith("flux"))
    assert abs(total - float(table["source"][0])) <= 1e-10


def test_fluxes_are_of_the_equations_that_were_solved(tmp_path: Path) -> None:
    """Options go with the run; a file has them in words only, and they are asked for."""
    problem = layer("triangle", 8, 1e-3)
    run = solve(problem, FiniteElementField.for_problem(problem, 1), stabilisation=ON)
    table, loaded = run.fluxes(), load_solution(run.save(tmp_path / "run.h5"), problem)
    with pytest.raises(UsageError, match=r"made with stabilisation=InteriorPenalty\(.*pass that again"):
        loaded.fluxes()
    again = loaded.fluxes(stabilisation=ON)
    for name, column in table.items():
        np.testing.assert_allclose(again[name], column, rtol=1e-12, atol=1e-14)
    plain = flux_table(problem, run.representation, run.times, run.states)
    assert max(abs(float(plain[name][0] - table[name][0])) for name in table) >= 1e-4


@pytest.mark.parametrize("degree", [1, 2])
def test_a_resolved_layer_keeps_its_order(degree: int) -> None:
    errors = []
    for n in (8, 16):
        problem = layer("triangle", n, 0.5, distort=0.0)
        run = solve(problem, FiniteElementField.for_problem(problem, degree), stabilisation=ON)
        q = problem.domain.lattice(20000)
        error = run.at(0.0)(q.points) - problem.exact(0.0, q.points)
        errors.append(float(q.weights @ error.square()[:, 0]) ** 0.5)
    assert orders(errors)[0] >= degree + 1 - 0.15
    assert solve(problem, FiniteElementField.for_problem(problem, degree)).notes == ()


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "triangle6"])
def test_smooth_fields_are_not_penalised(kind: str) -> None:
    """A linear field has no jumps; the matrix is symmetric, not negative, and keeps constants."""
    problem = layer(kind, 3, 0.1, distort=0.2 if kind != "triangle6" else 0.05)
    r = FiniteElementField.for_problem(problem, 2 if kind != "triangle6" else 1)
    form = PenalisedForm(problem, r, ON)
    linear = 1 + r.nodes @ torch.arange(1.0, r.dim + 1, dtype=torch.float64)
    size = abs(form.matrix).max()
    if kind != "triangle6":  # straight lines are no polynomials of curved elements
        assert abs(form.matrix @ linear.numpy()).max() <= 1e-12 * size * 10
    dense = torch.from_numpy(form.matrix.toarray())
    assert float((dense - dense.T).abs().max()) <= 1e-14 * size and float(dense.sum(0).abs().max()) <= 1e-12 * size
    assert float(torch.linalg.eigvalsh(dense).min()) >= -1e-12 * size


def test_it_serves_steps_in_time_and_its_jacobian_is_exact() -> None:
    problem = replace(layer("triangle", 8, 1e-4), steady=False, profile=lambda x: x[:, :1] ** 2)
    r = FiniteElementField.for_problem(problem, 1)
    run = simulate(problem, r, ImplicitMidpoint(), dt=0.05, t_end=2.0, save_every=40, stabilisation=ON)
    assert away_from_the_layer(run) >= 0 and float(run.at(2.0)(problem.domain.lattice(500).points).abs().max()) < 2.0
    assert all(info.iterations <= 3 for info in run.infos)
    dynamics = make_dynamics(problem, r, stabilisation=ON)
    values = torch.rand(len(r.nodes), 1, dtype=torch.float64)
    matrix = dynamics.form.jacobian(0.0, values)[1]
    step = torch.zeros_like(values)
    step[r.free] = torch.rand(len(r.free), 1, dtype=torch.float64)
    change = (dynamics.form.residual(0.0, values + step) - dynamics.form.residual(0.0, values))[r.free, 0]
    torch.testing.assert_close(torch.from_numpy(matrix @ step[r.free, 0].numpy()), change, rtol=1e-10, atol=1e-12)


def test_what_it_does_not_serve() -> None:
    with pytest.raises(UsageError, match="strength of an interior penalty must be positive; got 0"):
        InteriorPenalty(0.0)

    class Steep(Heat):
        def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return super().flux(t, x, u) + 0.5 * u.value[..., None] ** 2

    problem = Steep(domain=MeshDomain(unit_mesh("triangle", 2)), conditions=(Dirichlet(0.0),))
    with pytest.raises(UsageError, match="needs a flux that is linear in u, and that of Steep is not"):
        make_dynamics(problem, FiniteElementField.for_problem(problem, 1), stabilisation=ON)
