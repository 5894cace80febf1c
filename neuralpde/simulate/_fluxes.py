"""What goes through each part of a mesh's boundary, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from neuralpde.dynamics import FiniteElementDynamics, make_dynamics
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.types import UsageError


def flux_table(
    problem: Problem, representation: Representation, times: Tensor, states: Tensor, **options: Any
) -> dict[str, np.ndarray]:
    """What leaves the domain through each part of a mesh's boundary per unit of time.

    ∮ n·f by its consistent value in the weak form, ∫ s and ∫ u_t: the fluxes and the storage sum to the source, to
    rounding. ``save_table`` writes them.

    Args:
        problem, representation: finite elements.
        times, states: t ``(k,)`` and θ ``(k, p)``.
        options: of the dynamics, where it was given any.

    Returns:
        columns ``t``, ``flux_<part>`` for every part of the boundary, ``source``, ``storage``; of several unknowns one
        each, ``flux_<part>_<unknown>``.

    Raises:
        UsageError: for another representation.
    """
    dynamics = make_dynamics(problem, representation, "auto", **options)
    if not isinstance(dynamics, FiniteElementDynamics):
        kind = type(representation).__name__
        raise UsageError(f"fluxes through parts of the boundary are known of finite elements; this is a {kind}.")
    found = [dynamics.balance(float(t), theta) for t, theta in zip(times, states, strict=True)]
    rows = {f"flux_{part}": [b.fluxes[part] for b in found] for part in found[0].fluxes}
    rows |= {"source": [b.source for b in found], "storage": [b.storage for b in found]}
    columns = {"t": times.numpy().astype(np.float64)}
    names = [f"_{name}{k or ''}" for name, c in problem.unknowns.items() for k in range(c)]
    for label, parts in rows.items():
        values = np.stack([part.detach().cpu().double().numpy() for part in parts])
        for a, name in enumerate(names if len(names) > 1 else [""]):
            columns[label + name] = values[:, a]
    return columns
