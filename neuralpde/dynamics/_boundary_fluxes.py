"""What goes through each part of a boundary, and the balance with sources and what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.dynamics._weak_form import WeakForm, _jet
from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.representations import FiniteElementField

STEP = 1e-3
"""Of the difference of order 4 by which boundary data that move are differentiated in time."""


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
    for face, facets in r.domain.sides.items():
        condition = r.boundary.table.get(face)
        if isinstance(condition, Dirichlet):
            fluxes[face] = (shares[face] * reaction).sum(0)
            continue
        total = values.new_zeros(values.shape[1])
        for table in r.tables.facets(facets, r.quadrature_degree):
            load, _ = form._through(condition, table)(t, table.points.flatten(0, 1), _jet(table, values))
            total = total - (table.weights.reshape(-1, 1) * load).sum(0)
        fluxes[face] = total
    given = [flux for face, flux in fluxes.items() if not isinstance(r.boundary.table.get(face), Dirichlet)]
    source = whole.sum(0) + (torch.stack(given).sum(0) if given else 0.0)
    return Balance(fluxes, source, stored.sum(0))


def _shares(r: FiniteElementField) -> dict[str, Tensor]:
    """Per part where u is given, the share of every node's reaction that is its own, ``(N, 1)``."""
    assert isinstance(r.domain, MeshDomain)
    weights = {}
    for face in r.boundary.named(Dirichlet):
        weight = r.nodes.new_zeros(len(r.nodes))
        for table in r.tables.facets(r.domain.sides[face], r.quadrature_degree):
            local = torch.einsum("eq,xqk->ek", table.weights, table.values.square())
            weight.index_add_(0, table.dofs.reshape(-1), local.reshape(-1))
        # nodes of the facets' elements that are not on them have φ = 0 there up to rounding
        on = torch.zeros_like(weight, dtype=torch.bool)
        on[r.tables.facet_nodes(r.domain.sides[face])] = True
        weights[face] = torch.where(on, weight, 0.0)
    total = torch.stack(list(weights.values())).sum(0) if weights else None
    return {face: (weight / total.clamp_min(1e-300))[:, None] for face, weight in weights.items() if total is not None}


def data_rate(r: FiniteElementField, t: float) -> Tensor:
    """∂g/∂t of the boundary data at all nodes, zero at the free ones, ``(N, c)``."""
    zero = r.initial()
    held = {k: r.values(zero, t + k * STEP) for k in (-2, -1, 1, 2)}
    return (8 * (held[1] - held[-1]) - (held[2] - held[-2])) / (12 * STEP)
