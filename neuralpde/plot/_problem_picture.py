"""A problem in one picture, before anything is solved."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuralpde.fields import Jet
from neuralpde.geometry import MeshDomain, Solid
from neuralpde.plot._condition_text import FREE, grouped_conditions
from neuralpde.plot._domain_panels import DOTS, Panel, domain_panels, normal_arrows
from neuralpde.plot._level_set import solid_surface
from neuralpde.plot._mesh_picture import tag_colours, tag_legend
from neuralpde.plot._panels import colour_bar, plane, upright_label
from neuralpde.plot._samples import Samples
from neuralpde.plot._scales import field_scale
from neuralpde.plot._solid_shapes import draw_solid, with_solids
from neuralpde.plot._style import METHODS, style, trim, wrapped
from neuralpde.plot._supports import draw_supports, is_solid
from neuralpde.plot._triangulation import Floats, triangulation
from neuralpde.plot._view import View, draw_faces, space_limits
from neuralpde.plot._write import PICTURES, checked_path, save
from neuralpde.problems import Problem, check_problem, obstacles
from neuralpde.representations import Representation
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 3000
"""Quadrature points that are drawn."""


def problem_picture(
    problem: Problem, path: str | os.PathLike[str], representation: Representation | None = None
) -> Path:
    """Draw what a problem states: domain, solids, the parts of the boundary with their conditions, outward normals.

    Parts with the same condition have the same colour. On lines and planes the initial field of a problem that moves in
    time stands beside, and the source of a steady one where it is not the same everywhere (of vectors their length). A
    domain in space is seen from two opposite sides.

    Args:
        problem: what is going to be solved.
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.
        representation: to draw its quadrature (collocation) points too, at most 3000 of them.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix, a problem that cannot be solved, or a representation on another domain.

    Example:
        >>> from neuralpde.problems import Poisson
        >>> problem_picture(Poisson(), "/tmp/setup.png").name
        'setup.png'
    """
    target = checked_path(path, PICTURES)
    check_problem(problem, weak=True)
    if representation is not None and getattr(representation, "domain", problem.domain) != problem.domain:
        raise UsageError(
            f"the representation is on {representation.domain}, and {problem.name} on {problem.domain}: "
            "make it with for_problem(problem)."
        )
    with style():
        return save(problem_figure(problem, representation), target)


def problem_figure(problem: Problem, representation: Representation | None = None) -> Figure:
    """The figure behind :func:`problem_picture`; call it inside ``style()``."""
    domain = problem.domain
    groups = grouped_conditions(domain, problem.conditions, is_solid(problem))
    colours = condition_colours([text for _, text in groups])
    by_face = {face: colour for (faces, _), colour in zip(groups, colours, strict=True) for face in faces}
    start = given_samples(problem)
    figure, panels, beside = domain_panels(domain, by_face, getattr(problem, "solid", None), 1 if start else 0)
    entries = [
        (f"{', '.join(faces)}: {text}", colour, "line" if domain.dim < 3 else "patch")
        for (faces, text), colour in zip(groups, colours, strict=True)
    ]
    for panel in panels:
        draw_supports(panel, problem) if is_solid(problem) else normal_arrows(panel, domain)
    if is_solid(problem):
        entries += _body_at_start(panels, problem)
    met = obstacles(getattr(problem, "contact", ()))
    if met and (domain.dim < 3 or not _starts_elsewhere(problem)):
        draw_obstacles(panels, met, np.array(domain.lower), np.array(domain.upper))
        entries.append(("obstacles", "0.6", "patch"))
    if getattr(problem, "solid", None) is not None:
        entries.append(("solid", "0.6", "patch"))
    if representation is not None:
        entries.append(_points(panels, representation))
    if start is not None:
        _given(figure, beside[0], start)
    tag_legend(figure, entries)
    width = figure.get_size_inches()[0]
    figure.suptitle(wrapped(", ".join([problem.name, *parameters(problem)]), 0.85 * width))
    if domain.dim < 3:
        trim(figure)
    return figure


def _body_at_start(panels: Sequence[Panel], problem: Problem) -> list[tuple[str, Any, str]]:
    """The outline of a plane body where its motion begins, if that is another place; the entry of the legend."""
    from matplotlib.collections import LineCollection

    domain = problem.domain
    if problem.time_order != 2 or domain.dim != 2 or not isinstance(domain, MeshDomain):
        return []
    shown = triangulation(domain.mesh)
    moved = shown.points + _start(problem, shown.points)[:, :2]
    if np.allclose(moved, shown.points):
        return []
    ax = panels[0].ax
    ax.add_collection(LineCollection(moved[shown.rim], colors=METHODS[0], linewidths=1.2), autolim=False)  # type: ignore[arg-type]
    low, high = np.minimum(moved.min(0), shown.points.min(0)), np.maximum(moved.max(0), shown.points.max(0))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return [("at t = 0", METHODS[0], "line")]


def _starts_elsewhere(problem: Problem) -> bool:
    """Whether the body in motion of a mesh begins in another place: obstacles around the mesh would mislead."""
    if problem.time_order != 2 or not isinstance(problem.domain, MeshDomain):
        return False
    return bool(_start(problem, problem.domain.mesh.points)[:, : problem.domain.dim].any())


def draw_obstacles(panels: Sequence[Panel], solids: Sequence[Solid], low: Floats, high: Floats) -> None:
    """What a body in the box from ``low`` to ``high`` may touch, with more room around the body; in space behind it."""
    for panel in panels:
        if panel.view is not None:
            _obstacles_in_space(panel.ax, panel.view, solids, *with_solids(low, high, solids))
            continue
        (left, right), (bottom, top) = panel.ax.get_xlim(), panel.ax.get_ylim()
        near, far = with_solids(np.array([left, bottom]), np.array([right, top]), solids)
        for solid in solids:
            draw_solid(panel.ax, solid, near, far, above=0.5)
        panel.ax.set(xlim=(near[0], far[0]), ylim=(near[1], far[1]))


def _obstacles_in_space(ax: Axes, view: View, solids: Sequence[Solid], low: Floats, high: Floats) -> None:
    for solid in solids:
        points, triangles = solid_surface(solid, low, high)
        outlines = points[triangles[:, [0, 1, 2, 0]]]
        look = {"edgecolors": "face", "linewidths": 0.3, "zorder": 0.5}
        draw_faces(ax, view, outlines, np.full((len(outlines), 3), 0.72), look)
    xlim, ylim = space_limits(view, low, high)
    ax.set(xlim=xlim, ylim=ylim)


def condition_colours(texts: list[str]) -> list[Any]:
    """One colour per group of faces; grey for those without a condition."""
    names = ["untagged" if text == FREE else f"{j}" for j, text in enumerate(texts)]
    return list(tag_colours(names).values())


def parameters(problem: Problem) -> list[str]:
    """``name = value`` of the numbers among a problem's fields."""
    if not dataclasses.is_dataclass(problem):
        return []
    values = {f.name: getattr(problem, f.name) for f in dataclasses.fields(problem)}
    return [
        f"{name.replace('_', ' ')} = {value:.4g}".replace("-", "−")
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def given_samples(problem: Problem) -> Samples | None:
    """The field at t = 0, or the source of a steady problem at u = 0; None where it says nothing, and in space."""
    domain, steady = problem.domain, problem.time_order == 0
    if domain.dim > 2 or (is_solid(problem) and not steady):
        return None
    shown = triangulation(domain.mesh) if isinstance(domain, MeshDomain) else None
    n = 129 if domain.dim == 2 else 801
    axes = tuple(np.linspace(a, b, n) for a, b in zip(domain.lower, domain.upper, strict=True))
    places = shown.points if shown else np.stack([g.reshape(-1) for g in np.meshgrid(*axes, indexing="ij")], axis=-1)
    unknown, count = next(iter(problem.unknowns.items()))
    values = (_source(problem, places) if steady else _start(problem, places))[:, :count]
    values = _outside_solids(problem, places, np.linalg.norm(values, axis=1) if count > 1 else values[:, 0])
    known = values[np.isfinite(values)]
    if not known.size or np.abs(known).max() == 0 or (steady and np.ptp(known) <= 1e-9 * np.abs(known).max()):
        return None
    shape = (1, len(places), 1) if shown else (1, *(len(axis) for axis in axes), 1)
    what = "source" if steady else unknown
    label = (f"|{what}|" if count > 1 else what) + ("" if steady else " at t = 0")
    return Samples(problem.name, axes, np.zeros(1), values.reshape(shape), labels=(label,), triangulation=shown)


def _start(problem: Problem, places: Floats) -> Floats:
    with torch.no_grad():
        return problem.initial(torch.as_tensor(places)).cpu().numpy()


def _source(problem: Problem, places: Floats) -> Floats:
    """The source at u = 0; zeros where the problem states none, or one that reads more of u than finite elements do."""
    x = torch.as_tensor(places)
    nothing = torch.zeros(len(x), problem.channels, dtype=x.dtype)
    if type(problem).source is Problem.source:
        return nothing.numpy()
    try:
        found = problem.source(0.0, x, Jet(nothing, nothing.new_zeros(*nothing.shape, x.shape[1])))
    except UsageError:
        return nothing.numpy()
    return found.detach().cpu().numpy()


def _outside_solids(problem: Problem, places: Floats, values: Floats) -> Floats:
    solid = getattr(problem, "solid", None)
    if solid is None:
        return values
    return np.where(solid.distance(torch.as_tensor(places)).numpy() < 0, np.nan, values)


def _given(figure: Figure, ax: Axes, start: Samples) -> None:
    if start.dim == 1:
        ax.plot(start.axes[0], start.values[0, :, 0], color=METHODS[0])
        ax.set(xlabel="x")
        upright_label(ax, start.labels[0])
        return
    scale = field_scale([start.values[0, ..., 0]])
    shown = plane(ax, start, start.values[0, ..., 0], scale)
    colour_bar(figure, shown, [ax], scale, start.labels[0])


def _points(panels: list[Any], representation: Representation) -> tuple[str, Any, str]:
    """Dots at the quadrature points; the entry of the legend."""
    points = representation.quadrature().points.detach().cpu().double().numpy()
    chosen = points
    if len(points) > MOST_POINTS:
        chosen = points[np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)]
    for panel in panels:
        panel.dots(chosen)
    what = f"{len(points)} quadrature points of {type(representation).__name__}"
    return what + (f" ({MOST_POINTS} shown)" if len(points) > MOST_POINTS else ""), DOTS, "dot"
