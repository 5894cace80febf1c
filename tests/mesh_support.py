"""What works with what on finite elements: problems, and the families of integrators that serve them."""

from __future__ import annotations

from dataclasses import replace

from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Flux, HalfSpace, MeshDomain, Robin
from neuralpde.integrators import BDF2, RK4, ImplicitMidpoint, Integrator, Newmark
from neuralpde.problems import (
    AdvectionDiffusion,
    Contact,
    Elasticity,
    Heat,
    LinearElasticity,
    NeoHookean,
    Poisson,
    Problem,
    ReactionDiffusion,
    traction,
)

DOMAIN = MeshDomain(unit_mesh("triangle", 2))
HELD = (Dirichlet(0.0, "x-"), Flux(0.0))
PULLED = (Dirichlet(0.0, "x-"), traction((0.05, 0.0), "x+"), traction(0.0))
RUBBER = Elasticity(material=NeoHookean(young=1.0, poisson_ratio=0.3), domain=DOMAIN, conditions=PULLED)
FLOOR = (Contact(HalfSpace((0.0, -0.5), (0.0, 1.0))),)
MOVING = replace(RUBBER, steady=False, density=1.0)

MESH_PROBLEMS: dict[str, Problem] = {
    "Poisson": Poisson(source_term=1.0, domain=DOMAIN, conditions=HELD),
    "Poisson, exchange": Poisson(source_term=1.0, domain=DOMAIN, conditions=(Robin(1.0, 0.0),)),
    "heat": Heat(source_term=1.0, domain=DOMAIN, conditions=HELD),
    "advection–diffusion": AdvectionDiffusion(domain=DOMAIN, conditions=HELD),
    "reaction–diffusion": ReactionDiffusion(domain=DOMAIN, conditions=(Flux(0.0),)),
    "linear elasticity": LinearElasticity(domain=DOMAIN, conditions=PULLED),
    "linear elasticity in motion": LinearElasticity(domain=DOMAIN, conditions=PULLED, steady=False, density=1.0),
    "rubber": RUBBER,
    "rubber in motion": MOVING,
    "rubber in motion, contact": replace(MOVING, contact=FLOOR),
}

MESH_FAMILIES: dict[str, Integrator | None] = {
    "E": RK4(),
    "I": ImplicitMidpoint(),
    "B": BDF2(),
    "N": Newmark(),
    "=": None,
}
"""A representative of each; None is `solve`."""

BEYOND = "ends its steps beyond its last stage"


def mesh_refusal(problem: Problem, family: str) -> str | None:
    """The sentence (a part of it) with which a combination is refused, or None where it works."""
    if (problem.time_order == 0) != (family == "="):
        return "is steady: use solve" if problem.time_order == 0 else "moves in time: use simulate"
    if family == "N" and problem.time_order < 2:
        return "Newmark is for bodies in motion"
    if family in "EI" and getattr(problem, "contact", ()):
        return BEYOND
    return None


def mesh_support_table() -> list[tuple[str, str, str, str]]:
    """(problem, representation, family, "works" or the sentence of the refusal), every combination."""
    return [
        (name, "finite elements", family, mesh_refusal(problem, family) or "works")
        for name, problem in MESH_PROBLEMS.items()
        for family in MESH_FAMILIES
    ]
