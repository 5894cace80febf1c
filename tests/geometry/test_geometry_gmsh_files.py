"""Files as gmsh writes them where its users did not think of physical groups, or of one for everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpde.geometry import MeshDomain, read_mesh
from neuralpde.types import DataError, UsageError

SQUARE = """\
$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
{names}
$EndPhysicalNames
$Entities
0 2 1 0
1 0 0 0 1 0 0 {bottom} 0
2 0 1 0 1 1 0 {top} 0
1 0 0 0 1 1 0 {inside} 0
$EndEntities
$Nodes
1 4 1 4
2 1 0 4
1
2
3
4
0 0 0
1 0 0
1 1 0
0 1 0
$EndNodes
$Elements
3 4 1 4
1 1 1 1
1 1 2
1 2 1 1
2 3 4
2 1 2 2
3 1 2 3
4 1 3 4
$EndElements
"""
"""Two triangles in format 4.1, its lower and upper sides."""


def read_square(path: Path, names: str, bottom: str, top: str, inside: str) -> MeshDomain:
    path.write_text(SQUARE.format(names=names, bottom=bottom, top=top, inside=inside))
    return MeshDomain(read_mesh(path))


def test_groups_of_some_entities_and_none_of_others(tmp_path: Path) -> None:
    """gmsh saves it so where it is asked for all elements; meshio alone refuses such files."""
    domain = read_square(tmp_path / "a.msh", '1\n1 5 "low"', bottom="1 5", top="0", inside="0")
    assert domain.faces == ("low", "untagged") and domain.mesh.parts == {}
    assert domain.face_lattice("low", 4).points[:, 1].abs().max() == 0 and len(domain.sides["untagged"]) == 3


def test_no_group_at_all(tmp_path: Path) -> None:
    domain = read_square(tmp_path / "a.msh", "0", bottom="0", top="0", inside="0")
    assert domain.faces == ("untagged",) and domain.mesh.tags == {} and domain.volume == 1.0


def test_one_name_for_a_part_and_for_its_boundary(tmp_path: Path) -> None:
    domain = read_square(tmp_path / "a.msh", '2\n1 5 "iron"\n2 6 "iron"', bottom="1 5", top="1 5", inside="1 6")
    assert domain.faces == ("iron", "untagged") and len(domain.sides["iron"]) == 2
    assert list(domain.mesh.parts) == ["iron"] and len(domain.mesh.parts["iron"]) == 2


def test_an_entity_in_two_groups(tmp_path: Path) -> None:
    names = '3\n1 5 "low"\n1 7 "both sides"\n2 6 "iron"'
    domain = read_square(tmp_path / "a.msh", names, bottom="2 5 7", top="1 7", inside="1 6")
    assert {name: len(facets) for name, facets in domain.sides.items()} == {
        "low": 1,
        "rest of both sides": 1,
        "untagged": 2,
    }
    assert domain.parts_of("both sides") == ("low", "rest of both sides")


def test_a_mesh_is_scaled(tmp_path: Path) -> None:
    read_square(tmp_path / "a.msh", "0", "0", "0", "0")
    mesh = read_mesh(tmp_path / "a.msh", scale=1e-3)
    assert MeshDomain(mesh).upper == (1e-3, 1e-3) and MeshDomain(mesh).volume == pytest.approx(1e-6, rel=1e-14)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="the scale of a mesh is a positive number"):
            read_mesh(tmp_path / "a.msh", scale=scale)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("plate.unv", "no format has the ending .unv; save it as .msh"),
        ("plate", "no format has a name without an ending; save it as .msh"),
        ("plate.STEP", "a file .STEP holds a shape and no mesh; mesh it first (gmsh -2 plate.STEP -o plate.msh"),
        ("plate.msh", "it is no file of gmsh, or of a version that is not read; save it as version 4.1"),
    ],
)
def test_files_that_hold_no_mesh(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("Rectangle(1) = {0, 0, 0, 1, 1};")
    with pytest.raises(DataError) as caught:
        read_mesh(tmp_path / name)
    assert sentence in str(caught.value)
