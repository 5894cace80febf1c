"""Whether a problem's exact solution satisfies its equation: a user may have changed a source or a coefficient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.problems._base import Problem
from neuralpde.types import UsageError

POINTS = 12
TIMES = (0.02, 0.3, 0.85)
"""Fractions of the run at which the equation is looked at: a field that decays fast tells nothing later."""

TOLERANCE = 1e-3
"""Largest residual against the largest of |u_t|, |F(u)| and |F(0)|: a wrong source shows, rounding does not."""

NEGLIGIBLE = 1e-6
"""A residual that over the whole run moves u by less than this part of its largest value does no harm."""

LADDER = (1e-2, 1e-3, 1e-4, 1e-5)
"""Steps of differences against the time or the domain: fronts and fast oscillations take the small ones."""


def equation_violated(problem: Problem, t_end: float) -> str:
    """Where the exact solution does not satisfy u_t = F(t, x, u), ``"x = (…), t = …"``, or nothing.

    Looks at twelve random points, at three times of a run from 0 to ``t_end`` (a steady problem: at t = 0). Derivatives
    in space are automatic, u_t is a central difference of fourth order whose error counts in favour of the solution. Of
    a body ρ u_tt + C u_t stands in place of u_t. A solution that cannot be differentiated automatically (an ODE solver
    or NumPy inside) is not judged.
    """
    if problem.time_order and not t_end > 0:
        return ""
    x = problem.domain.some_points(POINTS)
    for t in [fraction * t_end for fraction in TIMES] if problem.time_order else [0.0]:
        u = _jet(problem, t, x)
        wrong = None if u is None else _residual_too_large(problem, t, x, u, t_end)
        if wrong is not None and bool(wrong.any()):
            point = x[int(torch.nonzero(wrong)[0, 0])].tolist()
            place = f"x = ({', '.join(f'{c:.3g}' for c in point)})"
            return f"{place}, t = {t:.3g}" if problem.time_order else place
    return ""


def _residual_too_large(problem: Problem, t: float, x: Tensor, u: Jet, t_end: float) -> Tensor:
    """Per point, ``(n,)`` of bool."""
    f, rest = problem.rhs(t, x, u), problem.rhs(t, x, Jet(**{k: 0 * part for k, part in u.parts().items()}))
    if problem.time_order == 2:
        rate, error = _inertia(problem, t, x, u)
        unit = t_end**2
    elif problem.time_order:
        rate, error = _derivative(lambda s: _exact(problem, t + s * t, x))
        moving = (torch.arange(problem.channels, device=x.device) < problem.evolving).to(rate)
        rate, error, unit = moving * rate / t, moving * error / t, t_end
    else:
        rate, error, unit = torch.zeros_like(f), torch.zeros_like(f), max(problem.domain.lengths) ** 2
    scale = max(float(part.abs().max()) for part in (rate, f, rest))
    # The start counts: a solution that has decayed below the rounding of its formula is right all the same.
    size = max(float(part[:, : f.shape[1]].abs().max()) for part in (u.value, problem.initial(x)))
    allowed = TOLERANCE * scale + 10 * error + NEGLIGIBLE * size / unit
    # NaN compares false: a derivative that does not exist at a point (√0, say) is no evidence
    return ((rate - f).abs() > allowed).any(dim=1)


def _inertia(problem: Problem, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
    """ρ u_tt + C u_t of a body's exact displacement, C = α ρ − β ∂F/∂u of Rayleigh, and an estimate of its error."""

    def velocity(s: float, p: Tensor) -> Tensor:
        return _exact(problem, t + s * t, p)[:, problem.evolving :]

    rate, error = _derivative(lambda s: velocity(s, x))
    damping, rho = getattr(problem, "damping", None), problem.mass_density(x)[:, None]
    total, doubt = rho * rate / t, rho * error / t
    if damping is not None:
        v = autodiff_jet(lambda p: velocity(0.0, p), x, problem.needs | {"value", "grad"}).parts()
        bent, blur = _derivative(
            lambda s: problem.rhs(t, x, Jet(**{k: part + s * t * v[k] for k, part in u.parts().items()}))
        )
        total = total + damping.mass * rho * velocity(0.0, x) - damping.stiffness * bent / t
        doubt = doubt + damping.stiffness * blur / t
    return total, doubt


def _jet(problem: Problem, t: float, x: Tensor) -> Jet | None:
    """The exact solution's jet, or None where automatic differentiation fails or is wrong."""
    try:
        u = autodiff_jet(lambda p: _moving(problem, t, p), x, problem.needs | {"value", "grad"})
    except Exception:  # whatever the libraries inside raise when they meet a tensor that is being differentiated
        return None
    # Where the solution detaches its points, derivatives are zero without a word: compare one with a difference.
    diagonal = x.new_tensor(problem.domain.lengths)
    slope, error = _derivative(lambda s: _moving(problem, t, x + s * diagonal))
    misfit = (slope - u.grad @ diagonal).abs()
    return None if bool((misfit > TOLERANCE * float(slope.abs().max()) + 10 * error).any()) else u


def _exact(problem: Problem, t: float, x: Tensor) -> Tensor:
    value = problem.exact(t, x)
    if value is None:
        raise UsageError(f"{problem.name} has an exact solution at some times only.")
    return value


def _moving(problem: Problem, t: float, x: Tensor) -> Tensor:
    """The exact values that the equation is about: of a body its displacement alone."""
    value = _exact(problem, t, x)
    return value[:, : problem.evolving] if problem.time_order == 2 else value


def _derivative(u: Callable[[float], Tensor]) -> tuple[Tensor, Tensor]:
    """u'(0) and an estimate of its error, point by point: of all steps the pair of neighbours that agree best."""
    rates = torch.stack([(8 * (u(h) - u(-h)) - (u(2 * h) - u(-2 * h))) / (12 * h) for h in LADDER])
    error, best = (rates[1:] - rates[:-1]).abs().min(dim=0)
    return rates[1:].gather(0, best[None])[0], error
