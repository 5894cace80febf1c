"""Solutions on meshes: pictures, errors, probes."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import TriMesh
from PIL import Image
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Flux, Mesh, MeshDomain, read_mesh
from neuralpde.integrators import ImplicitEuler, State
from neuralpde.plot import Body
from neuralpde.plot._animation import animation_figure
from neuralpde.plot._comparison import comparison_figure
from neuralpde.plot._picture import picture_figure
from neuralpde.plot._style import style
from neuralpde.problems import ByPart, Heat, Poisson
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import Solution, compare, load_solution, simulate, solve
from neuralpde.simulate import _files as files
from neuralpde.simulate._problem_data import problem_data
from neuralpde.types import DataError, Status, UsageError

MESHES = Path(__file__).resolve().parents[2] / "meshes"


def wave(x):
    return torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:2])


def poisson(mesh, degree=2):
    problem = Poisson(solution=wave, domain=MeshDomain(mesh), conditions=(Dirichlet(lambda t, x: wave(x)),))
    return solve(problem, FiniteElementField.for_problem(problem, degree=degree))


@pytest.fixture(scope="module")
def plate():
    return poisson(read_mesh(MESHES / "plate_with_holes.msh"))


@pytest.fixture(scope="module")
def cube():
    mesh = read_mesh(MESHES / "cube_with_hole.msh")
    problem = Poisson(domain=MeshDomain(mesh), conditions=(Dirichlet(0.0, on="cube"), Dirichlet(1.0, on="sphere")))
    return solve(problem, FiniteElementField.for_problem(problem, degree=2))


def meshes_in(figure):
    return [c for ax in figure.axes for c in ax.collections if isinstance(c, TriMesh)]


def pixel(figure, ax, point):
    figure.canvas.draw()
    x, y = ax.transData.transform(point)
    image = np.asarray(figure.canvas.buffer_rgba())
    return image[image.shape[0] - 1 - int(y), int(x), :3]


def test_samples_are_the_field_at_points_of_the_mesh(plate):
    shown = plate.samples()
    x = torch.from_numpy(shown.triangulation.points)
    np.testing.assert_array_equal(shown.values[0], plate.at(0.0)(x).numpy())
    np.testing.assert_allclose(shown.exact[0], wave(x).numpy(), atol=1e-14)
    away = np.hypot(*(shown.triangulation.points - [0.5, 0.5]).T)
    assert away.min() == pytest.approx(0.2, abs=1e-4)  # on the rim of the hole, none in it


def test_holes_stay_paper_in_the_picture_of_a_solution(plate):
    with style():
        figure = picture_figure(plate.samples())
        values, errors = figure.axes[:2]
        for ax in (values, errors):
            np.testing.assert_array_equal(pixel(figure, ax, (0.5, 0.5)), 255)
            assert pixel(figure, ax, (0.2, 0.2)).min() < 250
    assert [len(mesh.get_array()) for mesh in meshes_in(figure)] == 2 * [len(plate.samples().triangulation.points)]


def test_a_comparison_shows_every_run_and_its_error(plate, tmp_path):
    coarse = poisson(plate.problem.domain.mesh, degree=1)
    runs = {"P1": coarse, "P2": plate}
    with style():
        figure = comparison_figure([run.samples(name=name) for name, run in runs.items()])
    assert len(meshes_in(figure)) == 4
    assert [ax.get_title() for ax in figure.axes[:2]] == ["P1", "P2"]
    assert compare(runs, tmp_path / "both.png").is_file()


def test_a_film_shows_each_time_on_the_mesh(tmp_path):
    domain = MeshDomain(unit_mesh("quad", 4))
    heat = Heat(diffusivity=0.1, profile=wave, domain=domain, conditions=(Dirichlet(0.0, on="x-"), Flux(0.0)))
    run = simulate(heat, FiniteElementField.for_problem(heat, degree=2), ImplicitEuler(), dt=0.1, t_end=0.4)
    samples = run.samples()
    with style():
        figure, show = animation_figure([samples])
        (mesh,) = meshes_in(figure)
        for k in (0, 2, 4):
            show(float(run.times[k]))
            np.testing.assert_array_equal(mesh.get_array(), samples.values[k, :, 0])
    with Image.open(run.animate(tmp_path / "heat.gif", seconds=1.0)) as film:
        assert film.n_frames == 5


def test_a_body_in_space_is_shown_whole_and_cut_open(cube, tmp_path):
    samples = cube.samples()
    body = samples.triangulation
    assert isinstance(body, Body)
    a, b, c = (body.points[body.opened[-body.face :, j]] for j in range(3))
    face = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    assert face == pytest.approx(1 - math.pi * 0.3**2, rel=2e-3)
    assert samples.values.min() > -0.01 and samples.values.max() < 1.03
    with Image.open(cube.plot(tmp_path / "cube.png")) as image:
        assert image.width > 1000


@pytest.mark.parametrize("kind", ["tetra", "tetra10", "hexahedron", "hexahedron27"])
def test_the_cut_of_a_cube_is_a_square(kind):
    from neuralpde.plot import body

    found = body(unit_mesh(kind, 3))
    shown = found.points[found.opened]
    normals = np.cross(shown[:, 1] - shown[:, 0], shown[:, 2] - shown[:, 0])
    areas = 0.5 * np.linalg.norm(normals, axis=1)
    assert areas[-found.face :].sum() == pytest.approx(1.0, abs=1e-9)
    assert normals[-found.face :, 1].max() <= 1e-12  # towards the eye
    # a closed surface of half the cube: 1 + 1 + 4/2
    assert areas.sum() == pytest.approx(4.0, abs=1e-9)
    assert np.abs(normals.sum(0)).max() < 1e-9


def test_a_line_of_probes_may_cross_a_hole(plate):
    x = torch.linspace(0.0, 2.0, 401, dtype=torch.float64)
    line = torch.stack([x, torch.full_like(x, 0.5)], dim=1)
    (values,) = plate.probe(line)
    hole = (x - 0.5).abs() < 0.199
    assert torch.isnan(values[hole]).all()
    known = ~torch.isnan(values[:, 0])
    assert known[(x < 0.299) | ((x > 0.701) & (x < 1.4))].all()
    torch.testing.assert_close(values[known], wave(line[known]), rtol=0, atol=1e-3)


def test_points_on_an_arc_are_in_the_domain_whose_chords_the_mesh_has():
    # the chords of a disc's mesh leave its arc outside
    n = 24
    angle = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    rim = torch.stack([angle.cos(), angle.sin()], dim=1)
    points = np.concatenate([[[0.0, 0.0]], rim.numpy()])
    cells = np.stack([np.zeros(n, dtype=int), 1 + np.arange(n), 1 + (np.arange(n) + 1) % n], axis=1)
    run = poisson(Mesh(points, cells), degree=1)
    middles = torch.stack([(angle + math.pi / n).cos(), (angle + math.pi / n).sin()], dim=1)
    assert not run.problem.domain.contains(middles).any()
    (values,) = run.probe(middles)
    torch.testing.assert_close(values, wave(middles), rtol=0, atol=0.05)
    beyond = torch.cat([0.5 * rim, torch.tensor([[0.99, 0.99]], dtype=torch.float64)])
    assert torch.isnan(run.probe(beyond)[0, :, 0]).tolist() == [False] * n + [True]


def test_probes_outside_are_refused_with_a_sentence(plate):
    with pytest.raises(UsageError, match=r"1 of 2 points lie outside the box .* around the mesh, first \[2\.5, 0\.5\]"):
        plate.probe([[0.1, 0.1], [2.5, 0.5]])
    with pytest.raises(UsageError, match="none of the 1 points lies in the mesh"):
        plate.probe([[0.5, 0.5]])
    table = plate.probe_table({"hole": (0.5, 0.5), "corner": (0.0, 0.0)})
    assert np.isnan(table["hole_u"]).all() and np.isfinite(table["corner_u"]).all()


def interpolated(kind, n, degree, exact):
    """A solution whose values at the nodes are exact."""
    problem = Poisson(
        solution=exact, domain=MeshDomain(unit_mesh(kind, n)), conditions=(Dirichlet(lambda t, x: exact(x)),)
    )
    r = FiniteElementField.for_problem(problem, degree=degree)
    theta = exact(r.nodes[r.free]).reshape(1, -1)
    times = torch.zeros(1, dtype=torch.float64)
    return Solution(problem, r, times, theta, (), State(0.0, theta[0]), Status.COMPLETED, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["quad", "hexahedron"])
def test_errors_on_a_mesh_are_integrals(kind):
    # x² and its interpolant differ by (x − a)(b − x) on a cell [a, b] of length h
    n = 3
    found = interpolated(kind, n, 1, lambda x: x[:, :1] ** 2).error()
    assert found["mae"] == pytest.approx(n**-2 / 6, rel=1e-10)
    assert found["mse"] == pytest.approx(n**-4 / 30, rel=1e-10)
    assert found["rel_l2"] == pytest.approx(math.sqrt(n**-4 / 30 / (1 / 5)), rel=1e-10)
    assert found["max_error"] == pytest.approx(n**-2 / 4, rel=0.02)  # at points of a rule, and not in the middle


def test_errors_weigh_elements_by_their_size():
    # the integrand lives in the two large ones of four triangles
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1], [0.0, 0.1], [1.0, 1.0], [0.0, 1.0]])
    mesh = Mesh(points, np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4], [3, 4, 5]]))
    problem = Poisson(solution=lambda x: x[:, 1:], domain=MeshDomain(mesh), conditions=(Flux(0.0, on="untagged"),))
    r = FiniteElementField.for_problem(problem, degree=1)
    theta = torch.zeros(1, r.num_dofs, dtype=torch.float64)
    run = Solution(problem, r, torch.zeros(1), theta, (), State(0.0, theta[0]), Status.COMPLETED, 0.0, 0.0)
    found = run.error()
    assert found["mae"] == pytest.approx(1 / 2, rel=1e-12)
    assert found["mse"] == pytest.approx(1 / 3, rel=1e-12)
    assert found["rel_l2"] == pytest.approx(1.0, rel=1e-12)


def test_a_finer_mesh_may_be_the_reference():
    coarse, fine = (poisson(unit_mesh("triangle", n), degree=2) for n in (4, 16))
    against, known = coarse.error(reference=fine)["rel_l2"], coarse.error()["rel_l2"]
    assert against == pytest.approx(known, rel=0.02)
    assert coarse.samples(reference=fine).known_as == "reference"
    elsewhere = poisson(unit_mesh("quad", 4), degree=2)
    assert coarse.error(reference=elsewhere)["rel_l2"] < 0.05


def test_another_shape_or_another_condition_is_no_reference():
    square = poisson(unit_mesh("triangle", 4))
    wide = Mesh(unit_mesh("triangle", 4).points * [1.5, 1.0], square.problem.domain.mesh.cells, "triangle")
    with pytest.raises(UsageError, match="the reference must solve the same problem: its domain is"):
        square.error(reference=poisson(wide))
    problem = replace(square.problem, domain=MeshDomain(unit_mesh("triangle", 8)), conditions=(Dirichlet(3.0),))
    other = solve(problem, FiniteElementField.for_problem(problem, degree=1))
    with pytest.raises(UsageError, match="its value on"):
        square.error(reference=other)


def of_materials(left: float, names: tuple[str, ...] = ("steel", "wood"), n: int = 4):
    """Steel left of a line, wood right of it."""
    mesh = unit_mesh("triangle", n)
    inside = mesh.points[mesh.cells].mean(1)[:, 0] < left
    parts = dict(zip(names, (np.flatnonzero(inside), np.flatnonzero(~inside)), strict=True))
    domain = MeshDomain(replace(mesh, parts=parts))
    values = dict(zip(names, (1.0, 5.0), strict=True))
    held = (Dirichlet(0.0, "x-"), Dirichlet(1.0, "x+"), Flux(0.0))
    return Heat(diffusivity=ByPart(values), profile=lambda x: x[:, :1], domain=domain, conditions=held, steady=True)


def test_meshes_that_differ_in_materials_alone_are_two(tmp_path):
    half, quarter = of_materials(0.5), of_materials(0.25)
    assert half.domain != quarter.domain and half.domain == of_materials(0.5).domain
    assert half.domain.digest == quarter.domain.digest and half.domain != MeshDomain(unit_mesh("triangle", 4))
    with pytest.raises(UsageError, match="build it with FiniteElementField"):
        solve(quarter, FiniteElementField.for_problem(half))
    run, other, better = (
        solve(problem, FiniteElementField.for_problem(problem)) for problem in (half, quarter, of_materials(0.5, n=8))
    )
    with pytest.raises(UsageError, match=r"the parts that its diffusivity goes by lie elsewhere on 2.% of the mesh"):
        run.error(reference=other)
    assert run.error(reference=better)["rel_l2"] < 0.05
    path = run.save(tmp_path / "run.h5")
    assert torch.equal(load_solution(path, of_materials(0.5)).states, run.states)
    with pytest.raises(DataError, match="holds Heat with mesh parts = "):
        load_solution(path, quarter)


def test_files_that_know_no_parts_are_read(tmp_path, monkeypatch):
    half = replace(of_materials(0.5), steady=False)
    run = simulate(half, FiniteElementField.for_problem(half), ImplicitEuler(), dt=0.1, t_end=0.2)
    with monkeypatch.context() as patch:
        known = dict(problem_data(half))
        del known["mesh parts"]
        patch.setattr(files, "problem_data", lambda problem: known)
        path = run.save(tmp_path / "old.h5")
    back = load_solution(path, half)
    on = {"dt": 0.1, "t_end": 0.3, "restart": back.last}
    assert simulate(half, back.representation, ImplicitEuler(), **on).last.t == pytest.approx(0.3)


def test_a_neural_field_on_a_mesh_has_the_same_pictures_and_files(plate, tmp_path):
    problem = Poisson(domain=plate.problem.domain, conditions=(Dirichlet(0.0, on="holes"), Flux(0.0)))
    r = NeuralField.for_problem(problem, hidden=(6, 6))
    theta = r.initial(torch.Generator().manual_seed(0))
    run = Solution(problem, r, torch.zeros(1), theta[None], (), State(0.0, theta), Status.STEADY, 0.0, 0.0)
    shown = run.samples()
    rim = np.abs(np.hypot(*(shown.triangulation.points - [1.2, 0.3]).T) - 0.12) < 1e-6
    assert rim.sum() > 20 and np.abs(shown.values[0, rim]).max() < 1e-6 < np.abs(shown.values).max()
    assert run.plot(tmp_path / "neural.png").is_file()
    run.export(tmp_path / "neural.pvd")
    assert (tmp_path / "neural_0000.vtu").is_file()


def rendered(run, monkeypatch, installed):
    with monkeypatch.context() as patch, style():
        if not installed:
            patch.setitem(sys.modules, "pyvista", None)
        figure = picture_figure(run.samples())
        figure.canvas.draw()
        return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float), len(figure.axes[0].images)


def test_without_pyvista_a_body_is_drawn_by_matplotlib(cube, monkeypatch):
    image, images = rendered(cube, monkeypatch, installed=False)
    assert images == 0
    assert (image.min(-1) < 200).mean() > 0.2  # a good part of the paper is covered


def test_pyvista_draws_the_same_body(cube, monkeypatch):
    pytest.importorskip("pyvista", reason="pip install 'neuralpde[plot3d]'")
    painted, _ = rendered(cube, monkeypatch, installed=False)
    drawn, images = rendered(cube, monkeypatch, installed=True)
    assert images == 2
    # but for edges of the body, where one smooths and the other does not
    assert (np.abs(painted - drawn).max(-1) > 40).mean() < 0.01
