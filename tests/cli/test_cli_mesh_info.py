"""``neuralpde info`` of meshes: size, names, quality, cost, defects, a picture."""

from __future__ import annotations

import math
import re
from pathlib import Path

import meshio
import numpy as np
import pytest
from cli_command import Command
from mesh_cases import SHIPPED, write_square
from unit_meshes import unit_mesh


def entries(text: str, label: str) -> list[str]:
    """What is said under a label."""
    return [line[13:] for line in text.splitlines() if line.startswith(f"  {label:<10} ")]


def test_a_square_is_what_it_is(tmp_path: Path, neuralpde: Command) -> None:
    path = write_square(tmp_path / "plate.msh", n=4, size=2.0, tags=("x-", "y+"))
    done = neuralpde("info", path)
    assert done.code == 0 and done.out.splitlines()[0] == f"mesh {path}"
    assert entries(done.out, "size") == ["25 points, 32 elements: triangle (straight), in 2D"]
    assert entries(done.out, "box") == ["[0, 2] × [0, 2]"] and entries(done.out, "area") == ["4"]
    assert entries(done.out, "part") == ["'plate': 32 elements, area 4"]
    sides = ["'x-': 4 edges, length 2", "'y+': 4 edges, length 2", "'untagged': 8 edges, length 4"]
    assert entries(done.out, "boundary") == sides
    right = math.sin(math.pi / 4) / math.sin(math.pi / 3)  # of a right-angled triangle with equal legs
    shown = f"min {right:.3f}, median {right:.3f}, max {right:.3f} (1 is regular, 0 is flat)"
    assert entries(done.out, "quality") == [shown]
    assert entries(done.out, "P1")[0].startswith("25 values") and entries(done.out, "P2")[0].startswith("81 values")
    assert entries(done.out, "defects") == ["none"] and done.err == ""


def test_curved_holes_have_their_areas_and_lengths(neuralpde: Command) -> None:
    done = neuralpde("info", SHIPPED / "plate_with_holes.msh")
    radii = (0.2, 0.12, 0.15)
    area, around = 2 - math.pi * sum(r * r for r in radii), 2 * math.pi * sum(radii)
    assert float(entries(done.out, "area")[0]) == pytest.approx(area, rel=1e-5)
    (holes,) = (line for line in entries(done.out, "boundary") if "holes" in line)
    assert float(holes.split()[-1]) == pytest.approx(around, rel=1e-5)


def test_the_histogram_counts_every_element(neuralpde: Command) -> None:
    done = neuralpde("info", SHIPPED / "bracket.msh")
    counts = [int(n) for n in re.findall(r"^ +0\.\d–[01]\.\d +(\d+)", done.out, flags=re.M)]
    assert sum(counts) == 2237 and "volume 37315.8" in entries(done.out, "part")[0]
    assert {line.split("'")[1] for line in entries(done.out, "boundary")} == {"surface", "bottom", "eye", "bolts"}


def test_a_picture_is_drawn_where_it_is_asked_for(tmp_path: Path, neuralpde: Command) -> None:
    done = neuralpde("info", SHIPPED / "cook.msh", "--plot", tmp_path / "cook.png")
    assert done.code == 0 and done.out.splitlines()[-1] == str(tmp_path / "cook.png")
    assert (tmp_path / "cook.png").read_bytes().startswith(b"\x89PNG")
    wrong = neuralpde("info", SHIPPED / "cook.msh", "--plot", tmp_path / "cook.doc")
    assert wrong.code == 2 and len(wrong.err.splitlines()) == 1
    other = neuralpde("info", tmp_path, "--plot", tmp_path / "cook.png")
    assert other.code == 2
    assert other.err == f"--plot {tmp_path / 'cook.png'}: expected a mesh or a case file before it; got {tmp_path}.\n"


def test_a_case_is_drawn_before_it_is_solved(mesh_case: Path, neuralpde: Command) -> None:
    done = neuralpde("info", mesh_case, "--plot", mesh_case.with_suffix(".png"))
    assert done.code == 0 and done.out.splitlines()[-1] == str(mesh_case.with_suffix(".png")), done.err
    assert mesh_case.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_surface_is_described_and_called_one(tmp_path: Path, neuralpde: Command) -> None:
    cube = unit_mesh("tetra", 2)
    faces = cube.facet_nodes(cube.boundary)
    meshio.write(tmp_path / "cube.stl", meshio.Mesh(cube.points, [("triangle", faces)]))
    done = neuralpde("info", tmp_path / "cube.stl", "--plot", tmp_path / "cube.png")
    assert done.code == 0, done.err
    assert entries(done.out, "surface") == ["closed"] and entries(done.out, "area") == ["6"]
    assert entries(done.out, "use")[0].startswith("no equation of a domain can be solved on a surface")
    assert entries(done.out, "P1") == [] and (tmp_path / "cube.png").is_file()
    meshio.write(tmp_path / "open.stl", meshio.Mesh(cube.points, [("triangle", faces[1:])]))
    assert entries(neuralpde("info", tmp_path / "open.stl").out, "surface") == ["open, with 3 free edges"]


def test_a_flat_mesh_in_another_plane_is_told_from_a_bent_one(tmp_path: Path, neuralpde: Command) -> None:
    mesh = unit_mesh("triangle", 2)
    x, y = mesh.points.T
    for name, points, how in (
        ("flat", np.stack([x, 0 * x, y], axis=1), "turn it into the plane z = 0"),
        ("bent", np.stack([x, y, x * y], axis=1), "mesh the volume inside, or a part of the plane z = 0"),
    ):
        meshio.write(tmp_path / f"{name}.vtu", meshio.Mesh(points, [("triangle", mesh.cells)]))
        (use,) = entries(neuralpde("info", tmp_path / f"{name}.vtu").out, "use")
        assert use.endswith(f"on a surface: {how}")


def test_two_pieces_are_counted(tmp_path: Path, neuralpde: Command) -> None:
    mesh = unit_mesh("quad", 2)
    points = np.concatenate([mesh.points, mesh.points + np.array([3.0, 0.0])])
    cells = np.concatenate([mesh.cells, mesh.cells + len(mesh.points)])
    meshio.write(tmp_path / "two.vtu", meshio.Mesh(np.c_[points, np.zeros(len(points))], [("quad", cells)]))
    done = neuralpde("info", tmp_path / "two.vtu")
    assert entries(done.out, "pieces") == ["2 that no facet joins: each needs a condition of its own"]
    assert entries(done.out, "Q2")[0].startswith("50 values")  # 25 nodes each


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("loose", "points that no element has (1: 16); remove them, or read with repair=True."),
        ("turned", "inverted elements (1: 3); reorder their nodes, or read with repair=True."),
        ("nan", "points with NaN (1: 5); write the mesh anew."),
        ("twice", "elements that are there twice (1: 18); remove one of each, or read with repair=True."),
    ],
)
def test_a_broken_mesh_is_described_with_its_defects(
    what: str, sentence: str, tmp_path: Path, neuralpde: Command
) -> None:
    mesh = unit_mesh("triangle", 3)
    points, cells = np.c_[mesh.points, np.zeros(16)], mesh.cells.copy()
    if what == "loose":
        points = np.concatenate([points, [[9.0, 9.0, 0.0]]])
    elif what == "turned":
        cells[3] = cells[3, ::-1]
    elif what == "nan":
        points[5] = np.nan
    else:
        cells = np.concatenate([cells, cells[4:5]])
    meshio.write(tmp_path / "mesh.vtu", meshio.Mesh(points, [("triangle", cells)]))
    done = neuralpde("info", tmp_path / "mesh.vtu")
    assert done.code == 3 and done.err == ""
    assert sentence in entries(done.out, "defect") and entries(done.out, "size")
    assert entries(done.out, "defects") == []


def test_what_is_no_mesh_is_one_sentence(tmp_path: Path, neuralpde: Command) -> None:
    (tmp_path / "text.msh").write_text("no mesh")
    done = neuralpde("info", tmp_path / "text.msh")
    assert done.code == 3 and done.out == "" and len(done.err.splitlines()) == 1
    assert done.err.startswith(f"{tmp_path / 'text.msh'}: no mesh could be read from it")
    gone = neuralpde("info", tmp_path / "gone.msh")
    assert (gone.code, gone.out) == (3, "") and len(gone.err.splitlines()) == 1
