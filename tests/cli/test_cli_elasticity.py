"""Elastic bodies in case files: what is built, what comes out, and mistakes as sentences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mesh_cases import write_square

from neuralpde.cases import draw_saved, probe_saved, run_case
from neuralpde.cases._build import load_study
from neuralpde.cases._open import open_run
from neuralpde.io import load_table
from neuralpde.problems import BodyContact, Contact, Elasticity, NeoHookean
from neuralpde.types import UsageError

CASE = """\
[problem]
name = "elasticity"
material = {kind = "neo_hookean", young = 1e6, poisson_ratio = 0.3}
domain = {mesh = "body.msh"}
conditions = [
    {kind = "dirichlet", value = 0.0, on = "x-"},
    {kind = "traction", value = [0.0, -1e4], on = "x+"},
    {kind = "traction", value = 0.0},
]
[[run]]
name = "P1"
representation = {kind = "finite_element", degree = 1}
[output]
plot = false
animate = false
"""

FALL = """\
[problem]
name = "elasticity"
steady = false
density = 1000.0
gravity = [0.0, -9.81]
start = [0.0, 0.05]
material = {kind = "neo_hookean", young = 1e5, poisson_ratio = 0.3}
domain = {mesh = "body.msh"}
conditions = [{kind = "traction", value = 0.0}]
contact = {obstacle = {kind = "half_space", point = [0.0, 0.0], normal = [0.0, 1.0]}, distance = 0.01, on = "y-"}
[time]
integrator = "implicit_euler"
dt = 0.05
t_end = 0.25
[[run]]
name = "P1"
representation = {kind = "finite_element", degree = 1}
[output]
quantity = "von Mises stress"
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    write_square(tmp_path / "body.msh", n=4, tags=("x-", "x+", "y-", "y+"))
    (tmp_path / "case.toml").write_text(CASE)
    return tmp_path / "case.toml"


def _elasticity(case: Path, text: str) -> Elasticity:
    case.write_text(text)
    problem = load_study(case).problem
    assert isinstance(problem, Elasticity)
    return problem


def test_a_material_is_a_table_with_its_kind(case: Path) -> None:
    problem = _elasticity(case, CASE)
    assert problem.material == NeoHookean(young=1e6, poisson_ratio=0.3)


def test_a_material_of_ones_own_is_a_reference(case: Path) -> None:
    (case.parent / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from neuralpde.problems import Material\n"
        "@dataclass(frozen=True)\n"
        "class Springs(Material):\n"
        "    def energy(self, x, grad):\n"
        "        return 0.5e6 * grad.square().sum((1, 2))\n"
        "    def stress(self, x, grad):\n"
        "        return 1e6 * grad\n"
    )
    text = CASE.replace('{kind = "neo_hookean", young = 1e6, poisson_ratio = 0.3}', '"mine.py:Springs"')
    assert type(_elasticity(case, text).material).__name__ == "Springs"
    with pytest.raises(UsageError, match=r"expected a .*Material.*; mine\.py:dataclass is"):
        _elasticity(case, text.replace("mine.py:Springs", "mine.py:dataclass"))


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        ('{obstacle = {kind = "disc", centre = [0.5, -1.0], radius = 0.5}, friction = 0.2}', [Contact]),
        ('[{obstacle = {kind = "disc", centre = [0.5, -1.0], radius = 0.5}}, {on = "y-"}]', [Contact, BodyContact]),
        ('[{kind = "body_contact"}]', [BodyContact]),
    ],
)
def test_contacts_are_a_table_or_several(table: str, kinds: list[type], case: Path) -> None:
    problem = _elasticity(case, CASE.replace("[problem]", f"[problem]\ncontact = {table}"))
    assert [type(contact) for contact in problem.contact] == kinds


def test_a_constant_start_needs_no_file(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(
        '[problem]\nname = "heat"\nprofile = 2.0\ndomain = {lower = [0.0], upper = [1.0]}\n'
        'conditions = [{kind = "neumann", value = 0.0}]\n[time]\nintegrator = "rk4"\ndt = 0.001\nt_end = 0.01\n'
        '[[run]]\nname = "grid"\nrepresentation = {kind = "grid", shape = 9}\n[output]\nplot = false\nanimate = false\n'
    )
    result = run_case(tmp_path / "case.toml", out=tmp_path / "out")
    (outcome,) = result.outcomes
    assert outcome.solution is not None
    assert np.allclose(outcome.solution.probe([[0.3]]).numpy(), 2.0)


MISTAKES = {
    "supports that contradict each other": (
        '    {kind = "traction", value = 0.0},\n',
        '    {kind = "dirichlet", value = 0.1, on = "y-"},\n    {kind = "traction", value = 0.0},\n',
        "problem.conditions: the supports x- and y- contradict each other where they meet: at (0, 0) x- holds u_x at 0",
    ),
    "a material that there is not": (
        "neo_hookean",
        "neohookean",
        "problem.material.kind: expected one of linear, saint_venant_kirchhoff, neo_hookean, mooney_rivlin, arap; got "
        "'neohookean'; did you mean neo_hookean?",
    ),
    "a material without a kind": ('kind = "neo_hookean", ', "", "problem.material.kind: expected one of linear"),
    "no material": ("material =", "# material =", "problem.material: expected a table of options (kind: linear"),
    "a misspelt constant": ("young", "yung", "got yung; did you mean young?"),
    "an incompressible solid": ("0.3}", "0.5}", "Poisson's ratio must lie between −1 and 0.5"),
    "a negative stiffness": ("1e6", "-1e6", "Young's modulus must be positive and finite (Pa); got -1000000.0."),
    "a number with a unit": ("1e6", '"1 MPa"', "problem.material.young: expected a number"),
    "a load on an unknown part": ('on = "x+"', 'on = "tip"', "there is no 'tip'"),
    "a point of one number": ('msh"}', 'msh", points = {pin = [0]}}', "domain.points: a point of this mesh has 2"),
    "a point far away": ('msh"}', 'msh", points = {pin = [9, 0]}}', "pin = (9.0, 0.0) is not near the mesh"),
    "a list of points": ('msh"}', 'msh", points = [0, 0]}', "expected a table of points, such as {pin = [0, 0]}"),
    "a point of a box": (
        'domain = {mesh = "body.msh"}',
        "domain = {lower = [0, 0], upper = [1, 1], points = {pin = [0, 0]}}",
        "problem.domain.points: expected points beside mesh only",
    ),
    "a component in space": ('on = "x-"}', 'on = "x-", components = "z"}', "conditions[1].components"),
    "two supports of one component": (
        '{kind = "traction", value = 0.0}',
        '{kind = "dirichlet", value = 1.0, on = "x-", components = "x"}',
        "problem.conditions: face 'x-' has two conditions",
    ),
    "a traction of three numbers": (
        "[0.0, -1e4]",
        "[0.0, -1e4, 0.0]",
        "conditions[2].value: expected one number or 2 numbers; got [0.0, -10000.0, 0.0].",
    ),
    "gravity without a density": ("domain =", "gravity = [0.0, -9.81]\ndomain =", "needs a density in kg/m³"),
    "gravity as a number": ("domain =", "gravity = -9.81\ndomain =", "problem.gravity: expected a list of numbers"),
    "gravity in space": ("domain =", "density = 1.0\ngravity = [0.0, 0.0, -9.81]\ndomain =", "gravity in 2D has 2"),
    "a motion without a time": ("domain =", "steady = false\ndensity = 1.0\ndomain =", "time.integrator: expected"),
    "a misspelt obstacle": (
        "domain =",
        'contact = {obstacl = {kind = "disc", centre = [0.5, -1.0], radius = 0.3}}\ndomain =',
        "problem.contact[1].obstacl: expected one of obstacle, on",
    ),
    "an obstacle that there is not": (
        "domain =",
        'contact = {obstacle = {kind = "ball", centre = [0.5, -1.0], radius = 0.3}}\ndomain =',
        "problem.contact[1].obstacle.kind: expected one of disc, block, half_space",
    ),
    "a contact that is a number": ("domain =", "contact = 3\ndomain =", "expected a table, or a list of tables"),
    "boundary without a condition": (
        '    {kind = "traction", value = 0.0},\n',
        "",
        "has no condition on y- and y+: hold it (Dirichlet), load it, or leave it free",
    ),
    "another mean": (
        "degree = 1",
        'degree = 1, dilatation = "average"',
        "run.P1.representation.dilatation: expected one of 'exact', 'mean'; got 'average'.",
    ),
    "forces of networks": (
        'representation = {kind = "finite_element", degree = 1}\n[output]\n',
        'representation = {kind = "neural_field", hidden = [4]}\n[output]\nfluxes = true\n',
        "output.fluxes: expected no fluxes, which are known of finite elements; the runs have NeuralField.",
    ),
    "options of a network": (
        "degree = 1}\n",
        "degree = 1}\nfit = {maxiter = 3}\n",
        "fit is an option of a NeuralField; a FiniteElementField takes newton, load_steps.",
    ),
    "options of finite elements on a network": (
        'representation = {kind = "finite_element", degree = 1}\n',
        'representation = {kind = "neural_field", hidden = [4]}\nstabilisation = "none"\n',
        "run.P1.stabilisation: expected no stabilisation, an option of a FiniteElementField; a NeuralField takes",
    ),
    "a quantity that there is not": (
        "plot = false",
        'plot = false\nquantity = "vonmises"',
        "did you mean von Mises stress?",
    ),
    "a factor below 0": (
        "plot = false",
        "plot = false\nmagnification = -1.0",
        "expected a number, 0 or more; got -1.0.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_about_a_body_is_a_sentence(mistake: str, case: Path) -> None:
    old, new, sentence = MISTAKES[mistake]
    assert old in CASE
    case.write_text(CASE.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_study(case)
    assert str(caught.value).startswith(f"{case}: ")
    assert sentence in str(caught.value)


def test_a_body_that_nothing_holds_is_told_how_it_moves(case: Path) -> None:
    case.write_text(CASE.replace('on = "x-"}', 'on = "x-", components = "x"}'))
    with pytest.raises(UsageError, match="free to move along y"):
        run_case(case, out=case.parent / "out")


def test_points_have_names(case: Path) -> None:
    """A body on a pin and a roller, with a name that options have too; the run folder keeps them."""
    held = """{kind = "dirichlet", value = 0.0, on = "mesh"},
    {kind = "dirichlet", value = 0.0, on = "roll", components = "x"},"""
    text = CASE.replace('msh"}', 'msh", points = {mesh = [0, 0], roll = [0.0, 1.0]}}')
    case.write_text(text.replace('{kind = "dirichlet", value = 0.0, on = "x-"},', held))
    folder = case.parent / "out"
    run_case(case, out=folder)
    domain = load_study(folder / "case.toml").problem.domain
    assert {name: domain.mesh.points[ids].tolist() for name, ids in domain.sets.items()} == {  # type: ignore[attr-defined]
        "mesh": [[[0.0, 0.0]]],
        "roll": [[[0.0, 1.0]]],
    }
    moved = open_run(folder / "P1.h5")[1].probe([[0.0, 0.0], [0.0, 1.0]])[0]
    assert float(moved[:, 0].abs().max()) <= 1e-15 and abs(float(moved[0, 1])) <= 1e-15 < abs(float(moved[1, 1]))


def test_a_body_that_is_pulled_has_all_its_tables(case: Path) -> None:
    probes = 'probes = {end = [1.0, 0.5]}\nprobe_quantities = ["displacement_y", "Cauchy stress"]\n'
    case.write_text(CASE + probes + "export = true\nfluxes = true\n")
    folder = case.parent / "out"
    assert run_case(case, out=folder).failure is None
    probes = load_table(folder / "P1-probes.csv")
    assert list(probes)[1:3] == ["end_displacement_y", "end_Cauchy_stress_xx"]
    assert probes["end_displacement_y"][0] < -0.01
    forces = load_table(folder / "P1-fluxes.csv")
    assert forces["force_on_x-_y"][0] == pytest.approx(-1e4, rel=1e-6)
    assert forces["force_on_x+_y"][0] == pytest.approx(1e4, rel=1e-6)
    report = (folder / "report.md").read_text()
    assert "largest displacement" in report and "Forces of **P1** on what holds it" in report
    written = (folder / "P1_0000.vtu").read_bytes()
    for name in (b"displacement", b"von Mises stress", b"Cauchy stress", b"det F"):
        assert b'Name="' + name + b'"' in written
    assert "p1_von_Mises_stress" in str(probe_saved(folder / "P1.h5", ["0.5,0.5"], None, ["von_mises_stress"]))
    with pytest.raises(UsageError, match=r"--quantity von_mises: .* did you mean von Mises stress"):
        draw_saved(folder / "P1.h5", None, "von_mises")


def test_a_body_that_falls_has_energies_a_film_and_no_penetration(case: Path) -> None:
    case.write_text(FALL + "fluxes = true\n")
    folder = case.parent / "out"
    assert run_case(case, out=folder).failure is None
    names = {path.name for path in folder.iterdir()}
    assert {"P1.png", "P1-energies.png", "P1-energies.csv", "comparison.gif"} <= names
    energies = load_table(folder / "P1-energies.csv")
    assert {"t", "kinetic", "elastic", "external", "contact", "total", "dissipated"} <= set(energies)
    # implicit Euler only takes
    assert energies["total"][-1] < energies["total"][0]
    assert len(energies["t"]) == 6
    forces = load_table(folder / "P1-fluxes.csv")
    # it is free: what contact and weight do not balance is its inertia
    assert np.allclose(forces["force_on_y-_y"], 0.0, atol=1e-6)
    assert np.allclose(forces["body_force_y"], forces["inertia_y"], rtol=1e-9, atol=1e-6)
    assert forces["body_force_y"][0] == pytest.approx(-9810.0, rel=1e-3)
    assert any(
        row["metric"] == "steps" and row["value"] == 5 for row in json.loads((folder / "metrics.json").read_text())
    )


def test_a_body_that_falls_goes_on(case: Path) -> None:
    case.write_text(FALL.replace("[output]", "[output]\nplot = false\nanimate = false"))
    whole, half = case.parent / "whole", case.parent / "half"
    run_case(case, out=whole)
    run_case(case, out=half, settings=["time.t_end=0.1"])
    run_case(case, restart=half, force=True)
    a, b = load_table(whole / "P1-energies.csv"), load_table(half / "P1-energies.csv")
    assert list(a) == list(b)
    for name in a:
        assert np.allclose(a[name], b[name], rtol=1e-9, atol=1e-9), name
