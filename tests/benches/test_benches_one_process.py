"""Rows of a bench that runs in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from neuralpde.benches._one_process import in_a_process
from neuralpde.benches._rows import Row
from neuralpde.types import UsageError


def of_that_process(quick: bool) -> Iterator[Row]:
    yield Row("process", "other", "id", float(os.getpid()))
    yield Row("process", "other", "threads", float(os.environ["OMP_NUM_THREADS"]))
    if not quick:
        raise UsageError("it is not quick.")


def one_that_dies(quick: bool) -> Iterator[Row]:
    yield Row("process", "other", "id", float(os.getpid()))
    os._exit(3)


def test_rows_come_from_another_process_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    number, threads = in_a_process(of_that_process, quick=True)
    assert number.value != os.getpid() and threads.value == 1
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_what_went_wrong_there_is_raised_here() -> None:
    rows = in_a_process(of_that_process, quick=False)
    assert [next(rows).metric, next(rows).metric] == ["id", "threads"]
    with pytest.raises(UsageError, match="it is not quick"):
        next(rows)


def test_a_process_that_dies_is_told() -> None:
    rows = in_a_process(one_that_dies, quick=True)
    next(rows)
    with pytest.raises(RuntimeError, match="ended with code 3"):
        next(rows)
