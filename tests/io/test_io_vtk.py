"""Files for ParaView: the XML is parsed and the arrays are decoded, by the rules of the format and not by our code."""

import base64
import xml.etree.ElementTree as ElementTree
import zlib

import meshio
import numpy as np
import pytest

from neuralpde.io import save_pvd, save_vti, save_vtu
from neuralpde.types import UsageError


def decode(element, compressed):
    """The numbers of a DataArray, shape ``(n, components)``."""
    text, names = element.text.strip(), {"Float": "f", "Int": "i", "UInt": "u"}
    kind = element.get("type").rstrip("0123456789")
    dtype = np.dtype(f"<{names[kind]}{int(element.get('type')[len(kind) :]) // 8}")
    if compressed:
        count = int(np.frombuffer(base64.b64decode(text[:12])[:8], "<u8")[0])
        length = 4 * -(-8 * (3 + count) // 3)
        header = np.frombuffer(base64.b64decode(text[:length]), "<u8")
        packed, raw, start = base64.b64decode(text[length:]), b"", 0
        for size in header[3:]:
            raw += zlib.decompress(packed[start : start + int(size)])
            start += int(size)
        assert start == len(packed)
        assert len(raw) == (count - bool(header[2])) * int(header[1]) + int(header[2])
    else:
        whole = base64.b64decode(text)
        assert int(np.frombuffer(whole[:8], "<u8")[0]) == len(whole) - 8
        raw = whole[8:]
    return np.frombuffer(raw, dtype).reshape(-1, int(element.get("NumberOfComponents")))


def read(path, kind):
    root = ElementTree.parse(path).getroot()
    assert (root.get("byte_order"), root.get("header_type")) == ("LittleEndian", "UInt64")
    compressed = root.get("compressor") == "vtkZLibDataCompressor"
    return {array.get("Name"): decode(array, compressed) for array in root.iter(kind).__next__()}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("lattice", [(5,), (4, 7), (3, 4, 6), (60, 50, 47)])
def test_a_grid_holds_what_was_given_with_x_fastest(tmp_path, lattice, compress):
    d, rng = len(lattice), np.random.default_rng(0)
    points = {
        "double": rng.normal(size=lattice),
        "single": rng.normal(size=lattice).astype(np.float32),
        "vector": rng.normal(size=(*lattice, 2)),
        "fortran": np.asfortranarray(rng.normal(size=(*lattice, 3))),
        "big end": rng.normal(size=lattice).astype(">f8"),
        "whole": rng.integers(-9, 9, size=lattice),
        "solid": rng.normal(size=lattice) > 0,
    }
    cells = {'<p> & "q"': rng.normal(size=[n - 1 for n in lattice])}
    path = save_vti(tmp_path / "new" / "a.vti", (0.5,) * d, (0.1,) * d, points, cells, compress)
    found = {**read(path, "PointData"), **read(path, "CellData")}
    assert list(found) == [*points, *cells]
    for name, given in {**points, **cells}.items():
        for index in list(np.ndindex(given.shape[:d]))[::17]:
            # VTK's rule: the number of a point is i + n_x (j + n_y k).
            number, stride = 0, 1
            for i, n in zip(index, given.shape, strict=False):
                number, stride = number + stride * i, stride * n
            want = np.append(given[index], 0.0) if name == "vector" else np.atleast_1d(given[index])
            np.testing.assert_array_equal(found[name][number], want)
    assert found["single"].dtype == np.float32 and found["whole"].dtype == np.int64 and found["solid"].dtype == np.uint8


def test_a_plane_is_a_flat_image_in_space(tmp_path):
    path = save_vti(tmp_path / "a.vti", (1.0, -2.0), (0.5, 1 / 3), cell_data={"p": np.zeros((3, 4))})
    image = ElementTree.parse(path).getroot()[0]
    assert image.get("WholeExtent") == image[0].get("Extent") == "0 3 0 4 0 0"
    assert image.get("Origin") == "1.0 -2.0 0.0"
    assert image.get("Spacing") == f"0.5 {1 / 3!r} 1.0"


U = {"u": np.zeros((3, 4))}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.vtk", (0, 0), (1, 1), U), "must end in .vti"),
        (("a.vti", (0, 0), (1, 1)), "pass point_data or cell_data"),
        (("a.vti", (0, 0), (1, 1), {"u": np.zeros(3)}), "first 2 axes"),
        (("a.vti", (0, 0), (1, 1), {**U, "v": np.zeros((4, 3))}), r"'v' has shape \(4, 3\): expected \(3, 4\)"),
        (("a.vti", (0, 0), (1, 1), U, {"p": np.zeros((3, 4))}), r"CellData 'p'.*expected \(2, 3\)"),
        (("a.vti", (0, 0), (1, 1), {**U, "v": np.zeros((3, 4, 2, 2))}), "expected"),
        (("a.vti", (0, 0, 0), (1, 1), U), "equal lengths"),
        (("a.vti", (0, 0), (1, -1), U), "positive"),
        (("a.vti", (0, np.nan), (1, 1), U), "finite"),
        (("a.vti", (0, 0), (1, 1), {"u": np.zeros((3, 4), dtype=complex)}), "real numbers"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(tmp_path, arguments, words):
    with pytest.raises(UsageError, match=words):
        save_vti(tmp_path / arguments[0], *arguments[1:])
    assert not list(tmp_path.iterdir())


CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
CELLS = {"triangle": np.array([[0, 1, 2], [1, 3, 2]]), "quad": np.array([[1, 4, 5, 3]])}


def test_a_mesh_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    points = {"p": rng.normal(size=6).astype(np.float32), "u": rng.normal(size=(6, 2))}
    path = save_vtu(tmp_path / "a.vtu", CORNERS, CELLS, points, {"k": np.arange(3), "flux": rng.normal(size=(3, 2))})
    mesh = meshio.read(path)
    np.testing.assert_array_equal(mesh.points, np.pad(CORNERS, ((0, 0), (0, 1))))
    np.testing.assert_array_equal(mesh.cells_dict["triangle"], CELLS["triangle"])
    np.testing.assert_array_equal(mesh.cells_dict["quad"], CELLS["quad"])
    np.testing.assert_array_equal(mesh.point_data["p"], points["p"])
    np.testing.assert_array_equal(mesh.point_data["u"], np.pad(points["u"], ((0, 0), (0, 1))))
    assert [block.tolist() for block in mesh.cell_data["k"]] == [[0, 1], [2]]
    assert mesh.cell_data["flux"][1].shape == (1, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": np.zeros(3)}, r"expected \(v, d\)"),
        ({"cells": {}}, "at least one cell"),
        ({"cells": {"triangle": np.array([[0, 1, 6]])}}, "name point 6"),
        ({"cells": {"triangle": np.zeros((1, 3))}}, "expected integers"),
        ({"cells": {"heptagon of mine": np.array([[0, 1, 2]])}}, "meshio refuses"),
        ({"point_data": {"p": np.zeros(5)}}, "for 6 points"),
        ({"cell_data": {"k": np.zeros(2)}}, "for 3 cells"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused(tmp_path, change, words):
    with pytest.raises(UsageError, match=words):
        save_vtu(tmp_path / "a.vtu", **{"points": CORNERS, "cells": CELLS, **change})
    assert not list(tmp_path.iterdir())


def test_a_collection_names_its_files_relative_to_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [save_vti(f"run & co/fields/{i}.vti", (0, 0), (1, 1), U) for i in range(2)]
    path = save_pvd("run & co/run.pvd", [0.0, 0.1], files)
    sets = list(ElementTree.parse(path).getroot().iter("DataSet"))
    assert [entry.get("file") for entry in sets] == ["fields/0.vti", "fields/1.vti"]
    assert [float(entry.get("timestep")) for entry in sets] == [0.0, 0.1]
    beside = save_pvd("collections/run.pvd", [0.0, 0.1], files)
    assert '"../run &amp; co/fields/0.vti"' in beside.read_text()


def test_a_collection_that_does_not_fit_is_refused(tmp_path):
    file = save_vti(tmp_path / "0.vti", (0, 0), (1, 1), U)
    for name, times, files, words in (
        ("a.pvd", [0.0], [], "one per time"),
        ("a.pvd", [], [], "one per time"),
        ("a.pvd", [0.1, 0.1], [file, file], "strictly increasing"),
        ("a.pvd", [0.0], [tmp_path / "1.vti"], "no file"),
        ("a.vti", [0.0], [file], "must end in .pvd"),
    ):
        with pytest.raises(UsageError, match=words):
            save_pvd(tmp_path / name, times, files)


def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    grid, mesh = tmp_path / "a.vti", tmp_path / "a.vtu"
    for path in (grid, mesh):
        path.write_bytes(b"old")

    def breaks(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", breaks)
    with pytest.raises(OSError, match="disk full"):
        save_vti(grid, (0, 0), (1, 1), U)
    with pytest.raises(OSError, match="disk full"):
        save_vtu(mesh, CORNERS, CELLS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.vti": b"old", "a.vtu": b"old"}
