"""Tables of numbers in CSV, which every other program reads."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neuralpde.io._write import replacing
from neuralpde.types import DataError, UsageError


def save_table(path: str | os.PathLike[str], columns: Mapping[str, Sequence[float] | np.ndarray]) -> Path:
    """Write columns of numbers below a row of names, with all their digits, whole or not at all.

    Whole numbers stay whole; NaN and Inf are written as ``nan`` and ``inf``.

    Args:
        path: the file; its folder is made if it is missing.
        columns: name → numbers, shape ``(n,)``, the same n for all.

    Returns:
        The path.

    Raises:
        UsageError: no columns, an empty name, lengths that differ, or entries that are no real numbers.

    Example:
        >>> save_table("/tmp/drag.csv", {"t": [0.0, 0.1], "drag": [5.57, 5.58]}).read_text().split()
        ['t,drag', '0.0,5.57', '0.1,5.58']
    """
    if not columns or not all(isinstance(name, str) and name.strip() for name in columns):
        raise UsageError(f"a table needs at least one column, each with a name; got {list(columns)}")
    numbers = {name: _numbers(name, column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in numbers.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"the columns have unequal lengths {lengths}: make them equal")
    target = Path(path)
    with replacing(target) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(numbers)
        # tolist() gives Python's own numbers, whose repr is the shortest text that reads back as the same number.
        table.writerows(zip(*(map(repr, column.tolist()) for column in numbers.values()), strict=True))
    return target


def load_table(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a table of numbers with a row of names, as :func:`save_table` writes it.

    Args:
        path: the file.

    Returns:
        Name → numbers, float64, shape ``(n,)``, in the order of the columns.

    Raises:
        DataError: no such file, no or doubled names, a row of another length, an entry that is no number.
    """
    source = Path(path)
    if not source.is_file():
        raise DataError(f"there is no file {source}.")
    try:
        with open(source, newline="", encoding="utf-8-sig") as file:
            rows = [(reader.line_num, row) for reader in [csv.reader(file)] for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{source} is not a CSV file: {error}.") from error
    if not rows:
        raise DataError(f"{source} is empty: a table begins with a row of names.")
    names = rows[0][1]
    if len(set(names)) < len(names):
        raise DataError(f"{source} has two columns of the same name: {names}.")
    values = np.empty((len(rows) - 1, len(names)))
    for i, (line, row) in enumerate(rows[1:]):
        if len(row) != len(names):
            raise DataError(f"{source}, line {line}: {len(row)} entries for {len(names)} columns.")
        try:
            values[i] = [float(entry) for entry in row]
        except ValueError as error:
            raise DataError(f"{source}, line {line}: {error}.") from error
    return {name: values[:, j].copy() for j, name in enumerate(names)}


def _numbers(name: str, column: Sequence[float] | np.ndarray) -> np.ndarray:
    try:
        numbers = np.asarray(column)
    except (TypeError, ValueError):  # a ragged list, a tensor on another device
        numbers = np.empty((), dtype=object)
    if numbers.size == 0 and numbers.ndim == 1:
        return numbers.astype(np.float64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "fiu":
        raise UsageError(f"column {name!r} must be a sequence of real numbers, shape (n,)")
    return numbers
