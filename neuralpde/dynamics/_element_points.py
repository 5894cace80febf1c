"""Points of a mesh among finite elements: nodal values there, and forces there at the nodes."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import MeshDomain
from neuralpde.representations import FiniteElementField


class ElementPoints:
    """Points x ``(n, d)`` in or on a mesh.

    Args:
        elements: for nodal values ``(N, d)``.
        x: ``(n, d)``.
    """

    def __init__(self, elements: FiniteElementField, x: Tensor) -> None:
        self.elements, self.x = elements, x

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Elements of the points, and reference coordinates there."""
        domain = self.elements.domain
        assert isinstance(domain, MeshDomain)
        return domain.locator.nearest(self.x.cpu().double().numpy())

    @cached_property
    def _shares(self) -> tuple[Tensor, Tensor]:
        """Numbers of nodes ``(n, k)`` and their shares ``(n, k)``."""
        tables, (element, xi) = self.elements.tables, self.places
        shares, _ = tables.basis(torch.from_numpy(xi))
        return tables.dofs[torch.from_numpy(element).to(tables.dofs.device)], shares

    def values(self, nodal: Tensor) -> Tensor:
        """Nodal values ``(N, d)`` at the points, ``(n, d)``."""
        nodes, shares = self._shares
        return torch.einsum("nk,nkc->nc", shares, nodal[nodes])

    def gathered(self, forces: Tensor, like: Tensor) -> Tensor:
        """Forces ``(n, d)`` at the points as those at the nodes, ``(N, d)``, which do the same work."""
        nodes, shares = self._shares
        spread = torch.einsum("nk,nc->nkc", shares, forces)
        return torch.zeros_like(like).index_add(0, nodes.flatten(), spread.flatten(0, 1))
