"""Problem × representation: how θ moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from neuralpde.dynamics._body_checks import check_body
from neuralpde.dynamics._boundary_fluxes import Balance
from neuralpde.dynamics._discrete import DiscreteDynamics
from neuralpde.dynamics._finite_element import FiniteElementDynamics
from neuralpde.dynamics._flow_checks import check_conditions, check_standard_flow
from neuralpde.dynamics._force_record import ForceRecord
from neuralpde.dynamics._function_space import FunctionSpaceDynamics
from neuralpde.dynamics._galerkin import GalerkinDynamics
from neuralpde.dynamics._interior_penalty import InteriorPenalty
from neuralpde.dynamics._load_steps import LoadSteps
from neuralpde.dynamics._mac import MacDynamics
from neuralpde.dynamics._mean_dilatation import mean_gradient
from neuralpde.dynamics._neural_flow import NeuralFlowDynamics
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._potential import PotentialDynamics
from neuralpde.dynamics._spectral import SpectralDynamics
from neuralpde.dynamics._velocity_pressure import VelocityPressureDynamics
from neuralpde.dynamics._weak_neural import WeakNeuralDynamics
from neuralpde.geometry import Boundary, Condition, Dirichlet, Flux, MeshDomain, Neumann, PointLoad, Pressure, Robin
from neuralpde.problems import Problem, check_problem, refuse_jumps
from neuralpde.representations import (
    FiniteElementField,
    GridField,
    MacGrid,
    Motion,
    NeuralField,
    NeuralFlow,
    NeuralVelocityPressure,
    Representation,
    SpectralGrid,
)
from neuralpde.types import UsageError

METHODS: dict[str, tuple[Any, type[Representation] | tuple[type[Representation], ...]]] = {
    "discrete": (DiscreteDynamics, GridField),
    "function_space": (FunctionSpaceDynamics, NeuralField),
    "galerkin": (GalerkinDynamics, NeuralField),
    "weak": (WeakNeuralDynamics, NeuralField),
    "finite_element": (FiniteElementDynamics, FiniteElementField),
    "potential": (PotentialDynamics, (FiniteElementField, NeuralField, Motion)),
    "mac": (MacDynamics, MacGrid),
    "spectral": (SpectralDynamics, SpectralGrid),
    "neural_flow": (NeuralFlowDynamics, NeuralFlow),
    "velocity_pressure": (VelocityPressureDynamics, NeuralVelocityPressure),
}
"""Ways to move θ, by name, and the representation that each serves, or several."""


def served_by(method: str) -> tuple[type[Representation], ...]:
    """The representations that a method serves."""
    kinds = METHODS[method][1]
    return kinds if isinstance(kinds, tuple) else (kinds,)


def methods_for(problem: Problem, representation: Representation) -> list[str]:
    """Names of the methods that serve a problem on a representation, the first choice first.

    A neural field has a weak form on a mesh, if its problem states its flux. It is the first choice where a part of the
    boundary is not held (rows for fluxes and second derivatives disturb each other), and the only one where a
    coefficient jumps; where all of the boundary is held the strong form is as close in less than half the time.

    A problem that states its energy may be solved by minimising it: the first choice for bodies with large
    deformations and for bodies on neural fields, and the only one for bodies that move.
    """
    fitting = [name for name, (_, kind) in METHODS.items() if isinstance(representation, kind)]
    if "potential" not in fitting:
        return _without_potential(problem, fitting)
    if getattr(representation, "dilatation", "exact") == "mean":
        return ["potential"]
    others = _without_potential(problem, [name for name in fitting if name != "potential"])
    neural = isinstance(representation, NeuralField)
    if problem.time_order == 2:
        return [] if neural else ["potential"]
    stated = problem.time_order == 0 and type(problem).energy is not Problem.energy
    if neural:
        stated = stated and isinstance(problem.domain, MeshDomain)
        first = stated and "displacement" in problem.unknowns
    else:
        first = _minimised(problem)
    return ["potential", *others] if first else [*others, "potential"] if stated else others


def _without_potential(problem: Problem, fitting: list[str]) -> list[str]:
    if "weak" not in fitting:
        return fitting
    if problem.jumps:
        return ["weak"]
    tested = isinstance(problem.domain, MeshDomain) and type(problem).flux is not Problem.flux
    others = [name for name in fitting if name != "weak"]
    held = set(Boundary(problem.domain, problem.conditions).named(Dirichlet)) == set(problem.domain.faces)
    return others if not tested else [*others, "weak"] if held else ["weak", *others]


def _minimised(problem: Problem) -> bool:
    """Whether a steady problem is a body with large deformations or contact: far from its solution energies tell more
    than forces."""
    return problem.time_order == 0 and (not getattr(problem, "linear", True) or bool(getattr(problem, "contact", ())))


def check_pair(problem: Problem, kind: type[Representation]) -> None:
    """Refuse a problem on a kind of representation that cannot keep it, before anything is built.

    Raises:
        UsageError: with what to use instead.
    """
    flow = bool(problem.algebraic)
    check_conditions(problem)
    mine = [made for made, served in METHODS.values() if issubclass(kind, served)]
    if flow and mine and not any(made.constrained for made in mine):
        use = _or([kind for name, (made, _) in METHODS.items() if made.constrained for kind in served_by(name)])
        raise UsageError(
            f"{problem.name} has {' and '.join(problem.unknowns)} and keeps its velocity free of divergence, which a "
            f"{kind.__name__} cannot; use {use}."
        )
    if not flow and mine and all(made.constrained is True for made in mine):
        on_mesh = isinstance(problem.domain, MeshDomain)
        kinds = [kind for name, (made, _) in METHODS.items() if made.constrained is False for kind in served_by(name)]
        alone = [served for served in kinds if served is not Motion]  # which for_problem makes
        use = _or([served for served in alone if issubclass(served, FiniteElementField) == on_mesh])
        raise UsageError(f"a {kind.__name__} keeps incompressible flow, and {problem.name} is none; use {use}.")
    if flow:
        check_standard_flow(problem, kind.__name__)
        if getattr(problem, "solid", None) is not None and not issubclass(kind, MacGrid):
            raise UsageError(f"{problem.name} flows around a solid, which a {kind.__name__} cannot hold; use MacGrid.")


def _or(kinds: Sequence[type]) -> str:
    return " or ".join(dict.fromkeys(kind.__name__ for kind in kinds))


def _same_conditions(problem: Problem, representation: Representation) -> bool:
    """Whether both hold the same conditions, face by face.

    Values that are functions may be made anew at every look: those are compared at a few points of the face at t = 0.
    """
    mine, theirs = (_by_face(Boundary(problem.domain, c.conditions)) for c in (problem, representation))
    if mine.keys() != theirs.keys():
        return False
    return all(_same_condition(representation, key, problem.evolving, mine[key], theirs[key]) for key in mine)


def _by_face(boundary: Boundary) -> dict[tuple[str, str], Condition]:
    """Conditions by the names of faces, points and edges and the components that they hold, "" of natural and whole
    ones; loads at points by their places."""
    some = {
        (name, c.components or ""): c
        for held in (boundary.partial, boundary.sets)
        for name, found in held.items()
        for c in found
    }
    loads = {(f"load {k}", str(load.place)): load for k, load in enumerate(boundary.loads)}
    return {(face, ""): c for face, c in boundary.table.items()} | some | loads


def _same_condition(r: Representation, key: tuple[str, str], channels: int, mine: Condition, theirs: Condition) -> bool:
    if type(mine) is not type(theirs):
        return False
    valued = Dirichlet | Neumann | Flux | Robin | Pressure | PointLoad
    if not isinstance(mine, valued) or not isinstance(theirs, valued):
        return True
    if any(getattr(mine, name, None) != getattr(theirs, name, None) for name in ("coefficient", "follower")):
        return False
    if mine.value is theirs.value:
        return True
    load = isinstance(mine, PointLoad)
    x = torch.tensor([mine.place]) if load else r.boundary.places(key[0], 5)  # type: ignore[union-attr]
    x = x.to(r.device, r.dtype)
    a, b = (condition.at(0.0, x, channels) for condition in (mine, theirs))
    if callable(mine.value) or callable(theirs.value):
        return a.shape == b.shape and torch.allclose(a, b.to(a), rtol=1e-6, atol=1e-9)
    return torch.equal(a, b)


def make_dynamics(problem: Problem, representation: Representation, method: str | type = "auto", **options: Any) -> Any:
    """The dynamics of a problem on a representation.

    Args:
        problem: what is true.
        representation: where its field is kept.
        method: ``"discrete"`` (grids), ``"function_space"`` or ``"galerkin"`` (neural fields), ``"weak"`` (neural
            fields on meshes); ``"auto"`` takes the first of :func:`methods_for`. A subclass of one of these dynamics
            (another form of the equation on a grid, for instance) is taken as it is.
        options: passed to the dynamics.

    Raises:
        UsageError: for a pair that does not work together, with what to use instead.
    """
    check_pair(problem, type(representation))
    made = _method(problem, representation, method)
    if getattr(problem, "contact", ()) and not issubclass(made, PotentialDynamics):
        raise UsageError(
            f"contact of {problem.name} takes method='potential', on a FiniteElementField or a NeuralField of a "
            f"MeshDomain; got a {type(representation).__name__} and {made.__name__}, which leave it out."
        )
    weak = issubclass(made, FiniteElementDynamics | WeakNeuralDynamics | PotentialDynamics)
    check_problem(problem, weak=weak)
    if not weak:
        refuse_jumps(problem)
    if representation.domain != problem.domain or representation.channels != problem.channels:
        mine, theirs = representation.domain, problem.domain
        differ = mine.difference(theirs) if isinstance(mine, MeshDomain) and isinstance(theirs, MeshDomain) else ""
        raise UsageError(
            f"the representation lives on {mine} with {representation.channels} channel(s), the problem on {theirs} "
            f"with {problem.channels}{f', and their meshes differ in {differ}' if differ else ''}; "
            f"build it with {type(representation).__name__}.for_problem(problem)."
        )
    check_body(problem, torch.zeros((), dtype=representation.dtype, device=representation.device))
    if not _same_conditions(problem, representation):
        raise UsageError(
            f"the representation holds the conditions {representation.conditions}, the problem has "
            f"{problem.conditions}; build it with {type(representation).__name__}.for_problem(problem)."
        )
    return made(problem, representation, **options)


def _method(problem: Problem, representation: Representation, method: str | type) -> type:
    """The class that a method names; a class names itself, and serves what its ancestor in the table serves."""
    fitting = methods_for(problem, representation)
    if method == "auto" and fitting:
        return METHODS[fitting[0]][0]
    ancestors = [name for name, (made, _) in METHODS.items() if isinstance(method, type) and issubclass(method, made)]
    name = ancestors[0] if ancestors else method
    if name not in METHODS:
        raise UsageError(f"the methods of a dynamics are {', '.join(METHODS)}; got {method!r}.")
    if name not in fitting:
        kind = type(representation).__name__
        if problem.jumps:
            raise UsageError(f"a coefficient of {problem.name} jumps: a {kind} takes method='weak' alone.")
        if name == "weak" and isinstance(representation, NeuralField):
            raise UsageError(
                f"method='weak' needs a mesh and the flux of {problem.name}; use {' or '.join(map(repr, fitting))}."
            )
        raise UsageError(f"method={name!r} does not serve a {kind}; use {' or '.join(map(repr, fitting))}.")
    return method if isinstance(method, type) else METHODS[name][0]


__all__ = [
    "METHODS",
    "Balance",
    "DiscreteDynamics",
    "FiniteElementDynamics",
    "ForceRecord",
    "FunctionSpaceDynamics",
    "GalerkinDynamics",
    "InteriorPenalty",
    "LoadSteps",
    "MacDynamics",
    "NeuralFlowDynamics",
    "Newton",
    "PotentialDynamics",
    "SpectralDynamics",
    "VelocityPressureDynamics",
    "WeakNeuralDynamics",
    "check_body",
    "make_dynamics",
    "mean_gradient",
    "methods_for",
    "served_by",
]
