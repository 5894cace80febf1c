"""Every mistake in a case file is one sentence: where, what was expected, what came, what was probably meant."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from neuralpde.cases import load_study
from neuralpde.cases._problem import CONDITIONS
from neuralpde.dynamics import METHODS, DiscreteDynamics, FunctionSpaceDynamics, GalerkinDynamics
from neuralpde.integrators import INTEGRATORS
from neuralpde.optimize import GaussNewton
from neuralpde.problems import PROBLEMS
from neuralpde.representations import REPRESENTATIONS
from neuralpde.types import DataError, UsageError

GOOD = """\
seed = 0
[problem]
name = "advection"
speed = 0.25
[time]
integrator = "rk4"
dt = 0.05
t_end = 1.0
[[run]]
name = "grid"
representation = {kind = "grid", shape = 32, order = 6}
[[run]]
name = "neural"
representation = {kind = "neural_field", hidden = [4, 4]}
fit = {maxiter = 4}
"""

MINE = '''\
"""Equations for the tests."""
from dataclasses import dataclass
from neuralpde import Box, Dirichlet, Problem


@dataclass(frozen=True)
class Fixed(Problem):
    rate: float = 1.0
    steps: int = 2
    loud: bool = False
    weights: tuple[float, ...] = (1.0,)
    domain = Box((0.0,), (1.0,))
    conditions = (Dirichlet(0.0),)

    def rhs(self, t, x, u):
        return -self.rate * u.value


class Plain:
    pass


def bump(x):
    return x


answer = 42
'''

# Lists that grow with the package are taken from it; the sentences around them are not.
PARTS = ", ".join(PROBLEMS)
STEPS = ", ".join(INTEGRATORS)
KINDS = ", ".join(REPRESENTATIONS)
METHOD_NAMES = ", ".join(METHODS)
GAUSS_NEWTON = ", ".join(field.name for field in fields(GaussNewton))
ON_GRIDS, ON_NETWORKS, IN_GALERKIN = (
    ", ".join(list(inspect.signature(dynamics).parameters)[2:])
    for dynamics in (DiscreteDynamics, FunctionSpaceDynamics, GalerkinDynamics)
)
TIME = "integrator, dt, t_end, save_every, growth_limit, until_steady"
FITTED = " or ".join(
    dict.fromkeys(
        f"a {kind.__name__}" for made, kind in METHODS.values() if "fit" in inspect.signature(made).parameters
    )
)
REFERENCE = "representation, integrator, dt, save_every, growth_limit, until_steady, method, initial_fit"
RUN = f"{REFERENCE}, name, t_end"
FUNCTION = '{sine = {…}} or {gaussian = {…}} or {by_part = {…}} or "file.py:function"'
CONDITION = f"{', '.join(CONDITIONS)}; got 'dirichlt'; did you mean dirichlet?"

# (what is replaced, by what, the sentence after the file's name)
MISTAKES = {
    "negative dt": ("dt = 0.05", "dt = -0.1", "time.dt: expected a positive number; got -0.1."),
    "dt is text": ("dt = 0.05", 'dt = "small"', "time.dt: expected a positive number; got 'small'."),
    "dt is true": ("dt = 0.05", "dt = true", "time.dt: expected a positive number; got true."),
    "dt is nan": ("dt = 0.05", "dt = nan", "time.dt: expected a positive finite number; got nan."),
    "dt is infinite": ("dt = 0.05", "dt = inf", "time.dt: expected a positive finite number; got inf."),
    "t_end is nan": ("t_end = 1.0", "t_end = nan", "time.t_end: expected a positive finite number; got nan."),
    "t_end is infinite": ("t_end = 1.0", "t_end = -inf", "time.t_end: expected a positive finite number; got -inf."),
    "dt of a run is infinite": (
        "fit = {maxiter = 4}",
        "dt = inf",
        "run.neural.dt: expected a positive finite number; got inf.",
    ),
    "growth below one": (
        "dt = 0.05",
        "dt = 0.05\ngrowth_limit = 0.5",
        "time.growth_limit: expected 1 or more, or inf for no limit; got 0.5.",
    ),
    "growth is nan": (
        "dt = 0.05",
        "dt = 0.05\ngrowth_limit = nan",
        "time.growth_limit: expected 1 or more, or inf for no limit; got nan.",
    ),
    "growth of a run is text": (
        "fit = {maxiter = 4}",
        'growth_limit = "none"',
        "run.neural.growth_limit: expected 1 or more, or inf for no limit; got 'none'.",
    ),
    "never steady": (
        "dt = 0.05",
        "dt = 0.05\nuntil_steady = 0.0",
        "time.until_steady: expected a positive number; got 0.0.",
    ),
    "steady is true": (
        "fit = {maxiter = 4}",
        "until_steady = true",
        "run.neural.until_steady: expected a positive number; got true.",
    ),
    "growth of a steady problem": (
        'name = "advection"\nspeed = 0.25\n[time]\nintegrator = "rk4"\ndt = 0.05\nt_end = 1.0\n[[run]]\nname = "grid"',
        'name = "poisson"\n[[run]]\nname = "grid"\ngrowth_limit = 10.0',
        "run.grid.growth_limit: expected no growth_limit, as Poisson is steady; got one.",
    ),
    "no dt": ("dt = 0.05\n", "", "time.dt: expected a positive number; it is missing."),
    "no integrator": (
        'integrator = "rk4"\n',
        "",
        "time.integrator: expected the name of an integrator; it is missing.",
    ),
    "misspelled key": (
        "dt = 0.05",
        "dtt = 0.05",
        f"time.dtt: expected one of {TIME}; got dtt; did you mean dt?",
    ),
    "unknown section": (
        "seed = 0",
        "sead = 0",
        "sead: expected one of seed, problem, time, run, reference, output; got sead; did you mean seed?",
    ),
    "seed is half": ("seed = 0", "seed = 0.5", "seed: expected a whole number, 0 or more; got 0.5."),
    "unknown integrator": (
        '"rk4"',
        '"rk5"',
        f"time.integrator: expected one of {STEPS}; got 'rk5'; did you mean rk4?",
    ),
    "integrator of a run": (
        "fit = {maxiter = 4}",
        'integrator = "heum"',
        f"run.neural.integrator: expected one of {STEPS}; got 'heum'; did you mean heun?",
    ),
    "unknown problem": (
        '"advection"',
        '"advektion"',
        f"problem.name: expected one of {PARTS}; got 'advektion'; did you mean advection?",
    ),
    "unknown parameter": (
        "speed = 0.25",
        "sped = 0.25",
        "problem.sped: expected one of name, domain, conditions, speed, profile; got sped; did you mean speed?",
    ),
    "speed is text": ("speed = 0.25", 'speed = "fast"', f"problem.speed: expected a number or {FUNCTION}; got 'fast'."),
    "speed is infinite": (
        "speed = 0.25",
        "speed = inf",
        f"problem.speed: expected a finite number or {FUNCTION}; got inf.",
    ),
    "endless box": (
        "speed = 0.25",
        "domain = {lower = [-inf], upper = [2.0]}",
        "problem.domain.lower: expected a list of finite numbers, one per dimension; got [-inf].",
    ),
    "unknown function": (
        "speed = 0.25",
        "speed = {sin = {}}",
        "problem.speed.sin: expected one of sine, gaussian, by_part; got sin; did you mean sine?",
    ),
    "function's parameter": (
        "speed = 0.25",
        "speed = {sine = {meen = 1.0}}",
        "problem.speed.sine.meen: expected one of mean, amplitude, period; got meen; did you mean mean?",
    ),
    "box upside down": (
        "speed = 0.25",
        "domain = {lower = [2.0], upper = [-2.0]}",
        "problem.domain: the box needs lower < upper along x; got 2 and -2.",
    ),
    "half a box": (
        "speed = 0.25",
        "domain = {lower = [2.0]}",
        "problem.domain.upper: expected a list of numbers, one per dimension; it is missing.",
    ),
    "corner is a number": (
        "speed = 0.25",
        "domain = {lower = -2.0, upper = [2.0]}",
        "problem.domain.lower: expected a list of numbers, one per dimension; got -2.0.",
    ),
    "unknown condition": (
        "speed = 0.25",
        'conditions = [{kind = "dirichlt"}]',
        f"problem.conditions[1].kind: expected one of {CONDITION}",
    ),
    "no such face": (
        "speed = 0.25",
        'conditions = [{kind = "dirichlet", on = "y-"}]',
        "problem.conditions[1].on: this box has the faces x-, x+; there is no face 'y-'.",
    ),
    "value of a condition": (
        "speed = 0.25",
        'conditions = [{kind = "dirichlet", value = "zero"}]',
        "problem.conditions[1].value: expected a number or a list of numbers or \"file.py:function\"; got 'zero'.",
    ),
    "no name": ('name = "grid"\n', "", "run[1].name: expected a name of letters, digits, - and _; it is missing."),
    "name with a slash": (
        'name = "grid"',
        'name = "a/b"',
        "run.a/b.name: expected a name of letters, digits, - and _; got 'a/b'.",
    ),
    "same name twice": (
        'name = "neural"',
        'name = "grid"',
        "run[2].name: expected a name that no other run has (run[1] has it); got 'grid'.",
    ),
    "unknown representation": (
        '"neural_field"',
        '"neural_feld"',
        f"run.neural.representation.kind: expected one of {KINDS}; got 'neural_feld'; did you mean neural_field?",
    ),
    "option of another representation": (
        "shape = 32",
        "hidden = [8]",
        "run.grid.representation.hidden: expected one of kind, shape, order, dtype; got hidden.",
    ),
    "shape is text": (
        "shape = 32",
        'shape = "32"',
        "run.grid.representation.shape: expected a whole number or a list of whole numbers; got '32'.",
    ),
    "half a node": (
        "shape = 32",
        "shape = [32.5]",
        "run.grid.representation.shape: expected a whole number or a list of whole numbers; got [32.5].",
    ),
    "no such order": (
        "order = 6",
        "order = 4",
        "run.grid.representation: the orders of a grid field are 2, 6 and 'fourier'; got 4.",
    ),
    "no such precision": (
        "order = 6",
        'dtype = "float16"',
        "run.grid.representation.dtype: expected 'float64' or 'float32'; got 'float16'.",
    ),
    "fourier on a box with ends": (
        'speed = 0.25\n[time]\nintegrator = "rk4"\ndt = 0.05\nt_end = 1.0\n[[run]]\nname = "grid"\n'
        'representation = {kind = "grid", shape = 32, order = 6}',
        'conditions = [{kind = "dirichlet"}]\n[time]\nintegrator = "rk4"\ndt = 0.05\nt_end = 1.0\n[[run]]\n'
        'name = "grid"\nrepresentation = {kind = "grid", order = "fourier"}',
        "run.grid.representation: order='fourier' needs a domain that is periodic along every axis; use order=6 here.",
    ),
    "no widths": (
        "hidden = [4, 4]",
        "hidden = []",
        "run.neural.representation: hidden needs at least one positive width; got ().",
    ),
    "option of a fit": (
        "fit = {maxiter = 4}",
        "fit = {maxitr = 4}",
        f"run.neural.fit.maxitr: expected one of {GAUSS_NEWTON}; got maxitr; did you mean maxiter?",
    ),
    "fit by a stranger": (
        "fit = {maxiter = 4}",
        'fit = {kind = "adm"}',
        "run.neural.fit.kind: expected one of gauss_newton, adam; got 'adm'; did you mean adam?",
    ),
    "fit out of range": (
        "fit = {maxiter = 4}",
        "fit = {maxiter = 0}",
        "run.neural.fit: maxiter must be at least 1; got 0.",
    ),
    "fit is a number": (
        "fit = {maxiter = 4}",
        "fit = 4",
        "run.neural.fit: expected a table of options (kind: gauss_newton, adam) or 'none'; got 4.",
    ),
    "newton on a network": (
        "fit = {maxiter = 4}",
        'newton = {linear = "cg"}',
        "run.neural.newton: expected no newton, an option of a GridField or a FiniteElementField; "
        f"a NeuralField takes {ON_NETWORKS}.",
    ),
    "fit on a grid": (
        "order = 6}",
        "order = 6}\nfit = {maxiter = 4}",
        f"run.grid.fit: expected no fit, an option of {FITTED}; a GridField takes {ON_GRIDS}.",
    ),
    "fit in the table of a grid": (
        "order = 6}",
        "order = 6, fit = {maxiter = 4}}",
        "run.grid.representation.fit: expected one of kind, shape, order, dtype; got fit.",
    ),
    "first fit on a grid": (
        "order = 6}",
        "order = 6}\ninitial_fit = {maxiter = 4}",
        "run.grid.initial_fit: expected no initial_fit, as this representation samples its start; got one.",
    ),
    "option of another method": (
        "fit = {maxiter = 4}",
        'method = "galerkin"\nfit = {maxiter = 4}',
        "run.neural.fit: expected no fit, an option of method='function_space'; "
        f"method='galerkin' takes {IN_GALERKIN}.",
    ),
    "option of nobody": (
        "fit = {maxiter = 4}",
        "fits = {maxiter = 4}",
        f"run.neural.fits: expected one of {RUN}, {ON_NETWORKS}; got fits; did you mean fit?",
    ),
    "method of another representation": (
        "fit = {maxiter = 4}",
        'method = "discrete"',
        "run.neural.method: method='discrete' does not serve a NeuralField; use 'function_space' or 'galerkin'.",
    ),
    "unknown method": (
        "fit = {maxiter = 4}",
        'method = "galerkn"',
        f"run.neural.method: expected one of {METHOD_NAMES}; got 'galerkn'; did you mean galerkin?",
    ),
    "splitting without flows": (
        "fit = {maxiter = 4}",
        'method = "galerkin"\nintegrator = "lie_splitting"',
        "run.neural: LieSplitting needs a flow for every term of the problem; use RK4 or ImplicitMidpoint here.",
    ),
    "advection by pressure correction": (
        '"rk4"',
        '"incremental_pressure_correction"',
        "run.grid: IncrementalPressureCorrection is for incompressible flow; use RK4 or ImplicitMidpoint here.",
    ),
    "advection by reflection": (
        '"rk4"',
        '"advection_reflection"',
        "run.grid: AdvectionReflection reflects at a constraint, and this problem has none; use LieSplitting or RK4.",
    ),
    "time of a steady problem": (
        'name = "advection"\nspeed = 0.25',
        'name = "poisson"',
        "time: expected no table [time], as Poisson is steady; got one.",
    ),
    "reference to nobody": (
        "fit = {maxiter = 4}",
        '[output]\nreference = "gird"',
        "output.reference: expected one of grid, neural; got 'gird'; did you mean grid?",
    ),
    "two references": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "grid"}\n[output]\nreference = "grid"',
        "output.reference: expected no second reference beside the table [reference]; got 'grid'.",
    ),
    "reference is a name": (
        "seed = 0",
        'reference = "grid"',
        "reference: expected a table [reference] (the name of a run is output.reference); got 'grid'.",
    ),
    "run called reference": (
        'name = "grid"\nrepresentation = {kind = "grid", shape = 32, order = 6}',
        'name = "reference"\nrepresentation = {kind = "grid", shape = 32}\n'
        '[reference]\nrepresentation = {kind = "grid"}',
        "run[1].name: expected another name than reference, which is the run of the table [reference]; "
        "got 'reference'.",
    ),
    "reference without a representation": (
        "fit = {maxiter = 4}",
        "[reference]\ndt = 0.1",
        'reference.representation: expected a table {kind = "…", …}; it is missing.',
    ),
    "end of a reference": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "grid"}\nt_end = 2.0',
        "reference.t_end: expected no t_end, as the reference lasts as long as the longest run; got one.",
    ),
    "key of a reference": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "grid"}\nintegrater = "rk4"',
        f"reference.integrater: expected one of {REFERENCE}, {ON_GRIDS}; got integrater; did you mean integrator?",
    ),
    "unknown representation of a reference": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "gird"}',
        f"reference.representation.kind: expected one of {KINDS}; got 'gird'; did you mean grid?",
    ),
    "integrator of a reference": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "grid"}\nintegrator = "rk5"',
        f"reference.integrator: expected one of {STEPS}; got 'rk5'; did you mean rk4?",
    ),
    "negative dt of a reference": (
        "fit = {maxiter = 4}",
        '[reference]\nrepresentation = {kind = "grid"}\ndt = -0.1',
        "reference.dt: expected a positive number; got -0.1.",
    ),
    "reference that nobody steps": (
        'integrator = "rk4"\ndt = 0.05\nt_end = 1.0\n[[run]]\nname = "grid"',
        't_end = 1.0\n[reference]\nrepresentation = {kind = "grid"}\n[[run]]\nname = "grid"\nintegrator = "rk4"\n'
        "dt = 0.05",
        "time.integrator: expected the name of an integrator; it is missing.",
    ),
    "unknown quantity": (
        "fit = {maxiter = 4}",
        '[output]\nquantity = "vorticity"',
        "output.quantity: expected one of u; got 'vorticity'.",
    ),
    "problem is a number": (
        '[problem]\nname = "advection"\nspeed = 0.25',
        "problem = 3",
        'problem: expected a table [problem], or a string "file.py:Class"; got 3.',
    ),
    "no problem": (
        '[problem]\nname = "advection"\nspeed = 0.25\n',
        "",
        'problem: expected a table [problem], or a string "file.py:Class"; it is missing.',
    ),
    "no such class": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Fixd"',
        "problem.name: expected one of Fixed, Plain, bump; got Fixd; did you mean Fixed?",
    ),
    "not a problem": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Plain"',
        "problem.name: expected a class derived from Problem; mine.py:Plain is the class Plain.",
    ),
    "own parameter": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Fixed"\nrat = 2.0',
        "problem.rat: expected one of name, rate, steps, loud, weights; got rat; did you mean rate?",
    ),
    "own whole number": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Fixed"\nsteps = 2.5',
        "problem.steps: expected a whole number; got 2.5.",
    ),
    "own list": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Fixed"\nweights = ["a"]',
        "problem.weights: expected a list of numbers; got ['a'].",
    ),
    "own fixed domain": (
        'name = "advection"\nspeed = 0.25',
        'name = "mine.py:Fixed"\ndomain = {lower = [0.0], upper = [2.0]}',
        "problem.domain: expected no domain: Fixed fixes it; make it a dataclass field to set it here.",
    ),
    "own function that is none": (
        "speed = 0.25",
        'speed = "mine.py:answer"',
        "problem.speed: expected a function; mine.py:answer is a value of type int.",
    ),
    "not TOML": ("dt = 0.05", "dt 0.05", "line 7: expected TOML; expected '=' after a key in a key/value pair."),
    "key twice": ("dt = 0.05", "dt = 0.05\ndt = 0.1", "line 8: expected TOML; cannot overwrite a value."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake: str, tmp_path: Path) -> None:
    old, new, sentence = MISTAKES[mistake]
    assert old in GOOD
    (tmp_path / "mine.py").write_text(MINE)
    path = tmp_path / "case.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_study(path)
    assert str(caught.value) == f"{path}: {sentence}"


def test_the_case_without_mistakes_is_taken(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(GOOD)
    study = load_study(tmp_path / "case.toml")
    assert [run.name for run in study.runs] == ["grid", "neural"]


def test_several_mistakes_are_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(GOOD.replace("dt = 0.05", "dt = 0").replace("t_end = 1.0", "t_end = -1"))
    with pytest.raises(UsageError) as caught:
        load_study(path)
    assert str(caught.value).splitlines() == [
        f"{path}: time.dt: expected a positive number; got 0.",
        f"{path}: time.t_end: expected a positive number; got -1.",
    ]


def test_files_that_are_no_case_files(tmp_path: Path) -> None:
    missing, empty, binary = tmp_path / "no.toml", tmp_path / "empty.toml", tmp_path / "binary.toml"
    empty.write_text("# nothing\n")
    binary.write_bytes(b"name = \xff\xfe")
    for path, kind, sentence in (
        (missing, DataError, f"{missing}: expected a case file; there is none of that name."),
        (tmp_path, DataError, f"{tmp_path}: expected a case file; got a folder."),
        (empty, UsageError, f"{empty}: expected a table [problem] and one or more tables [[run]]; the file is empty."),
        (binary, DataError, f"{binary}: expected text in UTF-8; got byte 0xff."),
    ):
        with pytest.raises(kind) as caught:
            load_study(path)
        assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("time.dt", "--set time.dt: expected key=value, such as time.dt=0.01."),
        ("time.dt=0..1", "--set time.dt=0..1: expected a TOML value after the =; got '0..1'."),
        ("run.gird.dt=1", "--set run.gird.dt=1: expected one of grid, neural; got 'gird'; did you mean grid?"),
        ("run.grid=1", "--set run.grid=1: expected a key of the run, such as run.grid.dt=0.01."),
        ("seed.a=1", "--set seed.a=1: expected a table at seed; got 0."),
        ("time.dt=-1", "{case}: time.dt: expected a positive number; got -1."),
        ("time.dt=inf", "{case}: time.dt: expected a positive finite number; got inf."),
    ],
)
def test_mistakes_in_settings(setting: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(GOOD)
    with pytest.raises(UsageError) as caught:
        load_study(path, [setting])
    assert str(caught.value) == sentence.replace("{case}", str(path))


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ("vortx_pair.toml", "; did you mean {}/vortex_pair.toml?"),
        ("vortex_pair", "; did you mean {}/vortex_pair.toml?"),
        ("vortex_pair.tml", "; did you mean {}/vortex_pair.toml?"),
        ("heat.toml", "."),
        ("deep/vortex_pair.toml", "."),
    ],
)
def test_a_mistyped_case_file_is_told_its_nearest_name(asked: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "vortex_pair.toml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("heat")
    with pytest.raises(DataError) as caught:
        load_study(tmp_path / asked)
    expected = f"{tmp_path / asked}: expected a case file; there is none of that name{end.format(tmp_path)}"
    assert str(caught.value) == expected
