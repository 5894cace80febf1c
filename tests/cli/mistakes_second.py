"""More mistakes in case files."""

from __future__ import annotations

from mistaken_case import (
    KINDS,
    METHOD_NAMES,
    ON_GRIDS,
    ON_NETWORKS,
    REFERENCE,
    RUN,
    STEPS,
)

SECOND = {
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
