"""Files appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpde.types import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".pdf", ".svg")
FILMS = (".gif",)


def checked_path(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> Path:
    """``path`` as a Path, refused before any work is done when its suffix is not one of ``suffixes``.

    Raises:
        UsageError: unknown suffix, or the path is a folder.
    """
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {target.name!r}: the name must end in {' or '.join(suffixes)}")
    if target.is_dir():
        raise UsageError(f"cannot write {str(target)!r}: it is a folder")
    return target


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary name beside ``target`` that takes its place when the block ends well, and vanishes when it does not.

    Makes the parent folder if there is none.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}{target.suffix.lower()}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def save(figure: Figure, target: Path) -> Path:
    """Write ``figure`` to ``target`` in the format of its suffix and return ``target``."""
    with replacing(target) as temporary:
        figure.savefig(temporary, format=target.suffix.lower()[1:])
    return target
