"""Files that a case asks for, and those that the command line makes of saved runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_command import Command, coarse_and_fine
from test_cli_restart import interrupt_at

from neuralpde.cases import load_study, open_run
from neuralpde.dynamics import ForceRecord
from neuralpde.geometry import Block, Bodies, Disc
from neuralpde.io import load_table
from neuralpde.problems import drag_and_lift
from neuralpde.simulate import simulate
from neuralpde.types import UsageError

FLOW = f"""\
[problem]
name = "taylor_green"
viscosity = 0.01
[time]
integrator = "rk4"
dt = 0.02
t_end = 0.1
save_every = 2
{coarse_and_fine(t_end=0.2)}"""

BODIES = """\
[problem]
name = "navier_stokes"
viscosity = 0.05
domain = {lower = [0.0, 0.0], upper = [2.0, 1.0]}
conditions = [{kind = "dirichlet", value = [1.0, 0.0], on = "x-"}, {kind = "outflow", on = "x+"}, {kind = "free_slip"}]
solid = [{kind = "disc", centre = [0.5, 0.5], radius = 0.15}, {kind = "block", lower = [1.0, 0.3], upper = [1.2, 0.5]}]
[time]
integrator = "incremental_pressure_correction"
dt = 0.02
t_end = 0.2
[[run]]
name = "a"
representation = {kind = "mac_grid", shape = [32, 16]}
[output]
plot = false
animate = false
"""

HEAT = """\
[problem]
name = "heat"
[time]
integrator = "rk4"
dt = 0.01
t_end = 0.02
[[run]]
name = "a"
representation = {kind = "grid", shape = 8}
[output]
plot = false
animate = false
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(FLOW)
    return path


@pytest.fixture
def saved(case: Path, neuralpde: Command) -> Path:
    assert neuralpde("run", case, "--out", case.parent / "out").code == 0
    return case.parent / "out"


def frames(path: Path) -> list[float]:
    """Times of a collection, each of which has its file."""
    found = re.findall(r'timestep="([^"]+)".*file="([^"]+)"', path.read_text())
    assert all((path.parent / name).is_file() for _, name in found)
    return [float(t) for t, _ in found]


def extent(path: Path) -> str:
    found = re.search(r'WholeExtent="([^"]+)"', path.read_text())
    assert found is not None
    return found[1]


def test_a_case_writes_files_for_paraview_and_probes(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    case.write_text(FLOW + "export = true\nprobes = {front = [0.15, 0.2], back = [-0.5, 0.25]}\n")
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0, done.err
    for name in ("coarse", "fine"):
        solution = open_run(out / f"{name}.h5")[1]
        assert frames(out / f"{name}.pvd") == pytest.approx(solution.times.tolist())
        table = load_table(out / f"{name}-probes.csv")
        columns = [f"{p}_{c}" for p in ("front", "back") for c in ("velocity_x", "velocity_y", "pressure")]
        assert list(table) == ["t", *columns]
        found = solution.probe([[0.15, 0.2], [-0.5, 0.25]]).reshape(-1, 6).numpy()
        np.testing.assert_allclose(np.stack([table[c] for c in columns], axis=1), found, atol=1e-15)
        for file in (f"{name}.pvd", f"{name}-probes.csv"):
            assert f"{out / file}\n" in done.out and f"[{file}]({file})" in (out / "report.md").read_text()


def test_times_and_points_of_an_export_may_be_chosen(case: Path, neuralpde: Command) -> None:
    """One run ends before the last of the times; neither has the time 0.05 among those that it saves."""
    out = case.parent / "out"
    case.write_text(FLOW + "export = {times = [0.05, 0.2], points = [5, 7]}\n")
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0, done.err
    assert frames(out / "coarse.pvd") == [0.05] and frames(out / "fine.pvd") == [0.05, 0.2]
    assert extent(out / "fine_0001.vti") == "0 4 0 6 0 0"


def test_a_case_that_asks_for_nothing_gets_nothing(case: Path, saved: Path, neuralpde: Command) -> None:
    case.write_text(FLOW + "export = false\n")
    assert neuralpde("run", case, "--out", case.parent / "none").code == 0
    for folder in (saved, case.parent / "none"):
        assert {p.suffix for p in folder.iterdir()} == {".toml", ".h5", ".json", ".md"}


def test_two_bodies_are_one_solid(case: Path, neuralpde: Command) -> None:
    case.write_text(BODIES)
    study = load_study(case, ["seed=1"])
    assert study.problem.solid == Bodies((Disc((0.5, 0.5), 0.15), Block((1.0, 0.3), (1.2, 0.5))))
    done = neuralpde("run", case, "--out", case.parent / "out", "--set", "seed=1")
    assert done.code == 0, done.err
    solution = open_run(case.parent / "out" / "a.h5")[1]  # the case in the file states both too
    x = torch.tensor([[0.5, 0.5], [1.1, 0.4], [0.2, 0.8]], dtype=torch.float64)
    assert (solution.problem.solid.distance(x) < 0).tolist() == [True, True, False]
    one = BODIES.replace("solid = [", "solid = ").replace(
        ', {kind = "block", lower = [1.0, 0.3], upper = [1.2, 0.5]}]', ""
    )
    case.write_text(one)
    assert load_study(case).problem.solid == Disc((0.5, 0.5), 0.15)


CYLINDER = """\
[problem]
name = "cylinder_channel"
[time]
integrator = "incremental_pressure_correction"
dt = 0.01
t_end = 0.1
save_every = 5
[[run]]
name = "a"
representation = {kind = "mac_grid", shape = [43, 8]}
[output]
plot = false
animate = false
"""


def test_forces_on_a_solid_become_a_table(case: Path, neuralpde: Command) -> None:
    case.write_text(CYLINDER + "forces = {every = 2}\n")
    out = case.parent / "out"
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0 and f"{out / 'a-forces.csv'}\n" in done.out, done.err
    table = load_table(out / "a-forces.csv")
    study = load_study(case)
    record, flow = ForceRecord(every=2), study.problem
    simulate(flow, study.run("a").representation, study.run("a").integrator, dt=0.01, t_end=0.1, progress=record)
    expected = {**record.columns(), **drag_and_lift(flow, record.columns())}
    assert list(table) == ["t", "force_x", "force_y", "drag", "lift"] == list(expected)
    for name, column in table.items():
        np.testing.assert_array_equal(column, expected[name])
    np.testing.assert_allclose(table["t"], [0.02, 0.04, 0.06, 0.08, 0.1])
    case.write_text(BODIES + "forces = true\n")  # of other solids there are forces alone
    assert neuralpde("run", case, "--out", case.parent / "bodies").code == 0
    table = load_table(case.parent / "bodies" / "a-forces.csv")
    assert list(table) == ["t", "force_x", "force_y"] and len(table["t"]) == 10


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_table_of_forces_goes_on(
    elsewhere: bool, case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.write_text(CYLINDER + "forces = true\n")
    whole, parts = case.parent / "whole", case.parent / "parts"
    assert neuralpde("run", case, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, "a", 7)
        assert neuralpde("run", case, "--out", parts).code == 130
    assert len(load_table(parts / "a-forces.csv")["t"]) == 7
    there = case.parent / "other" if elsewhere else parts
    done = neuralpde("run", case, "--restart", parts, *(("--out", there) if elsewhere else ()))
    assert done.code == 0, done.err
    assert (there / "a-forces.csv").read_bytes() == (whole / "a-forces.csv").read_bytes()


SOLID = "expected a table {kind = \"…\", …} of a body (disc, block), a list of such tables or 'none'"

MISTAKES = {
    "export is a number": (
        FLOW,
        "export = 3",
        "export: expected true, false or a table {times = […], points = …}; got 3.",
    ),
    "key of an export": (
        FLOW,
        "export = {point = 3}",
        "export.point: expected one of times, points; got point; did you mean points?",
    ),
    "one point": (
        FLOW,
        "export = {points = 1}",
        "export.points: expected one number or 2 numbers, each 2 or more; got 1.",
    ),
    "points of another dimension": (
        FLOW,
        "export = {points = [3, 3, 3]}",
        "export.points: expected one number or 2 numbers, each 2 or more; got [3, 3, 3].",
    ),
    "points on a line": (
        HEAT,
        "export = {points = [3, 3]}",
        "export.points: expected one number, 2 or more; got [3, 3].",
    ),
    "points are text": (
        FLOW,
        'export = {points = "many"}',
        "export.points: expected a whole number or a list of whole numbers; got 'many'.",
    ),
    "times after the end": (
        FLOW,
        "export = {times = [0.1, 0.3]}",
        "export.times: expected one or more times from 0 to 0.2; got 0.3.",
    ),
    "no times": (FLOW, "export = {times = []}", "export.times: expected one or more times from 0 to 0.2; got []."),
    "forces are a number": (
        BODIES,
        "forces = 3",
        "forces: expected true, false or a table {every = …}; got 3.",
    ),
    "forces never": (
        BODIES,
        "forces = {every = 0}",
        "forces.every: expected a whole number of steps, 1 or more; got 0.",
    ),
    "forces on nothing": (
        FLOW,
        "forces = true",
        "forces: expected no forces, as TaylorGreen has no solid that they could act on; got some.",
    ),
    "probes without names": (
        FLOW,
        "probes = [[0.1, 0.2]]",
        "probes: expected a table of points, such as {front = [0.1, 0.2]}; got [[0.1, 0.2]].",
    ),
    "name of a probe": (
        FLOW,
        'probes = {"a,b" = [0.1, 0.2]}',
        "probes.a,b: expected a point with a name of letters, digits, - and _; got 'a,b'.",
    ),
    "probe is a number": (FLOW, "probes = {front = 3}", "probes.front: expected a list of 2 numbers; got 3."),
    "probes as a list of points": (
        HEAT,
        "probes = {points = [[0.1], [0.2]]}",
        "probes.points: expected a list of one number for each name, as in probes = {front = [0.5]}; got "
        "[[0.1], [0.2]].",
    ),
    "probe of another dimension": (
        HEAT,
        "probes = {a = [0.1, 0.2]}",
        "probes.a: expected a list of one number; got [0.1, 0.2].",
    ),
    "probe outside": (
        FLOW,
        "probes = {front = [9.0, 0.2]}",
        "probes.front: expected a point of the domain, [-1, 1] × [-1, 1]; got [9.0, 0.2].",
    ),
    "probe in a body": (
        BODIES,
        "probes = {front = [1.1, 0.4]}",
        "probes.front: expected a point outside the solid; got [1.1, 0.4].",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_an_output_is_one_sentence(mistake: str, case: Path) -> None:
    text, line, sentence = MISTAKES[mistake]
    case.write_text(f"{text}{line}\n")
    with pytest.raises(UsageError) as caught:
        load_study(case)
    assert str(caught.value) == f"{case}: output.{sentence}"


@pytest.mark.parametrize(
    ("solid", "sentence"),
    [
        ("3", f": {SOLID}; got 3."),
        ("[]", f": {SOLID}; got []."),
        ("[3]", f": {SOLID}; got [3]."),
        ('[{kind = "disk"}]', "[1].kind: expected one of disc, block; got 'disk'; did you mean disc?"),
        ('{kind = "disc", centre = [0.5, 0.5]}', ".radius: expected a number; it is missing."),
        (
            '[{kind = "disc", centre = [0.5, 0.5], radius = 0.1}, {kind = "disc", centre = [0.5, 0.5], radius = -0.1}]',
            "[2]: a disc needs a positive radius; got -0.1.",
        ),
        (
            '[{kind = "disc", centre = [0.5, 0.5], radius = 0.1}, {kind = "disc", centre = [1, 1, 1], radius = 1}]',
            ": bodies of 2D and 3D do not mix.",
        ),
    ],
)
def test_a_mistake_in_a_body_is_one_sentence(solid: str, sentence: str, case: Path) -> None:
    case.write_text(re.sub(r"(?m)^solid = .*$", lambda _: f"solid = {solid}", BODIES))
    with pytest.raises(UsageError) as caught:
        load_study(case)
    assert str(caught.value) == f"{case}: problem.solid{sentence}"


def test_saved_runs_are_exported(saved: Path, neuralpde: Command) -> None:
    done = neuralpde("export", saved)
    assert done.out == f"{saved / 'coarse.pvd'}\n{saved / 'fine.pvd'}\n" and done.code == 0
    assert extent(saved / "fine_0000.vti") == "0 16 0 16 0 0"
    there = saved / "deep" / "x.pvd"
    assert neuralpde("export", saved / "fine.h5", "--out", there, "--points", "5,4").out == f"{there}\n"
    assert extent(there.with_name("x_0000.vti")) == "0 4 0 3 0 0"
    assert frames(there) == pytest.approx(open_run(saved / "fine.h5")[1].times.tolist())


def test_saved_runs_are_probed(saved: Path, neuralpde: Command) -> None:
    solution = open_run(saved / "fine.h5")[1]
    values = solution.probe([[0.15, 0.2], [-0.5, 0.25]]).reshape(-1, 6).numpy()
    done = neuralpde("probe", saved / "fine.h5", "--at", "0.15,0.2", "--at", "back=-0.5,0.25")
    header, *lines = done.out.splitlines()
    assert header == "t,p1_velocity_x,p1_velocity_y,p1_pressure,back_velocity_x,back_velocity_y,back_pressure"
    np.testing.assert_allclose([[float(v) for v in line.split(",")[1:]] for line in lines], values, rtol=1e-8)
    file = saved / "deep" / "p.csv"
    assert neuralpde("probe", saved / "fine.h5", "--at", "-0.5,0.25", "--out", file).out == f"{file}\n"
    np.testing.assert_allclose(load_table(file)["p1_pressure"], values[:, 5], atol=1e-16)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("probe", "fine.h5", "--at", "0.1"), "--at 0.1: expected 2 numbers, such as 0.5,0.25; got 1."),
        (("probe", "fine.h5", "--at", "x,0.1"), "--at x,0.1: expected 2 numbers, such as 0.5,0.25."),
        (("probe", "fine.h5", "--at", "9,0.1"), "--at 9,0.1: expected a point of the domain, [-1, 1] × [-1, 1]."),
        (
            ("probe", "fine.h5", "--at", "a b=0.1,0.1"),
            "--at a b=0.1,0.1: expected a name of its own of letters, digits, - and _ before the =.",
        ),
        (
            ("probe", "fine.h5", "--at", "a=0,0", "--at", "a=0.1,0.1"),
            "--at a=0.1,0.1: expected a name of its own of letters, digits, - and _ before the =.",
        ),
        (("probe", "fine.h5"), "Missing option '--at'."),
        (("probe", "", "--at", "0,0"), ": expected one of this folder's .h5 files; got the folder."),
        (("export", "fine.h5", "--points", "5,x"), "--points 5,x: expected whole numbers, such as 65 or 129,65."),
        (("export", "fine.h5", "--points", "1"), "points must be one number or 2 numbers, each at least 2; got 1."),
        (("export", "fine.h5", "--out", "a.vtk"), "cannot export to 'a.vtk': the name must end in .pvd"),
        (
            ("export", "", "--out", "a.pvd"),
            "--out a.pvd: expected no name for all runs of a folder; name one of its .h5 files.",
        ),
    ],
)
def test_a_mistake_in_a_command_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, saved: Path, neuralpde: Command
) -> None:
    command, file, *options = arguments
    done = neuralpde(command, saved / file, *options)
    assert done.code == 2 and done.out == "" and done.err.removeprefix(str(saved)) == f"{sentence}\n"
