"""Contact as a potential of the nodal displacements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import torch
from torch import Tensor

from neuralpde.dynamics._contact_barrier import barrier
from neuralpde.dynamics._contact_collision import longest_step
from neuralpde.dynamics._contact_gaps import Gaps
from neuralpde.dynamics._contact_nearest import GapJet
from neuralpde.dynamics._contact_outlines import BodyOutlines
from neuralpde.dynamics._contact_surface import ContactSurface
from neuralpde.dynamics._potentials import Potential
from neuralpde.linalg import positive_part
from neuralpde.problems import BodyContact, Contact
from neuralpde.types import UsageError

AHEAD, PUSHES = 0.2, 20
"""Share of d̂ that a moving obstacle is kept ahead of the body at the start of a step, and attempts to keep it."""


class ContactPotential(Potential):
    """Π(u) = k Σ_i w_i b(g_i(u)) over the gaps g_i between a body's boundary and what it may not enter.

    The weights w_i are areas of the undeformed boundary, so that meshes differ by their accuracy alone.

    Args:
        contact: the statement.
        surface: the body's boundary.
        gaps: of its patches.
        free: numbers of the free unknowns among all ``N d``.
        distance: d̂ in m.
        stiffness: k in Pa.
        name: of its energy.
        outlines: of bodies that may touch each other.

    Source: Li et al., Incremental potential contact (2020); Li et al., Convergent incremental potential contact,
    arXiv 2307.15908, for the weights.
    """

    def __init__(
        self,
        contact: Contact | BodyContact,
        surface: ContactSurface,
        gaps: Sequence[Gaps],
        free: np.ndarray,
        distance: float,
        stiffness: float,
        name: str = "contact",
        outlines: BodyOutlines | None = None,
    ) -> None:
        self.contact, self.surface, self.gaps, self.free = contact, surface, tuple(gaps), free
        self.distance, self.stiffness, self.name = distance, stiffness, name
        self.outlines, self.checked = outlines, False
        self.share = 1.0
        """Factor of the potential, see :func:`shared`."""

    def places(self, t: float, values: Tensor) -> Tensor:
        """Control points of the displaced boundary, as the obstacle sees them."""
        found = self.surface.place(values)
        return found - self.contact.shift(t, found) if isinstance(self.contact, Contact) else found

    def near(self, t: float, values: Tensor) -> Iterator[tuple[Gaps, Tensor, Tensor, Tensor]]:
        """Gaps below d̂: their kind, the numbers of their control points, weights, and places ``(n, m, d)``."""
        places = self.places(t, values)
        for gaps in self.gaps:
            control, weights = gaps.near(places, self.distance)
            if len(control):
                yield gaps, control, weights, places[control]

    def energy(self, t: float, values: Tensor) -> float:
        total = 0.0
        for gaps, _, weights, x in self.near(t, values):
            total += float((weights * barrier(gaps.gap(x), self.distance)[0]).sum())
        return self.share * self.stiffness * total

    def gradient(self, t: float, values: Tensor) -> Tensor:
        return self.share * self.surface.gather(self._gradient(t, values)).to(values)

    def _gradient(self, t: float, values: Tensor) -> Tensor:
        """∂Π/∂c at the control points."""
        out = torch.zeros_like(self.surface.start)
        for gaps, control, weights, x in self.near(t, values):
            jet = gaps.jet(x)
            slope = self.stiffness * weights * barrier(jet.gap, self.distance)[1]
            pushed = slope[:, None, None] * jet.gradient
            out.index_add_(0, control.flatten(), pushed.flatten(0, 1))
        return out

    def hessian(self, t: float, values: Tensor, projected: bool) -> sp.csr_matrix | None:
        blocks = [
            (control, self._block(jet, weights, projected))
            for gaps, control, weights, x in self.near(t, values)
            for jet in (gaps.jet(x),)
        ]
        return assembled(blocks, self._free_matrix, self.surface.dim) if blocks else None

    def _block(self, jet: GapJet, weights: Tensor, projected: bool) -> Tensor:
        """Second derivatives by the control points of each gap, ``(n, m d, m d)``."""
        _, slope, curvature = barrier(jet.gap, self.distance)
        flat = jet.gradient.flatten(1)
        block = curvature[:, None, None] * flat[:, :, None] * flat[:, None]
        if jet.hessian is not None:
            block = block + slope[:, None, None] * jet.hessian
        block = self.share * self.stiffness * weights[:, None, None] * block
        return positive_part(block) if projected and (jet.hessian is not None or bool((weights < 0).any())) else block

    @cached_property
    def _free_matrix(self) -> sp.csr_matrix:
        """How control points follow the free unknowns, ``(n d, p)``."""
        return self.surface.dof_matrix[:, self.free].tocsr()

    def longest(self, t: float, values: Tensor, step: Tensor) -> float:
        places, move = self.places(t, values), self.surface.move(step)
        return min((longest_step(gaps, places, move) for gaps in self.gaps), default=1.0)

    def cleared(self, t: float, values: Tensor) -> Tensor:
        """Values whose boundary an obstacle that has moved does not touch: it pushes what is in its way ahead of it.

        Raises:
            UsageError: where the obstacle has moved so far that this finds no way out.
        """
        if not isinstance(self.contact, Contact) or self.contact.motion is None:
            return values
        least = AHEAD * self.distance
        for _ in range(PUSHES):
            push = self._push(t, values, least)
            if push is None:
                return values
            values = values + self._followed(push).to(values)
        raise UsageError(
            f"the obstacle of {self.name} has moved too deep into the body at t = {t:g}: use smaller time steps."
        )

    def _push(self, t: float, values: Tensor, least: float) -> Tensor | None:
        """How far control points have to move for gaps of ``least`` or a little more, ``(n, d)``; None if they have
        them."""
        places = self.places(t, values)
        push, size = torch.zeros_like(places), places.new_zeros(len(places))
        for gaps in self.gaps:
            control, _ = gaps.near(places, least)
            if not len(control):
                continue
            jet = gaps.jet(places[control])
            short = 2 * least - jet.gap
            for column in control.T:
                more = short > size[column]
                size[column[more]] = short[more]
                push[column[more]] = short[more, None] * jet.normal[more]
        return push if bool(size.any()) else None

    def _followed(self, push: Tensor) -> Tensor:
        """Moves of the nodes by which control points move so far, in the sense of least squares."""
        columns = [spla.lsqr(self.surface.matrix, column, atol=1e-12, btol=1e-12)[0] for column in push.numpy().T]
        return torch.from_numpy(np.stack(columns, axis=1))

    def lag(self, t: float, values: Tensor) -> None:
        """Refuse a state that penetrates.

        Raises:
            UsageError: with the place and the depth.
        """
        worst, where = self._deepest(t, values)
        if worst <= 0:
            place = ", ".join(f"{v:.4g}" for v in where.tolist())
            raise UsageError(
                f"at t = {t:g} the body is {-worst:.3g} m deep inside of what it may not enter, near ({place}): move "
                "the body or the obstacle apart, or shorten the step of a moving obstacle."
            )
        if not self.checked:
            self._refuse_crossings(self.places(t, values))
            self._refuse_enclosed(values)
            self.checked = True

    def _refuse_crossings(self, places: Tensor) -> None:
        """Of edges at the start; later steps do not lead to any."""
        for gaps in self.gaps:
            found = gaps.crossing(places)
            if len(found):
                place = ", ".join(f"{v:.4g}" for v in found[0].tolist())
                raise UsageError(
                    f"{len(found)} edges of the boundary cut others, the first near ({place}): bodies that may touch "
                    "start apart from each other."
                )

    def _refuse_enclosed(self, values: Tensor) -> None:
        """Of bodies that start inside others."""
        found = values[:0] if self.outlines is None else self.outlines.enclosed(values)
        if len(found):
            place = ", ".join(f"{v:.4g}" for v in found[0].tolist())
            raise UsageError(
                f"a body lies inside another near ({place}): bodies that may touch start apart from each other."
            )

    def _deepest(self, t: float, values: Tensor) -> tuple[float, Tensor]:
        """The least gap and a point of the boundary that has it; infinite where there is none."""
        places, still = self.places(t, values), self.surface.place(values)
        reach, limit = self.distance, 4 * float((still.amax(0) - still.amin(0)).norm()) + self.distance
        while True:
            worst, where = math.inf, still[0]
            for gaps in self.gaps:
                control, _ = gaps.near(places, reach)
                found = gaps.gap(places[control])
                if len(found) and float(found.min()) < worst:
                    worst, where = float(found.min()), still[control[found.argmin()]].mean(0)
            # gaps below the reach are all there: the least of them is the least of all
            if worst < reach or reach > limit:
                return worst, where
            reach *= 8

    def force(self, t: float, values: Tensor) -> Tensor:
        """What the obstacle pushes the body with, ``(d,)``, in N (in 2D per metre of thickness)."""
        return -self._gradient(t, values).sum(0)

    def driven(self, begin: float, t: float, values: Tensor) -> float:
        return moved_work(self, begin, t, self.force(t, values))

    def outputs(self, t: float, values: Tensor) -> dict[str, float]:
        """The least gap in m, and the force on the body by components in N."""
        out = {f"{self.name} gap": self._deepest(t, values)[0]}
        if isinstance(self.contact, Contact):
            force = self.force(t, values).tolist()
            out |= {f"{self.name} force {axis}": value for axis, value in zip("xyz", force, strict=False)}
        return out


@contextmanager
def shared(parts: Sequence[Potential], share: float) -> Iterator[None]:
    """Contacts and friction among potentials with a factor, for as long as this lasts: what Newmark's method needs.

    Their forces that act as a whole at the end of a step, and not half at its beginning, make no energy: Kane,
    Repetto, Ortiz & Marsden, Comput. Methods Appl. Mech. Eng. 180 (1999).
    """
    touching: list[Any] = [part for part in parts if hasattr(part, "share")]
    for part in touching:
        part.share = share
    try:
        yield
    finally:
        for part in touching:
            part.share = 1.0


def moved_work(part: ContactPotential, begin: float, t: float, force: Tensor) -> float:
    """Work on a body of an obstacle that moves while it pushes with a force ``(d,)``, in J."""
    if not isinstance(part.contact, Contact) or part.contact.motion is None:
        return 0.0
    x = part.surface.start
    return float(force @ (part.contact.shift(t, x) - part.contact.shift(begin, x)))


def assembled(blocks: Sequence[tuple[Tensor, Tensor]], matrix: sp.csr_matrix, dim: int) -> sp.csr_matrix:
    """Bᵀ H B of the blocks of some groups of control points.

    Args:
        blocks: control points ``(n, m)`` and matrices ``(n, m d, m d)``.
        matrix: B, how control points follow the free unknowns, ``(N d, p)``.
        dim: d.
    """
    rows, columns, entries = [], [], []
    for control, block in blocks:
        dofs = (control[..., None] * dim + torch.arange(dim)).flatten(1)
        rows.append(dofs[:, :, None].expand_as(block).flatten())
        columns.append(dofs[:, None].expand_as(block).flatten())
        entries.append(block.flatten())
    place = (torch.cat(rows).numpy(), torch.cat(columns).numpy())
    size = matrix.shape[0]
    whole = sp.coo_matrix((torch.cat(entries).numpy(), place), shape=(size, size)).tocsr()
    return (matrix.T @ (whole @ matrix)).tocsr()
