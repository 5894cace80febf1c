"""Singular functions of corners, which smooth networks cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from neuralpde.geometry import Corner, ScalarJet
from neuralpde.representations._polynomials import Floats

HIGHEST = 3.0
"""Exponents below this are held: beyond, the smooth part holds a function well enough."""

INNER, OUTER = 0.15, 0.95
"""Where the cut-off begins to fall and has reached 0, as shares of the corner's reach."""

CLOSEST = 1e-9
"""Points are kept this share of the reach off a corner, where derivatives are infinite."""


class CornerJets(NamedTuple):
    """K functions at n points: values ``(n, K)``, gradients ``(n, K, 2)``, Hessians ``(n, K, 2, 2)``."""

    value: Floats
    grad: Floats
    hess: Floats

    @property
    def laplacian(self) -> Floats:
        """``(n, K)``."""
        return self.hess[..., 0, 0] + self.hess[..., 1, 1]


class CornerFunctions:
    """χ(r) s_k of one corner, with s_k = r^{λ_k} sin λ_k θ, λ_k = kπ/ω, between two held edges; r^{λ_k} cos λ_k θ
    between two free ones; λ_k = (k − ½)π/ω where one is held. One more s has Δs = 1: what a load makes of the corner.

    All vanish on held edges and have no normal derivative on free ones, as χ falls smoothly from 1 to 0 with r alone.
    The smooth part of a field is then multiplied by r²/(r² + R²), so that its own behaviour at the corner, which would
    be that of a distance, does not stand in the way.

    Args:
        corner: which.

    Source: Fix, Gulati & Wakoff, J. Comput. Phys. 13 (1973); Grisvard, Elliptic Problems in Nonsmooth Domains (1985).
    """

    def __init__(self, corner: Corner) -> None:
        self.corner = corner
        omega, mixed = corner.opening, corner.held[0] != corner.held[1]
        step = math.pi / omega
        first = 0.5 * step if mixed else step
        self.exponents = [first + k * step for k in range(40) if first + k * step < HIGHEST]

    def __len__(self) -> int:
        return len(self.exponents) + (self.corner.held == (True, True))

    def _local(self, x: Floats) -> tuple[Floats, Floats, complex]:
        """r and log r + iθ of points, and what turns derivatives back; θ between the edges."""
        corner = self.corner
        away = x - corner.place
        r = np.maximum(np.hypot(away[:, 0], away[:, 1]), CLOSEST * corner.reach)
        # the cut of the angle is in the middle of the outside
        middle = corner.start + 0.5 * corner.opening
        theta = np.arctan2(away[:, 1], away[:, 0]) - middle
        theta = (theta + math.pi) % (2 * math.pi) - math.pi + 0.5 * corner.opening
        return r, np.log(r) + 1j * theta, complex(np.exp(-1j * corner.start))

    def jets(self, x: Floats) -> CornerJets:
        """Values and derivatives at points ``(n, 2)``."""
        r, log, turn = self._local(x)
        held = self.corner.held
        columns = []
        for power in self.exponents:
            # Im z^λ vanishes on the first edge, Re z^λ has no normal derivative there
            phase = 1.0 if held[0] else 1j
            parts = [phase * np.exp(power * log), phase * power * np.exp((power - 1) * log)]
            parts.append(phase * power * (power - 1) * np.exp((power - 2) * log))
            columns.append(_harmonic(parts, turn))
        if held == (True, True):
            columns.append(self._load(r, log, turn))
        value, grad, hess = (np.stack([c[k] for c in columns], axis=1) for k in range(3))
        return _cut(CornerJets(value, grad, hess), *self._cutoff(x))

    def damping(self, x: Floats) -> ScalarJet:
        """r²/(r² + R²), R half the reach."""
        away, big = x - self.corner.place, (0.5 * self.corner.reach) ** 2
        r2 = (away**2).sum(1)
        first, second = big / (r2 + big) ** 2, -2 * big / (r2 + big) ** 3
        return ScalarJet(r2 / (r2 + big), 2 * first[:, None] * away, 4 * first + 4 * r2 * second)

    def _load(self, r: Floats, log: Floats, turn: complex) -> tuple[Floats, Floats, Floats]:
        """A function with Δs = 1 that vanishes on both edges: r²/4 plus a harmonic function of the same order."""
        omega, z = self.corner.opening, np.exp(log)
        if abs(math.cos(omega)) > 1e-6:
            # −¼ r² cos(2θ − ω)/cos ω
            c = -0.25j * np.exp(-1j * omega) / math.cos(omega)
            parts = [c * z**2, 2 * c * z, 2 * c + 0 * z]
        else:
            # −¼ r² cos 2θ takes r²/4 to 0 on one edge, and ½ r² on the other is taken by r²(log r sin 2θ + θ cos 2θ)
            a = 0.5 / (omega * -math.cos(2 * omega))
            parts = [
                -0.25j * z**2 + a * z**2 * log,
                -0.5j * z + a * (2 * z * log + z),
                -0.5j + a * (2 * log + 3),
            ]
        value, grad, hess = _harmonic(parts, turn)
        away = np.stack([(z / turn).real, (z / turn).imag], axis=-1)
        return value + 0.25 * r**2, grad + 0.5 * away, hess + 0.5 * np.eye(2)

    def _cutoff(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """χ, ∇χ and its Hessian."""
        inner, outer = INNER * self.corner.reach, OUTER * self.corner.reach
        away = x - self.corner.place
        r = np.maximum(np.hypot(away[:, 0], away[:, 1]), CLOSEST * self.corner.reach)
        q = np.clip((r - inner) / (outer - inner), 0, 1)
        # three continuous derivatives
        value = 1 - q**4 * (35 - 84 * q + 70 * q**2 - 20 * q**3)
        first = -140 * q**3 * (1 - q) ** 3 / (outer - inner)
        second = -420 * q**2 * (1 - q) ** 2 * (1 - 2 * q) / (outer - inner) ** 2
        unit = away / r[:, None]
        outer_product = unit[:, :, None] * unit[:, None, :]
        hess = second[:, None, None] * outer_product + (first / r)[:, None, None] * (np.eye(2) - outer_product)
        return value, first[:, None] * unit, hess


def corner_jets(functions: Sequence[CornerFunctions], x: Floats) -> CornerJets:
    """All functions of all corners at points ``(n, 2)``."""
    jets = [f.jets(x) for f in functions]
    return CornerJets(*(np.concatenate([j[k] for j in jets], axis=1) for k in range(3)))


def _harmonic(parts: list[Any], turn: complex) -> tuple[Floats, Floats, Floats]:
    """Im F, its gradient and Hessian, of F, F' and F'' by the local z = turn · (x + iy − corner)."""
    first, second = parts[1] * turn, parts[2] * turn**2
    grad = np.stack([first.imag, first.real], axis=-1)
    rows = np.stack([np.stack([second.imag, second.real], -1), np.stack([second.real, -second.imag], -1)], axis=-2)
    return parts[0].imag, grad, rows


def _cut(s: CornerJets, value: Floats, grad: Floats, hess: Floats) -> CornerJets:
    cross = s.grad[..., :, None] * grad[:, None, None, :]
    return CornerJets(
        value[:, None] * s.value,
        value[:, None, None] * s.grad + s.value[..., None] * grad[:, None],
        value[:, None, None, None] * s.hess + cross + cross.swapaxes(-1, -2) + s.value[..., None, None] * hess[:, None],
    )
