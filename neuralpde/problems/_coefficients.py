"""Coefficients of equations: numbers, or functions of x."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.geometry import Box, Domain, Grid
from neuralpde.types import ScalarOrField, UsageError

SAMPLES = 1000


def coefficient(value: ScalarOrField, x: Tensor) -> Tensor | float:
    """A coefficient at points: a number as it is (an array of one number too), a function of x as ``(n, 1)``."""
    if not callable(value):
        return value.item() if isinstance(value, np.ndarray) else value
    out = value(x)
    return out if out.ndim == 2 else out[:, None]


def coefficient_gradient(value: ScalarOrField, x: Tensor) -> Tensor:
    """∇κ at points ``(n, d)``, ``(n, d)``: by the function's own ``grad`` method where it has one, else automatically.

    Raises:
        UsageError: for a function that cannot be differentiated, or a ``grad`` of another shape.
    """
    if not callable(value):
        return torch.zeros_like(x)
    own = getattr(value, "grad", None)
    if callable(own):
        gradient = own(x)
        if gradient.shape != x.shape:
            raise UsageError(
                f"the grad method of a coefficient must return (n, d); for points {tuple(x.shape)} it gave "
                f"{tuple(gradient.shape)}."
            )
        return gradient
    columns = []
    for i in range(x.shape[1]):
        direction = torch.zeros_like(x)
        direction[:, i] = 1.0
        try:  # forward mode: it nests in the transforms of an implicit fit, and a row depends on its own point only
            columns.append(jvp(lambda p: torch.as_tensor(coefficient(value, p)), (x,), (direction,))[1][:, 0])
        except (RuntimeError, TypeError) as error:
            raise UsageError(
                "a coefficient that varies is differentiated automatically: write it with torch functions, or give it "
                f"a method grad(x) that returns (n, d) ({error})."
            ) from error
    return torch.stack(columns, dim=-1)


def check_diffusivity(value: ScalarOrField | tuple[float, ...], domain: Domain) -> None:
    """Refuse a diffusivity that is not positive at points all over the closed domain, or has no gradient.

    Raises:
        UsageError: saying where it is not positive, or what a function must return.
    """
    if isinstance(value, tuple):
        raise UsageError(f"the diffusivity is a number or a function here; got {value}.")
    if not callable(value):
        if not value > 0:
            raise UsageError(f"the diffusivity must be positive; got {value}.")
        return
    d = domain.dim
    if isinstance(domain, Box):
        x = Grid(domain, (max(3, round(SAMPLES ** (1 / d))),) * d, (False,) * d).points()
    else:
        x = torch.cat([domain.lattice(SAMPLES).points, *[domain.face_lattice(f, SAMPLES).points for f in domain.faces]])
    out = value(x)
    if not isinstance(out, Tensor) or out.shape not in ((x.shape[0], 1), (x.shape[0],)):
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise UsageError(
            f"the diffusivity as a function of points (n, {d}) must return (n, 1) or (n,); for n = {x.shape[0]} it "
            f"gave {got}."
        )
    wrong = torch.nonzero(~(out.reshape(-1) > 0))
    if len(wrong):
        first = int(wrong[0, 0])
        where = ", ".join(f"{c:.3g}" for c in x[first].tolist())
        raise UsageError(
            f"the diffusivity must be positive all over the domain; it is {float(out.reshape(-1)[first]):.3g} at "
            f"x = ({where})."
        )
    coefficient_gradient(value, x[:1])
