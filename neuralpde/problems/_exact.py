"""Exact solutions that take more than a line."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def foot_of_characteristic(velocity: Callable[[Tensor], Tensor], t: float, x: Tensor) -> Tensor:
    """Where the characteristics dx/dt = a(x) through x at time t were at time 0, ``(n, d)``.

    Dormand–Prince of order 8 with relative tolerance 1e-13.
    """
    from scipy.integrate import solve_ivp  # here, because it takes most of a second to import

    if t == 0:
        return x
    shape = x.shape

    def backwards(_: float, y: np.ndarray) -> np.ndarray:
        points = torch.as_tensor(y.reshape(shape), dtype=torch.float64)
        return -velocity(points).numpy().reshape(-1)

    start = x.detach().double().cpu().numpy().reshape(-1)
    path = solve_ivp(backwards, (0.0, t), start, method="DOP853", rtol=1e-13, atol=1e-13)
    return torch.as_tensor(path.y[:, -1].reshape(shape), dtype=x.dtype, device=x.device)


def burgers_cole_hopf(t: float, x: Tensor, viscosity: float, nodes: int = 400) -> Tensor:
    """Solution of u_t + u u_x = ν u_xx with u(x, 0) = −sin πx, ``(n, 1)``.

    Cole–Hopf: u = −∫ sin π(x − η) f(x − η) e^{−η²/4νt} dη / ∫ f(x − η) e^{−η²/4νt} dη with f(y) = exp(−cos(πy) / 2πν).

    The integrand peaks away from η = 0 where the front has formed, so a Gauss–Hermite rule about 0 loses digits there;
    the trapezoid rule over the whole range in which the exponent stays within 80 of its maximum converges
    exponentially. The maximum of the exponent is taken out of both integrals.

    Args:
        t: time ≥ 0.
        x: points ``(n, 1)``.
        viscosity: ν.
        nodes: least number of quadrature nodes; more are used for small ν.

    Source: Cole, Quart. Appl. Math. 9 (1951); Hopf, CPAM 3 (1950); Basdevant et al., Computers & Fluids 14 (1986).
    """
    if t == 0:
        return -torch.sin(math.pi * x)
    y = x.double()
    # |cos| ≤ 1 bounds the other exponent by 1/(πν), so beyond this reach the integrand is below e^{−80} of its peak.
    reach = math.sqrt(4 * viscosity * t * (80 + 1 / (math.pi * viscosity)))
    finest = min(math.sqrt(2 * viscosity * t), math.sqrt(2 * viscosity / math.pi) * 1.0)
    count = max(nodes, int(2 * reach / finest * 12))
    eta = torch.linspace(-reach, reach, count + 1, dtype=torch.float64, device=x.device)
    foot = y - eta
    exponent = -torch.cos(math.pi * foot) / (2 * math.pi * viscosity) - eta.square() / (4 * viscosity * t)
    weight = torch.exp(exponent - exponent.max(dim=1, keepdim=True).values)
    u = -(torch.sin(math.pi * foot) * weight).sum(1) / weight.sum(1)
    return u[:, None].to(x.dtype)
