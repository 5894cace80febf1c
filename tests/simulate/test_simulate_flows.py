"""What one asks of a flow's solution: pictures of quantities, errors by unknown, files for other programs."""

from __future__ import annotations

import base64
import copy
import dataclasses
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Box, Disc
from neuralpde.integrators import RK4, AdvectionReflection, IncrementalPressureCorrection
from neuralpde.io import load_table
from neuralpde.problems import Heat, LidDrivenCavity, NavierStokes, TaylorGreen, WalshFlow
from neuralpde.representations import GridField, MacGrid
from neuralpde.simulate import Solution, compare, load_solution, simulate
from neuralpde.types import UsageError


def _walsh(n: int = 32, **options) -> Solution:
    walsh = WalshFlow()
    grid = MacGrid.for_problem(walsh, n)
    return simulate(walsh, grid, IncrementalPressureCorrection(), dt=0.02, t_end=0.1, **options)


def test_the_first_quantity_is_shown_with_streamlines() -> None:
    run = _walsh()
    samples = run.samples(points=21, frames=3)
    assert samples.labels == ("vorticity",) and samples.values.shape == (3, 21, 21, 1)
    assert samples.velocity.shape == (3, 21, 21, 2)
    x = torch.tensor(np.stack(np.meshgrid(*samples.axes, indexing="ij"), -1).reshape(-1, 2))
    for k, t in enumerate(samples.times):
        g = autodiff_jet(lambda p, t=t: run.problem.exact(float(t), p), x, frozenset({"grad"})).grad
        np.testing.assert_allclose(samples.exact[k].reshape(-1), (g[:, 1, 0] - g[:, 0, 1]).numpy(), atol=1e-12)
        np.testing.assert_allclose(samples.velocity[k].reshape(-1, 2), run.at(float(t))(x)[:, :2].numpy())
    size = np.sqrt((samples.exact**2).mean())
    assert np.sqrt((samples.error() ** 2).mean()) < 0.05 * size


@pytest.mark.parametrize(
    ("quantity", "labels", "columns"),
    [
        ("pressure", ("pressure",), [2]),
        ("velocity", ("velocity_x", "velocity_y"), [0, 1]),
    ],
)
def test_another_quantity_or_an_unknown_may_be_chosen(
    quantity: str, labels: tuple[str, ...], columns: list[int]
) -> None:
    run = _walsh(16)
    samples = run.samples(points=9, quantity=quantity)
    assert samples.labels == labels and samples.velocity is None
    x = torch.tensor(np.stack(np.meshgrid(*samples.axes, indexing="ij"), -1).reshape(-1, 2))
    np.testing.assert_allclose(samples.values[-1].reshape(-1, len(labels)), run.at(0.1)(x)[:, columns].numpy())
    assert samples.exact.shape == samples.values.shape


def test_speed_is_a_quantity_and_wrong_names_are_refused() -> None:
    run = _walsh(16)
    assert run.samples(points=9, quantity="speed").values.min() >= 0
    with pytest.raises(
        UsageError, match="vorticity, speed, pressure, velocity; got 'vortcity'; did you mean vorticity"
    ):
        run.samples(quantity="vortcity")
    with pytest.raises(UsageError, match="unknowns of WalshFlow are velocity, pressure; got 'speed'"):
        run.error(unknown="speed")
    heat = Heat()
    plain = simulate(heat, GridField.for_problem(heat, 8), RK4(), dt=0.01, t_end=0.02)
    assert plain.samples(quantity="u").labels == plain.samples().labels == ("u",)


def test_pictures_of_flows_are_written(tmp_path: Path) -> None:
    run = _walsh(16, save_every=5)
    for path, magic in (
        (run.plot(tmp_path / "a.png"), b"\x89PNG"),
        (run.plot(tmp_path / "b.png", quantity="velocity"), b"\x89PNG"),
        (compare({"one": run, "two": run}, tmp_path / "c.png", quantity="pressure"), b"\x89PNG"),
        (compare({"one": run, "two": run}, tmp_path / "d.gif"), b"GIF8"),
    ):
        assert path.read_bytes()[:4] == magic and path.stat().st_size > 5000


def test_errors_by_unknown_are_in_the_summary() -> None:
    run = _walsh()
    errors = run.errors(points=41)
    assert list(errors) == ["velocity", "pressure"]
    assert errors["velocity"] == run.error(points=41) and errors["pressure"] == run.error(points=41, unknown="pressure")
    assert 0 < errors["velocity"]["rel_l2"] < 0.03 and 0 < errors["pressure"]["rel_l2"] < 0.06
    text = run.summary()
    assert "\nerror of velocity: mae" in text and "\nerror of pressure: mae" in text


def _solid_flow(run: Solution) -> Solution:
    """The same solution with a disc that nobody felt."""

    problem = copy.copy(run.problem)
    object.__setattr__(problem, "solid", Disc((3.0, 3.0), 1.0))
    return dataclasses.replace(run, problem=problem)


def test_inside_a_solid_nothing_is_shown_and_nothing_is_wrong() -> None:
    run = _walsh()
    worse = dataclasses.replace(run, states=run.states.clone())
    grid = run.representation
    near = torch.cat([(p - 3.0).norm(dim=-1) < 0.6 for p in (*grid.velocity.points, grid.pressure.points)])
    worse.states[:, near] += 7.0
    around = _solid_flow(worse)
    samples = around.samples(points=33)
    x, y = np.meshgrid(*samples.axes, indexing="ij")
    inside = np.hypot(x - 3.0, y - 3.0) < 1.0
    assert np.isnan(samples.values[:, inside]).all() and np.isfinite(samples.values[:, ~inside]).all()
    assert np.isnan(samples.exact[:, inside]).all() and np.isnan(samples.velocity[:, inside]).all()
    assert around.errors(points=33)["velocity"]["max_error"] < 0.1 < worse.errors(points=33)["velocity"]["max_error"]


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Point data of a VTI file with small arrays, ``(points, components)``, x fastest."""
    text, out = path.read_text(), {}
    for name, count, data in re.findall(r'Name="(\w+)" NumberOfComponents="(\d)" format="binary">\n([^\n<]+)', text):
        blocks = int.from_bytes(base64.b64decode(data[:12])[:8], "little")
        header = 4 * -(-8 * (3 + blocks) // 3)
        raw = zlib.decompress(base64.b64decode(data[header:]))
        out[name] = np.frombuffer(raw, "<f8").reshape(-1, int(count))
    return out


def test_export_writes_what_paraview_reads(tmp_path: Path) -> None:
    run = _walsh(8)
    path = run.export(tmp_path / "deep" / "run.pvd")
    names = re.findall(r'timestep="([^"]+)".*file="([^"]+)"', path.read_text())
    assert [float(t) for t, _ in names] == pytest.approx(run.times.tolist())
    assert [name for _, name in names] == [f"run_{k:04d}.vti" for k in range(len(run.times))]
    data = _arrays(path.with_name(names[-1][1]))
    assert set(data) == {"velocity", "pressure", "vorticity", "speed"}
    a = torch.linspace(0, 2 * torch.pi, 9, dtype=torch.float64)
    y, x = torch.meshgrid(a, a, indexing="ij")  # x runs fastest
    values = run.at(float(run.times[-1]))(torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1))
    np.testing.assert_allclose(data["velocity"][:, :2], values[:, :2].numpy(), atol=1e-12)
    np.testing.assert_allclose(data["pressure"][:, 0], values[:, 2].numpy(), atol=1e-12)
    assert (data["velocity"][:, 2] == 0).all()


def test_export_of_other_fields_and_of_solids(tmp_path: Path) -> None:
    heat = Heat()
    run = simulate(heat, GridField.for_problem(heat, 8), RK4(), dt=0.01, t_end=0.02)
    data = _arrays(run.export(tmp_path / "heat.pvd").with_name("heat_0002.vti"))
    np.testing.assert_allclose(data["u"][:-1, 0], run.states[-1].numpy())  # the last node is the first one again
    data = _arrays(
        _solid_flow(_walsh(8)).export(tmp_path / "disc.pvd", points=5, times=[0.05]).with_name("disc_0000.vti")
    )
    assert data["solid_distance"].min() < 0 < data["solid_distance"].max() and len(data["pressure"]) == 25


def test_three_dimensions_are_exported_not_drawn(tmp_path: Path) -> None:
    cube = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    box = NavierStokes(domain=cube, velocity=lambda x: torch.sin(2 * torch.pi * x[:, [1, 2, 0]]))
    run = simulate(box, MacGrid.for_problem(box, 6), RK4(), dt=0.01, t_end=0.02)
    with pytest.raises(UsageError, match=r"and NavierStokes has 3 here; solution.export\('run.pvd'\)"):
        run.plot(tmp_path / "no.png")
    assert len(_arrays(run.export(tmp_path / "run.pvd").with_name("run_0001.vti"))["velocity"]) == 7**3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run.vtk",), "must end in .pvd"),
        (("run.pvd", (5, 5, 5)), "2 numbers, each at least 2"),
        (("run.pvd", 1), "each at least 2"),
        (("run.pvd", 5, [7.0]), "spans t = 0"),
    ],
)
def test_impossible_exports_are_refused(arguments: tuple, sentence: str, tmp_path: Path) -> None:
    name, *rest = arguments
    with pytest.raises(UsageError, match=sentence):
        _walsh(8).export(tmp_path / name, *rest)


def test_probes_become_a_table(tmp_path: Path) -> None:
    run, points = _walsh(8), [[1.0, 2.0], [3.0, 4.0]]
    table = load_table(run.save_probes(tmp_path / "probes.csv", points))
    names = [f"{name}[{j}]" for j in (0, 1) for name in ("velocity_x", "velocity_y", "pressure")]
    assert list(table) == ["t", *names]
    np.testing.assert_array_equal(table["t"], run.times.numpy())
    np.testing.assert_array_equal(np.stack([table[n] for n in names], -1), run.probe(points).reshape(-1, 6).numpy())
    assert len(load_table(run.save_probes(tmp_path / "few.csv", points, [0.03]))["t"]) == 1


@pytest.mark.parametrize("integrator", [RK4(), IncrementalPressureCorrection(), AdvectionReflection()], ids=repr)
@pytest.mark.parametrize("problem", [TaylorGreen(viscosity=0.01), LidDrivenCavity()], ids=lambda p: p.name)
def test_a_restart_from_a_file_goes_on_bit_by_bit(integrator, problem, tmp_path: Path) -> None:
    grid = MacGrid.for_problem(problem, 12)
    whole = simulate(problem, grid, integrator, dt=0.01, t_end=0.1)
    half = simulate(problem, grid, integrator, dt=0.01, t_end=0.05)
    back = load_solution(half.save(tmp_path / "half.h5"), problem)
    rest = simulate(problem, back.representation, integrator, dt=0.01, t_end=0.1, restart=back.last)
    assert torch.equal(rest.states, whole.states[5:]) and torch.equal(rest.last.theta, whole.last.theta)
    assert rest.representation.config() == grid.config()
