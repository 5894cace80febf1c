"""A case whose runs are measured against a run of its own: the table [reference]."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_command import Command, coarse_and_fine
from test_cli_restart import interrupt_at

from neuralpde.cases import load_study, open_run
from neuralpde.cases._open import open_runs
from neuralpde.types import DataError, Status, UsageError

LAYERS = f"""\
[problem]
name = "double_shear_layer"
viscosity = 1e-3
thickness = 0.1

[time]
integrator = "rk4"
dt = 0.02
t_end = 0.2
save_every = 2

[reference]
representation = {{kind = "spectral_grid", shape = 32}}
dt = 0.01
save_every = 4

{coarse_and_fine(t_end=0.4)}"""


UNSTABLE = ("--set", "problem.viscosity=0.05", "--set", "reference.dt=0.2", "--set", "reference.growth_limit=2")


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(LAYERS)
    return path


def figures(out: Path) -> dict[tuple[str, str], float]:
    return {(row["method"], row["metric"]): row["value"] for row in json.loads((out / "metrics.json").read_text())}


def test_a_reference_takes_the_keys_of_time_and_lasts_as_long_as_the_longest_run(layers: Path) -> None:
    study = load_study(layers, ["time.growth_limit=50"])
    assert [run.name for run in study.runs] == ["coarse", "fine"] and study.reference == "reference"
    assert study.reference_run is not None
    assert repr(study.reference_run.integrator) == "RK4()"
    assert study.reference_run.times == {"dt": 0.01, "t_end": 0.4, "save_every": 4, "growth_limit": 50}


def test_every_run_is_measured_against_the_reference(layers: Path, neuralpde: Command) -> None:
    out = layers.parent / "out"
    done = neuralpde("run", layers, "--out", out)
    assert done.code == 0, done.err
    assert done.err.index("reference: step") < done.err.index("coarse: step")
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[0] for line in lines[4:7]] == ["coarse", "fine", "reference"]
    assert lines[6][3:] == ["3072", lines[6][4], "–", "–", "completed"]
    against = "measured against the reference, SpectralGrid with 3072 dofs (max err. is the velocity's;"
    assert f"errors: {against}" in done.out and f"Errors are {against}" in (out / "report.md").read_text()
    assert "| reference | rk4 | 0.01 | 3072 |" in (out / "report.md").read_text()
    found = figures(out)
    _, reference = open_run(out / "reference.h5")
    for name in ("coarse", "fine"):
        _, solution = open_run(out / f"{name}.h5")
        errors = solution.errors(reference=reference)
        assert found[name, "rel_l2"] == pytest.approx(errors["velocity"]["rel_l2"], rel=1e-12)
        assert found[name, "max_error"] == pytest.approx(errors["velocity"]["max_error"], rel=1e-12)
        assert found[name, "pressure_rel_l2"] == pytest.approx(errors["pressure"]["rel_l2"], rel=1e-12)
    shown = {line[0]: line[5:7] for line in lines[4:6]}
    for name in ("coarse", "fine"):  # of both unknowns, side by side
        assert shown[name] == [f"{found[name, metric]:.2e}" for metric in ("rel_l2", "pressure_rel_l2")]
    assert 0 < found["fine", "rel_l2"] < 0.5 * found["coarse", "rel_l2"] < 0.2
    assert found["reference", "seconds"] > 0 and ("reference", "rel_l2") not in found


def test_errors_are_those_of_the_run_not_of_its_interpolation_in_time(layers: Path, neuralpde: Command) -> None:
    """Both save at the same times; a reference on the same grid with the same step has no error at all."""
    out = layers.parent / "out"
    same = ("--set", "reference.representation={kind='mac_grid', shape=16}", "--set", "reference.dt=0.02")
    done = neuralpde("run", layers, "--out", out, *same, "--set", "reference.save_every=2")
    assert done.code == 0, done.err
    assert figures(out)["fine", "rel_l2"] == 0.0 < figures(out)["coarse", "rel_l2"]


def test_a_steady_problem_has_a_reference_too(tmp_path: Path, neuralpde: Command) -> None:
    case = tmp_path / "case.toml"
    case.write_text(
        '[problem]\nname = "poisson"\n[reference]\nrepresentation = {kind = "grid", shape = 33, order = 6}\n'
        '[[run]]\nname = "coarse"\nrepresentation = {kind = "grid", shape = 9}\n[output]\nplot = false\n'
    )
    done = neuralpde("run", case, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "measured against the reference, GridField with " in done.out
    assert 0 < figures(tmp_path / "out")["coarse", "rel_l2"] < 0.1
    wrong = neuralpde("run", case, "--set", "reference.t_end=1.0")
    assert wrong.err.endswith("reference.t_end: expected no t_end, as Poisson is steady; got one.\n")


def test_a_reference_without_an_integrator_is_asked_for_one(layers: Path) -> None:
    text = layers.read_text().replace('integrator = "rk4"\n', "")
    layers.write_text(text.replace("shape = 8}", 'shape = 8}\nintegrator = "rk4"'))
    with pytest.raises(UsageError) as caught:
        load_study(layers, ["run.fine.integrator=rk4"])
    assert str(caught.value) == f"{layers}: reference.integrator: expected the name of an integrator; it is missing."


def test_a_reference_that_fails_is_not_measured_against(layers: Path, neuralpde: Command) -> None:
    out = layers.parent / "out"
    done = neuralpde("run", layers, "--out", out, *UNSTABLE)
    assert done.code == 5, done.err
    assert done.err.splitlines()[-1].startswith("run reference: ")
    assert "errors: not measured, as the reference, SpectralGrid with 3072 dofs, is not complete" in done.out
    assert open_run(out / "fine.h5")[1].status is Status.COMPLETED
    assert open_runs(out).reference is None


def test_stopped_in_the_reference_or_after_it_and_gone_on(
    layers: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = layers.parent / "whole", layers.parent / "parts"
    assert neuralpde("run", layers, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, "reference", 8)
        assert neuralpde("run", layers, "--out", parts).code == 130
    with monkeypatch.context() as patch:
        interrupt_at(patch, "coarse", 4)
        stopped = neuralpde("run", parts / "case.toml", "--restart", parts)
    assert stopped.code == 130 and figures(parts)["coarse", "rel_l2"] > 0  # of what there is of it
    assert neuralpde("run", parts / "case.toml", "--restart", parts).code == 0
    for name in ("reference", "coarse", "fine"):
        (_, a), (_, b) = open_run(whole / f"{name}.h5"), open_run(parts / f"{name}.h5")
        # a Fourier grid steps on with the coefficients it has, and after a restart with those of the saved values
        close = {"rtol": 1e-12, "atol": 1e-13} if name == "reference" else {"rtol": 0.0, "atol": 0.0}
        assert torch.equal(a.times, b.times)
        torch.testing.assert_close(a.states, b.states, **close)
    a, b = figures(whole), figures(parts)
    errors = [key for key in a if key[1].endswith(("rel_l2", "max_error"))]
    assert len(errors) == 8 and [a[key] for key in errors] == pytest.approx([b[key] for key in errors], rel=1e-9)


def test_one_run_gone_on_with_takes_the_reference_beside_it(layers: Path, neuralpde: Command) -> None:
    out = layers.parent / "out"
    assert neuralpde("run", layers, "--out", out).code == 0
    done = neuralpde("run", layers, "--restart", out / "coarse.h5", "--set", "time.t_end=0.6")
    assert done.code == 0, done.err
    assert open_run(out / "reference.h5")[1].last.t == pytest.approx(0.6)
    assert figures(out)["coarse", "rel_l2"] > 0 and ("fine", "dofs") not in figures(out)
    changed = ("--set", "time.t_end=0.6", "--set", "reference.representation.shape=16")
    other = neuralpde("run", layers, "--restart", out, *changed)
    assert other.code == 2
    assert "expected the representation of run reference, shape = [16, 16]; the run was saved with" in other.err


def test_pictures_show_the_error_against_the_reference(layers: Path, neuralpde: Command) -> None:
    out = layers.parent / "out"
    done = neuralpde("run", layers, "--out", out, "--set", "output.plot=true", "--set", "output.animate=true")
    assert done.code == 0, done.err
    pictures = {"coarse.png", "fine.png", "comparison.png", "comparison.gif"}
    assert pictures == {p.name for p in out.iterdir() if p.suffix in (".png", ".gif")}
    saved = open_runs(out)
    assert list(saved.solutions) == ["coarse", "fine"] and saved.reference is not None
    samples = saved.solutions["fine"].samples(points=9, reference=saved.reference)
    known = saved.reference.samples(points=9)
    assert samples.known_as == "reference" and len(samples.times) == len(known.times)
    np.testing.assert_allclose(samples.exact, known.values, atol=1e-12)
    one = open_runs(out / "fine.h5")
    assert list(one.solutions) == ["fine"] and one.reference is not None
    assert open_runs(out / "reference.h5").reference is None
    (out / "comparison.png").unlink()
    assert neuralpde("plot", out).out == f"{out / 'comparison.png'}\n"
    for file in ("fine.h5", "reference.h5"):
        assert neuralpde("plot", out / file).code == 0
    (out / "reference.h5").write_text("damaged")
    with pytest.raises(DataError, match=r"reference.h5 is not a run of neuralpde"):
        open_runs(out / "fine.h5")


def test_info_names_the_reference(layers: Path, neuralpde: Command) -> None:
    out = layers.parent / "out"
    assert neuralpde("run", layers, "--out", out).code == 0
    line = "  reference SpectralGrid, 3072 dofs, spectral, RK4() dt = 0.01, t_end = 0.4, save_every = 4"
    assert line in neuralpde("info", out / "case.toml").out.splitlines()
    folder = neuralpde("info", out).out
    assert line in folder.splitlines()
    assert folder.index("coarse.h5") < folder.index("fine.h5") < folder.index("reference.h5")


def test_a_run_that_is_the_reference_is_one_of_the_pictures(layers: Path, neuralpde: Command) -> None:
    text = LAYERS[: LAYERS.index("[reference]")] + LAYERS[LAYERS.index("[[run]]") :]
    layers.write_text(text.replace("plot = false", 'reference = "fine"'))
    out = layers.parent / "out"
    done = neuralpde("run", layers, "--out", out)
    assert done.code == 0, done.err
    assert "measured against the run fine" in done.out and (out / "fine.png").is_file()
    saved = open_runs(out)
    assert list(saved.solutions) == ["coarse", "fine"] and saved.reference is saved.solutions["fine"]
    assert neuralpde("plot", out, "--out", out / "again.png").code == 0
