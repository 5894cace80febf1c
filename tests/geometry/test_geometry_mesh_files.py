"""Mesh files: names, formats, and files that are damaged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import meshio
import numpy as np
import pytest
from unit_meshes import unit_mesh

from neuralpde.geometry import Defect, Mesh, MeshDomain, MeshError, MeshReader, check_mesh, read_mesh
from neuralpde.types import DataError

MUTATIONS = 100
SECONDS = 0.5
"""A small file that takes longer hangs."""

FORMATS = {
    "gmsh22": "square.msh",
    "vtk": "square.vtk",
    "vtu": "square.vtu",
    "xdmf": "square.xdmf",
    "abaqus": "square.inp",
    "med": "square.med",
    "nastran": "square.bdf",
    "medit": "square.mesh",
    "su2": "square.su2",
    "stl": "square.stl",
    "obj": "square.obj",
    "off": "square.off",
    "ply": "square.ply",
    "ansys": "square.ansys.msh",
    "netgen": "square.vol",
    "tecplot": "square.dat",
}
SURFACES = {"stl", "obj", "off", "ply"}


def _content(name: str) -> meshio.Mesh:
    mesh = unit_mesh("triangle", 3)
    points = np.concatenate([mesh.points, np.zeros((len(mesh.points), 1))], axis=1)
    if name == "su2":
        points = mesh.points
    body, bottom = mesh.cells, mesh.facet_nodes(mesh.tags["y-"])
    if name in SURFACES | {"med", "ansys", "netgen", "tecplot"}:
        return meshio.Mesh(points, [("triangle", body)])
    tag = {"medit": "medit:ref", "nastran": "nastran:ref", "su2": "su2:tag"}.get(name, "gmsh:physical")
    data = {tag: [np.full(len(body), 1), np.full(len(bottom), 2)]}
    if name == "gmsh22":
        data["gmsh:geometrical"] = data[tag]
    names = {"plate": np.array([1, 2]), "bottom": np.array([2, 1])}
    return meshio.Mesh(points, [("triangle", body), ("line", bottom)], cell_data=data, field_data=names)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, out = tmp_path_factory.mktemp("meshes"), {}
    for name, file in FORMATS.items():
        if name == "su2":  # meshio reads it, but cannot write facets
            out[name] = _su2(folder / file)
            continue
        meshio.write(folder / file, _content(name), file_format=name)
        out[name] = folder / file
    return out


def _su2(path: Path) -> Path:
    mesh = unit_mesh("triangle", 3)
    lines = ["NDIME= 2", f"NELEM= {len(mesh.cells)}", *[f"5 {a} {b} {c}" for a, b, c in mesh.cells]]
    lines += [f"NPOIN= {len(mesh.points)}", *[f"{x} {y}" for x, y in mesh.points], "NMARK= 1", "MARKER_TAG= 7"]
    bottom = mesh.facet_nodes(mesh.tags["y-"])
    path.write_text("\n".join([*lines, f"MARKER_ELEMS= {len(bottom)}", *[f"3 {a} {b}" for a, b in bottom]]) + "\n")
    return path


@pytest.fixture(scope="module")
def reader() -> Iterator[MeshReader]:
    with MeshReader() as reader:
        yield reader


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(name: str, files: dict[str, Path], reader: MeshReader) -> None:
    mesh = reader.read(files[name])
    assert mesh.kind == "triangle" and mesh.dim == 2 and len(mesh.cells) == 18
    assert abs(mesh.measures.sum() - 1) < 1e-6
    if name in ("gmsh22", "medit", "su2"):
        wanted = {"gmsh22": "bottom", "medit": "2", "su2": "7"}[name]
        assert wanted in mesh.tags and np.allclose(mesh.points[mesh.facet_nodes(mesh.tags[wanted])][..., 1], 0)


def test_names_of_parts_and_boundaries(files: dict[str, Path], reader: MeshReader) -> None:
    mesh = reader.read(files["gmsh22"])
    assert list(mesh.parts) == ["plate"] and list(mesh.tags) == ["bottom"] and len(mesh.tags["bottom"]) == 3


@pytest.mark.parametrize("kind", ["triangle6", "quad", "quad9", "tetra", "tetra10", "hexahedron", "hexahedron27"])
def test_other_elements_are_read_from_vtu(kind: str, tmp_path: Path, reader: MeshReader) -> None:
    mesh = unit_mesh(kind, 2)
    points = mesh.points if mesh.dim == 3 else np.concatenate([mesh.points, np.ones((len(mesh.points), 1))], axis=1)
    meshio.write(tmp_path / "m.vtu", meshio.Mesh(points, [(kind, mesh.cells)]))
    found = reader.read(tmp_path / "m.vtu")
    assert found.kind == kind and np.array_equal(found.cells, mesh.cells) and np.allclose(found.points, mesh.points)


def _mutated(data: bytes, how: int, draw: random.Random) -> bytes:
    out, place = bytearray(data), draw.randrange(len(data))
    if how % 4 == 0:
        return bytes(out[:place])
    if how % 4 == 1:
        for _ in range(3):
            out[draw.randrange(len(out))] = draw.randrange(256)
    elif how % 4 == 2:
        del out[place : place + draw.randrange(1, 40)]
    else:
        out[place:place] = out[place : place + 20] or b"9"
    return bytes(out)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_do_no_harm(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    """No hang, no exit, no raw exception, and nothing that the checks would refuse."""
    draw, data = random.Random(name), files[name].read_bytes()
    refused = 0
    with MeshReader(SECONDS) as reader:
        for how in range(MUTATIONS):
            path = tmp_path / FORMATS[name]
            path.write_bytes(_mutated(data, how, draw))
            try:
                check_mesh(reader.read(path))
            except DataError as error:
                refused += 1
                assert str(error).startswith(str(path)) and len(str(error)) < 700
    assert refused > 0.4 * MUTATIONS


BAD = {
    Defect.MIXED_KINDS: [("triangle", [[0, 1, 2]]), ("quad", [[1, 3, 4, 2]])],
    Defect.MIXED_DIMENSIONS: [("tetra", [[0, 1, 2, 5]]), ("triangle", [[1, 3, 4]])],
    Defect.UNKNOWN_ELEMENT: [("wedge", [[0, 1, 2, 3, 4, 5]])],
    Defect.EMPTY: [("line", [[0, 1]])],
}


@pytest.mark.parametrize("defect", list(BAD), ids=lambda d: d.name)
def test_what_is_no_mesh_of_one_kind_is_refused(defect: Defect, tmp_path: Path, reader: MeshReader) -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0], [0, 0, 1]])
    path = tmp_path / "bad.vtu"
    meshio.write(path, meshio.Mesh(points, [(kind, np.array(cells)) for kind, cells in BAD[defect]]))
    with pytest.raises(MeshError) as caught:
        reader.read(path)
    assert caught.value.defect is defect


def test_a_missing_file_and_a_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_mesh(tmp_path / "none.msh")
    (tmp_path / "words.vtu").write_text("no mesh")
    with pytest.raises(DataError, match="no mesh could be read from it"):
        read_mesh(tmp_path / "words.vtu")


def test_repair_on_reading(tmp_path: Path) -> None:
    mesh = unit_mesh("triangle", 2)
    points = np.concatenate([mesh.points, [[5.0, 5.0]]])
    meshio.write(tmp_path / "loose.vtk", meshio.Mesh(np.c_[points, 0 * points[:, 0]], [("triangle", mesh.cells)]))
    with pytest.raises(MeshError, match="points that no element has"):
        read_mesh(tmp_path / "loose.vtk")
    assert isinstance(mended := read_mesh(tmp_path / "loose.vtk", repair=True), Mesh) and len(mended.points) == 9


SHIPPED = sorted((Path(__file__).resolve().parents[2] / "meshes").glob("*.msh"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_the_meshes_of_the_repository_are_sound_and_small(path: Path, reader: MeshReader) -> None:
    mesh = reader.read(path)
    assert path.stat().st_size <= 300_000 and mesh.tags and mesh.parts and not mesh.surface
    assert "untagged" not in MeshDomain(mesh).faces and mesh.qualities.min() > 0.1
    assert f"`{path.name}`" in (path.parent / "README.md").read_text()


def test_there_are_meshes() -> None:
    assert len(SHIPPED) >= 9
