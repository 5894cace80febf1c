"""From a checked case file to a problem, representations, integrators and options; nothing is solved here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuralpde.cases._document import Document, apply_settings, normalise, read_document
from neuralpde.cases._memory import check_elements, check_nodes, enough_memory
from neuralpde.cases._mistakes import Place
from neuralpde.cases._outputs import check_outputs
from neuralpde.cases._parameters import Reader, parameters
from neuralpde.cases._problem import build_problem
from neuralpde.cases._schema import (
    REFERENCE,
    Case,
    ReferenceTable,
    RunTable,
    SolveTable,
    TimeTable,
    check_case,
    run_key,
)
from neuralpde.dynamics import METHODS, check_pair, make_dynamics, methods_for, served_by
from neuralpde.geometry import Box
from neuralpde.integrators import INTEGRATORS, Integrator
from neuralpde.problems import Problem
from neuralpde.representations import FIRST_FIT, REPRESENTATIONS, FiniteElementField, Motion, Representation
from neuralpde.types import UsageError

MAKE_DYNAMICS = ("problem", "representation")
DEFAULT_OPTIONS = {"fit": "fit_options", "newton": "newton"}
"""Option objects of a dynamics, and the attribute that holds the defaults which a table changes in part."""


@dataclass(frozen=True)
class Run:
    """One run, ready to go.

    Args:
        name: unique in its case.
        representation, integrator: the parts; no integrator for a steady problem.
        times: what ``[time]`` or the run says to :func:`neuralpde.simulate.simulate`: dt, t_end, save_every,
            growth_limit, until_steady.
        method: of the dynamics.
        initial_fit: options of the first projection.
        options: of the dynamics.
        seconds: what building the representation took.
    """

    name: str
    representation: Representation
    integrator: Integrator | None
    times: dict[str, Any]
    method: str
    initial_fit: dict[str, Any]
    options: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Study:
    """A case file with everything it names: a problem, its runs, and the reference that they are measured against.

    Args:
        name: of the case (the file's stem).
        base: folder that ``"file.py:Class"`` is relative to.
        document: the TOML document with its settings applied.
        case: the same, checked.
        runs: of the tables ``[[run]]``.
        reference_run: of the table ``[reference]``, or None.
    """

    name: str
    base: Path
    document: Document
    case: Case
    problem: Problem
    runs: tuple[Run, ...] = field(default=())
    reference_run: Run | None = None

    @property
    def steady(self) -> bool:
        """Whether the problem has no time."""
        return self.problem.time_order == 0

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The runs, and last that of the reference."""
        return self.runs if self.reference_run is None else (*self.runs, self.reference_run)

    @property
    def reference(self) -> str | None:
        """The name of the run that errors are measured against; None for the exact solution."""
        return self.case.output.reference if self.reference_run is None else self.reference_run.name

    def run(self, name: str) -> Run:
        """A run by its name."""
        return next(run for run in self.all_runs if run.name == name)


def load_study(path: str | Path, settings: Sequence[str] = ()) -> Study:
    """Read, check and build a case file.

    Raises:
        UsageError: with one sentence per mistake.
        DataError: if the file cannot be read.
    """
    document = apply_settings(normalise(read_document(path)), settings)
    return build_study(document, Path(path).stem, Path(path).resolve().parent, str(path))


def build_study(document: Document, name: str, base: Path, file: str) -> Study:
    """The study of a document."""
    case, top, reader = check_case(document, file), Place(file), Reader(base)
    problem = build_problem(case.problem, reader, top.child("problem"))
    if problem.time_order == 0 and case.time is not None:
        raise UsageError(top.child("time").says(f"expected no table [time], as {problem.name} is steady; got one."))
    runs = []
    for k, table in enumerate(case.run):
        place = top.child("run").child(run_key(document["run"], k))
        runs.append(_build_run(case, table, problem, reader, top, place))
    ends = [run.times["t_end"] for run in runs if run.integrator is not None]
    reference = _build_reference(case, problem, runs, reader, top)
    kinds = [run.representation for run in (*runs, *((reference,) if reference is not None else ()))]
    check_outputs(case.output, problem, ends, kinds, top.child("output"))
    return Study(name, base, document, case, problem, tuple(runs), reference)


def _build_reference(case: Case, problem: Problem, runs: Sequence[Run], reader: Reader, top: Place) -> Run | None:
    """The run of the table ``[reference]``, which ends with the longest of the others."""
    if case.reference is None:
        return None
    place = top.child(REFERENCE)
    if "t_end" in case.reference.others and problem.time_order:
        message = "expected no t_end, as the reference lasts as long as the longest run; got one."
        raise UsageError(place.child("t_end").says(message))
    run = _build_run(case, case.reference, problem, reader, top, place)
    if run.integrator is None:
        return run
    return replace(run, times={**run.times, "t_end": max(other.times["t_end"] for other in runs)})


def _build_representation(
    table: SolveTable, problem: Problem, seed: int, reader: Reader, place: Place
) -> Representation:
    where = place.child("representation")
    kind = where.child("kind").choose(table.representation.kind, REPRESENTATIONS)
    if issubclass(kind, FiniteElementField) and isinstance(problem.domain, Box):
        message = 'expected problem.domain = {mesh = "file.msh"} for finite elements; it is a box: use a grid there.'
        raise UsageError(where.child("kind").says(message))
    with where.refusals():
        check_pair(problem, kind)
    skip = ("domain", "conditions", "channels", "device")
    arguments = reader.arguments(kind, table.representation.others, where, skip=skip, also=("kind",))
    if "seed" in parameters(kind):
        arguments.setdefault("seed", seed)
    with where.refusals(), enough_memory():
        check_nodes(arguments, problem)
        check_elements(kind, arguments, problem)
        return kind.for_problem(problem, **arguments)


def _build_run(case: Case, table: SolveTable, problem: Problem, reader: Reader, top: Place, place: Place) -> Run:
    begin = time.perf_counter()
    representation = _build_representation(table, problem, case.seed, reader, place)
    seconds = time.perf_counter() - begin
    integrator, times = _times(case, table, problem, top, place)
    method = methods_for(problem, representation)[0] if table.method == "auto" else table.method
    place.child("method").choose(method, METHODS)
    with place.child("method").refusals(), enough_memory():
        # the same parts without options: refuses what does not fit together, and holds the default options
        plain = make_dynamics(problem, representation, method)
    defaults = {name: getattr(plain, attribute, None) for name, attribute in DEFAULT_OPTIONS.items()}
    known, own = METHODS[method][0], tuple(type(table).model_fields)
    _refuse_options_of_other_methods(table, method, problem, representation, place)
    options = reader.arguments(known, table.others, place, skip=MAKE_DYNAMICS, also=own, defaults=defaults)
    if "seed" in parameters(known):
        options.setdefault("seed", case.seed)
    with place.refusals(), enough_memory():
        dynamics = make_dynamics(problem, representation, method, **options)
        if integrator is not None:
            integrator.check(dynamics)
        elif not hasattr(dynamics, "steady"):
            raise UsageError(f"method={method!r} has no steady solver.")
    initial_fit = _initial_fit(table.initial_fit or {}, representation, reader, place.child("initial_fit"))
    name = table.name if isinstance(table, RunTable) else REFERENCE
    return Run(name, representation, integrator, times, method, initial_fit, options, seconds)


def _refuse_options_of_other_methods(
    table: SolveTable, method: str, problem: Problem, representation: Representation, place: Place
) -> None:
    """An option of another dynamics is no misspelling, for which the nearest name would be offered: say whose it is.

    Raises:
        UsageError: for the first such option.
    """
    mine, methods = METHODS[method][0], methods_for(problem, representation)
    offered = [name for name in parameters(mine) if name not in MAKE_DYNAMICS]
    field = representation.displacement if isinstance(representation, Motion) else representation
    for name in table.others:
        owners = [m for m, (cls, _) in METHODS.items() if name in parameters(cls) and m != method]
        others = {
            k.__name__: None for m in owners for k in served_by(m) if not isinstance(field, k) and k is not Motion
        }
        fitting = [m for m in owners if m in methods]
        if name in offered or not (fitting or others):
            continue
        whose, ours = " or ".join(f"a {kind}" for kind in others), f"a {type(field).__name__}"
        if fitting:
            whose, ours = " or ".join(f"method={m!r}" for m in fitting), f"method={method!r}"
        message = f"expected no {name}, an option of {whose}; {ours} takes {', '.join(offered) or 'no options'}."
        raise UsageError(place.child(name).says(message))


def _times(
    case: Case, table: SolveTable, problem: Problem, top: Place, place: Place
) -> tuple[Integrator | None, dict[str, Any]]:
    """The integrator and the other keys of ``[time]``: the run's own, or those of that table."""
    own = {name: given for name in TimeTable.model_fields if (given := getattr(table, name, None)) is not None}
    if problem.time_order == 0:
        for name in own:
            raise UsageError(place.child(name).says(f"expected no {name}, as {problem.name} is steady; got one."))
        return None, {}
    shared = case.time.model_dump(exclude_none=True) if case.time is not None else {}
    values = {**shared, **own}
    for name in ("integrator", "dt", "t_end"):
        if name not in values and name in type(table).model_fields:
            missing = place if isinstance(table, ReferenceTable) else top.child("time")
            raise missing.child(name).missing(str(TimeTable.model_fields[name].description))
    where = place if "integrator" in own else top.child("time")
    integrator = where.child("integrator").choose(values.pop("integrator"), INTEGRATORS)()
    return integrator, values


def _initial_fit(table: dict[str, Any], representation: Representation, reader: Reader, place: Place) -> dict[str, Any]:
    """Options of :meth:`Representation.project`: those of its least squares stand beside its own."""
    if not table:
        return {}
    known = parameters(type(representation).project)
    skip = ("self", "target", "t", "guess", "options")
    direct = {name: value for name, value in table.items() if name in known}
    if "options" not in known:
        raise UsageError(place.says("expected no initial_fit, as this representation samples its start; got one."))
    out = reader.arguments(type(representation).project, direct, place, skip=skip)
    rest = {name: value for name, value in table.items() if name not in known}
    if rest:
        out["options"] = reader.value(known["options"].annotation, rest, place, FIRST_FIT)
    return out
