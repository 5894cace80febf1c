"""Extensions of boundary data into a mesh's domain, linear in the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch

from neuralpde.geometry import (
    Dirichlet,
    MeshDomain,
    NearPoints,
    ScalarJet,
    SmoothDistance,
    chunks,
    facet_normals,
    facet_potential,
)
from neuralpde.representations._polynomials import Floats, Ints, PolynomialFit, Polynomials

DEGREE = {2: 16, 3: 10}
"""Largest degree of the polynomials that data are fitted with, by dimension."""

SAMPLES = 2500
"""Most points of a group that its polynomial is fitted to."""

TIMES = (0.0, 0.37, 1.0)
"""Times at which data that meet are compared."""

SAME = 1e-9
NOTHING = 1e-13
"""Remainders below this share of the data are rounding."""

Parts = tuple[Floats, Floats, Floats]
"""Values ``(n, c)``, gradients ``(n, c, d)`` and Laplacians ``(n, c)``."""


@dataclass
class Group:
    """Parts of the boundary whose data are one smooth function.

    Args:
        faces: their names.
        conditions: theirs.
        domain, channels: as of the lift.
    """

    domain: MeshDomain
    faces: tuple[str, ...]
    conditions: tuple[Dirichlet, ...]
    channels: int

    @cached_property
    def distance(self) -> SmoothDistance:
        """Of these parts."""
        return SmoothDistance(self.domain, self.faces)

    @cached_property
    def samples(self) -> list[Floats]:
        """Where each face's data are looked at to fit them: the corners of its facets, and points between."""
        rng, out = np.random.default_rng(0), []
        total = sum(len(self.domain.sides[face]) for face in self.faces)
        for face in self.faces:
            corners = np.unique(SmoothDistance.nodes_of(self.domain, face), axis=0)
            x = np.concatenate([corners, self.domain.face_lattice(face, 3 * len(self.domain.sides[face])).points])
            most = max(50, SAMPLES * len(self.domain.sides[face]) // total)
            out.append(x if len(x) <= most else x[np.sort(rng.permutation(len(x))[:most])])
        return out

    def at(self, t: float, places: Sequence[Floats]) -> Floats:
        """Data at points of each face, one below the other, ``(n, c)``."""
        values = [c.at(t, torch.from_numpy(x), self.channels) for c, x in zip(self.conditions, places, strict=True)]
        return torch.cat([v.detach().double() for v in values]).numpy()

    @property
    def constant(self) -> Floats | None:
        """The data ``(c,)``, where they are the same number everywhere and always."""
        first = self.conditions[0].value
        if any(callable(c.value) or c.value != first for c in self.conditions):
            return None
        anywhere = torch.zeros(1, self.domain.dim, dtype=torch.float64)
        return self.conditions[0].at(0.0, anywhere, self.channels)[0].numpy()


class BoundaryLift:
    """L(x) = Σ_g β_g(x) P_g(x) + T(x): a smooth function that has the data on the Dirichlet parts.

    Data that are one function (the same value, or joined without a jump) make a group g. P_g is the smoothest
    polynomial closest to the group's data, and the constant itself where they are constant; β_g blends the groups by
    the inverse of their smooth distances, Σ β_g = 1; T is what the polynomials miss, linear on every facet, extended by
    the potentials of the facets: T = Σ_i r_i n_i / Σ_i n_i with n_i = ∫ λ_i |x − y|^{−d} dS, Poisson's integral where
    the boundary is straight. Only data on the boundary are looked at, and L is linear in them. Smooth data are met to
    rounding; rough ones exactly at the corners of facets, and as their linear interpolation between.

    Args:
        domain: of the mesh.
        conditions: by the names of parts.
        channels: number of values c.

    Source: transfinite interpolation by inverse distances, Rvachev, Sheiko, Shapiro & Tsukanov, CAGD 18 (2001); T as in
    Belyaev & Fayolle, Transfinite barycentric coordinates (2017).
    """

    def __init__(self, domain: MeshDomain, conditions: dict[str, Dirichlet], channels: int) -> None:
        self.domain, self.channels = domain, channels
        self.groups = [
            Group(domain, tuple(names), tuple(conditions[n] for n in names), channels)
            for names in _grouped(domain, conditions, channels)
        ]
        self.polynomials = Polynomials(domain.lower, domain.upper, DEGREE[domain.dim])
        self.corners = np.concatenate([SmoothDistance.facets_of(domain, f) for g in self.groups for f in g.faces])
        """Straight facets of all groups."""
        self.node, self.first = _numbered(self.groups)
        self._fits: dict[int, PolynomialFit] = {}
        self._latest: tuple[float, list[Floats], Floats | None] | None = None

    def _fit(self, k: int) -> PolynomialFit:
        if k not in self._fits:
            self._fits[k] = self.polynomials.fit(np.concatenate(self.groups[k].samples))
        return self._fits[k]

    def data(self, t: float) -> tuple[list[Floats], Floats | None]:
        """Per group the coefficients ``(m, c)`` or the constant ``(1, c)``, and what is left at the numbered corners of
        facets, ``(k, c)``, None where that is nothing."""
        if self._latest is None or self._latest[0] != t:
            coefficients, rest, largest, size = [], [], 0.0, 0.0
            for k, group in enumerate(self.groups):
                places = [SmoothDistance.nodes_of(self.domain, face) for face in group.faces]
                constant = group.constant
                if constant is not None:
                    coefficients.append(constant[None])
                    rest.append(np.zeros((sum(map(len, places)), self.channels)))
                    continue
                coefficients.append(self._fit(k)(group.at(t, group.samples)))
                wanted = group.at(t, places)
                rest.append(wanted - self.polynomials.values(np.concatenate(places)) @ coefficients[-1])
                largest, size = max(largest, np.abs(rest[-1]).max()), max(size, np.abs(wanted).max())
            left = np.concatenate(rest)[self.first] if largest > NOTHING * size else None
            self._latest = (t, coefficients, left)
        return self._latest[1:]

    def at(self, t: float, points: LiftPoints, jets: bool) -> Parts:
        """L and its derivatives at fixed points (zeros without ``jets``)."""
        coefficients, rest = self.data(t)
        n, d, c = len(points.x), self.domain.dim, self.channels
        value, grad, laplacian = np.zeros((n, c)), np.zeros((n, c, d)), np.zeros((n, c))
        for k, rows in enumerate(coefficients):
            p, dp, lp = self._polynomial(points, rows, jets)
            if len(coefficients) == 1:
                value, grad, laplacian = p, dp, lp
                break
            b = points.blends(jets)[k]
            value = value + b.value[:, None] * p
            if jets:
                grad = grad + b.value[:, None, None] * dp + p[..., None] * b.grad[:, None]
                cross = 2 * (dp * b.grad[:, None]).sum(-1)
                laplacian = laplacian + b.value[:, None] * lp + cross + p * b.laplacian[:, None]
        if rest is not None:
            a, da, la = points.hats(jets)
            value = value + a @ rest
            if jets:
                grad = grad + np.stack([m @ rest for m in da], axis=-1)
                laplacian = laplacian + la @ rest
        return value, grad, laplacian

    def _polynomial(self, points: LiftPoints, rows: Floats, jets: bool) -> Parts:
        n, d = points.x.shape
        if len(rows) == 1:
            zero = np.zeros((n, self.channels))
            return zero + rows, np.zeros((n, self.channels, d)), zero
        if not jets:
            p = self.polynomials.values(points.x)
            return p @ rows, np.zeros((n, self.channels, d)), np.zeros((n, self.channels))
        p, dp, lp = points.polynomials
        return p @ rows, np.stack([m @ rows for m in dp], axis=-1), lp @ rows


class LiftPoints:
    """What a lift keeps of fixed points, so that data at another time cost a product.

    Args:
        lift: of what.
        x: points ``(n, d)``.
        near: the same, moved off the boundary.
    """

    def __init__(self, lift: BoundaryLift, x: Floats, near: NearPoints) -> None:
        self.lift, self.x, self.near = lift, x, near
        self._blends: tuple[bool, list[ScalarJet]] | None = None
        self._hats: tuple[bool, Parts] | None = None

    @cached_property
    def polynomials(self) -> Parts:
        """Their jets at the points."""
        return self.lift.polynomials.jets(self.x)

    def blends(self, jets: bool) -> list[ScalarJet]:
        """β_g of every group."""
        if self._blends is None or self._blends[0] < jets:
            full = jets or bool((self.near.back != 0).any())
            parts = [group.distance.inverse(self.near, full) for group in self.lift.groups]
            one = ScalarJet(*(np.sum([p[k] for p in parts], axis=0) for k in range(3))).inverse()
            found = [self.near.follow(part.times(one)) for part in parts]
            self._blends = (jets, found)
        return self._blends[1]

    def hats(self, jets: bool) -> Parts:
        """n_i / Σ n_i of the corners of Dirichlet facets: values ``(n, k)``, gradients ``(d, n, k)``, Laplacians."""
        if self._hats is None or self._hats[0] < jets:
            full = jets or bool((self.near.back != 0).any())
            self._hats = (jets, hat_potentials(self.near, self.lift.corners, self.lift.node, full))
        return self._hats[1]


def hat_potentials(near: NearPoints, corners: Floats, node: Ints, jets: bool) -> Parts:
    """n_i / Σ_j n_j with n_i = ∫ λ_i |x − y|^{−d} dS, λ_i linear on every facet, 1 at one corner and 0 at the others.

    Args:
        near: points.
        corners: of facets, ``(f, d, d)``.
        node: number i of every facet's corners, ``(f d,)``.
        jets: whether derivatives are wanted.
    """
    x, (f, k, d), m = near.points, corners.shape, int(node.max()) + 1
    slopes = _hat_slopes(corners)
    gather = sp.csr_matrix((np.ones(f * k), (node, np.arange(f * k))), shape=(m, f * k))
    value, grad, laplacian = np.zeros((len(x), m)), np.zeros((d, len(x), m)), np.zeros((len(x), m))

    def gathered(parts: list[Floats]) -> Floats:
        return np.asarray((gather @ np.stack(parts, axis=-1).reshape(-1, f * k).T).T)

    for rows in chunks(len(x), f):
        p = facet_potential(x[rows], corners)
        hats = [1 + ((x[rows, None] - corners[None, :, i]) * slopes[:, i]).sum(-1) for i in range(k)]
        one = 1 / p.value.sum(1)[:, None]
        v = gathered([hats[i] * p.value + (slopes[:, i] * p.moment).sum(-1) for i in range(k)]) * one
        if jets:
            total, cross = p.grad.sum(1) * one, np.zeros_like(v)
            for a in range(d):
                turn = p.moment_grad[..., a]
                dn = [
                    slopes[:, i, a] * p.value + hats[i] * p.grad[..., a] + (slopes[:, i] * turn).sum(-1)
                    for i in range(k)
                ]
                grad[a, rows] = gathered(dn) * one - v * total[:, a : a + 1]
                cross += grad[a, rows] * total[:, a : a + 1]
            ln = [2 * (slopes[:, i] * p.grad).sum(-1) + hats[i] * p.laplacian for i in range(k)]
            laplacian[rows] = gathered(ln) * one - 2 * cross - v * p.laplacian.sum(1)[:, None] * one
            v = v + np.einsum("ank,na->nk", grad[:, rows], near.back[rows])
        value[rows] = v
    return value, grad, laplacian


def _hat_slopes(corners: Floats) -> Floats:
    """Gradients in their planes of the linear functions that are 1 at one corner and 0 at the others, ``(f, d, d)``."""
    d, normal = corners.shape[-1], facet_normals(corners)
    out = np.empty_like(corners)
    for i in range(d):
        others = [corners[:, j] for j in range(d) if j != i]
        away = corners[:, i] - others[0]
        if d == 3:
            edge = others[1] - others[0]
            away = away - ((away * edge).sum(-1) / (edge**2).sum(-1))[:, None] * edge
        away = away - (away * normal).sum(-1, keepdims=True) * normal
        out[:, i] = away / (away**2).sum(-1, keepdims=True)
    return out


def _numbered(groups: list[Group]) -> tuple[Ints, Ints]:
    """Numbers of the corners of all facets, the same where a group has them twice, and the first corner of each."""
    places, number = [], []
    for k, group in enumerate(groups):
        x = np.concatenate([SmoothDistance.nodes_of(group.domain, face) for face in group.faces])
        places.append(np.round(x / (1e-9 * max(group.domain.lengths))))
        number.append(np.full((len(x), 1), k))
    keys = np.concatenate([np.concatenate(number), np.concatenate(places)], axis=1)
    _, first, node = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return node.reshape(-1), first


def _grouped(domain: MeshDomain, conditions: dict[str, Dirichlet], channels: int) -> list[list[str]]:
    """Names of parts with the same value, or that meet without a jump, together."""
    names, leader = list(conditions), {name: name for name in conditions}

    def find(name: str) -> str:
        return name if leader[name] == name else find(leader[name])

    for k, a in enumerate(names):
        for b in names[:k]:
            if find(a) != find(b) and _join(domain, conditions[a], conditions[b], a, b, channels):
                leader[find(a)] = find(b)
    return [[n for n in names if find(n) == head] for head in names if find(head) == head]


def _join(domain: MeshDomain, one: Dirichlet, other: Dirichlet, a: str, b: str, channels: int) -> bool:
    if one.value is other.value:
        return True
    if not callable(one.value) and not callable(other.value):
        return one.value == other.value
    scale = domain.mesh.points.max(0) - domain.mesh.points.min(0)
    keys = [np.round(SmoothDistance.nodes_of(domain, face) / scale.max(), 9) for face in (a, b)]
    shared = np.array(sorted({tuple(p) for p in keys[0]} & {tuple(p) for p in keys[1]})) * scale.max()
    if not len(shared):
        return False
    x = torch.from_numpy(shared)
    for t in TIMES:
        u, v = one.at(t, x, channels), other.at(t, x, channels)
        size = float(torch.maximum(u.abs().max(), v.abs().max()))
        if float((u - v).abs().max()) > SAME * 1e3 * max(size, 1e-300):
            return False
    return True
