"""What the page on support says about finite elements: every combination runs, or is refused with its sentence."""

from __future__ import annotations

import re

import pytest
from mesh_support import MESH_FAMILIES, MESH_PROBLEMS, mesh_refusal

from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.types import UsageError


def _run(name: str, family: str, degree: int) -> Solution:
    problem, integrator = MESH_PROBLEMS[name], MESH_FAMILIES[family]
    field = FiniteElementField.for_problem(problem, degree=degree)
    return solve(problem, field) if integrator is None else simulate(problem, field, integrator, dt=1e-3, t_end=2e-3)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("family", MESH_FAMILIES)
@pytest.mark.parametrize("name", MESH_PROBLEMS)
def test_every_combination_runs_or_says_why_not(name: str, family: str, degree: int) -> None:
    sentence = mesh_refusal(MESH_PROBLEMS[name], family)
    if sentence is None:
        assert _run(name, family, degree).status.ok
        return
    with pytest.raises(UsageError, match=re.escape(sentence)):
        _run(name, family, degree)
