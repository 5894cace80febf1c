"""Bodies in pictures as they deform: as they are where one sees it, else with enlarged displacements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.geometry import Dirichlet, MeshDomain, Solid, is_number
from neuralpde.plot import Triangulation
from neuralpde.problems import BodyContact, Contact, Problem, obstacles
from neuralpde.simulate._errors import CHUNK, channels_of
from neuralpde.types import UsageError

SEEN = 0.1
"""The largest displacement in a picture that has to enlarge it, over the size of the body."""

DISPLACEMENT = "displacement"
"""The unknown that bodies in pictures move by."""


def moves(problem: Problem) -> bool:
    """Whether pictures show a body in another place than its mesh: on a mesh, with a displacement vector."""
    return isinstance(problem.domain, MeshDomain) and problem.unknowns.get(DISPLACEMENT) == problem.domain.dim


def held(problem: Problem) -> bool:
    """Whether a part of the boundary is held: the body at rest is then worth seeing behind one that moves."""
    return any(isinstance(condition, Dirichlet) for condition in problem.conditions)


def met_solids(problem: Problem) -> Callable[[float], Sequence[Solid]] | None:
    """t → the obstacles that the body may touch; None where there are none."""
    contacts: Sequence[Contact | BodyContact] = getattr(problem, "contact", ())
    return (lambda t: obstacles(contacts, t)) if obstacles(contacts) else None


def displacements(problem: Problem, fields: Sequence[Field], x: Tensor) -> np.ndarray | None:
    """u at points ``(n, d)`` at every time, ``(k, n, d)``; None where it is zero or not finite everywhere."""
    if not moves(problem):
        return None
    channels = channels_of(problem, DISPLACEMENT)
    with torch.no_grad():
        # part by part and not time by time: a mesh finds the elements of a part's points once
        parts = [torch.stack([field(part)[:, channels] for field in fields]) for part in x.split(CHUNK)]
    u = torch.cat(parts, dim=1).cpu().double().numpy()
    return u if np.isfinite(u).all() and u.any() else None


def magnification_of(
    shown: Triangulation | None, displacement: np.ndarray | None, wanted: float | None = None
) -> float:
    """s of pictures of x + s u: as wanted; else 1 where displacements are seen as they are, else 1, 2 or 5 times a
    power of ten.

    Args:
        shown: the body at rest.
        displacement: u at its points, ``(…, n, d)``, or None.
        wanted: s ≥ 0, or None.

    Raises:
        UsageError: for a negative factor, or one that is no number.
    """
    if wanted is not None and not (is_number(wanted) and wanted >= 0):
        raise UsageError(f"displacements are drawn times a factor of 0 or more; got {wanted!r}.")
    if wanted is not None or shown is None or displacement is None:
        return 1.0 if wanted is None else wanted
    size = float(np.ptp(shown.points, axis=0).max())
    largest = float(np.linalg.norm(displacement, axis=-1).max())
    if largest == 0 or largest >= 0.2 * SEEN * size:
        return 1.0
    enough = SEEN * size / largest
    power = 10.0 ** math.floor(math.log10(enough))
    return power * max(m for m in (1, 2, 5) if m * power <= enough * (1 + 1e-9))
