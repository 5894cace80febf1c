"""Gaps of curved edges in 2D: those of their chords, less what the curves may lie beside them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from neuralpde.dynamics._contact_gaps import Gaps
from neuralpde.dynamics._contact_nearest import Foot, GapJet, distance_jet, foot_on_segment
from neuralpde.dynamics._contact_pairs import crossing_edges, near_pairs, relative_speed
from neuralpde.dynamics._contact_surface import ContactSurface
from neuralpde.geometry import Disc

BEND = (1.0, -2.0, 1.0)
"""Of control points: e = c₀ − 2 c₁ + c₂ of a quadratic curve, which lies |e|/4 beside its chord at most."""


class CurveGaps(Gaps):
    """g = |Σ γ_i x_i| − s_A − s(…) of points that are ends of a curved piece A.

    s = √(|e|² + ε²)/4 ≥ |e|/4 is how far a piece lies beside its chord. Chords that do not cross are nearest at one of
    their ends; so while all gaps are positive, and no chords cross at the start, no pieces meet but those that share an
    end.

    Args:
        surface: of pieces of degree 2.
        smooth: ε in m.
    """

    straight: tuple[int, ...]
    """Which of the control points the distance is made of."""

    def __init__(self, surface: ContactSurface, smooth: float) -> None:
        super().__init__(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, dtype=torch.float64))
        self.pieces, self.smooth = surface.patches.control, smooth
        # every piece twice, each of its ends first, with a quarter of its length: a half of what belongs to the end
        self.ends = torch.cat([self.pieces, self.pieces.flip(1)])
        self.shares = 0.25 * surface.patches.weights.sum(1).repeat(2)

    @abstractmethod
    def _foot(self, x: Tensor) -> Foot:
        """Of what the distance is, by the control points of ``straight``."""

    @abstractmethod
    def _sag(self, x: Tensor) -> Tensor:
        """What is taken off, ``(n,)``."""

    @abstractmethod
    def _sag_jet(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Its derivatives, ``(n, m, d)`` and ``(n, m d, m d)``."""

    def gap(self, x: Tensor) -> Tensor:
        some = x[:, list(self.straight)]
        return torch.einsum("nm,nmd->nd", self._foot(some).shares, some).norm(dim=-1) - self._sag(x)

    def jet(self, x: Tensor) -> GapJet:
        n, m, d = x.shape
        places = list(self.straight)
        found = distance_jet(x[:, places], self._foot(x[:, places]))
        slope, bend = self._sag_jet(x)
        gradient, shares = -slope, x.new_zeros(n, m)
        gradient[:, places] += found.gradient
        shares[:, places] = found.shares
        dofs = (torch.tensor(places)[:, None] * d + torch.arange(d)).flatten()
        hessian = -bend
        assert found.hessian is not None
        hessian[:, dofs[:, None], dofs] += found.hessian
        return GapJet(found.gap - self._sag(x), gradient, hessian, found.normal, shares)

    def _beside(self, x: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """s of the piece whose control points have these numbers, ``(n,)``."""
        e = torch.einsum("m,nmd->nd", x.new_tensor(BEND), x[:, list(numbers)])
        return 0.25 * (e.square().sum(-1) + self.smooth**2).sqrt()

    def _piece(self, x: Tensor, numbers: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """s of the piece whose control points have these numbers, with its derivatives by all of x."""
        n, m, d = x.shape
        turn = x.new_zeros(m)
        turn[list(numbers)] = x.new_tensor(BEND)
        e = torch.einsum("m,nmd->nd", turn, x)
        size = (e.square().sum(-1) + self.smooth**2).sqrt()
        unit = e / size[:, None]
        across = (torch.eye(d, dtype=x.dtype) - unit[:, :, None] * unit[:, None]) / size[:, None, None]
        slope = 0.25 * turn[:, None] * unit[:, None]
        bend = 0.25 * torch.einsum("i,j,nab->niajb", turn, turn, across).reshape(n, m * d, m * d)
        return 0.25 * size, slope, bend

    def _slack(self, step: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """How fast s of a piece changes at most."""
        e = torch.einsum("m,nmd->nd", step.new_tensor(BEND), step[:, list(numbers)])
        return 0.25 * e.norm(dim=-1)


class CurvePairGaps(CurveGaps):
    """Of the ends of pieces from the chords of others: what :class:`PairGaps` is of straight edges.

    Control points: three of A, its end first, and three of the other piece.
    """

    straight = (0, 3, 5)

    def near(self, places: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        a, b = places[self.pieces[:, 0]], places[self.pieces[:, 2]]
        widest = float(self._beside(places[self.pieces], (0, 1, 2)).max())
        half = 0.5 * float((b - a).norm(dim=-1).max()) + 2 * widest
        end, piece = near_pairs(places[self.ends[:, 0]], (a + b) / 2, half + reach)
        apart = (self.pieces[piece][:, [0, 2]] != self.ends[end][:, :1]).all(1)
        end, piece = end[apart], piece[apart]
        control = torch.cat([self.ends[end], self.pieces[piece]], 1)
        chosen = self.gap(places[control]) < reach
        return control[chosen], self.shares[end[chosen]]

    def _foot(self, x: Tensor) -> Foot:
        foot = foot_on_segment(x[:, 1], x[:, 2], x[:, 0])
        one = torch.ones_like(foot.shares[:, :1])
        return Foot(torch.cat([one, -foot.shares], 1), torch.cat([0 * one[..., None], -foot.slopes], 1))

    def _sag(self, x: Tensor) -> Tensor:
        return self._beside(x, (0, 1, 2)) + self._beside(x, (3, 4, 5))

    def _sag_jet(self, x: Tensor) -> tuple[Tensor, Tensor]:
        own, other = self._piece(x, (0, 1, 2)), self._piece(x, (3, 4, 5))
        return own[1] + other[1], own[2] + other[2]

    def speed(self, step: Tensor) -> Tensor:
        bends = self._slack(step, (0, 1, 2)) + self._slack(step, (3, 4, 5))
        return relative_speed(step[:, list(self.straight)]) + bends

    def crossing(self, places: Tensor) -> Tensor:
        return crossing_edges(self.pieces[:, [0, 2]], places)


class CurveCornerGaps(CurveGaps):
    """Of the ends of pieces from the corners between two others, which :class:`CurvePairGaps` counts twice.

    With s₁ s₂/(s₁ + s₂), less than either, taken off the gap is larger than those of both pieces: what is taken off the
    energy is less than each of them gives to it.

    Control points: three of A, its end first; the corner; the other two of either piece at the corner.
    """

    straight = (0, 3)

    def __init__(self, surface: ContactSurface, smooth: float) -> None:
        super().__init__(surface, smooth)
        order = torch.argsort(self.ends[:, 0], stable=True)
        first = self.ends[order, 0]
        count = torch.bincount(first, minlength=len(surface.start))
        two = order[count[first] == 2].reshape(-1, 2)  # the corners of just two pieces
        self.corners = torch.cat([self.ends[two[:, 0]], self.ends[two[:, 1], 1:]], 1)

    def near(self, places: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        widest = float(self._beside(places[self.pieces], (0, 1, 2)).max())
        end, corner = near_pairs(places[self.ends[:, 0]], places[self.corners[:, 0]], reach + 2 * widest)
        point = self.ends[end][:, :1]
        apart = (self.corners[corner][:, [0, 2, 4]] != point).all(1)
        control = torch.cat([self.ends[end[apart]], self.corners[corner[apart]]], 1)
        chosen = self.gap(places[control]) < reach
        return control[chosen], -self.shares[end[apart][chosen]]

    def _foot(self, x: Tensor) -> Foot:
        return Foot(x.new_tensor([1.0, -1.0]).expand(len(x), -1), x.new_zeros(len(x), 2, 0))

    def _sag(self, x: Tensor) -> Tensor:
        a, b = self._beside(x, (3, 4, 5)), self._beside(x, (3, 6, 7))
        return self._beside(x, (0, 1, 2)) + a * b / (a + b)

    def _sag_jet(self, x: Tensor) -> tuple[Tensor, Tensor]:
        own, (a, da, dda), (b, db, ddb) = (self._piece(x, some) for some in ((0, 1, 2), (3, 4, 5), (3, 6, 7)))
        share = (b / (a + b)).square()
        rest = (a / (a + b)).square()
        slope = share[:, None, None] * da + rest[:, None, None] * db
        beside = (b[:, None, None] * da - a[:, None, None] * db).flatten(1)  # b da − a db
        turn = 2 / (a + b).pow(3)
        bend = share[:, None, None] * dda + rest[:, None, None] * ddb
        bend = bend - turn[:, None, None] * beside[:, :, None] * beside[:, None]
        return own[1] + slope, own[2] + bend

    def speed(self, step: Tensor) -> Tensor:
        pieces = torch.maximum(self._slack(step, (3, 4, 5)), self._slack(step, (3, 6, 7)))
        return relative_speed(step[:, list(self.straight)]) + self._slack(step, (0, 1, 2)) + pieces


class CurveDiscGaps(CurveGaps):
    """Of whole pieces from a disc: g = min over the chord of |x − z| − s − R.

    A chord has one nearest point, and its distance a slope that turns without a jump. Of a curve that bends as the disc
    does all points are as near: its own least distance has an edge there, at just the state that pressure makes of it.

    Args:
        surface, smooth: as for :class:`CurveGaps`.
        disc: that may not be entered.
        weights: of the pieces, as for :class:`Gaps`.
    """

    straight = (0, 2)

    def __init__(self, surface: ContactSurface, smooth: float, disc: Disc, weights: Tensor) -> None:
        super().__init__(surface, smooth)
        self.control, self.weights, self.disc = self.pieces, weights, disc
        self.centre = torch.tensor(disc.centre, dtype=torch.float64)

    def bound(self, x: Tensor) -> Tensor:
        ends = x[:, list(self.straight)]
        half = 0.5 * (ends[:, 1] - ends[:, 0]).norm(dim=-1)
        return self.disc.distance(ends.mean(1)) - half - self._sag(x)

    def gap(self, x: Tensor) -> Tensor:
        return super().gap(x - self.centre) - self.disc.radius

    def jet(self, x: Tensor) -> GapJet:
        found = super().jet(x - self.centre)
        return replace(found, gap=found.gap - self.disc.radius)

    def _foot(self, x: Tensor) -> Foot:
        return foot_on_segment(x[:, 0], x[:, 1], torch.zeros_like(x[:, 0]))

    def _sag(self, x: Tensor) -> Tensor:
        return self._beside(x, (0, 1, 2))

    def _sag_jet(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._piece(x, (0, 1, 2))[1:]

    def speed(self, step: Tensor) -> Tensor:
        return step[:, list(self.straight)].norm(dim=-1).amax(-1) + self._slack(step, (0, 1, 2))
