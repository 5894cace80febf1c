"""Weights of a grid as bytes: the same products where these say the same, and float64 elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralpde.linalg._stencil_action import in_bytes, sliced_action
from neuralpde.linalg.stencil_operator import StencilOperator

SIZES = [(131, 127), (16_500,), (29, 31, 19)]


def field(grid, seed=0):
    return torch.randn(grid, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def stored_as(A):
    A.matvec(field(A.shape[1]))
    return A._parts(torch.float64)[0][0].dtype


@pytest.mark.parametrize("grid", SIZES)
@pytest.mark.parametrize("boundary", ["wall", "open", "periodic"])
def test_masks_on_uniform_grids_are_bytes_and_products_exact_to_rounding(grid, boundary):
    mask = field(grid, 1) > -1.0
    A = StencilOperator.poisson(grid, 0.013, mask=mask, boundary=boundary)
    x = field(grid, 2)
    y, energy = A.matvec_dot(x.reshape(-1))
    expected = sliced_action(A.weights, A.excess, x).reshape(-1)
    torch.testing.assert_close(y, expected, rtol=1e-13, atol=1e-9)
    assert energy == pytest.approx(float(x.reshape(-1) @ expected), rel=1e-12)


@pytest.mark.parametrize("grid", SIZES)
def test_open_sides_are_whole_multiples(grid):
    assert stored_as(StencilOperator.poisson(grid, 0.25, boundary="open")) == np.uint8


@pytest.mark.parametrize("change", [1.5, 256.0, -1.0, 1.0 + 2e-16, 1e-300])
def test_one_weight_that_is_no_byte_keeps_all_as_they_are(change):
    A = StencilOperator.poisson((150, 140), 1.0)
    weights = [weight.clone() for weight in A.weights]
    weights[1][140, 77] *= change
    B = StencilOperator(weights, A.excess)
    assert stored_as(A) == np.uint8 and stored_as(B) == np.float64
    x = field(B.grid, 3)
    expected = sliced_action(B.weights, B.excess, x).reshape(-1)
    torch.testing.assert_close(B.matvec(x.reshape(-1)), expected, rtol=1e-13, atol=1e-12)


def test_units_are_found_behind_zeros_and_larger_numbers():
    values = np.zeros((200, 100))
    values[150, 3], values[199, 99], values[0, 0] = 0.7, 3 * 0.7, -0.0
    arrays, units = in_bytes([values, np.zeros((200, 100))])
    assert units == (0.7, 1.0) and arrays[0][150, 3] == 1 and arrays[0].sum() == 4 and not arrays[1].any()
    assert in_bytes([np.full((3, 3), -1.0)]) is None


def test_two_threads_see_what_one_sees():
    A = StencilOperator.poisson((700, 700), 1 / 700, boundary="open")
    x, before = field(A.shape[1]), torch.get_num_threads()
    torch.set_num_threads(1)
    alone = StencilOperator(A.weights, A.excess).matvec(x)
    torch.set_num_threads(2)
    try:
        torch.testing.assert_close(A.matvec(x), alone, rtol=0.0, atol=0.0)
    finally:
        torch.set_num_threads(before)
