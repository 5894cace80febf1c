"""The push of collision.toml: two time steps long a body force presses the square on the disc."""

import torch

STEPS_END = 0.2 + 1e-9
"""The end of the second step of 0.1 s; implicit Euler takes the force at the end of each step."""


def downwards(t: float, x: torch.Tensor) -> torch.Tensor:
    """Force per volume (n, 2) at time t at points (n, 2): 200 N/m³ down until the end of the second step."""
    force = torch.zeros_like(x)
    force[:, 1] = -200.0 if t <= STEPS_END else 0.0
    return force
