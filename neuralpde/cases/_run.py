"""Run a study: every run in turn, into a run folder that holds up whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from neuralpde.cases._build import Run, Study, load_study
from neuralpde.cases._document import Document
from neuralpde.cases._fluxes import write_fluxes
from neuralpde.cases._folder import make_folder, write_start
from neuralpde.cases._forces import Forces
from neuralpde.cases._open import run_files, saved_case
from neuralpde.cases._outcome import Outcome, failure
from neuralpde.cases._outputs import FORCES, write_outputs
from neuralpde.cases._pictures import pictures
from neuralpde.cases._progress import Display, Stop
from neuralpde.cases._record import Recorder, is_finished, joined, load_previous
from neuralpde.cases._report import errors, remarks, rows, write_metrics, write_report
from neuralpde.cases._schema import REFERENCE
from neuralpde.cases._table import table
from neuralpde.cases._user_code import blame
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.types import NeuralPDEError, NonFiniteError, NotConvergedError, Status, UsageError


@dataclass(frozen=True)
class StudyResult:
    """What running a case came to: the folder, and how each run ended."""

    folder: Path
    outcomes: tuple[Outcome, ...]

    @property
    def failure(self) -> Outcome | None:
        """An interruption, else the first failure, else None."""
        return failure(self.outcomes)


def run_case(
    path: str | Path,
    *,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
    restart: str | Path | None = None,
    force: bool = False,
    console: Console | None = None,
    log: Console | None = None,
) -> StudyResult:
    """Run a case file into a run folder.

    Args:
        path: the case file.
        out: the folder; by default ``runs/<case>-<time>``, or the folder of the run that is restarted.
        settings: ``key=value`` changes, keys dotted.
        restart: a run folder or one of its ``.h5`` files, to go on from.
        force: write into a folder that is not empty.
        console, log: where results and progress go (stdout and stderr).

    Returns:
        The folder and the outcomes; failures of runs are in them and are not raised, except what is raised before
        any run has done a step.

    Raises:
        UsageError: for a mistake in the case or the arguments.
        DataError: for a file that cannot be read.
    """
    console, log = console or Console(), log or Console(stderr=True)
    study = load_study(path, settings)
    previous = _previous(study, Path(restart)) if restart is not None else {}
    if restart is not None and out is None:
        folder = Path(restart) if Path(restart).is_dir() else Path(restart).parent
    else:
        folder = make_folder(Path(out) if out is not None else None, study.name, force)
    document = write_start(folder, study, Path(path), settings)
    # the reference first: what an interruption leaves of the others is then measured all the same
    wanted = [*study.all_runs[len(study.runs) :], *study.runs]
    if restart is not None and not Path(restart).is_dir():
        wanted = [run for run in wanted if run.name in previous or run is study.reference_run]
    outcomes: list[Outcome] = []
    with Stop(log) as stop:
        for run in wanted:
            if not stop.asked:
                before = previous.get(run.name)
                forces = _forces(study, run, folder, before, Path(restart) if restart is not None else None)
                attempt = _Attempt(study, run, folder, document, stop, log, forces)
                outcomes.append(attempt.outcome(before))
                error = outcomes[-1].error
                if error is not None and not any(o.solution for o in outcomes):
                    raise error  # nothing was computed that a report could keep
    names = [run.name for run in study.all_runs]
    outcomes.sort(key=lambda outcome: names.index(outcome.name))
    _conclude(folder, study, outcomes, console)
    return StudyResult(folder, tuple(outcomes))


def _previous(study: Study, restart: Path) -> dict[str, Solution]:
    """Saved runs by name, each checked against the case; with a single run comes the reference beside it."""
    out, files = {}, run_files(restart)
    beside = restart.with_name(f"{REFERENCE}.h5")
    if study.reference_run is not None and not restart.is_dir() and restart != beside and beside.is_file():
        files.append(beside)
    for file in files:
        saved = saved_case(file)
        names = [run.name for run in study.all_runs]
        if saved["run"] not in names:
            expected = f"one of the case's runs {', '.join(names)}"
            raise UsageError(f"--restart {file}: expected {expected}; got {saved['run']}.")
        out[saved["run"]] = load_previous(study, study.run(saved["run"]), file, saved["document"])
    return out


def _forces(study: Study, run: Run, folder: Path, before: Solution | None, restart: Path | None) -> Forces | None:
    """The table of a run's forces, where the case asks for one."""
    wanted = study.case.output.forces
    if wanted is None:
        return None
    name, earlier = f"{run.name}{FORCES}", None
    if before is not None and restart is not None:
        earlier = (restart if restart.is_dir() else restart.parent) / name
    return Forces(folder / name, study.problem, wanted.every, earlier, before.last.t if before is not None else 0.0)


class _Attempt:
    """One run of a study, solved and saved."""

    def __init__(
        self,
        study: Study,
        run: Run,
        folder: Path,
        document: Document,
        stop: Stop,
        log: Console,
        forces: Forces | None = None,
    ) -> None:
        self.forces = forces
        self.study, self.run, self.stop, self.log = study, run, stop, log
        self.file = folder / f"{run.name}.h5"
        self.case = {"document": document, "run": run.name, "name": study.name}

    def save(self, solution: Solution) -> None:
        """Write the run's file, and its forces so far."""
        solution.save(self.file, self.case)
        if self.forces is not None:
            self.forces.save()

    def outcome(self, before: Solution | None) -> Outcome:
        """Solve, or go on, and save what there is, whatever happened."""
        run = self.run
        if before is not None and is_finished(before, run):
            if before.status is not Status.STEADY:
                before = replace(before, status=Status.COMPLETED)  # stopped just after its last step
            self.save(before)
            return Outcome(run.name, before.status, before)
        with Display(self.log, run.name) as display:
            recorder = Recorder(self.study, run, before, self.save, display, self.stop, self.forces)
            try:
                solution = joined(before, self._solve(before, recorder))
            except NotConvergedError as error:
                # raised inside a step, past the solver's own book-keeping
                status = Status.NON_FINITE if isinstance(error, NonFiniteError) else Status.MAXITER
                if recorder.last is None and before is None:
                    return Outcome(run.name, status, None, run.seconds, str(error))
                solution = recorder.solution(status)
                self.save(solution)
                return Outcome(run.name, status, solution, run.seconds, str(error))
            except Exception as error:  # of the user's equation, of memory, ours: its good steps are kept all the same
                return self._failed(error, recorder, before)
        self.save(solution)
        return Outcome(run.name, solution.status, solution, run.seconds)

    def _failed(self, error: Exception, recorder: Recorder, before: Solution | None) -> Outcome:
        """The outcome of a run in which something was raised; its file is one that can be gone on from."""
        sentence = blame(error) or " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, NeuralPDEError):
            sentence = str(error)
        solution = None
        if recorder.last is not None or before is not None:
            solution = recorder.solution(Status.INTERRUPTED)
            self.save(solution)
        return Outcome(self.run.name, Status.INTERRUPTED, solution, self.run.seconds, sentence, error)

    def _solve(self, before: Solution | None, recorder: Recorder) -> Solution:
        study, run = self.study, self.run
        if run.integrator is None:
            return solve(study.problem, run.representation, method=run.method, raise_on_failure=False, **run.options)
        return simulate(
            study.problem,
            run.representation,
            run.integrator,
            **run.times,
            method=run.method,
            initial_fit=run.initial_fit,
            restart=before.last if before is not None else None,
            progress=recorder,
            raise_on_failure=False,
            **run.options,
        )


def _conclude(folder: Path, study: Study, outcomes: Sequence[Outcome], console: Console) -> None:
    """Numbers first, pictures after them: nothing that fails late loses what was computed."""
    found, against = errors(study, outcomes)
    table_rows = rows(study, outcomes, found)
    write_metrics(folder, study, outcomes, table_rows)
    console.print(table(study, outcomes, table_rows, console))
    console.print(f"errors: {against}", highlight=False, soft_wrap=True)
    told = remarks(outcomes)
    for sentence in told:
        console.print(sentence.replace("**", ""), highlight=False, markup=False, soft_wrap=True)
    drawn, note = pictures(folder, study, outcomes)
    files = write_outputs(folder, study.case.output, {o.name: o.solution for o in outcomes if o.solution is not None})
    tables, balances = write_fluxes(folder, study, outcomes)
    files += tables
    report = write_report(folder, study, outcomes, table_rows, drawn, files, against, [*told, *balances])
    for path in [*drawn, *files, report]:
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)
    if note:
        console.print(note, highlight=False, soft_wrap=True)
