"""Pictures of a study: of its run folder as it is made, and of saved runs later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from neuralpde.cases._build import Study
from neuralpde.cases._mistakes import Place
from neuralpde.cases._open import open_runs
from neuralpde.cases._outcome import Outcome
from neuralpde.geometry import MeshDomain
from neuralpde.simulate import chosen_quantity, compare


def pictures(folder: Path, study: Study, outcomes: Sequence[Outcome]) -> tuple[list[Path], str]:
    """Draw what the case asks for; the paths, and why there are none.

    Errors are shown against the reference, if it is complete. The run of the table ``[reference]`` is not shown by
    itself, as an exact solution is not.
    """
    output, quantity = study.case.output, study.case.output.quantity
    solved = {o.name: o.solution for o in outcomes if o.solution is not None}
    reference = solved.get(study.reference or "")
    if reference is not None and not reference.status.ok:
        reference = None
    if study.reference_run is not None:
        solved.pop(study.reference_run.name, None)
    if not solved or not (output.plot or output.animate):
        return [], ""
    if study.problem.domain.dim > 2 and not isinstance(study.problem.domain, MeshDomain):
        return [], "no pictures: they show fields on boxes in 1 or 2 dimensions; `export = true` is for ParaView"
    drawn, large = [], output.magnification
    if output.plot:
        for name, s in solved.items():
            drawn.append(s.plot(folder / f"{name}.png", name, quantity, None if s is reference else reference, large))
            if output.energies and s.energies is not None and len(s.energies.times) > 2:
                drawn.append(s.plot_energies(folder / f"{name}-energies.png", name))
        if len(solved) > 1:
            drawn.append(compare(solved, folder / "comparison.png", quantity, reference, large))
    if output.animate and max(len(s.times) for s in solved.values()) > 1:
        drawn.append(compare(solved, folder / "comparison.gif", quantity, reference, large))
    return drawn, ""


def draw_saved(path: Path, out: Path | None, quantity: str | None, magnification: float | None = None) -> Path:
    """Draw a run file, or the runs of a folder side by side, with errors against their reference.

    Args:
        path: the file or folder.
        out: of the picture; by default beside the file, or ``comparison.png`` in the folder, with the quantity's name
            where one is asked for.
        quantity: what is shown; by default what the case shows.
        magnification: times what displacements are drawn.

    Raises:
        UsageError: for a quantity that the problem does not have.
        DataError: if there is no such run, or it is damaged.
    """
    saved = open_runs(path)
    (name, solution), *_ = saved.solutions.items()
    if quantity is not None:
        with Place(f"--quantity {quantity}").refusals():
            chosen_quantity(solution.problem, quantity)
    ending = "" if quantity is None else "-" + re.sub(r"\W+", "_", quantity)
    shown, reference = quantity or saved.quantity, saved.reference
    if path.is_dir():
        return compare(saved.solutions, out or path / f"comparison{ending}.png", shown, reference, magnification)
    target = out or path.with_name(f"{path.stem}{ending}.png")
    draw = solution.animate if target.suffix.lower() == ".gif" else solution.plot
    return draw(target, name, quantity=shown, reference=reference, magnification=magnification)
