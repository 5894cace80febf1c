"""What tells one problem of a class from another, as JSON can hold it: numbers, profiles, conditions, functions."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from neuralpde.geometry import Boundary, Box, Dirichlet, Domain, Flux, MeshDomain, Neumann, Pressure, Robin
from neuralpde.problems import Problem

UNKNOWN = "(not compared)"
"""Stands for what cannot be told: a function that none of our points suits, a thing of another library."""

VALUES = "values at a few points"
TIMES = (0.0, 0.7)
"""Times at which functions of time are looked at."""

COUNT = 8
DIGITS = 9
ROUNDING = 1e-6
"""Relative difference of function values that another machine or version may make."""


def problem_data(problem: Problem) -> dict[str, Any]:
    """The problem's domain, the kinds and values of its conditions, and its other fields by name.

    Functions are known by their values at a few points, not by their names or their code.
    """
    domain, boundary = problem.domain, Boundary(problem.domain, problem.conditions)
    faces = sorted(boundary.table.items())
    inside = domain.some_points(COUNT)
    data: dict[str, Any] = {
        "domain": [list(domain.lower), list(domain.upper)] if isinstance(domain, Box) else repr(domain),
        "conditions": {face: type(c).__name__ for face, c in faces},
        # a blank in a name: no field of a problem can be called so
        "condition values": {
            face: _described(c.value, _on_face(domain, face))
            for face, c in faces
            if isinstance(c, Dirichlet | Neumann | Flux | Robin | Pressure)
        },
    }
    single = [(name, c) for held in (boundary.partial, boundary.sets) for name, found in held.items() for c in found]
    if single or boundary.loads:  # older files know none
        supports = [
            [name, c.components, _described(c.value, boundary.places(name, COUNT)[:COUNT])] for name, c in single
        ]
        loads = [[list(c.place), _described(c.value, inside)] for c in boundary.loads]
        data["supports of components and points, loads at points"] = [*sorted(supports, key=str), *loads]
    names: list[str] = [f.name for f in dataclasses.fields(problem)] if dataclasses.is_dataclass(problem) else []
    if isinstance(domain, MeshDomain):
        data["mesh digest"] = domain.digest[:DIGITS]
        data["mesh parts"] = domain.parts_digest[:DIGITS]  # apart from the shape, as older files do not have it
    for name in names:
        if name in ("domain", "conditions"):
            continue
        value = getattr(problem, name)
        if name == "solid" and value is not None:  # as files have had it from the first; its parts stand beside
            data["solid"] = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
            data["solid parts"] = _described(value, inside)
        elif name != "solid":
            data[name] = _described(value, inside)
    return data


FACES = {"conditions": "condition", "condition values": "value"}
"""What is told apart face by face, and what to call it in a sentence."""


def first_difference(saved: dict[str, Any], now: dict[str, Any]) -> tuple[str, str, str] | None:
    """The first thing in which two problems differ: its name, what it is in one, and in the other; None if they agree.

    Names that only one of them has are not compared, as older files know fewer; nor is what cannot be told.
    """
    for name, value in now.items():
        if name not in saved or _agree(saved[name], value):
            continue
        if name not in FACES:
            return name, _text(saved[name]), _text(value)
        faces = [face for face in value if face in saved[name] and not _agree(saved[name][face], value[face])]
        face = min(faces, key=lambda face: (face[:-1], face[-1] == "+"))
        return f"{FACES[name]} on {face}", _text(saved[name][face]), _text(value[face])
    return None


def _on_face(domain: Domain, name: str) -> Tensor:
    if not isinstance(domain, Box):
        return domain.face_lattice(name, COUNT).points[:COUNT]
    axis, side = domain.face(name)
    x = domain.some_points(COUNT)
    x[:, axis] = domain.upper[axis] if side else domain.lower[axis]
    return x


def _described(value: Any, x: Tensor) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_described(item, x) for item in value]
    if isinstance(value, Tensor):
        return {"shape": list(value.shape), VALUES: _rounded(value.detach().reshape(-1)[:COUNT])}
    if isinstance(value, type) or not (callable(value) or dataclasses.is_dataclass(value)):
        return UNKNOWN
    out: dict[str, Any] = {}
    if dataclasses.is_dataclass(value):
        out["class"] = type(value).__name__
        out.update({f.name: _described(getattr(value, f.name), x) for f in dataclasses.fields(value)})
    if callable(value):
        out[VALUES] = _values(value, x)
    return out


def _values(function: Callable[..., Any], x: Tensor) -> Any:
    """Values of a function of points, or of time and points; what it draws leaves torch's generator as it was."""
    attempts: list[list[tuple[Any, ...]]] = []
    for points in (x, x.float()):  # a network's weights are often in single precision
        attempts += [[(points.clone(),)], [(t, points.clone()) for t in TIMES]]
    with torch.random.fork_rng(devices=[]):
        for calls in attempts:
            try:
                parts = [torch.as_tensor(function(*arguments)).detach().cpu().reshape(-1) for arguments in calls]
                return _rounded(torch.cat(parts))
            except Exception:  # a user's function may raise anything on arguments that are not its own
                continue
    return UNKNOWN


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{float(v):.{DIGITS}g}") for v in values]


def _agree(saved: Any, now: Any) -> bool:
    if UNKNOWN in (saved, now):
        return True
    if isinstance(saved, dict) and isinstance(now, dict):
        if saved.get("class") != now.get("class"):
            return False
        return all(
            _close(saved[k], now[k]) if k == VALUES else _agree(saved[k], now[k]) for k in saved.keys() & now.keys()
        )
    if isinstance(saved, list) and isinstance(now, list):
        return len(saved) == len(now) and all(_agree(a, b) for a, b in zip(saved, now, strict=True))
    return bool(saved == now) or (_is_nan(saved) and _is_nan(now))


def _close(saved: Sequence[float] | str, now: Sequence[float] | str) -> bool:
    """Values of functions agree but for rounding."""
    if isinstance(saved, str) or isinstance(now, str):
        return True
    scale = max((abs(b) for b in now if math.isfinite(b)), default=0.0)
    return len(saved) == len(now) and all(
        a == b or (_is_nan(a) and _is_nan(b)) or abs(a - b) <= ROUNDING * abs(b) + 1e-12 * scale
        for a, b in zip(saved, now, strict=True)
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _text(value: Any) -> str:
    """A described value for a sentence."""
    if isinstance(value, list):
        return f"({', '.join(_text(item) for item in value)}{',' if len(value) == 1 else ''})"
    if not isinstance(value, dict) or not (VALUES in value or "class" in value):
        return str({k: _text(v) for k, v in value.items()}) if _is_nested(value) else str(value)
    if "class" in value:
        inner = ", ".join(f"{k}={_text(v)}" for k, v in value.items() if k not in ("class", VALUES))
        return f"{value['class']}({inner})"
    if isinstance(value[VALUES], str):
        return "a function"
    shown = ", ".join(f"{v:.4g}" for v in value[VALUES][:3])
    return f"{'a tensor' if 'shape' in value else 'a function'} with values {shown}, …"


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values())
