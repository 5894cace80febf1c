"""Case files as documents: reading TOML, applying ``--set``, and writing TOML again."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuralpde.cases._mistakes import nearest, shown, unknown_name
from neuralpde.types import DataError, UsageError

Document = dict[str, Any]

BARE = re.compile(r"[A-Za-z_./][\w./:+-]*")
"""What counts as a string without quotes after ``--set key=``; a shell eats the quotes that TOML asks for."""


def read_document(path: str | Path) -> Document:
    """Parse a case file.

    Raises:
        UsageError: if it is not TOML; names the line.
        DataError: if there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: expected a case file; got a folder.")
    if not path.exists():
        raise DataError(f"{path}: expected a case file; there is none of that name{_beside(path)}")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = f"line {where[1]}" if where and where[1] else "end of the file"
        message = str(error)[: where.start()] if where else str(error)
        raise UsageError(f"{path}: {line}: expected TOML; {message[:1].lower()}{message[1:]}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8; got byte {error.object[error.start]:#04x}.") from None
    if not document:
        raise UsageError(f"{path}: expected a table [problem] and one or more tables [[run]]; the file is empty.")
    return document


def _beside(path: Path) -> str:
    """The case file that was probably meant, as the end of a sentence."""
    beside = sorted(path.parent.glob("*.toml")) if path.parent.is_dir() else []
    # without the endings, which all have: two names are not alike because both end in .toml
    known = {file.stem: file for file in beside}
    meant = nearest(path.stem, known)
    return f"; did you mean {known[meant]}?" if meant is not None else "."


def normalise(document: Document) -> Document:
    """The long form of what may be written short: ``problem = "file.py:Class"``."""
    problem = document.get("problem")
    return {**document, "problem": {"name": problem}} if isinstance(problem, str) else document


def apply_settings(document: Document, settings: Sequence[str]) -> Document:
    """A copy of the document with ``key=value`` settings applied, keys dotted: ``run.neural.dt=0.1``."""
    document = json.loads(json.dumps(document, default=str)) if settings else document
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting}: expected key=value, such as time.dt=0.01.")
        _put(document, key.strip().split("."), _value(setting, text.strip()), setting)
    return document


def _value(setting: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if BARE.fullmatch(text):
            return text
        raise UsageError(f"--set {setting}: expected a TOML value after the =; got {shown(text)}.") from None


def _put(document: Document, keys: list[str], value: Any, setting: str) -> None:
    table: Any = document
    for k, key in enumerate(keys[:-1]):
        inner = table.setdefault(key, {})
        if key == "run" and k == 0 and isinstance(inner, list):
            inner = {run.get("name", ""): run for run in inner if isinstance(run, dict)}
            if keys[1] not in inner:
                raise UsageError(f"--set {setting}: {unknown_name(keys[1], list(inner), quoted=True)}")
        elif not isinstance(inner, dict):
            raise UsageError(f"--set {setting}: expected a table at {'.'.join(keys[: k + 1])}; got {shown(inner)}.")
        table = inner
    if table is not document and keys[0] == "run" and len(keys) == 2:
        raise UsageError(f"--set {setting}: expected a key of the run, such as {'.'.join(keys)}.dt=0.01.")
    table[keys[-1]] = value


def dump_document(document: Document) -> str:
    """The document as TOML: top-level values, then tables, inner tables inline."""
    plain = {k: v for k, v in document.items() if not isinstance(v, dict) and not _tables(v)}
    lines = [f"{_key(k)} = {_inline(v)}" for k, v in plain.items()]
    for name, value in document.items():
        for table in [value] if isinstance(value, dict) else value if _tables(value) else []:
            lines += ["", f"[{_key(name)}]" if isinstance(value, dict) else f"[[{_key(name)}]]"]
            lines += [f"{_key(k)} = {_inline(v)}" for k, v in table.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
