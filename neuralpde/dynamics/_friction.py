"""Coulomb friction as a potential, with normal forces and directions of the step before."""

from __future__ import annotations

from dataclasses import dataclass

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._contact import ContactPotential, assembled, moved_work
from neuralpde.dynamics._contact_barrier import barrier, slip
from neuralpde.dynamics._potentials import Potential
from neuralpde.problems import Contact


@dataclass(frozen=True)
class Rubbing:
    """What is frozen of the contacts at the beginning of a step.

    Args:
        control: numbers of control points, ``(n, m)``.
        shares: γ of the points Σ γ_i x_i that slide, ``(n, m)``.
        normal: unit vectors, ``(n, d)``.
        load: μ times the normal forces, ``(n,)``.
        start: where the points were, ``(n, d)``.
    """

    control: Tensor
    shares: Tensor
    normal: Tensor
    load: Tensor
    start: Tensor


class FrictionPotential(Potential):
    """D(u) = Σ μ λ f₀(|T (x − xⁿ)|) over the contacts: a force μ λ against the direction of sliding.

    λ and the tangent projections T = I − n nᵀ are those at the beginning of the step. f₀ is smooth: points that slide
    slower than ε_v are held by less than μ λ, so that what should stick creeps by less than ε_v.

    D is a potential of one step alone: nothing of it is stored. What friction takes is :meth:`dissipated`.

    Args:
        contact: whose normal forces are meant.
        coefficient: μ.
        slip_speed: ε_v in m/s.
        name: of its energy.

    Source: Li et al., Incremental potential contact (2020), section 5.
    """

    stores = False

    def __init__(self, contact: ContactPotential, coefficient: float, slip_speed: float, name: str) -> None:
        self.contact, self.coefficient, self.slip_speed, self.name = contact, coefficient, slip_speed, name
        self.begin, self.rubbing = 0.0, list[Rubbing]()
        self.share = 1.0
        """Factor of the potential, see :func:`~neuralpde.dynamics._contact.shared`."""

    def lag(self, t: float, values: Tensor) -> None:
        c = self.contact
        self.begin, self.rubbing = t, []
        for gaps, control, weights, x in c.near(t, values):
            jet = gaps.jet(x)
            load = -self.coefficient * c.stiffness * weights * barrier(jet.gap, c.distance)[1]
            start = torch.einsum("nm,nmd->nd", jet.shares, x)
            self.rubbing.append(Rubbing(control, jet.shares, jet.normal, load, start))

    def smooth(self, t: float) -> float:
        """ε: how far a point slides at the slip speed since the step began; in statics (no time passes) in a second."""
        return self.slip_speed * (t - self.begin if t > self.begin else 1.0)

    def _slid(self, t: float, values: Tensor) -> list[tuple[Rubbing, Tensor, Tensor]]:
        """How far each contact has slid since the step began: vectors ``(n, d)`` and their lengths."""
        places = self.contact.places(t, values)
        out = []
        for r in self.rubbing:
            moved = torch.einsum("nm,nmd->nd", r.shares, places[r.control]) - r.start
            along = moved - (moved * r.normal).sum(-1, keepdim=True) * r.normal
            out.append((r, along, along.norm(dim=-1)))
        return out

    def energy(self, t: float, values: Tensor) -> float:
        return self.share * self._whole(t, values)

    def _whole(self, t: float, values: Tensor) -> float:
        return sum(
            float((r.load * slip(length, self.smooth(t))[0]).sum()) for r, _, length in self._slid(t, values)
        ) - sum(float(r.load.sum()) * self.smooth(t) / 3 for r in self.rubbing)

    def gradient(self, t: float, values: Tensor) -> Tensor:
        return self.share * self.contact.surface.gather(self._gradient(t, values)).to(values)

    def dissipated(self, t: float, values: Tensor) -> float:
        """Σ μ λ f₁(y) y of the sliding y since the step began: the force at its end times the way."""
        slid = self._slid(t, values)
        return sum(float((r.load * slip(y, self.smooth(t))[1] * y.square()).sum()) for r, _, y in slid)

    def driven(self, begin: float, t: float, values: Tensor) -> float:
        return moved_work(self.contact, begin, t, -self._gradient(t, values).sum(0))

    def _gradient(self, t: float, values: Tensor) -> Tensor:
        out = torch.zeros_like(self.contact.surface.start)
        for r, along, length in self._slid(t, values):
            pull = (r.load * slip(length, self.smooth(t))[1])[:, None] * along
            out.index_add_(0, r.control.flatten(), (r.shares[..., None] * pull[:, None]).flatten(0, 1))
        return out

    def hessian(self, t: float, values: Tensor, projected: bool) -> sp.csr_matrix | None:
        blocks = []
        for r, along, length in self._slid(t, values):
            if not len(length):
                continue
            _, share, rise = slip(length, self.smooth(t))
            unit = along / length.clamp(min=1e-300)[:, None]
            plane = torch.eye(along.shape[1], dtype=along.dtype) - r.normal[:, :, None] * r.normal[:, None]
            line = unit[:, :, None] * unit[:, None]
            load = self.share * r.load
            block = (load * share)[:, None, None] * (plane - line) + (load * rise)[:, None, None] * line
            m, d = r.shares.shape[1], along.shape[1]
            whole = torch.einsum("ni,nj,nab->niajb", r.shares, r.shares, block)
            blocks.append((r.control, whole.reshape(len(length), m * d, m * d)))
        return assembled(blocks, self.contact._free_matrix, self.contact.surface.dim) if blocks else None

    def outputs(self, t: float, values: Tensor) -> dict[str, float]:
        """Force of friction on the body by components."""
        if not isinstance(self.contact.contact, Contact):
            return {}
        force = (-self._gradient(t, values).sum(0)).tolist()
        return {f"{self.name} force {axis}": value for axis, value in zip("xyz", force, strict=False)}
