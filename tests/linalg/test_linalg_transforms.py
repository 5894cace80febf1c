"""Sine and cosine transforms against SciPy's, and against their sums."""

import numpy as np
import pytest
import scipy.fft
import torch

from neuralpde.linalg import dct1, dct2, dct3, dct4, dst1, dst2, dst3, dst4, dst6, dst7

GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR)


@pytest.mark.parametrize("n", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_transforms_match_scipy(n, axis):
    x = randn(n, n, n)
    np.testing.assert_allclose(dst1(x, axis), scipy.fft.dst(x.numpy(), type=1, axis=axis), atol=1e-12)
    np.testing.assert_allclose(dct1(x, axis), scipy.fft.dct(x.numpy(), type=1, axis=axis), atol=1e-12)


SCIPY = {
    dct2: (scipy.fft.dct, 2),
    dct3: (scipy.fft.dct, 3),
    dct4: (scipy.fft.dct, 4),
    dst2: (scipy.fft.dst, 2),
    dst3: (scipy.fft.dst, 3),
    dst4: (scipy.fft.dst, 4),
}


@pytest.mark.parametrize("transform", SCIPY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 16])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_transforms_of_cells_match_scipy(transform, n, axis):
    function, kind = SCIPY[transform]
    shape = [3, 4, 2]
    shape[axis] = n
    x = randn(*shape)
    np.testing.assert_allclose(transform(x, axis), function(x.numpy(), type=kind, axis=axis), rtol=0, atol=1e-12)
    single = transform(x.float(), axis)
    assert single.dtype is torch.float32
    torch.testing.assert_close(single.double(), transform(x, axis), rtol=0, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8])
def test_transforms_of_faces_match_their_sums(n):
    x = randn(3, n)
    j = np.arange(n)
    sines = 2 * np.sin(np.pi * np.outer(2 * j + 1, j + 1) / (2 * n + 1))
    np.testing.assert_allclose(dst7(x), x.numpy() @ sines.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dst6(x), x.numpy() @ sines, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dst6(dst7(x.T, 0), 0).T / (2 * n + 1), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("transform", [*SCIPY, dst6, dst7], ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [1, 4, 5])
def test_transforms_are_differentiable(transform, n):
    assert torch.autograd.gradcheck(lambda x: transform(x, 0), (randn(n, 2).requires_grad_(),))
