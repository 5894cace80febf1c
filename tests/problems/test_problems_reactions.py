"""Reactions and their flows, moving solutions in 1D to 3D, sources in time, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from problem_rows import SQUARE, UNIT
from tables import orders, points_in
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Box, Dirichlet, Mesh, MeshDomain, repair_mesh
from neuralpde.problems import (
    AdvectionDiffusion,
    AllenCahn,
    Brusselator,
    ByPart,
    GrayScott,
    Heat,
    LinearDecay,
    Logistic,
    MovingGaussian,
    ReactionDiffusion,
    Rotation,
    Schnakenberg,
)
from neuralpde.problems._manufactured import takes_time, time_derivative
from neuralpde.problems._reactions import reaction_flow
from neuralpde.types import UsageError

SINGLE = (LinearDecay(0.7), Logistic(1.3, 2.0), AllenCahn(0.9))
PAIRS = (GrayScott(), Schnakenberg(), Brusselator())


@pytest.mark.parametrize("reaction", SINGLE, ids=lambda r: type(r).__name__)
def test_flows_solve_the_reaction(reaction) -> None:
    u = torch.linspace(-0.4, 1.8, 12, dtype=torch.float64)[:, None]
    h = 1e-3
    rate = sum(
        w * (reaction.flow(u, 0.5 + k * h) - reaction.flow(u, 0.5 - k * h)) for k, w in ((1, 2 / 3), (2, -1 / 12))
    )
    torch.testing.assert_close(rate / h, reaction(reaction.flow(u, 0.5)), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(reaction.flow(reaction.flow(u, 0.2), 0.3), reaction.flow(u, 0.5), rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(reaction.flow(u, 0.0), u, rtol=1e-14, atol=0)


@pytest.mark.parametrize("reaction", PAIRS, ids=lambda r: type(r).__name__)
def test_reactions_without_a_flow_take_a_step_of_order_four(reaction) -> None:
    u = torch.tensor([[0.9, 0.4], [1.2, 0.7]], dtype=torch.float64)

    def end(steps: int) -> Tensor:
        out = u
        for _ in range(steps):
            out = reaction_flow(reaction, out, 1.0 / steps)
        return out

    fine = end(512)
    errors = [float((end(k) - fine).abs().max()) for k in (4, 8, 16)]
    assert orders(errors)[-1] >= 3.8


def test_the_states_at_rest() -> None:
    rest = {
        Schnakenberg(0.2, 0.8): (1.0, 0.8),
        Brusselator(1.5, 2.0): (1.5, 2.0 / 1.5),
        GrayScott(): (1.0, 0.0),
    }
    for reaction, state in rest.items():
        assert float(reaction(torch.tensor([state], dtype=torch.float64)).abs().max()) <= 1e-15


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("how", ["straight", "turning"])
def test_gaussians_move_and_spread(dim: int, how: str) -> None:
    if how == "turning" and dim == 1:
        return
    centre, velocity = (0.1, -0.2, 0.15)[:dim], (0.7, -0.4, 0.2)[:dim]
    turn = 1.3 if how == "turning" else 0.0
    bump = MovingGaussian(centre, 0.3, () if turn else velocity, 0.05, turn)
    box = Box((-1.0,) * dim, (1.0,) * dim)
    problem = AdvectionDiffusion(
        Rotation(turn) if turn else velocity, 0.05, 0.0, solution=bump, domain=box, conditions=(Dirichlet(bump),)
    )
    x = points_in(box, 50)
    u = autodiff_jet(lambda p: bump(0.6, p), x, frozenset({"grad", "laplacian"}))
    torch.testing.assert_close(time_derivative(bump, 0.6, x), problem.rhs(0.6, x, u), rtol=0, atol=1e-10)


def test_sources_of_x_and_of_time() -> None:
    x = points_in(UNIT)
    jet = autodiff_jet(lambda p: 0 * p, x, frozenset({"grad", "laplacian"}))
    for source, wanted in ((2.0, 2 + 0 * x), (lambda p: p[:, 0], x), (lambda t, p: t * p, 3 * x)):
        torch.testing.assert_close(Heat(source_term=source).rhs(3.0, x, jet), wanted)
        torch.testing.assert_close(Heat(source_term=source).source(3.0, x, jet), wanted)
    assert takes_time(lambda t, x: x) and not takes_time(torch.nn.Linear(1, 1)) and not takes_time(torch.sin)
    with pytest.raises(UsageError, match=r"expected a function of x or of \(t, x\); .* takes 3 arguments"):
        takes_time(lambda a, b, c: a)


def test_a_rate_of_its_own_is_taken() -> None:
    class Fast:
        def __call__(self, t: float, x: Tensor) -> Tensor:
            return math.sin(1e6 * t) * x

        def rate(self, t: float, x: Tensor) -> Tensor:
            return 1e6 * math.cos(1e6 * t) * x

    x = points_in(UNIT)
    torch.testing.assert_close(time_derivative(Fast(), 0.3e-6, x), 1e6 * math.cos(0.3) * x)


def test_what_does_not_fit_is_refused() -> None:
    for make, sentence in (
        (lambda: AdvectionDiffusion((1.0, 0.0)), "the velocity needs 1 numbers, one per axis"),
        (lambda: ReactionDiffusion(GrayScott(), (1e-5,)), "the diffusivity needs 2 numbers ≥ 0, one for each of u, v"),
        (lambda: ReactionDiffusion(GrayScott(), (0.0, 0.0)), "not all of them zero"),
        (lambda: ReactionDiffusion(lambda u: u[:, 0]), r"must return \(n, 1\); for n = 3 it gave \(3,\)"),
        (lambda: ReactionDiffusion(lambda u: u.repeat(1, 2)), "name the species by species="),
        (lambda: Heat(-1.0), "the diffusivity must be positive"),
        (lambda: ByPart({}), "ByPart needs a number for each part"),
        (lambda: ByPart({"steel": "50"}), "for 'steel' it got '50'"),
        (lambda: ByPart({"steel": 50.0})(torch.zeros(1, 2)), "is bound to no mesh yet"),
    ):
        with pytest.raises(UsageError, match=sentence):
            make()
    two = ReactionDiffusion(lambda u: -u, (0.1, 0.0), species=("a", "b"), domain=SQUARE)
    assert two.unknowns == {"a": 1, "b": 1} and two.channels == 2
    assert two.initial(points_in(SQUARE)).shape == (7, 2)
    assert hash(ByPart({"a": 1.0, "b": 2.0})) == hash(ByPart({"b": 2.0, "a": 1.0}))


@pytest.mark.parametrize(
    ("lower", "upper"), [((10.0, -1.0), (14.0, 0.0)), ((0.0, 0.0), (1e-6, 2e-3)), ((-3.0, 5.0, 1.0), (-1.0, 6.0, 9.0))]
)
def test_the_first_bump_is_in_the_middle_of_the_domain(lower: tuple[float, ...], upper: tuple[float, ...]) -> None:
    """A tenth of the domain wide along each axis, wherever the domain lies."""
    problem = ReactionDiffusion(domain=Box(lower, upper))
    corner, lengths = (torch.tensor(v, dtype=torch.float64) for v in (lower, problem.domain.lengths))
    for k in range(len(lower)):
        places = torch.full((3, len(lower)), 0.5, dtype=torch.float64)
        places[:, k] = torch.tensor([0.5, 0.4, 0.7], dtype=torch.float64)
        wanted = torch.tensor([[1.0], [math.exp(-0.5)], [math.exp(-2.0)]], dtype=torch.float64)
        torch.testing.assert_close(problem.initial(corner + places * lengths), wanted, rtol=1e-9, atol=0)


def test_the_first_bump_is_beside_a_hole() -> None:
    """Of a square ring whose middle is a hole: in an element that is nearest to it."""
    ring = unit_mesh("triangle", 12)
    middles = ring.points[ring.cells].mean(1)
    keep = (abs(middles - 0.5) > 0.25).any(1)
    mesh = repair_mesh(Mesh(ring.points, ring.cells[keep], "triangle"))
    problem = ReactionDiffusion(domain=MeshDomain(mesh))
    x = torch.from_numpy(mesh.points[mesh.cells].mean(1))
    start = problem.initial(x)[:, 0]
    assert math.isclose(float(start.max()), 1.0, rel_tol=1e-12)
    at = x[start.argmax()]
    assert float((at - 0.5).abs().max()) <= 0.25 + 1 / 12
