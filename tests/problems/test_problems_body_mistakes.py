"""Elastic bodies that are stated wrongly: sentences about vectors, constants, planes, damping and contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Box, HalfSpace, MeshDomain
from neuralpde.problems import (
    ByPart,
    Contact,
    Elasticity,
    Linear,
    LinearElasticity,
    NeoHookean,
    Rayleigh,
    SaintVenantKirchhoff,
)
from neuralpde.types import UsageError

BOX = Box((0.0, 0.0), (1.0, 1.0))
X = torch.rand(5, 2, dtype=torch.float64)
NAMES = ("body_force", "gravity", "start", "start_velocity")


def body(**options: Any) -> LinearElasticity:
    return LinearElasticity(domain=BOX, density=2.0, steady=False, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [[0.0, -3.0], np.array([0, -3]), torch.tensor([0.0, -3.0])])
def test_lists_arrays_and_tensors_are_vectors(name: str, given: object) -> None:
    assert getattr(body(**{name: given}), name) == (0.0, -3.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [-9.81, (0.0, float("nan")), "down", (0.0, None), {}, np.eye(2)])
def test_what_is_no_vector_is_refused(name: str, given: object) -> None:
    with pytest.raises(UsageError, match=rf"^{name} in 2D (is 2 finite numbers \(|has 2 components)"):
        body(**{name: given})


@pytest.mark.parametrize("name", ["body_force", "start", "start_velocity"])
@pytest.mark.parametrize(
    ("function", "came"),
    [
        (lambda x: x[:, 0], r"\(5,\)"),
        (lambda x: x[:1], r"\(1, 2\)"),
        (lambda x: x.numpy(), "a NumPy array"),
        (lambda x: 3.0, "the number 3.0"),
    ],
)
def test_functions_return_a_vector_for_each_point(name: str, function: Callable[..., object], came: str) -> None:
    wrong = body(**{name: function})
    with pytest.raises(UsageError, match=rf"^{name} as a function of 5 points must return a tensor \(5, 2\).*{came}"):
        wrong.force(0.0, X) if name == "body_force" else wrong.initial(X)


def test_starts_do_not_take_time() -> None:
    with pytest.raises(UsageError, match="start_velocity is a function of x alone"):
        body(start_velocity=lambda t, x: x).initial(X)


def test_gravity_is_the_same_everywhere() -> None:
    with pytest.raises(UsageError, match="gravity is the same everywhere; a load that varies is a body_force"):
        body(gravity=lambda x: x)


def test_a_body_force_keeps_its_gradient() -> None:
    load = torch.tensor([0.0, -3.0], dtype=torch.float64, requires_grad=True)
    body(body_force=load).force(0.0, X).sum().backward()
    assert load.grad is not None and load.grad.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("damping", [0.1, "soft"])
def test_damping_is_rayleigh(damping: object) -> None:
    with pytest.raises(UsageError, match=r"damping is Rayleigh, for instance Rayleigh\(mass=0.5\); got"):
        body(damping=damping)
    with pytest.raises(UsageError, match="the mass of Rayleigh damping is a number, 0 or more"):
        Rayleigh(mass=damping if isinstance(damping, str) else -damping)  # type: ignore[arg-type, operator]


@pytest.mark.parametrize("given", [Contact(HalfSpace((0.0, 0.0), (0.0, 1.0))), "floor", ("floor",), None])
def test_contacts_are_a_tuple(given: object) -> None:
    with pytest.raises(UsageError, match="contact is a tuple of Contact"):
        body(contact=given)


def test_plane_stress_is_in_two_dimensions() -> None:
    cube = Box((0.0,) * 3, (1.0,) * 3)
    for make in (
        lambda: LinearElasticity(domain=cube, plane="stress"),
        lambda: Elasticity(Linear(1.0, 0.3, plane="stress"), domain=cube),
    ):
        with pytest.raises(UsageError, match="plane='stress' is of a thin sheet in 2D"):
            make()


def halves(left: float, right: float) -> ByPart:
    return ByPart({"left": left, "right": right})


MESH = unit_mesh("triangle", 2)
LEFT = MESH.points[MESH.cells].mean(1)[:, 0] < 0.5
DOMAIN = MeshDomain(
    type(MESH)(
        MESH.points, MESH.cells, MESH.kind, {"left": np.flatnonzero(LEFT), "right": np.flatnonzero(~LEFT)}, MESH.tags
    )
)


@pytest.mark.parametrize("kind", [Linear, SaintVenantKirchhoff, NeoHookean])
@pytest.mark.parametrize(
    ("shear", "bulk", "fits"),
    [
        (halves(1.0, 9.0), -0.6, True),
        (halves(1.0, 9.0), -0.7, False),
        (1.0, halves(2.0, -0.7), False),
        (halves(1.0, 9.0), halves(-0.6, -5.9), True),  # by the element, where −5.9 beside 1 would not do
        (halves(9.0, 1.0), halves(-0.6, -5.9), False),
        (torch.tensor(1.0), torch.tensor(-5.0), False),
        (torch.tensor(1.0, requires_grad=True), torch.tensor(-0.6), True),
        (lambda x: 1.0 + 9.0 * x[:, :1], lambda x: -0.6 - 5.0 * x[:, :1], True),
        (lambda x: 1.0 + 9.0 * x[:, :1], -3.0, False),
        (halves(1.0, 9.0), lambda x: torch.where(x[:, :1] < 0.5, -0.6, -5.9), True),
        (halves(1.0, 9.0), lambda x: torch.where(x[:, :1] < 0.5, -0.7, -5.9), False),
    ],
)
def test_both_of_lame_are_compared_where_they_are(kind: type, shear: Any, bulk: Any, fits: bool) -> None:
    def make() -> Elasticity:
        return Elasticity(kind(shear_modulus=shear, lame_lambda=bulk), domain=DOMAIN)

    if fits:
        assert make().material.shear_modulus is not None
        return
    with pytest.raises(UsageError, match="Lamé's λ must be above −2μ/3"):
        make()


@pytest.mark.parametrize("given", ["steel", True, np.array([1.0, 2.0]), torch.ones(1), (1.0,)])
def test_constants_are_numbers(given: object) -> None:
    with pytest.raises(UsageError, match="Young's modulus is a number, a function of x, ByPart, or a tensor"):
        Linear(given, 0.3)  # type: ignore[arg-type]
    for number in (np.int64(3), np.float32(3), np.array(3.0), torch.tensor(3)):
        Linear(number, 0.3)  # type: ignore[arg-type]


def test_functions_of_constants_return_a_column() -> None:
    for function, came in ((lambda x: torch.ones(3), r"\(3,\)"), (lambda x: 3.0, "a float")):
        with pytest.raises(UsageError, match=rf"young as a function of points .* returns \(n, 1\); .* gave {came}"):
            LinearElasticity(young=function, domain=BOX)  # type: ignore[arg-type]
