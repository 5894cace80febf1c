"""Pictures of meshes: the triangles cover the domain and nothing else, tags have their colours and names."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from unit_meshes import unit_mesh

from neuralpde.geometry import ELEMENTS, Mesh, MeshDomain, read_mesh
from neuralpde.plot import mesh_picture
from neuralpde.plot._mesh_picture import MOST_NAMES, mesh_figure, tag_colours
from neuralpde.plot._style import style
from neuralpde.plot._triangulation import triangulation
from neuralpde.types import UsageError

MESHES = Path(__file__).resolve().parents[2] / "meshes"


def areas(shown):
    a, b, c = (shown.points[shown.triangles[:, j]] for j in range(3))
    normals = np.cross(np.pad(b - a, ((0, 0), (0, 3 - a.shape[1]))), np.pad(c - a, ((0, 0), (0, 3 - a.shape[1]))))
    return 0.5 * np.linalg.norm(normals, axis=1)


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255


def colour_at(figure, image, point):
    """Colour of the pixel at a point of the first panel."""
    x, y = figure.axes[0].transData.transform(point)
    return image[image.shape[0] - 1 - int(y), int(x)]


@pytest.mark.parametrize("kind", [kind for kind, element in ELEMENTS.items() if element.dim == 2])
@pytest.mark.parametrize("pieces", [1, 3])
def test_triangles_cover_a_square(kind, pieces):
    shown = triangulation(unit_mesh(kind), pieces)
    assert areas(shown).sum() == pytest.approx(1.0, abs=1e-12)
    assert len(np.unique(shown.points.round(9), axis=0)) == len(shown.points)  # neighbours share theirs


@pytest.mark.parametrize("kind", [kind for kind, element in ELEMENTS.items() if element.dim == 3])
def test_triangles_cover_the_surface_of_a_cube_outward(kind):
    shown = triangulation(unit_mesh(kind), 2)
    assert areas(shown).sum() == pytest.approx(6.0, abs=1e-12)
    middles = shown.points[shown.triangles].mean(1)
    assert ((middles - 0.5) * shown.normals).sum(1).min() > 0.4


def test_curved_elements_are_covered_to_second_order():
    domain = MeshDomain(read_mesh(MESHES / "plate_with_holes.msh"))
    coarse, fine = (abs(areas(triangulation(domain.mesh, s)).sum() - domain.volume) for s in (4, 8))
    assert fine == pytest.approx(coarse / 4, rel=1e-6)
    assert fine < 1e-4 * domain.volume


def test_the_middle_of_a_hole_is_paper_and_its_rim_has_the_colour_of_its_tag():
    with style():
        figure = mesh_figure(read_mesh(MESHES / "plate_with_holes.msh"))
        image = pixels(figure)
    for centre in ((0.5, 0.5), (1.2, 0.3), (1.55, 0.65)):
        np.testing.assert_array_equal(colour_at(figure, image, centre), 1.0)
    rim = np.array([0.5, 0.5]) + 0.2 * np.array([np.cos(0.3), np.sin(0.3)])
    expected = to_rgb(tag_colours(["holes", "bottom", "left", "right", "top"])["holes"])
    np.testing.assert_allclose(colour_at(figure, image, rim), expected, atol=0.02)
    assert colour_at(figure, image, (1.0, 0.9)).min() < 1.0


@pytest.mark.parametrize("name", sorted(p.stem for p in MESHES.glob("*.msh")))
def test_every_mesh_of_the_repository_has_its_tags_in_the_legend(name, tmp_path):
    domain = MeshDomain(read_mesh(MESHES / f"{name}.msh"))
    with style():
        (legend,) = mesh_figure(domain).legends
    assert [text.get_text() for text in legend.get_texts()] == list(domain.faces)
    assert Image.open(mesh_picture(domain, tmp_path / "new" / f"{name}.png")).width > 600


def test_many_tags_are_counted():
    square = unit_mesh("triangle")
    tags = {f"part {j}": square.boundary[j : j + 1] for j in range(len(square.boundary))}
    mesh = Mesh(square.points, square.cells, square.kind, tags=tags)
    fine = unit_mesh("triangle", 16)
    many = {f"wall {j}": fine.boundary[j : j + 1] for j in range(60)}
    with style():
        legend = mesh_figure(Mesh(fine.points, fine.cells, fine.kind, tags=many)).legends[0]
        assert len(mesh_figure(mesh).legends[0].get_texts()) == min(len(tags), MOST_NAMES)
    assert len(legend.get_texts()) == MOST_NAMES
    assert legend.get_texts()[-1].get_text().startswith("… and ")


def test_parts_of_the_domain_are_filled_and_named():
    square = unit_mesh("triangle")
    half = len(square.cells) // 2
    parts = {"steel": np.arange(half), "copper": np.arange(half, len(square.cells))}
    mesh = Mesh(square.points, square.cells, square.kind, parts=parts)
    with style():
        figure = mesh_figure(mesh)
        image = pixels(figure)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["untagged", "steel", "copper"]
    first, last = (square.points[square.cells[e]].mean(0) for e in (0, -1))
    assert np.abs(colour_at(figure, image, first) - colour_at(figure, image, last)).max() > 0.03


def test_a_surface_is_drawn_too(tmp_path):
    tetrahedron = Mesh(np.eye(4)[:, 1:], np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]), "triangle")
    assert mesh_picture(tetrahedron, tmp_path / "surface.png").is_file()


def test_a_picture_needs_a_suffix_that_it_can_have(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.png"):
        mesh_picture(unit_mesh("triangle"), tmp_path / "mesh.vtu")
