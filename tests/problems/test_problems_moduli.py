"""Elastic moduli in closed form against derivatives of stresses, and the matrices that are made from them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.problems import (
    ARAP,
    ByPart,
    Elasticity,
    Linear,
    Material,
    MooneyRivlin,
    NeoHookean,
    SaintVenantKirchhoff,
)
from neuralpde.problems._material_moduli import material_moduli
from neuralpde.representations import FiniteElementField

MATERIALS = (
    Linear(3.0, 0.3),
    Linear(3.0, 0.3, plane="stress"),
    SaintVenantKirchhoff(3.0, 0.3),
    NeoHookean(3.0, 0.3),
    NeoHookean(3.0, 0.3, form="stable"),
    NeoHookean(lambda x: 1 + x[:, :1], 0.2),
    MooneyRivlin(1.0, 0.4, 5.0),
    ARAP(2.0, 30.0),
)


@dataclass(frozen=True)
class Hidden(Material):
    """A material whose moduli nobody knows in closed form."""

    inside: Material

    def energy(self, x: Tensor, grad: Tensor) -> Tensor:
        return self.inside.energy(x, grad)

    def stress(self, x: Tensor, grad: Tensor) -> Tensor:
        return self.inside.stress(x, grad)


def states(d: int, n: int = 6) -> tuple[Tensor, Tensor]:
    """Points, and gradients of states that are not turned over."""
    generator = torch.Generator().manual_seed(d)
    grad = 0.3 * torch.randn(n, d, d, dtype=torch.float64, generator=generator)
    grad[0] = 0.0
    ratio = torch.linalg.det(grad + torch.eye(d, dtype=torch.float64))
    return torch.rand(n, d, dtype=torch.float64, generator=generator), grad * (ratio > 0.2)[:, None, None]


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("material", MATERIALS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'form', '')}")
def test_moduli_are_derivatives_of_the_stress(material: Material, d: int) -> None:
    x, grad = states(d)
    found = material_moduli(material, x, grad.permute(1, 2, 0).contiguous())
    if isinstance(material, ARAP) and d == 3:
        assert found is None
        return
    assert found is not None
    slopes = [
        torch.autograd.functional.jacobian(lambda g, p=p: material.stress(p[None], g[None])[0], one)
        for p, one in zip(x, grad, strict=True)
    ]
    expected = torch.stack(slopes)
    torch.testing.assert_close(found.full(), expected, rtol=1e-12, atol=1e-12 * float(expected.abs().max()))
    inverse, weights = torch.randn(d, d, len(x), dtype=torch.float64), torch.rand(len(x), dtype=torch.float64)
    mapped = torch.einsum("n,naJbL,AJn,BLn->abABn", weights, expected, inverse, inverse)
    torch.testing.assert_close(
        found.entries(inverse, weights), mapped, rtol=1e-11, atol=1e-11 * float(mapped.abs().max())
    )


def test_a_class_of_ones_own_has_no_moduli_of_its_parent() -> None:
    @dataclass(frozen=True)
    class Softer(NeoHookean):
        def stress(self, x: Tensor, grad: Tensor) -> Tensor:
            return 0.5 * super().stress(x, grad)

    x, grad = states(2)
    assert material_moduli(Softer(1.0, 0.3), x, grad.permute(1, 2, 0)) is None


@pytest.mark.parametrize(
    ("kind", "degree"), [("triangle", 1), ("triangle6", 2), ("quad", 2), ("tetra", 1), ("tetra", 2)]
)
@pytest.mark.parametrize("which", [3, 5, 6])
def test_matrices_from_moduli_are_those_from_differentiation(kind: str, degree: int, which: int) -> None:
    domain = MeshDomain(unit_mesh(kind, 2, 0.2))
    conditions = (Dirichlet(0.0, on="x-"), Flux(lambda t, x: torch.sin(x), on="y+"), Flux(0.0))
    forms = []
    for material in (MATERIALS[which], Hidden(MATERIALS[which])):
        body = Elasticity(material, domain=domain, conditions=conditions, body_force=(1.0,) * domain.dim)
        forms.append(WeakForm(body, FiniteElementField.for_problem(body, degree)))
    r = forms[0].representation
    bent = 0.2 * torch.sin(2 * r.nodes) * r.nodes[:, :1]
    for _ in range(2):  # the first matrix tells whether entries vary
        (rest, matrix), (same, other) = (form.jacobian(0.0, bent) for form in forms)
    assert forms[1].degree == r.quadrature_degree
    assert abs(matrix - other).max() <= 1e-13 * abs(other).max()
    torch.testing.assert_close(rest, same, rtol=0, atol=1e-12 * float(same.abs().max()))


def test_elements_of_degree_1_take_one_point_where_nothing_varies_on_them() -> None:
    domain = MeshDomain(unit_mesh("triangle", 2))
    free = (Dirichlet(0.0, on="x-"), Flux(0.0))

    def degree(material: Material, of: int = 1, **options: object) -> int:
        body = Elasticity(material, domain=domain, conditions=free, **options)
        return WeakForm(body, FiniteElementField.for_problem(body, of)).degree

    parts = ByPart({"body": 2.0})
    assert [degree(m) for m in (NeoHookean(1.0, 0.3), NeoHookean(parts, 0.3))] == [1, 1]
    assert degree(NeoHookean(lambda x: 1 + x[:, :1], 0.3)) == 2
    assert degree(NeoHookean(1.0, 0.3), body_force=lambda x: x) == 2
    assert degree(Hidden(NeoHookean(1.0, 0.3))) == 2
    assert degree(NeoHookean(1.0, 0.3), of=2) == 4
