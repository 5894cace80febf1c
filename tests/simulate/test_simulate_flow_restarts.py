"""A flow gone on with is the flow that was not interrupted: every family of integrators on every representation."""

from __future__ import annotations

import pytest
import torch
from tables import (
    FLOW_FAMILIES,
    FLOW_REPRESENTATIONS,
    FLOWS,
    FOR_FAMILY,
    QUICK,
    START,
    ProblemRow,
    RepresentationRow,
    flow_refusal,
)

from neuralpde.optimize import GaussNewton
from neuralpde.simulate import Solution, load_solution, simulate

BY_NAME = {row.name: row for row in FLOWS}
WHERE = [BY_NAME[name] for name in ("Walsh flow", "lid-driven cavity", "cylinder in a channel")]
COMBINATIONS = [
    (flow, r, family)
    for flow in WHERE
    for r in FLOW_REPRESENTATIONS
    for family in FLOW_FAMILIES
    if family != "steady" and flow_refusal(flow, r, family) is None
    if not r.fit or flow is WHERE[0]  # networks between walls take many seconds, and restart by the same code
]
DT, STEPS, STOP = 2**-10, 8, 5


def _fits(r: RepresentationRow) -> dict[str, GaussNewton]:
    return {"fit": QUICK, "pressure_fit": QUICK} if r.fit else {}


def _run(flow: ProblemRow, r: RepresentationRow, family: str, stop: int, **options) -> Solution:
    problem = flow.make()
    start = {"initial_fit": {"options": START}} if r.fit else {}
    return simulate(
        problem,
        r.kind.for_problem(problem, **r.options),
        FOR_FAMILY[family](),
        dt=DT,
        t_end=STEPS * DT,
        progress=lambda k, *_: k < stop,
        growth_limit=None,  # tiny networks after quick fits: what is looked at is that they do the same again
        **start,
        **_fits(r),
        **options,
    )


@pytest.mark.parametrize(
    ("flow", "r", "family"), COMBINATIONS, ids=[f"{f.name}-{r.name}-{family}" for f, r, family in COMBINATIONS]
)
def test_a_flow_gone_on_with_repeats_the_uninterrupted_one(
    flow: ProblemRow, r: RepresentationRow, family: str, tmp_path
) -> None:
    whole, half = _run(flow, r, family, STEPS + 1), _run(flow, r, family, STOP)
    assert len(half.infos) == STOP and torch.equal(half.states, whole.states[: STOP + 1])
    back = load_solution(half.save(tmp_path / "half.h5"), half.problem)
    rest = _run(flow, r, family, STEPS + 1, restart=back.last)
    assert len(rest.infos) == STEPS - STOP and torch.equal(rest.times, whole.times[STOP:])
    if (r.name, family) == ("Fourier grid", "explicit"):
        # it steps on with the coefficients that it has, and after a restart with those of the saved values
        torch.testing.assert_close(rest.states, whole.states[STOP:], rtol=1e-12, atol=1e-13)
    else:
        assert torch.equal(rest.states, whole.states[STOP:])
