"""Tables checked against the signature of what they build: one code for problems, representations, options, functions.

The signature is the only list of names, types and defaults; a new problem or option needs nothing here.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import math
import operator
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from neuralpde.cases._kinds import (
    COEFFICIENTS,
    are_bodies,
    is_coefficient,
    kind_of,
    members,
    option_classes,
    parameters,
    snake_case,
)
from neuralpde.cases._mistakes import Place, nearest
from neuralpde.cases._user_code import describe_object, is_reference, load_object
from neuralpde.problems import ByPart, GaussianBump, ProductOfSines, SineMode
from neuralpde.types import UsageError

PROFILES: dict[str, type] = {"gaussian": GaussianBump, "sine": SineMode, "product_of_sines": ProductOfSines}
"""Functions of x by their names in a case file, where a function is expected."""

BOUND: dict[Any, tuple[str, ...]] = {ByPart: ("domain",)}
"""Parameters that a problem fills in."""

DTYPES = {"float64": torch.float64, "float32": torch.float32}
NONE = "none"
LISTS = (list, tuple, collections.abc.Sequence)
SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
NO_VALUE = object()

OPTIONS = "a table of options"
"""What a dataclass is in a case file, in words."""


@dataclass(frozen=True)
class Constant:
    """The same values at all points: a number, or one number per component, where a function of x is expected.

    Args:
        values: one per component.
    """

    values: tuple[float, ...]

    def __call__(self, x: Tensor) -> Tensor:
        return x.new_tensor(self.values).expand(len(x), -1)


@dataclass(frozen=True)
class Reader:
    """Reads TOML values as arguments.

    Args:
        base: folder that ``"file.py:name"`` is relative to.
    """

    base: Path

    def arguments(
        self,
        target: Callable[..., Any],
        table: Mapping[str, Any],
        place: Place,
        *,
        skip: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Keyword arguments for ``target``.

        Args:
            target: a class or function.
            table: what the case file says.
            place: where it says so.
            skip: parameters that come from elsewhere.
            also: further right names, for messages.
            defaults: option objects that a table changes in part.

        Raises:
            UsageError: with one sentence per unknown, missing or unfit key, each on its own line.
        """
        known = parameters(target)
        offered = [name for name in known if name not in skip]
        problems, out = list[str](), dict[str, Any]()
        for name, value in table.items():
            where = place.child(name)
            try:
                if name not in offered:
                    raise where.unknown(name, [*also, *offered])
                out[name] = self.value(known[name].annotation, value, where, (defaults or {}).get(name))
            except UsageError as error:
                problems.append(str(error))
        for name in offered:
            if known[name].default is inspect.Parameter.empty and name not in table:
                problems.append(str(place.child(name).missing(describe(known[name].annotation))))
        if problems:
            raise UsageError("\n".join(problems))
        return out

    def build(self, target: Callable[..., Any], table: Mapping[str, Any], place: Place, **given: Any) -> Any:
        """``target(**given, **table)``; what it refuses is told with its place."""
        arguments = self.arguments(target, table, place, skip=(*given, *BOUND.get(target, ())))
        with place.refusals():
            return target(**given, **arguments)

    def value(self, annotation: Any, value: Any, place: Place, default: Any = None) -> Any:
        """A value as an argument of the annotated type."""
        found = members(annotation)
        classes = option_classes(found)
        if classes and isinstance(value, dict):
            return self._options(classes, value, place, default)
        if classes and is_reference(value) and not _takes_functions(found):
            return self._own(classes, value, place)
        kinds = [snake_case(c) for c in classes] if len(classes) > 1 else []
        if isinstance(value, str) and not is_reference(value) and nearest(value, kinds):
            return self._options(classes, {"kind": value}, place, default)
        several = _several(found)
        if several and (isinstance(value, dict) or _tables(value)):
            tables = [value] if isinstance(value, dict) else value
            return tuple(self._options(several, part, place.child(k), None, True) for k, part in enumerate(tables))
        if are_bodies(classes) and _tables(value):
            parts = [self._options(classes, part, place.child(k), None) for k, part in enumerate(value)]
            with place.refusals():
                return functools.reduce(operator.or_, parts)
        for member in found:
            out = self._try(member, value, place, _profiles(found))
            if out is not NO_VALUE:
                return out
        raise place.wrong(describe(annotation), value)

    def _try(self, member: Any, value: Any, place: Place, profiles: Mapping[str, type]) -> Any:
        """The value read as one member of a union, or ``NO_VALUE``."""
        origin = get_origin(member) or member
        if member is type(None):
            return None if value == NONE else NO_VALUE
        if member is torch.dtype:
            return DTYPES.get(value, NO_VALUE) if isinstance(value, str) else NO_VALUE
        if origin is Literal:
            return value if value in get_args(member) else NO_VALUE
        if origin in LISTS:
            return self._list(member, value, place)
        if origin is collections.abc.Mapping:
            return self._table(member, value, place)
        if origin is collections.abc.Callable:
            return self._function(member, value, place, profiles)
        if member is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if math.isfinite(value) else NO_VALUE
        if member in SCALARS:
            return value if type(value) is member else NO_VALUE
        return NO_VALUE if isinstance(member, type) and member is not object else value

    def _list(self, member: Any, value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            return NO_VALUE
        inner = [a for a in get_args(member) if a is not Ellipsis] or [Any]
        if get_origin(member) is tuple and Ellipsis not in get_args(member) and len(inner) != len(value):
            return NO_VALUE
        kinds = inner * len(value) if len(inner) == 1 else inner
        items = [self._try(m, item, place, PROFILES) for m, item in zip(kinds, value, strict=True)]
        return NO_VALUE if any(item is NO_VALUE for item in items) else tuple(items)

    def _table(self, member: Any, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            return NO_VALUE
        kind = get_args(member)[1]
        return {name: self.value(kind, item, place.child(name)) for name, item in value.items()}

    def _function(self, member: Any, value: Any, place: Place, profiles: Mapping[str, type]) -> Any:
        if is_reference(value):
            thing = load_object(value, self.base, place)
            thing = thing() if inspect.isclass(thing) else thing
            if not callable(thing):
                raise UsageError(place.says(f"expected a function; {value} is {describe_object(thing)}."))
            return thing
        named = _named_functions(member, profiles)
        if named is PROFILES and _numbers(value):
            return Constant(tuple(map(float, value if isinstance(value, list) else [value])))
        if not named or not isinstance(value, dict) or len(value) != 1:
            return NO_VALUE
        ((name, options),) = value.items()
        if not isinstance(options, dict):
            raise place.child(name).wrong("a table of its parameters", options)
        if name not in named:
            raise place.child(name).unknown(name, named)
        return self.build(named[name], options, place.child(name))

    def _own(self, classes: list[Any], value: str, place: Place) -> Any:
        """An object of a user's own class, which has a base in common with those that are offered."""
        thing = load_object(value, self.base, place)
        with place.refusals():
            thing = thing() if inspect.isclass(thing) else thing
        shared = set.intersection(*(set(c.__mro__) for c in classes)) - {object, ABC}
        if not isinstance(thing, tuple(shared | set(classes))):
            names = " or ".join(sorted(c.__name__ for c in shared or classes))
            raise UsageError(place.says(f"expected a {names}; {value} is {describe_object(thing)}."))
        return thing

    def _options(
        self, classes: list[Any], table: dict[str, Any], place: Place, default: Any, guess: bool = False
    ) -> Any:
        """An option object; ``kind`` chooses among several, and a table changes the default in part."""
        if "kind" not in table and (default is not None or len(classes) == 1):
            chosen: Any = classes[0] if default is None else type(default)
        else:
            chosen = kind_of(classes, table, place, guess)
        arguments = self.arguments(chosen, {k: v for k, v in table.items() if k != "kind"}, place)
        with place.refusals():
            return replace(default, **arguments) if isinstance(default, chosen) else chosen(**arguments)


def _several(found: list[Any]) -> list[Any]:
    """The classes of a union's list of tables; none where there is no such list."""
    inner = [members(a) for m in found if (get_origin(m) or m) in LISTS for a in get_args(m) if a is not Ellipsis]
    return option_classes([member for part in inner for member in part])


def _takes_functions(found: list[Any]) -> bool:
    return any((get_origin(member) or member) is collections.abc.Callable for member in found)


def _numbers(value: Any) -> bool:
    """Whether it is a finite number, or a list of them."""
    parts = value if isinstance(value, list) and value else [value]
    return all(isinstance(p, int | float) and not isinstance(p, bool) and math.isfinite(p) for p in parts)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) for part in value)


def _profiles(members: list[Any]) -> Mapping[str, type]:
    """The shipped functions of x that one of a union may be: where a list of numbers, a vector, may stand too, those
    that the union names."""
    if any((get_origin(m) or m) in LISTS for m in members):
        return {name: kind for name, kind in COEFFICIENTS.items() if kind in members}
    return COEFFICIENTS if float in members else PROFILES


def _named_functions(member: Any, profiles: Mapping[str, type]) -> Mapping[str, type]:
    """The shipped functions that fit a callable: those of x alone, none for (t, x)."""
    arguments = (get_args(member) or ([...],))[0]
    return {} if isinstance(arguments, list) and len(arguments) > 1 else profiles


def describe(annotation: Any) -> str:
    """What a parameter takes, in words."""
    found = members(annotation)
    bodies, several = option_classes(found), _several(found)
    if several:
        return f"a table, or a list of tables, of its options (kind: {', '.join(map(snake_case, several))})"
    if are_bodies(bodies):
        kinds = ", ".join(map(snake_case, bodies))
        return f'a table {{kind = "…", …}} of a body ({kinds}), a list of such tables or {NONE!r}'
    found = [m for m in found if not inspect.isclass(m) or not inspect.isabstract(m)] or [bodies[0]]
    words = dict.fromkeys(_describe(m, _profiles(found)) for m in found if not is_coefficient(m))
    kinds = f" (kind: {', '.join(map(snake_case, bodies))})" if len(bodies) > 1 else ""
    return " or ".join(words).replace(OPTIONS, OPTIONS + kinds, 1)


def _describe(member: Any, profiles: Mapping[str, type]) -> str:
    origin = get_origin(member) or member
    if member is type(None):
        return f"'{NONE}'"
    if member is torch.dtype:
        return " or ".join(map(repr, DTYPES))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, get_args(member)))
    if origin in LISTS:
        inner = next((a for a in get_args(member) if a is not Ellipsis), Any)
        return "a list of " + {float: "numbers", int: "whole numbers", str: "strings"}.get(inner, "values")
    if origin is collections.abc.Mapping:
        return f"a table of {SCALARS[get_args(member)[1]].removeprefix('a ')}s by their names"
    if origin is collections.abc.Callable:
        offered = _named_functions(member, profiles)
        named = ["a number or a list of numbers"] * (offered is PROFILES)
        named += [f"{{{name} = {{…}}}}" for name in offered]
        return " or ".join([*named, '"file.py:function"'])
    if is_dataclass(member):
        return OPTIONS
    return SCALARS.get(member, "a value")
