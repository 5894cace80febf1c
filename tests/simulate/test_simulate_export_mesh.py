"""Solutions on meshes in ParaView files: elements, fields, parts, boundary; read back by meshio and by VTK."""

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import ELEMENTS, Dirichlet, Flux, Mesh, MeshDomain, read_mesh
from neuralpde.integrators import ImplicitEuler
from neuralpde.problems import Heat, LinearElasticity, Poisson
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve
from neuralpde.simulate._export_mesh import facet_cells, second_order
from neuralpde.types import UsageError

MESHES = Path(__file__).resolve().parents[2] / "meshes"
STRAIGHT = ["triangle", "quad", "tetra", "hexahedron"]


def wave(x):
    return torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:2])


def solved(mesh, degree):
    problem = Poisson(solution=wave, domain=MeshDomain(mesh), conditions=(Dirichlet(lambda t, x: wave(x)),))
    return solve(problem, FiniteElementField.for_problem(problem, degree=degree))


@pytest.mark.parametrize("kind", STRAIGHT)
def test_second_order_elements_have_the_nodes_of_the_reference_element(kind):
    mesh = unit_mesh(kind, 2, distort=0.2)
    found = second_order(mesh)
    wanted = np.einsum("qk,ekd->eqd", mesh.element.values(np.asarray(found.element.nodes)), mesh.points[mesh.cells])
    np.testing.assert_allclose(found.points[found.cells], wanted, atol=1e-14)
    assert len(np.unique(found.points.round(9), axis=0)) == len(found.points)
    np.testing.assert_allclose(found.measures, mesh.measures, rtol=1e-12)


@pytest.mark.parametrize("kind", [kind for kind, element in ELEMENTS.items() if element.dim > 1])
def test_facets_are_elements_with_all_their_nodes(kind):
    mesh = unit_mesh(kind, 2)
    for name, sides in MeshDomain(mesh).sides.items():
        shape, nodes = facet_cells(mesh, sides)
        axis, side = "xyz".index(name[0]), name[1] == "+"
        np.testing.assert_allclose(mesh.points[nodes][..., axis], float(side), atol=1e-14)
        if ELEMENTS[shape].dim == 2:
            assert Mesh(mesh.points, nodes, shape).measures.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", STRAIGHT)
def test_the_file_holds_the_field_at_the_nodes_of_its_degree(kind, degree, tmp_path):
    run = solved(unit_mesh(kind, 2), degree)
    run.export(tmp_path / "run.pvd")
    found = meshio.read(tmp_path / "run_0000.vtu")
    assert found.cells[0].type == (kind if degree == 1 else SECOND[kind])
    x = torch.from_numpy(found.points[:, : run.problem.domain.dim].copy())
    np.testing.assert_allclose(found.point_data["u"], run.at(0.0)(x)[:, 0].numpy(), atol=1e-13)
    assert len(x) == len(run.representation.nodes)


SECOND = {"triangle": "triangle6", "quad": "quad9", "tetra": "tetra10", "hexahedron": "hexahedron27"}


def test_curved_elements_stay_curved_with_quality_and_tags(tmp_path):
    mesh = read_mesh(MESHES / "plate_with_holes.msh")
    run = solved(mesh, 2)
    run.export(tmp_path / "plate.pvd")
    found = meshio.read(tmp_path / "plate_0000.vtu")
    assert found.cells[0].type == "triangle6"
    np.testing.assert_array_equal(found.cells[0].data, mesh.cells)
    np.testing.assert_allclose(found.cell_data["quality"][0], mesh.qualities)
    rim = meshio.read(tmp_path / "plate_boundary.vtu")
    assert rim.cells[0].type == "line3"
    holes = rim.cells[0].data[rim.cell_data["on holes"][0] == 1]
    middles = rim.points[holes[:, 2], :2]
    radii = [np.hypot(*(middles - centre).T) for centre in ((0.5, 0.5), (1.2, 0.3), (1.55, 0.65))]
    np.testing.assert_allclose(
        np.min([r / s for r, s in zip(radii, (0.2, 0.12, 0.15), strict=True)], axis=0), 1.0, atol=1e-6
    )
    assert set(np.unique(rim.cell_data["tag"][0])) == {1, 2, 3, 4, 5}


def test_times_are_named_in_the_collection_and_every_file_has_its_field(tmp_path):
    heat = Heat(diffusivity=0.1, profile=wave, domain=MeshDomain(unit_mesh("triangle", 3)), conditions=(Flux(0.0),))
    run = simulate(heat, FiniteElementField.for_problem(heat, degree=2), ImplicitEuler(), dt=0.1, t_end=0.3)
    path = run.export(tmp_path / "heat.pvd")
    entries = ElementTree.parse(path).getroot().findall(".//DataSet")
    assert [float(entry.get("timestep")) for entry in entries] == pytest.approx(run.times.tolist())
    for entry, t in zip(entries, run.times.tolist(), strict=True):
        found = meshio.read(tmp_path / entry.get("file"))
        x = torch.from_numpy(found.points[:, :2].copy())
        np.testing.assert_allclose(found.point_data["u"], run.at(t)(x)[:, 0].numpy(), atol=1e-13)


def test_displacements_are_vectors_and_parts_have_names(tmp_path):
    mesh = unit_mesh("triangle", 4)
    left = mesh.points[mesh.cells].mean(1)[:, 0] < 0.5
    parts = {"steel": np.flatnonzero(left), "rubber": np.flatnonzero(~left)}
    domain = MeshDomain(Mesh(mesh.points, mesh.cells, mesh.kind, parts, mesh.tags))
    clamped = (Dirichlet((0.0, 0.0), on="x-"), Flux((0.0, 0.0)))
    problem = LinearElasticity(domain=domain, conditions=clamped)
    solve(problem, FiniteElementField.for_problem(problem, degree=1)).export(tmp_path / "bar.pvd")
    found = meshio.read(tmp_path / "bar_0000.vtu")
    unknown = next(iter(problem.unknowns))
    assert found.point_data[unknown].shape == (len(found.points), 3)
    np.testing.assert_array_equal(found.cell_data["in steel"][0] == 1, left)
    np.testing.assert_array_equal(found.cell_data["part"][0], np.where(left, 1, 2))


def test_vtk_reads_what_was_written(tmp_path):
    pyvista = pytest.importorskip("pyvista", reason="pip install 'neuralpde[plot3d]'")
    run = solved(read_mesh(MESHES / "cube_with_hole.msh"), 2)
    run.export(tmp_path / "cube.pvd")
    found = pyvista.read(tmp_path / "cube.pvd")[0]
    assert set(found.celltypes) == {pyvista.CellType.QUADRATIC_TETRA}
    x = torch.from_numpy(np.array(found.points, dtype=np.float64))
    np.testing.assert_allclose(found["u"], run.at(0.0)(x)[:, 0].numpy(), atol=1e-12)
    volume = found.tessellate(max_n_subdivide=2).compute_cell_sizes()["Volume"].sum()
    assert volume == pytest.approx(1 - 4 / 3 * math.pi * 0.3**3, rel=2e-3)
    surface = pyvista.read(tmp_path / "cube_boundary.vtu")
    assert set(surface.celltypes) == {pyvista.CellType.QUADRATIC_TRIANGLE}


def test_lattice_points_are_refused_on_a_mesh(tmp_path):
    with pytest.raises(UsageError, match="points are for lattices"):
        solved(unit_mesh("triangle"), 1).export(tmp_path / "run.pvd", points=10)
