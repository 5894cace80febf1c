"""Fused passes over vectors against torch's, below and above the size from which they are compiled."""

from __future__ import annotations

import math
import time

import pytest
import torch

from neuralpde.linalg import BoxLaplacian, prepare, solve_linear
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.vectors import SMALLEST, Vectors, copied, divided, norm, plus, zeros


@pytest.mark.parametrize("n", [1, 100, SMALLEST, SMALLEST + 7, 300_001])
@pytest.mark.parametrize("short", [torch.float32, torch.float64])
def test_passes_agree_with_torch(n, short):
    y, r, p, q, z = torch.randn(5, n, dtype=torch.float64)
    z = z.to(short)
    vectors = Vectors(r)
    expected = (y + 0.3 * p, r - 0.3 * q, z + 0.7 * p)
    size = expected[1].norm() ** 2
    assert vectors.step(y, r, p, q, 0.3) == pytest.approx(float(size), rel=1e-12)
    torch.testing.assert_close(y, expected[0], rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(r, expected[1], rtol=1e-13, atol=1e-14)
    scale = n**0.5 * 1e-12
    zq, rz = vectors.dots(z, q, r)
    assert zq == pytest.approx(float(z.double() @ q), abs=10 * scale)
    assert rz == pytest.approx(float(z.double() @ r), abs=10 * scale)
    assert vectors.dot(p, q) == pytest.approx(float(p @ q), abs=10 * scale)
    vectors.direction(p, z, 0.7)
    torch.testing.assert_close(p, expected[2], rtol=1e-13, atol=1e-14)


def test_two_threads_give_the_same_sums():
    y, r, p, q, z = torch.randn(5, 400_000, dtype=torch.float64)
    before = r.clone()
    torch.set_num_threads(2)
    try:
        size = Vectors(r).step(y, r, p, q, 0.3)
        sums = Vectors(r).dots(z, q, r)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(r, before - 0.3 * q, rtol=1e-13, atol=1e-14)
    assert size == pytest.approx(float(r @ r), rel=1e-12)
    assert sums == pytest.approx((float(z @ q), float(z @ r)), abs=1e-8)


def test_nan_is_not_lost():
    r = torch.ones(SMALLEST, dtype=torch.float64)
    z = r.clone()
    z[7] = float("nan")
    assert all(value != value for value in Vectors(r).dots(z, r, r))


def test_cg_on_a_grid_large_enough_for_compiled_passes():
    box = BoxLaplacian((160, 130), 1.0, "dirichlet", 1.0)
    exact = torch.randn(160 * 130, dtype=torch.float64)
    solution = solve_linear(box, box.matvec(exact), rtol=1e-11)
    assert float((solution.x - exact).norm() / exact.norm()) < 1e-8


@pytest.mark.parametrize("n", [0, 1, 100, SMALLEST, 300_001])
def test_passes_of_the_outer_loop_agree_with_torch(n):
    x, y = torch.randn(2, n, dtype=torch.float64)
    total, length = plus(x, y, -0.3)
    torch.testing.assert_close(total, x - 0.3 * y, rtol=1e-14, atol=1e-15)
    assert length == pytest.approx(float(total.norm()), rel=1e-12)
    assert norm(x) == pytest.approx(float(x.norm()), rel=1e-12)
    for dtype in (torch.float32, torch.float64):
        short = divided(x, 3.0, dtype)
        assert short.dtype is dtype and torch.equal(short, (x / 3.0).to(dtype))
        again = copied(x, dtype)
        assert torch.equal(again, x.to(dtype)) and (n == 0 or again.data_ptr() != x.data_ptr())
    assert zeros(x).dtype is torch.float64 and not zeros(x).any() and zeros(x).shape == x.shape


@pytest.mark.parametrize("n", [3, SMALLEST])
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_norms_do_not_overflow(n, size):
    r = torch.full((n,), size, dtype=torch.float64)
    assert norm(r) == pytest.approx(size * n**0.5, rel=1e-12)
    assert plus(torch.zeros_like(r), r, 1.0)[1] == pytest.approx(size * n**0.5, rel=1e-12)
    r[1] = float("nan")
    assert math.isnan(norm(r)) and math.isnan(plus(r, r, 1.0)[1])


class Slow(Identity):
    def build(self, A):
        time.sleep(0.3)
        return super().build(A)


def test_seconds_of_a_set_up_before_the_solve_are_not_taken_from_it():
    A = torch.diag(torch.arange(1.0, 11.0, dtype=torch.float64))
    for solution in (prepare(A, M=Slow()).solve(torch.ones(10)), solve_linear(A, torch.ones(10), M=Slow())):
        assert solution.setup_seconds >= 0.3 and 0.0 < solution.solve_seconds < 0.3
