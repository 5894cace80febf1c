"""Assembled operators of finite elements: bilinear forms with given coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.representations._assembly import SparsePattern
from neuralpde.representations._element_matrices import ElementMatrices, Parts
from neuralpde.representations._element_tables import ElementTables, Tables
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.representations._finite_element import FiniteElementField

Coefficient: TypeAlias = float | Tensor | Callable[[Tensor], Tensor] | None
"""κ of ∇·κ∇: a number, a matrix ``(d, d)``, or a function of points ``(n, d)`` that gives ``(n,)``, ``(n, 1)`` or
``(n, d, d)``."""

FLOATS = 1 << 20
"""Numbers that a part of the elements takes while it is worked on: they stay in the cache."""

KEPT = 1 << 23
"""Numbers that the tables of all elements may take to be kept."""


def chunks(tables: ElementTables, degree: int, floats: int, whole: Callable[[], Tables]) -> Iterator[Tables]:
    """The tables of all elements, some at a time.

    Args:
        tables: of a mesh.
        degree: of the quadrature.
        floats: numbers that are worked with at each point.
        whole: gives the tables of all elements, where they are few enough to be kept.
    """
    rule = tables.interior_rule(degree)
    e, q, d = len(tables.dofs), len(rule.weights), tables.mesh.dim
    step = max(1, FLOATS // (q * floats))
    kept = whole() if e * (q * (d + 1) + len(rule.tangents) * d * d) <= KEPT else None
    for start in range(0, e, step):
        part = slice(start, start + step)
        yield tables.at(rule, part) if kept is None else restricted(kept, part)


def restricted(tables: Tables, part: slice) -> Tables:
    """The tables of some of their elements; tables of one row are for all elements."""
    shared = {"values", "slopes"}
    own = {f.name: getattr(tables, f.name) for f in fields(tables) if f.name not in shared}
    parts: dict[str, Any] = {name: None if a is None else a[part] for name, a in own.items()}
    return replace(tables, **parts)


def assembled(
    field: FiniteElementField, pattern: SparsePattern, coefficients: Callable[[Tables], Parts], floats: int
) -> sp.csr_matrix | sp.bsr_matrix:
    """The matrix of a bilinear form.

    Args:
        field: finite elements.
        pattern: of the matrix.
        coefficients: of the form, at the points of some elements.
        floats: numbers that they take at a point.
    """
    entries, matrices = pattern.zeros(field.dtype), None
    for table in field.chunks(floats):
        matrices = matrices or ElementMatrices(table.values[0], table.slopes[0])
        pattern.add(entries, matrices(coefficients(table), table.weights, table.inverse), table.elements)
    return pattern.finished(entries)


def mass_parts(table: Tables, density: Callable[[Tensor], Tensor] | None = None) -> Parts:
    """Of ∫ ρ φ_i φ_j."""
    shape = (*table.weights.shape, 1, 1)
    if density is None:
        return {"uu": table.weights.new_ones(shape)}
    return {"uu": density(table.points.flatten(0, 1)).reshape(shape)}


def diffusion_parts(table: Tables, coefficient: Coefficient) -> Parts:
    """Of ∫ ∇φ_i·κ∇φ_j.

    Raises:
        UsageError: for κ of another shape.
    """
    e, q, d = table.points.shape
    found = coefficient(table.points.flatten(0, 1)) if callable(coefficient) else coefficient
    kappa = table.weights.new_tensor(1.0) if found is None else torch.as_tensor(found).to(table.weights)
    n = e * q
    if kappa.shape == (n, d, d):
        kappa = kappa.reshape(e, q, d, d)
    elif kappa.shape in ((n,), (n, 1)):
        kappa = kappa.reshape(e, q, 1, 1) * torch.eye(d).to(kappa)
    elif kappa.ndim == 0:
        kappa = (kappa * torch.eye(d).to(kappa)).expand(e, 1, d, d)
    elif kappa.shape == (d, d):
        kappa = kappa.expand(e, 1, d, d)
    else:
        raise UsageError(
            f"a coefficient is a number, a matrix ({d}, {d}), or a function of points (n, {d}) that gives (n,), (n, 1) "
            f"or (n, {d}, {d}); for n = {n} points it gave {tuple(kappa.shape)}."
        )
    return {"gg": kappa[:, :, None, :, None, :]}


def advection_parts(table: Tables, velocity: Sequence[float] | Callable[[Tensor], Tensor]) -> Parts:
    """Of ∫ φ_i v·∇φ_j.

    Raises:
        UsageError: for v of another shape.
    """
    e, q, d = table.points.shape
    if not callable(velocity):
        v = table.weights.new_tensor(velocity)
        if v.shape != (d,):
            raise UsageError(f"a velocity has {d} components here; got {tuple(v.shape)}.")
        return {"ug": v.expand(e, q, 1, 1, d)}
    v = velocity(table.points.flatten(0, 1))
    if v.shape != (e * q, d):
        raise UsageError(f"a velocity is ({d},) or gives (n, {d}); for n = {e * q} points it gave {tuple(v.shape)}.")
    return {"ug": v.to(table.weights).reshape(e, q, 1, 1, d)}
