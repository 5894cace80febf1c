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

from neuralpde.linalg.multigrid._torch_level import TorchLevel
from neuralpde.linalg.multigrid._torch_parts import plane_parts, space_parts
from neuralpde.types import UsageError

Floats = NDArray[np.floating[Any]]


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
        self._unit = 1.0 if plane else float(hierarchy.scale)
        self._dtype = dtype
        self._rest = hierarchy._rest if plane else hierarchy._inverse
        joining = not plane and len(parts) > 0 and len(hierarchy._levels[-2].joining) > 0
        self._joining = _inside(hierarchy._left_out, hierarchy.levels[-2]).to(device) if joining else None
        self._order = (0, 1) if plane else hierarchy._order
        self._given = tuple(int(axis) for axis in np.argsort(self._order))

    def __call__(self, r: Tensor, scale: float = 1.0, back: float = 1.0) -> Tensor:
        asked = (r * (scale / self._unit)).to(self._dtype).permute(self._order)
        return self._cycle(0, asked.contiguous()).permute(self._given).to(r.dtype) * back

    def _cycle(self, number: int, r: Tensor) -> Tensor:
        more = [m - n for n, m in zip(r.shape, self.levels[number], strict=True)]
        if not any(more):
            return self._halving(number, r)
        # cells that close rings of odd length: nothing is asked there, and what is answered there is dropped
        wide = functional.pad(r, [k for extra in reversed(more) for k in (0, extra)])
        return self._halving(number, wide)[tuple(slice(0, n) for n in r.shape)].contiguous()

    def _halving(self, number: int, r: Tensor) -> Tensor:
        if number == len(self._levels):
            asked = r.cpu().numpy()
            z = np.asarray(self._rest(asked if r.ndim == 2 else asked.reshape(-1)))
            return torch.from_numpy(z).to(r).reshape(r.shape)
        level = self._levels[number]
        x, left = level.from_zero(r)
        f = level.restrict(left)
        if self._joining is not None and number + 1 == len(self._levels):
            # cells that the coarsest grid cannot serve are unknowns of its matrix
            both = torch.cat([f.reshape(-1), left.view(-1)[self._joining]]).cpu().numpy()
            solved = torch.from_numpy(np.asarray(self._rest(both))).to(r)
            level.interpolate(x, solved[: f.numel()].reshape(f.shape))
            x.view(-1)[self._joining] += solved[f.numel() :]
            return level.back(x, r)
        e = self._cycle(number + 1, f)
        if self._twice[number + 1] and tuple(f.shape) == self.levels[number + 1]:
            e = e + self._cycle(number + 1, self._levels[number + 1].residual(f, e))
        level.interpolate(x, e)
        return level.back(x, r)


def _inside(cells: np.ndarray, grid: tuple[int, ...]) -> Tensor:
    """Places of cells, given by number, in a flat array with one cell beyond each end."""
    at = [i + 1 for i in np.unravel_index(cells, grid)]
    return torch.from_numpy(np.ravel_multi_index(at, tuple(n + 2 for n in grid)))


class DeviceCycle:
    """r → M r for flat tensors on a device, what a MultigridOperator does there.

    Args:
        hierarchy: its levels.
        labels: number of the part without excess that each cell is in, −1 for others, flat; see ``Constants``.
        count: of such parts.
        unit: by which the weights of the hierarchy were divided.
        device: where to work.
    """

    def __init__(self, hierarchy: Any, labels: NDArray[Any], count: int, unit: float, device: torch.device) -> None:
        self._cycle = TorchCycle(hierarchy, device)
        self._unit, self._count = unit, count
        self._labels = torch.tensor(labels, device=device).long() + 1
        self._sizes = torch.bincount(self._labels, minlength=count + 1).clamp(min=1)

    def __call__(self, r: Tensor, grid: tuple[int, ...]) -> Tensor:
        """M r, of the shape and type of r ``(n,)``."""
        size = float(r.abs().sum())
        if size == 0.0 or not math.isfinite(size):
            return torch.full_like(r, 0.0 if size == 0.0 else math.nan)
        scale = 2.0 ** math.frexp(size)[1]  # a power of two: products with it are exact
        z = self._cycle(self._without_means(r).reshape(grid), 1.0 / scale, scale / self._unit)
        return self._without_means(z.reshape(-1))

    def _without_means(self, r: Tensor) -> Tensor:
        if self._count == 0:
            return r
        sums = torch.zeros(self._count + 1, dtype=torch.float64, device=r.device)
        means = sums.index_add(0, self._labels, r.double()) / self._sizes
        means[0] = 0.0
        return r - means[self._labels].to(r.dtype)


def device_cycle(hierarchy: Any, labels: NDArray[Any], count: int, unit: float, device: torch.device) -> Any:
    """A :class:`DeviceCycle`, or ``None`` for a hierarchy that has no form on devices: it then works on the CPU."""
    try:
        return DeviceCycle(hierarchy, labels, count, unit, device)
    except UsageError:
        return None
