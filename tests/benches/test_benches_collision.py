"""INSR's collision and a swinging beam: what they are, and what is measured of them."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
import torch

from neuralpde.benches import _free_vibration as vibration
from neuralpde.benches import collision
from neuralpde.types import Status

Figures = dict[tuple[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def quick() -> Figures:
    rows, out = list(collision.rows(quick=True)), Figures()
    assert all(math.isfinite(row.value) for row in rows)
    assert len({(row.case, row.method, row.metric) for row in rows}) == len(rows)
    for row in rows:
        out.setdefault((row.case, row.method), {})[row.metric] = row.value
    return out


def test_the_body_is_that_of_insr() -> None:
    body = collision.body(2)
    assert body.domain.volume == pytest.approx(4.0, rel=1e-13)  # type: ignore[attr-defined]
    stretch = torch.tensor([[[0.2, 0.0], [0.0, -0.1]]], dtype=torch.float64)
    found = float(body.material.energy(torch.zeros(1, 2, dtype=torch.float64), stretch))
    assert found == pytest.approx(20 * (0.04 + 0.01) + 1000 * (1.08 - 1) ** 2)
    x = collision.inner_places()
    forces = [collision.push(t, x) for t in (0.1, 0.2, 0.3)]
    assert [float(force[:, 1].mean()) for force in forces] == [-200.0, -200.0, 0.0]
    assert all(float(force[:, 0].abs().max()) == 0 for force in forces)


def test_distances_are_looked_at_all_along_the_boundary() -> None:
    x = collision.outer_places()
    at_side = ((x == 0) | (x == collision.SIDE)).any(1)
    assert bool(at_side.all()) and len(torch.unique(x, dim=0)) == collision.POINTS
    shift = torch.tensor([0.0, collision.HEIGHT], dtype=torch.float64)
    assert float(collision.DISC.distance(x + shift).min()) == pytest.approx(collision.HEIGHT, abs=1e-12)


def test_quadratic_elements_are_closer_than_linear_ones_of_the_same_size(quick: Figures) -> None:
    p1, p2 = quick["collision", "P1, 6 × 6"], quick["collision", "P2, 3 × 3"]
    reference = quick["collision", "reference, 5 × 5"]
    assert p1["dofs"] == p2["dofs"]
    for metric in ("rms_error_0.5", "rms_error_1", "rms_error_2"):
        assert reference[metric] < p2[metric] < 0.6 * p1[metric]


def test_nothing_enters_the_disc_and_energy_is_lost(quick: Figures) -> None:
    for (case, _), figures in quick.items():
        if case == "collision":
            assert 0 < figures["least_distance"] < collision.HEIGHT
            assert figures["reached"] == collision.T_END
            assert 0.3 < figures["energy_lost"] < 0.6  # implicit Euler's


def test_a_run_that_ends_early_has_infinite_errors_after_that() -> None:
    whole = collision.elements(2, 1)
    solution = whole.solution
    ended = replace(solution, times=solution.times[:8], states=solution.states[:8], status=Status.UNFINISHED_FIT)
    known = whole.values()
    figures = collision.Run(ended, 1.0).figures(known)
    assert [figures[f"rms_error_{t:g}"][0] for t in collision.TIMES] == [0.0, 0.0, math.inf, math.inf]
    assert figures["reached"][0] == pytest.approx(0.7) and math.isnan(figures["energy_lost"][0])
    rows = collision.rows_of("neural", [whole, collision.Run(ended, 3.0), replace(whole, seconds=4.0)], known)
    worst = {row.metric: row.value for row in rows}
    assert worst["seconds"] == statistics.median((whole.seconds, 3.0, 4.0)) and worst["rms_error_2"] == math.inf
    assert worst["reached"] == pytest.approx(0.7) and math.isnan(worst["energy_lost"])


def test_the_beam_starts_in_its_first_mode() -> None:
    """Nothing moves at the wall, nothing bends at the end, cross-sections stay normal."""
    s = torch.linspace(0, vibration.LENGTH, 2001, dtype=torch.float64)
    middle = torch.stack([s, torch.full_like(s, 0.5 * vibration.HEIGHT)], dim=1)
    w = vibration.bent(middle)[:, 1]
    assert float(w[-1]) == pytest.approx(vibration.AMPLITUDE, rel=1e-12) and float(w[0]) == 0
    slope = -vibration.bent(middle + torch.tensor([0.0, 0.01]))[:, 0] / 0.01
    (numerical,) = torch.gradient(w, spacing=(s,), edge_order=2)
    assert float((slope - numerical).abs().max()) < 1e-6 * float(slope.abs().max())
    second = torch.func.vmap(
        torch.func.grad(torch.func.grad(lambda z: vibration.bent(torch.stack([z, 0 * z])[None])[0, 1]))
    )
    bend = second(s)
    assert float(bend[-1].abs()) < 1e-5 * float(bend[0].abs())
    inertia = vibration.HEIGHT**3 / 12
    stiff = vibration.YOUNG / (1 - vibration.POISSON_RATIO**2) * inertia
    omega = 3.51601527 * math.sqrt(stiff / (vibration.DENSITY * vibration.HEIGHT * vibration.LENGTH**4))
    assert pytest.approx(2 * math.pi / omega, rel=1e-8) == vibration.PERIOD


def test_quadratic_elements_swing_as_the_beam_and_linear_ones_are_stiff(quick: Figures) -> None:
    finest, p1, p2 = (quick["vibration", m] for m in ("P2, 20 × 2 (finest)", "P1, 10 × 1", "P2, 10 × 1"))
    assert finest["rel_error"] == 0 and finest["rel_error_beam"] < 0.04
    assert p2["rel_error"] < 0.01 and p1["rel_error"] > 0.3 and p1["period"] < p2["period"]
    for figures in (finest, p1, p2):
        assert figures["energy_drift"] < 1e-9 and 0.98 < figures["amplitude"] < 1.02
