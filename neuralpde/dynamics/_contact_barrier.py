"""The barrier of contact, and the smoothed friction that goes with it."""

from __future__ import annotations

from torch import Tensor


def barrier(gap: Tensor, distance: float) -> tuple[Tensor, Tensor, Tensor]:
    """b = −d̂ (1 − y)² ln y with y = g/d̂, and its first and second derivative by the gap g.

    Zero with two continuous derivatives from g = d̂ on, infinite at g → 0⁺ (and where g ≤ 0). Times a stiffness k in
    Pa it is an energy per area; the pressure is −k b′.

    Args:
        gap: g in m, of any shape.
        distance: d̂ in m.

    Source: Li et al., Incremental potential contact (2020), equation 6, divided by d̂ so that k is a pressure.
    """
    y = gap / distance
    near, y = y < 1, y.clamp(max=1.0)
    log, away = y.clamp(min=0).log(), 1 - y
    value = -distance * away.square() * log
    slope = 2 * away * log - away.square() / y
    curvature = (-2 * log + 4 * away / y + (away / y).square()) / distance
    inside = gap <= 0
    if bool(inside.any()):
        value = value.masked_fill(inside, float("inf"))
        slope, curvature = slope.masked_fill(inside, float("nan")), curvature.masked_fill(inside, float("nan"))
    return value * near, slope * near, curvature * near


def slip(length: Tensor, smooth: float) -> tuple[Tensor, Tensor, Tensor]:
    """f₀ with f₀′ = f₁ = 2 y/ε − (y/ε)² below ε and 1 beyond: |y| made smooth; and f₁(y)/y and f₁′(y).

    Args:
        length: y ≥ 0 in m, how far points have slid.
        smooth: ε in m.

    Source: Li et al. (2020), section 5.2.
    """
    z = (length / smooth).clamp(max=1.0)
    sticks = length < smooth
    value = (smooth * (z.square() - z.pow(3) / 3 + 1 / 3)).where(sticks, length)
    share = ((2 - z) / smooth).where(sticks, 1 / length.clamp(min=smooth))
    rise = (2 * (1 - z) / smooth) * sticks
    return value, share, rise
