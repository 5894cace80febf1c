"""Benches of processor time in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from neuralpde.benches._rows import Row

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Work = Callable[[bool], Iterable[Row]]
"""(quick) → rows."""


def in_a_process(work: Work, quick: bool) -> Iterator[Row]:
    """The rows, as they come, of work in a process whose linear algebra starts with one thread.

    Raises:
        Exception: what the work raised there.
        RuntimeError: where the process ended without a word.
    """
    context = multiprocessing.get_context("spawn")
    rows, sender = context.Pipe(duplex=False)
    with _started_with_one_thread():
        process = context.Process(target=_send, args=(work, quick, sender), daemon=True)
        process.start()
    sender.close()  # the other process alone holds this end now: it closes where that ends
    try:
        while isinstance(item := rows.recv(), Row):
            yield item
        if item is not None:
            raise item
    except EOFError:
        process.join()
        raise RuntimeError(f"the process of the bench ended with code {process.exitcode}.") from None
    finally:
        process.terminate()
        process.join()


@contextmanager
def _started_with_one_thread() -> Iterator[None]:
    """In here new processes start with one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _send(work: Work, quick: bool, sender: Connection) -> None:
    """Send every row as it comes, then None, or what went wrong."""
    end: Exception | None = None
    try:
        for row in work(quick):
            sender.send(row)
    except Exception as error:
        end = error
    sender.send(end)
