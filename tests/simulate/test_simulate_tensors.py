"""Tensors that require a gradient where a body takes numbers: a plain solve takes their values and keeps no graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde import simulate, solve
from neuralpde.geometry import Dirichlet, Disc, Flux, HalfSpace, MeshDomain, PointLoad, Pressure
from neuralpde.integrators import RK4, ImplicitEuler
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import (
    ARAP,
    Contact,
    ElasticBody,
    Elasticity,
    LinearElasticity,
    MooneyRivlin,
    NeoHookean,
    traction,
)
from neuralpde.representations import FiniteElementField, NeuralField

DOMAIN = MeshDomain(unit_mesh("triangle", 2))
HELD, FREE = Dirichlet(0.0, on="x-"), Flux(0.0)

Number = Callable[..., object]
"""Makes a number, or several, in the way that is tried."""


def number(*values: float) -> Tensor:
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def traced(*values: float) -> Tensor:
    return number(*values).requires_grad_()


def array(*values: float) -> np.ndarray:
    return number(*values).numpy()


def one(n: Number) -> Tensor:
    """What a function of one's own reads."""
    return torch.as_tensor(n(1.0), dtype=torch.float64)


def check_same(found: Tensor, wanted: Tensor) -> None:
    """The same values to rounding, and no graph."""
    assert not found.requires_grad
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-13)


def on_right(condition: object) -> dict[str, object]:
    return {"conditions": (HELD, condition, FREE)}


PLACES: dict[str, Callable[[Number], dict[str, object]]] = {
    "traction": lambda n: on_right(traction(n(0.0, -9.0), on="x+")),
    "traction of a list": lambda n: on_right(traction([0.0, n(-9.0)], on="x+")),
    "traction by a function": lambda n: on_right(traction(lambda t, x: -9 * one(n) * x, on="x+")),
    "pressure": lambda n: on_right(Pressure(n(9.0), on="x+")),
    "load at a point": lambda n: on_right(PointLoad(n(0.0, -9.0), place=n(1.0, 1.0))),
    "support": lambda n: on_right(Dirichlet(n(0.01, 0.02), on="x+")),
    "one component": lambda n: on_right(Dirichlet(n(0.02), on="x+", components="y")),
    "support by a function": lambda n: on_right(Dirichlet(lambda t, x: 0.02 * one(n) * x, on="x+")),
    "gravity": lambda n: {"density": n(2.0), "gravity": n(0.0, -9.81)},
    "body force": lambda n: {"body_force": n(0.0, -9.0)},
    "body force by a function": lambda n: {"body_force": lambda x: -9 * one(n) * x},
    "start": lambda n: {"start": n(0.0, 0.0), "body_force": (0.0, -9.0)},
    "start by a function": lambda n: {"start": lambda x: 1e-3 * one(n) * x * x[:, :1]},
}
MATERIALS: dict[str, Callable[[Number], object]] = {
    "young and poisson_ratio": lambda n: NeoHookean(n(1e3), n(0.3)),
    "Lamé's": lambda n: NeoHookean(shear_modulus=n(400.0), lame_lambda=n(600.0)),
    "a function": lambda n: NeoHookean(lambda x: 1e3 * one(n) + 0 * x[:, :1], n(0.3)),
    "Mooney–Rivlin": lambda n: MooneyRivlin(n(1e3), n(1e2), n(1e4)),
    "ARAP": lambda n: ARAP(n(1e3), n(1e2)),
}
CONTACTS: dict[str, Callable[[Number], Contact]] = {
    "half-space": lambda n: Contact(HalfSpace(n(0.0, -0.02), n(0.0, 1.0)), distance=n(0.01), stiffness=n(1e3)),
    "disc": lambda n: Contact(Disc(n(0.5, -0.6), n(0.5)), friction=n(0.2), slip_speed=n(0.1)),
}


@pytest.fixture(autouse=True)
def every_warning_is_an_error() -> Iterator[None]:
    """float() of a tensor with a gradient warns, by default once in a process."""
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch itself
        yield
    torch.set_warn_always(False)


def rubber(**options: object) -> Elasticity:
    return Elasticity(**{"material": NeoHookean(1e3, 0.3), "domain": DOMAIN, "conditions": (HELD, FREE), **options})  # type: ignore[arg-type]


def hooke(**options: object) -> LinearElasticity:
    return LinearElasticity(young=1e3, domain=DOMAIN, **{"conditions": (HELD, FREE), **options})  # type: ignore[arg-type]


def elements(body: ElasticBody) -> FiniteElementField:
    return FiniteElementField.for_problem(body, degree=1)


@pytest.mark.parametrize("made", [rubber, hooke])
@pytest.mark.parametrize("place", PLACES)
def test_statics_take_the_values_of_tensors(made: Callable[..., ElasticBody], place: str) -> None:
    plain = made(**PLACES[place](lambda *values: values if len(values) > 1 else values[0]))
    wanted = solve(plain, elements(plain)).states
    assert place.startswith("start") or bool(wanted.any())
    for kind in (traced, array):
        body = made(**PLACES[place](kind))
        run = solve(body, elements(body))
        check_same(run.states, wanted)
        assert run.probe([[0.5, 0.5]], quantity="von Mises stress").isfinite().all()
        assert all(np.isfinite(column).all() for column in run.fluxes().values())


@pytest.mark.parametrize("name", MATERIALS)
def test_materials_take_the_values_of_tensors(name: str) -> None:
    states = []
    for kind in (number, traced, array):
        body = rubber(material=MATERIALS[name](kind), body_force=(0.0, -9.0))
        states.append(solve(body, elements(body)).states)
    assert bool(states[0].any())
    check_same(states[1], states[0])
    check_same(states[2], states[0])


@pytest.mark.parametrize("integrator", [ImplicitEuler(), RK4()], ids=repr)
@pytest.mark.parametrize("place", PLACES)
def test_motion_takes_the_values_of_tensors(place: str, integrator: ImplicitEuler | RK4) -> None:
    states = []
    for kind in (number, traced):
        options = {"density": 2.0, "start_velocity": kind(0.0, 0.1), "steady": False} | PLACES[place](kind)
        body = rubber(**options)
        run = simulate(body, elements(body), integrator, dt=1e-3, t_end=2e-3)
        assert run.fluxes()
        states.append(run.states)
    check_same(states[1], states[0])


@pytest.mark.parametrize("name", CONTACTS)
def test_contact_takes_the_values_of_tensors(name: str) -> None:
    states = []
    for kind in (number, traced, array):
        body = rubber(contact=(CONTACTS[name](kind),), body_force=(0.0, -90.0))
        states.append(solve(body, elements(body)).states)
    check_same(states[1], states[0])
    check_same(states[2], states[0])


@pytest.mark.parametrize("place", ["traction", "support"])
def test_neural_fields_take_the_values_of_tensors(place: str) -> None:
    body = rubber(**PLACES[place](traced))
    run = solve(body, NeuralField.for_problem(body, hidden=[4]), fit=NaturalGradient(maxiter=3), raise_on_failure=False)
    assert not run.states.requires_grad and bool(run.states.isfinite().all())


def test_an_exact_solution_may_hold_a_tensor() -> None:
    bend = traced(0.01)
    body = rubber(conditions=(Dirichlet(lambda t, x: bend * x * x[:, :1]),), solution=lambda x: bend * x * x[:, :1])
    run = solve(body, FiniteElementField.for_problem(body, degree=2))
    assert run.error()["rel_l2"] < 1e-9
