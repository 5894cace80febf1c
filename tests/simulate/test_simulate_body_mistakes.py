"""Bodies that are asked for wrongly: options of other kinds, and supports that jump away from the start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.dynamics import LoadSteps, Newton
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.integrators import Newmark
from neuralpde.problems import Elasticity, LinearElasticity, NeoHookean
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError

SQUARE = MeshDomain(unit_mesh("triangle", 2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"newton": {"maxiter": 3}}, r"newton is Newton\(\.\.\.\), .* got \{'maxiter': 3\}"),
        ({"newton": 3}, r"newton is Newton\(\.\.\.\), .* got 3"),
        ({"load_steps": 4}, r"load_steps is LoadSteps\(\.\.\.\), .* got 4"),
        ({"newton": LoadSteps()}, r"newton is Newton\(\.\.\.\)"),
    ],
)
def test_options_of_another_kind_are_told(options: dict[str, Any], sentence: str) -> None:
    body = Elasticity(NeoHookean(1.0, 0.3), domain=SQUARE)
    with pytest.raises(UsageError, match=sentence):
        solve(body, FiniteElementField.for_problem(body, 1), **options)


def test_options_of_their_kind_are_taken() -> None:
    body = Elasticity(NeoHookean(1.0, 0.3), domain=SQUARE)
    field = FiniteElementField.for_problem(body, 1)
    assert solve(body, field, newton=Newton(maxiter=3), load_steps=None).status.ok


def moving(support: Dirichlet, start: Any = None) -> tuple[str, ...]:
    body = LinearElasticity(
        domain=SQUARE, conditions=(support, Flux(0.0)), density=1.0, steady=False, start=start, young=1.0
    )
    return simulate(body, FiniteElementField.for_problem(body, 1), Newmark(), dt=0.01, t_end=0.02).notes


def test_supports_that_jump_at_the_start_are_noted() -> None:
    (note,) = moving(Dirichlet((0.5, 0.0), "x-"))
    assert note.startswith("at t = 0 x- is held 0.5 m away from where the body starts: it jumps there")
    (note,) = moving(Dirichlet(lambda t, x: 0.25 + 0 * x[:, :1], "x-", "y"), start=(3.0, 0.0))
    assert "x- is held 0.25 m away" in note


def test_supports_that_start_with_the_body_have_no_note() -> None:
    assert moving(Dirichlet((0.5, 0.0), "x-"), start=(0.5, 0.0)) == ()
    assert moving(Dirichlet(lambda t, x: torch.full_like(x, t), "x-")) == ()
    assert moving(Dirichlet(0.0, "x-", "x"), start=lambda x: torch.stack([0 * x[:, 0], x[:, 0]], 1)) == ()
