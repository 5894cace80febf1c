"""The cycles of planes and spaces in torch, for operators that live on another device than the CPU.

A hierarchy is built on the CPU; its arrays are then copied to the device once, and a cycle there is the same linear map
to rounding. Only what the coarsest grid is asked comes back to the CPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neuralpde.linalg.multigrid._components import Constants
from neuralpde.linalg.multigrid._torch_level import TorchLevel
from neuralpde.linalg.multigrid._torch_parts import plane_parts, space_parts
from neuralpde.types import UsageError

Floats = NDArray[np.floating[Any]]
NOTHING = np.zeros(0)


class TorchCycle:
    """r → back · M (scale · r) for tensors ``(*grid)`` on one device.

    Args:
        hierarchy: a PlaneHierarchy or a SpaceHierarchy.
        device: where to work.
        dtype: in which precision. The arrays have float32, so that float64 shows what float32 adds in rounding.

    Raises:
        UsageError: for one that smooths by lines, or whose rings are of odd length.
    """

    def __init__(self, hierarchy: Any, device: torch.device | str, dtype: torch.dtype = torch.float32) -> None:
        plane = len(hierarchy.levels[0]) == 2
        parts = plane_parts(hierarchy) if plane else space_parts(hierarchy)
        self.levels: tuple[tuple[int, ...], ...] = hierarchy.levels
        self._levels = [TorchLevel(part, torch.device(device), dtype) for part in parts]
        self._twice = [plane and hierarchy._is_twice(number) for number in range(len(self.levels))]
        self._dtype = dtype
        self._rest = hierarchy._rest if plane else hierarchy._inverse
        carrying = [] if plane else hierarchy._levels[: len(parts)]
        self._beside = {n: _Beside(level, device) for n, level in enumerate(carrying) if level.beside is not None}
        self._order = (0, 1) if plane else hierarchy._order
        self._given = tuple(int(axis) for axis in np.argsort(self._order))

    def __call__(self, r: Tensor, scale: float = 1.0, back: float = 1.0) -> Tensor:
        asked = (r * scale).to(self._dtype).permute(self._order)
        z, _ = self._cycle(0, asked.contiguous(), NOTHING)
        return z.permute(self._given).to(r.dtype) * back

    def _cycle(self, number: int, r: Tensor, others: Floats) -> tuple[Tensor, Floats]:
        """M r on one grid, and the corrections of the unknowns of finer grids that are carried to it."""
        more = [m - n for n, m in zip(r.shape, self.levels[number], strict=True)]
        if not any(more):
            return self._halving(number, r, others)
        # cells that close rings of odd length: nothing is asked there, and what is answered there is dropped
        wide = functional.pad(r, [k for extra in reversed(more) for k in (0, extra)])
        z, others = self._halving(number, wide, others)
        return z[tuple(slice(0, n) for n in r.shape)].contiguous(), others

    def _halving(self, number: int, r: Tensor, others: Floats) -> tuple[Tensor, Floats]:
        if number == len(self._levels):
            asked = r.cpu().numpy()
            z = np.asarray(self._rest(asked if r.ndim == 2 else np.concatenate([asked.reshape(-1), others])))
            return torch.from_numpy(z.reshape(-1)[: r.numel()]).to(r).reshape(r.shape), z.reshape(-1)[r.numel() :]
        level, beside = self._levels[number], self._beside.get(number)
        x, left = level.from_zero(r)
        f = level.restrict(left)
        e, others = self._cycle(number + 1, f, others if beside is None else beside.down(others, x, left))
        if self._twice[number + 1] and tuple(f.shape) == self.levels[number + 1]:
            e = e + self._cycle(number + 1, self._levels[number + 1].residual(f, e), NOTHING)[0]
        level.interpolate(x, e)
        if beside is not None:
            r, others = beside.up(others, r, x)
        return level.back(x, r), others


class _Beside:
    """The cells that coarser grids leave out, which go on as unknowns of their own: see ``_space_left_out.Beside``.

    They are few, and are asked and answered on the CPU, beside the coarsest grid.
    """

    def __init__(self, level: Any, device: torch.device | str) -> None:
        grid, beside = level.layout.grid, level.beside
        self._leaving, self._served = _inside(beside.cells, grid).to(device), _inside(beside.served, grid).to(device)
        self._at = torch.from_numpy(beside.served).to(device)
        self._couplings = beside.couplings

    def down(self, asked: Floats, x: Tensor, left: Tensor) -> Floats:
        smoothed, leaving = (y.view(-1)[at].cpu().numpy() for y, at in ((x, self._served), (left, self._leaving)))
        return np.concatenate([asked - self._couplings @ smoothed, leaving])

    def up(self, solved: Floats, r: Tensor, x: Tensor) -> tuple[Tensor, Floats]:
        """The right-hand side of the sweep back; x takes the corrections of this grid's cells."""
        count = self._couplings.shape[0]
        r = r.clone()
        r.view(-1)[self._at] -= torch.from_numpy(self._couplings.T @ solved[:count]).to(r)
        x.view(-1)[self._leaving] += torch.from_numpy(solved[count:]).to(x)
        return r, solved[:count]


def _inside(cells: np.ndarray, grid: tuple[int, ...]) -> Tensor:
    """Places of cells, given by number, in a flat array with one cell beyond each end."""
    at = [i + 1 for i in np.unravel_index(cells, grid)]
    return torch.from_numpy(np.ravel_multi_index(at, tuple(n + 2 for n in grid)))


class DeviceCycle:
    """r → M r for flat tensors on a device, what a MultigridOperator does there.

    Args:
        hierarchy: its levels.
        constants: of parts that the levels know nothing of.
        unit: by which the weights of the hierarchy were divided.
        device: where to work.
    """

    def __init__(self, hierarchy: Any, constants: Constants, unit: float, device: torch.device) -> None:
        self._cycle = TorchCycle(hierarchy, device)
        self._unit, self._count = unit, constants.count
        self._labels = torch.tensor(constants.labels, device=device).long() + 1
        self._sizes = torch.bincount(self._labels, minlength=constants.count + 1).clamp(min=1)
        inverse = np.divide(1.0, constants.energies, out=constants.energies.copy(), where=constants.energies > 0.0)
        self._inverse = torch.from_numpy(np.append(0.0, inverse)).to(device)

    def __call__(self, r: Tensor, grid: tuple[int, ...]) -> Tensor:
        """M r, of the shape and type of r ``(n,)``."""
        size = float(r.abs().sum())
        if size == 0.0 or not math.isfinite(size):
            return torch.full_like(r, 0.0 if size == 0.0 else math.nan)
        scale = 2.0 ** math.frexp(size)[1]  # a power of two: products with it are exact
        if self._count == 0:
            return self._cycle(r.reshape(grid), 1.0 / scale, scale / self._unit).reshape(-1)
        sums = self._sums(r)
        z = self._cycle(self._less(r, sums / self._sizes).reshape(grid), 1.0 / scale, scale / self._unit).reshape(-1)
        return self._less(z, self._sums(z) / self._sizes - sums * self._inverse)

    def _sums(self, r: Tensor) -> Tensor:
        sums = torch.zeros(self._count + 1, dtype=torch.float64, device=r.device).index_add(0, self._labels, r.double())
        sums[0] = 0.0  # of cells in no part
        return sums

    def _less(self, r: Tensor, constants: Tensor) -> Tensor:
        return r - constants[self._labels].to(r.dtype)


def device_cycle(hierarchy: Any, constants: Constants, unit: float, device: torch.device) -> Any:
    """A :class:`DeviceCycle`, or ``None`` for a hierarchy that has no form on devices: it then works on the CPU."""
    try:
        return DeviceCycle(hierarchy, constants, unit, device)
    except UsageError:
        return None
