"""How every file is written: beside its place, flushed, renamed over it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, flushed and renamed over it when the block ends well, removed when it does not.

    Makes the folder if there is none, and clears away what killed writers left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # a folder that may not be listed, or another writer was quicker: no reason not to write
        for left in _leftovers(path):
            left.unlink(missing_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        with open(temporary, "rb+") as raw:
            os.fsync(raw.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _machine() -> str:
    """This machine in eight letters: process ids mean nothing on another one that writes to the same disk."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _temporary(path: Path) -> Path:
    """A new name beside ``path`` that tells who writes; not mkstemp, whose files only their owner may read, also after
    the rename."""
    return path.with_name(f".{path.name}.{_machine()}.{os.getpid()}.{uuid.uuid4().hex}.part")


def _process_is_gone(pid: int) -> bool:
    if os.name != "posix":
        return False  # elsewhere signal 0 is no question: it ends the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # somebody else's process; a number that no process has
    return False


def _leftovers(path: Path) -> Iterator[Path]:
    """Half-written files of this path whose process was killed; a save that may still be going on is not one."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.{_machine()}\.(\d+)\.[0-9a-f]{{32}}\.part")
    for name in os.listdir(path.parent):
        found = pattern.fullmatch(name)
        if found and _process_is_gone(int(found[1])):
            yield path.with_name(name)


def _flush_folder(folder: Path) -> None:
    """Bring a rename to the disk. Where folders cannot be flushed (Windows, some network disks), the file is whole
    anyway, and only a power cut in the next seconds could bring the old one back."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
