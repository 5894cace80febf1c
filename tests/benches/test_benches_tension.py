"""The bench of a soft square in tension: its reference, and that elements lock where a neural field does not."""

from __future__ import annotations

import math

import pytest
import torch

from neuralpde.benches import tension
from neuralpde.benches._rows import Row
from neuralpde.dynamics import LoadSteps, Newton
from neuralpde.fields import Jet
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve


@pytest.fixture(scope="module")
def quick() -> dict[tuple[str, str], float]:
    rows = list(tension.rows(quick=True))
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in rows)
    found = {(row.method, row.metric): row.value for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_energy_is_the_published_one() -> None:
    """Σ (σ − 1)² + 1000 (det F − 1)² by singular values."""
    posed = tension.problem(2)
    grad = 0.5 * torch.randn(20, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    deformation = grad + torch.eye(2, dtype=torch.float64)
    kept = torch.linalg.det(deformation) > 0
    sizes = torch.linalg.svdvals(deformation)
    known = (sizes - 1).square().sum(1) + 1000 * (torch.linalg.det(deformation) - 1) ** 2
    x = torch.zeros(20, 2, dtype=torch.float64)
    found = posed.energy(0.0, x, Jet(torch.zeros_like(x), grad))
    assert int(kept.sum()) > 10 and torch.allclose(found[kept], known[kept], rtol=1e-12)


def test_what_is_compared_is_as_large_as_the_field(quick: dict[tuple[str, str], float]) -> None:
    dofs = quick["neural 8-8", "dofs"]
    compared = [value for (method, metric), value in quick.items() if metric == "dofs" and method.startswith("P")]
    assert len(compared) == 4 and all(0.5 * dofs < value <= dofs for value in compared)


def test_p1_locks_where_p2_does_not(quick: dict[tuple[str, str], float]) -> None:
    errors = {method: value for (method, metric), value in quick.items() if metric == "rms_error"}
    (p1,) = (value for method, value in errors.items() if method.startswith("P1,"))
    (p2,) = (value for method, value in errors.items() if method.startswith("P2,"))
    assert p1 > 0.25 and p2 < 0.5 * p1


def test_a_few_iterations_bring_the_field_closer_than_its_boundary_data(quick: dict[tuple[str, str], float]) -> None:
    assert quick["neural 8-8", "rms_error"] < 0.8 * quick["boundary data alone", "rms_error"]


def test_the_reference_hardly_changes_with_its_mesh(quick: dict[tuple[str, str], float]) -> None:
    assert quick["reference, 7 × 7", "rms_error"] < 2e-2


def test_elements_that_are_inside_out_on_the_way_come_back() -> None:
    """At the corners of a graded mesh they are for several steps in a row, in load steps that succeed."""
    posed, steps = tension.problem(14, tension.GRADED), LoadSteps(first=0.25, growth=1.5)
    run = solve(posed, FiniteElementField.for_problem(posed, 2), newton=Newton(maxiter=3000), load_steps=steps)
    assert run.notes == ("load steps at the factors 0.25, 0.625, 1",)
