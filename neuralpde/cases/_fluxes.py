"""What goes through the boundary's parts: tables in the run folder, and their last row in the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuralpde.cases._build import Study
from neuralpde.cases._outcome import Outcome
from neuralpde.io import save_table
from neuralpde.types import NeuralPDEError

FLUXES = "-fluxes.csv"
"""What the name of a run's table of fluxes ends with."""


def write_fluxes(folder: Path, study: Study, outcomes: Sequence[Outcome]) -> tuple[list[Path], list[str]]:
    """Write ``NAME-fluxes.csv`` of every run, if the case asks for it, see :func:`neuralpde.simulate.flux_table`.

    Returns:
        The files, and a sentence for the report about each run: its totals, or why it has none.
    """
    files, sentences = list[Path](), list[str]()
    for outcome in outcomes if study.case.output.fluxes else ():
        if outcome.solution is None:
            continue
        try:
            columns = outcome.solution.fluxes(**study.run(outcome.name).options)
        except NeuralPDEError as error:
            sentences.append(f"**{outcome.name}** has no table of fluxes: {error}")
            continue
        files.append(save_table(folder / f"{outcome.name}{FLUXES}", columns))
        sentences.append(totals(outcome.name, columns, study.steady))
    return files, sentences


def totals(name: str, columns: dict[str, np.ndarray], steady: bool) -> str:
    """The last row in words."""
    last = {key: float(column[-1]) for key, column in columns.items()}
    forces = {key.removeprefix("force_on_"): value for key, value in last.items() if key.startswith("force_on_")}
    if forces:
        return _forces(name, forces, "" if steady else f" at t = {last['t']:g}")
    parts = [f"{key.removeprefix('flux_')} {value:.6g}" for key, value in last.items() if key.startswith("flux_")]
    rest = [f"{key.replace('_', ' of ')} {value:.6g}" for key, value in last.items() if key.startswith(("sou", "sto"))]
    when = "" if steady else f" at t = {last['t']:g}"
    return f"What leaves **{name}** through its boundary{when}: {', '.join(parts)}; {', '.join(rest)}."


def _forces(name: str, forces: dict[str, float], when: str) -> str:
    """The forces on the parts of the boundary in words, those that are rounding left out."""
    parts = dict.fromkeys(key.rpartition("_")[0] for key in forces)
    vectors = {part: [value for key, value in forces.items() if key.rpartition("_")[0] == part] for part in parts}
    size = max((abs(value) for vector in vectors.values() for value in vector), default=0.0)
    plain = {part: [value if abs(value) > 1e-9 * size else 0.0 for value in vector] for part, vector in vectors.items()}
    told = [f"{part} ({', '.join(f'{v:.6g}' for v in vector)})" for part, vector in plain.items() if any(vector)]
    unit = "N" if len(next(iter(vectors.values()))) == 3 else "N per metre of thickness"
    return f"Forces of **{name}** on what holds it or pulls at it{when}, in {unit}: {', '.join(told) or 'none'}."
