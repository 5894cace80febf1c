"""Figures of a motion: heights and times of its swings, and the beam of Turek and Hron on coarse steps."""

from __future__ import annotations

import numpy as np
import pytest

from neuralpde.benches import csm
from neuralpde.benches._moving_beam import extremes, motion_rows, swing


def test_peaks_between_samples() -> None:
    t = np.linspace(0, 4, 81)
    times, heights = extremes(t, np.cos(2 * np.pi * (t - 0.513)))
    np.testing.assert_allclose(times, [0.513, 1.513, 2.513, 3.513], atol=2e-4)
    np.testing.assert_allclose(heights, 1.0, atol=1e-3)


def test_figures_of_a_known_swing() -> None:
    t = np.linspace(0, 3, 301)
    wave = 1 - np.cos(2 * np.pi * 1.0995 * t)
    found = swing(t, np.stack([-14.305e-3 * wave, -63.607e-3 * wave], axis=1))
    assert found["rel_error_mean_x"][0] < 1e-3 and found["rel_error_mean_y"][0] < 1e-3
    assert found["frequency"][0] == pytest.approx(1.0995, rel=1e-3)
    assert found["rel_error_amplitude_y"][0] == pytest.approx(1 - 63.607 / 65.160, abs=1e-3)


def test_csm3_on_coarse_steps() -> None:
    method = csm.QUICK[1]
    problem = csm.beam("CSM3", method.kind, method.cells)
    found = {row.metric: row.value for row in motion_rows(problem, csm.END, method.degree, method.title, quick=True)}
    assert max(value for name, value in found.items() if name.startswith("rel_error")) < 0.03
