"""Write pressure systems of fluids around solids to HDF5 files, one for each part of a split by geometry family."""

import argparse
from collections.abc import Iterator

from neuralpde.io import save_systems
from neuralpde.systems import FAMILIES, MOVING, SPLITS, VERSION, PressureSystem, frames, pressure_system


def systems(
    families: list[str], grids: list[tuple[int, ...]], count: int, first: int, shots: int
) -> Iterator[PressureSystem]:
    """``count`` seeds of every family on every grid, families that move with ``shots`` frames each."""
    for family in families:
        for grid in grids:
            for seed in range(first, first + count):
                if family in MOVING:
                    yield from frames(family, grid, seed, count=shots)
                else:
                    yield pressure_system(family, grid, seed)


def _grid(text: str) -> tuple[int, ...]:
    try:
        grid = tuple(int(word) for word in text.split("x"))
    except ValueError:
        grid = ()
    if len(grid) not in (2, 3) or min(grid) < 4:
        raise argparse.ArgumentTypeError(f"a grid has 2 or 3 axes of at least 4 cells, such as 64x64, got {text!r}")
    return grid


def main() -> None:
    """One file a part: FOLDER/train.h5 and so on; the families asked for are never in two parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument(
        "--grid", type=_grid, action="append", metavar="NxM[xK]", help="may be given several times [64x64]"
    )
    parser.add_argument("--family", action="append", choices=FAMILIES, help="may be given several times [all]")
    parser.add_argument("--count", type=int, default=10, help="seeds a family and grid [10]")
    parser.add_argument("--frames", type=int, default=2, help="pictures of each motion [2]")
    parser.add_argument("--seed", type=int, default=0, help="the first seed [0]")
    options = parser.parse_args()
    grids = options.grid or [(64, 64)]
    for part, members in SPLITS.items():
        families = [family for family in members if family in (options.family or FAMILIES)]
        if not families:
            continue
        asked = {"grids": grids, "count": options.count, "seed": options.seed, "frames": options.frames}
        metadata = {"part": part, "families": families, "version": VERSION, **asked}
        made = systems(families, grids, options.count, options.seed, options.frames)
        print(save_systems(f"{options.folder}/{part}.h5", made, metadata))


if __name__ == "__main__":
    main()
