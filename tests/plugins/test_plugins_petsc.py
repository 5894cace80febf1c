"""The plug-in of PETSc, where petsc4py imports: `make petsc-test`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from neuralpde.plugins.petsc import NeuralPC, attach, part_of_grid
from neuralpde.types import UsageError

N = 48


def laplacian(n: int = N, sign: float = 1.0) -> sp.csr_matrix:
    """The five-point Laplacian of a square with u = 0 around."""
    line = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n))
    return sp.csr_matrix(sign * sp.kronsum(line, line))


def test_a_part_of_a_grid_is_a_slab() -> None:
    assert part_of_grid((4, 3), None, 0, 12, 12) == ((4, 3), None)
    assert part_of_grid((4, 3), None, 6, 12, 6) == ((2, 3), None)
    slab, inside = part_of_grid((4, 3), None, 4, 12, 6)  # begins in row 1 and ends in row 3
    assert slab == (3, 3)
    assert inside is not None and np.flatnonzero(inside).tolist() == [1, 2, 3, 4, 5, 6]
    mask = np.array([[True, False], [False, True], [True, True]])
    slab, inside = part_of_grid((3, 2), mask, 1, 4, 2)
    assert slab == (2, 2)
    assert inside is not None and inside.tolist() == [[False, True], [True, False]]
    assert part_of_grid((4, 3), None, 0, 6, 6) == ((2, 3), None)  # a block below another PC
    slab, inside = part_of_grid((4, 3), None, 12, 12, 0)
    assert inside is not None and not inside.any()
    with pytest.raises(UsageError, match="has 12 unknowns, but the matrix has 10 rows"):
        part_of_grid((4, 3), None, 0, 10, 10)


@pytest.fixture
def petsc() -> Any:
    """petsc4py's module."""
    return pytest.importorskip("petsc4py.PETSc", reason="petsc4py is not installed: see docs/plugins.md")


class Session:
    """KSPs with options of their own, and everything of PETSc's that must be destroyed before the interpreter ends."""

    def __init__(self, petsc: Any) -> None:
        self.petsc, self.made = petsc, list[Any]()

    def kept(self, thing: Any) -> Any:
        self.made.append(thing)
        return thing

    def matrix(self, A: sp.csr_matrix) -> Any:
        return self.kept(self.petsc.Mat().createAIJ(A.shape, csr=(A.indptr, A.indices, A.data)))

    def ksp(self, A: sp.csr_matrix, set_up: Callable[[Any], object] = bool, **options: str) -> Any:
        """A KSP with the options of a command line, after ``set_up(ksp)``."""
        database, ksp = self.petsc.Options(), self.kept(self.petsc.KSP().create())
        for name, value in options.items():
            database.setValue(f"t_{name}", value)
        ksp.setOptionsPrefix("t_")
        ksp.setOperators(self.matrix(A))
        ksp.setType("cg")
        ksp.setTolerances(rtol=1e-9)
        ksp.setNormType(self.petsc.KSP.NormType.UNPRECONDITIONED)
        set_up(ksp)
        try:
            ksp.setFromOptions()
            ksp.setUp()
        finally:
            for name in options:
                database.delValue(f"t_{name}")
        return ksp

    def solve(self, ksp: Any, b: np.ndarray, transposed: bool = False) -> np.ndarray:
        x, rhs = map(self.kept, ksp.getOperators()[0].createVecs())
        rhs.setArray(b)
        (ksp.solveTranspose if transposed else ksp.solve)(rhs, x)
        return np.array(x.getArray())


@pytest.fixture
def session(petsc: Any) -> Iterator[Session]:
    session = Session(petsc)
    yield session
    for thing in reversed(session.made):
        thing.destroy()


NEURAL = {"pc_type": "python", "pc_python_type": "neuralpde.plugins.petsc.NeuralPC"}
SQUARE = {"pc_neural_shape": f"{N},{N}"}


def residual(A: sp.csr_matrix, b: np.ndarray, x: np.ndarray) -> float:
    return float(np.linalg.norm(b - A @ x) / np.linalg.norm(b))


def draw(n: int = N * N) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n)


@pytest.mark.parametrize("kind", ["multigrid", "amg", "jacobi", "direct", "ic", "ssor", "chebyshev"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_kinds_from_the_command_line(session: Session, kind: str, sign: float) -> None:
    A, b = laplacian(sign=sign), draw()
    ksp = session.ksp(A, pc_neural_kind=kind, **SQUARE, **NEURAL)
    x = session.solve(ksp, b)
    assert ksp.reason > 0
    assert residual(A, b, x) <= 1.1e-9
    assert ksp.its <= (12 if kind in ("multigrid", "amg", "direct") else 160)


def test_the_kind_follows_from_the_shape(session: Session) -> None:
    A, b = laplacian(), draw()
    for options, kind in ((SQUARE, "multigrid"), ({}, "amg")):
        ksp = session.ksp(A, **options, **NEURAL)
        assert residual(A, b, session.solve(ksp, b)) <= 1.1e-9
        assert ksp.getPC().getPythonContext()._preconditioner.kind == kind


def test_attach(session: Session) -> None:
    A, b = laplacian(), draw()
    ksp = session.ksp(A, lambda ksp: attach(ksp, shape=(N, N)))
    x = session.solve(ksp, b)
    assert residual(A, b, x) <= 1.1e-9
    assert ksp.its <= 12
    context = ksp.getPC().getPythonContext()
    assert isinstance(context, NeuralPC) and context.shape == (N, N)
    other = session.ksp(A, lambda ksp: attach(ksp, shape=(N, N)), pc_neural_kind="jacobi")  # of the command line
    session.solve(other, b)
    assert other.its > 3 * ksp.its


def test_transposed(session: Session) -> None:
    A, b = laplacian(), draw()
    ksp = session.ksp(A, lambda ksp: attach(ksp, shape=(N, N)))
    assert residual(A, b, session.solve(ksp, b, transposed=True)) <= 1.1e-9
    assert ksp.its <= 12


def test_flexible_gmres_of_a_float32_cycle(session: Session) -> None:
    A, b = laplacian(), draw()
    ksp = session.ksp(A, lambda ksp: attach(ksp, shape=(N, N)), ksp_type="fgmres")
    assert residual(A, b, session.solve(ksp, b)) <= 1.1e-9
    assert ksp.its <= 12


def test_entries_that_change(session: Session) -> None:
    A, b = laplacian(), draw()
    ksp = session.ksp(A, lambda ksp: attach(ksp, shape=(N, N)))
    session.solve(ksp, b)
    heavy = sp.csr_matrix(A + sp.diags(np.repeat([0.0, 50.0], N * N // 2)))
    matrix = ksp.getOperators()[0]
    matrix.setValuesCSR(heavy.indptr.astype(np.int32), heavy.indices.astype(np.int32), heavy.data)
    matrix.assemble()
    ksp.setOperators(matrix)
    x = session.solve(ksp, b)
    assert residual(heavy, b, x) <= 1.1e-9
    fresh = session.ksp(heavy, lambda ksp: attach(ksp, shape=(N, N)))
    session.solve(fresh, b)
    assert ksp.its == fresh.its


def test_cells_that_are_unknowns(session: Session, tmp_path: Path) -> None:
    mask = np.ones((N, N), dtype=bool)
    mask[10:20, 15:30] = False
    np.save(tmp_path / "cells.npy", mask)
    A = laplacian()[mask.ravel()][:, mask.ravel()]
    b = draw(A.shape[0])
    ksp = session.ksp(A, pc_neural_mask=str(tmp_path / "cells.npy"), **SQUARE, **NEURAL)
    assert residual(A, b, session.solve(ksp, b)) <= 1.1e-9
    assert ksp.its <= 12


def test_below_another_preconditioner(session: Session) -> None:
    """Two blocks of rows, each with its own."""
    A, b = laplacian(), draw()
    below = {f"sub_{name}": value for name, value in {**NEURAL, **SQUARE}.items()}
    ksp = session.ksp(A, pc_type="bjacobi", pc_bjacobi_blocks="2", sub_ksp_type="preonly", **below)
    assert residual(A, b, session.solve(ksp, b)) <= 1.1e-9
    assert 5 < ksp.its <= 40


def test_a_matrix_of_blocks_is_read_too(session: Session) -> None:
    A, b = laplacian(), draw()

    def blocks(ksp: Any) -> None:
        matrix = ksp.getOperators()[0]
        matrix.setOption(session.petsc.Mat.Option.SYMMETRIC, True)
        matrix.convert("sbaij")
        ksp.setOperators(matrix)
        attach(ksp, shape=(N, N))

    ksp = session.ksp(A, blocks)
    assert residual(A, b, session.solve(ksp, b)) <= 1.1e-9
    assert ksp.getOperators()[0].getType() == "seqsbaij", "its own type stays"


def test_view(session: Session, petsc: Any, tmp_path: Path) -> None:
    ksp = session.ksp(laplacian(), lambda ksp: attach(ksp, shape=(N, N)))
    viewer = session.kept(petsc.Viewer().createASCII(str(tmp_path / "view.txt")))
    ksp.view(viewer)
    viewer.flush()
    assert f"neuralpde: kind multigrid, shape ({N}, {N})" in (tmp_path / "view.txt").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pc_neural_shape": "12,12"}, "has 144 unknowns, but the matrix has 2304 rows"),
        ({"pc_neural_shape": "a,b"}, "pc_neural_shape takes whole numbers with commas"),
        ({"pc_neural_kind": "multigird"}, "did you mean 'multigrid'"),
        ({"pc_neural_kind": "multigrid"}, r"fit shape=\(48, 48\)"),
        ({"pc_neural_mask": "/nowhere.npy", **SQUARE}, "takes a file of numpy.save"),
    ],
)
def test_sentences(session: Session, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        session.ksp(laplacian(), **options, **NEURAL)


def test_a_matrix_without_entries(session: Session, petsc: Any) -> None:
    class Action:
        def mult(self, matrix: Any, x: Any, y: Any) -> None:
            x.copy(y)

    def shell(ksp: Any) -> None:
        ksp.setOperators(session.kept(petsc.Mat().createPython((4, 4), Action())))
        attach(ksp)

    with pytest.raises(UsageError, match="pass an assembled matrix as the second argument"):
        session.ksp(laplacian(2), shell)


PARALLEL = Path(__file__).with_name("petsc_in_parallel.py")


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_in_parallel(petsc: Any, processes: int) -> None:
    """A block for each process; rows of the grid need not end where those of a process do."""
    if shutil.which("mpirun") is None:
        pytest.skip("mpirun is not installed: Debian's package openmpi-bin")
    command = ["mpirun", "--oversubscribe", "-n", str(processes), sys.executable, str(PARALLEL)]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.geteuid() == 0 else {}
    done = subprocess.run(command, env={**os.environ, **root}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.strip().splitlines()[-1])
    assert report["processes"] == processes
    assert report["residual"] <= 1.1e-9
    assert report["iterations"] <= {1: 12, 2: 35, 3: 45}[processes]
    assert report["iterations"] < report["jacobi"] / 2
