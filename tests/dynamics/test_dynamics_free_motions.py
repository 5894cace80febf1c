"""Steady problems whose conditions leave constants or rigid motions free are refused before they are solved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Flux, Mesh, MeshDomain, repair_mesh
from neuralpde.problems import AdvectionDiffusion, Heat, LinearElasticity
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve
from neuralpde.types import UsageError

SQUARE = MeshDomain(unit_mesh("triangle", 4, distort=0.1))


def hinged() -> MeshDomain:
    """Two squares that share the node (1, 1); the sides with x = 0 are tagged."""
    one = unit_mesh("triangle", 3)
    number = np.arange(16) + 16
    number[np.flatnonzero((one.points == 0).all(1))] = np.flatnonzero((one.points == 1).all(1))
    points = np.concatenate([one.points, one.points + 1])
    used, cells = np.unique(np.concatenate([one.cells, number[one.cells]]), return_inverse=True)
    mesh = repair_mesh(Mesh(points[used], cells.reshape(-1, 3)))
    middles = mesh.points[mesh.facet_nodes(mesh.boundary)].mean(1)
    return MeshDomain(replace(mesh, tags={"wall": mesh.boundary[middles[:, 0] < 1e-9]}))


def test_advection_in_a_closed_box() -> None:
    closed = AdvectionDiffusion(
        velocity=(1.0, 0.5), diffusivity=0.5, steady=True, domain=SQUARE, source_term=1.0, conditions=(Flux(0.0),)
    )
    with pytest.raises(UsageError, match="nothing leaves through the boundary"):
        solve(closed, FiniteElementField.for_problem(closed))
    held = replace(closed, conditions=(Dirichlet(0.0, on="x+"), Flux(0.0)))
    assert solve(held, FiniteElementField.for_problem(held)).status.ok


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("young", [1.0, 2e11])
def test_free_and_hinged_bodies(degree: int, young: float) -> None:
    body = LinearElasticity(young=young, domain=SQUARE, conditions=(Flux((0.0, 0.0)),), body_force=(0.0, -1.0))
    with pytest.raises(UsageError, match="free to move along x and y, and to turn: give u"):
        solve(body, FiniteElementField.for_problem(body, degree=degree))
    held = replace(body, conditions=(Dirichlet((0.0, 0.0), on="x-"), Flux((0.0, 0.0))))
    assert solve(held, FiniteElementField.for_problem(held, degree=degree)).status.ok
    domain = hinged()
    assert len(domain.mesh.points) == 31
    hanging = replace(body, domain=domain, conditions=(Dirichlet((0.0, 0.0), on="wall"), Flux((0.0, 0.0))))
    with pytest.raises(UsageError, match="hangs on single nodes or an edge: give u"):
        solve(hanging, FiniteElementField.for_problem(hanging, degree=degree))


def test_heat_goes_through_a_shared_node() -> None:
    heat = Heat(steady=True, source_term=1.0, domain=hinged(), conditions=(Dirichlet(0.0, on="wall"), Flux(0.0)))
    assert solve(heat, FiniteElementField.for_problem(heat)).status.ok


def test_soft_parts_that_are_held_are_not_refused() -> None:
    soft = Heat(
        steady=True,
        source_term=0.0,
        diffusivity=lambda x: torch.where(x[:, :1] < 0.5, 1.0, 1e-9),
        domain=SQUARE,
        conditions=(Dirichlet(1.0, on="x+"), Flux(0.0)),
    )
    run = solve(soft, FiniteElementField.for_problem(soft))
    assert float((run.last.theta - 1).abs().max()) < 1e-4
