"""Solutions on meshes as ParaView files: elements of the field's own order, parts and boundary by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuralpde.geometry import ELEMENTS, Mesh, MeshDomain
from neuralpde.io import save_vtu
from neuralpde.representations import FiniteElementField

if TYPE_CHECKING:
    from torch import Tensor

    from neuralpde.simulate._solution import Solution

_SECOND = {"triangle": "triangle6", "quad": "quad9", "tetra": "tetra10", "hexahedron": "hexahedron27"}
_FACETS: dict[tuple[int, int], tuple[str, ...]] = {
    (2, 1): ("line",),
    (3, 1): ("triangle",),
    (4, 1): ("quad",),
    (2, 2): ("line3",),
    (3, 2): ("triangle6",),
    (4, 2): ("quad9", "quad8"),
}
"""Elements that a facet can be, by its corners and the order of the mesh; the first whose nodes there are."""


def shown_mesh(solution: Solution) -> Mesh:
    """The mesh that a solution is written on: its own, with the middles of edges and faces where the field is no
    polynomial of degree 1 on straight elements."""
    domain, r = solution.problem.domain, solution.representation
    assert isinstance(domain, MeshDomain)
    straight = isinstance(r, FiniteElementField) and r.degree == 1
    return domain.mesh if straight or domain.mesh.element.order > 1 else second_order(domain.mesh)


def second_order(mesh: Mesh) -> Mesh:
    """The same straight elements with nodes in the middles of edges, faces and boxes too; parts and tags stay.

    Example:
        >>> one = Mesh(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), np.array([[0, 1, 2]]))
        >>> second_order(one).points[3:].tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    target = ELEMENTS[_SECOND[mesh.kind]]
    shares = mesh.element.values(np.asarray(target.nodes)) > 1e-9  # corners that a node lies in the middle of
    cells, points = np.zeros((len(mesh.cells), len(target.nodes)), dtype=np.int64), [mesh.points]
    start = len(mesh.points)
    cells[:, : mesh.element.corners] = mesh.cells
    for count in np.unique(shares.sum(1)):
        nodes = np.flatnonzero((shares.sum(1) == count) & (np.arange(len(shares)) >= mesh.element.corners))
        if not len(nodes):
            continue
        corners = np.stack([np.sort(mesh.cells[:, np.flatnonzero(shares[node])], axis=1) for node in nodes], axis=1)
        unique, number = np.unique(corners.reshape(-1, count), axis=0, return_inverse=True)
        cells[:, nodes] = start + number.reshape(len(mesh.cells), len(nodes))
        points.append(mesh.points[unique].mean(1))
        start += len(unique)
    return Mesh(np.concatenate(points), cells, target.name, mesh.parts, mesh.tags)


def mesh_writer(
    solution: Solution, fields: Callable[[float, Tensor], dict[str, Tensor]]
) -> Callable[[Path, float], Path]:
    """What writes one time: (name without suffix, t) → the file.

    Args:
        solution: on a mesh.
        fields: (t, points) → values by name, each ``(n, k)``.
    """
    mesh, r = shown_mesh(solution), solution.representation
    x = torch.as_tensor(mesh.points, dtype=r.dtype, device=r.device)
    cell_data = cells_by_name(mesh)

    def write(name: Path, t: float) -> Path:
        data = {key: values.detach().cpu().double().numpy() for key, values in fields(t, x).items()}
        data = {key: values[:, 0] if values.shape[1] == 1 else values for key, values in data.items()}
        return save_vtu(name.with_suffix(".vtu"), mesh.points, {mesh.kind: mesh.cells}, data, cell_data)

    return write


def cells_by_name(mesh: Mesh) -> dict[str, np.ndarray]:
    """Quality of every element, the number of its part (0 for none), and 1 in each part by its name."""
    part = np.zeros(len(mesh.cells), dtype=np.int32)
    inside: dict[str, np.ndarray] = {}
    for number, (name, ids) in enumerate(mesh.parts.items(), start=1):
        part[ids] = number
        inside[f"in {name}"] = np.isin(np.arange(len(mesh.cells)), ids)
    return {"quality": mesh.qualities, "part": part, **(inside if len(inside) > 1 else {})}


def save_boundary(path: Path, domain: MeshDomain) -> Path:
    """The boundary as a file of its own: the number of every facet's part, and 1 in each part by its name."""
    mesh, facets = domain.mesh, np.concatenate(list(domain.sides.values()))
    tag = np.repeat(np.arange(1, 1 + len(domain.sides)), [len(ids) for ids in domain.sides.values()]).astype(np.int32)
    inside = {f"on {name}": tag == number for number, name in enumerate(domain.sides, start=1)}
    kind, nodes = facet_cells(mesh, facets)
    kept, numbers = np.unique(nodes, return_inverse=True)
    return save_vtu(path, mesh.points[kept], {kind: numbers.reshape(nodes.shape)}, cell_data={"tag": tag, **inside})


def facet_cells(mesh: Mesh, facets: np.ndarray) -> tuple[str, np.ndarray]:
    """Facets ``(n, 2)`` as elements of their own, curved ones as such: meshio's name and nodes ``(n, k)``."""
    element = mesh.element
    for name in _FACETS[len(element.facets[0]), element.order]:
        target = ELEMENTS[name]
        flat = ELEMENTS[_FACETS[len(element.facets[0]), 1][0]].values(np.asarray(target.nodes))
        places = np.stack([flat @ np.asarray(element.nodes)[list(facet)] for facet in element.facets])
        away = np.abs(places[:, :, None] - np.asarray(element.nodes)).max(-1)
        if (away.min(-1) < 1e-9).all():
            break
    return name, np.take_along_axis(mesh.cells[facets[:, 0]], away.argmin(-1)[facets[:, 1]], axis=1)
