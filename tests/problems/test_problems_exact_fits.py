"""Which exact solutions are believed: right ones, no wrong ones, and those that cannot be judged."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from tables import FLOWS, PROBLEMS, SQUARE, UNIT, ProblemRow, points_in

from neuralpde.geometry import Box, Dirichlet
from neuralpde.problems import (
    Advection,
    Burgers,
    GaussianBump,
    Heat,
    LinearElasticity,
    Poisson,
    ProductOfSines,
    Rayleigh,
    SineMode,
    exact_fits,
)

RATE = 0.1 * (2 * math.pi) ** 2


@pytest.mark.parametrize("row", PROBLEMS, ids=lambda row: row.name)
def test_every_exact_solution_of_the_package_is_believed(row: ProblemRow) -> None:
    problem = row.make()
    for t_end in (1e-3, 1.0, 20.0) if problem.time_order else (0.0,):
        assert exact_fits(problem, [0.0, t_end]) == (True, "")


@pytest.mark.parametrize("viscosity", [1.0, 0.1, 0.01 / math.pi, 1e-3])
@pytest.mark.parametrize("t_end", [0.01, 0.5, 3.0, 100.0])
def test_thin_fronts_and_decayed_fields_are_believed(viscosity: float, t_end: float) -> None:
    assert exact_fits(Burgers(viscosity), [0.0, t_end]) == (True, "")


@pytest.mark.parametrize("width", [0.1, 0.02, 0.005])
def test_narrow_bumps_are_believed(width: float) -> None:
    assert exact_fits(Advection(profile=GaussianBump(width=width)), [0.0, 5.0]) == (True, "")


@pytest.mark.parametrize("row", FLOWS, ids=lambda row: row.name)
def test_flows_with_an_exact_solution_are_believed(row: ProblemRow) -> None:
    flow = row.make()
    if flow.exact(0.0, points_in(flow.domain)) is not None:
        assert exact_fits(flow, [0.0, 0.7]) == (True, "")


@pytest.mark.parametrize("t_end", [0.0, 0.1, 10.0])
def test_slopes_across_a_periodic_face_are_looked_at(t_end: float) -> None:
    fits, reason = exact_fits(Heat(domain=Box((0.0,), (1.5,))), [0.0, t_end])
    assert not fits and reason == "the exact solution does not meet the condition on x- at t = 0"
    assert exact_fits(Heat(domain=Box((0.0,), (2.0,))), [0.0, t_end])[0]
    assert not exact_fits(Heat(domain=Box((0.0,), (1.5,))), [0.1, 0.2])[0]


def test_the_gradient_alone_allows_kinks_and_bumps_on_periodic_faces() -> None:
    def tent(x):
        return (x - torch.round(x)).abs()

    assert exact_fits(Advection(profile=tent, domain=UNIT), [0.0, 4.0])[0]
    assert exact_fits(Advection(profile=GaussianBump(2.0, 0.005)), [0.0, 0.01])[0]
    arch = Advection(profile=SineMode(wavenumbers=(0.5,)), domain=UNIT)
    assert not exact_fits(arch, [0.0, 4.0])[0]


class Passing(Burgers):
    """A front that crosses the periodic faces: Galileo's Burgers."""

    def rhs(self, t, x, u):
        return super().rhs(t, x, u) - u.grad[..., 0]

    def exact(self, t, x):
        return super().exact(t, (x - t + 1) % 2 - 1)


@pytest.mark.parametrize("viscosity", [0.1, 0.01 / math.pi, 1e-3])
def test_a_front_on_a_periodic_face_is_believed(viscosity: float) -> None:
    assert exact_fits(Passing(viscosity), [0.0, 0.97, 0.999, 1.0, 1.003])[0]


class Believing(Heat):
    """A user's Heat whose exact solution was derived for the default data."""

    def exact(self, t, x):
        return Heat().exact(t, x)


class Faster(Burgers):
    def rhs(self, t, x, u):
        return super().rhs(t, x, u) - 0.05 * u.grad[..., 0]


@pytest.mark.parametrize(
    "problem",
    [
        Believing(source_term=0.01),
        Believing(diffusivity=0.101),
        Believing(diffusivity=lambda x: 0.1 + 0.01 * x),
        Faster(0.1),
    ],
    ids=["source", "diffusivity", "graded diffusivity", "drift"],
)
@pytest.mark.parametrize("t_end", [1e-3, 1.0, 100.0])
def test_a_solution_of_another_equation_is_not_believed(problem, t_end: float) -> None:
    fits, reason = exact_fits(problem, [0.0, t_end])
    assert not fits and reason.startswith("the exact solution does not satisfy the equation at x = ("), reason
    assert ", t = " in reason


def test_a_steady_solution_of_another_source_is_not_believed() -> None:
    wrong = Poisson(source_term=lambda x: 1.01 * 2 * math.pi**2 * ProductOfSines()(x), solution=ProductOfSines())
    fits, reason = exact_fits(wrong, [0.0])
    assert not fits and "does not satisfy the equation at x = (" in reason and "t =" not in reason
    right = Poisson(source_term=lambda x: 2 * math.pi**2 * ProductOfSines()(x), solution=ProductOfSines())
    assert exact_fits(right, [0.0]) == (True, "")


def test_a_harmonic_function_is_believed() -> None:
    def saddle(x):
        return x[:, :1] ** 2 - x[:, 1:] ** 2

    conditions = (Dirichlet(lambda t, x: saddle(x)),)
    assert exact_fits(Poisson(0.0, saddle, SQUARE, conditions), [0.0]) == (True, "")


BLACK_BOXES = {
    "numpy": lambda t, x: torch.as_tensor(math.exp(-RATE * t) * np.sin(2 * math.pi * x.numpy())),
    "detached": lambda t, x: math.exp(-RATE * t) * torch.sin(2 * math.pi * x.detach()),
    "floats": lambda t, x: torch.tensor(
        [[math.exp(-RATE * t) * math.sin(2 * math.pi * float(p))] for p in x], dtype=x.dtype
    ),
}


@pytest.mark.parametrize("name", BLACK_BOXES)
def test_what_cannot_be_differentiated_is_not_judged(name: str) -> None:
    class Opaque(Heat):
        def exact(self, t, x):
            return BLACK_BOXES[name](t, x)

    assert exact_fits(Opaque(), [0.0, 0.5]) == (True, "")


def shear_wave(damping: Rayleigh | None, body_force: tuple[float, ...] | None = (0.0, 0.0)) -> LinearElasticity:
    """u_y = sin(πx) e^(−ζt) cos ωt with ω² + ζ² = π² μ/ρ and ζ = (α + β π² μ/ρ)/2, for Rayleigh's α = 0.5, β = 1e-3."""
    square = math.pi**2 * 400.0 / 2.0
    decay = (0.5 + 1e-3 * square) / 2
    rate = math.sqrt(square - decay**2)

    def wave(t: float, x: torch.Tensor) -> torch.Tensor:
        across = torch.sin(math.pi * x[:, :1]) * (0.01 * math.exp(-decay * t) * math.cos(rate * t))
        return torch.cat([0 * across, across], 1)

    return LinearElasticity(
        young=1000.0, poisson_ratio=0.25, density=2.0, steady=False, solution=wave, damping=damping,
        body_force=body_force, conditions=(Dirichlet(wave),),
    )  # fmt: skip


def test_a_damped_wave_of_a_body_is_believed() -> None:
    assert exact_fits(shear_wave(Rayleigh(0.5, 1e-3)), [0.0, 0.1]) == (True, "")
    for other in (None, Rayleigh(0.5), Rayleigh(0.0, 1e-3), Rayleigh(0.55, 1e-3)):
        fits, reason = exact_fits(shear_wave(other), [0.0, 0.1])
        assert not fits and "does not satisfy the equation" in reason


@pytest.mark.parametrize("damping", [None, Rayleigh(mass=3.0)])
def test_a_force_that_follows_from_a_motion_makes_it_exact(damping: Rayleigh | None) -> None:
    assert exact_fits(shear_wave(damping, None), [0.0, 0.1]) == (True, "")


def test_a_motion_has_to_start_with_the_right_velocity() -> None:
    fits, reason = exact_fits(dataclasses.replace(shear_wave(None, None), start_velocity=(0.0, 0.0)), [0.0, 0.1])
    assert not fits and "does not start from the initial values" in reason
