"""Gradients of finite elements as one looks at them: averaged at the nodes, continuous in every part of a mesh."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from neuralpde.dynamics import mean_gradient
from neuralpde.fields import Field, Jet
from neuralpde.geometry import MeshDomain
from neuralpde.problems import ElasticBody, Problem, Quantity
from neuralpde.representations import scatter
from neuralpde.representations._finite_element import FiniteElementAt
from neuralpde.representations._product import ProductAt
from neuralpde.simulate._recovery import recovered_gradient

AXES = "xyz"
Jets = Callable[[Tensor, frozenset[str]], Jet]


def smooth_jet(problem: Problem, field: Field) -> Jets:
    """Jets of a field for pictures, files and tables; of finite elements with averaged gradients.

    The gradient of an element is of order k, and jumps to the next one. At the nodes it is recovered from the elements
    around, see :func:`recovered_gradient`; between the nodes it is interpolated. Where a coefficient of the problem
    jumps the gradient does too: each part of the mesh has averages of its own.
    """
    if isinstance(field, FiniteElementAt):
        return AveragedGradient(problem, field, deforms=isinstance(problem, ElasticBody)).jet
    if not isinstance(field, ProductAt):
        return field.jet
    return ProductAt(
        {name: _Smooth(block, _smooth_block(problem, name, block)) for name, block in field.blocks.items()}
    ).jet


def _smooth_block(problem: Problem, name: str, block: Field) -> Jets:
    """Jets of one unknown: only a displacement deforms a body."""
    if not isinstance(block, FiniteElementAt):
        return block.jet
    deforms = name == "displacement" and isinstance(problem, ElasticBody)
    return AveragedGradient(problem, block, deforms).jet


class _Smooth(Field):
    """A field with jets of its own."""

    def __init__(self, field: Field, jets: Jets) -> None:
        self.field, self.jets = field, jets

    def __call__(self, x: Tensor) -> Tensor:
        return self.field(x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return self.jets(x, needs)


class AveragedGradient:
    """A field of finite elements with the averages of its gradient.

    Args:
        problem: that says whether coefficients jump between parts.
        field: the finite elements.
        deforms: whether the field is the displacement of an elastic body.
    """

    def __init__(self, problem: Problem, field: FiniteElementAt, deforms: bool = False) -> None:
        self.body = problem if deforms and isinstance(problem, ElasticBody) else None
        self.field, self.owner = field, np.zeros(len(field.representation.mesh.cells), dtype=np.int64)
        if problem.jumps:
            for number, ids in enumerate(field.representation.mesh.parts.values(), start=1):
                self.owner[ids] = number
            self.owner = np.unique(self.owner, return_inverse=True)[1]
        self._averages: list[Tensor] | None = None

    @property
    def averages(self) -> list[Tensor]:
        """∇u at the nodes as each part of the mesh sees it, ``(N, c d)`` each."""
        if self._averages is None:
            self._averages = [self._average(self.owner == k) for k in range(int(self.owner.max()) + 1)]
        return self._averages

    def _average(self, mine: np.ndarray) -> Tensor:
        """The gradients at the nodes of the elements that are chosen: recovered, or their means on a few elements."""
        chosen = np.flatnonzero(mine)
        r, values, body = self.field.representation, self.field.values, self.body
        gradient, bends = None, False
        if body is not None:
            bends = body.material.volume_bend(values.new_zeros(1, r.dim, r.dim)) is not None
        if r.dilatation == "mean" and body is not None:
            gradient = partial(mean_gradient, body, r, values)
        found, known = recovered_gradient(r, values, chosen, gradient, upright=bends)
        return found if bool(known.all()) else torch.where(known[:, None], found, self._mean(chosen))

    def _mean(self, chosen: np.ndarray) -> Tensor:
        """Mean of the gradients at a node in the elements that are chosen, weighted by their sizes."""
        tables = self.field.representation.tables
        dofs, local = tables.dofs[torch.from_numpy(chosen).to(tables.device)], tables.local_nodes
        k = dofs.shape[1]
        xi = np.tile(local.cpu().double().numpy(), (len(chosen), 1))
        grad = tables.evaluate(self.field.values, np.repeat(chosen, k), xi)[1].reshape(len(chosen), k, -1)
        size = torch.as_tensor(tables.mesh.measures[chosen]).to(grad)[:, None, None].expand(-1, k, 1)
        total = scatter(dofs, grad * size, tables.num_nodes)
        weight = scatter(dofs, size.contiguous(), tables.num_nodes)
        return total / weight.clamp_min(torch.finfo(grad.dtype).tiny)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """Value and gradient at points ``(n, d)``, on the boundary between parts as one of them sees it."""
        if "grad" not in needs:
            return self.field.jet(x, needs)
        r = self.field.representation
        assert isinstance(r.domain, MeshDomain)
        element, xi = r.domain.locator.nearest(x.detach().cpu().double().numpy())
        value = r.tables.evaluate(self.field.values, element, xi)[0]
        grad = value.new_zeros(len(x), value.shape[1] * x.shape[1])
        for part, nodal in enumerate(self.averages):
            at = np.flatnonzero(self.owner[element] == part)
            if len(at):
                rows = torch.from_numpy(at).to(grad.device)
                grad[rows] = r.tables.evaluate(nodal, element[at], xi[at])[0]
        return Jet(value, grad.reshape(len(x), value.shape[1], -1))


def flux_quantities(problem: Problem) -> tuple[Quantity, ...]:
    """``"flux"`` and ``"flux magnitude"`` of a problem that states a flux for one number; none of others."""
    if type(problem).flux is Problem.flux or problem.channels > 1:
        return ()

    def flux(t: float, x: Tensor, u: Jet) -> Tensor:
        return problem.flux(t, x, u)[:, 0]

    def size(t: float, x: Tensor, u: Jet) -> Tensor:
        return flux(t, x, u).norm(dim=-1, keepdim=True)

    needs = frozenset({"value", "grad"})
    labels = tuple(f"flux_{axis}" for axis in AXES[: problem.domain.dim])
    return (
        Quantity("flux", needs=needs, located=flux, labels=labels),
        Quantity("flux magnitude", needs=needs, located=size, streamlines=True),
    )
