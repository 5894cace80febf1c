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
    parts = [f"{key.removeprefix('flux_')} {value:.6g}" for key, value in last.items() if key.startswith("flux_")]
    rest = [f"{key.replace('_', ' of ')} {value:.6g}" for key, value in last.items() if key.startswith(("sou", "sto"))]
    when = "" if steady else f" at t = {last['t']:g}"
    return f"What leaves **{name}** through its boundary{when}: {', '.join(parts)}; {', '.join(rest)}."
