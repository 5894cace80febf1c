"""Write docs/support.md from the tables that drive the tests: `make support`."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from tables import FAMILIES, SUPPORT_REPRESENTATIONS, support_table  # noqa: E402

HEAD = """# What works with what

Made by `make support` from `tests/tables.py`; `tests/dynamics` runs every combination, and checks the sentence of every
one that is refused. E: explicit (Euler, midpoint, Heun, RK4) · I: implicit (implicit Euler, implicit midpoint,
SDIRK4) · S: Lie splitting · =: steady, by `solve`. A number points to the sentence below.

"""


def page() -> str:
    """The page as Markdown."""
    letters = dict(zip(FAMILIES, "EIS=", strict=True))
    names = [row.name for row in SUPPORT_REPRESENTATIONS]
    cells: dict[tuple[str, str], list[str]] = {}
    notes: list[str] = []
    problems = list(dict.fromkeys(problem for problem, *_ in support_table()))
    for problem, representation, family, verdict in support_table():
        cell = cells.setdefault((problem, representation), [])
        if verdict == "works":
            cell.append(letters[family])
            continue
        if "use solve" in verdict or "use simulate" in verdict:
            continue  # not a limit: steady problems are solved, others are marched
        if verdict not in notes:
            notes.append(verdict)
        mark = f"[{notes.index(verdict) + 1}]"
        if mark not in cell:
            cell.append(mark)
    lines = ["| problem | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for problem in problems:
        row = [" ".join(sorted(cells.get((problem, name), []), key=lambda s: s[0] == "[")) or "–" for name in names]
        lines.append(f"| {problem} | " + " | ".join(row) + " |")
    lines += ["", "Refused, with a sentence that holds these words:", ""]
    lines += [f"{k}. {sentence}" for k, sentence in enumerate(notes, 1)]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    (DOCS / "support.md").write_text(page())
