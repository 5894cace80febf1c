"""Nearly incompressible bodies on finite elements: the energy of the volume takes a mean of it in every element."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._loaded_form import positive_part
from neuralpde.dynamics._potentials import Matrix, Potential
from neuralpde.dynamics._weak_form import _jet
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
        r = self.representation
        pattern = r.free_pattern
        entries = pattern.zeros(values.dtype)
        for table in r.chunks(2 * values.shape[1] ** 4):
            pattern.add(entries, self._matrices(table, values, projected), table.elements)
        return pattern.finished(entries)

    def _matrices(self, table: Tables, values: Tensor, projected: bool) -> Tensor:
        """Of every element, ``(c, c, e, k k)``."""
        volume, w = _Volume(self, table, values), table.weights
        gradients = table.gradients.expand(-1, w.shape[1], -1, -1)
        stiff = torch.einsum("eq,eqa,eqb->eab", w * volume.of_mean(2), volume.modes, volume.modes)
        if projected:
            found, vectors = torch.linalg.eigh(stiff)
            stiff = (vectors * found.clamp_min(0.0)[:, None]) @ vectors.mT
        weighted = w[..., None] * volume.modes
        rows = torch.einsum("eqa,eqcd,eqkd->eack", weighted, volume.slope, gradients)
        out = torch.einsum("eack,eab,ebfl->cfekl", rows, stiff, rows).flatten(3)
        bent = volume.bent()
        if bent is None:
            return out
        part = volume.pressure[..., None, None, None, None] * bent
        part = positive_part(part) if projected else part
        return out + ElementMatrices(table.values[0], table.slopes[0])({"gg": part}, w, table.inverse)


def dilatation_parts(
    problem: Problem, representation: FiniteElementField, dilatation: str
) -> tuple[Problem, tuple[Potential, ...]]:
    """The problem whose energy is integrated point by point, and the potentials beside it.

    Args:
        problem: of an elastic body.
        representation: of the displacement.
        dilatation: ``"exact"`` (the problem itself, and nothing beside it), or ``"mean"``.

    Raises:
        UsageError: for another word, or what :class:`MeanDilatation` refuses.
    """
    if dilatation == "exact":
        return problem, ()
    if dilatation != "mean":
        raise UsageError(f"dilatation is 'exact' or 'mean'; got {dilatation!r}.")
    if not isinstance(problem, ElasticBody):
        raise UsageError(f"dilatation='mean' needs an elastic body with a material; {problem.name} is none.")
    part = MeanDilatation(problem, representation)
    return without_dilatation(problem), (part,)


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
        self.modes = _modes(table, form.linear)
        self.parts = self.material.dilatation(self.x, self._projected(change).reshape(-1))

    def _projected(self, a: Tensor) -> Tensor:
        """Π of values at the points, ``(e, q)``."""
        weighted = self.table.weights * a.reshape(self.shape)
        return torch.einsum("eq,eqa,eba->eb", weighted, self.modes, self.modes)

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


def _modes(table: Tables, linear: bool) -> Tensor:
    """An orthonormal basis of the polynomials that J̄ is taken from, ``(e, q, m)``: 1, and x − x̄ where it is linear."""
    w = table.weights
    ones = torch.ones_like(w)[..., None]
    if not linear:
        return ones / w.sum(1).sqrt()[:, None, None]
    centre = (w[..., None] * table.points).sum(1, keepdim=True) / w.sum(1)[:, None, None]
    away = table.points - centre
    size = away.abs().amax((1, 2), keepdim=True)
    raw = torch.cat([ones, away / size], dim=-1)
    gram = torch.einsum("eq,eqa,eqb->eab", w, raw, raw)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(gram), raw.mT, upper=False).mT
