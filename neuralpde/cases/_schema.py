"""The tables of a case file. What belongs to a problem, representation or method is checked against its own signature,
in :mod:`neuralpde.cases._parameters`, so that a new one needs no new table here."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from neuralpde.cases._mistakes import Place, unknown_name
from neuralpde.types import UsageError

Name = Annotated[str | None, Field(description="the name of an integrator")]
Positive = Annotated[FiniteFloat | None, Field(gt=0, description="a positive number")]
Count = Annotated[int | None, Field(ge=1, description="a positive whole number")]
Limit = Annotated[float | None, Field(ge=1, description="1 or more, or inf for no limit")]


REFERENCE = "reference"
"""The name of the table [reference], and of its run."""


class Table(BaseModel):
    """A table whose keys are all known; the description of a field is what a mistake says was expected."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenTable(Table):
    """A table that also takes the keys of whatever it names."""

    model_config = ConfigDict(extra="allow")

    @property
    def others(self) -> dict[str, Any]:
        """Keys beyond the table's own."""
        return dict(self.model_extra or {})


class DomainTable(Table):
    """Corners of a box, or the file of a mesh."""

    lower: list[FiniteFloat] | None = Field(None, description="a list of numbers, one per dimension")
    upper: list[FiniteFloat] | None = Field(None, description="a list of numbers, one per dimension")
    mesh: str | None = Field(None, description="the name of a mesh file")
    repair: bool | None = Field(None, description="true or false")
    scale: Annotated[FiniteFloat | None, Field(gt=0)] = Field(
        None, description="a positive number, such as 0.001 for a mesh in millimetres"
    )
    points: dict[str, list[FiniteFloat]] | None = Field(None, description="a table of points, such as {pin = [0, 0]}")


class ConditionTable(OpenTable):
    """One boundary condition: ``{kind = "dirichlet", value = 0.0, on = "x-"}``."""

    kind: str = Field(description="the name of a condition")


class ProblemTable(OpenTable):
    """What is true: a problem's name, its parameters, and where it lives."""

    name: str = Field(description='the name of a problem, or "file.py:Class"')
    domain: DomainTable | None = Field(None, description='a table {lower = […], upper = […]} or {mesh = "file.msh"}')
    conditions: list[ConditionTable] | None = Field(None, description="a list of tables {kind = …}")


class TimeTable(Table):
    """How time passes in every run that says nothing else."""

    integrator: Name = None
    dt: Positive = None
    t_end: Positive = None
    save_every: Count = None
    growth_limit: Limit = None
    until_steady: Positive = None


class RepresentationTable(OpenTable):
    """Where the field is kept, with the options of that representation."""

    kind: str = Field(description="the name of a representation")


class SolveTable(OpenTable):
    """A representation, its method, and what it overrides of ``[time]``; further keys go to the dynamics."""

    representation: RepresentationTable = Field(description='a table {kind = "…", …}')
    integrator: Name = None
    dt: Positive = None
    save_every: Count = None
    growth_limit: Limit = None
    until_steady: Positive = None
    method: str = Field("auto", description="the name of a method")
    initial_fit: dict[str, Any] | None = Field(None, description="a table of options")


class ReferenceTable(SolveTable):
    """A run that is there to measure the others against: it has no name, and lasts as long as the longest of them."""


class RunTable(SolveTable):
    """One run, with a name and an end of its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="a name of letters, digits, - and _")
    t_end: Positive = None


class ExportTable(Table):
    """Which times and how many points files for ParaView have; ``export = true`` leaves both to the solution."""

    times: list[FiniteFloat] | None = Field(None, description="a list of times")
    points: int | list[int] | None = Field(None, description="a whole number or a list of whole numbers")


class ForcesTable(Table):
    """How often the forces on a solid are kept; ``forces = true`` is every step."""

    every: int = Field(1, ge=1, description="a whole number of steps, 1 or more")


class OutputTable(Table):
    """What the run folder holds beyond numbers."""

    plot: bool = Field(True, description="true or false")
    animate: bool = Field(True, description="true or false")
    quantity: str | None = Field(None, description="the name of what pictures show")
    reference: str | None = Field(None, description="the name of a run")
    export: ExportTable | None = Field(None, description="true, false or a table {times = […], points = …}")
    probes: dict[str, Any] | None = Field(None, description="a table of points, such as {front = [0.1, 0.2]}")
    probe_quantities: list[str] | None = Field(None, description="a list of names of quantities")
    magnification: Annotated[FiniteFloat | None, Field(ge=0)] = Field(None, description="a number, 0 or more")
    forces: ForcesTable | None = Field(None, description="true, false or a table {every = …}")
    fluxes: bool = Field(False, description="true or false")
    energies: bool = Field(True, description="true or false")

    @field_validator("export", "forces", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """The long form of ``export = true`` and ``forces = true``."""
        return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Case(Table):
    """A whole case file."""

    seed: int = Field(0, ge=0, description="a whole number, 0 or more")
    problem: ProblemTable = Field(description='a table [problem], or a string "file.py:Class"')
    time: TimeTable | None = Field(None, description="a table [time]")
    run: list[RunTable] = Field(min_length=1, description="one or more tables [[run]]")
    reference: ReferenceTable | None = Field(
        None, description="a table [reference] (the name of a run is output.reference)"
    )
    output: OutputTable = Field(default_factory=lambda: OutputTable.model_validate({}), description="a table [output]")


def check_case(document: dict[str, Any], file: str) -> Case:
    """The case that a parsed TOML document holds.

    Args:
        document: parsed TOML.
        file: its name, for messages.

    Raises:
        UsageError: with one sentence, on its own line, per mistake.
    """
    try:
        case = Case.model_validate(document)
    except ValidationError as error:
        lines = dict.fromkeys(_sentence(dict(e), document, file) for e in error.errors())
        raise UsageError("\n".join(lines)) from None
    _check_names(case, Place(file))
    return case


def _check_names(case: Case, top: Place) -> None:
    seen: dict[str, int] = {}
    for k, run in enumerate(case.run):
        if run.name in seen:
            where = top.child("run").child(k).child("name")
            raise where.wrong(f"a name that no other run has (run[{seen[run.name] + 1}] has it)", run.name)
        seen[run.name] = k
    if case.reference is not None and REFERENCE in seen:
        where = top.child("run").child(seen[REFERENCE]).child("name")
        raise where.wrong(f"another name than {REFERENCE}, which is the run of the table [{REFERENCE}]", REFERENCE)
    if case.reference is not None and case.output.reference is not None:
        where = top.child("output").child("reference")
        raise where.wrong(f"no second reference beside the table [{REFERENCE}]", case.output.reference)
    if case.output.reference is not None:
        top.child("output").child("reference").choose(case.output.reference, seen)


def _inner(annotation: Any) -> type[Table] | None:
    """The table inside ``X``, ``X | None`` or ``list[X]``."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)


def run_key(runs: Any, k: int) -> str | int:
    """A run's key in messages: its name where it has one of its own."""
    names = [run.get("name") if isinstance(run, dict) else None for run in runs]
    name = names[k]
    return name if isinstance(name, str) and name and names.count(name) == 1 else k


def _sentence(error: dict[str, Any], document: Any, file: str) -> str:
    """One of pydantic's errors in the words of the deepest field that it lies in."""
    place, model, value, expected = Place(file), Case, document, "a TOML document"
    table: type[Table] | None = model
    for part in error["loc"]:
        if isinstance(part, int) and table is not None and isinstance(value, list) and part < len(value):
            place = place.child(run_key(value, part) if place.key == "run" else part)
            value, expected = value[part], "a table"
        elif isinstance(part, str) and table is not None and part in table.model_fields:
            field = table.model_fields[part]
            value = value.get(part) if isinstance(value, dict) else None
            place, table, expected = place.child(part), _inner(field.annotation), str(field.description)
        elif error["type"] == "extra_forbidden" and table is not None:
            return place.child(str(part)).says(unknown_name(str(part), list(table.model_fields)))
        else:
            break
    if error["type"] == "missing":
        return str(place.missing(expected))
    return str(place.wrong(expected, value))
