"""The bench of neural fields beside finite elements: its manufactured solutions, and its rows."""

from __future__ import annotations

import pytest
import torch

from neuralpde.benches.mesh_neural import NORMALS, Waves, made, measured, neural_rows
from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Flux
from neuralpde.representations import FiniteElementField


@pytest.mark.parametrize("case", ["poisson plate", "heat plate", "poisson bracket", "heat bracket"])
def test_solutions_are_solutions(case: str) -> None:
    problem, u = made(case)
    x, t, h = problem.domain.some_points(6), 0.3 if problem.time_order else 0.0, 1e-5
    jet = autodiff_jet(lambda p: u(t, p), x, frozenset({"grad", "laplacian"}))
    change = (u(t + h, x) - u(t - h, x)) / (2 * h) if problem.time_order else torch.zeros_like(u(t, x))
    torch.testing.assert_close(problem.rhs(t, x, jet), change, rtol=1e-6, atol=1e-8 * float(jet.laplacian.abs().max()))
    for condition in problem.conditions:
        if isinstance(condition, Flux) and condition.on in NORMALS and "plate" in case:
            y = problem.domain.face_lattice(condition.on, 5)
            slope = autodiff_jet(lambda p: u(t, p), y.points, frozenset({"grad"})).grad[:, 0]
            kappa = 1.0 if case.startswith("poisson") else 0.1 * max(problem.domain.lengths) ** 2
            torch.testing.assert_close(condition.at(t, y.points)[:, 0], -kappa * (slope * y.normals).sum(1))


def test_a_small_network_beats_the_data_alone_and_linear_elements() -> None:
    problem, u = made("poisson plate")
    assert isinstance(u, Waves)
    rows = neural_rows("poisson plate", problem, u, (0,), (5, 5))
    rows += measured("poisson plate", "P1", problem, u, lambda: FiniteElementField.for_problem(problem, 1))
    error = {row.method: row.value for row in rows if row.metric == "rel_l2"}
    assert error["neural"] < 0.5 * error["P1"] < 0.02 * error["neural, data alone"]
    assert {row.metric for row in rows if row.method == "neural"} == {"dofs", "memory_bytes", "seconds", "rel_l2"}
