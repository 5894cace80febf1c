"""Solutions of one problem side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from neuralpde.plot import Samples, animation, comparison
from neuralpde.simulate._quantities import samples_of
from neuralpde.simulate._solution import PICTURE_POINTS, Solution


def compare(
    solutions: dict[str, Solution],
    path: str | Path,
    quantity: str | None = None,
    reference: Solution | None = None,
    magnification: float | None = None,
) -> Path:
    """Solutions of one problem side by side: a PNG, or a GIF by the path's suffix.

    Args:
        solutions: by the name of their method.
        path: of the picture.
        quantity: what is shown, see :meth:`Solution.samples`.
        reference: what errors are shown against, see :meth:`Solution.samples`; if it is one of the solutions, that one
            is shown without an error.
        magnification: of displacements, see :meth:`Solution.samples`; the same for all of the solutions.
    """
    moving = Path(path).suffix.lower() == ".gif"
    several: list[Samples] = []
    remembered: dict[tuple[float, int], Tensor | None] = {}
    for name, s in solutions.items():
        points, frames = (None, 61) if moving or s.problem.domain.dim == 1 else (PICTURE_POINTS, 2)
        shown = samples_of(s, points, frames, name, quantity, reference, remembered, magnification)
        several.append(replace(shown, exact=None) if s is reference else shown)
    smallest = min(samples.magnification for samples in several)
    several = [replace(samples, magnification=smallest) for samples in several]
    return animation(several, path) if moving else comparison(several, path)
