"""Makes the meshes of this folder: ``pip install "neuralpde[meshes]"``, then ``python meshes/make.py [NAME …]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import gmsh

FOLDER = Path(__file__).parent

occ = gmsh.model.occ


def on_box(dim: int, lower: tuple[float, ...], upper: tuple[float, ...], eps: float = 1e-6) -> list[int]:
    """Entities inside a box of space."""
    low, high = ([*corner, *[0.0] * (3 - len(corner))] for corner in (lower, upper))
    found = gmsh.model.getEntitiesInBoundingBox(*[v - eps for v in low], *[v + eps for v in high], dim)
    return [tag for _, tag in found]


def name(dim: int, tags: list[int], called: str) -> None:
    """A physical group."""
    assert tags, f"nothing is called {called}"
    gmsh.model.addPhysicalGroup(dim, tags, name=called)


def rest(dim: int, used: list[int]) -> list[int]:
    """The boundary entities that have no name yet."""
    return [tag for _, tag in gmsh.model.getEntities(dim) if tag not in used]


def rectangle_sides(x: float, y: float) -> list[int]:
    """Names the four sides of [0, x] × [0, y]; returns them all."""
    sides = {
        "left": on_box(1, (0, 0), (0, y)),
        "right": on_box(1, (x, 0), (x, y)),
        "bottom": on_box(1, (0, 0), (x, 0)),
        "top": on_box(1, (0, y), (x, y)),
    }
    for called, tags in sides.items():
        name(1, tags, called)
    return [tag for tags in sides.values() for tag in tags]


def square() -> float:
    """Unit square."""
    occ.addRectangle(0, 0, 0, 1, 1)
    occ.synchronize()
    rectangle_sides(1, 1)
    name(2, [1], "body")
    return 0.05


def l_shape() -> float:
    """[0, 2]² without [1, 2]², graded towards the re-entrant corner (1, 1)."""
    geo = gmsh.model.geo
    places = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    points = [geo.addPoint(x, y, 0, 4e-4 if (x, y) == (1, 1) else 0.12) for x, y in places]
    lines = [geo.addLine(points[i], points[(i + 1) % 6]) for i in range(6)]
    geo.addPlaneSurface([geo.addCurveLoop(lines)])
    geo.synchronize()
    name(1, lines, "boundary")
    name(2, [1], "body")
    return 0.12


def plate_with_holes() -> float:
    """2 × 1 plate with three round holes."""
    plate = occ.addRectangle(0, 0, 0, 2, 1)
    holes = [(2, occ.addDisk(x, y, 0, r, r)) for x, y, r in ((0.5, 0.5, 0.2), (1.2, 0.3, 0.12), (1.55, 0.65, 0.15))]
    occ.cut([(2, plate)], holes)
    occ.synchronize()
    used = rectangle_sides(2, 1)
    name(1, rest(1, used), "holes")
    name(2, [tag for _, tag in gmsh.model.getEntities(2)], "body")
    return 0.06


def channel_with_cylinder() -> float:
    """Turek and Schäfer's channel, 2.2 × 0.41 with a cylinder of radius 0.05 at (0.2, 0.2)."""
    channel, disc = occ.addRectangle(0, 0, 0, 2.2, 0.41), occ.addDisk(0.2, 0.2, 0, 0.05, 0.05)
    occ.cut([(2, channel)], [(2, disc)])
    occ.synchronize()
    inlet, outlet = on_box(1, (0, 0), (0, 0.41)), on_box(1, (2.2, 0), (2.2, 0.41))
    walls = on_box(1, (0, 0), (2.2, 0)) + on_box(1, (0, 0.41), (2.2, 0.41))
    for called, tags in {"inlet": inlet, "outlet": outlet, "walls": walls}.items():
        name(1, tags, called)
    cylinder = rest(1, inlet + outlet + walls)
    name(1, cylinder, "cylinder")
    name(2, [1], "fluid")
    gmsh.model.mesh.setSize(gmsh.model.getBoundary([(1, t) for t in cylinder], combined=False), 0.012)
    grade(cylinder, 0.01, 0.05, 0.02, 0.4)
    return 0.05


def cook() -> float:
    """Cook's membrane with the corners (0, 0), (48, 44), (48, 60), (0, 44)."""
    geo = gmsh.model.geo
    points = [geo.addPoint(x, y, 0) for x, y in [(0, 0), (48, 44), (48, 60), (0, 44)]]
    lines = [geo.addLine(points[i], points[(i + 1) % 4]) for i in range(4)]
    geo.addPlaneSurface([geo.addCurveLoop(lines)])
    geo.synchronize()
    for called, line in zip(("bottom", "loaded", "top", "clamped"), lines, strict=True):
        name(1, [line], called)
    name(2, [1], "body")
    return 2.0


def cantilever_2d() -> float:
    """4 × 1 beam."""
    occ.addRectangle(0, 0, 0, 4, 1)
    occ.synchronize()
    rectangle_sides(4, 1)
    name(2, [1], "body")
    return 0.1


def cantilever_3d() -> float:
    """4 × 1 × 1 beam."""
    occ.addBox(0, 0, 0, 4, 1, 1)
    occ.synchronize()
    clamped, end = on_box(2, (0, 0, 0), (0, 1, 1)), on_box(2, (4, 0, 0), (4, 1, 1))
    name(2, clamped, "clamped")
    name(2, end, "end")
    name(2, rest(2, clamped + end), "sides")
    name(3, [1], "body")
    return 0.25


def bracket() -> float:
    """An angle bracket, 60 × 40 × 50 with legs 10 thick, a fillet, two bolt holes and one eye; in millimetres."""
    foot, leg = occ.addBox(0, 0, 0, 60, 40, 10), occ.addBox(0, 0, 0, 10, 40, 50)
    occ.fuse([(3, foot)], [(3, leg)])
    occ.synchronize()
    inner = [t for t in on_box(1, (10, 0, 10), (10, 40, 10))]
    occ.fillet([1], inner, [8.0])
    holes = [(3, occ.addCylinder(42, y, -1, 0, 0, 12, 5)) for y in (10, 30)]
    eye = [(3, occ.addCylinder(-1, 20, 34, 12, 0, 0, 8))]
    occ.cut([(3, 1)], holes + eye)
    occ.synchronize()
    bolts = [t for y in (10, 30) for t in on_box(2, (37, y - 5, 0), (47, y + 5, 10))]
    eye_face = on_box(2, (0, 12, 26), (10, 28, 42))
    bottom = on_box(2, (0, 0, 0), (60, 40, 0))
    name(2, bolts, "bolts")
    name(2, eye_face, "eye")
    name(2, bottom, "bottom")
    name(2, rest(2, bolts + eye_face + bottom), "surface")
    name(3, [tag for _, tag in gmsh.model.getEntities(3)], "body")
    return 6.0


def cube_with_hole() -> float:
    """Unit cube with a spherical hole of radius 0.3 in its middle."""
    cube, ball = occ.addBox(0, 0, 0, 1, 1, 1), occ.addSphere(0.5, 0.5, 0.5, 0.3)
    occ.cut([(3, cube)], [(3, ball)])
    occ.synchronize()
    sphere = on_box(2, (0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    name(2, sphere, "sphere")
    name(2, rest(2, sphere), "cube")
    name(3, [tag for _, tag in gmsh.model.getEntities(3)], "body")
    return 0.17


def quarter_plate() -> float:
    """A quarter of a 20 × 20 plate with a round hole of radius 1 in its middle, graded towards the hole."""
    plate, hole = occ.addRectangle(0, 0, 0, 10, 10), occ.addDisk(0, 0, 0, 1, 1)
    occ.cut([(2, plate)], [(2, hole)])
    occ.synchronize()
    sides = {
        "symmetry_x": on_box(1, (0, 1), (0, 10)),
        "symmetry_y": on_box(1, (1, 0), (10, 0)),
        "right": on_box(1, (10, 0), (10, 10)),
        "top": on_box(1, (0, 10), (10, 10)),
    }
    sides["hole"] = rest(1, [tag for tags in sides.values() for tag in tags])
    for called, tags in sides.items():
        name(1, tags, called)
    name(2, [1], "plate")
    grade(sides["hole"], 0.08, 1.2, 0.0, 6.0)
    return 1.2


def grade(curves: list[int], near_size: float, far_size: float, near: float, far: float) -> None:
    """Elements grow from one size to another between two distances from some curves."""
    field = gmsh.model.mesh.field
    distance = field.add("Distance")
    field.setNumbers(distance, "CurvesList", curves)
    field.setNumber(distance, "Sampling", 100)
    size = field.add("Threshold")
    limits = {"InField": distance, "SizeMin": near_size, "SizeMax": far_size, "DistMin": near, "DistMax": far}
    for key, value in limits.items():
        field.setNumber(size, key, value)
    field.setAsBackgroundMesh(size)


def ring() -> float:
    """A ring around (0, 0) with the radii 0.3 and 0.5."""
    outer, inner = occ.addDisk(0, 0, 0, 0.5, 0.5), occ.addDisk(0, 0, 0, 0.3, 0.3)
    occ.cut([(2, outer)], [(2, inner)])
    occ.synchronize()
    inside = on_box(1, (-0.31, -0.31), (0.31, 0.31))
    name(1, inside, "inside")
    name(1, rest(1, inside), "outside")
    name(2, [1], "body")
    return 0.06


def ball() -> float:
    """A ball of radius 0.5 around (0, 0, 0)."""
    occ.addSphere(0, 0, 0, 0.5)
    occ.synchronize()
    name(2, rest(2, []), "surface")
    name(3, [1], "body")
    return 0.14


def turek_hron_beam() -> float:
    """Turek and Hron's beam: 0.02 thick, from the circle of radius 0.05 about (0.2, 0.2) to x = 0.6."""
    beam, cylinder = occ.addRectangle(0.2, 0.19, 0, 0.4, 0.02), occ.addDisk(0.2, 0.2, 0, 0.05, 0.05)
    occ.cut([(2, beam)], [(2, cylinder)])
    occ.synchronize()
    sides = {
        "end": on_box(1, (0.6, 0.19), (0.6, 0.21)),
        "bottom": on_box(1, (0.2, 0.19), (0.6, 0.19)),
        "top": on_box(1, (0.2, 0.21), (0.6, 0.21)),
    }
    sides["arc"] = rest(1, [tag for tags in sides.values() for tag in tags])
    for called, tags in sides.items():
        name(1, tags, called)
    name(2, [1], "beam")
    return 0.007


def quarter_ellipse() -> None:
    """Between x²/4 + y² = 1 and (x/3.25)² + (y/2.75)² = 1 where x, y ≥ 0: NAFEMS' LE1 and LE10."""
    outer, inner = occ.addDisk(0, 0, 0, 3.25, 2.75), occ.addDisk(0, 0, 0, 2, 1)
    occ.cut([(2, outer)], [(2, inner)])
    occ.intersect([(2, outer)], [(2, occ.addRectangle(0, 0, 0, 4, 4))])
    occ.synchronize()


def nafems_le1() -> float:
    """The elliptic membrane of NAFEMS' LE1, graded towards its inner edge."""
    quarter_ellipse()
    sides = {"DC": on_box(1, (2, 0), (3.25, 0)), "AB": on_box(1, (0, 1), (0, 2.75))}
    sides["inner"] = [tag for tag in on_box(1, (0, 0), (2, 1)) if tag not in sides["DC"] + sides["AB"]]
    sides["outer"] = rest(1, [tag for tags in sides.values() for tag in tags])
    for called, tags in sides.items():
        name(1, tags, called)
    name(2, [1], "membrane")
    grade(sides["inner"], 0.06, 0.3, 0.0, 1.0)
    return 0.3


def edges_of(faces: list[int]) -> list[int]:
    """Curves around some faces."""
    found = gmsh.model.getBoundary([(2, tag) for tag in faces], combined=False, oriented=False)
    return sorted({tag for _, tag in found})


def nafems_le10() -> float:
    """The thick plate of NAFEMS' LE10, in two layers, with the line EE at half its height on the outer face."""
    quarter_ellipse()
    (plan,) = gmsh.model.getEntities(2)
    lower = occ.extrude([plan], 0, 0, 0.3)
    top = next(entity for entity in lower if entity[0] == 2)
    occ.extrude([top], 0, 0, 0.3)
    occ.synchronize()
    sides = {
        "bottom": on_box(2, (0, 0, 0), (4, 4, 0)),
        "top": on_box(2, (0, 0, 0.6), (4, 4, 0.6)),
        "DC": on_box(2, (0, 0, 0), (4, 0, 0.6)),
        "AB": on_box(2, (0, 0, 0), (0, 4, 0.6)),
    }
    middle = on_box(2, (0, 0, 0.3), (4, 4, 0.3))
    flat = [tag for tags in sides.values() for tag in tags] + middle
    sides["inner"] = [tag for tag in on_box(2, (0, 0, 0), (2, 1, 0.6)) if tag not in flat]
    sides["outer"] = rest(2, flat + sides["inner"])
    for called, tags in sides.items():
        name(2, tags, called)
    at_middle = on_box(1, (0, 0, 0.3), (4, 4, 0.3))
    name(1, [tag for tag in edges_of(sides["outer"]) if tag in at_middle], "EE")
    name(3, [tag for _, tag in gmsh.model.getEntities(3)], "plate")
    grade(edges_of(sides["inner"]), 0.17, 0.65, 0.0, 1.2)
    return 0.65


MESHES: dict[str, tuple[Callable[[], float], int, int]] = {
    "square": (square, 2, 1),
    "l_shape": (l_shape, 2, 1),
    "plate_with_holes": (plate_with_holes, 2, 2),
    "channel_with_cylinder": (channel_with_cylinder, 2, 1),
    "cook": (cook, 2, 1),
    "cantilever_2d": (cantilever_2d, 2, 1),
    "cantilever_3d": (cantilever_3d, 3, 1),
    "bracket": (bracket, 3, 1),
    "cube_with_hole": (cube_with_hole, 3, 2),
    "quarter_plate": (quarter_plate, 2, 2),
    "ring": (ring, 2, 1),
    "ball": (ball, 3, 1),
    "turek_hron_beam": (turek_hron_beam, 2, 2),
    "nafems_le1": (nafems_le1, 2, 2),
    "nafems_le10": (nafems_le10, 3, 2),
}
"""What makes each mesh, its dimension, and the order of its elements."""


def make(called: str) -> Path:
    """Writes one mesh."""
    build, dim, order = MESHES[called]
    gmsh.clear()
    gmsh.model.add(called)
    size = build()
    gmsh.option.setNumber("Mesh.MeshSizeMax", size)
    gmsh.model.mesh.generate(dim)
    if dim == 3:
        gmsh.model.mesh.optimize("Netgen")
    gmsh.model.mesh.setOrder(order)
    if order > 1:
        gmsh.model.mesh.optimize("HighOrder")
    path = FOLDER / f"{called}.msh"
    gmsh.write(str(path))
    return path


if __name__ == "__main__":
    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.Binary", 1)
    gmsh.option.setNumber("General.NumThreads", 1)
    for called in sys.argv[1:] or MESHES:
        print(make(called))
    gmsh.finalize()
