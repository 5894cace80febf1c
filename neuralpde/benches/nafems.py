"""Two of NAFEMS' standard benchmarks of linear elasticity, on finite elements.

Geometry, supports and loads as in The Standard NAFEMS Benchmarks (TNSB, revision 3, 1990). Both bodies are a quarter of
an ellipse with an elliptic hole: inside (x/2)² + y² = 1, outside (x/3.25)² + (y/2.75)² = 1, in metres; E = 210 GPa,
ν = 0.3.

- ``LE1``, a membrane in plane stress: symmetry on x = 0 (u_x = 0) and on y = 0 (u_y = 0), 10 MPa pull the outer edge
  outwards along its normal. σ_yy at D = (2, 0) is 92.7 MPa. Bar: 1 %.
- ``LE10``, a plate 0.6 m thick: 1 MPa presses on its top; u_y = 0 on the face y = 0, u_x = 0 on x = 0, u_x = u_y = 0
  on the outer face and u_z = 0 on the line at half its height. σ_yy at D = (2, 0, 0.6) is −5.38 MPa. Bar: 3 %.

Elements are quadratic in their shapes too and grow with the distance from D; P1 has straight ones. Stresses are those
that pictures and probes show: averages of the elements at a node.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._marching import one_thread
from neuralpde.benches._rows import Row
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.problems import LinearElasticity, traction
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve

YOUNG, POISSON_RATIO = 210e9, 0.3
OUTER = (3.25, 2.75)
THICKNESS = 0.6
TARGETS = {"LE1": 92.7e6, "LE10": -5.38e6}
POINTS = {"LE1": (2.0, 0.0), "LE10": (2.0, 0.0, THICKNESS)}
NAMES = {"x-": "inner", "x+": "outer", "y-": "DC", "y+": "AB", "z-": "bottom", "z+": "top"}
POWERS = (2.0, 2.0, 1.0)
"""Of the grading towards D."""


def quarter_ellipse(x: Places) -> Places:
    """From the inner ellipse to the outer one, and from the x-axis to the y-axis; upwards in 3D."""
    angle, s = np.pi / 2 * x[:, 1], x[:, 0]
    flat = [(2 + (OUTER[0] - 2) * s) * np.cos(angle), (1 + (OUTER[1] - 1) * s) * np.sin(angle)]
    return np.stack([*flat, *(THICKNESS * x[:, 2:]).T], axis=1)


def pull(t: float, x: Tensor) -> Tensor:
    """10 MPa along the outer ellipse's normal."""
    normal = x / x.new_tensor(OUTER) ** 2
    return 10e6 * normal / normal.norm(dim=1, keepdim=True)


def mid_height(x: Places) -> np.ndarray:
    """The line on the outer face at half its height."""
    return (x[:, 0] > 1 - 1e-9) & (np.abs(x[:, 2] - 0.5) < 1e-9)


def membrane(kind: str, cells: tuple[int, ...]) -> LinearElasticity:
    """LE1 on elements of a kind."""
    held = (Dirichlet(0.0, "DC", components="y"), Dirichlet(0.0, "AB", components="x"))
    return LinearElasticity(
        young=YOUNG,
        poisson_ratio=POISSON_RATIO,
        plane="stress",
        domain=MeshDomain(mapped_mesh(kind, cells, quarter_ellipse, NAMES, POWERS[:2])),
        conditions=(*held, traction(pull, "outer"), Flux(0.0)),
    )


def plate(kind: str, cells: tuple[int, ...]) -> LinearElasticity:
    """LE10 on elements of a kind; an even number of them must lie above each other."""
    mesh = mapped_mesh(kind, cells, quarter_ellipse, NAMES, POWERS, {"EE": mid_height})
    held = (
        Dirichlet(0.0, "DC", components="y"),
        Dirichlet(0.0, "AB", components="x"),
        Dirichlet(0.0, "outer", components="xy"),
        Dirichlet(0.0, "EE", components="z"),
    )
    return LinearElasticity(
        young=YOUNG,
        poisson_ratio=POISSON_RATIO,
        domain=MeshDomain(mesh),
        conditions=(*held, traction((0.0, 0.0, -1e6), "top"), Flux(0.0)),
    )


PROBLEMS: dict[str, Callable[[str, tuple[int, ...]], LinearElasticity]] = {"LE1": membrane, "LE10": plate}


@dataclass(frozen=True)
class Method:
    """Elements of a degree on so many cells along each axis."""

    name: str
    kind: str
    degree: int
    cells: tuple[int, ...]

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.name}, {' × '.join(map(str, self.cells))}"


METHODS = {
    "LE1": (
        Method("P1 triangles", "triangle", 1, (16, 16)),
        Method("P1 triangles", "triangle", 1, (64, 64)),
        Method("P2 triangles", "triangle6", 2, (8, 8)),
        Method("P2 triangles", "triangle6", 2, (32, 32)),
        Method("Q2 quads", "quad8", 2, (8, 8)),
        Method("Q2 quads", "quad8", 2, (32, 32)),
    ),
    "LE10": (
        Method("P1 tetrahedra", "tetra", 1, (8, 8, 4)),
        Method("Q1 hexahedra", "hexahedron", 1, (8, 8, 4)),
        Method("P2 tetrahedra", "tetra10", 2, (4, 4, 2)),
        Method("P2 tetrahedra", "tetra10", 2, (8, 8, 4)),
        Method("Q2 hexahedra", "hexahedron20", 2, (8, 8, 4)),
        Method("Q2 hexahedra", "hexahedron20", 2, (8, 8, 8)),
    ),
}
QUICK = {
    "LE1": (Method("P1 triangles", "triangle", 1, (8, 8)), Method("P2 triangles", "triangle6", 2, (8, 8))),
    "LE10": (Method("P1 tetrahedra", "tetra", 1, (4, 4, 2)), Method("Q2 hexahedra", "hexahedron20", 2, (4, 4, 2))),
}


def measured(case: str, method: Method) -> list[Row]:
    """The rows of one method on one case."""
    problem = PROBLEMS[case](method.kind, method.cells)
    begin = time.perf_counter()
    run = solve(problem, FiniteElementField.for_problem(problem, method.degree))
    seconds = time.perf_counter() - begin
    stress = float(run.probe(torch.tensor([POINTS[case]], dtype=torch.float64), quantity="Cauchy stress yy"))
    figures = {
        "dofs": (float(run.representation.num_dofs), ""),
        "seconds": (seconds, "s"),
        "stress": (stress, "Pa"),
        "rel_error": (abs(stress / TARGETS[case] - 1), ""),
    }
    return [Row(case, method.title, name, *pair) for name, pair in figures.items()]


def rows(quick: bool = False) -> Iterator[Row]:
    """σ_yy at D of every method.

    Args:
        quick: few elements.

    Yields:
        rows ``dofs``, ``seconds``, ``stress``, ``rel_error`` (against the published value).
    """
    with one_thread():
        cases = QUICK if quick else METHODS
        measured("LE1", QUICK["LE1"][0])  # imports are nobody's time
        for case, methods in cases.items():
            for method in methods:
                yield from measured(case, method)
