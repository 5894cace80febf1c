"""The command line: ``neuralpde run | list | info | plot | export | probe | doctor | bench``.

Exit codes: 0 well, 1 a fault in the package, 2 a mistake in the command or the case, 3 a file that cannot be read or
written, 4 not converged, 5 NaN or Inf, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

# Torch, matplotlib and everything that needs them are imported inside the commands: help takes no seconds.

INTERNAL, USAGE, DATA, NOT_CONVERGED, NON_FINITE, INTERRUPTED = 1, 2, 3, 4, 5, 130
DEBUG = "NEURALPDE_DEBUG"
# the class of all mistakes in arguments: typer keeps its parser private, and has changed it before
BadArguments: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="neuralpde",
    help="Neural and classical solvers for partial differential equations whose parts fit together.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from neuralpde import __version__

        typer.echo(f"neuralpde {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    case: Annotated[Path, typer.Argument(help="The case file (TOML).", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder of the run [default: runs/<case>-<time>].")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value: time.dt=0.01, run.neural.fit.maxiter=8."),
    ] = None,
    restart: Annotated[Path | None, typer.Option(help="Run folder, or one of its .h5 files, to go on from.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Run a case file into a folder: numbers, pictures, a report, and files to go on from."""
    from neuralpde.cases import run_case
    from neuralpde.types import NonFiniteError, NotConvergedError, Status

    result = run_case(case, out=out, settings=settings or (), restart=restart, force=force)
    bad = result.failure
    if bad is None:
        return
    if bad.error is not None:
        raise bad.error
    if bad.status is Status.INTERRUPTED:
        typer.echo(
            f"interrupted; go on with: neuralpde run {result.folder}/case.toml --restart {result.folder}", err=True
        )
        raise typer.Exit(INTERRUPTED)
    kind = NonFiniteError if bad.status.blew_up else NotConvergedError
    raise kind(f"run {bad.name}: {bad.message or bad.status.sentence() + '.'}")


@app.command("list")
def list_parts() -> None:
    """List problems, conditions, representations, integrators and benches."""
    from neuralpde.cases._inventory import inventory

    inventory()


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A run file, run folder, case file or mesh.")],
    picture: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="PICTURE", help="Draw the mesh, or the problem of the case: .png, .pdf or .svg."
        ),
    ] = None,
) -> None:
    """Say what a run file, a run folder, a case file or a mesh holds, and whether it is intact."""
    from neuralpde.cases._inventory import describe_path

    if not describe_path(path, picture):
        raise typer.Exit(DATA)


@app.command()
def plot(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A run file, or a run folder to compare its runs.")],
    out: Annotated[Path | None, typer.Option(help="The picture: .png, .pdf, .svg, or .gif to animate.")] = None,
    quantity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What is shown: vorticity, speed, pressure of flows; von_mises, stress_xx of solids."
        ),
    ] = None,
    magnification: Annotated[
        float | None,
        typer.Option(
            help="Times what displacements are drawn [default: as they are, or enlarged until one sees them]."
        ),
    ] = None,
) -> None:
    """Draw a saved run, or all runs of a folder side by side."""
    from neuralpde.cases import draw_saved

    typer.echo(draw_saved(path, out, quantity, magnification))


@app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A run file, or a run folder for all its runs.")],
    out: Annotated[Path | None, typer.Option(help="The collection, .pvd [default: beside the run file].")] = None,
    points: Annotated[
        str | None, typer.Option(metavar="N[,M[,K]]", help="Points per axis [default: those of the run's grid].")
    ] = None,
) -> None:
    """Write saved runs for ParaView: every unknown and quantity at all saved times."""
    from neuralpde.cases import export_saved

    for file in export_saved(path, out, points):
        typer.echo(file)


@app.command()
def probe(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A run file.")],
    at: Annotated[
        list[str],
        typer.Option(metavar="[NAME=]X[,Y[,Z]]", help="A point; may be given several times.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(help="A CSV file, with all digits [default: a table is printed].")] = None,
    quantity: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="In place of the unknowns, such as von_mises; may be given several times."),
    ] = None,
) -> None:
    """Values of a saved run at points, at all saved times."""
    from neuralpde.cases import probe_saved

    typer.echo(probe_saved(path, at, out, quantity or None))


@app.command()
def doctor() -> None:
    """Show versions and devices, and solve small problems to see that all is well."""
    from neuralpde.cases._doctor import examine

    if not examine():
        raise typer.Exit(INTERNAL)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="The bench; `neuralpde list` names them.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print rows as JSON and nothing else.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A version of seconds.")] = False,
) -> None:
    """Run a bench and print its table."""
    from neuralpde.cases._inventory import run_bench

    run_bench(name, json, quick)


def _exit_code(error: BaseException) -> tuple[int, str]:
    """Code and sentence of whatever ended the command."""
    if isinstance(error, BadArguments):
        return USAGE, error.format_message()  # type: ignore[attr-defined]
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    from neuralpde.types import DataError, NonFiniteError, NotConvergedError, UsageError

    kinds = ((UsageError, USAGE), (DataError, DATA), (NonFiniteError, NON_FINITE), (NotConvergedError, NOT_CONVERGED))
    for kind, code in kinds:
        if isinstance(error, kind):
            return code, str(error)
    from neuralpde.cases import blame, out_of_memory

    if out_of_memory(error):
        return USAGE, "not enough memory; use fewer nodes or weights, or a larger save_every."
    theirs = blame(error)
    if theirs is not None:
        return USAGE, theirs
    if isinstance(error, OSError):
        return DATA, f"{error.filename or 'a file'}: {error.strerror or error}."
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
    return INTERNAL, f"a fault in neuralpde: {what}; set {DEBUG}=1 for the traceback and report it."


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: runs a command; everything that goes wrong becomes one sentence on stderr and an exit code."""
    try:
        code = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has gone (`neuralpde list | head`); keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get(DEBUG):
            raise
        code, sentence = _exit_code(error)
        if sentence:
            print(sentence, file=sys.stderr)
        raise SystemExit(code) from None
    raise SystemExit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
