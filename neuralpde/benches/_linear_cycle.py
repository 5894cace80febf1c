"""What one multigrid cycle costs: its time over the time that its memory traffic takes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from neuralpde.benches._linear_methods import threads
from neuralpde.benches._linear_problem import Problem
from neuralpde.benches._rows import Row
from neuralpde.benches.mac_step import copy_bandwidth
from neuralpde.linalg import GeometricMultigrid


def cycle_rows(case: str, problem: Problem, repeats: int = 7) -> Iterator[Row]:
    """Seconds of a cycle, the best of a few, and over those that memory needs at the bandwidth of a large copy.

    Both with one thread: a copy keeps the memory as busy as several loops.

    Args:
        case: its name.
        problem: the system.
        repeats: cycles.
    """
    M = GeometricMultigrid().build(problem.system.operator)
    r = problem.system.rhs.to(torch.float32)
    with threads(1):
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            M.matvec(r)
            seconds.append(time.perf_counter() - begin)
        bandwidth = copy_bandwidth()
    hierarchy = M.hierarchy
    yield Row(case, "V-cycle, 1 thread", "seconds", min(seconds), "s")
    yield Row(case, "V-cycle, 1 thread", "levels", len(hierarchy.levels))
    yield Row(case, "V-cycle, 1 thread", "operator_complexity", hierarchy.operator_complexity)
    yield Row(case, "V-cycle, 1 thread", "memory_bytes_a_cell", hierarchy.memory_bytes / r.numel(), "B")
    yield Row(case, "V-cycle, 1 thread", "traffic_bytes_a_cell", hierarchy.cycle_bytes / r.numel(), "B")
    yield Row(case, "V-cycle, 1 thread", "bandwidth", bandwidth / 1e9, "GB/s")
    yield Row(case, "V-cycle, 1 thread", "over_memory_time", min(seconds) * bandwidth / hierarchy.cycle_bytes)
