"""Eigenvalues of small symmetric matrices, and of those that LAPACK does not like."""

from __future__ import annotations

import math

import pytest
import torch

from neuralpde.linalg import eigenpairs, positive_part


def some(n: int = 20, k: int = 6) -> torch.Tensor:
    a = torch.randn(n, k, k, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return a + a.mT


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_eigenpairs_rebuild_matrices_of_any_size(scale: float) -> None:
    a = scale * some()
    values, vectors = eigenpairs(a)
    built = (vectors * values[:, None]) @ vectors.mT
    torch.testing.assert_close(built / scale, a / scale, rtol=0, atol=1e-12)


def test_eigenpairs_where_divide_and_conquer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(matrices: torch.Tensor) -> None:
        raise torch.linalg.LinAlgError("failed to converge")

    a = some()
    wanted = torch.linalg.eigvalsh(a)
    monkeypatch.setattr(torch.linalg, "eigh", fails)
    torch.testing.assert_close(eigenpairs(a)[0], wanted, rtol=0, atol=1e-12)


def test_what_is_not_finite_is_told_by_nan_and_harms_nothing_else() -> None:
    a = some()
    a[3, 0, 1] = a[3, 1, 0] = math.nan
    a[5, 2, 2] = math.inf
    found, wanted = positive_part(a), positive_part(some())
    assert bool(found[[3, 5]].isnan().all())
    others = [i for i in range(20) if i not in (3, 5)]
    torch.testing.assert_close(found[others], wanted[others], rtol=0, atol=0)


def test_the_positive_part_is_the_nearest() -> None:
    a = some()
    a[0] = 0.0
    part = positive_part(a)
    values = torch.linalg.eigvalsh(a)
    assert float(torch.linalg.eigvalsh(part).min()) > -1e-12
    away = (part - a).flatten(1).norm(dim=1)
    torch.testing.assert_close(away, values.clamp(max=0).norm(dim=1), rtol=0, atol=1e-11)
