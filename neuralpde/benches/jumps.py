"""Coefficients that jump by 1e3 and 1e6, and couplings that are 100 times as strong along one axis.

Each case holds three seeds of one kind on one grid with open sides: tiles, blobs or inclusions of another 1/ρ; one
strong axis everywhere; a strong axis that changes from region to region. b is the divergence of a velocity, x₀ = 0, and
every method runs until the true relative residual in float64 is below 1e-6, as in ``neuralpde bench pressure``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from neuralpde.benches._linear_methods import CG, PYAMG, room
from neuralpde.benches._linear_petsc import hypre_methods
from neuralpde.benches._linear_problem import Method, Problem, measured
from neuralpde.benches._linear_rows import case_rows
from neuralpde.benches._rows import Row
from neuralpde.benches.pressure import WARM_GRIDS, case_name
from neuralpde.linalg import PlainMultigrid
from neuralpde.systems import pressure_system

GRIDS = ((512, 512), (1024, 1024), (64, 64, 64))
QUICK_GRIDS = ((32, 32), (12, 12, 12))
SEEDS = (0, 1, 2)
LIMIT = 20.0


@dataclass(frozen=True)
class Kind:
    """One kind of coefficients: how cases are called, the family and its contrast."""

    name: str
    family: str
    contrast: float

    def problems(self, grid: Sequence[int], seeds: Sequence[int]) -> list[Problem]:
        """Its systems on a grid."""
        return [
            Problem.of(pressure_system(self.family, grid, seed, contrast=self.contrast, sides="open")) for seed in seeds
        ]


KINDS = (
    *(
        Kind(f"jump {name} {shape}", f"jump {shape}", contrast)
        for name, contrast in (("1e3", 1e3), ("1e6", 1e6))
        for shape in ("checkerboard", "blobs", "inclusions")
    ),
    Kind("aligned 1:100", "aligned", 100.0),
    Kind("switching 1:100", "switching", 100.0),
)


def methods() -> dict[str, Method]:
    """All of them; plain multigrid is there to be seen failing where coefficients jump."""
    return {
        "cg jacobi": CG["cg jacobi"],
        **PYAMG,
        **hypre_methods(),
        "multigrid plain": room(PlainMultigrid),
        "multigrid": room("multigrid"),
    }


def rows(quick: bool = False) -> Iterator[Row]:
    """Rows of all kinds and sizes.

    Args:
        quick: tiny grids and one seed.
    """
    seeds = SEEDS[:1] if quick else SEEDS
    # Loops are compiled before anything is timed: those of lines along one axis or the other by the seed.
    for grid in QUICK_GRIDS if quick else WARM_GRIDS:
        for kind in KINDS:
            for problem in kind.problems(grid, seeds):
                measured(room("multigrid"), problem, repeats=1)
        for method in PYAMG.values():
            measured(method, KINDS[0].problems(grid, (0,))[0], repeats=1)
    for grid in QUICK_GRIDS if quick else GRIDS:
        for kind in KINDS:
            case = f"{kind.name} {case_name(grid)}"
            yield from case_rows(case, kind.problems(grid, seeds), methods(), *((1, 1.0) if quick else (2, LIMIT)))
