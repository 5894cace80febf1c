"""torch-fem's neo-Hookean cantilever, its parts in the same loop of Newton's method as scikit-fem's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches import _skfem
from neuralpde.benches._skfem_newton import LARGEST_LU, March, Solver, Work, newton
from neuralpde.geometry import Mesh

EDGES = {2: ((0, 1), (1, 2), (2, 0)), 3: ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3))}
"""Ends of the edges whose middles are the further nodes of its quadratic elements, in its order."""


def energy(f: Tensor, constants: Tensor) -> Tensor:
    """Ψ = μ/2 (tr FᵀF − 3) − μ ln J + λ/2 (ln J)² of one F ``(3, 3)``, J by the triple product: a third faster than the
    ``logdet`` of torch-fem's own example."""
    shear, bulk = constants[0], constants[1]
    log = (f[0] * torch.linalg.cross(f[1], f[2])).sum().log()
    return 0.5 * shear * (f.square().sum() - 3) - shear * log + 0.5 * bulk * log**2


def elements_of(mesh: Mesh, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes ``(N, d)`` and elements of degree 1 or 2, in torch-fem's order."""
    points, cells = np.asarray(mesh.points), np.asarray(mesh.cells)
    if degree == 1:
        return points, cells
    pairs = np.stack([np.sort(cells[:, ends], axis=1) for ends in map(list, EDGES[mesh.dim])], axis=1)
    edges, numbers = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    middles = len(points) + numbers.reshape(len(cells), -1)
    return np.concatenate([points, points[edges].mean(1)]), np.concatenate([cells, middles], axis=1)


class HyperelasticForms:
    """R(u) and its matrix by ``Hyperelastic3D`` or ``HyperelasticPlaneStrain``, whose stress and tangent come from the
    energy by ``torch.func``, on all unknowns, clamped at x = 0.

    Its quadrature is its own: one point for degree 1; for degree 2 three points of triangles and four of tetrahedra,
    half or less of what the other sides use.

    Args:
        mesh: none of its elements turned over.
        degree: of the elements.
        force: b.
    """

    def __init__(self, mesh: Mesh, degree: int, force: Sequence[float]) -> None:
        from torchfem import Planar, Solid
        from torchfem.materials import Hyperelastic3D, HyperelasticPlaneStrain

        self.d = mesh.dim
        nodes, elements = elements_of(mesh, degree)
        kind, material = (Planar, HyperelasticPlaneStrain) if self.d == 2 else (Solid, Hyperelastic3D)
        body = material(energy, [_skfem.SHEAR, _skfem.BULK])
        self.model = kind(torch.as_tensor(nodes), torch.as_tensor(elements), body)
        held = torch.as_tensor(nodes[:, :1] < 1e-9).expand(-1, self.d)
        self.held = torch.nonzero(held.reshape(-1)).reshape(-1)
        self.load = self.model.integrate_body_load(torch.tensor(list(force))).reshape(-1)
        self.where = _skfem.places(nodes, self.d)
        self.free = np.arange(len(self.where))  # rows of what is held are those of the identity
        model = self.model
        model.K = torch.empty(0)  # as its own loop begins
        one = torch.zeros(model.n_int, model.n_elem, self.d, self.d)
        one[...] = model.initial_grad
        self.rest = (torch.zeros_like(model.nodes), one, torch.zeros_like(one), one.new_zeros(*one.shape[:2], 0))
        self.none = torch.zeros(model.n_elem, self.d, self.d)

    def state(self, u: np.ndarray) -> tuple[Tensor, Tensor]:
        """Matrices and forces of the elements."""
        k, f, *_ = self.model.integrate_material(*self.rest, torch.from_numpy(u), self.none, 0)
        return k, f

    def residual(self, state: tuple[Tensor, Tensor], factor: float) -> np.ndarray:
        """R, zero where the body is held."""
        out = self.model.assemble_rhs(state[1]) - factor * self.load
        out[self.held] = 0.0
        return out.numpy()

    def by_functions(self, state: tuple[Tensor, Tensor]) -> Tensor:
        """∂R/∂u."""
        return self.model.assemble_matrix(state[0], self.held)

    def idioms(self) -> dict[str, Callable[..., Any]]:
        """Ways to the matrix."""
        return {"torch.func": self.by_functions}

    def ways(self) -> list[Solver]:
        """Its CG with the multigrid of the first matrix, and its direct solver. New multigrid, with the inverse of a
        dense coarsest matrix of up to 2,000 unknowns, takes longer than a solve."""
        from torchfem.sparse import sparse_solve

        modes = self.model.near_null_space()

        def work(method: str) -> Work:
            def solve(matrix: Tensor, right: np.ndarray, rtol: float, made: Any) -> tuple[np.ndarray, Any, int]:
                g = torch.from_numpy(right)
                x, made, _, count = sparse_solve(matrix, g, B=modes, stol=rtol, method=method, M=made)
                return x.numpy(), made, count

            return solve

        out = [Solver("CG, kept", work("cg"), True)]
        return out + ([Solver("direct", work("direct"))] if len(self.free) <= LARGEST_LU[self.d] else [])


@torch.no_grad()
def cantilever(
    mesh: Mesh, degree: int, force: Sequence[float], factors: Sequence[float], rtol: float
) -> tuple[March, float]:
    """The loop of Newton's method with torch-fem's parts, and the seconds of its set-up.

    Args:
        mesh: none of its elements turned over, clamped at x = 0.
        degree: of the elements.
        force: per volume.
        factors: of the load, one after the other.
        rtol: of the residual, over the load.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # its tensors have the default one
    try:
        begin = time.process_time()
        forms = HyperelasticForms(mesh, degree, force)
        setup = time.process_time() - begin
        return newton(forms, factors, rtol), setup
    finally:
        torch.set_default_dtype(before)
