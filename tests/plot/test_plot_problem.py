"""Pictures of problems before they are solved: conditions by name, normals outward, points and initial fields."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuralpde.geometry import (
    Box,
    Dirichlet,
    Disc,
    Flux,
    FreeSlip,
    MeshDomain,
    Neumann,
    Outflow,
    Periodic,
    Robin,
    read_mesh,
)
from neuralpde.plot import problem_picture
from neuralpde.plot._condition_text import condition_text, grouped_conditions
from neuralpde.plot._problem_picture import problem_figure
from neuralpde.plot._style import style
from neuralpde.problems import Advection, Burgers, CylinderChannel, Heat, Poisson
from neuralpde.representations import FiniteElementField, GridField
from neuralpde.types import UsageError

MESHES = Path(__file__).resolve().parents[2] / "meshes"


def inflow(t, x):
    return x[:, 1:]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Dirichlet(0.0), "Dirichlet 0"),
        (Dirichlet((1.0, -0.5)), "Dirichlet (1, −0.5)"),
        (Dirichlet(inflow), "Dirichlet inflow(t, x)"),
        (Neumann(lambda t, x: x), "Neumann g(t, x)"),
        (Flux(-1.5), "Flux −1.5"),
        (Robin(2.0, 20.0), "Robin 2 (u − 20)"),
        (Robin(2.0), "Robin 2 u"),
        (Periodic("x"), "periodic"),
        (FreeSlip(), "free slip"),
        (Outflow(), "outflow"),
    ],
)
def test_conditions_in_words(condition, text):
    assert condition_text(condition) == text


def test_faces_of_one_condition_stand_together_and_free_ones_last():
    groups = grouped_conditions(Box((0.0, 0.0), (1.0, 1.0)), (Neumann(0.0, on="y+"), Dirichlet(1.0, on=("x-", "x+"))))
    assert groups == [(("x-", "x+"), "Dirichlet 1"), (("y+",), "Neumann 0"), (("y-",), "no condition")]


def plate():
    domain = MeshDomain(read_mesh(MESHES / "plate_with_holes.msh"))
    return Poisson(domain=domain, conditions=(Robin(2.0, 20.0, on="holes"), Dirichlet(0.0, on="left"), Flux(0.0)))


def texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def arrows(ax):
    """Starts and directions of the arrows in a panel."""
    found = [t for t in ax.texts if getattr(t, "arrow_patch", None) is not None]
    return np.array([a.xyann for a in found]), np.array([np.subtract(a.xy, a.xyann) for a in found])


def test_a_mesh_has_its_conditions_in_the_legend_and_normals_that_leave_it():
    problem = plate()
    with style():
        figure = problem_figure(problem)
        start, way = arrows(figure.axes[0])
    assert texts(figure) == ["holes: Robin 2 (u − 20)", "bottom, right, top: Flux 0", "left: Dirichlet 0"]
    assert len(start) > 20
    inside = problem.domain.contains(torch.as_tensor(start - 0.1 * way))
    outside = problem.domain.contains(torch.as_tensor(start + 0.1 * way))
    assert inside.all() and not outside.any()


def test_points_of_a_representation_are_drawn():
    problem = plate()
    r = FiniteElementField.for_problem(problem, degree=1)
    with style():
        figure = problem_figure(problem, r)
    (dots,) = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    points = r.quadrature().points
    assert len(dots.get_xdata()) == min(len(points), 3000)
    assert problem.domain.contains(torch.as_tensor(dots.get_xydata())).all()
    assert texts(figure)[-1].startswith(f"{len(points)} quadrature points of FiniteElementField")


def test_the_initial_field_stands_beside():
    heat = Heat(domain=Box((0.0, 0.0), (1.0, 1.0)), profile=lambda x: x[:, :1], conditions=(Dirichlet(0.0),))
    with style():
        figure = problem_figure(heat)
    image = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(image[0], np.linspace(0, 1, 129), atol=1e-14)
    assert figure.axes[2].get_ylabel() == "u at t = 0"


def test_the_source_of_a_steady_problem_stands_beside_unless_it_is_constant():
    square = Box((0.0, 0.0), (1.0, 1.0))
    with style():
        varying = problem_figure(Poisson(source_term=lambda x: x[:, :1], domain=square))
        constant = problem_figure(Poisson(source_term=1.0, domain=square))
    assert len(varying.axes) == 3 and varying.axes[2].get_ylabel() == "source"
    assert len(constant.axes) == 1


def test_a_solid_is_drawn_grey():
    problem = CylinderChannel()
    assert isinstance(problem.solid, Disc)
    with style():
        figure = problem_figure(problem)
        figure.canvas.draw()
        image = np.asarray(figure.canvas.buffer_rgba())
        x, y = figure.axes[0].transData.transform(problem.solid.centre)
    np.testing.assert_allclose(image[image.shape[0] - 1 - int(y), int(x), :3] / 255, 0.6, atol=0.01)
    assert "solid" in texts(figure) and "x+: outflow" in texts(figure)


@pytest.mark.parametrize(
    "problem",
    [
        Advection(),
        Burgers(),
        Poisson(source_term=1.0, domain=Box((0.0, 0.0, 0.0), (2.0, 1.0, 1.0)), conditions=(Dirichlet(0.0),)),
        Poisson(
            domain=MeshDomain(read_mesh(MESHES / "cube_with_hole.msh")),
            conditions=(Dirichlet(0.0, on="cube"), Dirichlet(1.0, on="sphere")),
        ),
    ],
    ids=["line", "viscous line", "box in space", "mesh in space"],
)
def test_problems_draw_themselves(problem, tmp_path):
    with Image.open(problem.plot(tmp_path / "new" / "setup.png")) as image:
        assert image.width > 600


def test_what_does_not_fit_is_refused(tmp_path):
    line = GridField.for_problem(Advection(), 16)
    with pytest.raises(UsageError, match="the representation is on"):
        Burgers().plot(tmp_path / "a.png", line)
    with pytest.raises(UsageError, match=r"must end in \.png"):
        problem_picture(Burgers(), tmp_path / "a.jpeg")
