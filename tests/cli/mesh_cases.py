"""Meshes and cases on them that the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
from unit_meshes import unit_mesh

SHIPPED = Path(__file__).resolve().parents[2] / "meshes"

MESH_CASE = """\
[problem]
name = "heat"
diffusivity = 1.0
profile = {product_of_sines = {k = 1.0}}
domain = {mesh = "plate.msh"}
conditions = [{kind = "dirichlet", value = 0.0, on = "x-"}, {kind = "flux", value = 0.0}]
[time]
integrator = "sdirk4"
dt = 0.05
t_end = 0.2
[[run]]
name = "P1"
representation = {kind = "finite_element", degree = 1}
[output]
plot = false
animate = false
"""


def write_square(
    path: Path, n: int = 4, size: float = 1.0, tags: tuple[str, ...] = ("x-",), halves: bool = False
) -> Path:
    """A square of 2 n² triangles as gmsh's format 2.2 has it, the named sides as physical groups.

    The part ``"plate"`` is the whole, or its left half beside a part ``"wall"``.
    """
    mesh = unit_mesh("triangle", n)
    points = np.concatenate([size * mesh.points, np.zeros((len(mesh.points), 1))], axis=1)
    edges = [mesh.facet_nodes(mesh.tags[tag]) for tag in tags]
    cells = [("triangle", mesh.cells), *(("line", e) for e in edges)]
    numbers = [np.full(len(c), k + 1) for k, (_, c) in enumerate(cells)]
    if halves:
        numbers[0] = np.where(mesh.points[mesh.cells].mean(1)[:, 0] < 0.5, 1, 9)
    names = {
        "plate": np.array([1, 2]),
        "wall": np.array([9, 2]),
        **{tag: np.array([k + 2, 1]) for k, tag in enumerate(tags)},
    }
    data = {"gmsh:physical": numbers, "gmsh:geometrical": numbers}
    meshio.write(path, meshio.Mesh(points, cells, cell_data=data, field_data=names), file_format="gmsh22")
    return path
