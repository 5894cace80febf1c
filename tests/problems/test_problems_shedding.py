"""How a lift that oscillates is read."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.problems import CylinderChannel, drag_and_lift, period_starts, street_figures, strouhal_number

FLOW, T = CylinderChannel(speed=1.5), np.linspace(0, 3, 3001)
PHASE = 2 * math.pi * 3 * T


def _series() -> dict[str, np.ndarray]:
    return {
        "t": T,
        "lift": np.sin(PHASE) - 0.02,
        "drag": 3.2 + 0.03 * np.sin(2 * PHASE),
        "pressure_drop": 2.4 - 0.1 * np.sin(PHASE),
    }


def test_figures_of_a_known_oscillation() -> None:
    figures = street_figures(FLOW, _series())
    wanted = {"strouhal": 0.3, "drag_max": 3.23, "lift_max": 0.98, "pressure_drop": 2.5}
    for name, value in wanted.items():
        assert figures[name] == pytest.approx(value, rel=1e-3)
    assert abs(figures["lift_growth"]) <= 1e-3
    assert math.isnan(street_figures(FLOW, {**_series(), "lift": T})["strouhal"])


def test_a_street_that_is_forming_says_so() -> None:
    growing = {**_series(), "lift": np.exp(T) * np.sin(PHASE)}
    assert street_figures(FLOW, growing)["lift_growth"] == pytest.approx(math.e - 1, rel=0.02)  # three periods later


def test_the_strouhal_number_needs_a_whole_period() -> None:
    assert strouhal_number(T, np.cos(PHASE), length=0.5, speed=2.0) == pytest.approx(0.75, rel=1e-5)
    assert math.isnan(strouhal_number(T, np.cos(T), length=0.5, speed=2.0))
    assert len(period_starts(T, np.sin(PHASE + 0.1))) == 5
    assert len(period_starts(T, np.sin(PHASE + 0.1), most=2)) == 3


def test_coefficients_of_a_record() -> None:
    columns = {"t": T, "force_x": np.full_like(T, 0.05), "force_y": -0.01 * T}
    series = drag_and_lift(FLOW, columns)
    assert series["drag"][0] == pytest.approx(2 * 0.05 / (1.0**2 * 0.1))
    assert series["lift"][-1] == pytest.approx(-0.6)
    assert "pressure_drop" not in series and "pressure_drop" not in street_figures(
        FLOW, {**series, "lift": np.sin(PHASE)}
    )
    probed = drag_and_lift(FLOW, {**columns, "front_pressure": 3 + 0 * T, "back_pressure": 1 + 0 * T})
    assert probed["pressure_drop"][7] == 2
