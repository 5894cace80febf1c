"""The cycle in plain torch, as CUDA operators use it, against the compiled one: the same linear map."""

import numpy as np
import pytest
import torch

from neuralpde.linalg import GeometricMultigrid, StencilOperator
from neuralpde.linalg.multigrid._torch_cycle import TorchCycle
from neuralpde.linalg.multigrid._torch_level import TorchLevel
from neuralpde.linalg.multigrid._torch_parts import plane_parts
from neuralpde.types import UsageError

GRIDS = [(128, 128), (129, 150), (33, 47), (32, 32, 32), (33, 20, 47), (3, 50, 40), (50, 40, 3)]


def system(grid, boundary, jump=1.0, seed=0):
    rng = np.random.default_rng(seed)
    coefficient = jump ** (rng.random(grid) < 0.4)
    return StencilOperator.poisson(
        grid, mask=rng.random(grid) < 0.9, coefficient=coefficient, boundary=boundary, reaction=0.0
    )


def both(A):
    M = GeometricMultigrid(smoother="points").build(A)
    return M, M._device_cycle()


@pytest.mark.parametrize("boundary", ["open", "wall", "periodic"])
@pytest.mark.parametrize("jump", [1.0, 1e3])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_both_cycles_are_one_map(grid, boundary, jump):
    A = system(grid, boundary, jump)
    M, there = both(A)
    r = torch.randn(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for given in (r, 1e-20 * r.float()):
        z, again = M @ given, there(given, M.grid)
        assert again.dtype is given.dtype
        torch.testing.assert_close(again, z, rtol=0, atol=1e-5 * float(z.abs().max()))
    assert float((there(r, M.grid) - M @ r).norm()) <= 1e-5 * float((M @ r).norm())


def test_large_jumps_are_rounded_alike():
    """Weights of 1e5 beside 1 magnify float32's rounding: both cycles are as far from the map in float64."""
    M, _ = both(system((129, 150), "open", 1e5))
    r = torch.randn(129, 150, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    exact = TorchCycle(M.hierarchy, "cpu", torch.float64)(r)
    compiled = torch.from_numpy(M.hierarchy(r.numpy(), 1.0, 1.0))
    here, there = (float((z - exact).norm()) for z in (TorchCycle(M.hierarchy, "cpu")(r), compiled))
    assert there <= 1e-4 * float(exact.norm()) and here <= 4.0 * there


def test_zero_and_nan():
    M, there = both(system((40, 40), "open"))
    assert not there(torch.zeros(1600), M.grid).any()
    assert bool(there(torch.full((1600,), torch.nan), M.grid).isnan().all())


def test_lines_have_no_form_in_torch():
    A = StencilOperator([torch.full((64, 64), 100.0), torch.ones(64, 64)])
    M = GeometricMultigrid(smoother="lines").build(A)
    with pytest.raises(UsageError, match="no form in torch"):
        TorchCycle(M.hierarchy, "cpu")
    assert M._device_cycle() is None


def test_residual_is_from_differences():
    tiles = np.kron(1e5 ** (np.random.default_rng(0).random((9, 9)) < 0.4), np.ones((8, 8)))
    A = StencilOperator.poisson((72, 72), coefficient=tiles, boundary="periodic")
    M = GeometricMultigrid(smoother="points").build(A)
    part = plane_parts(M.hierarchy)[1]
    level = TorchLevel(part, torch.device("cpu"))
    n = level.grid[0] * level.grid[1]
    cells = np.arange(n).reshape(level.grid)
    matrix = np.diag(part.excess.reshape(-1).astype(np.float64))
    for offset, w in zip(part.offsets, part.couplings, strict=True):
        there = np.roll(cells, [-d for d in offset], (0, 1)).reshape(-1)
        here, w = cells.reshape(-1), w.reshape(-1).astype(np.float64)
        np.add.at(matrix, (here, here), w)
        np.add.at(matrix, (there, there), w)
        np.add.at(matrix, (here, there), -w)
        np.add.at(matrix, (there, here), -w)
    r, z = torch.randn(level.grid), torch.randn(level.grid)
    expected = r.reshape(-1).numpy() - matrix @ z.reshape(-1).numpy()
    np.testing.assert_allclose(level.residual(r, z).reshape(-1), expected, rtol=0, atol=1e-5 * abs(expected).max())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("grid", [(65, 130), (33, 20, 47)], ids=str)
def test_on_a_cuda_device(grid):
    A = system(grid, "open")
    r = torch.randn(A.shape[0], dtype=torch.float64)
    z = GeometricMultigrid().build(A.to("cuda")) @ r.to("cuda")
    assert z.device.type == "cuda"
    expected = GeometricMultigrid().build(A) @ r
    torch.testing.assert_close(z.cpu(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_made_once_and_again_after_an_update():
    M = GeometricMultigrid().build(system((33, 47), "wall"))
    r = torch.randn(33 * 47, dtype=torch.float64)
    first = M._device_cycle()
    assert M._device_cycle() is first
    M.update(system((33, 47), "wall", 3.0))
    assert M._device_cycle() is not first
    z = M @ r
    torch.testing.assert_close(M._device_cycle()(r, M.grid), z, rtol=0, atol=1e-5 * float(z.abs().max()))
