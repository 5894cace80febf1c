"""What one looks at of an elastic body: displacement, stress, strain, volume and energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from neuralpde.fields import Jet
from neuralpde.problems._base import Quantity
from neuralpde.problems._kinematics import Deformation, trace
from neuralpde.problems._materials import Material

GRAD = frozenset({"value", "grad"})
PAIRS = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))}
"""Entries of a symmetric tensor by dimension, in the order of ParaView."""

STRESSES = {2: ((0, 0), (1, 1), (2, 2), (0, 1)), 3: PAIRS[3]}

OfGradient = Callable[[Tensor, Tensor], Tensor]
"""(points, ∇u) → ``(n,)`` or ``(n, k)``."""


def elastic_quantities(material: Material, d: int) -> tuple[Quantity, ...]:
    """Numbers of a displacement in d dimensions, the first d values of a field.

    ``displacement`` is its size in m. ``von Mises stress``, ``Cauchy stress`` (with σ_zz of a flat body), ``principal
    stress`` (the largest first) and ``pressure`` −tr σ/3 are in Pa; ``strain`` is the one that the material is written
    in; ``det F`` is the share of its volume that a piece of the body has now, ``energy density`` is Ψ in J/m³.
    """

    def of(name: str, function: OfGradient, labels: tuple[str, ...] = ()) -> Quantity:
        def located(t: float, x: Tensor, u: Jet) -> Tensor:
            return function(x, u.grad[:, :d]).reshape(len(x), -1)

        return Quantity(name, needs=GRAD, located=located, labels=labels)

    sigma, flat, space = material.cauchy, PAIRS[d], STRESSES[d]
    return (
        Quantity("displacement", lambda u: u.value[:, :d].norm(dim=-1, keepdim=True)),
        of("von Mises stress", lambda x, grad: von_mises(sigma(x, grad))),
        of("Cauchy stress", lambda x, grad: _entries(sigma(x, grad), space), _names(space)),
        of("principal stress", lambda x, grad: principal_stress(sigma(x, grad)), ("1", "2", "3")),
        of("pressure", lambda x, grad: -trace(sigma(x, grad)) / 3),
        of("strain", lambda x, grad: _entries(material.strain(grad), flat), _names(flat)),
        of("det F", lambda x, grad: Deformation(grad).volume_ratio),
        of("energy density", material.energy),
    )


def _entries(a: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    return torch.stack([a[:, i, j] for i, j in pairs], dim=1)


def _names(pairs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    return tuple("xyz"[i] + "xyz"[j] for i, j in pairs)


def von_mises(sigma: Tensor) -> Tensor:
    """√(3/2 s:s) with s = σ − tr(σ)/3 I, ``(n,)``, of a stress ``(n, 3, 3)``: yield begins at a value of the metal."""
    mean = trace(sigma)[:, None, None] / 3
    deviator = sigma - mean * torch.eye(3, dtype=sigma.dtype, device=sigma.device)
    return torch.sqrt(1.5 * deviator.square().sum((1, 2)))


def principal_stress(sigma: Tensor) -> Tensor:
    """The principal stresses, the largest first, ``(n, 3)``; NaN where the stress is not finite."""
    finite = sigma.isfinite().all(-1).all(-1)
    whole = torch.where(finite[:, None, None], 0.5 * (sigma + sigma.mT), 0.0)
    return torch.linalg.eigvalsh(whole).flip(-1).where(finite[:, None], torch.nan)
