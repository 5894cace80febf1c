"""Every family of pressure systems: reproducible, an M-matrix, compatible, and b is the divergence of a velocity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from neuralpde.linalg import solve_linear
from neuralpde.systems import FAMILIES, MOVING, SPLITS, PressureSystem, frames, pressure_system
from neuralpde.types import UsageError

GRIDS = ((24, 33), (9, 10, 11))
CASES = [(family, grid, seed) for family in FAMILIES for grid in GRIDS for seed in (0, 1)]


def _same(one: PressureSystem, two: PressureSystem) -> bool:
    parts = zip((*one.operator.weights, one.operator.excess), (*two.operator.weights, two.operator.excess), strict=True)
    return all(bool((a == b).all()) for a, b in parts) and bool((one.rhs == two.rhs).all())


@pytest.mark.parametrize(("family", "grid", "seed"), CASES)
def test_systems_are_what_a_solver_may_expect(family: str, grid: tuple[int, ...], seed: int) -> None:
    system = pressure_system(family, grid, seed)
    matrix = system.operator.to_csr()
    assert abs(matrix - matrix.T).max() == 0
    off = matrix.copy()
    off.setdiag(0)
    sums = np.asarray(matrix.sum(1)).ravel()
    assert off.max() <= 0 and (matrix.diagonal() >= 0).all() and sums.min() > -1e-9 * matrix.max()
    b = system.rhs.numpy()
    assert np.isfinite(b).all() and np.linalg.norm(b) > 0.1
    unknown = system.unknown()
    assert (b[~unknown] == 0).all() and unknown.mean() > 0.1
    small, right = system.matrix()
    count, piece = connected_components(small)
    excess = system.operator.excess.numpy().ravel()[unknown]
    for k in range(count):  # closed pieces are singular, and the right-hand side is in their range
        if not excess[piece == k].any():
            assert abs(right[piece == k].sum()) <= 1e-12 * np.linalg.norm(b) * small.shape[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_stands_for_one_system(family: str) -> None:
    systems = [pressure_system(family, (20, 24), seed) for seed in (5, 5, 6)]
    assert _same(systems[0], systems[1]) and not _same(systems[1], systems[2])
    assert systems[0].name.startswith(f"{family} 20x24")


@pytest.mark.parametrize("family", MOVING)
def test_frames_move(family: str) -> None:
    shots = list(frames(family, (24, 24), 2, count=3, sides="open"))
    assert _same(shots[1], pressure_system(family, (24, 24), 2, frame=1, sides="open"))
    assert not _same(shots[0], shots[1]) and not _same(shots[1], shots[2])


@pytest.mark.parametrize("family", ["circles", "boxes", "blobs", "jump inclusions"])
def test_a_seed_has_the_same_shapes_at_every_size(family: str) -> None:
    """The share of solid cells, or the mean coefficient, settles as the grid is refined."""
    shares = []
    for n in (64, 256):
        operator = pressure_system(family, (n, n), 3, sides="wall").operator
        shares.append(float((operator.weights[0] > 0).double().mean() + 1e-4 * operator.weights[0].mean()))
    assert shares[1] == pytest.approx(shares[0], rel=0.05)


def test_parts_of_the_split_share_no_family() -> None:
    members = [family for part in SPLITS.values() for family in part]
    assert sorted(members) == sorted(FAMILIES) and len(set(members)) == len(members)


def test_contrast_is_the_ratio_of_coefficients() -> None:
    for family in ("jump checkerboard", "jump blobs", "jump inclusions"):
        weights = pressure_system(family, (40, 40), 1, contrast=1e6, sides="open").operator.weights[0]
        inner = weights[:-1]
        assert float(inner.max() / inner.min()) == pytest.approx(1e6)
        # a face between both has the harmonic mean
        mixed = inner[(inner > 1.5) & (inner < 9e5)]
        assert mixed.numel() and torch.allclose(mixed, torch.full_like(mixed, 2e6 / (1e6 + 1)))


def test_the_strong_axis_changes_between_regions() -> None:
    fixed = pressure_system("aligned", (32, 32), 0, contrast=100.0).operator.weights
    assert {float(w[1:-1, 1:-1].max()) for w in fixed} == {1.0, 100.0}
    one, two = pressure_system("switching", (32, 32), 0, contrast=100.0).operator.weights
    assert all(float(w.max()) == 100.0 and (w[1:-1, 1:-1] == 1.0).any() for w in (one, two))


def test_pockets_are_filled_where_asked() -> None:
    sides = (("wall", "open"), ("wall", "wall"))
    kept = pressure_system("closed rooms", (48, 48), 1, sides=sides)
    filled = pressure_system("closed rooms", (48, 48), 1, sides=sides, pockets=False)
    assert not kept.operator.positive_definite and filled.unknown().sum() < kept.unknown().sum()
    smallest = np.linalg.eigvalsh(filled.matrix()[0].toarray())[0]
    assert smallest > 1e-6


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("circle", (8, 8)), {}, "did you mean 'circles'"),
        (("circles", (8,)), {}, "2 or 3 axes"),
        (("circles", (8, 3)), {}, "at least 4 cells"),
        (("circles", (8, 8), -1), {}, "from 0 on"),
        (("circles", (8, 8)), {"contrast": 10.0}, "has none"),
        (("aligned", (8, 8)), {"contrast": 0.0}, "number > 0"),
        (("circles", (8, 8)), {"sides": "shut"}, "expected a pair of wall, open, periodic"),
        (("circles", (8, 8)), {"sides": (("periodic", "wall"), ("wall", "wall"))}, "at both ends or at none"),
    ],
)
def test_mistakes_are_sentences(arguments: tuple[object, ...], options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pressure_system(*arguments, **options)  # type: ignore[arg-type]


def test_frames_of_what_stands_still_are_refused() -> None:
    with pytest.raises(UsageError, match="'walls' does not move"):
        list(frames("walls", (8, 8), count=2))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("grid", [(20, 27), (8, 9, 10)], ids=str)
def test_multigrid_serves_every_family(family: str, grid: tuple[int, ...]) -> None:
    """A solve notes when another preconditioner had to take the place of the one that was asked for."""
    for seed in (0, 1, 2):
        system = pressure_system(family, grid, seed)
        found = solve_linear(system.operator, system.rhs, M="multigrid", rtol=1e-9)
        assert found.notes == () and found.residual <= 1e-9
