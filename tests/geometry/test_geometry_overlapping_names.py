"""Names of a mesh's boundary that overlap: every facet has one condition, or none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralpde import Dirichlet, FiniteElementField, Flux, MeshDomain, NeuralField, Poisson, Robin, solve
from neuralpde.geometry import Boundary, Mesh
from neuralpde.types import UsageError
from tests.unit_meshes import unit_mesh

PLAIN = unit_mesh("triangle", 6)


def tagged(**tags: tuple[str, ...]) -> MeshDomain:
    """The unit square with names for unions of its sides."""
    made = {name: np.concatenate([PLAIN.tags[side] for side in sides]) for name, sides in tags.items()}
    return MeshDomain(Mesh(PLAIN.points, PLAIN.cells, PLAIN.kind, PLAIN.parts, made))


NESTED = tagged(left=("x-",), wall=("y-", "y+"), outer=("x-", "x+", "y-", "y+"))


def test_a_boundary_is_cut_where_names_begin_and_end() -> None:
    assert NESTED.faces == ("left", "wall", "rest of outer")
    assert NESTED.names == ("left", "wall", "outer")
    assert NESTED.parts_of("outer") == NESTED.faces
    assert sum(map(len, NESTED.sides.values())) == len(PLAIN.boundary)
    across = tagged(a=("x-", "y-"), b=("y-", "x+"))
    assert set(across.faces) == {"rest of a", "a & b", "rest of b", "untagged"}
    assert float(across.face_lattice("a", 8).weights.sum()) == pytest.approx(2.0)


def test_numbered_names_beside_others_are_left_out() -> None:
    domain = tagged(Line1=("x-",), Line2=("x+",), Line3=("y-",), left=("x-",), rest=("x+", "y-"))
    assert domain.names == ("left", "rest", "untagged")
    assert tagged(Line1=("x-",), Line2=("x+", "y-", "y+")).names == ("Line1", "Line2")


@pytest.mark.parametrize("kind", [FiniteElementField, NeuralField])
def test_what_is_left_goes_to_facets_without_a_condition(kind: type) -> None:
    """−u'' = 0 with u = 0 on the left, no flux through the walls, u = 3 on the rest: u = 3x."""
    conditions = (Dirichlet(0.0, "left"), Flux(0.0, "wall"), Dirichlet(3.0))
    problem = Poisson(source_term=0.0, domain=NESTED, conditions=conditions)
    options = {} if kind is FiniteElementField else {"hidden": (5, 4), "steepness": 3.0}
    run = solve(problem, kind.for_problem(problem, **options))
    x = NESTED.some_points(20)
    torch.testing.assert_close(run.at(0.0)(x), 3 * x[:, :1], atol=1e-9 if not options else 5e-3, rtol=0)


def test_one_condition_may_name_a_part_twice() -> None:
    problem = Poisson(source_term=0.0, domain=NESTED, conditions=(Dirichlet(1.0, ("left", "outer")),))
    assert set(Boundary(problem.domain, problem.conditions).table) == set(NESTED.faces)
    flux = Poisson(
        source_term=0.0,
        domain=tagged(a=("x-",), b=("x-", "y-"), c=("x+",)),
        conditions=(Flux(-2.0, ("a", "b")), Dirichlet(0.0, "c"), Flux(0.0)),
    )
    out = solve(flux, FiniteElementField.for_problem(flux)).fluxes()
    assert float(out["flux_c"][0]) == pytest.approx(4.0, abs=1e-10)  # 2 through each of two sides, once


def test_two_conditions_on_a_facet_are_refused() -> None:
    sentence = "'wall' has two conditions.*names 'wall' and 'outer' of the mesh overlap"
    with pytest.raises(UsageError, match=sentence):
        Boundary(NESTED, (Dirichlet(2.0, "wall"), Robin(1.0, 0.0, "outer")))


def test_the_last_condition_has_the_corner() -> None:
    square = MeshDomain(PLAIN)
    for first, last in (("x-", "y-"), ("y-", "x-")):
        value = {first: 1.0, last: 2.0}
        fe = FiniteElementField(square, tuple(Dirichlet(value[s], s) for s in (first, last)))
        corner = torch.zeros(1, 2, dtype=torch.float64)
        assert float(fe.at(fe.initial())(corner)) == 2.0
