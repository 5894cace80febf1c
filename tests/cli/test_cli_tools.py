"""``list``, ``info``, ``plot``, ``doctor``, ``bench``, ``--version``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_command import Command, Done

import neuralpde as package
from neuralpde import benches
from neuralpde.integrators import INTEGRATORS
from neuralpde.problems import PROBLEMS
from neuralpde.representations import REPRESENTATIONS

FAKE = '''\
"""A bench that takes no time.

Never shown.
"""
from neuralpde.benches._rows import Row


def rows(quick=False):
    print("talking")
    return [Row("case", "method", "seconds", 1.0 if quick else 2.0, "s")]
'''


@pytest.fixture
def fake_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_bench.py").write_text(FAKE)
    monkeypatch.setattr(benches, "__path__", [*benches.__path__, str(tmp_path)])


def test_version(neuralpde: Command) -> None:
    assert neuralpde("--version") == Done(0, f"neuralpde {package.__version__}\n", "")


def test_list_names_every_part_with_a_line(neuralpde: Command, fake_bench: None) -> None:
    done = neuralpde("list")
    assert done.code == 0
    for name in (*PROBLEMS, *REPRESENTATIONS, *INTEGRATORS):
        assert name in done.out
    line = next(line for line in done.out.splitlines() if line.startswith("fake-bench"))
    assert line.split(maxsplit=1)[1].strip() == "A bench that takes no time."
    assert "Never shown" not in done.out


def test_bench_prints_a_table_or_json_alone(neuralpde: Command, fake_bench: None) -> None:
    done = neuralpde("bench", "fake-bench", "--json", "--quick")
    row = {"case": "case", "method": "method", "metric": "seconds", "value": 1.0, "unit": "s"}
    assert json.loads(done.out) == [row]
    assert done.err == "talking\n"
    table = neuralpde("bench", "fake-bench")
    assert "fake-bench: case" in table.out
    assert "seconds" in table.out
    assert table.err == "case: method: seconds 2 s\n"  # as it came
    unknown = neuralpde("bench", "fake-bensh")
    assert unknown.code == 2
    assert unknown.err.endswith("; got 'fake-bensh'; did you mean fake-bench?\n")


def test_info_of_a_case_a_file_and_a_folder(finished: tuple[Path, Done], neuralpde: Command) -> None:
    folder, _ = finished
    case = neuralpde("info", folder / "case.toml")
    assert case.code == 0
    assert "neural: NeuralField, 37 dofs, function_space, ImplicitEuler() dt = 0.02, t_end = 0.1" in case.out
    file = neuralpde("info", folder / "grid.h5")
    assert "problem         Heat" in file.out
    assert "status          COMPLETED: every planned step was done" in file.out
    assert "21 saved, t = 0 … 0.1, 20 steps" in file.out
    assert "checksum        matches" in file.out
    whole = neuralpde("info", folder)
    assert whole.out.index("grid.h5") < whole.out.index("neural.h5")


def test_info_refuses_what_it_does_not_know(tmp_path: Path, neuralpde: Command) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    for path, sentence in (
        (tmp_path, "expected a run folder; it has no case.toml."),
        (tmp_path / "gone.h5", "expected a run file or run folder; there is none of that name."),
        (tmp_path / "text.h5", "is not a run of neuralpde."),
    ):
        done = neuralpde("info", path)
        assert done.code == 3
        assert sentence in done.err
        assert len(done.err.splitlines()) == 1


def test_plot_draws_a_file_and_a_folder(finished: tuple[Path, Done], tmp_path: Path, neuralpde: Command) -> None:
    folder, _ = finished
    for source, name, start in ((folder / "grid.h5", "one.png", b"\x89PNG"), (folder, "all.gif", b"GIF8")):
        done = neuralpde("plot", source, "--out", tmp_path / name)
        assert (done.code, done.out) == (0, f"{tmp_path / name}\n")
        assert (tmp_path / name).read_bytes().startswith(start)
    wrong = neuralpde("plot", folder, "--out", tmp_path / "all.doc")
    assert wrong.code == 2
    empty = neuralpde("plot", tmp_path)
    assert (empty.code, empty.err) == (3, f"{tmp_path}: expected a run folder; it holds no .h5 file.\n")


def test_doctor_solves_and_compares(neuralpde: Command) -> None:
    done = neuralpde("doctor")
    assert done.code == 0, done.out
    assert done.out.count(", well\n") == 5
    assert done.out.endswith("all is well\n")


def test_doctor_tells_a_wrong_result(neuralpde: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralpde.cases._doctor.CHECKS", {"sums": (lambda: 0.5, 1e-3)})
    done = neuralpde("doctor")
    assert done.code == 1
    assert "sums: relative error 5.0e-01" in done.out
    assert "BAD, expected at most 1e-03" in done.out
