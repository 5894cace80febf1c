"""Matrices of a staggered grid in 2D: the discrete curl, and the derivative of what acts on the faces."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.representations import FaceVelocity

REACH = 3
"""Faces of one component along one axis that act on a face: the one beside it and its two neighbours."""


def curl_matrix(velocity: FaceVelocity) -> sp.csr_matrix:
    """C with u = C ψ: u = ∂ψ/∂y and v = −∂ψ/∂x by differences of a stream function at the nodes of the cells.

    Every field of zero normal velocity on the walls and zero divergence is such a C ψ, but for the mean velocity along
    periodic axes. ψ is 0 on the walls; where one axis is periodic the upper wall has its own unknown value, the flow
    between the walls. CᵀG = 0: pressures vanish from the momentum equation multiplied by Cᵀ.

    Args:
        velocity: faces in 2D.

    Returns:
        ``(p, k)``: p free faces, k free values of ψ, the upper wall's last.
    """
    periodic, cells = velocity.boundary.periodic, velocity.cells
    nodes = [n + (not around) for n, around in zip(cells, periodic, strict=True)]
    identity = [sp.identity(m, format="csr") for m in nodes]
    difference = []
    for n, m, h in zip(cells, nodes, velocity.spacing, strict=True):
        row = np.arange(n)
        following = sp.csr_matrix((np.ones(n), (row, (row + 1) % m)), (n, m))
        difference.append((following - sp.csr_matrix((np.ones(n), (row, row)), (n, m))) / h)
    rotated = (sp.kron(identity[0], difference[1]), -sp.kron(difference[0], identity[1]))
    inner = [one if around else one[:, 1:-1] for one, around in zip(identity, periodic, strict=True)]
    columns = [sp.kron(inner[0], inner[1])]
    if periodic[0] != periodic[1]:
        ends = [np.ones((m, 1)) if around else np.eye(m)[:, -1:] for m, around in zip(nodes, periodic, strict=True)]
        columns.append(sp.csr_matrix(np.kron(ends[0], ends[1])))
    embedding = sp.hstack(columns).tocsr()
    parts = []
    for matrix, numbers in zip(rotated, _numbers(velocity), strict=True):
        parts.append(matrix.tocsr()[numbers.reshape(-1) >= 0] @ embedding)
    return sp.vstack(parts).tocsr()


def _numbers(velocity: FaceVelocity) -> list[np.ndarray]:
    """Per component an array of all faces with their places in θ, −1 where the boundary holds them."""
    places = velocity.unpack(torch.arange(velocity.num_dofs))
    out = []
    for shape, free, place in zip(velocity.shapes, velocity.free, places, strict=True):
        numbers = np.full(shape, -1, dtype=np.int64)
        numbers[free] = place.numpy()
        out.append(numbers)
    return out


class FaceJacobian:
    """∂F/∂u of a map F of the free faces, of at most second degree, in which only neighbours meet.

    For such a map (F(u + v) − F(u − v))/2 is the derivative along v exactly. Faces that no face feels together share a
    colour and are moved together, so a dozen pairs of evaluations of F give the whole matrix, whatever the boundary
    does.

    Args:
        velocity: faces in 2D.

    Source: Curtis, Powell & Reid, IMA J. Appl. Math. 13 (1974), for the colours.
    """

    def __init__(self, velocity: FaceVelocity) -> None:
        self.velocity = velocity
        self.numbers = _numbers(velocity)
        self.size = velocity.num_dofs
        self.colours = [[self._colours(k, a) for a in range(velocity.dim)] for k in range(velocity.dim)]

    def _colours(self, k: int, a: int) -> np.ndarray:
        """A number per face of component k along axis a; neighbours and next neighbours differ, around too."""
        n = self.velocity.shapes[k][a]
        colours = np.arange(n) % REACH
        if self.velocity.boundary.periodic[a]:
            left = n % REACH  # the last few get colours of their own
            colours[n - left :] = REACH + np.arange(left)
        return colours

    def __call__(self, function: Callable[[Tensor], Tensor], u: Tensor, size: float = 1.0) -> sp.csr_matrix:
        """The matrix at u.

        Args:
            function: F, free faces ``(…, p)`` → ``(…, p)``.
            u: free faces, ``(p,)``.
            size: how far to move: no matter for the result but for rounding; as large as u is best.

        Returns:
            ``(p, p)``.
        """
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for k, colours in enumerate(self.colours):
            counts = [int(c.max()) + 1 for c in colours]
            colour = colours[0][:, None] * counts[1] + colours[1][None, :]
            slopes = np.empty((counts[0] * counts[1], self.size))
            for c in range(len(slopes)):
                moved = self.numbers[k][(colour == c) & (self.numbers[k] >= 0)]
                v = torch.zeros_like(u)
                v[torch.as_tensor(moved, device=u.device)] = size
                slopes[c] = ((function(u + v) - function(u - v)) / (2 * size)).double().cpu().numpy()
            for numbers, offset in itertools.product(self.numbers, itertools.product((-1, 0, 1), repeat=2)):
                found.append(self._pairs(numbers, k, offset, colour, slopes))
        rows, columns, values = (np.concatenate(part) for part in zip(*found, strict=True))
        return sp.csr_matrix((values, (rows, columns)), (self.size, self.size))

    def _pairs(
        self, numbers: np.ndarray, k: int, offset: tuple[int, ...], colour: np.ndarray, slopes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and values of all faces with the faces of component k at one offset from them."""
        where = np.nonzero(numbers >= 0)
        rows, kept, other = numbers[where], np.ones(len(where[0]), dtype=bool), []
        for index, step, n, around in zip(where, offset, colour.shape, self.velocity.boundary.periodic, strict=True):
            moved = (index + step) % n
            kept &= (moved == index + step) | around
            other.append(moved)
        columns = self.numbers[k][other[0], other[1]]
        values = slopes[colour[other[0], other[1]], rows]
        kept &= (columns >= 0) & (values != 0)
        return rows[kept], columns[kept], values[kept]
