"""Orders of finite elements in space: distorted unstructured meshes, curved ones, 2D and 3D, steady and in time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Mesh, MeshDomain, Robin
from neuralpde.integrators import SDIRK4
from neuralpde.problems import AdvectionDiffusion, AllenCahn, Heat, Logistic, Poisson, Problem, ReactionDiffusion
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve


def warped(kind: str, n: int) -> MeshDomain:
    """The unit square or cube, bent smoothly and, inside, distorted at random: elements of order 2 are curved."""
    mesh = unit_mesh(kind, n, 0.15 if mesh_order(kind) == 1 else 0.0, seed=n)
    x = mesh.points.copy()
    x[:, 0] += 0.1 * np.sin(math.pi * mesh.points[:, 1])
    x[:, 1] += 0.1 * np.sin(math.pi * mesh.points[:, 0])
    return MeshDomain(Mesh(x, mesh.cells, mesh.kind, mesh.parts, mesh.tags))


def mesh_order(kind: str) -> int:
    return 1 if kind in ("triangle", "quad", "tetra", "hexahedron") else 2


def bumps(t: float, x: Tensor) -> Tensor:
    return torch.sin(2 * x[:, :1] + x[:, 1:2] + 0.5 * x[:, 2:].sum(-1, keepdim=True)) * math.exp(-t)


def steady_bumps(x: Tensor) -> Tensor:
    return bumps(0.0, x)


def spreading(x: Tensor) -> Tensor:
    return 1 + 0.5 * torch.cos(x.sum(-1, keepdim=True))


def drift(x: Tensor) -> Tensor:
    return torch.cat([1 + x[:, 1:2], -x[:, :1], 0.3 + 0 * x[:, 2:]], dim=-1)


def l2_error(problem: Problem, field, t: float) -> float:
    q = problem.domain.lattice(20000)
    return math.sqrt(float(q.weights @ (field(q.points) - problem.exact(t, q.points)).square().sum(1)))


def steady_problem(name: str, domain: MeshDomain) -> Problem:
    held = Dirichlet(lambda t, x: steady_bumps(x))
    if name == "poisson":
        return Poisson(solution=steady_bumps, domain=domain, conditions=(held,), diffusivity=spreading)
    if name == "advection–diffusion":
        return AdvectionDiffusion(
            drift, spreading, solution=steady_bumps, domain=domain, conditions=(held,), steady=True
        )
    return ReactionDiffusion(AllenCahn(2.0), 0.7, solution=steady_bumps, domain=domain, conditions=(held,), steady=True)


LEVELS = {"triangle": (6, 12), "triangle6": (4, 8), "quad9": (4, 8), "tetra": (3, 6), "tetra10": (2, 4)}


@pytest.mark.parametrize("name", ["poisson", "advection–diffusion", "reaction–diffusion"])
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", LEVELS)
def test_orders_of_steady_problems(kind: str, degree: int, name: str) -> None:
    errors = []
    for n in LEVELS[kind]:
        problem = steady_problem(name, warped(kind, n))
        errors.append(l2_error(problem, solve(problem, FiniteElementField.for_problem(problem, degree)).at(0.0), 0.0))
    assert orders(errors)[0] >= degree + 1 - (0.25 if kind in ("triangle", "triangle6", "quad9") else 0.5), errors


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "triangle6", "tetra"])
def test_orders_in_time_dependent_problems(kind: str, degree: int) -> None:
    """Short steps: data that move cost a stiff method of order 4 all but one or two orders of them."""
    errors = []
    for n in LEVELS[kind]:
        problem = ReactionDiffusion(
            Logistic(), 0.5, solution=bumps, domain=warped(kind, n), conditions=(Dirichlet(bumps),)
        )
        run = simulate(problem, FiniteElementField.for_problem(problem, degree), SDIRK4(), dt=0.02, t_end=0.1)
        errors.append(l2_error(problem, run.at(0.1), 0.1))
    assert orders(errors)[0] >= degree + 1 - (0.25 if kind != "tetra" else 0.5), errors


def test_a_manufactured_heat_with_an_exchange() -> None:
    """n·f = α (u − v) gives v = u + κ ∂u/∂n / α on x = 1 of the square."""

    def outside(t: float, x: Tensor) -> Tensor:
        phase = 2 * x[:, :1] + x[:, 1:2]
        return bumps(t, x) + 2 * math.exp(-t) * torch.cos(phase) * spreading(x) / 3

    errors = []
    for n in (6, 12):
        domain = MeshDomain(unit_mesh("triangle", n, 0.15, seed=n))
        problem = Heat(
            spreading,
            solution=bumps,
            domain=domain,
            conditions=(Dirichlet(bumps, ("x-", "y-", "y+")), Robin(3.0, outside, "x+")),
        )
        run = simulate(problem, FiniteElementField.for_problem(problem, 2), SDIRK4(), dt=0.02, t_end=0.1)
        errors.append(l2_error(problem, run.at(0.1), 0.1))
        assert run.error()["rel_l2"] < 1e-3
    assert orders(errors)[0] >= 2.75
    coarse = replace(problem, source_term=0.0, solution=None, profile=lambda x: 0 * x[:, :1])
    assert coarse.exact(0.0, torch.zeros(1, 2)) is None
