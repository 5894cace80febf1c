"""A case's problem: a class by its name, with its parameters, domain and conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from neuralpde.cases._domain import build_domain, needs_conditions
from neuralpde.cases._mistakes import Place, nearest, shown
from neuralpde.cases._parameters import Reader, parameters
from neuralpde.cases._schema import ConditionTable, ProblemTable
from neuralpde.cases._user_code import describe_object, is_reference, load_object
from neuralpde.dynamics import check_body
from neuralpde.geometry import (
    Boundary,
    Condition,
    Dirichlet,
    Domain,
    Flux,
    FreeSlip,
    MeshDomain,
    Neumann,
    Outflow,
    Periodic,
    PointLoad,
    Pressure,
    Robin,
)
from neuralpde.problems import PROBLEMS, Problem, check_problem, traction
from neuralpde.types import UsageError

CONDITIONS: dict[str, Callable[..., Condition]] = {
    "dirichlet": Dirichlet,
    "neumann": Neumann,
    "flux": Flux,
    "traction": traction,
    "robin": Robin,
    "pressure": Pressure,
    "point_load": PointLoad,
    "periodic": Periodic,
    "free_slip": FreeSlip,
    "outflow": Outflow,
}
"""Conditions by their names in a case file."""


def build_problem(table: ProblemTable, reader: Reader, place: Place) -> Problem:
    """The problem that a table names.

    Raises:
        UsageError: with one sentence per mistake.
        DataError: for a mesh that cannot be used.
    """
    cls = _problem_class(table.name, reader, place.child("name"))
    given: dict[str, Any] = {}
    if table.domain is not None:
        given["domain"] = build_domain(table.domain, reader.base, place.child("domain"))
    if table.conditions is not None:
        where = place.child("conditions")
        given["conditions"] = tuple(build_condition(c, reader, where.child(k)) for k, c in enumerate(table.conditions))
    if "mesh" in table.others and "mesh" not in parameters(cls):
        message = f"a mesh is a domain: domain = {{mesh = {shown(table.others['mesh'])}}}."
        raise UsageError(place.child("mesh").says(message))
    for name in given:
        if name not in parameters(cls):
            message = f"expected no {name}: {cls.__name__} fixes it; make it a dataclass field to set it here."
            raise UsageError(place.child(name).says(message))
    if "conditions" not in given and "domain" in given:
        needs_conditions(given["domain"], parameters(cls), place.child("conditions"))
    skip = tuple(name for name in ("domain", "conditions") if name in parameters(cls))
    arguments = reader.arguments(cls, table.others, place, skip=skip, also=("name", *skip))
    with place.refusals():
        problem = cls(**given, **arguments)
    if isinstance(getattr(problem, "domain", None), Domain):
        _check_conditions(problem, place, table.conditions or ())
    with place.refusals():
        check_problem(problem)
    with place.child("conditions").refusals():
        check_body(problem, torch.zeros((), dtype=torch.float64))
    return problem


def _problem_class(name: str, reader: Reader, place: Place) -> type[Problem]:
    if not is_reference(name):
        return place.choose(name, PROBLEMS)
    cls = load_object(name, reader.base, place)
    if not (isinstance(cls, type) and issubclass(cls, Problem)):
        raise UsageError(place.says(f"expected a class derived from Problem; {name} is {describe_object(cls)}."))
    return cls


def build_condition(table: ConditionTable, reader: Reader, place: Place) -> Condition:
    """A boundary condition."""
    return reader.build(place.child("kind").choose(table.kind, CONDITIONS), table.others, place)


def _check_conditions(problem: Problem, place: Place, tables: Sequence[ConditionTable]) -> None:
    """Refuse names of other domains, conditions that contradict each other, values of another number of components, and
    flows on meshes."""
    if problem.algebraic and isinstance(problem.domain, MeshDomain):
        message = f"{problem.name} is solved on boxes: give lower and upper in place of mesh, and bodies by solid."
        raise UsageError(place.child("domain").says(message))
    where = place.child("conditions")
    for k, condition in enumerate(problem.conditions if tables else ()):
        on, value = getattr(condition, "faces", ("all",)), getattr(condition, "value", None)
        for face in on if on != ("all",) else ():
            with where.child(k).child("on").refusals():
                _check_face(problem.domain, face)
        if isinstance(condition, Dirichlet):
            with where.child(k).child("components").refusals():
                condition.held(problem.evolving)
        if isinstance(value, Sequence):
            _check_count(condition, tables[k].others["value"], problem, where.child(k).child("value"))
    with where.refusals():
        Boundary(problem.domain, problem.conditions)


def _check_count(condition: Condition, value: Sequence[float], problem: Problem, place: Place) -> None:
    """Refuse a list of another length than the unknown has components, or than the condition holds of them."""
    counts = {problem.evolving}
    if isinstance(condition, Dirichlet):
        counts.add(len(condition.held(problem.evolving)))
    if len(value) not in counts:
        several = " or ".join(str(count) for count in sorted(counts) if count > 1)
        numbers = f"one number or {several} numbers" if several else "one number"
        raise place.wrong(numbers, list(value))


def _check_face(domain: Domain, face: str) -> None:
    """Refuse a name that no part of the boundary has, and no set of points, with the one that was probably meant."""
    if face in domain.sets:
        return
    try:
        domain.check_face(face)
    except UsageError as error:
        meant = None if isinstance(domain, MeshDomain) else nearest(face, domain.faces)  # a mesh says it itself
        raise (UsageError(f"{str(error)[:-1]}; did you mean {meant}?") if meant else error) from None
