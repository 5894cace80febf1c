"""What is remembered of points: sources that known solutions ask for, materials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neuralpde.fields import Jet, PointMemory
from neuralpde.geometry import Box, Dirichlet
from neuralpde.problems import Heat, LinearElasticity, Poisson

SQUARE = Box((0.0, 0.0), (1.0, 1.0))


class Counted:
    """x² y, and how often it was asked for."""

    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return (x[:, 0] ** 2 * x[:, 1])[:, None]


class Moving(Counted):
    """The same times 1 + t."""

    def __call__(self, t: float, x: Tensor) -> Tensor:  # type: ignore[override]
        return (1 + t) * super().__call__(x)


def points(n: int = 5, seed: int = 0) -> Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_known_solution_is_differentiated_once_for_the_same_points() -> None:
    solution, x = Counted(), points()
    poisson = Poisson(solution=solution, domain=SQUARE, conditions=(Dirichlet(0.0),))
    first = poisson.supply(0.0, x)
    calls = solution.calls
    again = poisson.supply(0.0, x.clone())
    assert calls > 2 and solution.calls == calls + 1 and torch.equal(first, again)  # once more, to know it
    torch.testing.assert_close(first, -2 * x[:, 1:], rtol=1e-12, atol=1e-12)
    other = poisson.supply(0.0, points(seed=1))
    assert solution.calls > calls and not torch.equal(other, first)
    torch.testing.assert_close(poisson.supply(0.0, x.float()), first.float(), rtol=1e-5, atol=1e-6)
    assert torch.equal(replace(poisson, diffusivity=3.0).supply(0.0, x), 3 * first)


def test_a_solution_that_moves_is_remembered_at_its_time() -> None:
    solution, x = Moving(), points()
    heat = Heat(diffusivity=0.5, solution=solution, domain=SQUARE, conditions=(Dirichlet(solution),))
    late = heat.supply(0.7, x)
    wanted = x[:, :1] ** 2 * x[:, 1:] - 0.5 * 1.7 * 2 * x[:, 1:]
    torch.testing.assert_close(late, wanted, rtol=1e-8, atol=1e-8)
    calls = solution.calls
    assert torch.equal(heat.supply(0.7, x), late) and solution.calls == calls + 1
    assert float((heat.supply(0.0, x) - late).abs().max()) > 0.1


@dataclass(frozen=True)
class Warmed(Heat):
    """Heat that also decays, ever faster."""

    def moved(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return super().moved(t, x, u) - t * u.value


def test_a_problem_of_ones_own_may_move_by_time() -> None:
    heat, x = Warmed(solution=Counted(), domain=SQUARE, conditions=(Dirichlet(0.0),)), points()
    now, late = heat.supply(0.0, x), heat.supply(2.0, x)
    torch.testing.assert_close(late - now, 2 * x[:, :1] ** 2 * x[:, 1:])


def test_weights_that_change_are_seen() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.size = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return self.size * x[:, :1] ** 2

    solution, x = Scaled(), points()
    poisson = Poisson(solution=solution, domain=SQUARE)
    with torch.no_grad():
        before = poisson.supply(0.0, x)
        solution.size.fill_(3.0)
        assert torch.equal(poisson.supply(0.0, x), 3 * before)


def test_forces_that_balance_a_known_displacement_are_found_once() -> None:
    class Stretched(Counted):
        def __call__(self, x: Tensor) -> Tensor:
            return super().__call__(x) * torch.ones_like(x)

    solution, x = Stretched(), points()
    solid = LinearElasticity(solution=solution, domain=SQUARE, conditions=(Dirichlet(0.0),))
    u = Jet(torch.zeros_like(x))
    first, calls = solid.source(0.0, x, u), solution.calls
    assert torch.equal(solid.source(0.0, x, u), first) and calls > 2 and solution.calls == calls + 1


def test_derivatives_by_points_pass_through_and_old_points_are_forgotten() -> None:
    memory, x = PointMemory(kept=3), points()
    assert torch.equal(torch.func.jacrev(lambda p: memory(torch.sin, p).sum())(x), torch.cos(x))
    marked = x.clone().requires_grad_()
    memory(torch.sin, marked).sum().backward()
    assert torch.equal(marked.grad, torch.cos(x))
    calls: list[int] = []

    def watched(p: Tensor) -> Tensor:
        calls.append(len(p))
        return p

    for seed in [*range(4), 0]:
        memory(watched, points(seed=seed))
    assert len(calls) == 5  # the first set was forgotten, and looked at again
