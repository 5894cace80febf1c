"""What only neural fields have: the Jacobian by their weights, hard boundary factors, starts from seeds."""

from __future__ import annotations

import pytest
import torch
from tables import NEURAL_FIELDS, SETTINGS, SQUARE, UNIT, RepresentationRow, Setting, points_in
from torch import Tensor

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Boundary, Box, Dirichlet, Periodic
from neuralpde.optimize import GaussNewton
from neuralpde.representations import NeuralField
from neuralpde.representations._hard_boundary import HardBoundary
from neuralpde.types import UsageError

ALL = frozenset({"value", "grad", "laplacian", "hess"})
PAIRS = [(r, s) for r in NEURAL_FIELDS for s in SETTINGS if r.periodic in ("any", s.periodic)]


@pytest.mark.parametrize(("row", "setting"), PAIRS, ids=lambda item: item.name)
def test_the_jacobian_is_the_derivative_by_the_weights(row: RepresentationRow, setting: Setting) -> None:
    r = row.make(setting.domain, setting.conditions, setting.channels)
    assert isinstance(r, NeuralField)
    theta, x, h = r.initial(torch.Generator().manual_seed(5)), points_in(setting.domain), 3e-4

    def field(step: Tensor) -> Tensor:
        return r.at(theta + step, 0.4)(x)

    columns = []
    for e in h * torch.eye(r.num_dofs, dtype=torch.float64):
        columns.append((8 * (field(e) - field(-e)) - (field(2 * e) - field(-2 * e))) / (12 * h))
    differences = torch.stack(columns, dim=-1)
    for channel in range(setting.channels):
        jacobian = r.jacobian(theta, x, channel)
        assert jacobian.shape == (7, r.num_dofs)
        scale = float(jacobian.abs().max())
        torch.testing.assert_close(jacobian, differences[:, channel], rtol=0, atol=1e-6 * max(1.0, scale))


BOUNDARIES = [s for s in SETTINGS if any(isinstance(c, Dirichlet) for c in s.conditions)]


@pytest.mark.parametrize("setting", BOUNDARIES, ids=lambda s: s.name)
def test_factor_and_lift_know_their_derivatives(setting: Setting) -> None:
    hard = HardBoundary(Boundary(setting.domain, setting.conditions), setting.channels)
    x = points_in(setting.domain, 20)
    for jet, function in (
        (hard.factor_jet(x, ALL), hard.factor),
        (hard.lift_jet(0.4, x, ALL), lambda p: hard.lift(0.4, p)),
    ):
        reference = autodiff_jet(function, x, ALL)
        for name in ALL:
            torch.testing.assert_close(getattr(jet, name), getattr(reference, name), rtol=0, atol=1e-12)
    inside = hard.factor(x)
    assert bool((inside > 0).all()) and float(inside.max()) <= 1.0


def test_the_lift_reproduces_what_transfinite_interpolation_can() -> None:
    # Gordon & Hall: exact for any f(x) + g(y) linear in the other variable
    def bilinear(t: float, x: Tensor) -> Tensor:
        return (1 + 2 * x[:, :1]) * torch.cos(x[:, 1:]) + x[:, :1].exp() * x[:, 1:]

    hard = HardBoundary(Boundary(SQUARE, (Dirichlet(bilinear),)), 1)
    x = points_in(SQUARE, 30)
    torch.testing.assert_close(hard.lift(0.0, x), bilinear(0.0, x), rtol=0, atol=1e-14)


def test_one_constant_needs_no_interpolation() -> None:
    assert HardBoundary(Boundary(SQUARE, (Dirichlet(3.0),)), 2).constant == 3.0
    assert HardBoundary(Boundary(SQUARE, (Dirichlet(3.0, "x-"), Dirichlet(2.0, "x+"))), 1).constant is None
    assert not HardBoundary(Boundary(SQUARE, (Periodic(),)), 1).active


def test_seeds_and_generators_make_starts() -> None:
    one, same, other = (NeuralField(UNIT, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.initial(), same.initial()) and not torch.equal(one.initial(), other.initial())
    drawn = one.initial(torch.Generator().manual_seed(4))
    assert torch.equal(drawn, one.initial(torch.Generator().manual_seed(4)))
    assert not torch.equal(drawn, one.initial())
    before = torch.get_rng_state()
    NeuralField(UNIT)
    assert torch.equal(before, torch.get_rng_state()), "the global random state is the user's"


def test_frozen_waves_count_as_floats() -> None:
    r = NeuralField(UNIT, hidden=(8, 4), features="fourier")
    assert r.stored_floats - r.num_dofs == 2 * 8


def test_a_fit_takes_all_channels_and_enough_points() -> None:
    r = NeuralField(SQUARE, (), 2, hidden=(6,))
    q = r.quadrature()
    assert len(q.points) >= 3 * r.num_dofs // 2
    assert len(r.quadrature(500).points) >= 500
    fit = r.project(lambda x: torch.cat([x[:, :1], x[:, 1:] ** 2], -1), options=GaussNewton(60, damping=1e-4))
    x = points_in(SQUARE, 40)
    torch.testing.assert_close(r.at(fit.theta)(x), torch.cat([x[:, :1], x[:, 1:] ** 2], -1), rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("options", "conditions", "sentence"),
    [
        ({"features": "wavelet"}, (), "features of a neural field are centred, harmonic, fourier, coordinates"),
        ({"activation": "relu"}, (), "activations are tanh, sine; got 'relu'"),
        ({"hidden": ()}, (), r"at least one positive width; got \(\)"),
        ({"hidden": (4, 0)}, (), r"at least one positive width; got \(4, 0\)"),
        ({"hidden": (5,), "features": "fourier"}, (), "the width must be even; got 5"),
        ({"hidden": (4,), "features": "fourier"}, (Periodic(),), "use features='centred' or features='harmonic'"),
        ({"features": "coordinates"}, (Periodic(),), "use features='centred' or features='harmonic'"),
    ],
)
def test_impossible_networks_are_refused(options: dict, conditions: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        NeuralField(UNIT, conditions, **options)


def test_a_shifted_box_sees_the_same_network() -> None:
    here, there = Box((0.0,), (1.0,)), Box((3.0,), (5.0,))
    x = points_in(here)
    for features in ("centred", "coordinates"):
        one, other = (NeuralField(box, (), hidden=(6, 4), features=features) for box in (here, there))
        torch.testing.assert_close(other.at(other.initial())(3 + 2 * x), one.at(one.initial())(x))
