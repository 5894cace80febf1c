"""The fastest decay of a problem on finite elements, which limits the steps of explicit methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._potentials import Potential
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.integrators import Decay

ITERATIONS = 40
SAME = 1e-9
"""Relative difference of products that are the same but for rounding, of doubles."""


def fastest_decay(
    form: WeakForm,
    mass: sp.csr_matrix,
    solve: Callable[[Tensor], Tensor],
    theta: Tensor,
    times: tuple[float, float],
    others: Sequence[Potential] = (),
) -> Decay | None:
    """The largest λ of K v = λ M v with K = −∂R/∂u at the first time, from below; None where K is not symmetric.

    Power iterations; the Rayleigh quotient vᵀKv / vᵀMv of a symmetric K is never above its largest λ.

    Args:
        form: gives R.
        mass: M of the free unknowns.
        solve: g → M⁻¹ g.
        theta: the state.
        times: the first and the last one: λ holds for the whole run where R is linear, with the same K at both.
        others: potentials of a body beside its form, whose Hessians count.

    Source: Golub & Van Loan, Matrix Computations (2013), chapter 8.2.
    """
    r, t = form.representation, times[0]
    if not len(theta):
        return None
    values = r.values(theta, t)
    found = [hessian for part in others if (hessian := part.hessian(t, values, False)) is not None]
    k = sum(found, start=-form.jacobian(t, values)[1])
    u, v = np.random.default_rng(0).standard_normal((2, len(theta)))
    size = max(SAME, 1e4 * torch.finfo(theta.dtype).eps) * float(np.linalg.norm(k @ v))
    if abs(u @ (k @ v) - v @ (k @ u)) > size * float(np.linalg.norm(u)):
        return None
    linear = all(float(np.linalg.norm(_change(form, others, time, theta, v) + k @ v)) <= size for time in times)
    rate = 0.0
    for _ in range(ITERATIONS):
        product = k @ v
        rate = max(rate, float(v @ product) / float(v @ (mass @ v)))
        v = solve(torch.as_tensor(product, dtype=theta.dtype, device=theta.device)).cpu().double().numpy()
        length = float(np.linalg.norm(v))
        if not 0 < length < np.inf:
            break
        v = v / length
    return Decay(rate, linear)


def _change(form: WeakForm, others: Sequence[Potential], t: float, theta: Tensor, v: np.ndarray) -> np.ndarray:
    """R(θ + v) − R(θ) at the free unknowns, less the gradients of other potentials."""
    r = form.representation
    shifted = theta + torch.as_tensor(v, dtype=theta.dtype, device=theta.device)
    after, before = r.values(shifted, t), r.values(theta, t)
    change = form.residual(t, after) - form.residual(t, before)
    for part in others:
        change = change - (part.gradient(t, after) - part.gradient(t, before))
    return r.free_part(change).cpu().double().numpy()
