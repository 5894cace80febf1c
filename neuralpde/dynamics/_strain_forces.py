"""Strain energy and inner forces of a body on finite elements, in one pass with points as the last axis."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._moduli_rows import gradient_rows
from neuralpde.dynamics._weak_form import WeakForm, _Piece
from neuralpde.problems import ElasticBody, contracted
from neuralpde.representations import Tables


class StrainForces:
    """∫ Ψ(F) dx, its slope ∫ P ∇φ_i dx, and ∫ b φ_i dx, of nodal displacements.

    A line search ends where the next step of Newton's method begins: energy and slope are found together, and known
    for the displacements that were asked for last. Body forces do not depend on displacements and are found once at a
    time. Nothing of this records gradients.

    Args:
        form: of the body.
    """

    def __init__(self, form: WeakForm) -> None:
        self.form = form
        self._latest: tuple[Tensor, float, Tensor] | None = None
        self._loads: tuple[float, Tensor] | None = None

    @property
    def serve(self) -> bool:
        """Whether the problem is a body with its own energy and no gradient is recorded."""
        made = type(self.form.problem)
        own = issubclass(made, ElasticBody) and all(
            getattr(made, name) is getattr(ElasticBody, name)
            for name in ("energy", "flux", "source", "force", "stress")
        )
        return own and not torch.is_grad_enabled()

    def __call__(self, values: Tensor) -> tuple[float, Tensor]:
        """∫ Ψ and ∫ P ∇φ_i ``(N, d)`` of displacements ``(N, d)``."""
        if self._latest is None or not torch.equal(self._latest[0], values):
            self._latest = (values.clone(), *self._found(values))
        return self._latest[1], self._latest[2]

    def loads(self, t: float) -> Tensor:
        """∫ b φ_i ``(N, d)``."""
        if self._loads is None or self._loads[0] != t:
            form, total = self.form, torch.zeros_like(self.form.representation.nodes)
            assert isinstance(form.problem, ElasticBody)
            for table in form.chunks(FLOATS):
                load = form.problem.force(t, table.points.flatten(0, 1))
                form._gather(total, _Piece(table, form._inside, False), load, load)
            self._loads = (t, total)
        return self._loads[1]

    def _found(self, values: Tensor) -> tuple[float, Tensor]:
        rows, energy = values.T.contiguous(), 0.0
        total, problem = torch.zeros_like(rows), self.form.problem
        assert isinstance(problem, ElasticBody)
        for table in self.form.chunks(FLOATS):
            x = table.points.transpose(0, 1).flatten(0, 1)
            grad = gradient_rows(table, rows).permute(2, 0, 1)
            energy += float(table.weight_rows @ problem.material.energy(x, grad))
            _add_forces(total, table, problem.stress(x, grad).permute(1, 2, 0))
        return energy, total.T.contiguous()


FLOATS = 144
"""Numbers that are worked with at a point, about."""


def _add_forces(total: Tensor, table: Tables, stress: Tensor) -> None:
    """Add ∫ P ∇φ_i of stresses ``(c, J, q e)`` to forces ``(c, N)``."""
    (e, q), c = table.weights.shape, len(stress)
    weighted = (table.weight_rows * stress).unflatten(2, (q, e))
    if table.slopes.shape[1] == 1 == table.inverse.shape[1]:
        weighted = weighted.sum(2, keepdim=True) if q > 1 else weighted
    pulled = contracted(weighted, table.inverse_rows)  # (c, J, q, e) and (α, J, q, e)
    slopes = table.slopes[0].permute(1, 2, 0).flatten(1)  # (k, α q)
    local = slopes @ pulled.reshape(c, -1, e)
    for row, part in zip(total, local, strict=True):
        row.index_add_(0, table.dof_rows, part.reshape(-1))
