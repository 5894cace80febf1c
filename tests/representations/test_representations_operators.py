"""Assembled operators of finite elements against scikit-fem; patterns; linear elements inside quadratic ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import skfem
import torch
from skfem.helpers import dot, grad
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.geometry import ELEMENTS, Dirichlet, MeshDomain
from neuralpde.representations import FiniteElementField, SparsePattern, _operators, linear_subspace
from neuralpde.representations._element_tables import BASES, _to_skfem
from neuralpde.types import UsageError


def kappa(x: Any) -> Any:
    return 1 + x[..., 0] ** 2 + x[..., 1]


def velocity(x: Tensor) -> Tensor:
    return torch.stack([1 + x[:, 1], x[:, 0] * x[:, 1], x[:, 0] - 2][: x.shape[1]], dim=1)


def bent_mesh(kind: str) -> Any:
    """A distorted mesh; where elements are quadratic its inner nodes are moved off the middles."""
    mesh = unit_mesh(kind, 3, distort=0.2)
    if mesh.element.order == 2:
        mesh.points[:] += 0.02 * np.sin(5 * mesh.points[:, ::-1])
    return mesh


def baseline(field: FiniteElementField) -> Any:
    """scikit-fem's basis on the same straight mesh, with the same rule and numbering."""
    mesh, tables = field.mesh, field.tables
    straight, name = BASES[mesh.element.shape, field.degree]
    cells = np.searchsorted(tables.vertices, mesh.cells[:, _to_skfem(mesh.element)]).T.copy()
    options = {} if mesh.element.shape in ("quad", "hexahedron") else {"sort_t": False}
    made = getattr(skfem, straight)(mesh.points[tables.vertices].T.copy(), cells, validate=False, **options)
    x, w = tables.quadrature(field.quadrature_degree)
    return skfem.Basis(made, getattr(skfem, name)(), quadrature=(x.numpy().T, w.numpy()))


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "hexahedron"])
@pytest.mark.parametrize("degree", [1, 2])
def test_operators_are_those_of_scikit_fem(kind: str, degree: int) -> None:
    field = FiniteElementField(MeshDomain(bent_mesh(kind)), degree=degree)
    basis = baseline(field)
    forms = {
        "mass": (field.mass(), lambda u, v, w: u * v),
        "laplace": (field.laplace(), lambda u, v, w: dot(grad(u), grad(v))),
        "coefficient": (field.laplace(kappa), lambda u, v, w: kappa(np.moveaxis(w.x, 0, -1)) * dot(grad(u), grad(v))),
        "advection": (
            field.advection(velocity),
            lambda u, v, w: (
                dot(velocity(torch.from_numpy(w.x.reshape(len(w.x), -1).T)).numpy().T.reshape(w.x.shape), grad(u)) * v
            ),
        ),
    }
    for name, (ours, form) in forms.items():
        theirs = skfem.BilinearForm(form).assemble(basis)
        assert abs(ours - theirs).max() <= 1e-12 * abs(theirs).max(), name


def by_hand(field: FiniteElementField, what: str) -> sp.csr_matrix:
    """The same integrals, element by element, from the basis functions and their gradients."""
    table = field.quadrature_tables
    e, q = table.weights.shape
    phi = table.values.expand(e, q, -1)
    slopes = table.gradients.expand(e, q, -1, -1)
    x = table.points.flatten(0, 1)
    blocks = {
        "mass": lambda: torch.einsum("eq,eqi,eqj->eij", table.weights, phi, phi),
        "laplace": lambda: torch.einsum("eq,eqid,eqjd->eij", table.weights * kappa(table.points), slopes, slopes),
        "advection": lambda: torch.einsum(
            "eq,eqi,eqd,eqjd->eij", table.weights, phi, velocity(x).reshape(e, q, -1), slopes
        ),
    }[what]()
    rows = table.dofs[:, :, None].expand_as(blocks).reshape(-1)
    columns = table.dofs[:, None, :].expand_as(blocks).reshape(-1)
    n = field.tables.num_nodes
    return sp.coo_matrix((blocks.reshape(-1).numpy(), (rows.numpy(), columns.numpy())), shape=(n, n)).tocsr()


@pytest.mark.parametrize("kind", [name for name, element in ELEMENTS.items() if element.dim > 1])
@pytest.mark.parametrize("degree", [1, 2])
def test_operators_are_their_integrals_on_curved_elements(kind: str, degree: int) -> None:
    field = FiniteElementField(MeshDomain(bent_mesh(kind)), degree=degree)
    found = {"mass": field.mass(), "laplace": field.laplace(kappa), "advection": field.advection(velocity)}
    for name, ours in found.items():
        assert abs(ours - by_hand(field, name)).max() <= 1e-13 * abs(ours).max(), name
    ones = np.ones(field.tables.num_nodes)
    assert abs(field.laplace(kappa) @ ones).max() <= 1e-11
    assert np.isclose(ones @ field.mass() @ ones, float(field.quadrature_tables.weights.sum()), rtol=1e-13)


def test_coefficients_of_every_form() -> None:
    field = FiniteElementField(MeshDomain(unit_mesh("triangle", 4, distort=0.2)), degree=2)
    plain = field.laplace()
    assert abs(field.laplace(2.5) - 2.5 * plain).max() < 1e-13
    assert abs(field.laplace(torch.eye(2, dtype=torch.float64)) - plain).max() < 1e-13
    assert abs(field.laplace(lambda x: kappa(x)[:, None]) - field.laplace(kappa)).max() == 0
    turned = torch.tensor([[2.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    assert abs(field.laplace(lambda x: turned.expand(len(x), 2, 2)) - field.laplace(turned)).max() < 1e-13
    assert abs(field.laplace(turned).T - field.laplace(turned.T)).max() < 1e-13
    two = FiniteElementField(field.domain, channels=2, degree=2)
    assert abs(two.laplace() - sp.kron(plain, sp.identity(2))).max() == 0
    constant = field.advection((1.0, -2.0))
    assert abs(constant - field.advection(lambda x: x.new_tensor([1.0, -2.0]).expand(len(x), 2))).max() < 1e-14
    with pytest.raises(UsageError, match=r"gives \(n,\), \(n, 1\) or \(n, 2, 2\); for n = "):
        field.laplace(lambda x: torch.ones(len(x), 2, dtype=x.dtype))
    with pytest.raises(UsageError, match="a velocity has 2 components"):
        field.advection((1.0, 0.0, 0.0))
    with pytest.raises(UsageError, match=r"a velocity is \(2,\) or gives \(n, 2\)"):
        field.advection(lambda x: x[:, :1])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pattern_holds_every_pair_and_leaves_out_what_is_held(channels: int) -> None:
    mesh = unit_mesh("tetra", 3)
    dofs = torch.from_numpy(mesh.cells)
    n, (e, k) = len(mesh.points), dofs.shape
    blocks = torch.rand(e, k * channels, k * channels, dtype=torch.float64)
    numbers = (dofs[..., None] * channels + torch.arange(channels)).flatten(1).numpy()
    rows, columns = np.repeat(numbers, k * channels, axis=1), np.tile(numbers, k * channels)
    wanted = sp.coo_matrix((blocks.reshape(-1), (rows.ravel(), columns.ravel())), shape=(n * channels,) * 2).tocsr()
    found = SparsePattern(dofs, n, channels).matrix(blocks)
    assert found.has_sorted_indices and abs(found - wanted).max() <= 1e-13
    held = torch.rand(n) < 0.3
    free = torch.nonzero(~held)[:, 0]
    renumbered = torch.full((n,), -1)
    renumbered[free] = torch.arange(len(free))
    part = SparsePattern(renumbered[dofs], len(free), channels).matrix(blocks)
    chosen = (free[:, None] * channels + torch.arange(channels)).reshape(-1).numpy()
    assert abs(part - found[chosen][:, chosen]).max() == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_parts_of_the_elements_give_the_same_bits(channels: int) -> None:
    dofs = torch.from_numpy(unit_mesh("tetra", 4).cells)
    pattern = SparsePattern(dofs, 125, channels)
    blocks = torch.rand(channels, channels, len(dofs), 16, dtype=torch.float64)
    found = []
    for size in (len(dofs), 100, 1):
        entries = pattern.zeros(torch.float64)
        for start in range(0, len(dofs), size):
            part = slice(start, start + size)
            pattern.add(entries, blocks[:, :, part].contiguous(), part)
        found.append(pattern.finished(entries))
    assert all(np.array_equal(found[0].data, other.data) for other in found[1:])


def test_operators_are_the_same_whenever_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = MeshDomain(unit_mesh("tetra", 4, distort=0.2))
    made = [FiniteElementField(domain, degree=2).advection(velocity) for _ in range(2)]
    assert np.array_equal(made[0].data, made[1].data)
    monkeypatch.setattr(_operators, "FLOATS", 1 << 12)
    monkeypatch.setattr(_operators, "KEPT", 0)
    in_parts = FiniteElementField(domain, degree=2).advection(velocity)
    assert abs(in_parts - made[0]).max() <= 1e-15 * abs(made[0]).max()


@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "hexahedron", "triangle6", "tetra10"])
def test_linear_functions_are_the_same_in_both_spaces(kind: str) -> None:
    domain = MeshDomain(bent_mesh(kind))
    field = FiniteElementField(domain, (Dirichlet(0.0, on="x-"),), 2, degree=2)
    coarse, prolongation = linear_subspace(field)
    theta = torch.rand(coarse.num_dofs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = torch.from_numpy(prolongation @ theta.numpy())
    x = domain.lattice(300).points
    assert float((field.at(fine)(x) - coarse.at(theta)(x)).abs().max()) <= 1e-12
    with pytest.raises(UsageError, match="hold no coarser ones"):
        linear_subspace(coarse)
