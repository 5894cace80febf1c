"""The energy of the mean volume: its slopes, what it leaves alone, and that it does not lock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.benches._mapped_meshes import mapped_mesh
from neuralpde.dynamics import make_dynamics
from neuralpde.dynamics._mean_dilatation import MeanDilatation
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.problems import (
    Elasticity,
    Linear,
    LinearElasticity,
    Material,
    MooneyRivlin,
    NeoHookean,
    Poisson,
    Rayleigh,
    traction,
)
from neuralpde.problems import SaintVenantKirchhoff as Kirchhoff
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve
from neuralpde.types import UsageError

ELEMENTS = (("triangle", 2), ("quad", 1), ("quad", 2), ("tetra", 2), ("hexahedron", 1), ("hexahedron", 2))
MATERIALS = {
    "linear": Linear(2.0, 0.3),
    "rubber": NeoHookean(2.0, 0.3),
    "flesh": NeoHookean(2.0, 0.3, form="stable"),
    "Mooney": MooneyRivlin(0.3, 0.2, 1.7),
}
elements = pytest.mark.parametrize(("kind", "degree"), ELEMENTS)


def made(material: Material, kind: str, degree: int, n: int = 2) -> tuple[Elasticity, FiniteElementField]:
    """A body on rollers, so that some nodes hold one component."""
    domain = MeshDomain(unit_mesh(kind, n, distort=0.2))
    body = Elasticity(material, domain=domain, conditions=(Dirichlet(0.0, "x-", components="x"), Flux(0.0)))
    return body, FiniteElementField.for_problem(body, degree)


def states(r: FiniteElementField, size: float = 0.02) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    theta, v = (torch.randn(r.num_dofs, dtype=torch.float64, generator=generator) for _ in range(2))
    return size * theta, v


@pytest.mark.parametrize("name", MATERIALS)
@elements
def test_force_and_hessian_are_the_slopes_of_the_energy(name: str, kind: str, degree: int) -> None:
    body, r = made(MATERIALS[name], kind, degree)
    form, (theta, v) = MeanDilatation(body, r), states(r)

    def at(s: float) -> Tensor:
        return r.values(theta + s * v, 0.0)

    def difference(function: Callable[[Tensor], Tensor], h: float = 1e-4) -> Tensor:
        """Central, of order 4."""
        near, far = (function(at(k * h)) - function(at(-k * h)) for k in (1, 2))
        return (8 * near - far) / (12 * h)

    slope = float(r.free_part(form.gradient(0.0, at(0))) @ v)
    energy = difference(lambda values: torch.tensor(form.energy(0.0, values), dtype=torch.float64))
    assert abs(float(energy) - slope) <= 1e-6 * abs(slope)
    hessian = form.hessian(0.0, at(0), projected=False)
    wanted = r.free_part(difference(lambda values: form.gradient(0.0, values)))
    found = torch.from_numpy(hessian @ v.numpy())
    assert float((found - wanted).norm() / wanted.norm()) <= 1e-6
    assert abs(hessian - hessian.T).max() <= 1e-13 * abs(hessian).max()
    projected = np.linalg.eigvalsh(form.hessian(0.0, at(0), projected=True).toarray())
    assert projected[0] >= -1e-12 * projected[-1]


@elements
def test_a_uniform_volume_has_the_energy_of_the_material(kind: str, degree: int) -> None:
    """Where J is the same all over an element, its mean is J."""
    body, r = made(MATERIALS["rubber"], kind, degree)
    matrix = torch.tensor([[0.2, 0.1, 0.0], [-0.1, 0.1, 0.05], [0.0, 0.1, -0.1]], dtype=torch.float64)
    matrix = matrix[: r.dim, : r.dim]
    values = r.nodes @ matrix.T
    change = body.material.volume_change(matrix[None])[0]  # type: ignore[attr-defined]
    x = torch.zeros(1, r.dim, dtype=torch.float64)
    wanted = float(body.material.dilatation(x, change)[0])  # type: ignore[attr-defined]
    assert abs(MeanDilatation(body, r).energy(0.0, values) - wanted) <= 1e-12 * wanted


@pytest.mark.parametrize(("kind", "degree", "rank"), [("triangle", 2, 1), ("quad", 1, 1), ("quad", 2, 3)])
def test_an_element_of_hookes_law_has_a_matrix_of_low_rank(kind: str, degree: int, rank: int) -> None:
    domain = MeshDomain(unit_mesh(kind, 1))
    body = LinearElasticity(domain=domain, conditions=(Flux(0.0),))
    r = FiniteElementField.for_problem(body, degree)
    hessian = MeanDilatation(body, r).hessian(0.0, torch.zeros_like(r.nodes), projected=False)
    assert np.linalg.matrix_rank(hessian.toarray()) == rank * len(domain.mesh.cells)


@elements
def test_patches_with_the_mean_of_the_volume(kind: str, degree: int) -> None:
    """An affine displacement is the solution, to rounding, of a body that is nearly incompressible."""
    matrix = torch.tensor([[0.04, 0.03, 0.01], [-0.02, -0.03, 0.02], [0.01, 0.0, 0.02]], dtype=torch.float64)

    def affine(x: Tensor) -> Tensor:
        return x @ matrix[: x.shape[1], : x.shape[1]].T

    domain = MeshDomain(unit_mesh(kind, 2, distort=0.2))
    conditions = (Dirichlet(lambda t, x: affine(x)),)
    body = Elasticity(NeoHookean(1.0, 0.4999), domain=domain, conditions=conditions)
    run = solve(body, FiniteElementField.for_problem(body, degree, dilatation="mean"))
    x = domain.lattice(100).points
    assert float((run.at(0.0)(x) - affine(x)).abs().max()) <= 1e-12


def test_newton_is_quadratic_with_it() -> None:
    domain = MeshDomain(unit_mesh("triangle", 4))
    conditions = (Dirichlet(0.0, "x-"), Dirichlet((0.3, 0.1), "x+"), Flux(0.0))
    body = Elasticity(NeoHookean(1.0, 0.49), domain=domain, conditions=conditions)
    history = solve(body, FiniteElementField.for_problem(body, 2, dilatation="mean")).infos[0].history
    shares = [r / history[0] for r in history if r > 1e-14 * history[0]][-3:]
    assert shares[1] <= 10 * shares[0] ** 2 and shares[2] <= 10 * shares[1] ** 2 <= 1e-9


def test_what_it_cannot_do_is_refused() -> None:
    def refused(material: Material, degree: int, dilatation: str = "mean") -> str:
        body, _ = made(material, "triangle", 1)
        with pytest.raises(UsageError) as found:
            solve(body, FiniteElementField.for_problem(body, degree, dilatation=dilatation))
        return str(found.value)

    assert "changes nothing on P1" in refused(NeoHookean(1.0, 0.3), 1)
    assert "SaintVenantKirchhoff has none: use NeoHookean" in refused(Kirchhoff(1.0, 0.3), 2)
    assert "dilatation is 'exact' or 'mean'; got 'average'" in refused(NeoHookean(1.0, 0.3), 2, "average")
    heat = Poisson(domain=MeshDomain(unit_mesh("triangle", 2)))
    with pytest.raises(UsageError, match="needs an elastic body with a material; Poisson is none"):
        solve(heat, FiniteElementField.for_problem(heat, 2, dilatation="mean"))


@pytest.mark.parametrize(("kind", "degree"), [("triangle", 2), ("quad", 1), ("quad", 2), ("tetra", 2)])
@pytest.mark.parametrize("material", [Linear(1.0, 0.4999), NeoHookean(1.0, 0.4999)])
def test_stresses_take_the_mean_too(kind: str, degree: int, material: Material) -> None:
    """A beam bends: −σ_xx/3 = M y / 3I in 3D. The gradient itself has changes of volume that make it hundreds of times
    as large."""
    length, load, d = 6.0, 1e-5, 3 if kind == "tetra" else 2
    mesh = mapped_mesh(kind, ((36, 6) if d == 2 else (18, 3, 3)), lambda x: x * ([length] + [1.0] * (d - 1)))
    held = (Dirichlet(0.0, "x-"), traction((0.0, load, 0.0)[:d], "x+"), Flux(0.0))
    beam = Elasticity(material, domain=MeshDomain(mesh), conditions=held)
    run = solve(beam, FiniteElementField.for_problem(beam, degree, dilatation="mean"))
    x = torch.tensor([[2.0, 0.8, 0.5][:d], [3.0, 0.2, 0.5][:d]], dtype=torch.float64)
    moment = load * (length - x[:, 0])
    bending = -moment * (x[:, 1] - 0.5) * 12  # σ_xx
    # in plane strain σ_zz = σ_xx/2 where ν = 1/2
    wanted = -bending / (3 if d == 3 else 2)
    found = run.probe(x, quantity="pressure")[0, :, 0]
    torch.testing.assert_close(found, wanted, rtol=0.1, atol=0)


def test_damping_takes_the_stiffness_of_the_volume_too() -> None:
    """C = β K of a linear body: with all its forces, those of the volume included."""
    problem = Elasticity(
        domain=MeshDomain(unit_mesh("quad", 3)),
        conditions=(Dirichlet(0.0, "x-"), Flux(0.0)),
        material=Linear(1.0, 0.499),
        density=1.0,
        steady=False,
        damping=Rayleigh(0.0, 0.25),
    )
    r = FiniteElementField.for_problem(problem, 1, dilatation="mean")
    space = make_dynamics(problem, r).space
    u = torch.randn(r.displacement.nodes.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    space.damp(0.0, u)
    wanted = 0.25 * sum(part.gradient(0.0, u) for part in space.parts)
    torch.testing.assert_close(space.damped(u), wanted, rtol=0, atol=1e-9 * float(wanted.abs().max()))
