"""Benches of processor time in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable

from neuralpde.benches._rows import Row

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def in_a_process(work: Callable[[bool], list[Row]], quick: bool) -> list[Row]:
    """The rows that work finds in a process whose linear algebra starts with one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(work, (quick,))
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
