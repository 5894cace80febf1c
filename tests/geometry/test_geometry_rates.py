"""Rates of boundary data: exact where functions let t through, close where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuralpde.geometry import Dirichlet, Flux, ValueRate, rate_conditions, rate_of

X = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("t", [0.0, 5e-4, 0.3, 20.0])
@pytest.mark.parametrize(
    ("value", "tolerance"),
    [
        (lambda t, x: torch.sin(3 * t + x), 1e-14),
        (lambda t, x: math.sin(3 * t) * torch.cos(x) + math.cos(3 * t) * torch.sin(x), 1e-9),
        (lambda t, x: float(np.sin(3 * t)) * torch.cos(x) + float(np.cos(3 * t)) * torch.sin(x), 1e-9),
        (lambda t, x: torch.sin(torch.full_like(x, 3 * t) + x), 1e-9),
        (lambda t, x: torch.sin(torch.full_like(x, 3.0) * t + x).squeeze(1), 1e-14),
    ],
)
def test_rates_of_a_wave(value: object, tolerance: float, t: float) -> None:
    rate = Dirichlet(rate_of(value), "x-").at(t, X)  # type: ignore[arg-type]
    torch.testing.assert_close(rate, 3 * torch.cos(3 * t + X), rtol=0, atol=3 * tolerance)


def test_a_ramp_that_ends_has_the_rate_of_one_side() -> None:
    rate = ValueRate(lambda t, x: min(t, 1.0) * x)
    for t, wanted in ((0.0, 1.0), (0.9995, 1.0), (1.0005, 0.0), (2.0, 0.0)):
        torch.testing.assert_close(rate(t, X), wanted * X, rtol=0, atol=1e-14)
    assert float(rate(1.0, X)[-1]) in (0.0, 1.0)


def test_fast_data_by_their_scale() -> None:
    slow, fast = (ValueRate(lambda t, x: math.sin(1e6 * t) * x, scale) for scale in (1.0, 1e-5))
    wanted = 1e6 * math.cos(0.3) * X
    torch.testing.assert_close(fast(3e-7, X), wanted, rtol=1e-6, atol=0)
    assert float((slow(3e-7, X) - wanted).abs().max()) > 1e5


def test_rates_of_numbers_and_of_conditions() -> None:
    assert rate_of(3.0) == 0.0 and rate_of((1.0, 2.0)) == (0.0, 0.0)
    moving = Dirichlet(lambda t, x: t * x, "x-", components="y")
    held, pulled, clamp = rate_conditions((moving, Flux(1.0, "x+"), Dirichlet((1.0, 2.0), "y-")))
    assert isinstance(held, Dirichlet) and held.components == "y" and held.on == "x-"
    torch.testing.assert_close(held.at(0.5, X, 2), torch.cat([0 * X, X], dim=1), rtol=0, atol=1e-14)
    assert pulled == Flux(1.0, "x+") and clamp == Dirichlet((0.0, 0.0), "y-")


def test_rates_of_rates() -> None:
    twice = ValueRate(ValueRate(lambda t, x: torch.sin(2 * t + x)))
    torch.testing.assert_close(twice(0.4, X), -4 * torch.sin(0.8 + X), rtol=0, atol=1e-7)
