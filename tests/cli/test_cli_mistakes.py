"""Every mistake in a case file is one sentence: where, what was expected, what came, what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from mistaken_case import (
    GOOD,
    MINE,
)
from mistakes_first import FIRST
from mistakes_second import SECOND

from neuralpde.cases import load_study
from neuralpde.types import DataError, UsageError

MISTAKES = FIRST | SECOND
assert len(MISTAKES) == len(FIRST) + len(SECOND)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake: str, tmp_path: Path) -> None:
    old, new, sentence = MISTAKES[mistake]
    assert old in GOOD
    (tmp_path / "mine.py").write_text(MINE)
    path = tmp_path / "case.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_study(path)
    assert str(caught.value) == f"{path}: {sentence}"


def test_the_case_without_mistakes_is_taken(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(GOOD)
    study = load_study(tmp_path / "case.toml")
    assert [run.name for run in study.runs] == ["grid", "neural"]


def test_several_mistakes_are_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(GOOD.replace("dt = 0.05", "dt = 0").replace("t_end = 1.0", "t_end = -1"))
    with pytest.raises(UsageError) as caught:
        load_study(path)
    assert str(caught.value).splitlines() == [
        f"{path}: time.dt: expected a positive number; got 0.",
        f"{path}: time.t_end: expected a positive number; got -1.",
    ]


def test_files_that_are_no_case_files(tmp_path: Path) -> None:
    missing, empty, binary = tmp_path / "no.toml", tmp_path / "empty.toml", tmp_path / "binary.toml"
    empty.write_text("# nothing\n")
    binary.write_bytes(b"name = \xff\xfe")
    for path, kind, sentence in (
        (missing, DataError, f"{missing}: expected a case file; there is none of that name."),
        (tmp_path, DataError, f"{tmp_path}: expected a case file; got a folder."),
        (empty, UsageError, f"{empty}: expected a table [problem] and one or more tables [[run]]; the file is empty."),
        (binary, DataError, f"{binary}: expected text in UTF-8; got byte 0xff."),
    ):
        with pytest.raises(kind) as caught:
            load_study(path)
        assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("time.dt", "--set time.dt: expected key=value, such as time.dt=0.01."),
        ("time.dt=0..1", "--set time.dt=0..1: expected a TOML value after the =; got '0..1'."),
        ("run.gird.dt=1", "--set run.gird.dt=1: expected one of grid, neural; got 'gird'; did you mean grid?"),
        ("run.grid=1", "--set run.grid=1: expected a key of the run, such as run.grid.dt=0.01."),
        ("seed.a=1", "--set seed.a=1: expected a table at seed; got 0."),
        ("time.dt=-1", "{case}: time.dt: expected a positive number; got -1."),
        ("time.dt=inf", "{case}: time.dt: expected a positive finite number; got inf."),
    ],
)
def test_mistakes_in_settings(setting: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(GOOD)
    with pytest.raises(UsageError) as caught:
        load_study(path, [setting])
    assert str(caught.value) == sentence.replace("{case}", str(path))


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ("vortx_pair.toml", "; did you mean {}/vortex_pair.toml?"),
        ("vortex_pair", "; did you mean {}/vortex_pair.toml?"),
        ("vortex_pair.tml", "; did you mean {}/vortex_pair.toml?"),
        ("heat.toml", "."),
        ("deep/vortex_pair.toml", "."),
    ],
)
def test_a_mistyped_case_file_is_told_its_nearest_name(asked: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "vortex_pair.toml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("heat")
    with pytest.raises(DataError) as caught:
        load_study(tmp_path / asked)
    expected = f"{tmp_path / asked}: expected a case file; there is none of that name{end.format(tmp_path)}"
    assert str(caught.value) == expected
