"""What finite elements are at the points of a quadrature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from neuralpde.fields import Jet


@dataclass(frozen=True)
class Tables:
    """Basis functions at q points of each of e elements (or facets).

    Args:
        values: φ_i at the points, ``(1, q, k)``.
        slopes: gradients of φ_i on the reference element, ``(1, q, k, d)``; q is 1 where they are constant.
        inverse: ∂ξ/∂x, ``(e, q, d, d)``; q is 1 where it is constant.
        weights: quadrature weights times the volume's (area's) factor, ``(e, q)``.
        points: ``(e, q, d)``.
        dofs: global numbers of the basis functions, ``(e, k)``.
        elements: numbers of the elements, ``(e,)``.
        normals: outward unit normals of facets, ``(e, q, d)``; None inside.
    """

    values: Tensor
    slopes: Tensor
    inverse: Tensor
    weights: Tensor
    points: Tensor
    dofs: Tensor
    elements: Tensor
    normals: Tensor | None = None

    @cached_property
    def gradients(self) -> Tensor:
        """∇φ_i, ``(e, q, k, d)``; q is 1 where they are constant."""
        return self.slopes @ self.inverse

    @cached_property
    def inverse_rows(self) -> Tensor:
        """∂ξ_α/∂x_J with elements running last, ``(α, J, q, e)``."""
        return self.inverse.detach().permute(2, 3, 1, 0).contiguous()

    @cached_property
    def weight_rows(self) -> Tensor:
        """Weights with elements running last, ``(q e,)``."""
        return self.weights.detach().T.reshape(-1)

    @cached_property
    def dof_rows(self) -> Tensor:
        """Numbers of the basis functions with elements running last, ``(k e,)``."""
        return self.dofs.T.reshape(-1)

    @cached_property
    def gradient_rows(self) -> Tensor:
        """∇φ_i with elements running last where they are constant, ``(k, d, e)``."""
        inverse = self.inverse_rows[:, :, 0]
        return (self.slopes[0, 0] @ inverse.flatten(1)).unflatten(1, inverse.shape[1:])

    def jet(self, values: Tensor) -> Jet:
        """u and ∇u of nodal values ``(N, c)`` at the points, flat over elements: ``(e q, c)`` and ``(e q, c, d)``."""
        local = values[self.dofs]
        u = self.values @ local
        along = torch.einsum("qkd,ekc->eqcd", self.slopes[0], local)
        grad = (along @ self.inverse).expand(-1, u.shape[1], -1, -1)
        return Jet(u.flatten(0, 1), grad.flatten(0, 1))


@dataclass(frozen=True)
class Rule:
    """What all elements share at the points of a quadrature.

    Args:
        weights: on the reference element, ``(q,)``.
        values: φ_i, ``(q, k)``.
        slopes: their gradients on the reference element, ``(q, k, d)``; q is 1 where they are constant.
        shapes: shape functions of the geometry, ``(q, g)``.
        tangents: their gradients, ``(q, g, d)``; q is 1 where they are constant.
    """

    weights: Tensor
    values: Tensor
    slopes: Tensor
    shapes: Tensor
    tangents: Tensor
