"""Ways to solve the pressure of ``examples/projection.py``: what each one changes in the script."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

IMPORT = "from scipy.sparse.linalg import cg\n"
MATRIX = "A = sparse.diags"
SOLVE = "p, info = cg(A, b, x0=p, rtol=1e-6)"


@dataclass(frozen=True)
class Change:
    """A change of the script.

    Args:
        name: of the method.
        imports: in the place of the line that imports ``cg``.
        set_up: below the line that makes A.
        solve: in the place of the line that solves.
        needs: a package that may be missing.
    """

    name: str
    imports: str
    set_up: str
    solve: str
    needs: str = ""

    def applied(self, script: str) -> str:
        """The script with this change.

        Raises:
            ValueError: where the script has not exactly one of each of the three lines.
        """
        lines = script.splitlines(keepends=True)
        made = [line for line in lines if line.startswith(MATRIX)]
        if len(made) != 1 or script.count(IMPORT) != 1 or script.count(SOLVE) != 1:
            raise ValueError("the script has to import cg, make A and solve for p in one line each")
        text = script.replace(IMPORT, f"{self.imports}\n").replace(SOLVE, self.solve)
        return text.replace(made[0], f"{made[0]}{self.set_up}\n")

    @property
    def missing(self) -> bool:
        """Whether the package that it needs cannot be imported."""
        return bool(self.needs) and self.needs not in sys.modules and importlib.util.find_spec(self.needs) is None


def _petsc(name: str, preconditioner: str, negated: bool = True) -> Change:
    """CG of PETSc; packages of multigrid get −A, which is positive definite."""
    sign = "-" if negated else ""
    set_up = f"""
matrix = PETSc.Mat().createAIJ(A.shape, csr=(A.indptr, A.indices, {sign}A.data))
ksp = PETSc.KSP().create()
ksp.setOperators(matrix)
ksp.setType("cg")
ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
ksp.setTolerances(rtol=1e-6)
ksp.setInitialGuessNonzero(True)
{preconditioner}
px, pb = matrix.createVecs()
"""
    solve = f"pb.setArray({sign}b); px.setArray(p); ksp.solve(pb, px); p = px.getArray().copy()"
    imports = "from petsc4py import PETSc\nfrom neuralpde.plugins.petsc import attach"
    return Change(name, imports, set_up, solve, "petsc4py")


_CG_WITH_M = SOLVE.replace(")", ", M=M)")
_PYAMG = "from scipy.sparse.linalg import cg\nimport pyamg"
_TUNED = {"coarsen_type": "HMIS", "interp_type": "ext+i", "P_max": "4", "strong_threshold": "0.25"}
_HYPRE = "".join(f"PETSc.Options().setValue('pc_hypre_boomeramg_{k}', '{v}'); " for k, v in _TUNED.items())

REFERENCE = Change("direct", "from scipy.sparse.linalg import splu", "lu = splu(A.tocsc())", "p = lu.solve(b)")
"""What the velocities of all others are compared with."""

PLAIN = Change("scipy cg", IMPORT.strip(), "", SOLVE)
"""The script as it is."""

THREE_LINES = Change(
    "three lines (M)",
    "from scipy.sparse.linalg import cg\nfrom neuralpde.plugins.scipy import as_preconditioner",
    "M = as_preconditioner(A, shape=(n, n))",
    _CG_WITH_M,
)
SOLVER = Change(
    "three lines (Solver)",
    "from neuralpde.plugins.scipy import Solver",
    "solver = Solver(A, shape=(n, n))",
    "p = solver.solve(b, x0=p, rtol=1e-6)",
)
OTHERS = (
    Change("spsolve", "from scipy.sparse.linalg import spsolve", "A = A.tocsc()", "p = spsolve(A, b)"),
    Change("splu once", REFERENCE.imports, REFERENCE.set_up, REFERENCE.solve),
    Change(
        "splu once, tuned",
        "from scipy.sparse.linalg import splu",
        "lu = splu(A.tocsc(), permc_spec='MMD_AT_PLUS_A', diag_pivot_thresh=0.0, options={'SymmetricMode': True})",
        "p = lu.solve(b)",
    ),
    Change(
        "pyamg rs as M",
        _PYAMG,
        "A = -A; M = pyamg.ruge_stuben_solver(A).aspreconditioner()",
        _CG_WITH_M.replace(" b,", " -b,"),
        "pyamg",
    ),
    Change(
        "pyamg sa as M",
        _PYAMG,
        "A = -A; M = pyamg.smoothed_aggregation_solver(A).aspreconditioner()",
        _CG_WITH_M.replace(" b,", " -b,"),
        "pyamg",
    ),
    _petsc("petsc gamg", "ksp.getPC().setType('gamg')"),
    _petsc("petsc hypre", "ksp.getPC().setType('hypre')"),
    _petsc("petsc hypre tuned", f"ksp.getPC().setType('hypre'); {_HYPRE}ksp.setFromOptions()"),
    _petsc("petsc three lines (attach)", "attach(ksp, shape=(n, n))", negated=False),
)
NO_PRESSURE = Change("no pressure at all", "", "", "pass")
