"""Which classes a table may become: the members of a union, the kinds of an abstract class."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch

from neuralpde.cases._mistakes import Place, shown
from neuralpde.geometry import Solid
from neuralpde.problems import ByPart, GaussianBump, SineSpeed

COEFFICIENTS: dict[str, type] = {"sine": SineSpeed, "gaussian": GaussianBump, "by_part": ByPart}
"""Functions of x by their names in a case file, where a number or a function is expected."""


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """A signature's parameters by name, their annotations resolved."""
    signature = inspect.signature(target)
    hints = get_type_hints(target if is_dataclass(target) or not inspect.isclass(target) else target.__init__)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: parameter.replace(annotation=hints.get(name, Any))
        for name, parameter in signature.parameters.items()
        if parameter.kind in named
    }


def snake_case(thing: type) -> str:
    """``GaussNewton`` → ``gauss_newton``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", thing.__name__).lower()


def members(annotation: Any) -> list[Any]:
    """Members of a union, without tensors: a case file holds none."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return [m for m in (get_args(annotation) if union else (annotation,)) if m is not torch.Tensor]


def is_coefficient(member: Any) -> bool:
    """Whether a member of a union is one of the shipped coefficients, named so that it may stand beside a list."""
    return member in COEFFICIENTS.values()


def option_classes(found: list[Any]) -> list[Any]:
    """The classes of a union whose fields are a table; of an abstract one, alone, those that its room offers."""
    out: list[Any] = []
    for member in found:
        if is_dataclass(member) and not is_coefficient(member):
            out.append(member)
        elif inspect.isclass(member) and inspect.isabstract(member):
            kinds = _offered(member)
            out += [] if set(kinds) & set(found) else kinds
    return list(dict.fromkeys(out))


def _offered(abstract: type) -> list[type]:
    """Subclasses of an abstract class that a user may name, and that need nothing of that class themselves."""
    children: list[type] = abstract.__subclasses__()
    below = [kind for child in children for kind in (child, *_offered(child))]
    return [kind for kind in below if is_dataclass(kind) and not inspect.isabstract(kind) and _is_public(kind)]


def _is_public(kind: type) -> bool:
    room = sys.modules.get(kind.__module__.split("._")[0])
    return kind.__name__ in getattr(room, "__all__", ()) and kind.__name__ != "Bodies"  # a list of bodies is one


def are_bodies(classes: list[Any]) -> bool:
    """Whether all are solids, several of which are one body."""
    return bool(classes) and all(issubclass(c, Solid) for c in classes)


def kind_of(classes: list[Any], table: Mapping[str, Any], place: Place, guess: bool = False) -> Any:
    """The class that a table names by ``kind``; with ``guess`` the first that takes all of its keys, else the first.

    Raises:
        UsageError: for a kind that there is not, or where several would do.
    """
    kinds = {snake_case(c): c for c in classes}
    if "kind" in table:
        kind = table["kind"]
        if not isinstance(kind, str):
            raise place.child("kind").wrong("the name of a kind of options", kind)
        return place.child("kind").choose(kind, kinds)
    if guess:  # what does not fit is then told of the first
        return next((c for c in classes if _takes(c, table)), classes[0])
    raise place.missing_kind(_example(classes, table), list(kinds))


def _takes(kind: Any, table: Mapping[str, Any]) -> bool:
    known = parameters(kind)
    needed = {name for name, parameter in known.items() if parameter.default is inspect.Parameter.empty}
    return needed <= set(table) <= set(known)


def _example(classes: list[Any], table: Mapping[str, Any]) -> str:
    """The table with the first kind that has its keys."""
    fitting = next((c for c in classes if set(table) <= set(parameters(c))), classes[0])
    given = {name: value for name, value in table.items() if name in parameters(fitting)}
    return ", ".join([f'kind = "{snake_case(fitting)}"', *(f"{name} = {shown(v)}" for name, v in given.items())])
