"""Fourier interpolation: on lattices axis by axis, elsewhere point by point, the same sums."""

from __future__ import annotations

import pytest
import torch

from neuralpde.geometry import Box, Grid
from neuralpde.representations._interpolation import fourier_interpolate

SHAPES = [(7,), (8,), (6, 9), (8, 8), (4, 5, 6)]


def _grid(shape: tuple[int, ...]) -> Grid:
    d = len(shape)
    return Grid(Box((-1.0, 0.5, 2.0)[:d], (1.0, 3.0, 2.7)[:d]), shape, (True,) * d)


def _lattice(grid: Grid, counts: tuple[int, ...]) -> torch.Tensor:
    axes = [torch.linspace(0, 1, n, dtype=torch.float64) for n in counts[: grid.domain.dim]]
    unit = torch.stack([a.reshape(-1) for a in torch.meshgrid(*axes, indexing="ij")], dim=-1)
    return grid.domain.from_unit(unit[torch.randperm(len(unit), generator=torch.Generator().manual_seed(1))])


def _point_by_point(values: torch.Tensor, grid: Grid, x: torch.Tensor) -> torch.Tensor:
    """One point alone is its own lattice, two scattered ones are none: no sums are shared."""
    return torch.cat([fourier_interpolate(values, grid, point[None].clone().requires_grad_()) for point in x]).detach()


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_lattices_and_scattered_points_have_the_same_values(shape, dtype: torch.dtype, rounding: float) -> None:
    grid, generator = _grid(shape), torch.Generator().manual_seed(0)
    values = torch.randn(*shape, 2, generator=generator, dtype=torch.float64).to(dtype)
    lattice = _lattice(grid, (5, 4, 3))
    scattered = grid.domain.from_unit(torch.rand(17, len(shape), generator=generator, dtype=torch.float64))
    for x in (lattice.to(dtype), scattered.to(dtype), torch.cat([lattice, scattered]).to(dtype)):
        found = fourier_interpolate(values, grid, x)
        assert found.dtype == dtype and found.shape == (len(x), 2)
        torch.testing.assert_close(found, _point_by_point(values, grid, x), rtol=0, atol=rounding)


def test_lattices_share_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waves are made for the different coordinates of an axis alone, not for every point."""
    from neuralpde.representations import _interpolation

    seen, waves = [], _interpolation._waves
    monkeypatch.setattr(_interpolation, "_waves", lambda grid, i, s: seen.append(len(s)) or waves(grid, i, s))
    grid = _grid((8, 8))
    fourier_interpolate(torch.zeros(8, 8, 1, dtype=torch.float64), grid, _lattice(grid, (11, 13)))
    assert seen == [11, 13]


def test_points_have_derivatives_and_there_may_be_none() -> None:
    grid = _grid((8, 8))
    values = torch.sin(torch.pi * grid.points(torch.float64, torch.device("cpu"))[:, :1]).reshape(8, 8, 1)
    x = _lattice(grid, (4, 3)).requires_grad_()
    (slope,) = torch.autograd.grad(fourier_interpolate(values, grid, x).sum(), x)
    torch.testing.assert_close(slope[:, 0], torch.pi * torch.cos(torch.pi * x[:, 0]).detach(), rtol=0, atol=1e-12)
    assert fourier_interpolate(values, grid, x[:0].detach()).shape == (0, 1)
