"""Sources that make a given function the solution."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.types import ScalarOrField, UsageError

STEP = 2e-3
"""Of the difference of order 8 in time: its error is (ω STEP)⁸/630 for a frequency ω, and rounding 1e-13."""

FIRST = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}


def takes_time(function: Callable[..., Any]) -> bool:
    """Whether a function is one of (t, x), and not of x alone: by the arguments that it must be given.

    Raises:
        UsageError: for a function of another number of arguments.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a compiled function
        return False
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):  # of a network
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in places and p.default is inspect.Parameter.empty for p in parameters)
    if count not in (1, 2):
        raise UsageError(f"expected a function of x or of (t, x); {function!r} takes {count} arguments.")
    return count == 2


def at_time(function: Callable[..., Tensor], t: float, x: Tensor) -> Tensor:
    """A function of x or of (t, x) at points, ``(n, c)``."""
    out = function(t, x) if takes_time(function) else function(x)
    return out if out.ndim == 2 else out[:, None]


def source_at(value: ScalarOrField, t: float, x: Tensor) -> Tensor | float:
    """A source at points: a number as it is, a function of x or of (t, x) as ``(n, c)``."""
    return at_time(value, t, x) if callable(value) else value


def time_derivative(solution: Callable[..., Tensor], t: float, x: Tensor) -> Tensor:
    """∂u/∂t, ``(n, c)``: by the function's own method ``rate(t, x)``, else by a difference of order 8."""
    rate = getattr(solution, "rate", None)
    if callable(rate):
        return rate(t, x)
    if not takes_time(solution):
        return torch.zeros_like(at_time(solution, t, x))
    total = [w * (at_time(solution, t + k * STEP, x) - at_time(solution, t - k * STEP, x)) for k, w in FIRST.items()]
    return torch.stack(total).sum(0) / STEP


def manufactured_source(
    solution: Callable[..., Tensor],
    operator: Callable[[float, Tensor, Jet], Tensor],
    needs: frozenset[str],
    t: float,
    x: Tensor,
) -> Tensor:
    """s = u_t − F(u) of a given u(x) or u(t, x), ``(n, c)``, with F the right-hand side without a source.

    Derivatives in space are automatic; u may give its Laplacian by a method ``laplacian(x)``, if it is one of x alone.
    """
    laplacian = getattr(solution, "laplacian", None)
    if callable(laplacian) and needs <= {"value", "laplacian"} and not takes_time(solution):
        u = Jet(at_time(solution, t, x), laplacian=laplacian(x))
    else:
        u = autodiff_jet(lambda p: at_time(solution, t, p), x, needs | {"value"})
    return time_derivative(solution, t, x) - operator(t, x, u)
