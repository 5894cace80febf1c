"""Mistakes in a case file as sentences: where, what was expected, what came, the nearest right name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from neuralpde.types import UsageError

T = TypeVar("T")

MOST_SHOWN = 60


def shown(value: Any) -> str:
    """A value as a short text, in TOML's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return "a list of tables"
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 2] + " …"


def _is_endless(value: Any) -> bool:
    """Whether a value is inf or nan, which TOML counts among the numbers, or a list with one of them."""
    if isinstance(value, list):
        return any(_is_endless(item) for item in value)
    return isinstance(value, float) and not math.isfinite(value)


def nearest(name: str, names: Collection[str]) -> str | None:
    """The name that was probably meant, or None."""
    close = difflib.get_close_matches(name.lower(), names, 1, 0.6)
    return close[0] if close else None


@dataclass(frozen=True)
class Place:
    """A key of a case file, for messages.

    Args:
        file: the case file, as the user named it.
        key: dotted key, empty for the file itself.
    """

    file: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.key}" if self.key else self.file

    def child(self, key: str | int) -> Place:
        """A key inside this one; numbers count from 1."""
        if isinstance(key, int):
            return Place(self.file, f"{self.key}[{key + 1}]")
        return Place(self.file, f"{self.key}.{key}" if self.key else key)

    def says(self, sentence: str) -> str:
        """A sentence about this place."""
        return f"{self}: {sentence}"

    def wrong(self, expected: str, value: Any) -> UsageError:
        """The mistake of a value that is not what was expected."""
        if _is_endless(value):
            expected = expected.replace("number", "finite number", 1)
        return UsageError(self.says(f"expected {expected}; got {shown(value)}."))

    def missing(self, expected: str) -> UsageError:
        """The mistake of a key that is not there."""
        return UsageError(self.says(f"expected {expected}; it is missing."))

    def missing_kind(self, example: str, kinds: Collection[str]) -> UsageError:
        """The mistake of a table that may be of several kinds and does not say which."""
        key = self.key.rpartition(".")[2]
        names = f"one of {', '.join(kinds)}"
        return UsageError(self.child("kind").says(f"expected {names}; it is missing: {key} = {{{example}}}."))

    def unknown(self, name: str, names: Collection[str]) -> UsageError:
        """The mistake of a name that is none of ``names``."""
        return UsageError(self.says(unknown_name(name, names)))

    def choose(self, name: str, table: Mapping[str, T]) -> T:
        """The entry of a table; its names are what was expected."""
        if name not in table:
            raise UsageError(self.says(unknown_name(name, table.keys(), quoted=True)))
        return table[name]

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Put this place before the sentence of whatever refuses inside."""
        try:
            yield
        except UsageError as error:
            message = str(error)
            if message.startswith(self.file):
                raise
            raise UsageError(self.says(message), error.result) from error


def unknown_name(name: str, names: Collection[str], quoted: bool = False) -> str:
    """What was expected, what came, and what was probably meant."""
    show = repr if quoted else str
    expected = f"expected one of {', '.join(names)}" if names else "expected no key here"
    meant = nearest(name, names)
    return f"{expected}; got {show(name)}; did you mean {meant}?" if meant else f"{expected}; got {show(name)}."
