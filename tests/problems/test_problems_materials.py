"""Materials: stresses and tangents against derivatives, small strains, rotations, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.geometry import Box, Dirichlet, MeshDomain
from neuralpde.problems import (
    ARAP,
    ByPart,
    Elasticity,
    Linear,
    LinearElasticity,
    Material,
    MooneyRivlin,
    NeoHookean,
    SaintVenantKirchhoff,
    Split,
)
from neuralpde.problems._kinematics import Deformation
from neuralpde.types import UsageError

YOUNG, RATIO = 2.0, 0.3
SHEAR, BULK = YOUNG / (2 * (1 + RATIO)), YOUNG * RATIO / ((1 + RATIO) * (1 - 2 * RATIO))

MATERIALS: dict[str, Material] = {
    "linear": Linear(YOUNG, RATIO),
    "plane stress": Linear(YOUNG, RATIO, plane="stress"),
    "St. Venant-Kirchhoff": SaintVenantKirchhoff(YOUNG, RATIO),
    "neo-Hookean": NeoHookean(YOUNG, RATIO),
    "stable neo-Hookean": NeoHookean(YOUNG, RATIO, form="stable"),
    "Mooney-Rivlin": MooneyRivlin(0.3 * SHEAR, 0.2 * SHEAR, BULK + 2 / 3 * SHEAR),
    "ARAP": ARAP(SHEAR, BULK / 2),
}
"""All with the shear modulus and Lamé's λ of one linear material."""

TURNED = [name for name in MATERIALS if name not in ("linear", "plane stress")]
every = pytest.mark.parametrize("name", MATERIALS)
dims = pytest.mark.parametrize("d", [2, 3])


def gradients(n: int, d: int, size: float = 0.15, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points and displacement gradients with J > 0."""
    generator = torch.Generator().manual_seed(seed)
    grad = size * torch.randn(n, d, d, dtype=torch.float64, generator=generator)
    assert float(Deformation(grad).volume_ratio.min()) > 0.1
    return torch.rand(n, d, dtype=torch.float64, generator=generator), grad


def rotations(n: int, d: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    q, _ = torch.linalg.qr(torch.randn(n, d, d, dtype=torch.float64, generator=generator))
    q[:, :, 0] *= torch.linalg.det(q)[:, None]
    return q


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    where = at.clone().requires_grad_()
    return torch.autograd.grad(function(where).sum(), where)[0]


@every
@dims
def test_stress_is_the_slope_of_the_energy(name: str, d: int) -> None:
    """Against automatic and central differences."""
    material, (x, grad) = MATERIALS[name], gradients(50, d)
    stress = material.stress(x, grad)
    torch.testing.assert_close(stress, slope(lambda g: material.energy(x, g), grad), rtol=1e-12, atol=1e-13)
    h = 1e-5
    for i in range(d):
        for j in range(d):
            step = torch.zeros_like(grad)
            step[:, i, j] = h
            ends = [material.energy(x, grad + s * step) for s in (1, -1)]
            torch.testing.assert_close(stress[:, i, j], (ends[0] - ends[1]) / (2 * h), rtol=1e-7, atol=1e-8)


@every
@dims
def test_tangent_is_the_slope_of_the_stress_and_symmetric(name: str, d: int) -> None:
    material, (x, grad) = MATERIALS[name], gradients(20, d)
    tangent = material.tangent(x, grad)
    torch.testing.assert_close(tangent, tangent.permute(0, 3, 4, 1, 2), rtol=1e-11, atol=1e-12)
    for i in range(d):
        for j in range(d):
            row = slope(lambda g, i=i, j=j: material.stress(x, g)[:, i, j], grad)
            torch.testing.assert_close(tangent[:, i, j], row, rtol=1e-11, atol=1e-12)


@every
@dims
def test_at_rest_all_is_finite_and_the_law_is_hookes(name: str, d: int) -> None:
    """σ = 2μ ε + λ tr ε I to first order, with the same constants for all."""
    material, x = MATERIALS[name], torch.zeros(1, d, dtype=torch.float64)
    rest = torch.zeros(1, d, d, dtype=torch.float64)
    assert float(material.energy(x, rest)) == 0.0 and not material.stress(x, rest).any()
    torch.testing.assert_close(slope(lambda g: material.energy(x, g), rest), rest, rtol=0, atol=1e-15)
    flat = d == 2 and name == "plane stress"
    hooke = Linear(YOUNG, RATIO, plane="stress" if flat else "strain").tangent(x, rest)
    torch.testing.assert_close(material.tangent(x, rest), hooke, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "d"), [(name, d) for name in TURNED for d in (2, 3) if (name, d) != ("ARAP", 3)])
def test_small_strains_keep_their_digits(name: str, d: int) -> None:
    """At ∇u of 1e-9 the stress differs from Hooke's by the strain squared, and not by 1e-16/1e-9. (The rotation of ARAP
    in 3D comes from F = I + ∇u, which has rounded ∇u.)"""
    x, grad = gradients(20, d)
    small = 1e-9 * grad
    hooke = Linear(YOUNG, RATIO).stress(x, small)
    torch.testing.assert_close(MATERIALS[name].stress(x, small), hooke, rtol=1e-6, atol=1e-16)


@pytest.mark.parametrize("name", TURNED)
@dims
def test_rotations_change_nothing(name: str, d: int) -> None:
    """Ψ(QF) = Ψ(F), P(QF) = Q P(F), and a rotation alone has no stress."""
    material, (x, grad), q = MATERIALS[name], gradients(40, d), rotations(40, d)
    eye = torch.eye(d, dtype=torch.float64)
    turned = q @ (grad + eye) - eye
    torch.testing.assert_close(material.energy(x, turned), material.energy(x, grad), rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(material.stress(x, turned), q @ material.stress(x, grad), rtol=1e-10, atol=1e-12)
    assert float(material.stress(x, q - eye).abs().max()) <= 1e-13 and float(material.energy(x, q - eye).max()) <= 1e-13


@pytest.mark.parametrize("name", [name for name in MATERIALS if name != "plane stress"])
def test_plane_strain_is_a_slice_of_the_body(name: str) -> None:
    material, (x, grad) = MATERIALS[name], gradients(30, 2)
    space = torch.nn.functional.pad(grad, (0, 1, 0, 1))
    torch.testing.assert_close(material.energy(x, grad), material.energy(x, space), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(material.stress(x, grad), material.stress(x, space)[:, :2, :2], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(material.cauchy(x, grad), material.cauchy(x, space), rtol=1e-12, atol=1e-13)


@every
@dims
def test_true_stress_is_symmetric(name: str, d: int) -> None:
    """Where moments balance: of all that rotations do not change, and of Hooke's law."""
    material, (x, grad) = MATERIALS[name], gradients(30, d)
    sigma = material.cauchy(x, grad)
    assert sigma.shape == (30, 3, 3)
    torch.testing.assert_close(sigma, sigma.mT, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", [name for name, m in MATERIALS.items() if isinstance(m, Split)])
@dims
def test_the_parts_of_a_split_material(name: str, d: int) -> None:
    """Ψ = Ψ_d + U(J), U′ and U″ are slopes of U, and ∂J/∂F and ∂²J/∂F² those of J."""
    material, (x, grad) = MATERIALS[name], gradients(20, d)
    assert isinstance(material, Split)
    change, by_gradient = material.volume_change(grad)
    value, first, second = material.dilatation(x, change)
    torch.testing.assert_close(material.distortion(x, grad) + value, material.energy(x, grad), rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(slope(lambda j: material.dilatation(x, j)[0], change), first, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(slope(lambda j: material.dilatation(x, j)[1], change), second, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(slope(lambda g: material.volume_change(g)[0], grad), by_gradient, rtol=1e-13, atol=1e-14)
    bend = material.volume_bend(grad)
    for i in range(d):
        for j in range(d):
            column = material.volume_change(grad)[1][:, i, j]
            if bend is None:
                assert torch.equal(column, by_gradient[:, i, j])
                continue
            row = slope(lambda g, i=i, j=j: material.volume_change(g)[1][:, i, j], grad)
            torch.testing.assert_close(bend[:, i, j], row, rtol=1e-13, atol=1e-14)


def test_uniaxial_tension_of_rubber() -> None:
    """Incompressible bar: σ = 2 (λ² − 1/λ)(c₁₀ + c₀₁/λ), which a large bulk modulus comes close to."""
    c10, c01, stretch = 0.4, 0.1, 1.7
    x = torch.zeros(1, 3, dtype=torch.float64)
    thin = 1 / math.sqrt(stretch)
    grad = torch.diag(torch.tensor([stretch - 1, thin - 1, thin - 1], dtype=torch.float64))[None]
    sigma = MooneyRivlin(c10, c01, 1e3).cauchy(x, grad)[0]
    found = float(sigma[0, 0] - sigma[1, 1])  # the difference is free of the pressure
    assert math.isclose(found, 2 * (stretch**2 - 1 / stretch) * (c10 + c01 / stretch), rel_tol=1e-12)
    rubber = NeoHookean(shear_modulus=2 * c10, lame_lambda=1e3).cauchy(x, grad)[0]
    assert math.isclose(float(rubber[0, 0] - rubber[1, 1]), 2 * c10 * (stretch**2 - 1 / stretch), rel_tol=1e-12)


def test_elements_that_are_turned_over() -> None:
    """The log form and Mooney–Rivlin refuse them by an infinite energy; the stable form and ARAP push them back."""
    x = torch.zeros(1, 2, dtype=torch.float64)
    turned_over = torch.diag(torch.tensor([-1.4, 0.0], dtype=torch.float64))[None]
    for name in ("neo-Hookean", "Mooney-Rivlin"):
        assert float(MATERIALS[name].energy(x, turned_over)) == math.inf
    for name in ("stable neo-Hookean", "ARAP"):
        material = MATERIALS[name]
        assert (
            math.isfinite(float(material.energy(x, turned_over)))
            and float(material.stress(x, turned_over)[0, 0, 0]) < 0
        )


@dims
def test_arap_counts_singular_values(d: int) -> None:
    x, grad = gradients(50, d, 0.2)
    sigma = torch.linalg.svdvals(grad + torch.eye(d, dtype=torch.float64))
    wanted = 3.0 * (sigma - 1).square().sum(1) + 5.0 * (sigma.prod(1) - 1).square()
    torch.testing.assert_close(ARAP(3.0, 5.0).energy(x, grad), wanted, rtol=1e-12, atol=1e-14)


def test_constants_by_lame_and_by_functions() -> None:
    x, grad = gradients(10, 2)
    by_lame, stress = NeoHookean(shear_modulus=SHEAR, lame_lambda=BULK), MATERIALS["neo-Hookean"].stress(x, grad)
    torch.testing.assert_close(by_lame.stress(x, grad), stress, rtol=1e-13, atol=1e-14)
    stiffer = NeoHookean(lambda p: YOUNG * (1 + p[:, :1]), lambda p: RATIO + 0 * p[:, 0])
    wanted = (1 + x[:, 0])[:, None, None] * stress
    torch.testing.assert_close(stiffer.stress(x, grad), wanted, rtol=1e-13, atol=1e-14)
    young = torch.tensor(YOUNG, dtype=torch.float64, requires_grad=True)
    (rate,) = torch.autograd.grad(NeoHookean(young, RATIO).energy(x, grad).sum(), young)
    assert math.isclose(float(rate) * YOUNG, float(MATERIALS["neo-Hookean"].energy(x, grad).sum()), rel_tol=1e-12)


def test_constants_by_parts_of_a_mesh() -> None:
    mesh = unit_mesh("triangle", 2)
    domain = MeshDomain(mesh)
    rubber = NeoHookean(ByPart({"body": 3.0}), 0.3)
    body = Elasticity(rubber, domain=domain, conditions=(Dirichlet(0.0),))
    assert body.jumps and not Elasticity(NeoHookean(3.0, 0.3), domain=domain).jumps
    x = domain.some_points(4)
    grad = gradients(4, 2)[1]
    torch.testing.assert_close(body.stress(x, grad), NeoHookean(3.0, 0.3).stress(x, grad))
    assert isinstance(body.material, NeoHookean)
    torch.testing.assert_close(body.material.tangent(x, grad), NeoHookean(3.0, 0.3).tangent(x, grad))
    with pytest.raises(UsageError, match="there is no 'steel'"):
        Elasticity(NeoHookean(ByPart({"steel": 3.0}), 0.3), domain=domain)


def test_linear_elasticity_is_elasticity_of_hookes_law() -> None:
    x, grad = gradients(10, 2)
    for plane in ("strain", "stress"):
        old = LinearElasticity(young=YOUNG, poisson_ratio=RATIO, plane=plane)
        torch.testing.assert_close(old.stress(x, grad), Elasticity(Linear(YOUNG, RATIO, plane=plane)).stress(x, grad))


def test_functions_out_of_range_are_refused_with_their_place() -> None:
    soft = NeoHookean(lambda x: x[:, 0] - 0.5, 0.3)
    with pytest.raises(UsageError, match=r"Young's modulus must be positive .*; got -0\.\d+ at x = \(0\.\d+, 0\.\d+\)"):
        Elasticity(soft)
    with pytest.raises(UsageError, match="Young's modulus must be positive"):
        LinearElasticity(young=lambda x: x[:, :1] - 0.5)


@dataclass(frozen=True)
class Springs(Material):
    """Ψ = |∇u|²/2, as a user might write it."""

    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        return 0.5 * grad.square().sum((1, 2))

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        return grad


def test_materials_of_ones_own() -> None:
    body = Elasticity(Springs(), domain=Box((0.0, 0.0), (1.0, 1.0)))
    x, grad = gradients(5, 2)
    assert torch.equal(body.stress(x, grad), grad)
    eye = torch.eye(4, dtype=torch.float64).reshape(2, 2, 2, 2)
    assert torch.equal(body.material.tangent(x, grad), eye.expand(5, -1, -1, -1, -1))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NeoHookean(-1.0, 0.3), "Young's modulus must be positive and finite"),
        (lambda: NeoHookean(math.nan, 0.3), "Young's modulus must be positive and finite"),
        (lambda: NeoHookean(1.0, 0.5), r"Poisson's ratio must lie between −1 and 0.5, .*; got 0.5"),
        (lambda: NeoHookean(1.0), "takes young and poisson_ratio, or shear_modulus and lame_lambda; got young"),
        (lambda: NeoHookean(), "got none of them"),
        (lambda: NeoHookean(1.0, 0.3, shear_modulus=1.0), "got young, poisson_ratio, shear_modulus"),
        (lambda: NeoHookean(shear_modulus=1.0, lame_lambda=-0.7), "Lamé's λ must be above −2μ/3"),
        (lambda: NeoHookean(shear_modulus=0.0, lame_lambda=1.0), "the shear modulus must be positive"),
        (lambda: NeoHookean(1.0, 0.3, form="linear"), "forms of NeoHookean are 'log' and 'stable'; got 'linear'"),
        (lambda: Linear(1.0, 0.3, plane="flat"), "plane is 'strain' or 'stress'; got 'flat'"),
        (lambda: MooneyRivlin(0.0, 0.1, 1.0), "c10 must be positive"),
        (lambda: MooneyRivlin(0.1, -0.1, 1.0), "c01 must be 0 or more"),
        (lambda: MooneyRivlin(0.1, 0.1, 0.0), "the bulk modulus must be positive"),
        (lambda: ARAP(0.0), "the stiffness of ARAP must be positive"),
        (lambda: ARAP(1.0, -1.0), "the volume of ARAP must be 0 or more"),
        (lambda: NeoHookean(ByPart({"a": 1.0, "b": -1.0}), 0.3), "Young's modulus must be positive"),
    ],
)
def test_constants_out_of_range_are_refused(make: Callable[[], Material], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
