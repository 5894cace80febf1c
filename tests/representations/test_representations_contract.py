"""What every representation promises, in every setting of the tables that it takes."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from tables import CONTRACT, REPRESENTATIONS, RepresentationRow, Setting, points_in
from torch import Tensor

import neuralpde.representations
from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Boundary, Box, Condition, Dirichlet, Periodic, face_lattice
from neuralpde.integrators import State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Problem
from neuralpde.representations import REPRESENTATIONS as BY_NAME
from neuralpde.representations import FiniteElementField, GridField, NeuralField, Product, Representation
from neuralpde.simulate import Solution, load_solution
from neuralpde.types import Status

ALL = frozenset({"value", "grad", "laplacian", "hess"})
T = 0.4

contract = pytest.mark.parametrize(("row", "setting"), CONTRACT, ids=lambda item: item.name)


def _make(row: RepresentationRow, setting: Setting, **changes: Any) -> Representation:
    return row.make(setting.domain, setting.conditions, setting.channels, **changes)


def _random_theta(r: Representation, size: float = 1.0) -> Tensor:
    """Random numbers for a grid; for a network its random weights, blown up so that nothing is small by luck."""
    generator = torch.Generator().manual_seed(11)
    if isinstance(r, GridField):
        return torch.randn(r.num_dofs, generator=generator, dtype=torch.float64).to(r.dtype)
    return size * r.initial(generator)


@contract
def test_the_first_field_is_finite(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    theta = r.initial()
    assert theta.shape == (r.num_dofs,) and theta.dtype == r.dtype
    assert torch.equal(theta, r.initial())
    values = r.at(theta, T)(points_in(setting.domain))
    assert values.shape == (7, setting.channels) and bool(torch.isfinite(values).all())


@contract
def test_the_jet_holds_the_derivatives_of_the_field(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    if row.is_grid:  # a grid differentiates by stencils: right to its order, for a field that it keeps
        theta = r.project(lambda x: setting.target(T, x)).theta
        x = r.points
        reference = autodiff_jet(lambda p: setting.target(T, p), x, ALL)
    else:
        theta, x = _random_theta(r), points_in(setting.domain)
        reference = autodiff_jet(lambda p: r.at(theta, T)(p), x, ALL)
    jet = r.at(theta, T).jet(x, ALL)
    torch.testing.assert_close(jet.value, reference.value, rtol=1e-12, atol=1e-12)
    for name in ("grad", "laplacian", "hess"):
        got, wanted = getattr(jet, name), getattr(reference, name)
        assert got.shape == wanted.shape
        assert float((got - wanted).abs().max()) <= row.derivative * float(wanted.abs().max()), name


@contract
def test_parts_of_a_jet_do_not_depend_on_what_else_is_asked(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    x = getattr(r, "points", points_in(setting.domain))
    u = r.at(_random_theta(r), T)
    whole = u.jet(x, ALL)
    for name in ALL:
        alone = getattr(u.jet(x, frozenset({name})), name)
        scale = float(getattr(whole, name).abs().max())
        torch.testing.assert_close(alone, getattr(whole, name), rtol=0, atol=1e-12 * max(scale, 1.0))
    torch.testing.assert_close(u(x), whole.value, rtol=1e-13, atol=1e-13)


@contract
def test_projection_reproduces_a_field_of_its_own(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    theta = _random_theta(r)
    near = theta + 1e-3 * torch.randn(r.num_dofs, dtype=torch.float64)
    found = r.project(r.at(theta, T), T, guess=near, options=GaussNewton(maxiter=60, stall=1e-3, atol=1e-10))
    x = points_in(setting.domain, 50)
    scale = float(r.at(theta, T)(x).abs().max())
    assert found.error <= 1e-7 * scale
    torch.testing.assert_close(r.at(found.theta, T)(x), r.at(theta, T)(x), rtol=0, atol=1e-6 * scale)


@contract
def test_projection_reports_its_true_error(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)

    def target(x: Tensor) -> Tensor:
        return setting.target(T, x)

    found = r.project(target, T, options=GaussNewton(maxiter=40, damping=1e-4, stall=0.0))
    x = r.points if isinstance(r, GridField) else r.quadrature().points
    misfit = r.at(found.theta, T)(x) - target(x)
    # the mean is over points; channels add up
    assert found.error == pytest.approx(float(misfit.square().sum(-1).mean().sqrt()), rel=1e-9, abs=1e-15)
    assert found.error <= row.fit
    assert found.seconds > 0 and (found.iterations == 0) == row.is_grid


@contract
def test_essential_conditions_hold_for_any_theta(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    boundary = Boundary(setting.domain, setting.conditions)
    for seed, t in ((0, 0.0), (1, T), (2, 3.0)):
        torch.manual_seed(seed)
        theta = 3 * torch.randn(r.num_dofs, dtype=torch.float64)
        u = r.at(theta, t)
        for name in setting.domain.faces:
            axis, side = setting.domain.face(name)
            condition = boundary.on(axis, side)
            # what a condition fixes on a grid are its nodes; between them its interpolation carries on
            x = _nodes_of_face(r, axis, side) if isinstance(r, GridField) else _face_points(setting.domain, axis, side)
            if isinstance(condition, Dirichlet):
                wanted = condition.at(t, x, setting.channels)
                assert float((u(x) - wanted).abs().max()) <= 1e-14 * max(1.0, float(wanted.abs().max()))
            elif isinstance(condition, Periodic):
                shift = torch.zeros(setting.domain.dim, dtype=torch.float64)
                shift[axis] = setting.domain.lengths[axis] * (-1) ** side
                values, slack = u(x), 1e-14 * max(1.0, float(theta.abs().max())) * r.num_dofs
                assert float((u(x + shift) - values).abs().max()) <= slack


def _face_points(domain: Box, axis: int, side: int) -> Tensor:
    """Points all over a face, its corners included."""
    x = face_lattice(domain, axis, side, 13).points
    corners = torch.cartesian_prod(
        *[torch.tensor(ends, dtype=x.dtype) for ends in zip(domain.lower, domain.upper, strict=True)]
    )
    corners = corners.reshape(-1, domain.dim)
    end = (domain.upper if side else domain.lower)[axis]
    return torch.cat([x, corners[corners[:, axis] == end]])


def _nodes_of_face(r: GridField, axis: int, side: int) -> Tensor:
    end = (r.domain.upper if side and not r.grid.periodic[axis] else r.domain.lower)[axis]
    return r.nodes[(r.nodes[:, axis] - end).abs() < 1e-12]


@contract
def test_quadrature_integrates(row: RepresentationRow, setting: Setting) -> None:
    r = _make(row, setting)
    q = r.quadrature()
    assert bool(setting.domain.contains(q.points).all())
    assert float(q.weights.sum()) == pytest.approx(setting.domain.volume, rel=1e-13)
    wave = torch.sin(torch.pi * q.points).prod(-1)
    assert float((q.weights * wave).sum()) == pytest.approx((2 / torch.pi) ** setting.domain.dim, rel=2e-2)


@contract
def test_memory_counts_every_float(row: RepresentationRow, setting: Setting) -> None:
    r, single = _make(row, setting), _make(row, setting, dtype=torch.float32)
    assert r.memory_bytes() == 8 * r.stored_floats == 2 * single.memory_bytes()
    assert r.stored_floats >= r.num_dofs > 0
    if isinstance(r, NeuralField):
        held = sum(v.numel() for v in r.network.state_dict().values())
        assert r.stored_floats == held
    else:
        assert r.stored_floats == r.num_dofs == r.points.shape[0] * r.channels


@dataclass(frozen=True)
class Still(Problem):
    """u_t = 0 in any setting, to put a representation into a file."""

    setting: Setting | None = None
    unknowns: dict[str, int] = field(default_factory=lambda: {"u": 1})  # type: ignore[misc]

    @property
    def domain(self) -> Box:  # type: ignore[override]
        return self.setting.domain  # type: ignore[union-attr]

    @property
    def conditions(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return self.setting.conditions  # type: ignore[union-attr]

    def rhs(self, t, x, u):
        return 0 * u.value


@contract
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_file_brings_the_same_field_back(row: RepresentationRow, setting: Setting, dtype, tmp_path) -> None:
    r = _make(row, setting, dtype=dtype)
    theta, problem = _random_theta(r), Still(setting, {"u": setting.channels})
    run = Solution(
        problem, r, torch.tensor([T], dtype=torch.float64), theta[None], (), State(T, theta), Status.COMPLETED, 0.0, 0.0
    )
    back = load_solution(run.save(tmp_path / "run.h5"), problem)
    assert back.representation.config() == r.config() == json.loads(json.dumps(r.config()))
    assert type(back.representation) is type(r) and back.states.dtype == dtype
    x = points_in(setting.domain).to(dtype)
    assert torch.equal(back.at(T)(x), r.at(theta, T)(x))


@contract
def test_float32_agrees_with_float64(row: RepresentationRow, setting: Setting) -> None:
    double, single = _make(row, setting), _make(row, setting, dtype=torch.float32)
    theta = _random_theta(double)
    x = points_in(setting.domain)
    values = single.at(theta.float(), T).jet(x.float(), frozenset({"value", "grad"}))
    assert values.value.dtype == values.grad.dtype == torch.float32
    wanted = double.at(theta, T).jet(x, frozenset({"value", "grad"}))
    for got, want in ((values.value, wanted.value), (values.grad, wanted.grad)):
        torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-4 * float(want.abs().max()))
    torch.testing.assert_close(single.initial().double(), double.initial(), rtol=1e-6, atol=1e-6)


def test_every_representation_of_the_package_has_a_row() -> None:
    flows = {kind for kind in BY_NAME.values() if issubclass(kind, Product)}  # they have tests of their own
    # finite elements need meshes, and have tests of their own
    assert {row.kind for row in REPRESENTATIONS} | flows | {FiniteElementField} == set(BY_NAME.values())
    assert {row.name for row, _ in CONTRACT} == {row.name for row in REPRESENTATIONS}
    for name, kind in BY_NAME.items():
        rows = [row for row in REPRESENTATIONS if row.kind is kind]
        assert all(_make(row, s).config()["kind"] == name for row in rows for r, s in CONTRACT if r is row)


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(neuralpde.representations.__path__)])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.representations.{name}")).failed == 0
