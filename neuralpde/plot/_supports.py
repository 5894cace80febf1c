"""Supports and loads of a solid as an engineer draws them: hatched walls, rollers, arrows of tractions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neuralpde.geometry import Boundary, Condition, Dirichlet, Domain, Flux, MeshDomain, PointLoad, Pressure
from neuralpde.plot._domain_panels import Panel, spread
from neuralpde.plot._triangulation import Floats
from neuralpde.problems import Problem

_MARK = 0.035
"""Length of a mark, in parts of the body's size; arrows are three times as long at most."""

_LOAD = "#a3003d"
_INK = "0.15"


def is_solid(problem: Problem) -> bool:
    """Whether a problem is about a body that deforms."""
    return "displacement" in problem.unknowns and problem.domain.dim in (2, 3)


def draw_supports(panel: Panel, problem: Problem) -> None:
    """Where a body is held and what pulls at it, at t = 0.

    A wall that holds all components is hatched; one component has triangles that stand on what holds it, with a line
    beneath them: it rolls along that. Tractions, pressures and loads at points are arrows, the largest three marks
    long.
    """
    domain, boundary = problem.domain, Boundary(problem.domain, problem.conditions)
    size = _MARK * float(np.linalg.norm(domain.lengths))
    for face in domain.faces:
        points, normals = _marks(domain, face, 2.2 * size, panel)
        if isinstance(boundary.table.get(face), Dirichlet):
            _hatch(panel, points, normals, size)
        for component in sorted({k for c in boundary.partial.get(face, ()) for k in c.held(domain.dim)}):
            _rollers(panel, points, normals, component, size)
    _sets(panel, boundary, domain, size)
    _draw_loads(panel, boundary, size)
    (left, right), (bottom, top), air = panel.ax.get_xlim(), panel.ax.get_ylim(), 3 * size
    panel.ax.set(xlim=(left - air, right + air), ylim=(bottom - air, top + air))


def _marks(domain: Domain, face: str, apart: float, panel: Panel) -> tuple[Floats, Floats]:
    """Points along a face that keep a distance, and outward normals there; in space those that one sees."""
    found = domain.face_lattice(face, 200 if domain.dim == 2 else 400)
    assert found.normals is not None
    points, normals = found.points.numpy(), found.normals.numpy()
    if panel.view is not None:
        seen = normals @ panel.view.frame[2] > 0.05
        points, normals = points[seen], normals[seen]
    kept = spread(points, apart) if len(points) else []
    return points[kept], normals[kept]


def _segments(panel: Panel, start: Floats, end: Floats, **look: Any) -> None:
    from matplotlib.collections import LineCollection

    lines = np.stack([panel.flat(start), panel.flat(end)], axis=1)
    look = {"colors": _INK, "linewidths": 0.9, "zorder": 5, "clip_on": False, **look}
    panel.ax.add_collection(LineCollection(lines, **look), autolim=False)  # type: ignore[arg-type]


def _hatch(panel: Panel, points: Floats, normals: Floats, size: float) -> None:
    """Short oblique lines outside of a wall."""
    if not len(points):
        return
    along = _across(normals)
    _segments(panel, points, points + size * (0.8 * normals - 0.6 * along))


def _across(normals: Floats) -> Floats:
    """Unit vectors along the boundary."""
    if normals.shape[1] == 2:
        return normals[:, ::-1] * [-1, 1]
    other = np.where(np.abs(normals[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    along = np.cross(normals, other)
    return along / np.linalg.norm(along, axis=1, keepdims=True)


def _rollers(panel: Panel, points: Floats, normals: Floats, component: int, size: float) -> None:
    """Triangles with their tips at the boundary, on the side that faces outwards, and a line beneath."""
    if not len(points):
        return
    axis = np.eye(points.shape[1])[component]
    side = np.where(normals[:, component] > 0, 1.0, -1.0)[:, None] * axis
    # in space the base lies along the boundary, in the plane across what is held
    across = _across(side)
    feet = points + 0.8 * size * side
    left, right = feet - 0.45 * size * across, feet + 0.45 * size * across
    for start, end in ((points, left), (points, right), (left, right)):
        _segments(panel, start, end)
    beneath = 0.25 * size * side
    _segments(panel, left + beneath, right + beneath)


def _sets(panel: Panel, boundary: Boundary, domain: Domain, size: float) -> None:
    """Named points and edges that are held, as dots."""
    if not isinstance(domain, MeshDomain):
        return
    for name in boundary.sets:
        points = domain.mesh.points[np.unique(domain.sets[name])]
        x, y = panel.flat(points).T
        panel.ax.plot(x, y, "^", color=_INK, markersize=5, zorder=6, clip_on=False)


def _draw_loads(panel: Panel, boundary: Boundary, size: float) -> None:
    """Arrows of all loads, the largest of the faces and the largest of the points three marks long."""
    faces = [(*_marks(boundary.domain, face, 2.5 * size, panel), c) for face, c in boundary.table.items()]
    groups = [(points, normals, _traction(c, points, normals)) for points, normals, c in faces]
    loads = [(points, normals, pull) for points, normals, pull in groups if pull is not None and np.abs(pull).max() > 0]
    _arrows(panel, loads, size)
    single = [(np.array([load.place]), _point_load(load)) for load in boundary.loads]
    _arrows(panel, [(x, -pull, pull) for x, pull in single], size)


def _traction(condition: Condition, points: Floats, normals: Floats) -> Floats | None:
    """Force per area at points of a face; None where the condition is no load."""
    x, d = torch.as_tensor(points), points.shape[1]
    if not len(points) or not isinstance(condition, Flux | Pressure):
        return None
    with torch.no_grad():
        if isinstance(condition, Pressure):
            return -condition.flux(0.0, x, torch.as_tensor(normals)).numpy()
        return -condition.at(0.0, x, d).numpy()


def _point_load(load: PointLoad) -> Floats:
    with torch.no_grad():
        return load.at(0.0, torch.tensor([load.place], dtype=torch.float64), len(load.place)).numpy()


def _arrows(panel: Panel, loads: list[tuple[Floats, Floats, Floats]], size: float) -> None:
    largest = max((float(np.linalg.norm(pull, axis=1).max()) for _, _, pull in loads), default=0.0)
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "shrinkA": 0, "shrinkB": 0, "lw": 1.0}
    for points, normals, pull in loads if largest > 0 else ():
        arrows = 3 * size * pull / largest
        # what pushes ends at the boundary, what pulls begins there: arrows lie outside of the body
        pushes = (pull * normals).sum(1) < 0
        start = np.where(pushes[:, None], points - arrows, points)
        for (x, y), (right, up) in zip(panel.flat(start), panel.flat(start + arrows), strict=True):
            panel.ax.annotate(
                "", (right, up), (x, y), arrowprops={**look, "color": _LOAD}, zorder=6, annotation_clip=False
            )
