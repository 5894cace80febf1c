"""Marching in time: times met, states kept, restarts, interruptions, what is refused."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
from dataclasses import dataclass

import pytest
import torch
from tables import UNIT, Forced

from neuralpde.dynamics import DiscreteDynamics, GalerkinDynamics
from neuralpde.geometry import Box, Dirichlet, Periodic
from neuralpde.integrators import RK4, Euler, ImplicitEuler, ImplicitMidpoint, LieSplitting, State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Advection, Heat, Poisson, Problem, SineMode, TaylorGreen
from neuralpde.representations import GridField, MacGrid, NeuralField
from neuralpde.simulate import load_solution, simulate, solve
from neuralpde.types import NonFiniteError, NotConvergedError, Status, UsageError

FEW = {
    "initial_fit": {"options": GaussNewton(20, damping=1e-4, accept=math.inf)},
    "fit": GaussNewton(maxiter=3, accept=math.inf),
}


def _grid(problem=None, n: int = 16) -> GridField:
    return GridField.for_problem(problem or Heat(), n, order="fourier")


@pytest.mark.parametrize(
    ("dt", "t_end", "steps"),
    [(0.1, 1.0, 10), (0.3, 1.0, 4), (5.0, 1.0, 1), (1 / 3, 1.0, 3), (0.1, 0.3, 3), (0.07, 0.7, 10)],
)
def test_the_last_time_is_met_by_equal_steps_no_longer_than_dt(dt: float, t_end: float, steps: int) -> None:
    run = simulate(Heat(), _grid(), ImplicitMidpoint(), dt=dt, t_end=t_end)
    assert len(run.infos) == steps and float(run.times[-1]) == run.last.t == t_end
    gaps = run.times.diff()
    assert float(gaps.max() - gaps.min()) <= 1e-14 and float(gaps.max()) <= dt * (1 + 1e-12)
    assert run.times.dtype == torch.float64 and run.recipe["dt"] == pytest.approx(t_end / steps)


@pytest.mark.parametrize(("save_every", "kept"), [(1, 8), (2, 5), (3, 4), (7, 2), (100, 2)])
def test_save_every_keeps_the_first_and_last_states(save_every: int, kept: int) -> None:
    whole = simulate(Heat(), _grid(), RK4(), dt=0.001, t_end=0.007)
    run = simulate(Heat(), _grid(), RK4(), dt=0.001, t_end=0.007, save_every=save_every)
    assert run.states.shape == (kept, 16) and len(run.infos) == 7
    wanted = sorted({0, 7, *range(0, 8, save_every)})
    assert torch.equal(run.times, whole.times[wanted]) and torch.equal(run.states, whole.states[wanted])


def _restart_cases():
    forced, heat = Forced(), Heat(profile=SineMode(wavenumbers=(0.5,)), conditions=(Dirichlet(0.0),))
    return {
        "grid, explicit": (forced, _grid(forced), RK4(), {}),
        "grid, implicit": (forced, _grid(forced), ImplicitMidpoint(), {}),
        "grid, walls": (heat, GridField.for_problem(heat, 12), ImplicitMidpoint(), {}),
        "neural field": (heat, NeuralField.for_problem(heat, hidden=(5,)), ImplicitMidpoint(), FEW),
        "neural field, splitting": (
            Advection(),
            NeuralField.for_problem(Advection(), hidden=(5,)),
            LieSplitting(),
            FEW,
        ),
    }


@pytest.mark.parametrize("case", _restart_cases())
@pytest.mark.parametrize("through", ["memory", "a file"])
def test_a_restart_repeats_the_uninterrupted_run_bit_by_bit(case: str, through: str, tmp_path) -> None:
    problem, r, integrator, options = _restart_cases()[case]
    whole = simulate(problem, r, integrator, dt=0.007, t_end=0.07, **options)
    half = simulate(
        problem, r, integrator, dt=0.007, t_end=0.07, progress=lambda k, steps, state, info: k < 4, **options
    )
    assert half.status is Status.INTERRUPTED and len(half.infos) == 4
    if through == "a file":
        half = load_solution(half.save(tmp_path / "half.h5"), problem)
        assert half.status is Status.INTERRUPTED
    rest = simulate(problem, half.representation, integrator, dt=0.007, t_end=0.07, restart=half.last, **options)
    assert torch.equal(rest.last.theta, whole.last.theta) and rest.last.t == whole.last.t
    assert torch.equal(rest.times, whole.times[4:]) and torch.equal(rest.states, whole.states[4:])


def test_the_last_state_remembers_the_one_before() -> None:
    run = simulate(Heat(), _grid(), RK4(), dt=0.001, t_end=0.003)
    ((t, theta),) = run.last.history
    assert t == float(run.times[-2]) and torch.equal(theta, run.states[-2])


def test_a_restart_from_any_time_goes_on_from_there() -> None:
    r = _grid()
    first = simulate(Heat(), r, RK4(), dt=0.003, t_end=0.01)
    rest = simulate(Heat(), r, RK4(), dt=0.004, t_end=0.0231, restart=first.last)
    assert float(rest.times[0]) == 0.01 and float(rest.times[-1]) == pytest.approx(0.0231, rel=1e-15)
    assert rest.error()["rel_l2"] <= 1e-8 and rest.fit_error == 0.0


def test_progress_sees_every_step_and_may_stop() -> None:
    seen = []

    def progress(k, steps, state, info):
        seen.append((k, steps, state.t, info.status))
        return k < 3

    run = simulate(Heat(), _grid(), RK4(), dt=0.001, t_end=0.01, save_every=2, progress=progress)
    assert [(k, steps) for k, steps, *_ in seen] == [(1, 10), (2, 10), (3, 10)]
    assert [t for _, _, t, _ in seen] == pytest.approx([0.001, 0.002, 0.003])
    assert run.status is Status.INTERRUPTED and run.times.tolist() == pytest.approx([0.0, 0.002, 0.003])
    assert "--restart" in run.status.remedy
    told = simulate(Heat(), _grid(), RK4(), dt=0.005, t_end=0.01, progress=lambda *_: None)
    assert told.status is Status.COMPLETED


def test_an_initial_fit_reports_its_error_and_its_time() -> None:
    r = NeuralField.for_problem(Heat(), hidden=(6,))
    run = simulate(Heat(), r, RK4(), dt=0.01, t_end=0.01, **FEW)
    again = r.project(Heat().initial, options=GaussNewton(20, damping=1e-4))
    assert run.fit_error == again.error > 0 and torch.equal(run.states[0], again.theta)
    assert 0 < run.setup_seconds < run.seconds == run.setup_seconds + run.solve_seconds


MISTAKEN = [
    (
        lambda: simulate(Heat(), _grid(), RK4, dt=0.1, t_end=1.0),
        r"integrator must be one of Euler\(\).*function RK4; call",
    ),
    (lambda: simulate(Heat(), _grid(), "rk4", dt=0.1, t_end=1.0), r"integrator must be one of .*; got str 'rk4'"),
    (
        lambda: simulate(Heat(), GridField, RK4(), dt=0.1, t_end=1.0),
        r"representation must be .*the class GridField; call",
    ),
    (
        lambda: simulate(Heat, _grid(), RK4(), dt=0.1, t_end=1.0),
        r"problem must be an instance .*the class Heat; call it",
    ),
    (lambda: solve(Poisson, _grid()), r"problem must be an instance such as Heat\(\); got the class Poisson"),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, restart=3.0),
        r"restart must be a State such as solution.last; got float 3.0",
    ),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, restart=State(0.0, torch.zeros(3))),
        r"the restart has 3 dofs and the representation 16; restart on the representation",
    ),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, save_every=0),
        r"save_every must be .*at least 1; got 0",
    ),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=math.inf), r"t_end must be finite; got inf"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt="0.1", t_end=1.0), r"dt must be a number; got str '0.1'"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=None, t_end=1.0), "dt must be a number; got NoneType"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=True, t_end=1.0), "dt must be a number; got bool True"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end="1"), "t_end must be a number; got str '1'"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=10**400), "t_end must be finite"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=1e-300, t_end=1.0), "^dt = 1e-300 is below the rounding of t_end = 1"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=5e-324, t_end=1.0), "is below the rounding of t_end = 1"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=1e-14, t_end=1.0), r"^1.0e\+14 steps .* keep 1.0e\+14 states"),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, newtom=1),
        r"DiscreteDynamics has the options newton, load_steps; got 'newtom'\. Did you mean 'newton'\?",
    ),
    (
        lambda: simulate(Heat(), NeuralField.for_problem(Heat()), RK4(), dt=0.1, t_end=1.0, method="galerkin", fit=1),
        r"GalerkinDynamics has the options rcond, points, accept; got 'fit'",
    ),
    (
        lambda: simulate(TaylorGreen(), MacGrid.for_problem(TaylorGreen(), 8), RK4(), dt=0.1, t_end=1.0, newton=1),
        r"MacDynamics has no options; got 'newton'",
    ),
    (
        lambda: solve(Poisson(), GridField.for_problem(Poisson(), 9), points=3),
        "has the options newton, load_steps; got 'points'",
    ),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, growth_limit=0.5),
        "growth_limit must be a number of at least 1, or None for no limit; got 0.5",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), MISTAKEN)
def test_a_mistaken_argument_gets_a_sentence(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


INFLOW = Advection(conditions=(Dirichlet(0.0, "x-"),))
REFUSED = [
    (
        lambda: simulate(Poisson(), _grid(), RK4(), dt=0.1, t_end=1.0),
        r"Poisson is steady: use solve\(problem, represen",
    ),
    (
        lambda: solve(Heat(), _grid()),
        r"Heat moves in time: use simulate\(problem, representation, integrator, dt=, t_end",
    ),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.0, t_end=1.0), "dt must be positive; got 0.0"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=float("nan"), t_end=1.0), "dt must be positive; got nan"),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=0.0), "t_end must lie after the start t = 0; got 0"),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, restart=State(1.0, _grid().initial())),
        "t_end must lie after the start t = 1; got 1",
    ),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=1e-9, t_end=1.0),
        r"1000000000 steps with save_every=1 keep 1000000001 states of .* more than 4 GiB .* use save_every=\d+",
    ),
    (lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, method=int), "the methods of a dynamics are"),
    (
        lambda: simulate(Heat(), _grid(), RK4(), dt=0.1, t_end=1.0, method=GalerkinDynamics),
        "'galerkin' does not serve a GridField",
    ),
    (
        lambda: simulate(INFLOW, GridField.for_problem(INFLOW, 16, order=2), LieSplitting(), dt=0.1, t_end=1.0),
        "use RK4 or ImplicitMidpoint here",
    ),
    (lambda: simulate(Heat(), GridField(UNIT), RK4(), dt=0.1, t_end=1.0), "GridField.for_problem"),
]


class Halved(DiscreteDynamics):
    """Everything at half speed."""

    def slope(self, t: float, theta: torch.Tensor, part: str | None = None) -> torch.Tensor:
        return 0.5 * super().slope(t, theta, part)


def test_a_dynamics_of_ones_own_is_marched_like_any_other() -> None:
    half = simulate(Heat(), _grid(), RK4(), dt=1e-3, t_end=0.1, method=Halved)
    slow = simulate(Heat(0.05), _grid(), RK4(), dt=1e-3, t_end=0.1)
    torch.testing.assert_close(half.states[-1], slow.states[-1], rtol=1e-12, atol=1e-14)
    assert half.recipe["method"] == "Halved"


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:25] for _, s in REFUSED])
def test_misuse_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(importlib.import_module("neuralpde.simulate").__path__)]
)
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.simulate.{name}")).failed == 0


@pytest.mark.parametrize("name", ["_field", "_jet"])
def test_docstring_examples_of_fields(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.fields.{name}")).failed == 0


@dataclass(frozen=True)
class Grown(Problem):
    """u_t = growth u + diffusion u_xx + source, from a cosine (``size`` high) or from rest."""

    growth: float = 0.0
    diffusion: float = 0.0
    source: float = 0.0
    size: float = 1.0
    wall: float | None = None
    domain = Box((0.0,), (1.0,))
    needs = frozenset({"value", "laplacian"})

    @property
    def conditions(self):
        if self.wall is None:
            return (Periodic(),)
        return (Dirichlet(lambda t, x: self.wall * t + 0 * x),)

    def rhs(self, t, x, u):
        return self.growth * u.value + self.diffusion * u.laplacian + self.source

    def initial(self, x):
        return self.size * torch.cos(2 * math.pi * x)


class Fisher(Problem):
    """u_t = 0.01 u_xx + u (1 − u), thin enough for explicit steps to fail slowly."""

    domain = Box((0.0,), (1.0,))
    conditions = (Dirichlet(0.0),)
    needs = frozenset({"value", "laplacian"})

    def rhs(self, t, x, u):
        return 0.01 * u.laplacian + u.value * (1 - u.value)

    def initial(self, x):
        return torch.sin(math.pi * x)


def test_a_run_that_blows_up_fails_long_before_infinity() -> None:
    def run(**options):
        return simulate(
            Heat(), GridField.for_problem(Heat(), 64, order="fourier"), RK4(), dt=1e-3, t_end=0.2, **options
        )

    with pytest.raises(NonFiniteError, match=r"Heat, step \d+ of 200 .* beyond all bounds; an explicit step") as caught:
        run()
    left = caught.value.result
    assert left.status is Status.UNSTABLE and left.status.blew_up and float(left.last.theta.abs().max()) <= 1e6
    assert run(raise_on_failure=False).status is Status.UNSTABLE
    assert float(run(growth_limit=None).last.theta.abs().max()) >= 1e100
    assert float(run(growth_limit=1e30, raise_on_failure=False).last.theta.abs().max()) >= 1e20


def test_a_slow_blow_up_fails_too() -> None:
    r = GridField.for_problem(Fisher(), 65, order=6)
    run = simulate(Fisher(), r, Euler(), dt=0.1, t_end=2.0, raise_on_failure=False)
    assert run.status is Status.UNSTABLE and len(run.infos) < 20
    assert simulate(Fisher(), r, ImplicitMidpoint(), dt=0.1, t_end=2.0).status is Status.COMPLETED


SOUND = {
    "growth": Grown(growth=10.0),
    "a strong source": Grown(source=1e9),
    "large values": Grown(growth=1.0, size=1e12),
    "a wall that heats up": Grown(wall=1e9, diffusion=0.01, size=0.0),
    "from rest": Grown(size=0.0),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_run_may_grow(name: str) -> None:
    problem = SOUND[name]
    run = simulate(problem, GridField.for_problem(problem, 16), RK4(), dt=0.01, t_end=1.0)
    assert run.status is Status.COMPLETED


@pytest.mark.parametrize("representation", ["grid", "neural field"])
def test_growth_is_that_of_the_field(representation: str) -> None:
    """e^(40 t) to t = 0.5 is 5e8: too far by default."""
    problem = Grown(growth=40.0)
    if representation == "grid":
        r, options = GridField.for_problem(problem, 16), {}
    else:
        r, options = NeuralField.for_problem(problem, hidden=(4,)), FEW
    run = simulate(problem, r, RK4(), dt=0.025, t_end=0.5, raise_on_failure=False, **options)
    # the scale is the slope at the start times the length of the run: 40 · 0.5
    assert run.status is Status.UNSTABLE and 0.4 <= run.last.t < 0.5, run.last.t
    assert simulate(problem, r, RK4(), dt=0.025, t_end=0.5, growth_limit=1e9, **options).status.ok


def test_an_unstable_flow_is_told_by_its_velocity() -> None:
    flow = TaylorGreen(viscosity=1.0)
    r = MacGrid.for_problem(flow, 16)
    run = simulate(flow, r, RK4(), dt=0.2, t_end=20.0, raise_on_failure=False)
    assert run.status.blew_up and float(r.split(run.last.theta)["velocity"].abs().max()) <= 1e7


@pytest.mark.parametrize("hidden", [(5,), (8, 8)])
def test_a_network_starts_from_zero_everywhere(hidden: tuple[int, ...]) -> None:
    """u_t = u_xx/10 + sin πx between walls at rest: u = (1 − e^{−λt}) sin(πx)/λ, λ = π²/10."""
    heat = Heat(
        profile=torch.zeros_like,
        source_term=lambda x: torch.sin(math.pi * x),
        domain=UNIT,
        conditions=(Dirichlet(0.0),),
    )
    field = NeuralField.for_problem(heat, hidden=hidden, steepness=4)
    run = simulate(heat, field, RK4(), dt=0.02, t_end=0.2)
    x, rate = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None], 0.1 * math.pi**2
    exact = (1 - math.exp(-rate * 0.2)) / rate * torch.sin(math.pi * x)
    assert 0 <= run.fit_error < 1e-6 and float((run.at(0.2)(x) - exact).abs().max()) < 2e-3 * float(exact.max())


def test_an_implicit_stage_from_zero_is_judged_by_what_it_comes_to() -> None:
    heat = Heat(
        profile=torch.zeros_like,
        source_term=lambda x: torch.sin(math.pi * x),
        domain=UNIT,
        conditions=(Dirichlet(0.0),),
    )
    run = simulate(heat, NeuralField.for_problem(heat, hidden=(8, 8)), ImplicitEuler(), dt=0.1, t_end=0.2)
    x, rate = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None], 0.1 * math.pi**2
    exact = (1 - (1 + 0.1 * rate) ** -2) / rate * torch.sin(math.pi * x)  # of implicit Euler's method itself
    assert float((run.at(0.2)(x) - exact).abs().max()) < 1e-2 * float(exact.max())


def test_a_stage_that_was_cut_short_is_an_unfinished_fit() -> None:
    heat = Heat(domain=UNIT, conditions=(Dirichlet(0.0),))
    field = NeuralField.for_problem(heat, hidden=(6,))
    with pytest.raises(NotConvergedError, match=r"Heat, step 1 of 1 .* a fit used its iterations .* smaller") as it:
        simulate(heat, field, ImplicitEuler(), dt=0.5, t_end=0.5, fit=GaussNewton(1, damping=1e3, accept=1e-6))
    assert it.value.result.status is Status.UNFINISHED_FIT and it.value.result.infos[-1].iterations == 1


def test_a_bad_fit_of_zero_fails() -> None:
    heat = Heat(profile=torch.zeros_like, source_term=1.0)
    field = NeuralField.for_problem(heat, hidden=(8, 8))
    with pytest.raises(NotConvergedError, match="Heat, first fit") as caught:
        simulate(heat, field, ImplicitMidpoint(), dt=0.05, t_end=0.1, initial_fit={"options": GaussNewton(2)})
    assert caught.value.result.fit_error > 1e-5
