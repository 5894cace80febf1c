"""Slabs of work shared between threads: results, failures, callers at once, child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from neuralpde.linalg import solve_linear
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.jit import SMALLEST_SLAB, in_slabs
from neuralpde.linalg.preconditioners import Identity, Preconditioner
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.linalg.vectors import SMALLEST, Vectors
from neuralpde.types import Status

ROWS = 100 * SMALLEST_SLAB


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def bounds(first, last, *more):
    return (first, last, *more, threading.current_thread().name)


def test_slabs_cover_the_rows_in_order_on_threads_of_their_own():
    parts = in_slabs(bounds, ROWS, 1, "given")
    assert [part[:3] for part in parts] == [
        (0, ROWS // 3, "given"),
        (ROWS // 3, 2 * ROWS // 3, "given"),
        (2 * ROWS // 3, ROWS, "given"),
    ]
    assert parts[0][3] == threading.current_thread().name
    assert parts[1][3] == parts[2][3] == "neuralpde"


@pytest.mark.parametrize(("rows", "width", "slabs"), [(0, 5, 1), (5, 0, 1), (1, 10**9, 1), (2, 10**9, 2), (100, 1, 1)])
def test_small_work_stays_on_one_thread(rows, width, slabs):
    parts = in_slabs(bounds, rows, width)
    assert len(parts) == slabs and parts[0][0] == 0 and parts[-1][1] == rows


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_a_slab_raises_comes_back_when_all_have_ended(place):
    ended = []

    def loop(first, last):
        if first == ROWS * place // 3:
            raise ValueError(f"slab {place}")
        time.sleep(0.02)
        ended.append(first)

    with pytest.raises(ValueError, match=f"slab {place}"):
        in_slabs(loop, ROWS, 1)
    assert len(ended) == 2
    assert len(in_slabs(bounds, ROWS, 1)) == 3  # workers go on


def test_a_slab_may_call_for_slabs():
    def loop(first, last):
        return len(in_slabs(bounds, ROWS, 1))

    assert in_slabs(loop, ROWS, 1) == [3, 1, 1]


def test_many_callers_at_once():
    values = np.arange(ROWS, dtype=np.float64)
    found, callers = [], []

    def sums(first, last):
        return float(values[first:last].sum())

    def call():
        for _ in range(20):
            found.append(sum(in_slabs(sums, ROWS, 1)))

    for _ in range(6):
        callers.append(threading.Thread(target=call))
        callers[-1].start()
    for caller in callers:
        caller.join(60.0)
        assert not caller.is_alive()
    assert found == [ROWS * (ROWS - 1) / 2] * 120


def test_sums_are_the_same_each_time():
    r = torch.randn(300_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert len({Vectors(r).dot(r, r) for _ in range(20)}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_process_has_workers_of_its_own():
    in_slabs(bounds, ROWS, 1)
    child = os.fork()
    if child == 0:
        os._exit(len(in_slabs(bounds, ROWS, 1)))
    for _ in range(600):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
    assert os.waitstatus_to_exitcode(status) == 3


def test_a_process_ends_with_workers_at_hand():
    script = (
        "import torch; torch.set_num_threads(3)\n"
        "from neuralpde.linalg.vectors import Vectors\n"
        "r = torch.ones(1_000_000, dtype=torch.float64)\n"
        "print(Vectors(r).dot(r, r))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1000000.0\n", "")


class _Bad(Preconditioner):
    """Answers r, with one bad entry from the second call on."""

    variable = False

    def __init__(self, value):
        self.value, self.calls = value, 0

    def build(self, A):
        from neuralpde.linalg.operators import CallableOperator

        def apply(r):
            self.calls += 1
            z = r.clone()
            if self.calls > 2:
                z[SMALLEST + 1] = self.value
            return z

        return CallableOperator(A.shape, apply, dtype=A.dtype)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("solver", ["cg", "fcg"])
def test_one_bad_entry_of_a_large_z_costs_the_preconditioner_not_the_solve(value, solver):
    A = StencilOperator.poisson((130, 140), boundary="open", reaction=1.0)
    b = torch.randn(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    solution = solve_linear(A, b, solver=solver, M=_Bad(value), rtol=1e-8)
    assert solution.status is Status.CONVERGED_RTOL
    assert any("it returned NaN or Inf" in note for note in solution.notes)
    assert float((b - A.matvec(solution.x)).norm() / b.norm()) <= 1e-8


def test_a_large_finite_z_is_no_fault():
    A = StencilOperator.poisson((130, 140), boundary="open")
    guard = Guard(Identity(), A)
    z = torch.full((A.shape[0],), 1e308, dtype=torch.float64)
    assert not guard.finds_fault(z) and guard.apply(z) is not None
