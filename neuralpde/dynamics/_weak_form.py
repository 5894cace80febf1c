"""The weak form of a problem in conservation form on finite elements: residuals, and their exact Jacobians."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._matrix_sums import MatrixSums
from neuralpde.dynamics._moduli_rows import gradient_rows
from neuralpde.fields import Jet
from neuralpde.geometry import Condition, Flux, MeshDomain, Neumann, PointLoad, Pressure, Robin
from neuralpde.problems import Moduli, Problem, densities
from neuralpde.representations import ElementMatrices, FiniteElementField, Tables, add, chunks
from neuralpde.types import UsageError

Density = Callable[[float, Tensor, Jet], tuple[Tensor, Tensor]]
"""(t, points, jet) → what multiplies φ_i ``(n, c)`` and ∇φ_i ``(n, c, d)`` under the integral."""


POINT = 16
"""Numbers that a residual takes at a point: more elements at once leave the cache."""

SAME = 1e-13
"""Relative difference of fluxes that are the same but for rounding."""


@dataclass(frozen=True)
class _Piece:
    """A part of the weak form: where it is integrated, and of what."""

    tables: Tables
    density: Density
    whole: bool  # over all elements, and not over some facets


class WeakForm:
    """R_i(t, u) = ∫ ∇φ_i·f + φ_i s dx − ∮ φ_i g dS of u_t + ∇·f = s, g the flux through the boundary.

    On parts of the boundary with :class:`Flux` g is given, with :class:`Robin` it is α(u − value), with
    :class:`Neumann` it is n·f of the gradient whose normal part is given; elsewhere it is n·f of u itself. f and s act
    point by point, so a backward pass per channel and direction gives their derivatives, and ∂R/∂u is exact.

    Args:
        problem: that states a flux.
        representation: the finite elements.

    Raises:
        UsageError: for a problem without a flux.
    """

    follows = False
    """Whether pressures may act on the deformed boundary."""

    whole: bool = False
    """Whether Jacobians are between all unknowns, and not the free ones alone."""

    def __init__(self, problem: Problem, representation: FiniteElementField) -> None:
        if type(problem).flux is Problem.flux:
            raise UsageError(
                f"finite elements solve u_t + ∇·flux = source, and {problem.name} states no flux: define flux(self, t, "
                "x, u) and source(self, t, x, u), or use a GridField or a NeuralField."
            )
        self.problem, self.representation = problem, representation
        linear = representation.degree == 1 and representation.tables.affine
        self.degree = 1 if problem.even and linear else representation.quadrature_degree
        """Of the quadrature on elements: one point is exact where ∇u and coefficients are constant on each."""
        self.definite = False
        """Whether Jacobians may change what :meth:`_slopes` finds, as forms of an energy do."""
        self._varies = False
        self._slope: Tensor | None = None
        self._chunks: dict[int, list[Tables]] = {}

    @cached_property
    def _tables(self) -> Tables:
        r = self.representation
        return r.quadrature_tables if self.degree == r.quadrature_degree else r.tables.interior(self.degree)

    @cached_property
    def pieces(self) -> list[_Piece]:
        """All of it: over the elements, and over parts of the boundary."""
        return [_Piece(self._tables, self._inside, True), *self.boundary]

    def _inside(self, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
        return densities(self.problem, t, x, u)

    @cached_property
    def boundary(self) -> list[_Piece]:
        """Its parts on parts of the boundary."""
        r, pieces = self.representation, list[_Piece]()
        assert isinstance(r.domain, MeshDomain)
        held = r.boundary.table
        for face, facets in r.domain.sides.items():
            condition = held.get(face)
            if condition is None or isinstance(condition, Flux | Robin | Neumann | Pressure):
                if isinstance(condition, Flux) and condition.value == 0.0:
                    continue
                for table in r.tables.facets(facets, r.quadrature_degree):
                    pieces.append(_Piece(table, self._through(condition, table), False))
        for load in r.boundary.loads:
            table = r.tables.single(r.domain.locator.nearest(np.array([load.place])))
            pieces.append(_Piece(table, self._through(load, table), False))
        return pieces

    def _through(self, condition: Condition | None, table: Tables) -> Density:
        normals, c = table.points.flatten(0, 1), self.representation.channels
        if table.normals is not None:
            normals = table.normals.reshape(-1, table.normals.shape[-1])
        if isinstance(condition, Pressure) and condition.follower and not self.follows:
            raise UsageError(
                f"{condition} follows the boundary as it deforms, which {self.problem.name} does not know: take large "
                "deformations (Elasticity), or follower=False."
            )

        def density(t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
            if isinstance(condition, Flux):
                g = condition.at(t, x, c)
            elif isinstance(condition, PointLoad):
                g = -condition.at(t, x, c)
            elif isinstance(condition, Pressure):
                g = condition.flux(t, x, normals)
            elif isinstance(condition, Robin):
                g = condition.coefficient * (u.value - condition.at(t, x, c))
            else:
                grad = u.grad
                if isinstance(condition, Neumann):
                    normal = (grad * normals[:, None]).sum(-1)
                    grad = grad + (condition.at(t, x, c) - normal)[..., None] * normals[:, None]
                g = (self.problem.flux(t, x, Jet(u.value, grad)) * normals[:, None]).sum(-1)
            return -g, torch.zeros_like(u.grad)

        return density

    def residual(self, t: float, values: Tensor) -> Tensor:
        """R at all nodes, ``(N, c)``, of nodal values ``(N, c)``."""
        total = torch.zeros_like(values)
        for piece in self._parts(POINT):
            load, flux = self._at(piece, t, _jet(piece.tables, values))
            self._gather(total, piece, load, flux)
        return total

    def jacobian(self, t: float, values: Tensor, rest: bool = True) -> tuple[Tensor, sp.csr_matrix | sp.bsr_matrix]:
        """R at all nodes (zeros in place of what need not be made, unless ``rest``), and ∂R/∂u between the free
        unknowns, of nodal values ``(N, c)``."""
        total, floats = torch.zeros_like(values), self.representation.channels * (1 + self.representation.dim)
        matrix, self._slope = MatrixSums(self.representation, self.whole, values.dtype), None
        for piece in self._parts(floats**2 if self._varies else 4 * floats):
            table, key = piece.tables, None if piece.whole else id(piece)
            linear = None if self._varies else self._linear(piece, t, _jet(table, values))
            moduli = None if linear or self.definite else self._moduli(piece, t, values)
            if moduli is not None:
                matrix.add_moduli(key, table, moduli)
                if not rest:
                    continue
                load, flux = self._at(piece, t, _jet(table, values))
            else:
                load, flux, parts = self._slopes(piece, t, values) if linear is None or self.definite else linear
                matrix.add_parts(key, table, parts)
            self._gather(total, piece, load, flux)
        return total, matrix.finished()

    def linearised(self, t: float, values: Tensor) -> tuple[Tensor, list[Tensor]]:
        """R and, piece by piece, the derivatives of its densities, ``(e, q, c, 1 + d, c, 1 + d)``."""
        total, out, self._slope = torch.zeros_like(values), [], None
        rows: dict[str, int | slice] = {"u": 0, "g": slice(1, None)}
        for piece in self.pieces:
            load, flux, parts = self._slopes(piece, t, values)
            self._gather(total, piece, load, flux)
            (e, q), (c, d) = piece.tables.weights.shape, flux.shape[1:]
            whole = values.new_zeros(e, q, c, 1 + d, c, 1 + d)
            for name, part in parts.items():
                whole[:, :, :, rows[name[0]], :, rows[name[1]]] = part
            out.append(whole)
        return total, out

    def _parts(self, floats: int) -> Iterator[_Piece]:
        """The pieces, that of all elements in parts."""
        for table in self.chunks(floats):
            yield _Piece(table, self._inside, True)
        yield from self.boundary

    def chunks(self, floats: int) -> Iterable[Tables]:
        """Tables of some elements at a time, see :func:`neuralpde.representations.chunks`: kept, with what is made of
        them, where those of all elements are."""
        if floats not in self._chunks:
            found = chunks(self.representation.tables, self.degree, floats, lambda: self._tables)
            first = list(islice(found, 1))
            if "_tables" not in self.__dict__:
                return chain(first, found)
            self._chunks[floats] = [*first, *found]
        return self._chunks[floats]

    def _slopes(self, piece: _Piece, t: float, values: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The densities at the points of a piece, and their derivatives by (u, ∇u)."""
        jet, (e, q) = _jet(piece.tables, values), piece.tables.weights.shape
        c, d = jet.grad.shape[1:]
        linear = self._linear(piece, t, jet)
        if linear is not None:
            return linear
        moduli = self._moduli(piece, t, values)
        if moduli is not None:
            load, flux = (part.detach() for part in self._at(piece, t, jet))
            return load, flux, {"gg": -moduli.full().reshape(q, e, c, d, c, d).transpose(0, 1)}
        with torch.enable_grad():
            u, grad = jet.value.detach().requires_grad_(), jet.grad.detach().requires_grad_()
            load, flux = self._at(piece, t, Jet(u, grad))
            rows = {"u": load, "g": flux.flatten(1)}
            found = {name + letter: part for name, row in rows.items() for letter, part in _derivatives(row, u, grad)}
        sizes = {"u": (c,), "g": (c, d)}
        parts = {name: part.reshape(e, q, *sizes[name[0]], *sizes[name[1]]) for name, part in found.items()}
        return load.detach(), flux.detach(), parts

    def _linear(self, piece: _Piece, t: float, jet: Jet) -> tuple[Tensor, Tensor, dict[str, Tensor]] | None:
        """See :meth:`_uniform`; None on facets, and from the first time on that it is None."""
        if not piece.whole or piece.tables.inverse.shape[1] > 1 or self._varies:
            return None
        uniform = self._uniform(piece, t, jet)
        if uniform is None:
            self._varies, self._slope = True, None
        return uniform

    def _uniform(self, piece: _Piece, t: float, jet: Jet) -> tuple[Tensor, Tensor, dict[str, Tensor]] | None:
        """The densities, and ∂f/∂∇u where it is the same at all points: of fluxes that are linear in ∇u with one
        coefficient. None where it is not, or where s or f depends on u.

        The derivative is taken at the first point of the first elements. It must predict the flux at all points, of two
        states, and both must have the same source.
        """
        slope = self._slope if self._slope is not None else self._first_slope(piece, t, jet)
        if slope is None:
            return None
        load, flux = (part.detach() for part in self._at(piece, t, jet))
        probe = torch.arange(1, 1 + jet.grad[0].numel()).to(jet.grad).sin().reshape(jet.grad[:1].shape)
        other = Jet(probe[:, :, 0].expand_as(jet.value), probe.expand_as(jet.grad))
        load_other, flux_other = self._at(piece, t, other)
        first = flux[:1].flatten(1)
        same = torch.equal(load, load_other) and _predicted(slope, jet.grad[:1], first, jet.grad, flux)
        if not same or not _predicted(slope, jet.grad[:1], first, other.grad[:1], flux_other):
            return None
        self._slope = slope
        return load, flux, {"gg": slope.reshape(1, 1, *jet.grad.shape[1:], *jet.grad.shape[1:])}

    def _first_slope(self, piece: _Piece, t: float, jet: Jet) -> Tensor | None:
        """∂f/∂∇u at the first point, ``(c d, c d)``; None where s depends on u, or f on anything but ∇u."""
        with torch.enable_grad():
            u, grad = jet.value[:1].detach().requires_grad_(), jet.grad[:1].detach().requires_grad_()
            load, flux = piece.density(t, piece.tables.points[:1, 0], Jet(u, grad))
            rows = dict(_derivatives(flux.flatten(1), u, grad))
        return None if load.requires_grad or set(rows) != {"g"} else rows["g"].reshape(flux[0].numel(), -1)

    def _moduli(self, piece: _Piece, t: float, values: Tensor) -> Moduli | None:
        """Those at the points of a piece ``(q e)``, point by point, where the problem knows them. Pulled back to the
        reference element before any of their entries is made they are a fifth of the work of differentiation."""
        if not piece.whole or type(self.problem).moduli is Problem.moduli:
            return None
        with torch.no_grad():
            points = piece.tables.points.transpose(0, 1).flatten(0, 1)
            return self.problem.moduli(points, gradient_rows(piece.tables, values.T.contiguous()))

    def _at(self, piece: _Piece, t: float, jet: Jet) -> tuple[Tensor, Tensor]:
        return piece.density(t, piece.tables.points.flatten(0, 1), jet)

    def _gather(self, total: Tensor, piece: _Piece, load: Tensor, flux: Tensor) -> None:
        """Add what the densities of a piece give at the nodes."""
        table = piece.tables
        e, q = table.weights.shape
        w = table.weights[..., None]
        local = table.values.transpose(1, 2) @ (w * load.reshape(e, q, -1))
        if piece.whole:
            constant = table.inverse.shape[1] == 1 == table.slopes.shape[1]
            flat = flux.reshape(e, q, -1)
            weighted = (table.weights[:, None] @ flat if constant else w * flat).reshape(e, -1, *flux.shape[1:])
            pulled = weighted @ table.inverse.mT  # (e, q, c, d) along the reference axes
            local = local + torch.einsum("qkd,eqcd->ekc", table.slopes[0].expand(pulled.shape[1], -1, -1), pulled)
        add(total, table.dofs, local)


def _predicted(slope: Tensor, start: Tensor, flux: Tensor, grad: Tensor, found: Tensor) -> bool:
    """Whether all fluxes ``(n, c, d)`` of gradients (n or one for all) are those from (start, flux) along a slope."""
    shift = (grad - start).flatten(1)
    expected = torch.addmm(flux, shift, slope.T)
    size = float(flux.abs().max()) + float(slope.abs().max()) * float(shift.abs().max())
    return float((found.flatten(1) - expected).abs().max()) <= SAME * size


def _jet(table: Tables, values: Tensor) -> Jet:
    """u and ∇u at points, flat over elements."""
    return table.jet(values)


def _derivatives(rows: Tensor, u: Tensor, grad: Tensor) -> Iterator[tuple[str, Tensor]]:
    """∂rows/∂u and ∂rows/∂∇u of rows ``(n, m)``, ``(n, m, …)``, by their letters; nothing where they are zero."""
    if not rows.requires_grad:
        return
    units = torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    found = [
        torch.autograd.grad(rows, [u, grad], unit.expand_as(rows), retain_graph=True, allow_unused=True)
        for unit in units
    ]
    for letter, column, like in zip("ug", zip(*found, strict=True), (u, grad), strict=True):
        if any(part is not None for part in column):
            filled = [torch.zeros_like(like) if part is None else part for part in column]
            yield letter, torch.stack(filled, dim=1)


def element_matrices(table: Tables, slope: Tensor) -> Tensor:
    """Σ_q w B_iᵀ S B_j with B = (φ, ∇φ), ``(e, k c, k c)``, of S ``(e, q, c, 1 + d, c, 1 + d)``."""
    e, c, k = slope.shape[0], slope.shape[2], table.values.shape[-1]
    rows: dict[str, int | slice] = {"u": 0, "g": slice(1, None)}
    parts = {a + b: slope[:, :, :, rows[a], :, rows[b]] for a in "ug" for b in "ug"}
    used = {name: part for name, part in parts.items() if bool(part.any())} or {"uu": parts["uu"]}
    blocks = ElementMatrices(table.values[0], table.slopes[0])(used, table.weights, table.inverse)
    return blocks.reshape(c, c, e, k, k).permute(2, 3, 0, 4, 1).reshape(e, k * c, k * c)
