"""Where a body moves farthest, and where its stress is largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuralpde.geometry import MeshDomain
from neuralpde.simulate._deformed import moves
from neuralpde.simulate._gradients import smooth_jet
from neuralpde.simulate._quantities import chosen_quantity, quantity_of

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

SHOWN = (("displacement", "m"), ("von Mises stress", "Pa"))

ZERO = 1e-9
"""Coordinates nearer to zero than that share of the body's size are rounding."""


def largest(solution: Solution) -> list[str]:
    """Sentences such as ``largest displacement 0.0123 m at (4, 0.5)``, of the last state at the nodes of the mesh.

    None of problems that are not about bodies. Of a load that is not carried they are those under the largest that is,
    and say so. Where a support ends in a corner stresses have no bound: what is printed
    there grows as elements shrink.
    """
    problem, r = solution.problem, solution.representation
    offered = {quantity.name for quantity in problem.quantities()}
    if not moves(problem) or not isinstance(problem.domain, MeshDomain):
        return []
    t = float(solution.times[-1])
    x = torch.as_tensor(problem.domain.mesh.points, dtype=r.dtype, device=r.device)
    nothing = ZERO * float((x.amax(0) - x.amin(0)).max())
    carried = solution.recipe.get("carried")
    if carried == 0:
        return ["no part of the load is carried: the body is shown at rest"]
    jets, out = smooth_jet(problem, solution.at(t)), list[str]()
    for name, unit in SHOWN:
        if name in offered:
            values = quantity_of(jets, chosen_quantity(problem, name)[0], x, t)[:, 0]
            k = int(values.nan_to_num(-1.0).argmax())
            place = ", ".join(f"{float(c) if abs(float(c)) > nothing else 0.0:.4g}" for c in x[k])
            under = "" if carried is None else f"at {100 * carried:.3g} % of the load, up to which it was raised: "
            out.append(f"{'' if out else under}largest {name} {float(values[k]):.4g} {unit} at ({place})")
    return out
