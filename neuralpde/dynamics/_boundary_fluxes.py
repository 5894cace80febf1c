"""What goes through each part of a boundary, and the balance with sources and what is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics._weak_form import WeakForm, _jet
from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.representations import FiniteElementField, add

STEP = 1e-2
"""Share of a run's dt by which boundary data that move are differentiated in time: what steps of dt follow changes so
little over it that the difference of order 4 leaves rounding."""


@dataclass(frozen=True)
class Balance:
    """∫ u_t = ∫ s − Σ ∮ n·f at one time, of finite elements to rounding.

    Args:
        fluxes: ∮ n·f by the names of the boundary's parts, ``(c,)`` each: what leaves the domain per unit of time.
        source: ∫ s, ``(c,)``.
        storage: ∫ u_t, ``(c,)``.
    """

    fluxes: Mapping[str, Tensor]
    source: Tensor
    storage: Tensor

    @property
    def defect(self) -> Tensor:
        """∫ s − ∫ u_t − Σ ∮ n·f, ``(c,)``: zero."""
        return self.source - self.storage - torch.stack(list(self.fluxes.values())).sum(0)


def balance(form: WeakForm, t: float, values: Tensor, stored: Tensor) -> Balance:
    """The balance of nodal values ``(N, c)``, with M times their rates, ``stored``.

    Where u is given, the flux is the reaction of the weak form, ∮ φ_i n·f = R_i − (M u_t)_i summed over the nodes of
    the part: that is far more accurate than ∇u on the boundary, and it is what makes the balance exact. A node of
    several such parts is shared among them in the proportion of ∮ φ_i².

    Source: Carey, Chow & Seager, Comput. Methods Appl. Mech. Eng. 50 (1985), for consistent boundary fluxes.
    """
    r, fluxes = form.representation, dict[str, Tensor]()
    assert isinstance(r.domain, MeshDomain)
    whole = form.residual(t, values)
    reaction, shares = whole - stored, _shares(r)
    given = torch.zeros_like(values[0])
    for face in r.domain.sides:
        load = _load(form, face, t, values)
        given, free = given - load.sum(0), torch.ones_like(given)
        if face in r.boundary.partial:  # what is said of a component that is held goes through its support
            free[list(r.boundary.held(face, r.channels))] = 0.0
            reaction = reaction - load * (1 - free)
        fluxes[face] = -free * load.sum(0)
    for face in shares:
        fluxes[face] = fluxes.get(face, torch.zeros_like(given)) + (shares[face] * reaction).sum(0)
    return Balance(fluxes, whole.sum(0) + given, stored.sum(0))


def _load(form: WeakForm, face: str, t: float, values: Tensor) -> Tensor:
    """−∮ φ_i g of a part of the boundary that is not held, at all nodes, ``(N, c)``."""
    r, out = form.representation, torch.zeros_like(values)
    assert isinstance(r.domain, MeshDomain)
    condition = r.boundary.table.get(face)
    if not isinstance(condition, Dirichlet):
        for table in r.tables.facets(r.domain.sides[face], r.quadrature_degree):
            load, _ = form._through(condition, table)(t, table.points.flatten(0, 1), _jet(table, values))
            weighted = table.weights[..., None] * load.reshape(*table.weights.shape, -1)
            add(out, table.dofs, table.values.transpose(1, 2) @ weighted)
    return out


def _shares(r: FiniteElementField) -> dict[str, Tensor]:
    """Per part where components of u are given, the share of every node's reaction that is its own, ``(N, c)``; a
    point or an edge has what no face holds."""
    assert isinstance(r.domain, MeshDomain)
    weights = {}
    for face in dict.fromkeys(face for face, _ in r.boundary.essential):
        weight = r.nodes.new_zeros(len(r.nodes))
        for table in r.tables.facets(r.domain.sides[face], r.quadrature_degree) if face in r.domain.sides else ():
            local = torch.einsum("eq,xqk->ek", table.weights, table.values.square())
            weight.index_add_(0, table.dofs.reshape(-1), local.reshape(-1))
        if face in r.boundary.sets:
            weight[:] = 1e-30
        # nodes of the facets' elements that are not on them have φ = 0 there up to rounding
        held = torch.zeros(len(weight), r.channels, dtype=torch.bool, device=weight.device)
        nodes, columns = r.nodes_of(face), list(r.boundary.held(face, r.channels))
        held[nodes[:, None], columns] = True
        weights[face] = torch.where(held, weight[:, None], 0.0)
    total = torch.stack(list(weights.values())).sum(0) if weights else None
    return {face: weight / total.clamp_min(1e-300) for face, weight in weights.items() if total is not None}


def time_stencil(t: float, dt: float, first: float, last: float) -> dict[float, float]:
    """Times in [first, last] and weights by which data are differentiated at t, of order 4: one-sided near the ends.

    Data are functions of a number t, so ∂g/∂t comes from differences.

    Args:
        t: in [first, last].
        dt: of the run, which sets the distance of the times.
        first, last: of the run; data may have no values outside.

    Source: Fornberg, Math. Comput. 51 (1988).
    """
    step = min(STEP * dt, 0.25 * (last - first))
    start = max(-2, math.ceil((first - t) / step))
    start = min(start, math.floor((last - t) / step + 1e-9) - 4)
    offsets = np.arange(start, start + 5)
    weights = np.linalg.solve(np.vander(offsets, increasing=True).T, np.eye(5)[1]) / step
    return {min(max(t + float(k) * step, first), last): float(w) for k, w in zip(offsets, weights, strict=True)}


def data_rate(r: FiniteElementField, stencil: Mapping[float, float]) -> Tensor:
    """∂g/∂t of the boundary data at all nodes, zero at the free ones, ``(N, c)``; see :func:`time_stencil`."""
    zero = r.initial().double()
    rate = torch.stack([weight * r.values(zero, t) for t, weight in stencil.items()]).sum(0)
    return rate.to(r.dtype)
