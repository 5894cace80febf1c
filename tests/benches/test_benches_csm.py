"""Turek and Hron's beam: its shape, and the bar of P2."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import csm


def test_the_beam_begins_on_the_arc() -> None:
    mesh = csm.beam("CSM1", "triangle6", (20, 4)).domain.mesh  # type: ignore[attr-defined]
    arc = mesh.points[mesh.facet_nodes(mesh.tags["arc"])].reshape(-1, 2)
    np.testing.assert_allclose(np.linalg.norm(arc - csm.CENTRE, axis=1), csm.RADIUS, atol=1e-12)
    half = math.asin(csm.THICKNESS / 2 / csm.RADIUS)  # of the angle that the arc has
    left = csm.RADIUS**2 * (half + math.sin(half) * math.cos(half))  # the half of the disc between its sides
    wanted = csm.THICKNESS * (csm.END[0] - csm.CENTRE[0]) - left
    assert math.isclose(mesh.measures.sum(), wanted, rel_tol=1e-7)


@pytest.mark.parametrize("case", csm.PUBLISHED)
def test_the_bar_of_p2(case: str) -> None:
    method = csm.Method("P2", "triangle6", 2, (70, 4))
    figures = {row.metric: row.value for row in csm.measured(case, method)}
    assert max(figures["rel_error"], figures["rel_error_x"], figures["rel_error_y"]) <= 5e-3
    assert figures["dofs"] == 2 * (9 * 141 - 9)


def test_rows_are_finite_and_p1_is_stiff() -> None:
    found = {(row.case, row.method, row.metric): row.value for row in csm.rows(quick=True)}
    assert all(math.isfinite(value) for value in found.values())
    assert found["CSM2", "P2, 35 × 2", "rel_error"] < 0.1 * found["CSM2", "P1, 35 × 2", "rel_error"]
