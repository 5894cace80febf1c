"""Compiled loops on NumPy arrays: how they are compiled, and how slabs of a grid are shared between threads.

Files that hold such loops import this one at their top, so they are imported inside the functions that call them: Numba
takes half a second to load.
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import torch

SMALLEST_SLAB = 131_072
"""Fewest numbers that are worth a thread: handing work to one takes 30 µs, in which a loop reads as many."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loop in machine code, without Python's lock, kept on disk from one process to the next.

    Sums may be done in another order than they are written and products joined with sums (``reassoc``, ``contract``),
    which vector instructions need; NaN and Inf mean what they always do.
    """
    return numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})(function)  # type: ignore[no-any-return]


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that wait, beside the one that calls. Unlike Numba's own parallel loops, they may be called from several
    threads at once, and do not spin while torch works."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="neuralpde")
    atexit.register(pool.shutdown, wait=False)
    return pool


def in_slabs(loop: Callable[..., Any], rows: int, width: int, *arguments: Any) -> list[Any]:
    """Results of ``loop(first, last, *arguments)`` on slabs of rows 0 ≤ first < last ≤ rows, in their order.

    As many slabs as torch has threads (``torch.set_num_threads``), fewer where these would be small.

    Args:
        loop: a compiled one; slabs run at the same time, so none may write what another reads or writes.
        rows: along the first axis.
        width: numbers of a row.
        arguments: arrays and numbers, the same for all slabs.
    """
    slabs = max(1, min(torch.get_num_threads(), rows, rows * width // SMALLEST_SLAB))
    if slabs == 1:
        return [loop(0, rows, *arguments)]
    ends = [rows * k // slabs for k in range(slabs + 1)]
    pool = _pool(slabs - 1)
    others = [pool.submit(loop, ends[k], ends[k + 1], *arguments) for k in range(1, slabs)]
    return [loop(ends[0], ends[1], *arguments), *(other.result() for other in others)]
