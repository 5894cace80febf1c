"""Meshes: elements, measures, boundaries, what is wrong with them, where points lie."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import (
    ELEMENTS,
    Boundary,
    Defect,
    Dirichlet,
    Flux,
    Mesh,
    MeshDomain,
    MeshError,
    Periodic,
    check_mesh,
    repair_mesh,
)
from neuralpde.types import UsageError

KINDS = [name for name, element in ELEMENTS.items() if element.dim > 1]


@pytest.mark.parametrize("kind", list(ELEMENTS))
def test_shape_functions_are_one_at_their_own_node_and_hold_linear_functions(kind: str) -> None:
    element = ELEMENTS[kind]
    nodes = np.asarray(element.nodes)
    assert np.allclose(element.values(nodes), np.eye(len(nodes)), atol=1e-12)
    x = np.random.default_rng(0).uniform(0, 1 / element.dim, (5, element.dim))
    assert np.allclose(element.values(x) @ nodes, x)
    assert np.allclose(np.einsum("ka,nkb->nab", nodes, element.gradients(x)), np.eye(element.dim), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_measures_boundaries_and_qualities(kind: str) -> None:
    mesh = unit_mesh(kind, 2)
    check_mesh(mesh)
    d = mesh.dim
    assert math.isclose(mesh.measures.sum(), 1.0, rel_tol=1e-12)
    assert len(mesh.boundary) == sum(len(ids) for ids in mesh.tags.values())
    assert set(mesh.tags) == {a + s for a in "xyz"[:d] for s in "-+"}
    assert mesh.components.max() == 0 and 0 < mesh.qualities.min() <= mesh.qualities.max() <= 1
    if mesh.element.shape in ("quad", "hexahedron"):
        assert np.allclose(mesh.qualities, 1.0)


def test_curved_elements_measure_a_disc() -> None:
    # four quadratic triangles with their outer middles on the circle: area 8/3 (sqrt(2) − 1) + … by Simpson's rule
    angle = np.arange(4) * np.pi / 2
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middles = np.stack([np.cos(angle + np.pi / 4), np.sin(angle + np.pi / 4)], axis=1)
    points = np.concatenate([[[0.0, 0.0]], corners, corners / 2, middles])
    cells = [[0, 1 + i, 1 + (i + 1) % 4, 5 + i, 9 + i, 5 + (i + 1) % 4] for i in range(4)]
    mesh = Mesh(points, np.array(cells), "triangle6")
    # each parabola adds 2/3 chord × height to its triangle
    chord, height = math.sqrt(2), 1 - math.sqrt(0.5)
    assert math.isclose(mesh.measures.sum(), 2 + 4 * 2 / 3 * chord * height, rel_tol=1e-12)
    check_mesh(mesh)


def _broken() -> dict[Defect, Mesh]:
    good = unit_mesh("triangle", 2)
    points, cells = good.points, good.cells

    def of(p: np.ndarray = points, c: np.ndarray = cells, **more: object) -> Mesh:
        return Mesh(p, c, **more)  # type: ignore[arg-type]

    def moved(value: float) -> np.ndarray:
        out = points.copy()
        out[4, 0] = value
        return out

    def renumbered(value: int) -> np.ndarray:
        out = cells.copy()
        out[3, 1] = value
        return out

    flipped = cells.copy()
    flipped[2] = flipped[2, [0, 2, 1]]
    folded = points.copy()
    folded[np.abs(points - [0.5, 0.5]).sum(1) < 1e-9] = [1.4, 0.5]
    turned = repair_mesh(Mesh(folded, cells))
    line = points.copy()
    line[:, 1] = 0.0
    fan = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0], [0.5, 2.0], [0.5, -1.0]])
    return {
        Defect.EMPTY: of(c=cells[:0]),
        Defect.NAN_COORDINATES: of(moved(math.nan)),
        Defect.INFINITE_COORDINATES: of(moved(math.inf)),
        Defect.NEGATIVE_INDEX: of(c=renumbered(-1)),
        Defect.INDEX_OUT_OF_RANGE: of(c=renumbered(99)),
        Defect.REPEATED_NODE: of(c=renumbered(int(cells[3, 0]))),
        Defect.DUPLICATE_ELEMENTS: of(c=np.concatenate([cells, cells[2:3, [1, 2, 0]]])),
        Defect.INVERTED: of(c=flipped),
        Defect.FLAT: of(line),
        Defect.FOLDED: turned,
        Defect.DANGLING_NODES: of(np.concatenate([points, [[3.0, 3.0]]])),
        Defect.COINCIDENT_POINTS: Mesh(
            np.array([[0.0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [3, 4, 5]])
        ),
        Defect.BRANCHING: Mesh(fan, np.array([[0, 1, 2], [0, 1, 3], [1, 0, 4]])),
        Defect.BAD_TAG: of(tags={"wall": np.array([[99, 0]])}),
    }


BROKEN = _broken()


@pytest.mark.parametrize("defect", list(BROKEN), ids=lambda d: d.name)
def test_a_broken_mesh_is_refused_by_name(defect: Defect) -> None:
    with pytest.raises(MeshError) as caught:
        check_mesh(BROKEN[defect], "part.msh")
    assert caught.value.defect is defect
    assert str(caught.value).startswith(f"part.msh: {defect.meaning}") and defect.remedy in str(caught.value)


def test_the_first_offending_numbers_are_named() -> None:
    with pytest.raises(MeshError, match=r"inverted elements \(1: 2\)") as caught:
        check_mesh(BROKEN[Defect.INVERTED])
    assert caught.value.ids.tolist() == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_repair_turns_elements_over_and_keeps_tags(kind: str) -> None:
    mesh = unit_mesh(kind, 2)
    mirrored = replace(mesh, points=mesh.points * ([-1] + [1] * (mesh.dim - 1)))
    with pytest.raises(MeshError) as caught:
        check_mesh(mirrored)
    assert caught.value.defect is Defect.INVERTED
    mended = repair_mesh(mirrored)
    check_mesh(mended)
    assert math.isclose(mended.measures.sum(), 1.0, rel_tol=1e-12)
    middles = mended.points[mended.facet_nodes(mended.tags["x+"])].mean(1)
    assert np.allclose(middles[:, 0], -1.0)


def test_repair_drops_what_is_there_twice_or_unused() -> None:
    for defect in (Defect.DUPLICATE_ELEMENTS, Defect.DANGLING_NODES):
        check_mesh(repair_mesh(BROKEN[defect]))


def test_a_surface_is_no_domain() -> None:
    shell = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 1]]), np.array([[0, 1, 2]]))
    check_mesh(shell)
    assert math.isclose(shell.measures.sum(), math.sqrt(2) / 2)
    with pytest.raises(MeshError, match="surface in space"):
        MeshDomain(shell)


def test_domains_are_equal_where_their_meshes_are() -> None:
    mesh = unit_mesh("triangle", 2)
    domain, body = MeshDomain(mesh), mesh.parts["body"]
    again = replace(mesh, parts={"body": body[::-1].astype(np.int32)})
    assert MeshDomain(again) == domain and hash(MeshDomain(again)) == hash(domain)
    others = (
        replace(mesh, parts={}),
        replace(mesh, parts={"plate": body}),
        replace(mesh, parts={"body": body[:-1]}),
        replace(mesh, tags={name: mesh.tags[name] for name in ("x-", "x+")}),
        replace(mesh, points=2 * mesh.points),
        unit_mesh("triangle", 3),
    )
    assert all(MeshDomain(other) != domain for other in others) and domain != "a mesh"


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_found_where_they_are(kind: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 3, distort=0.2))
    x = torch.rand(200, domain.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert bool(domain.contains(x).all()) and not bool(domain.contains(x + 1).any())
    element, xi = domain.locator.find(x.numpy())
    found = np.einsum("nk,nkd->nd", domain.mesh.element.values(xi), domain.mesh.points[domain.mesh.cells[element]])
    assert np.abs(found - x.numpy()).max() < 1e-10
    outside = torch.tensor([[1.2] + [0.5] * (domain.dim - 1)], dtype=torch.float64)
    assert domain.locator.nearest(outside.numpy())[0].min() >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_quadrature_inside_and_on_faces(kind: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.1))
    inside = domain.lattice(500)
    assert len(inside.points) >= 500 and math.isclose(float(inside.weights.sum()), 1.0, rel_tol=1e-12)
    assert math.isclose(float(inside.weights @ inside.points[:, 0]), 0.5, rel_tol=1e-12)
    face = domain.face_lattice("x+", 30)
    assert face.normals is not None and len(face.points) >= 30
    assert math.isclose(float(face.weights.sum()), 1.0, rel_tol=1e-12)
    assert torch.allclose(face.normals, torch.eye(domain.dim, dtype=torch.float64)[0].expand_as(face.normals))
    # Gauss: ∮ x·n = d |Ω|
    total = sum(
        float(q.weights @ (q.points * q.normals).sum(1)) for q in (domain.face_lattice(f, 10) for f in domain.faces)
    )
    assert math.isclose(total, domain.dim, rel_tol=1e-12)


def test_conditions_name_parts_of_the_boundary() -> None:
    mesh = unit_mesh("triangle", 2)
    domain = MeshDomain(replace(mesh, tags={"left": mesh.tags["x-"]}))
    assert domain.faces == ("left", "untagged")
    boundary = Boundary(domain, (Dirichlet(1.0, on="left"), Flux(0.0)))
    assert isinstance(boundary.table["untagged"], Flux)
    with pytest.raises(UsageError, match=r"boundary parts left, untagged; there is no 'lid'"):
        Boundary(domain, (Dirichlet(1.0, on="lid"),))
    with pytest.raises(UsageError, match="no periodic axes"):
        Boundary(domain, (Periodic(),))
