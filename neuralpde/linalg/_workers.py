"""Threads that wait for slabs of work and take them over within microseconds.

A thread that sleeps takes 30 to 60 µs to wake, as long as a loop over 100,000 numbers. So a worker that has done a
slab looks out for the next one for about a fifth of a millisecond, without Python's lock, and goes to sleep after that.
While it looks it offers its core to whoever wants it (``sched_yield``), which OpenMP's threads do not.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numba
import numpy as np

_LOOKS = 500 if hasattr(os, "sched_yield") else 0
_END = 1.0  # seconds to wait for a worker when the process ends

if _LOOKS:
    _sched_yield = numba.types.ExternalFunction("sched_yield", numba.types.int32())
else:

    @numba.njit
    def _sched_yield():  # type: ignore[no-untyped-def]
        return 0


@numba.njit(nogil=True, cache=True)
def _look_out(flag, looks):  # type: ignore[no-untyped-def]
    """Return when ``flag`` is raised, or after so many looks. The call between two looks makes the next one real."""
    for _ in range(looks):
        if flag[0] != 0:
            break
        _sched_yield()


class _Worker(threading.Thread):
    """One thread with its queue. ``flag`` only says that looking there is worth while: who comes too late for it finds
    the task in the queue all the same."""

    def __init__(self) -> None:
        super().__init__(name="neuralpde", daemon=True)
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        self.flag = np.zeros(1, dtype=np.int64)

    def run(self) -> None:
        while True:
            if self.tasks.empty():
                _look_out(self.flag, _LOOKS)
            self.flag[0] = 0
            task = self.tasks.get()
            if task is None:
                return
            task.run()
            del task  # arrays of a finished task are not kept alive


class _Task:
    """A slab for a worker, and what came of it."""

    __slots__ = ("_arguments", "_error", "_finished", "_flag", "_loop", "_result")

    def __init__(self, loop: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._loop, self._arguments = loop, arguments
        self._result: Any = None
        self._error: BaseException | None = None
        self._flag = np.zeros(1, dtype=np.int64)
        self._finished = threading.Lock()
        self._finished.acquire()

    def run(self) -> None:
        try:
            self._result = self._loop(*self._arguments)
        except BaseException as error:
            self._error = error
        self._finished.release()
        self._flag[0] = 1

    def outcome(self) -> tuple[Any, BaseException | None]:
        _look_out(self._flag, _LOOKS)
        self._finished.acquire()
        return self._result, self._error


@functools.cache
def _worker(place: int) -> _Worker:
    worker = _Worker()
    worker.start()
    _running.append(worker)
    return worker


_running: list[_Worker] = []


def is_one() -> bool:
    """Whether the thread that asks is a worker: one that waits for its own queue would wait for ever."""
    return isinstance(threading.current_thread(), _Worker)


def side_by_side(loop: Callable[..., Any], slabs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Results of ``loop(*slab)``, the first slab on the thread that calls, each other one on a worker.

    Raises:
        BaseException: what a slab raised, of several the first; all have ended by then.
    """
    tasks = [_Task(loop, slab) for slab in slabs[1:]]
    for place, task in enumerate(tasks):
        worker = _worker(place)
        worker.tasks.put(task)
        worker.flag[0] = 1
    try:
        results = [loop(*slabs[0])]
    finally:
        outcomes = [task.outcome() for task in tasks]
    for result, error in outcomes:
        if error is not None:
            raise error
        results.append(result)
    return results


def _after_fork() -> None:
    """Threads do not come along into a child process: it starts its own."""
    _worker.cache_clear()
    _running.clear()


def _end() -> None:
    for worker in _running:
        worker.tasks.put(None)
    for worker in _running:
        worker.join(_END)


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
