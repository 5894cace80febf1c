"""The grid's weighted graph Laplacian against a dense matrix that is written down face by face."""

import itertools

import numpy as np
import pytest
import torch

from neuralpde.linalg import StencilOperator
from neuralpde.types import UsageError

GRIDS = [
    (7,),
    (1,),
    (2,),
    (6, 5),
    (1, 4),
    (4, 1),
    (2, 2),
    (5, 4, 3),
    (1, 3, 2),
    (3, 1, 4),
    (2, 3, 1),
    (2, 2, 2),
    (0, 3),
]


def random_parts(grid, periodic=True, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(0.0, 2.0, grid) * (rng.random(grid) < 0.8) for _ in grid]
    if not periodic:
        for axis, weight in enumerate(weights):
            np.moveaxis(weight, axis, 0)[-1:] = 0.0
    return weights, rng.uniform(0.0, 1.0, grid)


def dense(weights, excess):
    """Σ_f w_f (e_i − e_j)(e_i − e_j)ᵀ + diag(excess)."""
    n = excess.size
    matrix = np.diag(excess.ravel())
    cells = np.arange(n).reshape(excess.shape)
    for axis, weight in enumerate(weights):
        for index in itertools.product(*map(range, excess.shape)):
            beyond = list(index)
            beyond[axis] = (index[axis] + 1) % excess.shape[axis]
            vector = np.zeros(n)
            vector[cells[index]] += 1.0
            vector[cells[tuple(beyond)]] -= 1.0
            matrix += weight[index] * np.outer(vector, vector)
    return matrix


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("periodic", [True, False])
def test_action_diagonal_and_matrix(grid, periodic):
    weights, excess = random_parts(grid, periodic)
    A, matrix = StencilOperator(weights, excess), dense(weights, excess)
    x = np.random.default_rng(1).normal(size=(excess.size, 3))
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-5)):
        block = torch.from_numpy(x).to(dtype)
        for operand in (block, block[:, 0], block[:, 1].contiguous(), block.T.contiguous().T):
            y = A @ operand
            assert y.dtype is dtype and y.shape == operand.shape
            np.testing.assert_allclose(y, matrix @ operand.double().numpy(), rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(A.diagonal(), np.diagonal(matrix), rtol=0, atol=1e-14)
    csr = A.to_csr()
    np.testing.assert_allclose(csr.toarray(), matrix, rtol=0, atol=1e-14)
    assert csr.has_canonical_format and (csr.data != 0.0).all()


@pytest.mark.parametrize("grid", [(300, 500), (40, 70, 60)], ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_slabs_of_threads_agree_with_slices(grid, threads):
    weights, excess = random_parts(grid)
    A = StencilOperator(weights, excess)
    x = torch.randn(excess.size, dtype=torch.float64, requires_grad=True)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fused = A @ x.detach()
    finally:
        torch.set_num_threads(before)
    sliced = A @ x  # in plain torch, since x wants its gradient
    assert sliced.requires_grad and not fused.requires_grad
    torch.testing.assert_close(fused, sliced.detach(), rtol=0, atol=1e-13)


def test_weak_faces_survive_beside_strong_ones_in_float32():
    weights = torch.tensor([1e8, 1.0, 1e8, 0.0])
    u = torch.tensor([1.0, 1.0, 2.0, 2.0])
    assert (StencilOperator([weights]) @ u).tolist() == [0.0, -1.0, 1.0, 0.0]


@pytest.mark.parametrize("grid", [(4,), (3, 4), (2, 3, 2)], ids=str)
def test_gradients_of_the_action(grid):
    weights, excess = random_parts(grid)
    parts = [torch.from_numpy(part).requires_grad_() for part in (*weights, excess)]
    x = torch.randn(excess.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, *parts: StencilOperator(parts[:-1], parts[-1]) @ x, (x, *parts), check_forward_ad=True
    )
    with torch.no_grad():
        assert not (StencilOperator(parts[:-1], parts[-1]) @ x).requires_grad


def test_definite_where_every_component_is_held():
    wall = torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert not StencilOperator([wall]).positive_definite
    assert not StencilOperator([wall], torch.tensor([1.0, 0.0, 0.0, 0.0])).positive_definite
    held = StencilOperator([wall], torch.tensor([1.0, 0.0, 0.0, 1e-3]))
    assert held.positive_definite and np.linalg.eigvalsh(held.to_csr().toarray()).min() > 0
    assert not StencilOperator([-wall], torch.ones(4)).positive_definite
    assert not StencilOperator([wall], -torch.ones(4)).positive_definite
    assert StencilOperator([torch.tensor([1.0, 0.0, 0.0])], torch.tensor([0.0, 1.0, 1.0])).positive_definite


def test_input_of_other_kinds():
    A = StencilOperator([np.array([1, 1, 0])], [0, 0, 2])
    assert A.dtype is torch.float64 and A.excess.tolist() == [0.0, 0.0, 2.0]
    assert (A @ torch.tensor([1, 2, 4])).tolist() == [-1.0, -1.0, 10.0]
    assert StencilOperator([torch.ones(3, dtype=torch.float16)]).excess.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("weights", "excess", "message"),
    [
        ([], None, "1, 2 or 3 axes"),
        ([np.ones((2, 2, 2, 2))] * 4, None, "1, 2 or 3 axes"),
        ([np.ones((3, 4)), np.ones((4, 3))], None, r"weights\[1\] has shape \(4, 3\)"),
        ([np.ones((3, 4))], None, r"weights\[0\] has shape \(3, 4\)"),
        ([np.ones(3)], np.ones(4), r"excess has shape \(4,\)"),
        ([np.array([1.0, np.nan])], None, r"weights\[0\] holds 1 NaN"),
        ([np.ones(2)], [np.inf, 1.0], "excess holds 1 NaN or Inf"),
        ([np.ones(2, dtype=complex)], None, "complex"),
    ],
)
def test_what_is_no_grid_is_refused(weights, excess, message):
    with pytest.raises(UsageError, match=message):
        StencilOperator(weights, excess)


def test_wrong_operand_is_refused():
    with pytest.raises(UsageError, match=r"\(6, 6\).*\(5,\)"):
        StencilOperator([torch.ones(2, 3)] * 2) @ torch.ones(5)


@pytest.mark.parametrize("grid", [(50,), (40, 60), (9, 10, 11)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_product_with_itself_in_the_same_pass(grid, dtype):
    weights, excess = random_parts(grid)
    A = StencilOperator(weights, excess)
    x, buffer = torch.randn(excess.size).to(dtype), torch.full((excess.size,), torch.nan, dtype=dtype)
    y, energy = A.matvec_dot(x, buffer)
    assert y is buffer and torch.equal(y, A @ x)
    assert energy == pytest.approx(float(x.double() @ y.double()), rel=1e-5 if dtype is torch.float32 else 1e-13)
    tracked, again = A.matvec_dot(x.clone().requires_grad_())
    assert tracked.requires_grad and again == pytest.approx(energy, rel=1e-4)
    with pytest.raises(UsageError, match="out must be contiguous"):
        A.matvec_dot(x, buffer[:-1])
    with pytest.raises(UsageError, match="vector"):
        A.matvec_dot(x[:, None])
