"""Coulomb friction of bodies at rest."""

from __future__ import annotations

from dataclasses import replace

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._contact import assembled
from neuralpde.dynamics._contact_barrier import barrier, slip
from neuralpde.dynamics._friction import FrictionPotential


class StaticFriction(FrictionPotential):
    """Friction μ λ(u) f₁(|T (x − xⁿ)|) against the sliding since the load step began, with λ and T of its end.

    So |friction| ≤ μ times the force between body and obstacle holds where the load step ends. The way there is that of
    the load steps: what slides to and fro wants small ones. The whole load is raised within a second: what slides
    slower than the slip speed is held by less than μ λ.

    Source: Wriggers, Computational Contact Mechanics (2006), section 5.2.4, for steps of the load in place of time.
    """

    follows = True

    def smooth(self, t: float) -> float:
        return self.slip_speed * self.span

    def lag(self, t: float, values: Tensor) -> None:
        self.first = self.contact.places(t, values)
        super().lag(t, values)

    def relag(self, t: float, values: Tensor) -> None:
        super().lag(t, values)
        self.rubbing = [
            replace(r, start=torch.einsum("nm,nmd->nd", r.shares, self.first[r.control])) for r in self.rubbing
        ]

    def slopes(self, t: float, values: Tensor) -> sp.csr_matrix | None:
        """The Hessian, and how friction grows with the force of contact."""
        self.relag(t, values)
        held, contact, blocks = self.hessian(t, values, False), self.contact, []
        for (gaps, control, weights, x), (r, along, length) in zip(
            contact.near(t, values), self._slid(t, values), strict=True
        ):
            jet = gaps.jet(x)
            stiffness = contact.stiffness * weights * barrier(jet.gap, contact.distance)[2]
            grown = -self.coefficient * stiffness[:, None, None] * jet.gradient
            pull = slip(length, self.smooth(t))[1][:, None] * along
            block = torch.einsum("ni,na,njb->niajb", r.shares, pull, grown)
            size = grown.shape[1] * grown.shape[2]
            blocks.append((control, block.reshape(len(length), size, size)))
        if held is None:
            return None
        return held + assembled(blocks, contact._free_matrix, contact.surface.dim)
