"""Parameters: what is refused, coefficients that are fields, and the shapes of initial profiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from tables import CIRCLE, SQUARE, UNIT, points_in, random_jet

from neuralpde.fields import Jet
from neuralpde.geometry import Box, Dirichlet, Neumann, Periodic
from neuralpde.problems import (
    Advection,
    Burgers,
    CylinderChannel,
    EulerFlow,
    GaussianBump,
    Heat,
    LidDrivenCavity,
    NavierStokes,
    Poisson,
    Problem,
    ProductOfSines,
    SineMode,
    SineSpeed,
    check_problem,
)
from neuralpde.problems._coefficients import coefficient
from neuralpde.problems._exact import burgers_cole_hopf
from neuralpde.types import UsageError


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_diffusion_backwards_in_time_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="diffusivity must be positive"):
        Heat(diffusivity=value)
    with pytest.raises(UsageError, match="viscosity must be positive"):
        Burgers(viscosity=value)


def test_burgers_is_an_equation_in_1d() -> None:
    with pytest.raises(UsageError, match=r"Burgers is an equation in 1D, .*; the domain has 2 dimensions"):
        Burgers(domain=SQUARE)


def test_a_mode_of_another_dimension_is_refused() -> None:
    with pytest.raises(UsageError, match=r"3 length\(s\) and 1 wavenumber\(s\) for 2 dimension\(s\)"):
        check_problem(Heat(profile=SineMode((1.0, 1.0, 1.0)), domain=SQUARE))


def test_one_length_and_one_wavenumber_serve_every_axis() -> None:
    x = points_in(SQUARE)
    one, two = SineMode((2.0,), (3.0,), 0.1), SineMode((2.0, 2.0), (3.0, 3.0), 0.1)
    torch.testing.assert_close(one(x), two(x))
    assert one.eigenvalue(2) == two.eigenvalue(2) == 2 * one.eigenvalue(1)
    heat = Heat(domain=SQUARE)
    check_problem(heat)
    decay = math.exp(-0.1 * 2 * (2 * math.pi) ** 2 * 0.3)
    torch.testing.assert_close(heat.exact(0.3, x), decay * torch.sin(2 * math.pi * x).prod(-1, keepdim=True))


def test_coefficients_are_numbers_or_fields() -> None:
    x = points_in(SQUARE)
    assert coefficient(2.0, x) == 2.0
    assert coefficient(lambda p: p[:, 0], x).shape == (7, 1)
    assert coefficient(lambda p: p[:, :1], x).shape == (7, 1)


def test_heat_with_fields_for_diffusivity_and_source() -> None:
    x, jet = points_in(SQUARE), random_jet(7, 1, 2)
    heat = Heat(diffusivity=lambda p: 1 + p[:, 0] ** 2, source_term=lambda p: p[:, 1], domain=SQUARE)
    expected = (1 + x[:, :1] ** 2) * jet.laplacian + 2 * x[:, :1] * jet.grad[..., 0] + x[:, 1:]
    torch.testing.assert_close(heat.rhs(0.0, x, jet), expected)
    torch.testing.assert_close(heat.flux(0.0, x, jet), -(1 + x[:, :1, None] ** 2) * jet.grad)
    assert heat.exact(1.0, x) is None


def test_heat_knows_no_exact_solution_of_other_data() -> None:
    x = points_in(UNIT)
    assert Heat(source_term=1.0).exact(0.1, x) is None
    assert Heat(profile=lambda p: p).exact(0.1, x) is None
    assert Heat().exact(0.1, x) is not None


def test_poisson_takes_its_source_from_its_solution() -> None:
    x, jet = points_in(SQUARE), random_jet(7, 1, 2)
    torch.testing.assert_close(Poisson().source(0.0, x, jet), 2 * math.pi**2 * ProductOfSines()(x))
    plain = Poisson(solution=None, source_term=lambda p: p[:, 0])
    torch.testing.assert_close(plain.rhs(0.0, x, jet), jet.laplacian + x[:, :1])
    assert plain.exact(0.0, x) is None


def test_burgers_has_an_exact_solution_on_its_own_interval_only() -> None:
    assert Burgers(domain=Box((0.0,), (2.0,))).exact(0.1, points_in(UNIT)) is None


@pytest.mark.parametrize("viscosity", [1.0, 0.1, 0.05 / math.pi, 0.01 / math.pi])
def test_burgers_solution_is_odd_bounded_and_independent_of_its_quadrature(viscosity: float) -> None:
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)[:, None]
    exact = Burgers(viscosity).exact(0.6, x)
    torch.testing.assert_close(exact, burgers_cole_hopf(0.6, x, viscosity, nodes=20_000), rtol=0, atol=1e-12)
    torch.testing.assert_close(exact, -exact.flip(0), rtol=0, atol=1e-12)
    assert 1e-3 < float(exact.abs().max()) < 1.0


def test_burgers_reaches_the_published_slope() -> None:
    # Basdevant et al. 1986: |∂u/∂x| at x = 0 has its maximum 152.00516 at πt = 1.6037, for ν = 1/(100π)
    h = torch.tensor([[1e-4], [2e-4]], dtype=torch.float64)
    u1, u2 = Burgers(0.01 / math.pi).exact(1.6037 / math.pi, h)[:, 0].tolist()
    slope = (8 * u1 - u2) / (6 * 1e-4)
    assert slope == pytest.approx(-152.00516, rel=1e-5)


def test_variable_speed_carries_values_along_characteristics() -> None:
    advection = Advection(speed=SineSpeed())
    x = torch.tensor([[-1.5]], dtype=torch.float64)
    t, steps = 2.0, 2000
    for _ in range(steps):  # the crest of the bump, moved by a midpoint rule
        x = x + t / steps * advection.velocity(x + 0.5 * t / steps * advection.velocity(x))
    assert float(advection.exact(t, x)) == pytest.approx(1.0, abs=1e-9)


def test_a_bump_repeats_with_its_period() -> None:
    x = points_in(UNIT)
    bump = GaussianBump(centre=0.2, width=0.3, period=1.0)
    torch.testing.assert_close(bump(x + 3.0), bump(x), rtol=1e-12, atol=1e-14)
    assert float(GaussianBump(0.2, 0.3, None)(torch.tensor([[5.2]]))) < 1e-20


def test_eigenvalue_of_a_mode() -> None:
    assert SineMode((1.0, 2.0), (1.0, 3.0)).eigenvalue(2) == pytest.approx(-((2 * math.pi) ** 2) * (1 + 2.25))


class Unfinished(Problem):
    domain = UNIT


class Homeless(Problem):
    def rhs(self, t, x, u):
        return u.value


class Greedy(Problem):
    domain, needs = UNIT, frozenset({"curl"})

    def rhs(self, t, x, u):
        return u.value


class Undeclared(Problem):
    domain = UNIT

    def rhs(self, t, x, u):
        return u.laplacian


@dataclass(frozen=True)
class Misshapen(Problem):
    what: str = "rhs"
    domain: Box = UNIT
    conditions: tuple = (Dirichlet(0.0),)

    def rhs(self, t, x, u):
        return u.value[:, 0] if self.what == "rhs" else u.value

    def initial(self, x):
        return 0.0 if self.what == "initial" else x


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (Homeless(), "Homeless needs a domain, for instance domain = Box"),
        (Unfinished(), r"Unfinished states no equation: define rhs\(self, t, x, u\), or flux and source"),
        (Greedy(), "a problem asks for curl in its `needs`"),
        (Undeclared(), "add 'laplacian' to the problem's `needs`"),
        (Misshapen(), r"Misshapen.rhs must return a tensor of shape \(n, 1\); for n = 3 points it gave \(3,\)"),
        (Misshapen("initial"), r"Misshapen.initial must return a tensor of shape \(n, 1\).* it gave float"),
        (Misshapen(conditions=Dirichlet(0.0)), r"tuple of .*, for instance \(Dirichlet\(...\),\); got Dirichlet"),
    ],
    ids=lambda value: value.name if isinstance(value, Problem) else "",
)
def test_check_problem_says_what_is_missing(problem: Problem, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check_problem(problem)


@dataclass(frozen=True)
class Fading(Problem):
    """u_t = (zero − x) u_xx; where that vanishes on x+, no condition belongs there."""

    zero: float = 1.0
    domain: Box = UNIT
    conditions: tuple = (Dirichlet(0.0, "x-"),)
    needs = frozenset({"laplacian"})

    def rhs(self, t, x, u):
        return (self.zero - x) * u.laplacian


@dataclass(frozen=True)
class Conserved(Problem):
    """A flux with the Hessian among its needs, which it uses only where it diffuses."""

    diffusivity: float = 0.1
    domain: Box = UNIT
    conditions: tuple = (Dirichlet(0.0, "x-"),)
    needs = frozenset({"grad", "hess"})

    def flux(self, t, x, u):
        return u.value[..., None] - self.diffusivity * u.grad if self.diffusivity else u.value[..., None]


@pytest.mark.parametrize(
    ("problem", "faces"),
    [
        (Heat(conditions=(Dirichlet(0.0, on="x-"),)), "x\\+"),
        (Heat(conditions=()), "x- and x\\+"),
        (Heat(diffusivity=lambda x: 1 + x, conditions=(Neumann(0.0, on="x+"),)), "x-"),
        (Poisson(domain=SQUARE, conditions=(Periodic("x"), Dirichlet(0.0, "y-"))), "y\\+"),
        (Conserved(), "x\\+"),
        (Fading(2.0), "x\\+"),
    ],
)
def test_second_derivatives_need_a_condition_on_every_face(problem: Problem, faces: str) -> None:
    where = f"{problem.name} has second derivatives and no condition on {faces}: give Dirichlet or Neumann there"
    natural = r" \(Flux or Robin too, which finite elements and neural fields take\)\."
    sentence = where + (r"\." if type(problem).flux is Problem.flux else natural)
    with pytest.raises(UsageError, match=sentence):
        check_problem(problem)


@pytest.mark.parametrize(
    "problem",
    [
        Advection(domain=UNIT, conditions=()),
        Conserved(0.0),
        Fading(1.0),
        LidDrivenCavity(),
        CylinderChannel(),
        EulerFlow(),
    ],
    ids=lambda problem: problem.name,
)
def test_first_derivatives_leave_faces_free(problem: Problem) -> None:
    check_problem(problem)


def test_the_flux_of_a_user_may_vary_in_space() -> None:
    class Medium(Problem):
        """u_t = ∇·(κ(x) ∇u) + 1 with κ = 1 + x²."""

        domain, needs = CIRCLE, frozenset({"grad", "hess"})

        def flux(self, t, x, u):
            return -(1 + x[:, None, :] ** 2) * u.grad

        def source(self, t, x, u):
            return torch.ones_like(u.value)

    x, jet = points_in(CIRCLE), random_jet(7, 1, 1)
    expected = (1 + x**2) * jet.laplacian + 2 * x * jet.grad[..., 0] + 1
    torch.testing.assert_close(Medium().rhs(0.0, x, jet), expected)


def test_a_flux_that_uses_the_gradient_needs_the_hessian() -> None:
    jet = Jet(torch.zeros(3, 1), torch.zeros(3, 1, 1))
    with pytest.raises(UsageError, match=r"flux of Heat uses the gradient.* add 'hess' to the problem's `needs`"):
        Problem.rhs(Heat(), 0.0, torch.zeros(3, 1), jet)


def test_a_flux_of_the_value_needs_the_gradient_only() -> None:
    class Traffic(Problem):
        """u_t + (x u (1 − u))_x = 0."""

        domain, needs = UNIT, frozenset({"grad"})

        def flux(self, t, x, u):
            return (x * u.value * (1 - u.value))[..., None]

    check_problem(Traffic())
    x, full = points_in(UNIT), random_jet(7, 1, 1)
    lean = Jet(full.value, full.grad)
    u, slope = full.value, full.grad[..., 0]
    torch.testing.assert_close(Traffic().rhs(0.0, x, lean), -u * (1 - u) - x * (1 - 2 * u) * slope)
    torch.testing.assert_close(Traffic().rhs(0.0, x, lean), Traffic().rhs(0.0, x, full))
    with pytest.raises(UsageError, match="add 'grad' to the problem's `needs`"):
        Traffic().rhs(0.0, x, Jet(u))


@pytest.mark.parametrize("flow", [NavierStokes, EulerFlow])
def test_a_uniform_stream_is_one_number_per_axis(flow: type[NavierStokes]) -> None:
    x = points_in(SQUARE)
    stream = flow(velocity=[2, -0.5])
    assert stream.velocity == (2.0, -0.5)
    torch.testing.assert_close(stream.initial(x), x.new_tensor([2.0, -0.5, 0.0]).expand(len(x), 3))
    assert stream.initial_velocity(x.float()).dtype == torch.float32
    for wrong, told in (
        ((1.0, 0.0, 0.0), r"got \(1.0, 0.0, 0.0\)"),
        (1.0, "got 1.0"),
        ("right", "got 'right'"),
        ((1.0, math.nan), "got .*nan"),
        ((1.0, True), "got .*True"),
        (torch.ones(2), "got tensor"),
    ):
        with pytest.raises(UsageError, match=f"one number per axis, 2 in all; {told}"):
            flow(velocity=wrong)
