"""Elastic bodies: patches, orders, Newton's rate, loads, what is shown of them and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from tables import orders
from test_problems_materials import MATERIALS
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.benches._mapped_meshes import mapped_mesh
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Dirichlet, Flux, MeshDomain
from neuralpde.problems import (
    Elasticity,
    Linear,
    LinearElasticity,
    NeoHookean,
    Rayleigh,
    SaintVenantKirchhoff,
    traction,
    von_mises,
)
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve
from neuralpde.types import UsageError

MATRIX = torch.tensor([[0.06, -0.08, 0.02], [0.1, -0.04, 0.03], [-0.05, 0.04, 0.05]], dtype=torch.float64)
FACES = {"x-": (0, -1.0), "x+": (0, 1.0), "y-": (1, -1.0), "y+": (1, 1.0), "z-": (2, -1.0), "z+": (2, 1.0)}
every = pytest.mark.parametrize("name", MATERIALS)


def affine(x: Tensor) -> Tensor:
    d = x.shape[1]
    return 0.01 + x @ MATRIX[:d, :d].T


def off(body: Elasticity, degree: int) -> float:
    """The largest difference from the affine displacement."""
    found = solve(body, FiniteElementField.for_problem(body, degree)).at(0.0)
    x = body.domain.lattice(100).points  # type: ignore[attr-defined]
    return float((found(x) - affine(x)).abs().max())


def pairs(*kinds: str) -> list[tuple[str, str]]:
    """Materials with the elements that they go with: sheets are in 2D."""
    solids = ("tetra", "hexahedron")
    return [(name, kind) for name in MATERIALS for kind in kinds if name != "plane stress" or kind not in solids]


@pytest.mark.parametrize(("name", "kind"), pairs("triangle", "quad", "tetra", "hexahedron", "triangle6"))
@pytest.mark.parametrize("degree", [1, 2])
def test_patches_by_displacements(name: str, kind: str, degree: int) -> None:
    """An affine displacement of the boundary moves the inside of a distorted mesh alike, to rounding."""
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.25))
    body = Elasticity(MATERIALS[name], domain=domain, conditions=(Dirichlet(lambda t, x: affine(x)),))
    assert off(body, degree) <= 1e-12


@pytest.mark.parametrize(("name", "kind"), pairs("triangle", "quad", "tetra"))
@pytest.mark.parametrize("degree", [1, 2])
def test_patches_by_tractions(name: str, kind: str, degree: int) -> None:
    """One side is held and the others carry P·n of the uniform stress."""
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.25))
    d = domain.dim
    stress = MATERIALS[name].stress(torch.zeros(1, d, dtype=torch.float64), MATRIX[None, :d, :d])[0]
    loads = [
        traction(tuple((sign * stress[:, axis]).tolist()), face)
        for face, (axis, sign) in FACES.items()
        if axis < d and face != "x-"
    ]
    conditions = (Dirichlet(lambda t, x: affine(x), "x-"), *loads)
    assert off(Elasticity(MATERIALS[name], domain=domain, conditions=conditions), degree) <= 1e-12


@every
def test_newton_converges_quadratically(name: str) -> None:
    """The number of right digits about doubles in each of the last steps; Hooke's law takes one."""
    domain = MeshDomain(unit_mesh("triangle", 4, distort=0.2))
    conditions = (Dirichlet(0.0, "x-"), Dirichlet((0.1, 0.2), "x+"), Flux(0.0))
    body = Elasticity(MATERIALS[name], domain=domain, conditions=conditions)
    history = solve(body, FiniteElementField.for_problem(body, 2)).infos[0].history
    shares = [r / history[0] for r in history if r > 1e-13 * history[0]]
    if isinstance(MATERIALS[name], Linear):
        assert len(shares) <= 2
        return
    assert shares[-1] <= 10 * shares[-2] ** 2 and shares[-2] <= 10 * shares[-3] ** 2 and shares[-1] <= 1e-6


@pytest.mark.parametrize("name", ["St. Venant-Kirchhoff", "neo-Hookean", "stable neo-Hookean", "Mooney-Rivlin", "ARAP"])
def test_orders_of_a_manufactured_displacement(name: str) -> None:
    """The body force that balances a given displacement brings it back: order 3 in L² on P2."""

    def bend(x: Tensor) -> Tensor:
        return 0.2 * torch.stack([torch.sin(x.sum(1)), x[:, 0] ** 2 * torch.cos(x[:, 1])], dim=1)

    errors = []
    for n in (4, 8):
        domain = MeshDomain(unit_mesh("triangle", n))
        conditions = (Dirichlet(lambda t, x: bend(x)),)
        body = Elasticity(MATERIALS[name], solution=bend, domain=domain, conditions=conditions)
        found, q = solve(body, FiniteElementField.for_problem(body, 2)).at(0.0), domain.lattice(4000)
        errors.append(math.sqrt(float(q.weights @ (found(q.points) - bend(q.points)).square().sum(1))))
    assert orders(errors)[0] >= 2.8 and errors[1] <= 1e-4


def test_a_large_rotation_of_a_beam_against_the_elastica() -> None:
    """A slender cantilever under a load at its end, P L² / E I = 2: Bisshopp & Drucker's elastica (1945), the end sinks
    by 0.4935 of the length and comes back by 0.1606 of it."""
    thick, young = 0.02, 1e6
    mesh = mapped_mesh("quad", (20, 1), lambda x: x * [1.0, thick])
    shear = 2 * young * thick**3 / 12 / thick
    conditions = (Dirichlet(0.0, "x-"), traction((0.0, -shear), "x+"), Flux(0.0))
    body = Elasticity(SaintVenantKirchhoff(young, 0.0), domain=MeshDomain(mesh), conditions=conditions)
    run = solve(body, FiniteElementField.for_problem(body, 2))
    end = run.at(0.0)(torch.tensor([[1.0, thick / 2]], dtype=torch.float64))
    assert abs(-float(end[0, 1]) - 0.4935) <= 5e-4 and abs(-float(end[0, 0]) - 0.1606) <= 5e-4


def test_gravity_of_a_column() -> None:
    """A column that stands on its base in plane strain with ν = 0: u_y = −ρ g (h y − y²/2) / E."""
    domain = MeshDomain(unit_mesh("triangle", 4, distort=0.2))
    held = (Dirichlet(0.0, "y-", components="y"), Dirichlet(0.0, ("x-", "x+"), components="x"), Flux(0.0))
    column = LinearElasticity(
        young=2e6, poisson_ratio=0.0, density=800.0, gravity=(0.0, -9.81), domain=domain, conditions=held
    )
    x = domain.lattice(100).points
    y = x[:, 1]
    wanted = -800 * 9.81 * (y - y**2 / 2) / 2e6
    found = solve(column, FiniteElementField.for_problem(column, 2)).at(0.0)(x)
    assert float((found[:, 1] - wanted).abs().max()) <= 1e-12 and float(found[:, 0].abs().max()) <= 1e-12
    torch.testing.assert_close(column.force(0.0, x)[:, 1], torch.full_like(y, -800 * 9.81))


def test_quantities_of_a_uniform_state() -> None:
    """Uniaxial tension in plane stress: von Mises is the tension itself; in plane strain σ_zz = ν (σ_xx + σ_yy)."""
    grad = torch.tensor([[[2e-3, 0.0], [0.0, -0.6e-3]]], dtype=torch.float64)
    x, jet = torch.zeros(1, 2, dtype=torch.float64), Jet(torch.tensor([[3.0, 4.0]], dtype=torch.float64), grad)
    sheet = LinearElasticity(young=1e9, poisson_ratio=0.3, plane="stress")
    shown = {q.name: q for q in sheet.quantities()}
    assert shown["displacement"].at(0.0, x, jet).tolist() == [[5.0]]
    torch.testing.assert_close(shown["von Mises stress"].at(0.0, x, jet), x.new_tensor([[2e6]]))
    torch.testing.assert_close(
        shown["Cauchy stress"].at(0.0, x, jet), x.new_tensor([[2e6, 0, 0, 0]]), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        shown["principal stress"].at(0.0, x, jet), x.new_tensor([[2e6, 0, 0]]), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(shown["pressure"].at(0.0, x, jet), x.new_tensor([[-2e6 / 3]]))
    torch.testing.assert_close(shown["strain"].at(0.0, x, jet), x.new_tensor([[2e-3, -0.6e-3, 0]]))
    torch.testing.assert_close(shown["det F"].at(0.0, x, jet), x.new_tensor([[1.002 * 0.9994]]))
    torch.testing.assert_close(shown["energy density"].at(0.0, x, jet), x.new_tensor([[0.5 * 2e6 * 2e-3]]))
    slab = {q.name: q for q in LinearElasticity(young=1e9, poisson_ratio=0.3).quantities()}
    sigma = slab["Cauchy stress"].at(0.0, x, jet)[0]
    torch.testing.assert_close(sigma[2], 0.3 * (sigma[0] + sigma[1]))


def test_von_mises_stress() -> None:
    """|σ| of tension, √3 τ of shear, 0 of a pressure."""
    sigma = torch.zeros(3, 3, 3, dtype=torch.float64)
    sigma[0, 0, 0], sigma[1, 0, 1], sigma[1, 1, 0] = 7.0, 2.0, 2.0
    sigma[2] = -5 * torch.eye(3)
    torch.testing.assert_close(von_mises(sigma), sigma.new_tensor([7.0, 2 * math.sqrt(3), 0.0]), rtol=1e-14, atol=1e-14)


def test_quantities_look_at_the_displacement_of_a_motion() -> None:
    body = Elasticity(NeoHookean(1.0, 0.3), density=1.0, steady=False)
    grad = torch.randn(4, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.1
    x, jet = torch.zeros(4, 2, dtype=torch.float64), Jet(torch.ones(4, 4, dtype=torch.float64), grad)
    still = Jet(jet.value[:, :2], grad[:, :2])
    for quantity in body.quantities():
        assert torch.equal(quantity.at(0.0, x, jet), quantity.at(0.0, x, still))


def test_a_body_in_motion() -> None:
    body = Elasticity(NeoHookean(1.0, 0.3), density=2.0, steady=False, start=(0.1, 0.0), start_velocity=lambda x: 3 * x)
    assert body.time_order == 2 and body.unknowns == {"displacement": 2, "velocity": 2} and body.evolving == 2
    x = torch.ones(1, 2, dtype=torch.float64)
    assert body.initial(x).tolist() == [[0.1, 0.0, 3.0, 3.0]] and body.mass_density(x).tolist() == [2.0]
    assert Elasticity(NeoHookean(1.0, 0.3)).time_order == 0 and not Elasticity(NeoHookean(1.0, 0.3)).guesses


def test_a_manufactured_motion_is_balanced() -> None:
    """b = ρ ü − ∇·P of u = sin(2t) (x y, 0), whose velocity is its start."""

    def swing(t: float, x: Tensor) -> Tensor:
        return 0.1 * math.sin(2 * t) * torch.stack([x.prod(1), 0 * x[:, 0]], dim=1)

    body = LinearElasticity(young=1.0, poisson_ratio=0.0, density=3.0, steady=False, solution=swing)
    x, s = torch.tensor([[0.3, 0.7]], dtype=torch.float64), math.sin(2 * 0.4)
    # ∇·σ of (x y, 0) with E = 1, ν = 0: (0, 1/2)
    wanted = [[-3 * 4 * 0.1 * s * 0.21, -0.1 * s * 0.5]]
    torch.testing.assert_close(body.force(0.4, x), x.new_tensor(wanted), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(body.initial(x), x.new_tensor([[0.0, 0.0, 0.2 * 0.21, 0.0]]), rtol=1e-10, atol=1e-12)


RUBBER = NeoHookean(1.0, 0.3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"gravity": (0.0, -9.81)}, "with gravity needs a density in kg/m³"),
        ({"steady": False}, r"in motion \(steady=False\) needs a density"),
        ({"density": -1.0}, "the density must be positive and finite"),
        ({"density": 1.0, "gravity": (0.0, 0.0, -9.81)}, "gravity in 2D has 2 components"),
        ({"body_force": (1.0,)}, "body_force in 2D has 2 components"),
        ({"start_velocity": (1.0, 0.0)}, "start_velocity is of a body in motion: give steady=False"),
        ({"damping": Rayleigh(0.1)}, "damping is of a body in motion"),
        ({"domain": Box((0.0,), (1.0,))}, "lives in 2D or 3D; got a domain in 1D"),
    ],
)
def test_impossible_bodies_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Elasticity(RUBBER, **options)  # type: ignore[arg-type]


def test_what_is_no_material_is_refused() -> None:
    with pytest.raises(UsageError, match="Elasticity needs a material, for instance"):
        Elasticity(2.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the mass of Rayleigh damping is a number, 0 or more; got -1"):
        Rayleigh(mass=-1.0)
