"""Bodies in pictures as they deform: displacements enlarged until one sees them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from neuralpde.plot import Triangulation

SEEN = 0.1
"""The largest displacement in a picture, over the size of the body."""


def deformed(shown: Triangulation, displacement: np.ndarray) -> tuple[Triangulation, float]:
    """The triangles at x + s u, and s: 1 where displacements are seen as they are, else 1, 2 or 5 times a power of ten.

    Args:
        shown: at rest.
        displacement: u at its points, ``(n, d)``.
    """
    size = float(np.ptp(shown.points, axis=0).max())
    largest = float(np.linalg.norm(displacement, axis=1).max())
    s = 1.0
    if 0 < largest < 0.2 * SEEN * size or largest > 2 * SEEN * size:
        wanted = SEEN * size / largest
        power = 10.0 ** math.floor(math.log10(wanted))
        s = power * max(m for m in (1, 2, 5) if m * power <= wanted * (1 + 1e-9))
    return replace(shown, points=shown.points + s * displacement), s
