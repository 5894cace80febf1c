"""More memory than there is, as one sentence and before the machine slows to a halt."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from neuralpde.problems import Problem
from neuralpde.types import UsageError

ALLOCATION = re.compile(r"alloc_cpu|can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
"""What torch's RuntimeErrors say when memory is refused; its class for that is raised on accelerators only."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory was refused."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(ALLOCATION.search(str(error))))


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn a refused allocation into a sentence.

    Raises:
        UsageError: where memory was refused inside.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UsageError("it needs more memory than there is; use fewer nodes or weights.") from error


def machine_bytes() -> float:
    """Memory of this machine; endless where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_nodes(arguments: Mapping[str, Any], problem: Problem) -> None:
    """Refuse a grid of which not even one state fits: a system that lends memory freely would only kill us later.

    Args:
        arguments: of a representation; ``shape`` counts nodes or cells per axis.
        problem: gives the dimension and the components.

    Raises:
        UsageError: with the bytes of a state and of the machine.
    """
    shape = arguments.get("shape")
    per_axis = [shape] * problem.domain.dim if isinstance(shape, int) else shape
    if not isinstance(per_axis, list | tuple) or not all(isinstance(n, int) for n in per_axis):
        return  # the representation says what is wrong
    dtype = arguments.get("dtype", torch.float64)
    size = math.prod(per_axis) * problem.channels * (dtype.itemsize if isinstance(dtype, torch.dtype) else 8)
    there = machine_bytes()
    if size > there:
        raise UsageError(
            f"shape = {shape} needs {size / 2**30:.3g} GiB of memory for one state, and this machine has "
            f"{there / 2**30:.3g} GiB; use fewer nodes."
        )
