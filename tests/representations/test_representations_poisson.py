"""Poisson's equation through ``solve``: order of accuracy on grids, accuracy on neural fields, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from tables import SQUARE, UNIT, Hill, hill_slope, orders

from neuralpde.dynamics import Newton
from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import Box, Dirichlet, Neumann, Periodic
from neuralpde.integrators import RK4
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Heat, Poisson, ProductOfSines
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import simulate, solve
from neuralpde.types import NotConvergedError, Status, UsageError


def _hill(t: float, x: torch.Tensor) -> torch.Tensor:
    return Hill()(x)


def _mixed(domain: Box) -> Poisson:
    conditions = (Dirichlet(_hill, "x-"), Neumann(hill_slope(0, 1.0), "x+"))
    if domain.dim == 2:
        conditions += (Neumann(hill_slope(1, -1.0), "y-"), Dirichlet(_hill, "y+"))
    return Poisson(solution=Hill(), domain=domain, conditions=conditions)


class Ripple:
    """sin(5x + 0.3), times cos(4y + 0.2) in 2D. With a slower field the error of an order 6 Neumann closure (h⁷ in the
    solution, with a large factor) and that of the inner stencil (h⁶) cancel at one of the levels above rounding, and
    no slope can be read from them."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(5 * x[:, :1] + 0.3) * torch.cos(4 * x[:, 1:] + 0.2).prod(-1, keepdim=True)

    def laplacian(self, x: torch.Tensor) -> torch.Tensor:
        return -(25 + 16 * (x.shape[1] - 1)) * self(x)


def _ripple(t: float, x: torch.Tensor) -> torch.Tensor:
    return Ripple()(x)


def _ripple_slope(axis: int, sign: float):
    return lambda t, x: sign * autodiff_jet(Ripple(), x, frozenset({"grad"})).grad[..., axis]


def _rippled(walls: str, domain: Box) -> Poisson:
    slopes = {"x+": (0, 1.0), "y-": (1, -1.0)} if walls == "mixed" else {}
    neumann = [Neumann(_ripple_slope(*slope), face) for face, slope in slopes.items() if face in domain.faces]
    return Poisson(solution=Ripple(), domain=domain, conditions=(*neumann, Dirichlet(_ripple)))


@pytest.mark.parametrize("domain", [UNIT, SQUARE], ids=["1D", "2D"])
@pytest.mark.parametrize("walls", ["dirichlet", "mixed"])
@pytest.mark.parametrize("order", [2, 6])
def test_grids_reach_their_order(order: int, walls: str, domain: Box) -> None:
    problem, errors = _rippled(walls, domain), []
    levels = (9, 17, 33, 65) if order == 2 else (23, 31, 41, 55)
    for n in levels:
        solution = solve(problem, GridField.for_problem(problem, n, order=order))
        r = solution.representation
        errors.append(float((r.at(solution.last.theta)(r.points) - problem.exact(0.0, r.points)).abs().max()))
    assert errors[-1] > 1e-11
    assert orders(errors, (levels[-1] - 1) / (levels[-2] - 1))[-1] >= order - 0.15, errors


@pytest.mark.parametrize("linear", ["fast", "direct", "cg", "gmres"])
def test_linear_solvers_agree(linear: str) -> None:
    problem = Poisson(domain=SQUARE)
    r = GridField.for_problem(problem, 15)
    reference = solve(problem, r, newton=Newton(linear="direct")).last.theta
    other = solve(problem, r, newton=Newton(linear=linear)).last.theta
    torch.testing.assert_close(other, reference, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (Poisson(domain=UNIT), {"hidden": (8,), "steepness": 5.0}),
        (Poisson(domain=SQUARE), {"hidden": (16,), "steepness": 4.0}),
        (_mixed(UNIT), {"hidden": (6,), "steepness": 4.0, "fit": GaussNewton(maxiter=40, damping=1e-3)}),
        (_mixed(SQUARE), {"hidden": (8,), "steepness": 4.0, "fit": GaussNewton(maxiter=40, damping=1e-3)}),
    ],
    ids=["1D", "2D", "1D mixed", "2D mixed"],
)
def test_neural_fields_solve_it(problem: Poisson, options: dict) -> None:
    fit = {"fit": options["fit"]} if "fit" in options else {}
    network = {name: value for name, value in options.items() if name != "fit"}
    solution = solve(problem, NeuralField.for_problem(problem, **network), **fit)
    assert solution.error(points=41)["rel_l2"] <= 1e-5
    assert solution.status is Status.COMPLETED and solution.infos[0].iterations > 0


@pytest.mark.parametrize("conditions", [(Neumann(0.0),), (Periodic(),), (Periodic("x"), Neumann(1.0))], ids=str)
@pytest.mark.parametrize("order", [2, 6, None])
def test_a_solution_up_to_a_constant_is_refused(conditions: tuple, order: int | None) -> None:
    problem = Poisson(
        solution=None, source_term=lambda x: torch.cos(2 * math.pi * x[:, :1]), domain=SQUARE, conditions=conditions
    )
    r = NeuralField.for_problem(problem) if order is None else GridField.for_problem(problem, 12, order=order)
    with pytest.raises(UsageError, match=r"up to a constant \(no face carries a Dirichlet condition\): give u on one"):
        solve(problem, r)


class Screened(Poisson):
    """0 = Δu − u + f: determined by slopes alone."""

    def rhs(self, t, x, u: Jet):
        return u.laplacian - u.value + self.source(t, x, u)

    def source(self, t, x, u):
        return 5 * Hill()(x)


def test_a_screened_equation_is_determined_without_walls() -> None:
    conditions = tuple(Neumann(hill_slope("xy".index(f[0]), 1.0 if f[1] == "+" else -1.0), f) for f in SQUARE.faces)
    problem = Screened(solution=Hill(), domain=SQUARE, conditions=conditions)
    assert solve(problem, GridField.for_problem(problem, 25, order=6)).error(points=31)["max_error"] <= 1e-6


def test_a_good_guess_needs_one_look() -> None:
    problem = Poisson(domain=UNIT)
    r = GridField.for_problem(problem, 30, order=6)
    first = solve(problem, r)
    again = solve(problem, r, guess=first.last.theta)
    assert again.infos[0].iterations == 0 and torch.equal(again.last.theta, first.last.theta)


def test_the_iteration_limit_is_met_and_the_misfit_reported() -> None:
    problem = Poisson(domain=UNIT)
    r = NeuralField.for_problem(problem, hidden=(6,))
    solution = solve(problem, r, fit=GaussNewton(maxiter=3, damping=1e-3, accept=math.inf))
    x = r.quadrature().points
    f = problem.rhs(0.0, x, r.at(solution.last.theta).jet(x, problem.needs))
    assert solution.infos[0].iterations == 3
    assert solution.infos[0].residual == pytest.approx(float(f.square().mean().sqrt()), rel=1e-9)


def test_a_fit_that_did_not_come_close_has_failed() -> None:
    problem = Poisson(domain=UNIT)
    r = NeuralField.for_problem(problem, hidden=(6,))
    with pytest.raises(NotConvergedError, match=r"Poisson: a fit used its iterations .*maxiter of fit") as caught:
        solve(problem, r, fit=GaussNewton(maxiter=1))
    assert caught.value.result.status is Status.UNFINISHED_FIT and "preconditioner" not in str(caught.value)
    heat = Heat()
    field = NeuralField.for_problem(heat, hidden=(6,))
    with pytest.raises(NotConvergedError, match=r"Heat, first fit \(root mean square misfit .*\): a fit used its iter"):
        simulate(heat, field, RK4(), dt=0.01, t_end=0.02, initial_fit={"options": GaussNewton(1)})


def test_a_source_is_not_forgotten() -> None:
    """−Δu = 5 on the unit square: u(½, ½) = 5 · 0.0736713532814 (Timoshenko's torsion series)."""
    plate = Poisson(source_term=5.0)
    run = solve(plate, GridField.for_problem(plate, 65, order=2))
    assert float(run.probe([[0.5, 0.5]])) == pytest.approx(5 * 0.0736713532814, rel=5e-4)
    assert plate.exact(0.0, torch.rand(3, 2)) is None
    assert Poisson().solution == ProductOfSines()


def test_the_source_of_a_plain_solution_is_differentiated() -> None:
    problem = Poisson(solution=lambda x: torch.sin(math.pi * x[:, :1]) * torch.sin(math.pi * x[:, 1:]))
    assert solve(problem, GridField.for_problem(problem, 33, order=6)).error(points=33)["rel_l2"] <= 1e-6


def test_high_modes_on_a_grid() -> None:
    problem = Poisson(solution=ProductOfSines(3.0))
    assert solve(problem, GridField.for_problem(problem, 33, order=6)).error(points=33)["rel_l2"] <= 1e-4
