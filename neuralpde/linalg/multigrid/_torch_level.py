"""One grid of a hierarchy as tensors: Gauss–Seidel by classes of cells and transfers, with shifted slices.

A class is what the parities of its indices name: 4 in a plane, 8 in space. Cells of one class are not coupled, so that
each is a few products of whole tensors, on any device.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neuralpde.types import UsageError

Floats = NDArray[np.floating[Any]]
Offset = tuple[int, ...]


@dataclass(frozen=True)
class GridParts:
    """What a level of any hierarchy is made of, in NumPy.

    Attributes:
        offsets: half of the neighbours.
        couplings: for each, an array of the shape of the grid: w between cell i and cell i + offset, around the ends.
        inverse: 1 / diagonal, 0 where it is 0, of the shape of the grid.
        excess: row sums, where the cycle asks for residuals.
        order: classes, in the order of the sweep that starts from zero.
        periodic: which axes are closed.
        factors: fine cells for a coarse one along each axis, 2 or 1; coarse cell I is the fine cell ``factors`` · I.
        shares: (class, step to the parent, weights): fine cell ``factors`` I + class gets weights[I] of coarse cell
            I + step, steps of 0 or 1.
    """

    offsets: Sequence[Offset]
    couplings: Sequence[Floats]
    inverse: Floats
    excess: Floats | None
    order: Sequence[Offset]
    periodic: Sequence[bool]
    factors: Offset
    shares: Sequence[tuple[Offset, Offset, Floats]]


class TorchLevel:
    """A grid that smooths, restricts and interpolates on a device.

    Args:
        parts: the grid.
        device: where its tensors are.
        dtype: theirs.

    Raises:
        UsageError: for periodic axes of odd length.
    """

    def __init__(self, parts: GridParts, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        if any(ring and n % 2 for ring, n in zip(parts.periodic, parts.inverse.shape, strict=True)):
            raise UsageError(f"cells of one class meet around a ring of odd length, in a grid {parts.inverse.shape}")
        self.grid = parts.inverse.shape
        self.coarse = tuple(-(-n // c) for n, c in zip(self.grid, parts.factors, strict=True))
        self.periodic = tuple(parts.periodic)
        self.order = tuple(parts.order)
        self._cells: dict[Offset, tuple[slice, ...]] = {}
        self._inverse: dict[Offset, Tensor] = {}
        self._earlier: dict[Offset, list[tuple[Tensor, tuple[slice, ...]]]] = {}
        self._later: dict[Offset, list[tuple[Tensor, tuple[slice, ...]]]] = {}
        wide = [functional.pad(_tensor(w, device, dtype), (1, 1) * w.ndim) for w in parts.couplings]
        for w in wide:
            self.close(w)
        for number, kind in enumerate(self.order):
            self._cells[kind] = self._places(kind, (2,) * len(self.grid))
            self._inverse[kind] = _tensor(parts.inverse[tuple(slice(p, None, 2) for p in kind)], device, dtype)
            self._earlier[kind], self._later[kind] = [], []
            for offset, w in zip(parts.offsets, wide, strict=True):
                back = tuple(-d for d in offset)
                for there, held in ((offset, kind), (back, _sum(kind, back))):
                    weight = w[self._places(held, (2,) * len(self.grid), kind)].contiguous()
                    other = tuple((p + d) % 2 for p, d in zip(kind, there, strict=True))
                    terms = self._earlier[kind] if self.order.index(other) < number else self._later[kind]
                    terms.append((weight, self._places(_sum(kind, there), (2,) * len(self.grid), kind)))
        self._excess = None if parts.excess is None else _tensor(parts.excess, device, dtype)
        self._shares = [
            (_tensor(weights, device, dtype), self._places(kind, parts.factors), self._parents(weights.shape, step))
            for kind, step, weights in parts.shares
        ]

    def _places(self, kind: Offset, steps: Offset, counted: Offset | None = None) -> tuple[slice, ...]:
        """Of the cells ``kind``, ``kind`` + steps, … in an array with one cell beyond each end; as many as of
        ``counted``."""
        counts = (-(-(n - p) // s) for n, p, s in zip(self.grid, counted or kind, steps, strict=True))
        return tuple(
            slice(1 + p, 2 + p + s * (count - 1), s) if count > 0 else slice(0, 0)
            for p, s, count in zip(kind, steps, counts, strict=True)
        )

    @staticmethod
    def _parents(shape: Iterable[int], step: Offset) -> tuple[slice, ...]:
        return tuple(slice(1 + a, 1 + a + n) for n, a in zip(shape, step, strict=True))

    def close(self, x: Tensor) -> None:
        """Copy the ends of periodic axes beyond the other end."""
        for axis, ring in enumerate(self.periodic):
            if ring:
                n = x.shape[axis] - 2
                x.narrow(axis, 0, 1).copy_(x.narrow(axis, n, 1))
                x.narrow(axis, n + 1, 1).copy_(x.narrow(axis, 1, 1))

    def from_zero(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """x after one sweep, and the residual it leaves; r ``(*grid)``, both with one cell beyond each end."""
        x = r.new_zeros([n + 2 for n in self.grid])
        for kind in self.order:
            self._relax(x, r, kind, [self._earlier[kind]])
        left = torch.zeros_like(x)
        for kind in self.order:
            for w, there in self._later[kind]:  # the others cancel: no difference of large numbers
                left[self._cells[kind]].addcmul_(w, x[there])
        return x, left

    def residual(self, r: Tensor, z: Tensor) -> Tensor:
        """r − A z, from differences of z; all ``(*grid)``."""
        if self._excess is None:
            raise UsageError("this grid was made without its row sums, and so without residuals")
        x = functional.pad(z, (1, 1) * z.ndim)
        self.close(x)
        out = r - self._excess * z
        for kind in self.order:
            here = out[tuple(slice(p, None, 2) for p in kind)]
            for w, there in itertools.chain(self._earlier[kind], self._later[kind]):
                here.addcmul_(w, x[there] - x[self._cells[kind]])
        return out

    def back(self, x: Tensor, r: Tensor) -> Tensor:
        """One sweep in reverse; x ``(*grid)``."""
        self.close(x)
        for kind in reversed(self.order):
            self._relax(x, r, kind, [self._earlier[kind], self._later[kind]])
        return x[tuple(slice(1, -1) for _ in self.grid)].contiguous()

    def _relax(self, x: Tensor, r: Tensor, kind: Offset, terms: list[list[tuple[Tensor, tuple[slice, ...]]]]) -> None:
        total = r[tuple(slice(p, None, 2) for p in kind)].clone()
        for w, there in itertools.chain(*terms):
            total.addcmul_(w, x[there])
        x[self._cells[kind]] = total.mul_(self._inverse[kind])
        self.close(x)

    def restrict(self, left: Tensor) -> Tensor:
        """Pᵀ of a residual, ``(*coarse)``."""
        f = left.new_zeros([n + 2 for n in self.coarse])
        for weights, cells, parents in self._shares:
            f[parents].addcmul_(weights, left[cells])
        for axis, ring in enumerate(self.periodic):
            if ring:
                f.narrow(axis, 1, 1).add_(f.narrow(axis, f.shape[axis] - 1, 1))
        return f[tuple(slice(1, -1) for _ in self.coarse)].contiguous()

    def interpolate(self, x: Tensor, e: Tensor) -> None:
        """x ← x + P e, e ``(*coarse)``."""
        wide = functional.pad(e, (1, 1) * e.ndim)
        self.close(wide)
        for weights, cells, parents in self._shares:
            x[cells].addcmul_(weights, wide[parents])


def _tensor(array: Floats, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), device=device, dtype=dtype)


def _sum(a: Offset, b: Offset) -> Offset:
    return tuple(p + q for p, q in zip(a, b, strict=True))
