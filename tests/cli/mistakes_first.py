"""Mistakes in case files: what is changed in the good one, and the sentence that tells it."""

from __future__ import annotations

from mistaken_case import (
    CONDITION,
    FITTED,
    FUNCTION,
    GAUSS_NEWTON,
    IN_GALERKIN,
    KINDS,
    ON_GRIDS,
    ON_NETWORKS,
    PARTS,
    STEPS,
    TIME,
)

FIRST = {
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
}
