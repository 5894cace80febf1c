"""Bounds for recovered gradients: what the elements around a node have themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuralpde.representations import scatter

HALVINGS = 6
"""How often a recovered gradient goes half of the way back to the mean before it is the mean."""

BEYOND = 1.25
"""How far the volume at a node may be beyond that of all elements around, as a ratio."""


class Around:
    """Gradients in elements, and how they differ around each node, in the elements there and their neighbours.

    Args:
        dofs: nodes of the elements ``(e, k)``.
        measures: of the elements ``(e,)``.
        samples: gradients inside of them ``(e, q, m)``.
        num_nodes: N.
    """

    def __init__(self, dofs: Tensor, measures: Tensor, samples: Tensor, num_nodes: int) -> None:
        self.dofs, self.samples, self.num_nodes = dofs, samples, num_nodes
        size = measures[:, None].expand(dofs.shape)
        total = scatter(dofs, samples.mean(1)[:, None] * size[..., None], num_nodes)
        weight = scatter(dofs, size.contiguous(), num_nodes)
        self.mean = total / weight.clamp_min(torch.finfo(total.dtype).tiny)[:, None]
        """Of the gradients in the elements at a node ``(N, m)``, weighted by their measures."""

    def spread(self) -> Tensor:
        """How far gradients are from the mean of a node nearby at most, ``(N,)``."""
        away = self.samples[:, None] - self.mean[self.dofs][:, :, None]
        return self._largest(self._largest(away.norm(dim=-1).amax(-1))[self.dofs].amax(1))

    def nearby(self, values: Tensor) -> Tensor:
        """The largest of the values ``(e,)`` of the elements at a node and of their neighbours, ``(N,)``."""
        return self._largest(self._largest(values)[self.dofs].amax(1))

    def closest(self, grad: Tensor) -> Tensor:
        """The mean gradient of the element at each node that is closest to a gradient there, ``(N, m)``."""
        own = self.samples.mean(1)
        nodes, k = self.dofs.reshape(-1), self.dofs.shape[1]
        distance = (own[:, None] - grad[self.dofs]).norm(dim=-1).reshape(-1)
        order = np.argsort(-distance.detach().cpu().numpy(), kind="stable")
        element = np.zeros(self.num_nodes, dtype=np.int64)
        element[nodes.cpu().numpy()[order]] = order // k  # the last one written is the closest
        return own[torch.from_numpy(element).to(own.device)]

    def _largest(self, values: Tensor) -> Tensor:
        """The largest value at a node, of values ``(e,)``, or ``(e, k)`` at the elements' nodes."""
        values = values if values.ndim == 2 else values[:, None].expand(self.dofs.shape)
        out = values.new_full((self.num_nodes,), -torch.inf)
        return out.scatter_reduce(0, self.dofs.reshape(-1), values.reshape(-1), "amax")


def bounded(found: Tensor, around: Around) -> Tensor:
    """Gradients ``(N, m)`` at nodes that are not farther from the mean around than the elements' own are.

    A polynomial that is fitted to elements that differ much, under a contact or at a corner, can swing far beyond all
    of them. What is too far goes back towards the mean in a straight line: the bound is the same in all frames.
    """
    away = found - around.mean
    share = around.spread() / away.norm(dim=-1).clamp_min(torch.finfo(found.dtype).tiny)
    return around.mean + share.clamp(0, 1)[:, None] * away


def bounded_volume(found: Tensor, around: Around, dim: int) -> Tensor:
    """Gradients of a displacement at nodes, whose J = det(I + ∇u) is in the range of the elements around.

    With J between a and b in the elements at a node and their neighbours it lies between a/s and s b at the node,
    s = min(b/a, 1.25); where it does not, the gradient goes back towards the mean around, and where that does not serve
    either it is that of an element at the node, the closest. Nothing is changed where an element is turned over itself.
    """
    per_element = _volume(around.samples, dim)
    high = around.nearby(per_element.amax(1))
    low = -around.nearby(-per_element.amin(1))
    beyond = (high / low).clamp(max=BEYOND)

    def outside(grad: Tensor) -> Tensor:
        volume = _volume(grad, dim)
        return (low > 0) & ~((volume >= low / beyond) & (volume <= high * beyond))

    share = torch.ones_like(low)
    for k in range(HALVINGS + 1):
        far = outside(around.mean + share[:, None] * (found - around.mean))
        share = torch.where(far, 0.5 * share if k < HALVINGS else 0.0, share)
    inside = torch.where((share < 1)[:, None], around.mean + share[:, None] * (found - around.mean), found)
    return torch.where(outside(inside)[:, None], around.closest(inside), inside)


def _volume(grad: Tensor, dim: int) -> Tensor:
    """J of gradients ``(…, d d)``."""
    eye = torch.eye(dim, dtype=grad.dtype, device=grad.device)
    return torch.linalg.det(grad.unflatten(-1, (dim, dim)) + eye)
