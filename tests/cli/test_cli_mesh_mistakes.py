"""Every mistake about a mesh is one sentence: in the case file, and in the mesh's own."""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest
from cli_command import Command
from mesh_cases import MESH_CASE
from unit_meshes import unit_mesh

from neuralpde.cases import load_study
from neuralpde.dynamics._newton import LINEAR_SOLVERS
from neuralpde.problems import GrayScott, ReactionDiffusion
from neuralpde.types import UsageError

DOMAIN, REPRESENTATION = 'domain = {mesh = "plate.msh"}', 'kind = "finite_element", degree = 1'
HEAT = 'name = "heat"\ndiffusivity = 1.0\nprofile = {product_of_sines = {k = 1.0}}'
ON, FLUX = 'on = "x-"', '{kind = "flux", value = 0.0}'
HOW = 'a table {lower = […], upper = […]} or {mesh = "file.msh"}'
REACTIONS = "linear_decay, logistic, allen_cahn, gray_scott, schnakenberg, brusselator"

MISTAKES = {
    "no such file": (
        DOMAIN,
        'domain = {mesh = "plat.msh"}',
        "problem.domain.mesh: expected a mesh file; there is no {here}/plat.msh; did you mean plate.msh?",
    ),
    "no such folder": (
        DOMAIN,
        'domain = {mesh = "deep/plate.msh"}',
        "problem.domain.mesh: expected a mesh file; there is no {here}/deep/plate.msh.",
    ),
    "folder": (DOMAIN, 'domain = {mesh = "."}', "problem.domain.mesh: expected a mesh file; it is a folder."),
    "number": (DOMAIN, "domain = {mesh = 3}", "problem.domain.mesh: expected the name of a mesh file; got 3."),
    "name alone": (DOMAIN, 'domain = "plate.msh"', f"problem.domain: expected {HOW}; got 'plate.msh'."),
    "no domain": (
        DOMAIN,
        'mesh = "plate.msh"',
        "problem.mesh: a mesh is a domain: domain = {mesh = 'plate.msh'}.",
    ),
    "empty": (DOMAIN, "domain = {}", 'problem.domain: expected lower and upper, or mesh = "file.msh"; got a table.'),
    "misspelled": (
        DOMAIN,
        'domain = {mash = "plate.msh"}',
        "problem.domain.mash: expected one of lower, upper, mesh, repair, scale, points; got mash; did you mean mesh?",
    ),
    "box and mesh": (
        DOMAIN,
        'domain = {mesh = "plate.msh", upper = [1.0, 1.0]}',
        "problem.domain.upper: expected no upper beside mesh, which is the domain; got one.",
    ),
    "half a box": (
        DOMAIN,
        "domain = {lower = [0.0, 0.0]}",
        "problem.domain.upper: expected a list of numbers, one per dimension; it is missing.",
    ),
    "scale of a box": (
        DOMAIN,
        "domain = {lower = [0.0], upper = [1.0], scale = 2.0}",
        "problem.domain.scale: expected scale beside mesh only; this domain has none.",
    ),
    "no scale": (
        DOMAIN,
        'domain = {mesh = "plate.msh", scale = 0.0}',
        "problem.domain.scale: expected a positive number, such as 0.001 for a mesh in millimetres; got 0.0.",
    ),
    "repair is a number": (
        DOMAIN,
        'domain = {mesh = "plate.msh", repair = 1}',
        "problem.domain.repair: expected true or false; got 1.",
    ),
    "no conditions": (
        'conditions = [{kind = "dirichlet", value = 0.0, on = "x-"}, {kind = "flux", value = 0.0}]\n',
        "",
        "problem.conditions: expected conditions on the mesh's boundary parts (x-, untagged); it is missing.",
    ),
    "unknown tag": (
        ON,
        'on = "left"',
        "problem.conditions[1].on: this mesh has the boundary parts x-, untagged; there is no 'left'.",
    ),
    "misspelled tag": (
        ON,
        'on = ["untaged", "x-"]',
        "problem.conditions[1].on: this mesh has the boundary parts x-, untagged; there is no 'untaged'; did you mean "
        "untagged?",
    ),
    "fluxes of a neural field": (
        f"{REPRESENTATION}}}\n[output]",
        'kind = "neural_field", hidden = [4]}\n[output]\nfluxes = true',
        "output.fluxes: expected no fluxes, which are known of finite elements; the runs have NeuralField.",
    ),
    "fluxes are text": (
        "animate = false",
        'animate = false\nfluxes = "left"',
        "output.fluxes: expected true or false; got 'left'.",
    ),
    "reaction without a kind": (
        HEAT,
        'name = "reaction_diffusion"\nreaction = {rate = 1.0, capacity = 2.0}',
        f"problem.reaction.kind: expected one of {REACTIONS}; it is missing: "
        'reaction = {kind = "logistic", rate = 1.0, capacity = 2.0}.',
    ),
    "reaction without a kind, keys of several": (
        HEAT,
        'name = "reaction_diffusion"\nreaction = {rate = 2.0}',
        f"problem.reaction.kind: expected one of {REACTIONS}; it is missing: "
        'reaction = {kind = "linear_decay", rate = 2.0}.',
    ),
    "reaction misspelled": (
        HEAT,
        'name = "reaction_diffusion"\nreaction = "grey_scott"',
        f"problem.reaction.kind: expected one of {REACTIONS}; got 'grey_scott'; did you mean gray_scott?",
    ),
    "periodic": (
        FLUX,
        '{kind = "periodic"}',
        "problem.conditions: a mesh's domain has no periodic axes; got Periodic(axes='all'): take a Box.",
    ),
    "key of a flux": (
        FLUX,
        '{kind = "flux", valu = 0.0}',
        "problem.conditions[2].valu: expected one of value, on; got valu; did you mean value?",
    ),
    "robin that heats": (
        FLUX,
        '{kind = "robin", coefficient = -1.0}',
        "problem.conditions[2]: the coefficient of Robin is a number, 0 or more; got -1.0.",
    ),
    "value of two components": (
        "value = 0.0, on",
        "value = [1.0, 2.0], on",
        "problem.conditions[1].value: expected one number; got [1.0, 2.0].",
    ),
    "flow": (
        HEAT,
        'name = "navier_stokes"',
        "problem.domain: NavierStokes is solved on boxes: give lower and upper in place of mesh, and bodies by solid.",
    ),
    "material of no part": (
        "diffusivity = 1.0",
        "diffusivity = {by_part = {values = {steel = 1.0}}}",
        "problem: the mesh has the parts plate; there is no 'steel'.",
    ),
    "material is text": (
        "diffusivity = 1.0",
        'diffusivity = {by_part = {values = {plate = "steel"}}}',
        "problem.diffusivity.by_part.values.plate: expected a number; got 'steel'.",
    ),
    "degree 3": (
        REPRESENTATION,
        'kind = "finite_element", degree = 3',
        "run.P1.representation: finite elements here have degree 1 or 2; got 3.",
    ),
    "grid": (
        REPRESENTATION,
        'kind = "grid", shape = 9',
        "run.P1.representation: this needs a Box; the domain is MeshDomain(32 triangle elements, x-, untagged): use a "
        "FiniteElementField.",
    ),
    "box": (
        f'{DOMAIN}\nconditions = [{{kind = "dirichlet", value = 0.0, on = "x-"}}, ',
        "domain = {lower = [0.0, 0.0], upper = [1.0, 1.0]}\nconditions = [",
        'run.P1.representation.kind: expected problem.domain = {mesh = "file.msh"} for finite elements; it is a box: '
        "use a grid there.",
    ),
    "newton": (
        "degree = 1}",
        "degree = 1}\nnewton = {linear = 'lu'}",
        f"run.P1.newton: the linear solvers are {', '.join(LINEAR_SOLVERS)}; got 'lu'.",
    ),
    "probe beside the mesh": (
        "animate = false",
        "animate = false\nprobes = {a = [2.0, 2.0]}",
        "output.probes.a: expected a point of the mesh, which lies in [0, 1] × [0, 1]; got [2.0, 2.0].",
    ),
    "points of an export": (
        "animate = false",
        "animate = false\nexport = {points = 9}",
        "output.export.points: expected no points, as files for ParaView have those of the mesh; got some.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_about_a_mesh_is_one_sentence(mistake: str, mesh_case: Path) -> None:
    old, new, sentence = MISTAKES[mistake]
    assert old in MESH_CASE
    mesh_case.write_text(MESH_CASE.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_study(mesh_case)
    assert str(caught.value) == f"{mesh_case}: {sentence.replace('{here}', str(mesh_case.parent))}"


@pytest.mark.parametrize("reaction", ['"gray_scott"', '{kind = "gray_scott"}'])
def test_a_reaction_by_its_name_has_its_defaults(reaction: str, mesh_case: Path) -> None:
    given = f'name = "reaction_diffusion"\nreaction = {reaction}\ndiffusivity = [2e-5, 1e-5]'
    mesh_case.write_text(MESH_CASE.replace(HEAT, given))
    problem = load_study(mesh_case).problem
    assert isinstance(problem, ReactionDiffusion)
    assert problem.reaction == GrayScott(0.04, 0.06)


def _bent(points: np.ndarray) -> np.ndarray:
    return np.c_[points, points[:, 0] ** 2]


FILES = {
    "text": ("mesh.msh", "no mesh could be read from it (it is no file of gmsh, or of a version"),
    "shape": ("mesh.geo", "a file .geo holds a shape and no mesh; mesh it first (gmsh -2 mesh.geo -o mesh.msh, or"),
    "short": (
        "mesh.bdf",
        "no mesh could be read from it (it has no line BEGIN BULK, as gmsh writes Nastran files; save",
    ),
    "surface": ("mesh.stl", "a surface in space where a domain is needed; use a mesh in the plane z = 0, or a 3D mesh"),
    "lines": ("lines.vtu", "it has no elements of a domain; mesh it before saving it; gmsh saves physical groups"),
    "two kinds": ("kinds.vtu", "elements of several kinds: 18 triangle, 1 quad; mesh with one kind"),
    "turned over": (
        "turned.vtu",
        "inverted elements (1: 3); reorder their nodes, or set problem.domain.repair = true.",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_holds_no_domain_is_one_sentence(what: str, mesh_case: Path, neuralpde: Command) -> None:
    name, sentence = FILES[what]
    mesh, path = unit_mesh("triangle", 3), mesh_case.with_name(name)
    flat, turned = np.c_[mesh.points, np.zeros(16)], mesh.cells.copy()
    turned[3] = turned[3, ::-1]
    made = {
        "surface": meshio.Mesh(_bent(mesh.points), [("triangle", mesh.cells)]),
        "lines": meshio.Mesh(flat, [("line", mesh.cells[:, :2])]),
        "two kinds": meshio.Mesh(flat, [("triangle", mesh.cells), ("quad", np.array([[0, 1, 5, 4]]))]),
        "turned over": meshio.Mesh(flat, [("triangle", turned)]),
    }
    if what in made:
        meshio.write(path, made[what])
    else:
        path.write_text("Rectangle(1) = {0, 0, 0, 1, 1};")
    done = neuralpde("run", mesh_case, "--out", mesh_case.parent / "out", "--set", f"problem.domain.mesh={name}")
    assert done.code == 3 and len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith(f"{mesh_case}: problem.domain.mesh: {path}: {sentence}")
    assert not (mesh_case.parent / "out").exists()
