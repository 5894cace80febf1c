"""What a mesh is like, in words and figures: size, names, quality, what finite elements on it cost, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from neuralpde.cases._memory import element_bytes, element_nodes
from neuralpde.geometry import Defect, Mesh, MeshDomain, MeshError, defects, facet_quadrature, read_mesh

BINS = 10
"""Steps of the histogram of qualities."""

BAR = 30
"""Letters of its longest bar."""

POOR = 0.1
"""Below that an element spoils the accuracy around it and the conditioning of the whole."""

WORST = 3
"""How many of the worst elements are named."""

MEASURES = {1: "length", 2: "area", 3: "volume"}
FACETS = {2: "edges", 3: "faces"}
FATAL = (Defect.EMPTY, Defect.NAN_COORDINATES, Defect.INFINITE_COORDINATES, Defect.NEGATIVE_INDEX, Defect.BAD_TAG)
"""Defects with which nothing more can be counted, with a number beyond the last point."""


def mesh_lines(path: Path) -> tuple[list[str], bool]:
    """A mesh file in lines, and whether nothing is wrong with it.

    Raises:
        DataError: for a file that is missing or holds no mesh.
    """
    mesh = read_mesh(path, check=False)
    wrong = list(defects(mesh))
    lines = [f"mesh {path}", *_size(mesh)]
    if not any(defect in (*FATAL, Defect.INDEX_OUT_OF_RANGE) for defect, _ in wrong):
        lines += [*_names(mesh, sound=not wrong), *_quality(mesh)]
        if not mesh.surface:
            lines += _cost(mesh)
    for defect, ids in wrong:
        lines.append(_line("defect", str(MeshError(defect, ids, "WHERE")).removeprefix("WHERE: ")))
    if not wrong and not mesh.surface:
        lines.append(_line("defects", "none"))
    return lines, not wrong


def _line(label: str, text: str) -> str:
    return f"  {label:<10} {text}"


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{v:.4g}" for v in values)


def _size(mesh: Mesh) -> Iterator[str]:
    element, many = mesh.element, len(mesh.cells)
    order = "straight" if element.order == 1 else "quadratic, edges may be curved"
    yield _line("size", f"{len(mesh.points)} points, {many} elements: {mesh.kind} ({order}), in {mesh.dim}D")
    if not many or not np.isfinite(mesh.points).all():
        return
    low, high = mesh.points.min(0), mesh.points.max(0)
    yield _line("box", " × ".join(f"[{a:.6g}, {b:.6g}]" for a, b in zip(low, high, strict=True)))


def _names(mesh: Mesh, sound: bool) -> Iterator[str]:
    """Parts of the domain and of its boundary; their lengths and areas where nothing is wrong."""
    kind = MEASURES[mesh.element.dim]
    yield _line(kind, f"{mesh.measures.sum():.8g}")
    pieces = int(mesh.components.max()) + 1
    if mesh.surface:
        free = len(mesh.boundary)
        yield _line("surface", "closed" if not free else f"open, with {free} free {FACETS[2]}")
        how = "turn it into the plane z = 0" if _flat(mesh) else "mesh the volume inside, or a part of the plane z = 0"
        yield _line("use", f"no equation of a domain can be solved on a surface: {how}")
    elif pieces > 1:
        yield _line("pieces", f"{pieces} that no facet joins: each needs a condition of its own")
    for name, ids in mesh.parts.items():
        yield _line("part", f"{name!r}: {len(ids)} elements, {kind} {mesh.measures[ids].sum():.6g}")
    if not sound or mesh.surface:
        for name, ids in mesh.tags.items():
            yield _line("tag", f"{name!r}: {len(ids)} {FACETS[mesh.element.dim]}")
        return
    domain = MeshDomain(mesh)
    sides = {name: np.concatenate([domain.sides[part] for part in domain.parts_of(name)]) for name in domain.names}
    inside = {name: ids for name, ids in mesh.tags.items() if name not in sides}
    for a, b, count in _overlaps(sides):
        yield _line("overlap", f"{a!r} and {b!r} share {count} {FACETS[mesh.dim]}: no condition may name both")
    for label, found in (("boundary", sides), ("inside", inside)):
        for name, ids in found.items():
            size = float(facet_quadrature(mesh, ids, 2 * (mesh.dim - 1)).weights.sum())
            measure = f"{MEASURES[mesh.dim - 1]} {size:.6g}"
            yield _line(label, f"{name!r}: {len(ids)} {FACETS[mesh.dim]}, {measure}")


def _overlaps(sides: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, int]]:
    """Pairs of names that share facets, and how many."""
    for (a, one), (b, two) in combinations(sides.items(), 2):
        count = len({*map(tuple, one.tolist())} & {*map(tuple, two.tolist())})
        if count:
            yield a, b, count


def _flat(mesh: Mesh) -> bool:
    """Whether a surface lies in one plane."""
    spread = np.linalg.svd(mesh.points - mesh.points.mean(0), compute_uv=False)
    return bool(spread[-1] <= 1e-9 * spread[0])


def _quality(mesh: Mesh) -> Iterator[str]:
    """Shapes of the elements, 1 the best and 0 flat."""
    q = mesh.qualities
    worst = np.argsort(q, kind="stable")[:WORST]
    middles = mesh.points[mesh.cells[worst, : mesh.element.corners]].mean(1)
    places = ", ".join(f"{i} at ({_numbers(x)})" for i, x in zip(worst, middles, strict=True))
    poor = int((q < POOR).sum())
    yield _line("quality", f"min {q.min():.3f}, median {np.median(q):.3f}, max {q.max():.3f} (1 is regular, 0 is flat)")
    yield _line("worst", f"element {places}" if len(worst) == 1 else f"elements {places}")
    if poor:
        yield _line("", f"{poor} below {POOR:g}: remesh there, or the solution around them is poor")
    counts, edges = np.histogram(q, bins=BINS, range=(0.0, 1.0))
    first = int(np.flatnonzero(counts)[0])
    for k in range(first, BINS):
        bar = "█" * round(BAR * counts[k] / counts.max())
        yield _line("", f"{edges[k]:.1f}–{edges[k + 1]:.1f} {counts[k]:>8} {bar}".rstrip())


def _cost(mesh: Mesh) -> Iterator[str]:
    """Values and memory of finite elements, for one unknown."""
    letter = "P" if mesh.element.shape in ("triangle", "tetrahedron") else "Q"
    for degree in (1, 2):
        nodes, size = element_nodes(mesh, degree), element_bytes(mesh, degree)
        memory = f"{size / 2**20:.2g} MiB" if size < 10 * 2**20 else f"{size / 2**20:.0f} MiB"
        yield _line(f"{letter}{degree}", f"{nodes} values of one unknown, about {memory} to solve")
