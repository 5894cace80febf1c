"""Every problem on every representation with every family of integrators: it works, or a sentence says what does."""

from __future__ import annotations

import re

import pytest
import torch
from tables import (
    FAMILIES,
    FLOW_FAMILIES,
    FLOW_REPRESENTATIONS,
    FLOWS,
    FOR_FAMILY,
    PROBLEMS,
    QUICK,
    SQUARE,
    START,
    SUPPORT_REPRESENTATIONS,
    UNIT,
    Drift,
    ProblemRow,
    RepresentationRow,
    Spin,
    flow_refusal,
    refusal,
    support_table,
)

from neuralpde.dynamics import (
    METHODS,
    DiscreteDynamics,
    FunctionSpaceDynamics,
    GalerkinDynamics,
    Newton,
    check_pair,
    make_dynamics,
)
from neuralpde.geometry import Box, Dirichlet, FreeSlip, Neumann, Outflow, Periodic
from neuralpde.problems import CylinderChannel, Heat, IncompressibleFlow, LidDrivenCavity, NavierStokes, Problem
from neuralpde.representations import GridField, MacGrid, NeuralField, NeuralFlow
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.types import UsageError

COMBINATIONS = [
    (p, r, family)
    for p in PROBLEMS
    for r in SUPPORT_REPRESENTATIONS
    for family in FAMILIES
    if not (r.method == "galerkin" and family == "steady")
]


def _run(p: ProblemRow, r: RepresentationRow, family: str) -> Solution:
    problem = p.make()
    representation = r.for_problem(problem)
    # quick fits: here only the pairing is looked at; accuracy has its own tests
    quick = {} if r.is_grid or r.method == "galerkin" else {"fit": QUICK}
    if family == "steady":
        return solve(problem, representation, **quick)
    start = {} if r.is_grid else {"initial_fit": {"options": START}}
    return simulate(
        problem, representation, FOR_FAMILY[family](), dt=1e-3, t_end=2e-3, method=r.method, **start, **quick
    )


@pytest.mark.parametrize(
    ("p", "r", "family"), COMBINATIONS, ids=[f"{p.name}-{r.name}-{family}" for p, r, family in COMBINATIONS]
)
def test_support(p: ProblemRow, r: RepresentationRow, family: str) -> None:
    sentence = refusal(p, r, family)
    if sentence is not None:
        with pytest.raises(UsageError, match=re.escape(sentence)):
            _run(p, r, family)
        return
    run = _run(p, r, family)
    assert run.status.ok and bool(torch.isfinite(run.states).all())
    if r.is_grid:
        assert run.error([float(run.times[-1])], points=41)["rel_l2"] <= (0.15 if "bump" in p.name else 5e-3)
    elif family != "steady":  # the steps add no more than the first fit left
        assert run.error([2e-3], points=41)["rel_l2"] <= run.error([0.0], points=41)["rel_l2"] + 0.02


def test_the_table_for_the_docs_is_the_one_that_is_tested() -> None:
    table = support_table()
    assert len(table) == len(COMBINATIONS) == len({row[:3] for row in table})
    assert [(p.name, r.name, f, refusal(p, r, f) or "works") for p, r, f in COMBINATIONS] == table
    verdicts = {verdict for *_, verdict in table}
    assert "works" in verdicts and len(verdicts) == 8


FLOW_COMBINATIONS = [(p, r, family) for p in FLOWS for r in FLOW_REPRESENTATIONS for family in FLOW_FAMILIES]


def _run_flow(p: ProblemRow, r: RepresentationRow, family: str) -> Solution:
    problem = p.make()
    representation = r.kind.for_problem(problem, **r.options)  # type: ignore[attr-defined]
    if family == "steady":
        return solve(problem, representation, **({"fit": QUICK} if r.fit else {}))
    quick = {"initial_fit": {"options": START}, "fit": QUICK, "pressure_fit": QUICK} if r.fit else {}
    return simulate(problem, representation, FOR_FAMILY[family](), dt=1e-3, t_end=2e-3, **quick)


@pytest.mark.parametrize(
    ("p", "r", "family"), FLOW_COMBINATIONS, ids=[f"{p.name}-{r.name}-{family}" for p, r, family in FLOW_COMBINATIONS]
)
def test_support_of_flows(p: ProblemRow, r: RepresentationRow, family: str) -> None:
    sentence = flow_refusal(p, r, family)
    if sentence is not None:
        with pytest.raises(UsageError, match=re.escape(sentence)):
            _run_flow(p, r, family)
        return
    run = _run_flow(p, r, family)
    assert run.status.ok and bool(torch.isfinite(run.states).all())


@pytest.mark.parametrize("p", FLOWS, ids=lambda p: p.name)
@pytest.mark.parametrize("kind", [GridField, NeuralField])
def test_flows_are_refused_where_nothing_keeps_their_constraint(p: ProblemRow, kind) -> None:
    with pytest.raises(UsageError, match=f"which a {kind.__name__} cannot; use MacGrid"):
        check_pair(p.make(), kind)


@pytest.mark.parametrize("p", PROBLEMS, ids=lambda p: p.name)
@pytest.mark.parametrize("r", FLOW_REPRESENTATIONS, ids=lambda r: r.name)
def test_other_problems_are_refused_on_representations_of_flows(p: ProblemRow, r: RepresentationRow) -> None:
    with pytest.raises(UsageError, match=f"a {r.kind.__name__} keeps incompressible flow.* use GridField or NeuralF"):
        check_pair(p.make(), r.kind)


class Driven(IncompressibleFlow):
    """A flow with a force, which no representation knows."""

    def momentum(self, t, x, u):
        return super().momentum(t, x, u) + 1


class Loose(Problem):
    """A pressure that is no flow's."""

    domain, conditions, unknowns = SQUARE, (Periodic(),), {"velocity": 2, "pressure": 1}
    algebraic = frozenset({"pressure"})

    def rhs(self, t, x, u):
        return u.value


def _walls(condition: Dirichlet) -> None:
    check_pair(NavierStokes(conditions=(condition,)), MacGrid)


PAIRED = [
    (
        lambda: make_dynamics(Heat(), GridField.for_problem(Heat()), "galerkin"),
        "does not serve a GridField; use 'discr",
    ),
    (
        lambda: make_dynamics(Heat(), NeuralField.for_problem(Heat()), "discrete"),
        "'discrete' does not serve a NeuralField; use 'function_space' or 'galerkin'",
    ),
    (
        lambda: make_dynamics(Heat(), GridField.for_problem(Heat()), "magic"),
        "galerkin, weak, finite_element, potential, mac, spectral, neural_flow, velocity_pressure; got 'magi",
    ),
    (
        lambda: make_dynamics(Heat(), GridField(Box(0, 2), (Periodic(),))),
        r"build it with GridField.for_problem\(problem\)",
    ),
    (
        lambda: make_dynamics(Spin(), NeuralField(UNIT, (Dirichlet(0.0),))),
        "with 1 channel.* with 2; .*NeuralField.for_pro",
    ),
    (
        lambda: make_dynamics(Heat(), GridField(UNIT, (Dirichlet(0.0),))),
        r"holds the conditions \(Dirichlet.*has \(Periodic.*GridField.for_problem\(problem\)",
    ),
    (
        lambda: FunctionSpaceDynamics(Heat(), NeuralField.for_problem(Heat(), hidden=(8,)), points=10),
        "10 points cannot determine 33 weights; use points ≥ 99",
    ),
    (lambda: make_dynamics(Driven(), MacGrid.for_problem(Driven(), 8)), "and Driven has its own momentum"),
    (lambda: check_pair(Loose(), MacGrid), "a MacGrid keeps subclasses of IncompressibleFlow; Loose is none"),
    (
        lambda: check_pair(CylinderChannel(), NeuralFlow),
        "flows around a solid, which a NeuralFlow cannot hold; use Mac",
    ),
    (lambda: _walls(Dirichlet((1.0,))), r"the velocity on x- needs 2 numbers; got \(1.0,\)"),
    (lambda: _walls(Dirichlet(lambda t, x: x[:, [0, 0, 0]])), r"must return a tensor \(\d, 2\)"),
    (lambda: check_pair(Heat(conditions=(FreeSlip(),)), GridField), "FreeSlip is a condition of a flow's velocity"),
    (lambda: GridField(UNIT, (Outflow(),)), "a grid field takes Dirichlet, Neumann and Periodic conditions; got Outfl"),
    (lambda: Newton(linear="magic"), "linear solvers are auto, fast, direct, cg, gmres; got 'magic'"),
    (
        lambda: DiscreteDynamics(Heat(), GridField.for_problem(Heat(), order=6), Newton("fast")),
        "linear='fast' needs order 2 or 'fourier'.*use linear='direct'",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), PAIRED, ids=[s[:30] for _, s in PAIRED])
def test_misfits_are_refused_at_construction(make, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_auto_takes_the_method_that_fits() -> None:
    assert isinstance(make_dynamics(Heat(), GridField.for_problem(Heat())), DiscreteDynamics)
    assert isinstance(make_dynamics(Heat(), NeuralField.for_problem(Heat())), FunctionSpaceDynamics)
    assert isinstance(make_dynamics(Heat(), NeuralField.for_problem(Heat()), "galerkin"), GalerkinDynamics)
    grids, networks = (
        {"discrete", "finite_element", "potential", "mac", "spectral"},
        {"function_space", "galerkin", "weak", "neural_flow", "velocity_pressure"},
    )
    assert set(METHODS) == grids | networks


def test_conditions_made_anew_at_every_look_are_the_same_conditions() -> None:
    class Fresh(Problem):
        domain = UNIT

        @property
        def conditions(self):
            return (Dirichlet(lambda t, x: 0 * x), Neumann(lambda t, x: 0 * x, "x+"))

        def rhs(self, t, x, u):
            return u.value

    assert isinstance(make_dynamics(Fresh(), GridField.for_problem(Fresh(), 8)), DiscreteDynamics)


HELD = [
    (Dirichlet(0.0), Dirichlet(0), True),
    (Dirichlet(0.0), Dirichlet((0.0,)), True),
    (Dirichlet(0.0), Dirichlet(lambda t, x: 0 * x), True),
    (Dirichlet(lambda t, x: 1 + x * t), Dirichlet(lambda t, x: 1 + t * x), True),
    (Dirichlet(0.0), Dirichlet(1.0), False),
    (Neumann(0.0), Neumann(1e-3), False),
    (Dirichlet((0.0,)), Dirichlet((1.0,)), False),
    (Dirichlet(0.0), Dirichlet(lambda t, x: 1 + x), False),
    (Dirichlet(lambda t, x: x), Dirichlet(lambda t, x: 2 * x), False),
]


@pytest.mark.parametrize(("held", "wanted", "same"), HELD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_representation_holds_the_values_of_the_problem(held, wanted, same: bool, dtype: torch.dtype) -> None:
    grid, problem = GridField(UNIT, (held,), shape=8, dtype=dtype), Heat(conditions=(wanted,))
    if same:
        make_dynamics(problem, grid)
        return
    with pytest.raises(UsageError, match=r"holds the conditions .* build it with GridField.for_problem\(problem\)"):
        make_dynamics(problem, grid)


def test_a_cavity_needs_a_grid_of_its_own_lid() -> None:
    make_dynamics(LidDrivenCavity(), MacGrid.for_problem(LidDrivenCavity(), 8))
    make_dynamics(CylinderChannel(), MacGrid.for_problem(CylinderChannel(), (43, 8)))
    with pytest.raises(UsageError, match=r"build it with MacGrid.for_problem\(problem\)"):
        make_dynamics(LidDrivenCavity(speed=2.0), MacGrid.for_problem(LidDrivenCavity(), 8))


class Reaction(Problem):
    """A user's equation with two terms, one of which has no flow."""

    domain, conditions = Drift().domain, (Periodic(),)

    def rhs(self, t, x, u):
        return u.value


@pytest.mark.parametrize("kind", [GridField, NeuralField])
def test_a_flow_that_is_not_there_is_refused(kind) -> None:
    from neuralpde.integrators import State

    problem = Reaction()
    r = kind.for_problem(problem)
    with pytest.raises(UsageError, match="the term 'Reaction' has no flow; use RK4 or ImplicitMidpoint"):
        make_dynamics(problem, r).flow(0, State(0.0, r.initial()), 0.1)
