"""Nodes of finite elements at named points and on named edges of a mesh."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry._mesh import Ints, row_keys
from neuralpde.representations._element_tables import ElementTables
from neuralpde.types import UsageError


def set_nodes(tables: ElementTables, places: Ints, name: str) -> Tensor:
    """Numbers of the nodes of a set, sorted.

    Edges have the nodes at their ends and between them. Points have their own, and those of every facet of the boundary
    all of whose corners are among them: programs that know sets of nodes alone name parts of a boundary so.

    Args:
        tables: of a mesh.
        places: points ``(n, 1)``, or ends of edges ``(n, 2)``.
        name: of the set.

    Raises:
        UsageError: for a set without a corner of an element.
    """
    mesh = tables.mesh
    if places.shape[1] == 2:
        found = _on_edges(tables, places)
    else:
        inside = np.isin(mesh.cells[:, : mesh.element.corners], places)
        element, local = np.nonzero(inside)
        found = tables.dofs[torch.from_numpy(element), torch.from_numpy(_corner_nodes(tables)[local])]
        facets = mesh.boundary[np.isin(mesh.facet_nodes(mesh.boundary), places).all(1)]
        found = torch.cat([found, tables.facet_nodes(facets)])
    if not len(found):
        raise UsageError(f"the set {name!r} has no corner of an element, and nothing to hold.")
    return torch.unique(found)


def _corner_nodes(tables: ElementTables) -> Ints:
    """Number among an element's nodes of each of its corners."""
    corners = np.asarray(tables.mesh.element.nodes)[: tables.mesh.element.corners]
    nodes = tables.local_nodes.cpu().double().numpy()
    return np.array([int(np.abs(nodes - x).sum(1).argmin()) for x in corners])


def _on_edges(tables: ElementTables, ends: Ints) -> Tensor:
    mesh, nodes = tables.mesh, tables.local_nodes.cpu().double().numpy()
    corners, wanted = np.asarray(mesh.element.nodes), np.sort(ends, axis=1)
    lists = [tables.dofs.new_zeros(0)]
    for a, b in mesh.element.edges:
        pairs = np.sort(mesh.cells[:, [a, b]], axis=1)
        keys = row_keys(np.concatenate([wanted, pairs]))
        chosen = np.flatnonzero(np.isin(keys[len(wanted) :], keys[: len(wanted)]))
        # on the edge a node is as far from both ends together as they are from each other
        apart = [np.linalg.norm(nodes - corners[k], axis=1) for k in (a, b)]
        local = np.flatnonzero(np.abs(apart[0] + apart[1] - np.linalg.norm(corners[a] - corners[b])) < 1e-9)
        lists.append(tables.dofs[torch.from_numpy(chosen)][:, torch.from_numpy(local)].reshape(-1))
    return torch.cat(lists)
