"""Write docs/support.md from the tables that drive the tests: `make support`."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from mesh_support import MESH_FAMILIES, mesh_support_table  # noqa: E402
from tables import (  # noqa: E402
    FAMILIES,
    FLOW_FAMILIES,
    FLOW_REPRESENTATIONS,
    SUPPORT_REPRESENTATIONS,
    flow_support_table,
    support_table,
)

HEAD = """# What works with what

Made by `make support` from `tests/tables.py`; `tests/dynamics` runs every combination, and checks the sentence of every
one that is refused. E: explicit (Euler, midpoint, Heun, RK4) · I: implicit (implicit Euler, implicit midpoint,
SDIRK4) · S: Lie splitting · =: steady, by `solve`. A number points to the sentence below.

"""


MESH_HEAD = """
## On meshes

Finite elements of degree 1 and 2 solve every problem that states a flux or an energy; `tests/mesh_support.py` has the
rows. B: BDF2 · N: Newmark. A neural field on a mesh serves the same problems, see [meshes](meshes.md) and
[elastic bodies](elasticity.md).

"""


FLOWS_HEAD = """
## Incompressible flow

Flows live on representations that keep a velocity free of divergence; a `GridField` and a `NeuralField` refuse them,
and these refuse every other problem. E, I, S, = as above · R: `AdvectionReflection` · P:
`IncrementalPressureCorrection`.

"""

Verdicts = list[tuple[str, str, str, str]]


def table(verdicts: Verdicts, names: list[str], families: tuple[str, ...], letters: str) -> str:
    """Problems × representations as Markdown, with the sentences of what is refused below."""
    letter = dict(zip(families, letters, strict=True))
    cells: dict[tuple[str, str], list[str]] = {}
    notes: list[str] = []
    for problem, representation, family, verdict in verdicts:
        cell = cells.setdefault((problem, representation), [])
        if verdict == "works":
            cell.append(letter[family])
            continue
        if "use solve" in verdict or "use simulate" in verdict:
            continue  # not a limit: steady problems are solved, others are marched
        if verdict not in notes:
            notes.append(verdict)
        mark = f"[{notes.index(verdict) + 1}]"
        if mark not in cell:
            cell.append(mark)
    lines = ["| problem | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for problem in dict.fromkeys(problem for problem, *_ in verdicts):
        row = [" ".join(sorted(cells.get((problem, name), []), key=lambda s: s[0] == "[")) or "–" for name in names]
        lines.append(f"| {problem} | " + " | ".join(row) + " |")
    lines += ["", "Refused, with a sentence that holds these words:", ""]
    lines += [f"{k}. {sentence}" for k, sentence in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as Markdown."""
    plain = table(support_table(), [row.name for row in SUPPORT_REPRESENTATIONS], FAMILIES, "EIS=")
    flows = table(flow_support_table(), [row.name for row in FLOW_REPRESENTATIONS], FLOW_FAMILIES, "EISRP=")
    meshes = table(mesh_support_table(), ["finite elements"], tuple(MESH_FAMILIES), "".join(MESH_FAMILIES))
    return HEAD + plain + MESH_HEAD + meshes + FLOWS_HEAD + flows


if __name__ == "__main__":
    (DOCS / "support.md").write_text(page())
