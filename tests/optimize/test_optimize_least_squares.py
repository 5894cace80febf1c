"""Least squares on problems with known answers, and on inputs that break solvers."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest
import torch

import neuralpde.optimize
from neuralpde.optimize import Adam, GaussNewton, LeastSquaresSolution, adam, least_squares
from neuralpde.optimize._least_squares import SCALINGS
from neuralpde.types import NonFiniteError, NotConvergedError, Status, UsageError

both = pytest.mark.parametrize("linear", ["qr", "svd"])


def _tensor(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def rosenbrock(z):
    return torch.stack([10 * (z[1] - z[0] ** 2), 1 - z[0]])


def powell(z):
    """Powell's singular function: the Jacobian at the minimum 0 has rank 2."""
    a, b, c, d = z
    return torch.stack([a + 10 * b, math.sqrt(5) * (c - d), (b - 2 * c) ** 2, math.sqrt(10) * (a - d) ** 2])


def helical_valley(z):
    """Fletcher and Powell's helical valley, minimum (1, 0, 0)."""
    angle = torch.atan2(z[1], z[0]) / (2 * math.pi)
    return torch.stack([10 * (z[2] - 10 * angle), 10 * (z[:2].norm() - 1), z[2]])


def bard(z):
    """Bard's function: fifteen data, |r|² = 8.21487e-3 at the minimum (Moré, Garbow & Hillstrom, 1981)."""
    data = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    u = torch.arange(1.0, 16.0, dtype=torch.float64)
    v = 16 - u
    return _tensor(*data) - (z[0] + u / (v * z[1] + torch.minimum(u, v) * z[2]))


@both
def test_rosenbrock(linear: str) -> None:
    found = least_squares(rosenbrock, _tensor(-1.2, 1.0), GaussNewton(100, atol=1e-12, linear=linear))
    assert found.status is Status.CONVERGED_ATOL and found.residual <= 1e-12
    torch.testing.assert_close(found.theta, _tensor(1.0, 1.0), rtol=0, atol=1e-11)
    assert found.iterations < 50


@both
def test_helical_valley(linear: str) -> None:
    found = least_squares(helical_valley, _tensor(-1.0, 0.0, 0.0), GaussNewton(100, atol=1e-11, linear=linear))
    torch.testing.assert_close(found.theta, _tensor(1.0, 0.0, 0.0), rtol=0, atol=1e-10)


@both
def test_powell_singular(linear: str) -> None:
    start = _tensor(3.0, -1.0, 0.0, 1.0)
    found = least_squares(powell, start, GaussNewton(200, atol=1e-12, stall=0.0, linear=linear))
    assert found.status is Status.CONVERGED_ATOL and float(found.theta.abs().max()) <= 1e-4


@both
def test_bard(linear: str) -> None:
    found = least_squares(bard, _tensor(1.0, 1.0, 1.0), GaussNewton(100, stall=1e-12, linear=linear))
    assert found.residual**2 == pytest.approx(8.21487e-3, rel=1e-5)
    assert found.status is Status.STAGNATED, "the least misfit is not zero"


def _linear(rows: int, columns: int, rank: int | None = None):
    generator = torch.Generator().manual_seed(3)
    A = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    if rank is not None:
        A = A[:, :rank] @ torch.randn(rank, columns, generator=generator, dtype=torch.float64)
    return A, torch.randn(rows, generator=generator, dtype=torch.float64)


@both
def test_linear_overdetermined_is_lstsq(linear: str) -> None:
    A, b = _linear(40, 7)
    options = GaussNewton(50, stall=1e-14, damping=1e-10, linear=linear)
    found = least_squares(lambda z: A @ z - b, torch.zeros(7, dtype=torch.float64), options)
    wanted, misfit, *_ = np.linalg.lstsq(A.numpy(), b.numpy(), rcond=None)
    np.testing.assert_allclose(found.theta.numpy(), wanted, atol=1e-10)
    assert found.residual == pytest.approx(math.sqrt(misfit[0]), rel=1e-12)
    assert found.history[1] == pytest.approx(found.residual, rel=1e-9), "one undamped step suffices"


@both
@pytest.mark.parametrize("shape", [(30, 8), (5, 8)], ids=["tall", "wide"])
def test_rank_deficient_reaches_the_least_misfit(linear: str, shape: tuple[int, int]) -> None:
    A, b = _linear(*shape, rank=4)
    options = GaussNewton(60, stall=1e-13, damping=1e-6, linear=linear)
    found = least_squares(lambda z: A @ z - b, torch.ones(8, dtype=torch.float64), options)
    wanted = np.linalg.lstsq(A.numpy(), b.numpy(), rcond=None)[0]
    least = float(np.linalg.norm(A.numpy() @ wanted - b.numpy()))
    assert found.residual == pytest.approx(least, rel=1e-7)
    assert float(found.theta.abs().max()) < 100, "nothing runs off along the null space"


@pytest.mark.parametrize("function", [rosenbrock, powell, helical_valley, bard])
def test_qr_and_svd_take_the_same_path(function) -> None:
    start = {powell: _tensor(3.0, -1.0, 0.0, 1.0), rosenbrock: _tensor(-1.2, 1.0)}.get(function, _tensor(0.9, 1.1, 1.2))
    options = {"maxiter": 5, "damping": 1e-3, "stall": 0.0}
    one, other = (least_squares(function, start, GaussNewton(linear=linear, **options)) for linear in ("qr", "svd"))
    np.testing.assert_allclose(one.history, other.history, rtol=1e-6, atol=1e-12)


def test_columns_of_any_scale_make_no_difference() -> None:
    scale = _tensor(1e4, 1e-4)
    plain = least_squares(rosenbrock, _tensor(-1.2, 1.0), GaussNewton(60, damping=1e-3, atol=1e-10))
    scaled = least_squares(
        lambda z: rosenbrock(z * scale), _tensor(-1.2, 1.0) / scale, GaussNewton(60, damping=1e-3, atol=1e-10)
    )
    np.testing.assert_allclose(scaled.history, plain.history, rtol=1e-6, atol=1e-12)


def test_the_residual_never_rises_and_is_the_true_one() -> None:
    seen = []
    found = least_squares(powell, _tensor(3.0, -1.0, 0.0, 1.0), callback=lambda k, size: seen.append((k, size)))
    assert all(b < a for a, b in zip(found.history, found.history[1:], strict=False))
    assert [size for _, size in seen] == list(found.history[1:])
    assert found.residual == float(powell(found.theta).norm()) == found.history[-1]


def test_statuses() -> None:
    start = _tensor(-1.2, 1.0)
    assert least_squares(rosenbrock, start, GaussNewton(2)).status is Status.MAXITER
    assert least_squares(rosenbrock, start, GaussNewton(2)).iterations == 2
    assert least_squares(rosenbrock, start, GaussNewton(60, rtol=1e-3)).status is Status.CONVERGED_RTOL
    at_rest = least_squares(rosenbrock, _tensor(1.0, 1.0), GaussNewton(atol=1e-9))
    assert (at_rest.status, at_rest.iterations) == (Status.CONVERGED_ATOL, 0)
    flat = least_squares(lambda z: 1 + 0 * z, _tensor(1.0, 2.0))
    assert flat.status is Status.STAGNATED and flat.theta.tolist() == [1.0, 2.0]
    minimum = least_squares(lambda z: torch.cat([z, 1 + 0 * z]), _tensor(0.0), GaussNewton(stall=0.0))
    assert minimum.status is Status.STAGNATED and minimum.residual == 1.0


def test_a_failure_is_raised_when_asked() -> None:
    with pytest.raises(NotConvergedError, match="least squares: the iteration limit") as caught:
        least_squares(rosenbrock, _tensor(-1.2, 1.0), GaussNewton(2, atol=1e-9), raise_on_failure=True)
    assert caught.value.result.iterations == 2


@both
def test_nan_at_the_start_is_an_error(linear: str) -> None:
    with pytest.raises(NonFiniteError, match="not finite at the start; check the data for NaN") as caught:
        least_squares(lambda z: z.log(), _tensor(-1.0), GaussNewton(linear=linear))
    assert caught.value.result.status is Status.NON_FINITE


def test_nan_on_the_way_is_a_rejected_step() -> None:
    # a full Newton step from 3 jumps to log of a negative number
    found = least_squares(lambda z: z.log(), _tensor(4.0), GaussNewton(60, atol=1e-12))
    assert float(found.theta) == pytest.approx(1.0, abs=1e-11)


def test_a_given_jacobian_is_used() -> None:
    calls = []

    def jacobian(z):
        calls.append(1)
        return torch.tensor([[-20 * z[0], 10.0], [-1.0, 0.0]], dtype=torch.float64)

    found = least_squares(rosenbrock, _tensor(-1.2, 1.0), GaussNewton(100, atol=1e-12), jacobian=jacobian)
    assert found.status.ok and len(calls) == len(found.history) - 1


def test_a_dead_column_stays_where_it_is() -> None:
    found = least_squares(lambda z: rosenbrock(z[:2]), _tensor(-1.2, 1.0, 5.0), GaussNewton(100, atol=1e-12))
    assert found.status.ok and float(found.theta[2]) == 5.0


def test_float32_stays_float32() -> None:
    found = least_squares(rosenbrock, _tensor(-1.2, 1.0).float(), GaussNewton(60, atol=1e-5))
    assert found.theta.dtype == torch.float32 and found.status.ok


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"linear": "lu"}, "linear is one of qr, svd; got 'lu'"),
        ({"maxiter": 0}, "maxiter must be at least 1; got 0"),
        ({"scaling": "rows"}, "scaling is one of columns, uniform; got 'rows'"),
    ],
)
def test_wrong_options_are_refused(options: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        GaussNewton(**options)


# ---------------------------------------------------------------------------------------- scaling

STRETCH = _tensor(1e3, 1.0, 1e-4, 30.0)


def _stretched_paths(scaling: str) -> tuple[LeastSquaresSolution, LeastSquaresSolution]:
    """Powell's function in z, and in y with z = S y: the same problem with the columns of J multiplied by S."""
    start, options = _tensor(3.0, -1.0, 0.0, 1.0), GaussNewton(12, stall=0.0, damping=1e-2, scaling=scaling)
    plain = least_squares(powell, start, options)
    return plain, least_squares(lambda y: powell(STRETCH * y), start / STRETCH, options)


def test_column_scaling_does_not_see_the_units_of_a_weight() -> None:
    plain, stretched = _stretched_paths("columns")
    assert len(plain.history) > 8
    np.testing.assert_allclose(stretched.history, plain.history, rtol=1e-7)
    torch.testing.assert_close(STRETCH * stretched.theta, plain.theta, rtol=1e-6, atol=1e-9)


def test_uniform_scaling_sees_the_units_of_a_weight() -> None:
    plain, stretched = _stretched_paths("uniform")
    assert abs(stretched.history[1] / plain.history[1] - 1) > 0.1


@both
def test_uniform_scaling_takes_the_shortest_way_in_theta(linear: str) -> None:
    # z₀ + 10 z₁ = 1 from the origin: the nearest solution lies along (1, 10), the nearest in |D z| at equal D_i z_i
    options = {"maxiter": 1, "damping": 1e-10, "linear": linear}
    found = {
        scaling: least_squares(
            lambda z: z[:1] + 10 * z[1:] - 1, _tensor(0.0, 0.0), GaussNewton(scaling=scaling, **options)
        )
        for scaling in SCALINGS
    }
    torch.testing.assert_close(found["uniform"].theta, _tensor(1.0, 10.0) / 101, rtol=1e-8, atol=0)
    torch.testing.assert_close(found["columns"].theta, _tensor(0.5, 0.05), rtol=1e-8, atol=0)


@both
def test_uniform_scaling_turns_with_the_axes(linear: str) -> None:
    """|D δ| with D a multiple of the identity does not see an orthogonal change of weights either, however damped."""
    A, b = _linear(6, 4)
    turn = torch.linalg.qr(_linear(4, 4)[0]).Q
    start = torch.ones(4, dtype=torch.float64)
    options = GaussNewton(3, stall=0.0, damping=1.0, scaling="uniform", linear=linear)
    plain = least_squares(lambda z: A @ z - b, start, options)
    turned = least_squares(lambda y: A @ (turn @ y) - b, turn.T @ start, options)
    torch.testing.assert_close(turn @ turned.theta, plain.theta, rtol=1e-12, atol=1e-13)


# ------------------------------------------------------------------------------------------- Adam


def test_adam_descends_to_a_minimum() -> None:
    A, b = _linear(30, 5)
    wanted = np.linalg.lstsq(A.numpy(), b.numpy(), rcond=None)[0]
    found = adam(lambda z, k: A @ z - b, torch.zeros(5, dtype=torch.float64), Adam(3000, learning_rate=1e-2))
    np.testing.assert_allclose(found.theta.numpy(), wanted, atol=1e-4)
    assert (found.status, found.iterations, len(found.history)) == (Status.COMPLETED, 3000, 3000)
    assert found.residual == pytest.approx(float((A @ found.theta - b).norm()), rel=1e-14)


def test_adam_is_torch_adam() -> None:
    weights = _tensor(-1.2, 1.0).requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=1e-2, betas=(0.9, 0.999))
    for _ in range(25):
        optimiser.zero_grad()
        (0.5 * rosenbrock(weights).square().sum()).backward()
        optimiser.step()
    found = adam(lambda z, k: rosenbrock(z), _tensor(-1.2, 1.0), Adam(25, learning_rate=1e-2))
    torch.testing.assert_close(found.theta, weights.detach(), rtol=1e-14, atol=0)


def test_adam_stops_and_reports() -> None:
    steps, told = [], []

    def residual(z, k):
        steps.append(k)
        return z

    found = adam(residual, _tensor(1.0), Adam(5000, 1e-2, atol=0.5), callback=lambda k, size: told.append(k))
    assert found.status is Status.CONVERGED_ATOL and 40 < found.iterations < 200
    assert steps[:3] == [1, 2, 3]
    poisoned = adam(lambda z, k: z.log(), _tensor(0.05), Adam(500, 1e-2))
    assert poisoned.status in (Status.COMPLETED, Status.NON_FINITE)
    assert adam(lambda z, k: z * math.nan, _tensor(1.0)).status is Status.NON_FINITE
    adam(lambda z, k: z, _tensor(1.0), Adam(250, 1e-3), callback=lambda k, size: told.append(k))
    assert told[-2:] == [100, 200]


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(neuralpde.optimize.__path__)])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.optimize.{name}")).failed == 0
