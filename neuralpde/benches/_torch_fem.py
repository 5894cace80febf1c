"""torch-fem as a second baseline of linear elasticity, where it is installed."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import Any

import torch

from neuralpde.benches._skfem import POISSON_RATIO, YOUNG
from neuralpde.geometry import Mesh


@dataclass(frozen=True)
class Solved:
    """What torch-fem took, seconds by part, and the relative residual of its solution on the free unknowns."""

    seconds: dict[str, float]
    residual: float


def installed() -> bool:
    """Whether torch-fem, and the PyVista that it imports, can be imported."""
    try:
        importlib.import_module("torchfem")
    except ImportError:
        return False
    return True


def elasticity(mesh: Mesh, rtol: float) -> Solved:
    """A solid of linear elements under its own weight, clamped at x = 0: stiffness, load and solve by the method that
    torch-fem chooses (a direct one for small systems, else CG with smoothed aggregation and rigid motions).

    Args:
        mesh: of triangles or tetrahedra, none turned over.
        rtol: relative residual that is asked for.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # its tensors have the default one
    try:
        return _elasticity(mesh, rtol)
    finally:
        torch.set_default_dtype(before)


def _elasticity(mesh: Mesh, rtol: float) -> Solved:
    from torchfem.sparse import sparse_solve

    clock = time.process_time
    begin = clock()
    model = _model(mesh)
    load = torch.zeros(mesh.dim)
    load[-1] = -1.0
    held = torch.nonzero(model.constraints.ravel()).ravel()
    right = model.integrate_body_load(load).ravel()
    right[held] = 0.0
    matrix = model.assemble_matrix(model.k0(), held)
    assembled = clock()
    x = sparse_solve(matrix, right, B=model.near_null_space(), stol=rtol)[0].ravel()
    seconds = {"assembly": assembled - begin, "solve": clock() - assembled}
    return Solved(seconds, float((right - matrix @ x).norm() / right.norm()))


def _model(mesh: Mesh) -> Any:
    from torchfem import Planar, Solid
    from torchfem.materials import IsotropicElasticity3D, IsotropicElasticityPlaneStrain

    kind, material = (Planar, IsotropicElasticityPlaneStrain) if mesh.dim == 2 else (Solid, IsotropicElasticity3D)
    nodes = torch.as_tensor(mesh.points)
    model = kind(nodes, torch.as_tensor(mesh.cells), material(YOUNG, POISSON_RATIO))
    model.constraints = (nodes[:, :1] < 1e-9).expand(-1, mesh.dim).clone()
    return model
