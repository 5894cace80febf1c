"""Reads mesh files with meshio, in a process of its own: a script, not a module of the package.

meshio leaves the interpreter on some damaged files, loops for ever on others, and asks for any amount of memory. Here
that hurts nobody. Lines of JSON come in, ``{"file", "out", "memory", "seconds"}``; for each the process forks, the
child reads the file and writes its arrays to ``out`` (npz), and a line ``{"ok", "error", "names"}`` goes out.
"""

import json
import os
import re
import select
import signal
import sys
import tempfile
import time
from typing import TextIO

import meshio
import numpy as np

SHOWN = 300
"""Letters of a message."""


def read(file: str, out: str) -> dict:
    """Arrays of a mesh file into an npz file; returns what names there are."""
    mesh = meshio.read(file)
    arrays: dict = {"points": np.asarray(mesh.points, dtype=float)}
    blocks = []
    for number, block in enumerate(mesh.cells):
        arrays[f"cells_{number}"] = np.asarray(block.data, dtype=np.int64)
        blocks.append(block.type)
        for key, data in mesh.cell_data.items():
            values = np.asarray(data[number])
            if values.ndim == 1 and values.dtype.kind in "iu":
                arrays[f"data_{number}_{key}"] = values.astype(np.int64)
    sets: dict = {}
    for name, members in (mesh.cell_sets or {}).items():
        sets[name] = []
        for number, chosen in enumerate(members):
            if chosen is not None and len(chosen):
                arrays[f"set_{number}_{len(sets) - 1}"] = np.asarray(chosen, dtype=np.int64)
                sets[name].append(number)
    names = [[str(k), *map(int, value)] for k, value in (mesh.field_data or {}).items() if len(value) == 2]
    names += gmsh_names(file)
    families = {int(k): [str(n) for n in v] for k, v in (getattr(mesh, "cell_tags", None) or {}).items()}
    points = point_sets(mesh)
    arrays |= {f"points_{number}": ids for number, ids in enumerate(points.values())}
    np.savez(out, **arrays)
    return {"blocks": blocks, "names": names, "families": families, "sets": sets, "point_sets": list(points)}


def point_sets(mesh: meshio.Mesh) -> dict:
    """Numbers of points by the names of sets of them, of Abaqus and others, or of families, of MED."""
    found = {str(name): np.asarray(ids, dtype=np.int64) for name, ids in (mesh.point_sets or {}).items()}
    families = np.asarray((mesh.point_data or {}).get("point_tags", ()))
    for number, names in (getattr(mesh, "point_tags", None) or {}).items():
        for name in names:
            before = found.get(str(name), np.zeros(0, dtype=np.int64))
            found[str(name)] = np.union1d(before, np.flatnonzero(families == number))
    return found


def gmsh_names(file: str) -> list:
    """(name, number, dimension) of a gmsh file's physical groups: meshio keeps one of each name, and a part of the
    domain may have the name of one of the boundary."""
    if not file.lower().endswith(".msh"):
        return []
    with open(file, "rb") as content:
        section = re.search(rb"\$PhysicalNames\s(.*?)\$EndPhysicalNames", content.read(), flags=re.S)
    lines = section[1].decode(errors="replace").splitlines() if section else []
    found = [re.fullmatch(r'\s*(\d+)\s+(\d+)\s+"(.*)"\s*', line) for line in lines]
    return [[line[3], int(line[2]), int(line[1])] for line in found if line]


def take_all_groups() -> None:
    """Read gmsh files in which some entities have a physical group and others have none, as gmsh saves them where it is
    asked for all; meshio knows all or none. Number 0 is no group."""
    from meshio.gmsh import _gmsh41

    plain = _gmsh41._read_elements

    def read_elements(f: object, point_tags: object, physical_tags: tuple | None, *rest: object) -> object:
        for groups in physical_tags or ():
            for entity, numbers in groups.items():
                groups[entity] = numbers or [0]
        return plain(f, point_tags, physical_tags, *rest)

    _gmsh41._read_elements = read_elements


def child(task: dict) -> None:
    """Read one file, say how it went on the pipe that is stdout, and leave at once."""
    answer: dict
    os.dup2(task["said"], 1)  # meshio prints what is wrong, and leaves
    os.dup2(task["said"], 2)
    try:
        if task.get("memory"):
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
        answer = {"ok": True, **read(task["file"], task["out"])}
    except MemoryError:
        answer = {"ok": False, "error": "it asks for more memory than a mesh of this size can need"}
    except SystemExit:
        answer = {"ok": False, "error": printed(task["said"]) or "meshio gave up"}
    except BaseException as error:
        said = " ".join(str(error).split())[:SHOWN]
        answer = {"ok": False, "error": f"{type(error).__name__}: {said}" if said else type(error).__name__}
    os.write(task["pipe"], json.dumps(answer).encode())
    os._exit(0)


def printed(file: int) -> str:
    """What was printed into a file, in one line."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.lseek(file, 0, os.SEEK_SET)
    return " ".join(os.read(file, 1 << 16).decode(errors="replace").split())[:SHOWN]


def serve(answers: TextIO) -> None:
    """Answer tasks until stdin ends."""
    for line in sys.stdin:
        task = json.loads(line)
        back, task["pipe"] = os.pipe()
        with tempfile.TemporaryFile() as said:
            task["said"] = said.fileno()
            pid = os.fork()
            if pid == 0:
                os.close(back)
                child(task)
            os.close(task["pipe"])
            answer = await_child(pid, back, task["seconds"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def await_child(pid: int, back: int, seconds: float) -> dict:
    """The child's answer; it is killed where it takes too long."""
    end, said = time.monotonic() + seconds, b""
    while True:
        left = end - time.monotonic()
        ready = select.select([back], [], [], max(left, 0))[0]
        part = os.read(back, 1 << 16) if ready else b""
        said += part
        if ready and part:
            continue
        if not ready:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(back)
        if not ready:
            return {"ok": False, "error": f"reading it took longer than {seconds:g} s"}
        return json.loads(said) if said else {"ok": False, "error": "the reader crashed"}


if __name__ == "__main__":
    # what meshio prints must not mix with our answers
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        take_all_groups()
        serve(out)
