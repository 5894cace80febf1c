"""What goes through each part of a mesh's boundary, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics import Balance, FiniteElementDynamics, PotentialDynamics, make_dynamics
from neuralpde.geometry import MeshDomain
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.simulate._gradients import AXES
from neuralpde.types import UsageError


@torch.no_grad()
def flux_table(
    problem: Problem,
    representation: Representation,
    times: Tensor,
    states: Tensor,
    dt: float | None = None,
    **options: Any,
) -> dict[str, np.ndarray]:
    """What leaves the domain through each part of a mesh's boundary per unit of time.

    ∮ n·f by its consistent value in the weak form, ∫ s and ∫ u_t: the fluxes and the storage sum to the source, to
    rounding. ``save_table`` writes them.

    Args:
        problem, representation: finite elements.
        times, states: t ``(k,)`` and θ ``(k, p)``.
        dt: step of the run, which tells how fast boundary data may move; by default the shortest between the times.
        options: of the dynamics, where it was given any.

    Returns:
        columns ``t``, ``flux_<part>`` for every part of the boundary, ``source``, ``storage``; of several unknowns one
        each, ``flux_<part>_<unknown>``. A name of the mesh that stands for several parts, as others overlap it, has a
        column too, the sum of theirs. Of a body they are forces in N (in 2D per metre of thickness):
        ``force_on_<part>_x``, … with which it acts on what is outside, a support or what pulls at it, ``body_force_x``
        (contacts and damping included) and ``inertia_x``.

    Raises:
        UsageError: for another representation, or one time of a field that moves, without dt.
    """
    dynamics = make_dynamics(problem, representation, "auto", **options)
    if not isinstance(dynamics, FiniteElementDynamics | PotentialDynamics):
        kind = type(representation).__name__
        raise UsageError(f"fluxes through parts of the boundary are known of finite elements; this is a {kind}.")
    step, span = _clock(problem, times, dt)
    found = [dynamics.balance(float(t), theta, step, span) for t, theta in zip(times, states, strict=True)]
    rows = {f"flux_{part}": [b.fluxes[part] for b in found] for part in found[0].fluxes}
    rows |= {f"flux_{name}": [_through(b, parts) for b in found] for name, parts in _unions(representation).items()}
    rows |= {"source": [b.source for b in found], "storage": [b.storage for b in found]}
    columns = {"t": times.numpy().astype(np.float64)}
    names = [f"_{name}{k or ''}" for name, c in problem.unknowns.items() for k in range(c)]
    if is_body(problem):
        rows = {_as_force(label): parts for label, parts in rows.items()}
        names = [f"_{axis}" for axis in AXES[: problem.domain.dim]]
    for label, parts in rows.items():
        values = np.stack([part.detach().cpu().double().numpy() for part in parts])
        for a, name in enumerate(names if len(names) > 1 else [""]):
            columns[label + name] = values[:, a]
    return columns


def is_body(problem: Problem) -> bool:
    """Whether what leaves through the boundary is momentum: forces of a body on its supports."""
    return problem.unknowns.get("displacement") == problem.domain.dim


def _as_force(label: str) -> str:
    plain = {"source": "body_force", "storage": "inertia"}
    return plain.get(label, "force_on_" + label.removeprefix("flux_"))


def _unions(representation: Representation) -> dict[str, tuple[str, ...]]:
    """Names of the mesh that stand for several parts of its boundary."""
    domain = representation.domain
    assert isinstance(domain, MeshDomain)
    found = {name: domain.parts_of(name) for name in domain.names}
    return {name: parts for name, parts in found.items() if parts != (name,)}


def _through(balance: Balance, parts: tuple[str, ...]) -> Tensor:
    return torch.stack([balance.fluxes[part] for part in parts]).sum(0)


def check_given(recorded: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """Refuse fluxes of other equations than those that were solved.

    Raises:
        UsageError: naming the options that the run had and that are not given.
    """
    missing = [f"{name}={text}" for name, text in recorded.items() if name not in options]
    if missing:
        raise UsageError(
            f"the run was made with {', '.join(missing)}, which its file has in words only; pass that again, as in "
            f"fluxes({missing[0]})."
        )


def _clock(problem: Problem, times: Tensor, dt: float | None) -> tuple[float, tuple[float, float]]:
    """A run's step, and its first and last time."""
    first, last = float(times[0]), float(times[-1])
    if dt is None and len(times) > 1:
        dt = float(times.diff().min())
    if dt is None and problem.time_order:
        raise UsageError(f"fluxes of {problem.name} at one time need dt= of the run, for boundary data that move.")
    dt = dt or 1.0
    return dt, (first, max(last, first + dt))
