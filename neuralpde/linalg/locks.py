"""A lock that objects can hold and still be copied."""

from __future__ import annotations

import threading
from typing import Any


class Lock:
    """One thread at a time; the thread that holds it may take it again. A copy of it is a new one, which nobody holds.

    Example:
        >>> lock = Lock()
        >>> with lock, lock:
        ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return Lock, ()
