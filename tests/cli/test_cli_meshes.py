"""Cases on meshes: what they come to, what their run folders hold, what every mistake is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import meshio
import numpy as np
import pytest
import torch
from cli_command import Command
from mesh_cases import MESH_CASE, SHIPPED, write_square
from test_cli_restart import interrupt_at
from unit_meshes import unit_mesh

from neuralpde.cases import _memory as memory
from neuralpde.cases import load_study, open_run
from neuralpde.dynamics import Newton
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Robin, read_mesh
from neuralpde.io import load_table
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve
from neuralpde.types import DataError, UsageError

POISSON = """\
[problem]
name = "poisson"
source_term = 2.0
domain = {mesh = "plate.msh"}
conditions = [
    {kind = "dirichlet", value = 1.0, on = "x-"},
    {kind = "robin", coefficient = 4.0, value = 0.5, on = "x+"},
    {kind = "flux", value = 0.0, on = "untagged"},
]
[[run]]
name = "P2"
representation = {kind = "finite_element", degree = 2}
[output]
probes = {middle = [0.5, 0.3], end = [1.0, 0.7]}
export = true
"""


def test_fluxes_and_exchanges_by_tag_have_the_exact_solution(tmp_path: Path, neuralpde: Command) -> None:
    """−u'' = 2, u(0) = 1, −u'(1) = 4 (u(1) − 1/2): u = 1 + b x − x² with 2 − b = 4 (b − 1/2), b = 4/5; P2 holds it."""
    write_square(tmp_path / "plate.msh", tags=("x-", "x+"))
    (tmp_path / "case.toml").write_text(POISSON)
    study = load_study(tmp_path / "case.toml")
    assert study.problem.conditions == (Dirichlet(1.0, "x-"), Robin(4.0, 0.5, "x+"), Flux(0.0, "untagged"))
    done = neuralpde("run", tmp_path / "case.toml", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    table = load_table(tmp_path / "out" / "P2-probes.csv")
    for name, x in (("middle", 0.5), ("end", 1.0)):
        assert float(table[f"{name}_u"][0]) == pytest.approx(1 + 0.8 * x - x**2, abs=1e-12)
    assert (tmp_path / "out" / "P2.png").stat().st_size > 5000
    written = meshio.read(tmp_path / "out" / "P2_0000.vtu")
    x = written.points[:, 0]
    np.testing.assert_allclose(written.point_data["u"], 1 + 0.8 * x - x**2, atol=1e-12)


def test_a_case_on_a_mesh_is_what_python_solves(tmp_path: Path, neuralpde: Command) -> None:
    text = POISSON.replace('"plate.msh"', f'"{SHIPPED / "plate_with_holes.msh"}"').split("[output]")[0]
    text = text.replace('"x-"', '"holes"').replace('"x+"', '["left", "right"]')
    (tmp_path / "case.toml").write_text(text.replace('on = "untagged"', 'on = ["bottom", "top"]'))
    assert neuralpde("run", tmp_path / "case.toml", "--out", tmp_path / "out").code == 0
    problem = load_study(tmp_path / "case.toml").problem
    assert problem.domain == MeshDomain(read_mesh(SHIPPED / "plate_with_holes.msh"))
    alone = solve(problem, FiniteElementField.for_problem(problem, degree=2))
    assert torch.equal(open_run(tmp_path / "out" / "P2.h5")[1].last.theta, alone.last.theta)


MATERIALS = """\
[problem]
name = "heat"
steady = true
diffusivity = {by_part = {values = {plate = 1.0}, elsewhere = 3.0}}
domain = {mesh = "plate.msh"}
conditions = [{kind = "dirichlet", on = "x-"}, {kind = "dirichlet", value = 1.0, on = "x+"}, {kind = "flux"}]
[[run]]
name = "P1"
representation = {kind = "finite_element", degree = 1}
[output]
plot = false
probes = {left = [0.25, 0.3], middle = [0.5, 0.5], right = [0.75, 0.3]}
"""


def test_two_materials_have_the_same_flux(tmp_path: Path, neuralpde: Command) -> None:
    """κ is 1 left of x = 1/2 and 3 right of it: the slopes are 3/2 and 1/2."""
    write_square(tmp_path / "plate.msh", tags=("x-", "x+"), halves=True)
    (tmp_path / "case.toml").write_text(MATERIALS)
    done = neuralpde("run", tmp_path / "case.toml", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    table = load_table(tmp_path / "out" / "P1-probes.csv")
    found = [float(table[f"{name}_u"][0]) for name in ("left", "middle", "right")]
    assert found == pytest.approx([0.375, 0.75, 0.875], abs=1e-12)


def test_species_spread_by_the_materials_of_a_mesh(mesh_case: Path, neuralpde: Command) -> None:
    given = 'name = "reaction_diffusion"\nsteady = true\nreaction = {kind = "linear_decay", rate = 0.0}'
    text = MATERIALS.replace('name = "heat"\nsteady = true', given)
    write_square(mesh_case.with_name("plate.msh"), tags=("x-", "x+"), halves=True)
    mesh_case.write_text(text)
    done = neuralpde("run", mesh_case, "--out", mesh_case.parent / "out")
    assert done.code == 0, done.err
    table = load_table(mesh_case.parent / "out" / "P1-probes.csv")
    assert [float(table[f"{p}_u"][0]) for p in ("left", "right")] == pytest.approx([0.375, 0.875], abs=1e-12)
    mesh_case.write_text(text.replace("diffusivity = {by_part", "diffusivity = {bypart"))
    with pytest.raises(
        UsageError, match=r"diffusivity.bypart: expected one of by_part; got bypart; did you mean by_pa"
    ):
        load_study(mesh_case)
    mesh_case.write_text(text.replace("{by_part = {values = {plate = 1.0}, elsewhere = 3.0}}", '"much"'))
    with pytest.raises(
        UsageError, match=r'expected a number or \{by_part = \{…\}\} or "file.py:function" or a list of'
    ):
        load_study(mesh_case)


def test_fluxes_through_the_boundary_are_a_table(mesh_case: Path, neuralpde: Command) -> None:
    """What leaves and what is stored is what sources make, and where a run has no such table a sentence says so."""
    other = '[[run]]\nname = "net"\nrepresentation = {kind = "neural_field", hidden = [4]}\nmethod = "weak"\n[output]'
    mesh_case.write_text(MESH_CASE.replace("[output]", f"{other}\nfluxes = true"))
    out = mesh_case.parent / "out"
    done = neuralpde("run", mesh_case, "--out", out)
    table = load_table(out / "P1-fluxes.csv")
    assert list(table) == ["t", "flux_x-", "flux_untagged", "source", "storage"]
    np.testing.assert_allclose(
        table["flux_x-"] + table["flux_untagged"] + table["storage"], table["source"], atol=1e-10
    )
    assert float(table["flux_x-"][-1]) > 0.01 and len(table["t"]) == 5
    assert f"{out / 'P1-fluxes.csv'}\n" in done.out and not (out / "net-fluxes.csv").exists()
    report = (out / "report.md").read_text()
    assert f"What leaves **P1** through its boundary at t = 0.2: x- {table['flux_x-'][-1]:.6g}, untagged " in report
    assert f"; source {table['source'][-1]:.6g}, storage {table['storage'][-1]:.6g}." in report
    assert "**net** has no table of fluxes: fluxes through parts of the boundary are known of finite elements" in report


def test_options_of_newton_s_method_are_a_table_of_the_run(mesh_case: Path, neuralpde: Command) -> None:
    mesh_case.write_text(MESH_CASE.replace("degree = 1}", 'degree = 1}\nnewton = {linear = "gmres", maxiter = 7}'))
    newton = load_study(mesh_case).run("P1").options["newton"]
    assert newton == Newton(linear="gmres", maxiter=7)
    assert neuralpde("run", mesh_case, "--out", mesh_case.parent / "krylov").code == 0
    mesh_case.write_text(MESH_CASE)
    assert neuralpde("run", mesh_case, "--out", mesh_case.parent / "direct").code == 0
    a, b = (open_run(mesh_case.parent / name / "P1.h5")[1].last.theta for name in ("krylov", "direct"))
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_a_mesh_is_named_and_scaled_by_settings(mesh_case: Path, neuralpde: Command) -> None:
    write_square(mesh_case.parent / "coarse.msh", n=2, size=1000.0)
    study = load_study(mesh_case, ["problem.domain.mesh=coarse.msh", "problem.domain.scale=0.001"])
    assert study.problem.domain.volume == pytest.approx(1.0, rel=1e-14) and len(study.problem.domain.mesh.cells) == 8
    assert load_study(mesh_case).problem.domain.volume == pytest.approx(1.0)
    settings = ("--set", "problem.domain.mesh=coarse.msh", "--set", "problem.domain.scale=0.001")
    out = mesh_case.parent / "out"
    assert neuralpde("run", mesh_case, "--out", out, *settings).code == 0
    assert [file.name for file in (out / "mesh").iterdir()] == ["coarse.msh"]
    assert open_run(out / "P1.h5")[1].problem.domain == study.problem.domain


def test_a_mesh_is_repaired_where_the_case_says_so(mesh_case: Path) -> None:
    mesh = unit_mesh("triangle", 3)
    points = np.concatenate([mesh.points, [[9.0, 9.0]]])
    meshio.write(mesh_case.parent / "loose.vtu", meshio.Mesh(np.c_[points, np.zeros(17)], [("triangle", mesh.cells)]))
    text = MESH_CASE.replace("plate.msh", "loose.vtu").replace('"x-"', '"untagged"')
    mesh_case.write_text(text)
    with pytest.raises(DataError) as caught:
        load_study(mesh_case)
    sentence = "points that no element has (1: 16); remove them, or set problem.domain.repair = true."
    assert str(caught.value) == f"{mesh_case}: problem.domain.mesh: {mesh_case.parent / 'loose.vtu'}: {sentence}"
    domain = load_study(mesh_case, ["problem.domain.repair=true"]).problem.domain
    assert len(domain.mesh.points) == 16 and domain.volume == pytest.approx(1.0)


def test_a_run_folder_needs_nothing_beside_it(
    mesh_case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = mesh_case.parent / "out", mesh_case.parent / "whole"
    assert neuralpde("run", mesh_case, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, "P1", 2)
        assert neuralpde("run", mesh_case, "--out", out).code == 130
    moved = mesh_case.parent / "elsewhere"
    shutil.move(out, moved)
    mesh_case.with_name("plate.msh").unlink()
    mesh_case.unlink()
    done = neuralpde("run", moved / "case.toml", "--restart", moved)
    assert done.code == 0, done.err
    a, b = (open_run(folder / "P1.h5")[1] for folder in (whole, moved))
    assert torch.equal(a.states, b.states) and torch.equal(a.times, b.times)
    assert neuralpde("export", moved).out == f"{moved / 'P1.pvd'}\n"
    assert neuralpde("probe", moved / "P1.h5", "--at", "0.5,0.5").code == 0
    assert neuralpde("plot", moved / "P1.h5").out == f"{moved / 'P1.png'}\n"
    assert "MeshDomain(32 triangle elements" in neuralpde("info", moved).out


def test_a_run_goes_on_from_the_case_that_it_was_made_of(mesh_case: Path, neuralpde: Command) -> None:
    out = mesh_case.parent / "out"
    assert neuralpde("run", mesh_case, "--out", out).code == 0
    done = neuralpde("run", mesh_case, "--restart", out, "--set", "time.t_end=0.3")
    assert done.code == 0, done.err
    assert open_run(out / "P1.h5")[1].last.t == pytest.approx(0.3)


def test_a_run_does_not_go_on_on_another_mesh(mesh_case: Path, neuralpde: Command) -> None:
    out, mesh = mesh_case.parent / "out", mesh_case.with_name("plate.msh")
    assert neuralpde("run", mesh_case, "--out", out).code == 0
    before = (out / "mesh" / "plate.msh").read_bytes()
    write_square(mesh, size=1.5)
    done = neuralpde("run", mesh_case, "--restart", out, "--set", "time.t_end=0.3")
    assert done.code == 3 and "P1.h5 holds Heat with mesh digest = " in done.err, done.err
    assert "the mesh has changed since" in done.err
    assert (out / "mesh" / "plate.msh").read_bytes() == before
    write_square(mesh.with_name("fine.msh"), 8)
    done = neuralpde("run", mesh_case, "--restart", out, "--set", "problem.domain.mesh=fine.msh")
    said = f"--restart {out / 'P1.h5'}: expected the mesh of the case, fine.msh; the run was made on plate.msh.\n"
    assert (done.code, done.err) == (2, said)


def test_a_mesh_of_several_files_is_kept_with_all_of_them(mesh_case: Path, neuralpde: Command) -> None:
    mesh = unit_mesh("triangle", 3)
    meshio.write(mesh_case.parent / "P1.xdmf", meshio.Mesh(mesh.points, [("triangle", mesh.cells)]))  # data in P1.h5
    mesh_case.write_text(MESH_CASE.replace("plate.msh", "P1.xdmf").replace('"x-"', '"untagged"'))
    out = mesh_case.parent / "out"
    assert neuralpde("run", mesh_case, "--out", out).code == 0
    assert sorted(file.name for file in (out / "mesh").iterdir()) == ["P1.h5", "P1.xdmf"]
    (mesh_case.parent / "P1.xdmf").unlink()
    (mesh_case.parent / "P1.h5").unlink()
    assert open_run(out / "P1.h5")[1].problem.domain.volume == pytest.approx(1.0)


def test_elements_beyond_this_machine_are_refused_before_they_are_made(
    mesh_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = load_study(mesh_case).problem.domain.mesh
    needed = memory.element_bytes(mesh, 1)
    assert memory.element_bytes(mesh, 2) == 4 * needed > 4 * 8 * len(mesh.cells) * 9 * 2  # k is 6 in place of 3
    monkeypatch.setattr(memory, "machine_bytes", lambda: 2 * needed)
    assert load_study(mesh_case).run("P1").representation.num_dofs == 20
    mesh_case.write_text(MESH_CASE.replace("degree = 1", "degree = 2"))
    with pytest.raises(
        UsageError, match=r"degree 2 on 32 elements need about .* GiB; use degree = 1 or a coarser mesh"
    ):
        load_study(mesh_case)


@pytest.mark.parametrize("kind", ["triangle", "triangle6", "quad", "quad8", "tetra", "tetra10", "hexahedron"])
def test_nodes_are_counted_as_the_elements_have_them(kind: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 2))
    for degree in (1, 2):
        assert memory.element_nodes(domain.mesh, degree) == FiniteElementField(domain, degree=degree).num_dofs
