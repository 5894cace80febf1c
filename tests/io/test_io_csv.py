"""Tables of numbers: every digit comes back, and what is no table is refused."""

import numpy as np
import pytest

from neuralpde.io import load_table, save_table
from neuralpde.types import DataError, UsageError


def test_every_digit_comes_back(tmp_path):
    columns = {
        "t": np.array([0.1, 1 / 3, 5e-324, 1.7976931348623157e308]),
        "drag, mean": [np.nan, np.inf, -np.inf, -0.0],
        'the "lift"': np.arange(4),
        "single": np.float32([0.1, 0.2, 0.3, 0.4]),
    }
    path = save_table(tmp_path / "new" / "table.csv", columns)
    back = load_table(path)
    assert list(back) == list(columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(back[name], np.asarray(column, dtype=np.float64))
    assert np.signbit(back["drag, mean"][3])
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]


def test_the_file_is_plain_and_whole_numbers_stay_whole(tmp_path):
    path = save_table(tmp_path / "table.csv", {"step": [1, 2], "error": [1e-3, 0.5]})
    assert path.read_bytes() == b"step,error\n1,0.001\n2,0.5\n"
    assert load_table(save_table(path, {"t": []}))["t"].shape == (0,)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"t": [0.0, 1.0], "u": [0.0]}, "unequal lengths"),
        ({}, "at least one column"),
        ({" ": [0.0]}, "a name"),
        ({"u": ["a"]}, "real numbers"),
        ({"u": [1j]}, "real numbers"),
        ({"u": [[1.0], [1.0, 2.0]]}, "real numbers"),
        ({"u": np.zeros((2, 2))}, "real numbers"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, columns, words):
    with pytest.raises(UsageError, match=words):
        save_table(tmp_path / "table.csv", columns)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b"t,t\n1,2\n", "same name"),
        (b"t,u\n1\n", "line 2: 1 entries for 2 columns"),
        (b"t,u\n\n1,x\n", "line 3: could not convert"),
        (b"\xff\xfe\x00", "not a CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, words):
    (tmp_path / "table.csv").write_bytes(text)
    with pytest.raises(DataError, match=words):
        load_table(tmp_path / "table.csv")
    with pytest.raises(DataError, match="no file"):
        load_table(tmp_path / "other.csv")


def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = save_table(tmp_path / "table.csv", {"t": [1.0]})
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_table(path, {"t": [2.0]})
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert load_table(path)["t"].tolist() == [1.0]
