"""−div(k grad p) on cells: against exact solutions, and its sides, masks and coefficients against small matrices."""

import math

import numpy as np
import pytest
import scipy.sparse.linalg as spla
import torch

from neuralpde.linalg import BoxLaplacian, StencilOperator
from neuralpde.types import UsageError

poisson = StencilOperator.poisson


def spelled(A):
    return A.to_csr().toarray()


@pytest.mark.parametrize(
    ("boundary", "kind"),
    [("wall", "neumann_cells"), ("open", "dirichlet_cells"), ("periodic", "periodic"),
     (("wall", "open"), "neumann_dirichlet_cells"), (("open", "wall"), "dirichlet_neumann_cells")],
)  # fmt: skip
def test_sides_are_those_of_the_box(boundary, kind):
    sides = "periodic" if boundary == "periodic" else boundary
    A = poisson((5, 4), (0.5, 0.2), boundary=[sides, "open"], reaction=3.0)
    box = BoxLaplacian((5, 4), (0.5, 0.2), (kind, "dirichlet_cells"), 3.0)
    np.testing.assert_allclose(spelled(A), box.to_csr().toarray(), rtol=0, atol=1e-11)


def test_convergence_to_the_exact_pressure():
    """−Δp = 2π² cos πx cos πy between walls at x = 0, 1 and y = 0, open at y = ½, where p = 0: order h²."""
    errors = []
    for n in (16, 32):
        h = 1.0 / n
        x = (torch.arange(n, dtype=torch.float64) + 0.5) * h
        p = torch.cos(math.pi * x)[:, None] * torch.cos(math.pi * x[: n // 2])[None]
        A = poisson((n, n // 2), h, boundary=("wall", ("wall", "open")))
        found = spla.spsolve(A.to_csr(), (2 * math.pi**2 * p).reshape(-1).numpy())
        errors.append(abs(found - p.reshape(-1).numpy()).max())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)


def test_flux_through_layers_is_exact():
    """k jumps by 1e6 between layers of cells: the flux is that of resistances in a row, to rounding."""
    k = torch.tensor([1.0, 1e6, 1e-3, 5.0], dtype=torch.float64)
    h = 0.25
    A = poisson((4,), h, coefficient=k, boundary="open")
    b = torch.zeros(4, dtype=torch.float64)
    b[0] = 2.0 * k[0] / h**2  # p = 1 at the low side
    p = torch.from_numpy(spla.spsolve(A.to_csr().tocsc(), b.numpy()))
    flux = k[-1] * p[-1] / (h / 2)
    assert float(flux) == pytest.approx(float(1.0 / (h / k).sum()), rel=1e-9)


def test_faces_as_on_a_staggered_grid():
    rng = np.random.default_rng(0)
    faces = (rng.uniform(1, 2, (4, 4)), rng.uniform(1, 2, (3, 5)))
    A = poisson((3, 4), (0.5, 2.0), coefficient=faces, boundary=("open", "wall"))
    cells = np.arange(12).reshape(3, 4)
    matrix = np.zeros((12, 12))
    for i in range(4):
        for j in range(4):
            here = [cells[row, j] for row in (i - 1, i) if 0 <= row < 3]
            weight = faces[0][i, j] / 0.25 * (2.0 if len(here) == 1 else 1.0)
            matrix[here, here] += weight
            if len(here) == 2:
                matrix[here, here[::-1]] -= weight
    for i in range(3):
        for j in range(1, 4):
            here = [cells[i, j - 1], cells[i, j]]
            matrix[here, here] += faces[1][i, j] / 4.0
            matrix[here, here[::-1]] -= faces[1][i, j] / 4.0
    np.testing.assert_allclose(spelled(A), matrix, rtol=0, atol=1e-12)


def test_masked_cells_are_walls_with_rows_of_the_identity():
    fluid = torch.ones(3, 3, dtype=torch.bool)
    fluid[1, 1] = fluid[0, 0] = False
    matrix = spelled(poisson((3, 3), mask=fluid, boundary=("periodic", ("open", "wall"))))
    whole = np.eye(9)
    for solid in (0, 4):
        np.testing.assert_array_equal(matrix[solid], whole[solid])
        np.testing.assert_array_equal(matrix[:, solid], whole[solid])
    # row sums: 2 at the open side's fluid cells, 1 in solids, 0 elsewhere
    np.testing.assert_array_equal(matrix.sum(1).reshape(3, 3), [[1, 0, 0], [2, 1, 0], [2, 0, 0]])
    assert poisson((3, 3), mask=fluid, boundary=("periodic", ("open", "wall"))).positive_definite
    assert not poisson((3, 3), mask=fluid).positive_definite


def test_cells_without_conductivity_are_isolated():
    A = poisson((3,), coefficient=torch.tensor([0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(spelled(A), np.zeros((3, 3)))


def test_gradient_reaches_the_coefficient():
    k = torch.rand(3, 4, dtype=torch.float64) + 0.5
    mask = torch.rand(3, 4) < 0.8
    x = torch.randn(12, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda k: poisson((3, 4), 0.3, coefficient=k, boundary="open", mask=mask) @ x, (k.requires_grad_(),)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundary": "neumann"}, "boundary is one of 'wall'"),
        ({"boundary": ("wall", "wall", "wall")}, "each of the 2 axes"),
        ({"boundary": (("periodic", "wall"), "wall")}, "both ends or at none"),
        ({"spacing": 0.0}, "positive length"),
        ({"spacing": (1.0, 1.0, 1.0)}, "2 axes"),
        ({"mask": np.ones((3, 4))}, "boolean"),
        ({"mask": np.ones((4, 3), dtype=bool)}, r"\(3, 4\)"),
        ({"coefficient": np.ones((4, 4))}, "shape of the grid"),
        ({"coefficient": (np.ones((4, 4)), np.ones((3, 4)))}, r"coefficient\[1\].*\(3, 5\)"),
        ({"coefficient": np.nan}, "coefficient holds NaN"),
        ({"coefficient": -1.0}, "k ≥ 0.*is −A"),
        ({"coefficient": (np.ones((4, 4)), -np.ones((3, 5)))}, "k ≥ 0"),
        ({"spacing": "1 m"}, "positive length"),
        ({"spacing": (None, 1.0)}, "positive length"),
        ({"grid": (3, 0)}, "whole numbers ≥ 1"),
        ({"grid": (3.5, 4)}, "whole numbers ≥ 1"),
        ({"grid": 3}, "grid is a tuple"),
    ],
)
def test_what_makes_no_system_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        poisson(**{"grid": (3, 4), **options})
