"""A prepared solver that several threads share."""

import copy
import threading

import torch

from neuralpde.linalg import StencilOperator, prepare
from neuralpde.linalg.locks import Lock


def test_a_solve_beside_updates_is_of_one_of_the_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(48, 48, generator=generator) < share for share in (1.1, 0.85)]
    matrices = [StencilOperator.poisson((48, 48), mask=mask, boundary="open") for mask in masks]
    b = torch.randn(48 * 48, generator=generator, dtype=torch.float64) * masks[1].reshape(-1)
    b = matrices[1].matvec(b)  # in the range of both
    solver, ended = prepare(matrices[0], M="multigrid"), threading.Event()

    def update() -> None:
        while not ended.is_set():
            solver.update(matrices[1])
            solver.update(matrices[0])

    thread = threading.Thread(target=update)
    thread.start()
    try:
        found = [solver.solve(b, rtol=1e-8) for _ in range(20)]
    finally:
        ended.set()
        thread.join()
    for solution in found:
        residuals = [float((b - A.matvec(solution.x)).norm() / b.norm()) for A in matrices]
        assert min(residuals) < 1e-7
        assert solution.iterations < 30


def test_solvers_with_a_lock_are_copied() -> None:
    A = StencilOperator.poisson((40, 40), boundary="open")
    solver = prepare(A, M="multigrid")
    b = torch.ones(1600, dtype=torch.float64)
    assert torch.equal(copy.deepcopy(solver).solve(b).x, solver.solve(b).x)


def test_a_copy_of_a_held_lock_is_free() -> None:
    lock = Lock()
    with lock:
        other, taken = copy.deepcopy(lock), []
        thread = threading.Thread(target=lambda: taken.append(other._lock.acquire(timeout=5.0)))
        thread.start()
        thread.join()
    assert taken == [True]
