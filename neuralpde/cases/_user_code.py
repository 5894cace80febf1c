"""Classes and functions from a user's own Python file, named ``"file.py:Name"`` in a case file."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from neuralpde.cases._mistakes import Place

_LOADED: dict[Path, ModuleType] = {}
"""Modules by file, so that two names from one file share one module."""


def is_reference(text: Any) -> bool:
    """Whether a string names something in a Python file."""
    return isinstance(text, str) and text.rpartition(":")[0].endswith(".py")


def split_reference(text: str, base: Path) -> tuple[Path, str]:
    """File and name; the file is relative to ``base``."""
    file, _, name = text.rpartition(":")
    return (base / file).resolve(), name


def load_object(text: str, base: Path, place: Place) -> Any:
    """What ``"file.py:Name"`` names.

    Args:
        text: the reference.
        base: folder that the file is relative to.
        place: where the case file says so.

    Raises:
        UsageError: if there is no such file, or no such name in it.
        Exception: whatever the file raises when it is run; :func:`blame` turns it into a sentence.
    """
    path, name = split_reference(text, base)
    if not path.is_file():
        raise place.wrong(f"a Python file; there is no {path}", text)
    module = _load(path)
    if not hasattr(module, name):
        own = [k for k, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
        raise place.unknown(name, own)
    return getattr(module, name)


def _load(path: Path) -> ModuleType:
    if path in _LOADED:
        return _LOADED[path]
    name = f"_neuralpde_case_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up in sys.modules while the file runs; its neighbours may be imported by it.
    sys.modules[name] = _LOADED[path] = module
    sys.path.insert(0, str(path.parent))
    complete = False
    try:
        spec.loader.exec_module(module)
        complete = True
    finally:
        sys.path.remove(str(path.parent))
        if not complete:
            del sys.modules[name]
    return module


def describe_object(thing: Any) -> str:
    """A few words on what was found instead."""
    return f"the class {thing.__name__}" if inspect.isclass(thing) else f"a value of type {type(thing).__name__}"


def blame(error: BaseException) -> str | None:
    """The sentence of an exception that a user's own file caused, with file and line; None if none did."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) in _LOADED:
        return f"{error.filename}, line {error.lineno}: {error.msg}."
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) in _LOADED]
    if not frames:
        return None
    last = frames[-1]
    inside = f", in {last.name}" if last.name != "<module>" else ""
    return f"{last.filename}, line {last.lineno}{inside}: {type(error).__name__}: {' '.join(str(error).split())}"
