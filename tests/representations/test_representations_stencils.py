"""Order of accuracy of every stencil in space: inside, and at each kind of end, in one and two dimensions."""

from __future__ import annotations

import math

import pytest
import torch
from tables import SQUARE, UNIT, orders
from torch import Tensor

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Box, Condition, Dirichlet, Neumann, Periodic
from neuralpde.representations import GridField
from neuralpde.representations._stencils import stencil_weights
from neuralpde.types import UsageError

ALL = frozenset({"grad", "laplacian", "hess"})
LEVELS = {2: (17, 33, 65, 129), 6: (17, 25, 37, 55)}


def _curve(x: Tensor) -> Tensor:
    return torch.exp(torch.sin(2.5 * x))


def _hill(x: Tensor) -> Tensor:
    return torch.exp(x[:, :1] * x[:, 1:]) + torch.sin(2 * x[:, :1]) * x[:, 1:] ** 2


def _wave(x: Tensor) -> Tensor:
    return torch.sin(4 * math.pi * x + 0.3).prod(-1, keepdim=True)


def _fast(x: Tensor) -> Tensor:
    return torch.sin(8 * x + 0.3).prod(-1, keepdim=True)


def _ripple(x: Tensor) -> Tensor:
    return torch.exp(0.5 * torch.sin(2 * math.pi * x)).prod(-1, keepdim=True)


def _slope(u, axis: int, sign: float):
    return lambda t, x: sign * autodiff_jet(u, x, frozenset({"grad"})).grad[..., axis]


def _conditions(kind: str, domain: Box, u) -> tuple[Condition, ...]:
    if kind == "neumann":
        return tuple(Neumann(_slope(u, *_outward(domain, face)), face) for face in domain.faces)
    return {"periodic": (Periodic(),), "dirichlet": (Dirichlet(lambda t, x: u(x)),), "free": ()}[kind]


def _outward(domain: Box, face: str) -> tuple[int, float]:
    axis, side = domain.face(face)
    return axis, 1.0 if side else -1.0


def _errors(kind: str, order: int, domain: Box) -> dict[str, list[float]]:
    u = _ripple if kind == "periodic" else _curve if domain.dim == 1 else _hill
    out: dict[str, list[float]] = {"grad": [], "laplacian": [], "hess": []}
    for n in LEVELS[order]:
        r = GridField(domain, _conditions(kind, domain, u), shape=n - (kind == "periodic"), order=order)
        jet = r.at(r.project(u).theta).jet(r.points, ALL)
        exact = autodiff_jet(u, r.points, ALL)
        for name, errors in out.items():
            errors.append(float((getattr(jet, name) - getattr(exact, name)).abs().max()))
    return out


@pytest.mark.parametrize("domain", [UNIT, SQUARE], ids=["1D", "2D"])
@pytest.mark.parametrize("order", [2, 6])
@pytest.mark.parametrize("kind", ["periodic", "dirichlet", "neumann", "free"])
def test_stencils_reach_their_order(kind: str, order: int, domain: Box) -> None:
    ratio = (LEVELS[order][-1] - 1) / (LEVELS[order][-2] - 1)
    for name, errors in _errors(kind, order, domain).items():
        assert errors[-1] > 1e-11, "rounding, not truncation: the slope would mean nothing"
        # the mirrored ghost node of order 2 is first order at a Neumann face itself (its solution is second order:
        # test_representations_poisson), which the operator's symmetry is worth
        nominal = 1 if kind == "neumann" and order == 2 and name != "grad" else order
        assert orders(errors, ratio)[-1] >= nominal - 0.15, (name, errors)


@pytest.mark.parametrize("domain", [UNIT, SQUARE], ids=["1D", "2D"])
@pytest.mark.parametrize("n", [32, 33])
def test_fourier_is_spectral(domain: Box, n: int) -> None:
    r = GridField(domain, (Periodic(),), shape=n, order="fourier")
    jet, exact = r.at(r.project(_ripple).theta).jet(r.points, ALL), autodiff_jet(_ripple, r.points, ALL)
    for name in ("value", "grad", "laplacian", "hess"):
        got, wanted = getattr(jet, name), getattr(exact, name)
        assert float((got - wanted).abs().max()) <= 1e-11 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("domain", [UNIT, SQUARE], ids=["1D", "2D"])
@pytest.mark.parametrize(("order", "interpolation"), [(2, 4), (6, 8)])
@pytest.mark.parametrize("kind", ["periodic", "dirichlet", "neumann"])
def test_interpolation_between_nodes_reaches_its_order(kind: str, order: int, interpolation: int, domain: Box) -> None:
    u = _wave if kind == "periodic" else _fast
    x = domain.from_unit(torch.rand(3000, domain.dim, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    levels, errors = (32, 40, 50, 64) if order == 6 else (16, 32, 64, 128), []
    for n in levels:
        shape = n if kind == "periodic" else n + 1
        r = GridField(domain, _conditions(kind, domain, u), shape=shape, order=order)
        errors.append(float((r.at(r.project(u).theta)(x) - u(x)).abs().max()))
    assert errors[-1] > 1e-11
    # over all levels: how near the worst point comes to the middle of a cell jumps from level to level
    measured = math.log(errors[0] / errors[-1]) / math.log(levels[-1] / levels[0])
    assert measured >= interpolation - 0.15, errors


@pytest.mark.parametrize("order", [2, 6, "fourier"])
def test_interpolation_meets_the_nodes(order) -> None:
    r = GridField(SQUARE, (Periodic(),), shape=(12, 10), order=order)
    theta = torch.randn(r.num_dofs, dtype=torch.float64)
    torch.testing.assert_close(r.at(theta)(r.points.clone())[:, 0], theta, rtol=0, atol=1e-13)


def test_interpolation_is_centred() -> None:
    r = GridField(UNIT, (Periodic(),), shape=10)
    middle = torch.tensor([[0.45]], dtype=torch.float64)  # between nodes 4 and 5
    weights = [float(r.at(unit)(middle)) for unit in torch.eye(10, dtype=torch.float64)]
    assert weights == pytest.approx([0, 0, 0, -1 / 16, 9 / 16, 9 / 16, -1 / 16, 0, 0, 0], abs=1e-13)


@pytest.mark.parametrize("order", [2, 6, "fourier"])
def test_the_sparse_matrices_are_the_derivatives(order) -> None:
    conditions = (Periodic(),) if order == "fourier" else (Dirichlet(0.0, "x-"), Neumann(0.0, "x+"), Periodic("y"))
    r = GridField(SQUARE, conditions, shape=(11, 12), order=order)
    theta = torch.randn(r.num_dofs, dtype=torch.float64)
    jet = r.at(theta).jet(r.points, ALL)
    parts = {
        ("grad", (0,)): jet.grad[:, 0, 0],
        ("grad", (1,)): jet.grad[:, 0, 1],
        ("laplacian", ()): jet.laplacian[:, 0],
        ("hess", (1, 1)): jet.hess[:, 0, 1, 1],
        ("hess", (0, 1)): jet.hess[:, 0, 0, 1],
    }
    for (name, axes), expected in parts.items():
        got = torch.as_tensor(r.matrix(name, axes) @ theta.numpy())
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


def test_order_2_insulated_laplacian_is_symmetric_in_the_trapezoid_product() -> None:
    r = GridField(SQUARE, (Neumann(0.0),), shape=(7, 9))
    weighted = r.matrix("laplacian").multiply(r.quadrature().weights.numpy()[:, None]).toarray()
    assert abs(weighted - weighted.T).max() <= 1e-12 * abs(weighted).max()
    assert abs(weighted.sum(axis=0)).max() <= 1e-12 * abs(weighted).max()  # nothing flows out


@pytest.mark.parametrize("order", [2, 6])
@pytest.mark.parametrize("kind", ["periodic", "dirichlet", "neumann", "free"])
def test_a_constant_has_no_derivative(kind: str, order: int) -> None:
    conditions = {"periodic": (Periodic(),), "dirichlet": (Dirichlet(1e3),), "neumann": (Neumann(0.0),), "free": ()}
    r = GridField(UNIT, conditions[kind], shape=40, order=order)
    jet = r.at(torch.full((r.num_dofs,), 1e3, dtype=torch.float64)).jet(r.points, ALL)
    assert float(jet.grad.abs().max()) <= 1e3 * 40 * 1e-13
    assert float(jet.laplacian.abs().max()) <= 1e3 * 40**2 * 1e-12


def test_stencil_weights_known_from_textbooks() -> None:
    import numpy as np

    np.testing.assert_allclose(stencil_weights(np.arange(-1, 2), 2), [1, -2, 1], atol=1e-14)
    np.testing.assert_allclose(stencil_weights(np.arange(3), 1), [-1.5, 2, -0.5], atol=1e-14)
    np.testing.assert_allclose(stencil_weights(np.arange(2), 2, slope_at=0), [-2, 2, -2], atol=1e-14)


@pytest.mark.parametrize(
    ("options", "conditions", "sentence"),
    [
        ({"order": 4}, (), "orders of a grid field are 2, 6 and 'fourier'; got 4"),
        ({"order": "fourier"}, (Dirichlet(0.0),), "periodic along every axis; use order=6 here"),
        ({"order": 6, "shape": 8}, (), r"at least 9 nodes along each axis; got \(8,\)"),
        ({"shape": 2}, (), "at least 3 nodes"),
    ],
)
def test_impossible_grids_are_refused(options: dict, conditions: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        GridField(UNIT, conditions, **options)
