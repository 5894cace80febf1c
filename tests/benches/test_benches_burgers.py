"""The Burgers bench: its quick version, and the exact solution it measures with."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuralpde.benches import burgers
from neuralpde.benches._grids import GridSearch
from neuralpde.benches._marching import Reference
from neuralpde.benches._rows import Row
from neuralpde.problems import Burgers


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(burgers.rows(quick=True))


def _figures(rows: list[Row], case: str, start: str) -> dict[str, float]:
    found = [row for row in rows if row.case == case and row.method.split(" (")[0] == start]
    assert len({row.method for row in found}) == 1, start
    return {row.metric: row.value for row in found}


def test_rows_have_the_form_of_a_bench(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert {row.case for row in quick} == {"viscosity 0.05/pi", "viscosity 0.01/pi"}
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)


@pytest.mark.parametrize("case", list(burgers.CASES))
def test_methods_metrics_and_promises(quick: list[Row], case: str) -> None:
    neural, memory, error = (_figures(quick, case, m) for m in ("neural", "grid same memory", "grid same error"))
    for figures in (neural, memory, error):
        assert {"dofs", "memory_bytes", "seconds", "rel_l2", "rel_l2_final", "max_error", "steps"} <= set(figures)
    assert memory["memory_bytes"] == neural["memory_bytes"]
    assert error["rel_l2"] <= neural["rel_l2"]
    assert neural["rel_l2"] < 2e-3


def test_the_skew_symmetric_form_holds_a_front_that_the_grid_does_not_resolve() -> None:
    problem = burgers.CASES["viscosity 0.01/pi"]
    reference = Reference(problem, [0.1 * k for k in range(1, 11)], points=401)
    search = GridSearch(reference, burgers.SCHEMES, "rel_l2")
    plain, skew = burgers.SCHEMES[:2]
    assert search.error(search.run("fourier", plain, 205, 128)) == math.inf
    assert search.error(search.run("fourier", skew, 205, 128)) < 0.2
    early = GridSearch(Reference(problem, [0.1, 0.2], points=401), burgers.SCHEMES, "rel_l2")
    assert early.error(early.run("fourier", skew, 128, 64)) < 1e-8


def _integrating_factor_rk4(viscosity: float, nodes: int, steps: int) -> list[np.ndarray]:
    """u at t = 1/2 and 1: Fourier, RK4 with the diffusion integrated exactly; independent of all in the package."""
    x = -1 + 2 * np.arange(nodes) / nodes
    k = math.pi * np.arange(nodes // 2 + 1)
    dt = 1 / steps
    half = np.exp(-viscosity * k**2 * dt / 2)
    full = half**2

    def slope(v: np.ndarray) -> np.ndarray:
        return -0.5j * k * np.fft.rfft(np.fft.irfft(v, nodes) ** 2)

    v = np.fft.rfft(-np.sin(math.pi * x))
    found = []
    for step in range(1, steps + 1):
        a = dt * slope(v)
        b = dt * slope(half * (v + a / 2))
        c = dt * slope(half * v + b / 2)
        d = dt * slope(full * v + half * c)
        v = full * v + (full * a + 2 * half * (b + c) + d) / 6
        if 2 * step in (steps, 2 * steps):
            found.append(np.fft.irfft(v, nodes))
    return found


@pytest.mark.parametrize(("share", "nodes", "steps"), [(0.05, 512, 2000), (0.01, 2048, 11000)])
def test_cole_hopf_agrees_with_a_fine_spectral_solution(share: float, nodes: int, steps: int) -> None:
    problem = Burgers(viscosity=share / math.pi)
    x = torch.arange(nodes, dtype=torch.float64)[:, None] * (2 / nodes) - 1
    for t, found in zip((0.5, 1.0), _integrating_factor_rk4(share / math.pi, nodes, steps), strict=True):
        exact = problem.exact(t, x)
        assert exact is not None
        error = exact[:, 0] - torch.from_numpy(found)
        assert float(error.norm() / exact.norm()) < 1e-10
