"""Nearly incompressible bodies on finite elements: the energy of the volume takes a mean of it in every element."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics._loaded_form import positive_tangent
from neuralpde.dynamics._potentials import Matrix, Potential
from neuralpde.dynamics._weak_form import _jet
from neuralpde.linalg import positive_part
from neuralpde.problems import ElasticBody, Problem, Split, without_dilatation
from neuralpde.representations import ElementMatrices, FiniteElementField, Tables, add
from neuralpde.types import UsageError


class MeanDilatation(Potential):
    """∫ U(J̄) dx with J̄ = Π J the L² projection of J = det F on polynomials of each element by itself.

    The energy of a nearly incompressible body asks J = 1 at every point, which the displacements of an element cannot
    give: it locks. J̄ asks it of the element's mean on P2 triangles and Q1, and of linear functions on Q2. That is the
    three-field form of Hu and Washizu with volume and pressure eliminated, for Hooke's law the B-bar method.

    Its slope is ∫ p̄ ∂J, p̄ = Π U′(J̄), and its Hessian ∫ U″ Π∂J Π∂J + ∫ p̄ ∂²J: in every element a matrix of rank 1
    (d + 1 on Q2), and a geometric part. What is left of the body's energy is :func:`without_dilatation`.

    P2–P0 triangles and Q2–P1 are stable (their inf-sup constant does not fall with the mesh width); Q1–P0 has a
    checkerboard in the pressure that the displacement does not see. P2–P0 on tetrahedra is not stable in general.

    Args:
        problem: whose material is a :class:`Split`, Ψ = Ψ_d(F) + U(J).
        representation: of the displacement, P2, Q1 or Q2.

    Raises:
        UsageError: for a material without a part of the volume alone, or P1, whose J is a mean already.

    Source: Simo, Taylor & Pister, Comput. Methods Appl. Mech. Eng. 51 (1985); Hughes, The Finite Element Method (2000),
    chapter 4.5; Boffi, Brezzi & Fortin, Mixed Finite Element Methods (2013), chapter 8, for what is stable.
    """

    name = "dilatation"

    def __init__(self, problem: ElasticBody, representation: FiniteElementField) -> None:
        material, r = problem.material, representation
        if not isinstance(material, Split):
            raise UsageError(
                f"dilatation='mean' needs a material with an energy of the volume alone, and {type(material).__name__} "
                "has none: use NeoHookean, MooneyRivlin, ARAP or Linear."
            )
        simplex = r.mesh.element.shape in ("triangle", "tetrahedron")
        if simplex and r.degree == 1:
            raise UsageError(
                "dilatation='mean' changes nothing on P1, which has one volume in each element: use degree=2, or quads "
                "or hexahedra."
            )
        self.material, self.representation = material, r
        self.linear = not simplex and r.degree == 2
        """Whether J̄ is linear in every element, and not constant."""

    def energy(self, t: float, values: Tensor) -> float:
        total = 0.0
        for table in self.representation.chunks(4):
            volume = _Volume(self, table, values)
            total += float((table.weights * volume.of_mean(0)).sum())
        return total

    def gradient(self, t: float, values: Tensor) -> Tensor:
        total = torch.zeros_like(values)
        for table in self.representation.chunks(values.shape[1] ** 2):
            volume = _Volume(self, table, values)
            scaled = (table.weights * volume.pressure)[..., None, None] * volume.slope
            gradients = table.gradients.expand(-1, scaled.shape[1], -1, -1)
            add(total, table.dofs, torch.einsum("eqcd,eqkd->ekc", scaled, gradients))
        return total

    def hessian(self, t: float, values: Tensor, projected: bool) -> Matrix:
        return self._assembled(self.representation.free_pattern, values, projected)

    def damping_stiffness(self, t: float, values: Tensor) -> Matrix:
        return self._assembled(self.representation.pattern, values, True)

    def _assembled(self, pattern: Any, values: Tensor, projected: bool) -> Matrix:
        """The Hessian in a pattern of sparsity."""
        r, entries = self.representation, pattern.zeros(values.dtype)
        for table in r.chunks(2 * values.shape[1] ** 4):
            pattern.add(entries, self._matrices(table, values, projected), table.elements)
        return pattern.finished(entries)

    def _matrices(self, table: Tables, values: Tensor, projected: bool) -> Tensor:
        """Of every element, ``(c, c, e, k k)``."""
        volume, w = _Volume(self, table, values), table.weights
        gradients = table.gradients.expand(-1, w.shape[1], -1, -1)
        stiff = torch.einsum("eq,eqa,eqb->eab", w * volume.of_mean(2), volume.modes, volume.modes)
        if projected:
            stiff = positive_part(stiff)
        weighted = w[..., None] * volume.modes
        rows = torch.einsum("eqa,eqcd,eqkd->eack", weighted, volume.slope, gradients)
        out = torch.einsum("eack,eab,ebfl->cfekl", rows, stiff, rows).flatten(3)
        bent = volume.bent()
        if bent is None:
            return out
        part = volume.pressure[..., None, None, None, None] * bent
        part = positive_tangent(part) if projected else part
        return out + ElementMatrices(table.values[0], table.slopes[0])({"gg": part}, w, table.inverse)


def dilatation_parts(problem: Problem, representation: FiniteElementField) -> tuple[Problem, tuple[Potential, ...]]:
    """The problem whose energy is integrated point by point, and the potentials beside it.

    Args:
        problem: of an elastic body.
        representation: of the displacement, with ``dilatation="exact"`` (the problem itself, and nothing beside it) or
            ``"mean"``.

    Raises:
        UsageError: for a problem without a material, or what :class:`MeanDilatation` refuses.
    """
    if representation.dilatation == "exact":
        return problem, ()
    if not isinstance(problem, ElasticBody):
        raise UsageError(f"dilatation='mean' needs an elastic body with a material; {problem.name} is none.")
    part = MeanDilatation(problem, representation)
    return without_dilatation(problem), (part,)


def mean_gradient(body: ElasticBody, representation: FiniteElementField, values: Tensor, table: Tables) -> Tensor:
    """∇u at the points of a table, with the mean of the volume, ``(e, q, d, d)``: what stresses are made from.

    F̄ = (J̄/J)^(1/d) F, of Hooke's law ε̄ = ε + (tr ε̄ − tr ε) I/d. The gradient itself has changes of volume that the
    stress of a nearly incompressible body would show a thousand times enlarged.

    Args:
        body: whose volume it is.
        representation: with ``dilatation="mean"``.
        values: displacements of the nodes ``(N, d)``.
        table: of any points of some elements.
    """
    form, r = MeanDilatation(body, representation), representation
    known = _Volume(form, r.tables.interior(r.quadrature_degree, table.elements), values)
    grad = _jet(table, values).grad
    mean = known.mean_at(table.points)
    change, _ = form.material.volume_change(grad)
    away = (mean.reshape(-1) - change)[:, None, None]
    eye = torch.eye(r.dim, dtype=grad.dtype, device=grad.device)
    if form.material.volume_bend(grad[:1]) is None:
        barred = grad + away / r.dim * eye
    else:
        barred = (1 + away / (1 + change[:, None, None])) ** (1 / r.dim) * (grad + eye) - eye
    return barred.reshape(*mean.shape, r.dim, r.dim)


class _Volume:
    """J of a state at the points of some elements, and its projection J̄."""

    def __init__(self, form: MeanDilatation, table: Tables, values: Tensor) -> None:
        self.material, self.table = form.material, table
        self.x = table.points.flatten(0, 1)
        self.grad = _jet(table, values).grad
        change, slope = self.material.volume_change(self.grad)
        self.shape = table.weights.shape
        self.slope = slope.reshape(*self.shape, *slope.shape[1:])
        """∂J/∂F, ``(e, q, d, d)``."""
        self.basis = _Modes(table, form.linear)
        self.modes = self.basis.at(table.points)
        self.change = change
        self.parts = self.material.dilatation(self.x, self._projected(change).reshape(-1))

    def _projected(self, a: Tensor) -> Tensor:
        """Π of values at the points, ``(e, q)``."""
        weighted = self.table.weights * a.reshape(self.shape)
        return torch.einsum("eq,eqa,eba->eb", weighted, self.modes, self.modes)

    def mean_at(self, x: Tensor) -> Tensor:
        """J̄ − 1 at other points ``(e, q, d)`` of the elements, ``(e, q)``."""
        weighted = self.table.weights * self.change.reshape(self.shape)
        return torch.einsum("eq,eqa,eba->eb", weighted, self.modes, self.basis.at(x))

    def of_mean(self, order: int) -> Tensor:
        """U, U′ or U″ of J̄, ``(e, q)``."""
        return self.parts[order].reshape(self.shape)

    @property
    def pressure(self) -> Tensor:
        """p̄ = Π U′(J̄), ``(e, q)``."""
        return self._projected(self.of_mean(1))

    def bent(self) -> Tensor | None:
        """∂²J/∂F², ``(e, q, d, d, d, d)``; None where J is linear in F."""
        found = self.material.volume_bend(self.grad)
        return None if found is None else found.reshape(*self.shape, *found.shape[1:])


class _Modes:
    """An orthonormal basis of the polynomials of each element that J̄ is taken from: 1, and x − x̄ where it is linear."""

    def __init__(self, table: Tables, linear: bool) -> None:
        w, x = table.weights, table.points
        self.linear = linear
        self.centre = (w[..., None] * x).sum(1, keepdim=True) / w.sum(1)[:, None, None]
        self.size = (x - self.centre).abs().amax((1, 2), keepdim=True)
        raw = self._raw(x)
        self.factor = torch.linalg.cholesky(torch.einsum("eq,eqa,eqb->eab", w, raw, raw))

    def _raw(self, x: Tensor) -> Tensor:
        ones = torch.ones_like(x[..., :1])
        return torch.cat([ones, (x - self.centre) / self.size], dim=-1) if self.linear else ones

    def at(self, x: Tensor) -> Tensor:
        """At points ``(e, q, d)``, ``(e, q, m)``."""
        return torch.linalg.solve_triangular(self.factor, self._raw(x).mT, upper=False).mT
