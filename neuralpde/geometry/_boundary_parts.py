"""The boundary of a mesh in parts that do not overlap, whatever its names do."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from neuralpde.geometry._mesh import Ints, Mesh

UNTAGGED = "untagged"
"""Name of the boundary facets that no tag holds."""

NUMBERED = re.compile(r"(point|line|curve|surface|volume|edge|face)[ _]?\d+", re.IGNORECASE)
"""Names that mesh generators give to every entity, beside those of its user."""


def boundary_tags(mesh: Mesh) -> dict[str, Ints]:
    """Facets of the boundary, numbered by element · local facets + facet, of every tag that has some, ``(n,)``.

    Numbered names of entities are left out where other names hold all of their facets.
    """
    number, _, counts = mesh.shared_facets
    f, corners = len(mesh.element.facets), len(mesh.cells)
    found: dict[str, Ints] = {}
    for name, facets in mesh.tags.items():
        alone = counts[number[facets[:, 1] * corners + facets[:, 0]]] == 1
        if alone.any():
            found[name] = np.unique(facets[alone, 0] * f + facets[alone, 1])
    chosen = [ids for name, ids in found.items() if not NUMBERED.fullmatch(name)]
    named = np.unique(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)
    return {n: ids for n, ids in found.items() if not NUMBERED.fullmatch(n) or not np.isin(ids, named).all()}


def boundary_parts(mesh: Mesh, tags: Mapping[str, Ints]) -> dict[str, tuple[Ints, tuple[str, ...]]]:
    """The boundary cut where names begin and end: per part its facets, ``(n, 2)`` of element and local facet, and the
    tags that hold them.

    A part has the name of the tag that is the same facets, if there is one. Otherwise it is ``"rest of a"``, what the
    other names leave of a, or ``"a & b"``, what a and b share.

    Args:
        mesh: of a domain.
        tags: of :func:`boundary_tags`.
    """
    f = len(mesh.element.facets)
    outside = np.sort(mesh.boundary[:, 0] * f + mesh.boundary[:, 1])
    holds = np.stack([np.isin(outside, ids) for ids in tags.values()], axis=1) if tags else np.zeros((len(outside), 0))
    kinds, first, which = np.unique(holds, axis=0, return_index=True, return_inverse=True)
    names = list(tags)
    found: dict[str, tuple[Ints, tuple[str, ...]]] = {}
    order = sorted(range(len(kinds)), key=lambda k: (*(not held for held in kinds[k]), first[k]))
    for k in order:
        ids = outside[which.reshape(-1) == k]
        holders = tuple(name for name, held in zip(names, kinds[k], strict=True) if held)
        found[_name(holders, ids, tags)] = np.stack([ids // f, ids % f], axis=1), holders
    return found


def _name(holders: tuple[str, ...], ids: Ints, tags: Mapping[str, Ints]) -> str:
    same = [name for name in holders if len(tags[name]) == len(ids)]
    if same:
        return same[0]
    if len(holders) == 1:
        return f"rest of {holders[0]}"
    return " & ".join(holders) if holders else UNTAGGED
