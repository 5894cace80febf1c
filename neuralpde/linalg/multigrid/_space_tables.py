"""Which numbers are multiplied with which, to smooth, interpolate and form coarse operators of a grid in space.

All loops are sums of products of rows of numbers, at places that differ from row to row by the same shifts. Here are
the shifts: one table for each kind of cell. A matrix A is its couplings W_δ and row sums, (A u)_i = e_i u_i + Σ_δ
W_δ,i (u_i − u_{i+δ}) + W_δ,i−δ (u_i − u_{i−δ}); interpolation P is kept as what each coarse cell I gives to the fine
cells o away from its own, P_o,I.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._space_layout import NEIGHBOURS, NEIGHBOURS_27, Layout, Step, Triple

Table = NDArray[np.int64]
ZERO: Triple = (0, 0, 0)


def plus(a: tuple[int, ...], b: tuple[int, ...], scale: int = 1) -> Triple:
    return a[0] + scale * b[0], a[1] + scale * b[1], a[2] + scale * b[2]


def minus(a: tuple[int, ...]) -> Triple:
    return -a[0], -a[1], -a[2]


def table(rows: list[Any], columns: int) -> Table:
    return np.array(rows, np.int64).reshape(len(rows), columns)


def coupling(layout: Layout, half: tuple[Triple, ...], x: Triple, d: Triple) -> int:
    """Shift to the weight between the cells x and x + d, in the flat stack of couplings."""
    stored, number = (x, half.index(d)) if d in half else (plus(x, d), half.index(minus(d)))
    return number * layout.size + layout.shift(stored)


def both(half: tuple[Triple, ...]) -> list[Triple]:
    """All neighbours of a cell."""
    return [*half, *(minus(d) for d in half)]


@dataclass(frozen=True)
class Rows:
    """How one kind of fine cells, odd along some axes, is interpolated from coarse cells.

    Args:
        odd: the kind.
        links: (slot, shift of W, own): couplings, lumped into one slot for each neighbour along the odd axes; ``own``
            is 1 for that with this neighbour itself.
        shifts: (shift of the neighbour,) of each slot.
        terms: (parent, slot, shift of P): the coarse parents' shares of that neighbour.
        outs: (shift of P,) of each parent.
        own: shift of the cell.
    """

    odd: Triple
    links: Table
    shifts: Table
    terms: Table
    outs: Table
    own: int


def parents(odd: Triple) -> list[Triple]:
    return list(itertools.product(*((0, 1) if o else (0,) for o in odd)))  # type: ignore[arg-type]


def kinds(step: Step, count: int) -> list[Triple]:
    """Kinds of fine cells that are odd along ``count`` coarsened axes."""
    kinds = itertools.product(*((0, 1) if c == 2 else (0,) for c in step.factors))
    return [odd for odd in kinds if sum(odd) == count]  # type: ignore[misc]


@lru_cache(maxsize=256)
def interpolation_rows(step: Step, finest: bool, odd: Triple) -> Rows:
    half = NEIGHBOURS if finest else NEIGHBOURS_27
    lumped: dict[Triple, int] = {}
    links, terms = [], []
    for d in both(half):
        along = (d[0] * odd[0], d[1] * odd[1], d[2] * odd[2])
        if along != ZERO:
            slot = lumped.setdefault(along, len(lumped))
            links.append((slot, coupling(step.fine, half, odd, d), int(d == along)))
    outs = [step.number(share_of(odd, a)) * step.size + step.shift(a) for a in parents(odd)]
    for (parent, a), (along, slot) in itertools.product(enumerate(parents(odd)), lumped.items()):
        if all(s in (0, 2 * b - 1) for s, b in zip(along, a, strict=True) if s):
            rest = share_of((odd[0] - abs(along[0]), odd[1] - abs(along[1]), odd[2] - abs(along[2])), a)
            terms.append((parent, slot, step.number(rest) * step.size + step.shift(a)))
    shifts = [(step.fine.shift(plus(odd, along)),) for along in lumped]
    return Rows(
        odd, table(links, 3), table(shifts, 1), table(terms, 3), table([(o,) for o in outs], 1), step.fine.shift(odd)
    )


def share_of(odd: tuple[int, ...], a: Triple) -> Triple:
    """Where a fine cell of that kind lies, seen from its parent a."""
    return odd[0] * (1 - 2 * a[0]), odd[1] * (1 - 2 * a[1]), odd[2] * (1 - 2 * a[2])


@dataclass(frozen=True)
class Product:
    """How a coarse operator PᵀAP is formed, a stretch of coarse cells I at a time.

    Args:
        ends: where the rows of each place q seen from I begin and end in the next three tables: row q is their ends.
        couplings: (shift of W, shift of P): v += W P, the number −(A P_I) at q.
        diagonals: (shift of the diagonal, shift of P): v −= a P.
        sums: (δ, shift of P): W_δ += P v.
        excess: (shift of the residual of 1, shift of P).
    """

    ends: Table
    couplings: Table
    diagonals: Table
    sums: Table
    excess: Table


@lru_cache(maxsize=64)
def galerkin_product(step: Step, finest: bool) -> Product:
    half = NEIGHBOURS if finest else NEIGHBOURS_27
    shares = {o: number * step.size for number, o in enumerate(step.offsets)}
    sums: dict[Triple, list[tuple[int, int]]] = {}
    reach = [(-2, -1, 0, 1, 2) if c == 2 else (-1, 0, 1) for c in step.factors]
    for (number, delta), q in itertools.product(enumerate(NEIGHBOURS_27), itertools.product(*reach)):
        away = tuple(x - c * y for x, c, y in zip(q, step.factors, delta, strict=True))
        if away in shares:
            sums.setdefault(q, []).append((number, shares[away] + step.shift(delta)))  # type: ignore[index, arg-type]
    ends: list[tuple[int, int, int]] = [(0, 0, 0)]
    couplings: list[tuple[int, int]] = []
    diagonals: list[tuple[int, int]] = []
    for q in sums:
        if q in shares:
            diagonals.append((step.fine.shift(q), shares[q]))
        for d in both(half):
            if plus(q, d) in shares:
                couplings.append((coupling(step.fine, half, q, d), shares[plus(q, d)]))
        ends.append((len(couplings), len(diagonals), ends[-1][2] + len(sums[q])))
    excess = [(step.fine.shift(o), share) for o, share in shares.items()]
    all_sums = [row for rows in sums.values() for row in rows]
    return Product(table(ends, 3), table(couplings, 2), table(diagonals, 2), table(all_sums, 2), table(excess, 2))


@dataclass(frozen=True)
class Transfers:
    """Shifts by which P and Pᵀ act on rows.

    Args:
        counts, shifts: (shift of P, shift of e) of the coarse parents of cells of the kind 4 odd₀ + 2 odd₁ + odd₂.
        served, serves: (shift of the residual, shift of P) of fine cells that a coarse cell serves. Colour 2 is all of
            them, colour 0 those an even number of steps away, colour 1 the others.
    """

    counts: Table
    shifts: Table
    served: Table
    serves: Table


@lru_cache(maxsize=256)
def transfers(step: Step) -> Transfers:
    counts, shifts = np.zeros(8, np.int64), np.zeros((8, 8, 2), np.int64)
    for odd in (odd for count in range(4) for odd in kinds(step, count)):
        kind = 4 * odd[0] + 2 * odd[1] + odd[2]
        for a in parents(odd):
            share = step.number(share_of(odd, a)) * step.size + step.shift(a)
            shifts[kind, counts[kind]] = share, step.shift(a)
            counts[kind] += 1
    served, serves = np.zeros(3, np.int64), np.zeros((3, 27, 2), np.int64)
    for number, o in enumerate(step.offsets):
        for colour in (sum(o) % 2, 2):
            serves[colour, served[colour]] = step.fine.shift(o), number * step.size
            served[colour] += 1
    return Transfers(counts, shifts, served, serves)


@dataclass(frozen=True)
class Around:
    """Where the neighbours of each kind of cells are, seen from a cell.

    Args:
        shifts, cells: places of all couplings and of the cells that they lead to, ``(4 kinds, neighbours)``.
        colours: (shift of W, shift of u) for each of the 4 kinds in a plane with even number, then with odd number;
            neighbours that come before it in a sweep first.
        lower: how many of them do.
    """

    shifts: Table
    cells: Table
    colours: NDArray[np.int64]
    lower: Table


@lru_cache(maxsize=64)
def around(layout: Layout, finest: bool) -> Around:
    half = NEIGHBOURS if finest else NEIGHBOURS_27
    shifts, cells, colours, lower = [], [], [], []
    for a, b, c in itertools.product(range(2), repeat=3):
        own = layout.shift((0, b, c))
        rows = []
        for d in both(half):
            there = 4 * ((a + d[0]) % 2) + 2 * ((b + d[1]) % 2) + (c + d[2]) % 2
            places = coupling(layout, half, (0, b, c), d) - own, layout.shift(plus((0, b, c), d)) - own
            rows.append((there >= 4 * a + 2 * b + c, *places))
        if a == 0:
            shifts.append([row[1] for row in rows])
            cells.append([row[2] for row in rows])
        rows.sort(key=lambda row: row[0])
        colours.append([row[1:] for row in rows])
        lower.append(sum(not row[0] for row in rows))
    return Around(*(np.array(part, np.int64) for part in (shifts, cells, colours, lower)))
