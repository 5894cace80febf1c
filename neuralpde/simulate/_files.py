"""Solutions to and from HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuralpde.integrators import State, StepInfo
from neuralpde.io import load_arrays, save_arrays
from neuralpde.problems import Problem
from neuralpde.representations import REPRESENTATIONS
from neuralpde.simulate._energies import energies_from, energy_arrays
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.simulate._solution import Solution
from neuralpde.types import DataError, Status


def _host(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def save_solution(solution: Solution, path: str | Path, case: dict[str, Any] | None = None) -> Path:
    """Write a solution with everything that a restart or a picture needs."""
    infos = solution.infos
    arrays = {
        "times": solution.times.numpy(),
        "states": _host(solution.states),
        "last_theta": _host(solution.last.theta),
        "step_residual": np.array([i.residual for i in infos]),
        "step_iterations": np.array([i.iterations for i in infos], dtype=np.int64),
    }
    for k, (_, theta) in enumerate(solution.last.history):
        arrays[f"history_theta_{k}"] = _host(theta)
    arrays |= energy_arrays(solution.energies)
    metadata = {
        "problem": solution.problem.name,
        "data": problem_data(solution.problem),
        "representation": solution.representation.config(),
        "num_dofs": solution.representation.num_dofs,
        "last_t": solution.last.t,
        "history_t": [t for t, _ in solution.last.history],
        "status": solution.status.name,
        "failed_steps": {str(k): info.status.name for k, info in enumerate(infos) if not info.status.ok},
        "setup_seconds": solution.setup_seconds,
        "solve_seconds": solution.solve_seconds,
        "fit_error": solution.fit_error,
        "recipe": solution.recipe,
        "case": case,
    }
    return save_arrays(path, arrays, metadata)


def load_solution(path: str | Path, problem: Problem) -> Solution:
    """Read a solution of ``problem``; the representation is rebuilt from the file.

    Raises:
        DataError: if the file is damaged, or belongs to another problem.
    """
    arrays, meta = load_arrays(path)
    if meta["problem"] != problem.name:
        raise DataError(f"{path} holds a solution of {meta['problem']}, not of {problem.name}.")
    difference = first_difference(meta["data"], problem_data(problem))
    if difference is not None:
        name, held, asked = difference
        changed = "; the mesh has changed since, or another one has its name" if name.startswith("mesh") else ""
        raise DataError(f"{path} holds {problem.name} with {name} = {held}, not {asked}{changed}.")
    config = dict(meta["representation"])
    kind = REPRESENTATIONS[config.pop("kind")]
    config["dtype"] = getattr(torch, config["dtype"])
    representation = kind.for_problem(problem, **config)
    if representation.num_dofs != meta["num_dofs"]:
        raise DataError(f"{path} has {meta['num_dofs']} dofs but its representation has {representation.num_dofs}.")
    history = [(t, torch.as_tensor(arrays[f"history_theta_{k}"])) for k, t in enumerate(meta["history_t"])]
    residuals, iterations = arrays["step_residual"], arrays["step_iterations"]
    failed = meta.get("failed_steps", {})  # older files do not say
    infos = [
        StepInfo(Status[failed.get(str(k), "COMPLETED")], float(r), int(n))
        for k, (r, n) in enumerate(zip(residuals, iterations, strict=True))
    ]
    return Solution(
        problem,
        representation,
        torch.as_tensor(arrays["times"]),
        torch.as_tensor(arrays["states"]),
        tuple(infos),
        State(meta["last_t"], torch.as_tensor(arrays["last_theta"]), tuple(history)),
        Status[meta["status"]],
        meta["setup_seconds"],
        meta["solve_seconds"],
        meta["fit_error"],
        meta["recipe"],
        energies=energies_from(arrays),
    )
