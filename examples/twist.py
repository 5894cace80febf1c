"""The motion of a support for twisted_bar.toml: in one second it turns around the line y = z = 1/2, and then rests."""

import math

import torch

ANGLE = 1.5 * math.pi


def turned(t: float, x: torch.Tensor) -> torch.Tensor:
    """Displacement (n, 3) at time t of points (n, 3) of the end that is turned; it starts and ends without a jerk."""
    share = min(t, 1.0)
    angle = ANGLE * share**2 * (3 - 2 * share)
    c, s = math.cos(angle), math.sin(angle)
    y, z = x[:, 1] - 0.5, x[:, 2] - 0.5
    return torch.stack([torch.zeros_like(y), c * y - s * z - y, s * y + c * z - z], dim=1)
