"""Finite elements: exactness, orders, conditions, balances, time stepping, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import Newton, check_pair, make_dynamics
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.fields import Jet
from neuralpde.geometry import (
    ELEMENTS,
    Box,
    Condition,
    Dirichlet,
    Flux,
    Mesh,
    MeshDomain,
    Neumann,
    Robin,
    repair_mesh,
)
from neuralpde.integrators import RK4, SDIRK4, Heun, ImplicitEuler, ImplicitMidpoint, Integrator, State
from neuralpde.problems import Heat, Poisson, Problem, SineMode
from neuralpde.representations import FiniteElementField, MacGrid
from neuralpde.simulate import load_solution, simulate, solve
from neuralpde.types import UsageError

KINDS = [name for name, element in ELEMENTS.items() if element.dim > 1]
ON = dict[str, Callable[[Tensor], Tensor]]


def l2_error(problem: Problem, field: Callable[[Tensor], Tensor], t: float = 0.0, n: int = 4000) -> float:
    q = problem.domain.lattice(n)
    exact = problem.exact(t, q.points)
    assert exact is not None
    return math.sqrt(float(q.weights @ (field(q.points) - exact).square().sum(1)))


def linear(x: Tensor) -> Tensor:
    return 1 + x @ torch.arange(1.0, x.shape[1] + 1, dtype=x.dtype)[:, None]


def quadratic(x: Tensor) -> Tensor:
    return x[:, :1] ** 2 - 2 * x[:, :1] * x[:, 1:2] + 0.5 * x[:, 1:2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("degree", [1, 2])
def test_patches_on_distorted_meshes(kind: str, degree: int) -> None:
    """Polynomials of the elements' degree are solved for exactly."""
    u = quadratic if degree == 2 and ELEMENTS[kind].shape in ("triangle", "tetrahedron") else linear
    domain = MeshDomain(unit_mesh(kind, 3, distort=0.25))
    conditions = (Dirichlet(lambda t, x: u(x)),)
    problem = Poisson(solution=u, domain=domain, conditions=conditions)
    found = solve(problem, FiniteElementField.for_problem(problem, degree)).at(0.0)
    x = domain.lattice(300).points
    assert float((found(x) - u(x)).abs().max()) <= 1e-12
    slope = found.jet(x, frozenset({"value", "grad"})).grad
    wanted = torch.func.vmap(torch.func.jacrev(lambda p: u(p[None])[0]))(x)
    assert float((slope - wanted).abs().max()) <= 1e-11


@pytest.mark.parametrize(("kind", "degree"), [("triangle", 1), ("triangle", 2), ("quad", 1), ("quad", 2)])
def test_orders_in_space(kind: str, degree: int) -> None:
    errors = []
    for n in (8, 16, 32):
        problem = Poisson(domain=MeshDomain(unit_mesh(kind, n)))
        found = solve(problem, FiniteElementField.for_problem(problem, degree)).at(0.0)
        errors.append(l2_error(problem, found, n=40000))
    assert min(orders(errors)) >= degree + 1 - 0.15


@pytest.mark.parametrize("degree", [1, 2])
def test_orders_in_space_in_3d(degree: int) -> None:
    errors = []
    for n in (4, 8):
        problem = Poisson(domain=MeshDomain(unit_mesh("tetra", n)))
        errors.append(
            l2_error(problem, solve(problem, FiniteElementField.for_problem(problem, degree)).at(0.0), n=20000)
        )
    assert orders(errors)[0] >= degree + 1 - 0.25


@dataclass(frozen=True)
class Wave:
    """sin(x + 2 y), nowhere zero with its slopes on the faces."""

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(x[:, :1] + 2 * x[:, 1:2])

    def slope(self, x: Tensor) -> Tensor:
        return torch.cos(x[:, :1] + 2 * x[:, 1:2]) * x.new_tensor([1.0, 2.0])


WAVE = Wave()


def outward(axis: int, sign: float) -> Callable[[float, Tensor], Tensor]:
    return lambda t, x: sign * WAVE.slope(x)[:, axis : axis + 1]


MIXED: dict[str, tuple[Condition, ...]] = {
    "Neumann": (Neumann(outward(0, 1.0), on="x+"), Neumann(outward(1, 1.0), on="y+")),
    "Flux": (Flux(lambda t, x: -WAVE.slope(x)[:, :1], on="x+"), Flux(lambda t, x: -WAVE.slope(x)[:, 1:], on="y+")),
    # n·f = α (u − v) with n·f = −∂u/∂n gives the surrounding's value v
    "Robin": (
        Robin(2.0, lambda t, x: WAVE(x) + WAVE.slope(x)[:, :1] / 2, on="x+"),
        Robin(3.0, lambda t, x: WAVE(x) + WAVE.slope(x)[:, 1:] / 3, on="y+"),
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_natural_conditions(name: str) -> None:
    errors = []
    for n in (8, 16):
        rest = Dirichlet(lambda t, x: WAVE(x), on=("x-", "y-"))
        problem = Poisson(solution=WAVE, domain=MeshDomain(unit_mesh("triangle", n)), conditions=(*MIXED[name], rest))
        errors.append(l2_error(problem, solve(problem, FiniteElementField.for_problem(problem, 2)).at(0.0)))
    assert orders(errors)[0] >= 2.85 and errors[-1] < 2e-5


@dataclass(frozen=True)
class Layered(Problem):
    """0 = ∇·κ∇u with κ = 1 on the left half and 10 on the right."""

    domain: MeshDomain
    conditions: tuple[Condition, ...] = (Dirichlet(0.0, on="x-"), Dirichlet(1.0, on="x+"), Flux(0.0))
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -torch.where(x[:, :1] < 0.5, 1.0, 10.0)[..., None] * u.grad


def test_a_discontinuous_coefficient_keeps_the_balance_of_fluxes() -> None:
    problem = Layered(MeshDomain(unit_mesh("triangle", 6)))
    r = FiniteElementField.for_problem(problem, 1)
    found = solve(problem, r)
    # u is linear in each half; the flux is 1 / (0.5/1 + 0.5/10)
    x = problem.domain.lattice(500).points
    through = 1 / (0.5 + 0.05)
    exact = torch.where(x[:, :1] < 0.5, through * x[:, :1], 1 - through / 10 * (1 - x[:, :1]))
    assert float((found.at(0.0)(x) - exact).abs().max()) <= 1e-12
    # reactions: the weak residual at the Dirichlet nodes is what flows in and out there
    rest = WeakForm(problem, r).residual(0.0, r.values(found.last.theta, 0.0))[:, 0]
    left, right = (float(rest[r.nodes[:, 0] == side].sum()) for side in (0.0, 1.0))
    assert abs(left + right) <= 1e-10 and abs(abs(left) - through) <= 1e-10


def test_a_nonlinear_problem_converges_quadratically() -> None:
    @dataclass(frozen=True)
    class Bratu(Problem):
        domain: MeshDomain
        conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
        time_order: ClassVar[int] = 0
        needs: ClassVar[frozenset[str]] = frozenset({"grad"})

        def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return -(1 + u.value[..., None] ** 2) * u.grad

        def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return 2 * torch.exp(u.value)

    problem = Bratu(MeshDomain(unit_mesh("triangle", 8)))
    found = solve(problem, FiniteElementField.for_problem(problem, 2))
    # with a Jacobian that is off, Newton's method takes tens of iterations
    assert found.status.ok and found.infos[0].iterations <= 6
    fine = replace(problem, domain=MeshDomain(unit_mesh("triangle", 16)))
    better = solve(fine, FiniteElementField.for_problem(fine, 2))
    centre = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert abs(float(found.at(0.0)(centre) - better.at(0.0)(centre))) < 1e-4


HEAT = Heat(
    domain=MeshDomain(unit_mesh("triangle", 6)),
    conditions=(Dirichlet(0.0),),
    profile=SineMode((2.0,), (1.0,)),
    diffusivity=0.1,
)


@pytest.mark.parametrize(
    ("integrator", "order", "steps"),
    [(ImplicitEuler(), 1, 5), (ImplicitMidpoint(), 2, 5), (SDIRK4(), 4, 2), (Heun(), 2, 200), (RK4(), 4, 160)],
    ids=repr,
)
def test_orders_in_time(integrator: Integrator, order: int, steps: int) -> None:
    """Against the same elements with a much finer step: the error in time alone."""
    r = FiniteElementField.for_problem(HEAT, 1)

    def end(k: int, method: Integrator = integrator) -> Tensor:
        return simulate(HEAT, r, method, dt=0.5 / k, t_end=0.5, save_every=10**6).last.theta

    exact = end(64, SDIRK4())
    errors = [float((end(k) - exact).norm() / exact.norm()) for k in (steps, 2 * steps)]
    assert orders(errors)[0] >= order - 0.15 or errors[1] < 1e-9


def test_boundary_data_that_move_in_time() -> None:
    """u = e^t x y solves u_t = Δu + e^t x y with data that grow."""

    @dataclass(frozen=True)
    class Growing(Problem):
        domain: MeshDomain
        conditions: tuple[Condition, ...] = (Dirichlet(lambda t, x: math.exp(t) * x.prod(1, keepdim=True)),)
        needs: ClassVar[frozenset[str]] = frozenset({"grad"})

        def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return -u.grad

        def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return math.exp(t) * x.prod(1, keepdim=True)

        def initial(self, x: Tensor) -> Tensor:
            return x.prod(1, keepdim=True)

        def exact(self, t: float, x: Tensor) -> Tensor:
            return math.exp(t) * x.prod(1, keepdim=True)

    problem = Growing(MeshDomain(unit_mesh("triangle", 4)))
    r = FiniteElementField.for_problem(problem, 2)  # holds x y exactly
    errors = []
    for dt in (0.1, 0.05):
        run = simulate(problem, r, ImplicitMidpoint(), dt=dt, t_end=0.5)
        errors.append(l2_error(problem, run.at(0.5), 0.5, 500))
    assert orders(errors)[0] >= 1.85 and errors[1] < 2e-4


def test_cg_and_lu_agree() -> None:
    problem = Poisson(domain=MeshDomain(unit_mesh("triangle", 16)))
    r = FiniteElementField.for_problem(problem, 2)
    found = [solve(problem, r, newton=Newton(linear=name)).last.theta for name in ("direct", "cg", "gmres")]
    for other in found[1:]:
        assert float((other - found[0]).norm() / found[0].norm()) <= 1e-9


def test_mass_and_laplace_are_what_they_say() -> None:
    for kind in ("triangle6", "tetra", "quad9"):
        r = FiniteElementField(MeshDomain(unit_mesh(kind, 2, distort=0.1)), degree=2)
        u = quadratic(r.nodes)[:, 0].numpy()
        ones = np.ones(len(u))
        q = r.domain.lattice(20000)
        assert math.isclose(ones @ r.mass() @ u, float(q.weights @ quadratic(q.points)[:, 0]), rel_tol=1e-6)
        assert np.abs(r.laplace() @ ones).max() < 1e-12


def test_what_cannot_be_solved_is_refused() -> None:
    free = Poisson(domain=MeshDomain(unit_mesh("triangle", 2)), source_term=1.0, conditions=(Flux(0.0),))
    with pytest.raises(UsageError, match="fixes u only up to a constant: give u"):
        solve(free, FiniteElementField.for_problem(free))
    two = np.concatenate([unit_mesh("triangle", 2).points, unit_mesh("triangle", 2).points + 5])
    cells = unit_mesh("triangle", 2).cells
    mesh = repair_mesh(Mesh(two, np.concatenate([cells, cells + 9])))
    corners = mesh.points[mesh.facet_nodes(mesh.boundary)].mean(1)
    near = mesh.boundary[corners[:, 0] < 2]
    island = MeshDomain(replace(mesh, tags={"near": near}))
    apart = Poisson(domain=island, source_term=1.0, conditions=(Dirichlet(0.0, on="near"), Flux(0.0)))
    with pytest.raises(UsageError, match="on a part of the mesh that nothing else joins"):
        solve(apart, FiniteElementField.for_problem(apart))
    with pytest.raises(UsageError, match="finite elements need a mesh"):
        FiniteElementField(Box((0.0, 0.0), (1.0, 1.0)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="degree 1 or 2; got 3"):
        FiniteElementField.for_problem(free, 3)
    with pytest.raises(UsageError, match="no condition on x\\+"):
        bare = Poisson(domain=free.domain, source_term=1.0, conditions=(Dirichlet(0.0, on=("x-", "y-", "y+")),))
        solve(bare, FiniteElementField.for_problem(bare))

    @dataclass(frozen=True)
    class NoFlux(Problem):
        domain: MeshDomain
        needs: ClassVar[frozenset[str]] = frozenset({"value"})

        def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return -u.value

    with pytest.raises(UsageError, match="states no flux"):
        make_dynamics(NoFlux(free.domain), FiniteElementField(free.domain))


def test_explicit_stages_keep_the_mass() -> None:
    """Without flux through the boundary ∫ u stays what it is."""
    problem = replace(HEAT, conditions=(Flux(0.0),), profile=lambda x: 1 + x[:, :1] ** 2)
    r = FiniteElementField.for_problem(problem, 2)
    dynamics = make_dynamics(problem, r)
    theta = r.project(problem.initial).theta
    stage = dynamics.explicit(State(0.0, theta), ((1e-3, dynamics.slope(0.0, theta)),), 1e-3)
    ones = np.ones(r.tables.num_nodes)
    before, after = (ones @ r.mass() @ r.values(v, 0.0)[:, 0].numpy() for v in (theta, stage.theta))
    assert stage.status.ok and abs(after - before) <= 1e-12 and abs(float((stage.theta - theta).abs().max())) > 1e-5


def test_a_run_is_saved_and_goes_on(tmp_path: Path) -> None:
    r = FiniteElementField.for_problem(HEAT, 2)
    run = simulate(HEAT, r, SDIRK4(), dt=0.125, t_end=0.25)
    loaded = load_solution(run.save(tmp_path / "heat.h5"), HEAT)
    assert torch.equal(loaded.states, run.states) and loaded.representation.config() == r.config()
    more = simulate(HEAT, loaded.representation, SDIRK4(), dt=0.125, t_end=0.375, restart=loaded.last)
    whole = simulate(HEAT, r, SDIRK4(), dt=0.125, t_end=0.375)
    assert torch.equal(more.states[-1], whole.states[-1])
    assert whole.error()["rel_l2"] < 5e-3


def test_a_mesh_takes_no_grid_of_flows() -> None:
    with pytest.raises(UsageError, match="use FiniteElementField"):
        check_pair(HEAT, MacGrid)
