"""Compiled loops on NumPy arrays: how they are compiled, and how slabs of a grid are shared between threads.

Files that hold such loops import this one at their top, so they are imported inside the functions that call them: Numba
takes half a second to load.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import torch

from neuralpde.linalg import _workers

SMALLEST_SLAB = 16_384
"""Numbers that a loop of a multigrid cycle goes through in the 5 to 20 µs that handing work to a thread takes."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loop in machine code, without Python's lock, kept on disk from one process to the next.

    Sums may be done in another order than they are written and products joined with sums (``reassoc``, ``contract``),
    which vector instructions need; NaN and Inf mean what they always do.
    """
    return numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})(function)  # type: ignore[no-any-return]


def in_slabs(loop: Callable[..., Any], rows: int, width: int, *arguments: Any) -> list[Any]:
    """Results of ``loop(first, last, *arguments)`` on slabs of rows 0 ≤ first < last ≤ rows, in their order.

    As many slabs as torch has threads (``torch.set_num_threads``), fewer where these would be small. Slabs depend on
    sizes and that number alone, so sums over them are the same each time. It may be called from several threads at
    once, after a fork, and from a loop that is itself a slab, which then runs alone.

    Args:
        loop: a compiled one; slabs run at the same time, so none may write what another reads or writes.
        rows: along the first axis.
        width: numbers of a row.
        arguments: arrays and numbers, the same for all slabs.

    Raises:
        Exception: what a slab raised, of several the first; all have ended by then.
    """
    slabs = min(torch.get_num_threads(), rows, _most_slabs(rows * width))
    if slabs <= 1 or _workers.is_one():
        return [loop(0, rows, *arguments)]
    ends = [rows * k // slabs for k in range(slabs + 1)]
    return _workers.side_by_side(loop, [(ends[k], ends[k + 1], *arguments) for k in range(slabs)])


def _most_slabs(numbers: int) -> int:
    """Threads start one after the other, each with Python's lock for a while, so k of them cost k hand-overs and save
    no more than (1 − 1/k) of the work: k grows like a root of it."""
    return math.isqrt(numbers // SMALLEST_SLAB)
