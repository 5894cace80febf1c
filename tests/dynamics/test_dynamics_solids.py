"""Solids on staggered grids: what cut cells keep, and the force on the body."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from neuralpde.dynamics import ForceRecord, MacDynamics, _mac_solids, make_dynamics
from neuralpde.dynamics._mac_solids import CutPoisson
from neuralpde.geometry import Block, Box, Condition, Dirichlet, Disc, FreeSlip, LevelSet, Outflow, Periodic, Solid
from neuralpde.integrators import RK4, IncrementalPressureCorrection, LieSplitting, State
from neuralpde.io import load_table
from neuralpde.problems import CylinderChannel, NavierStokes, WalshFlow
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.representations._sections import periodic_distance, section
from neuralpde.simulate import load_solution, simulate, solve
from neuralpde.types import DataError, UsageError

LONG = Box((0.0, 0.0), (2.0, 1.0))
CUBE = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
AROUND, WALLS = (Periodic(),), (Dirichlet(0.0),)


def _profile(t: float, x: Tensor) -> Tensor:
    return torch.stack([6 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], dim=-1)


def _wavy(x: Tensor) -> Tensor:
    return x[:, 1] - 0.3 - 0.1 * torch.sin(math.pi * x[:, 0])


PIPE = (Dirichlet(_profile, "x-"), Outflow("x+"), Dirichlet(0.0))
SETTINGS: dict[str, tuple[Box, tuple[Condition, ...], Solid]] = {
    "channel": (LONG, PIPE, Disc((0.6, 0.47), 0.21)),
    "box": (LONG, WALLS, Disc((0.6, 0.47), 0.21) | Block((1.3, 0.0), (1.61, 0.43))),
    "free slip": (LONG, (FreeSlip(),), Disc((0.0, 0.5), 0.3)),
    "periodic": (LONG, AROUND, Disc((0.1, 0.93), 0.27)),
    "hills": (LONG, (Periodic("x"), Dirichlet(0.0)), LevelSet(_wavy)),
    "ball": (CUBE, (Periodic("z"), Dirichlet(0.0, ("x-", "x+")), FreeSlip(("y-", "y+"))), Disc((0.5, 0.45, 0.1), 0.28)),
    "ball in a wind": (CUBE, (Dirichlet((1.0, 0.0, 0.0), "x-"), Outflow("x+"), FreeSlip()), Disc((0.5,) * 3, 0.2)),
}
settings = pytest.mark.parametrize("name", SETTINGS)
closed = pytest.mark.parametrize("name", ["box", "free slip", "periodic", "hills", "ball"])


def _made(name: str, viscosity: float = 0.01, shape: int = 12) -> tuple[MacGrid, MacDynamics]:
    domain, conditions, solid = SETTINGS[name]
    problem = NavierStokes(viscosity=viscosity, domain=domain, conditions=conditions, solid=solid)
    grid = MacGrid.for_problem(problem, [shape + 2 * i for i in range(domain.dim)])
    return grid, make_dynamics(problem, grid)


def _random(grid: MacGrid, *batch: int) -> Tensor:
    return torch.randn(*batch, grid.num_dofs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _projected(grid: MacGrid, dynamics: MacDynamics, *batch: int) -> Tensor:
    theta = dynamics.constrain(State(0.0, _random(grid, *batch)), 1.0).theta
    parts = grid.split(theta)
    return grid.join({**parts, "velocity": grid.velocity.without_closed(parts["velocity"])})


def _most_divergence(dynamics: MacDynamics, state: State) -> float:
    return float(dynamics.representation.divergence(dynamics.faces(state.theta, state.t)).abs().max())


@settings
def test_no_divergence_after_a_projection_and_after_steps(name: str) -> None:
    grid, dynamics = _made(name)
    state = State(0.0, _projected(grid, dynamics))
    assert _most_divergence(dynamics, state) <= 1e-10
    for integrator in (IncrementalPressureCorrection(), LieSplitting()):
        for _ in range(2):
            state, info = integrator.step(dynamics, state, 0.005)
        assert info.status.ok and _most_divergence(dynamics, state) <= 1e-10


@settings
def test_gradient_and_divergence_are_adjoint(name: str) -> None:
    """Σ_cells p D A u = −Σ_faces w A u·G p: w = ½ on open faces, half of whose cell lies outside."""
    grid, _ = _made(name)
    assert grid.cut is not None
    parts = grid.split(_random(grid))
    p, u = grid.pressure.array(parts["pressure"]), grid.velocity.spread(grid.velocity.unpack(parts["velocity"]))
    right = 0.0
    for i, (velocity, slope) in enumerate(zip(u, grid.gradient(p), strict=True)):
        weight = grid.cut.areas[i].clone()
        if not grid.boundary.periodic[i]:
            for side, end in enumerate((0, -1)):
                weight.select(i, end).mul_(0.5 if isinstance(grid.boundary.on(i, side), Outflow) else 0.0)
        right -= float((weight * velocity * slope).sum())
    assert float((p * grid.divergence(u)).sum()) == pytest.approx(right, rel=1e-12)


@closed
def test_advection_moves_energy_but_makes_none(name: str) -> None:
    grid, dynamics = _made(name)
    assert grid.cut is not None
    theta = _projected(grid, dynamics)
    velocity, area = grid.split(theta)["velocity"], grid.velocity.pack(grid.cut.areas)
    slope = dynamics.slope(0.0, theta, "advection")
    assert abs(float(velocity @ (area * slope))) <= 1e-13 * float(velocity.norm() * (area * slope).norm())
    assert float(velocity @ (area * dynamics.slope(0.0, theta, "diffusion"))) < 0


def test_a_flow_without_viscosity_keeps_its_energy() -> None:
    grid, dynamics = _made("box", viscosity=0.0)
    state = State(0.0, 0.1 * _projected(grid, dynamics))
    before = float(dynamics.energy(state.theta))
    for _ in range(20):
        state, _ = RK4().step(dynamics, state, 2e-3)
    assert float(dynamics.energy(state.theta)) == pytest.approx(before, rel=1e-6)


@settings
def test_the_matrices_are_the_operators(name: str) -> None:
    grid, _ = _made(name)
    assert grid.cut is not None
    still = NavierStokes(domain=grid.domain, conditions=tuple(map(_at_rest, grid.conditions)), solid=grid.solid)
    quiet = MacGrid.for_problem(still, grid.cells)
    u = quiet.velocity.faces(quiet.velocity.without_closed(_random(quiet)[: quiet.velocity.num_dofs]), 0.0)
    assert quiet.cut is not None
    for i in range(grid.dim):
        free = torch.zeros(quiet.velocity.shapes[i], dtype=torch.bool)
        free[quiet.velocity.free[i]] = True
        chosen = free & quiet.cut.live[i]
        product = (quiet.cut.viscous_operator(i) @ u[i].reshape(-1)).reshape(u[i].shape)
        wanted = -(quiet.cut.areas[i] * quiet.laplacian(u[i], i, 0.0))
        torch.testing.assert_close(product[chosen], wanted[chosen], rtol=1e-12, atol=1e-9)
    p = grid.pressure.array(grid.split(_random(grid))["pressure"])
    product = (grid.cut.pressure_operator() @ p.reshape(-1)).reshape(p.shape)
    slope = grid.velocity.spread(grid.velocity.unpack(grid.velocity.pack(grid.gradient(p))))
    torch.testing.assert_close(product, -grid.divergence(slope), rtol=1e-12, atol=1e-9)


@settings
def test_multigrid_finds_the_pressure_of_a_dense_solve_and_of_the_factors(name: str, monkeypatch) -> None:
    grid, dynamics = _made(name)
    assert grid.cut is not None and isinstance(dynamics.poisson, CutPoisson)
    b = -grid.divergence(grid.velocity.spread(grid.velocity.unpack(_random(grid, 2)[:, : grid.velocity.num_dofs])))
    matrix = grid.cut.pressure_operator().to_csr().toarray()
    wanted = torch.from_numpy(np.linalg.lstsq(matrix, b.reshape(2, -1).numpy().T, rcond=1e-12)[0].T).reshape(b.shape)
    closed = torch.from_numpy(matrix.diagonal() == 0).reshape(grid.cells)
    monkeypatch.setattr(_mac_solids, "_DIRECT_CELLS", {2: 0, 3: 0})
    iterated = CutPoisson(grid)
    for poisson, recipe in ((dynamics.poisson, "Direct"), (iterated, "GeometricMultigrid")):
        assert type(poisson.prepared._recipe).__name__ == recipe
        p = poisson.solve(b)
        assert not bool(p[..., closed].any())
        torch.testing.assert_close(p, wanted, rtol=0, atol=1e-10 * float(wanted.abs().max()))


@settings
@pytest.mark.parametrize("beta", [1e-4, 10.0])
def test_diffusion_finds_the_velocity_of_a_dense_solve(name: str, beta: float) -> None:
    grid, dynamics = _made(name)
    assert grid.cut is not None
    velocity = grid.velocity.unpack(_random(grid)[: grid.velocity.num_dofs])
    for i, f in enumerate(velocity):
        free = torch.zeros(grid.velocity.shapes[i], dtype=torch.bool)
        free[grid.velocity.free[i]] = True
        open_faces = (free & grid.cut.live[i]).reshape(-1).numpy()
        viscous = grid.cut.viscous_operator(i).to_csr()[open_faces][:, open_faces].toarray()
        area = grid.cut.areas[i].reshape(-1).numpy()[open_faces]
        inside = grid.cut.live[i][grid.velocity.free[i]]
        u = dynamics.diffusion[i].solve(f.reshape(1, -1), beta).reshape(f.shape)
        wanted = np.linalg.solve(np.diag(area) + beta * viscous, area * f[inside].numpy())
        assert not bool(u[~inside].any())
        torch.testing.assert_close(u[inside], torch.from_numpy(wanted), rtol=0, atol=1e-11 * np.abs(wanted).max())


def _at_rest(condition: Condition) -> Condition:
    return Dirichlet(0.0, condition.on) if isinstance(condition, Dirichlet) else condition


def test_what_the_fluid_loses_the_body_gains() -> None:
    """d/dt Σ A u = −F on a periodic domain, with the pressure that belongs to the velocity."""
    grid, dynamics = _made("periodic")
    assert grid.cut is not None
    theta = dynamics.complete(0.0, _projected(grid, dynamics))
    rate = dynamics.slope(0.0, theta) + dynamics.slope(0.0, theta, "pressure")
    area = grid.velocity.pack(grid.cut.areas)
    gained = [float(part.sum()) * math.prod(grid.spacing) for part in (area * rate).split(grid.velocity.sizes)]
    assert gained == pytest.approx([-f for f in dynamics.force(0.0, theta).tolist()], rel=1e-10)


def _tilted(slope: float, thickness: float) -> LevelSet:
    """A wall across the whole domain; all of it is far from any face's midpoint or corner for small slopes."""
    return LevelSet(lambda x: (x[:, 0] - 0.655 - slope * (x[:, 1] - 0.5)).abs() - thickness / 2)


WALLS_ACROSS = {
    "upright": Block((0.645, -1.0), (0.665, 2.0)),
    "a thousandth of a cell": Block((0.6549, -1.0), (0.655, 2.0)),
    "tilted": _tilted(0.3, 0.02),
    "diagonal": _tilted(1.0, 0.02),
    "flat": _tilted(1.7, 0.01),
}


@pytest.mark.parametrize("name", WALLS_ACROSS)
@pytest.mark.parametrize("shape", [(32, 16), (31, 17)])
def test_no_wall_is_too_thin_to_hold_the_fluid(name: str, shape: tuple[int, int]) -> None:
    """Cells on the two sides of a wall are in two pools."""
    grid = MacGrid(LONG, WALLS, shape=shape, solid=WALLS_ACROSS[name])
    assert grid.cut is not None
    pools = connected_components(grid.cut.pressure_operator().to_csr(), directed=False)[1].reshape(shape)
    assert grid.velocity.open[0].count_nonzero() and pools[0, shape[1] // 2] != pools[-1, shape[1] // 2]


def test_a_thin_plate_in_a_wind_is_flown_around() -> None:
    plate, wind = Block((0.645, 0.25), (0.665, 0.75)), (Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), FreeSlip())
    problem = NavierStokes(viscosity=0.02, domain=LONG, conditions=wind, solid=plate)
    run = simulate(problem, MacGrid.for_problem(problem, (32, 16)), IncrementalPressureCorrection(), dt=0.01, t_end=0.5)
    through = run.at(0.5)(torch.tensor([[0.66, 0.5], [0.66, 0.15], [0.66, 0.85]], dtype=torch.float64))[:, 0]
    assert abs(float(through[0])) < 0.05 and float(through[1:].min()) > 1.2


@pytest.mark.parametrize("solid", [Disc((0.6, 0.47), 0.21), Block((0.5, 0.4), (0.73, 0.71)), Disc((0.6, 0.5), 0.1)])
def test_no_face_of_a_body_of_two_cells_is_closed_for_being_thin(solid: Solid) -> None:
    grid = MacGrid(LONG, WALLS, shape=(24, 14), solid=solid)
    distance = periodic_distance(solid, grid.boundary.periods, grid.spacing)
    for i, area in enumerate(grid.velocity.open):
        plain = section(distance, [grid.velocity.axis(i, a) for a in (0, 1)], i, grid.spacing)[0]
        assert torch.equal(area > 0, plain >= 1e-3)


@pytest.mark.parametrize("side", ["below", "left"])
def test_a_block_aligned_with_the_grid_is_the_wall_of_a_smaller_box(side: str) -> None:
    """Blocks that fill one end of a box leave a smaller box, whose walls are where the block's are."""
    if side == "below":
        block, rest, whole, part = Block((-1.0, -1.0), (3.0, 0.25)), Box((0.0, 0.25), (2.0, 1.0)), (20, 16), (20, 12)
    else:
        block, rest, whole, part = Block((-1.0, -1.0), (0.5, 2.0)), Box((0.5, 0.0), (2.0, 1.0)), (20, 16), (15, 16)
    with_block = NavierStokes(viscosity=0.05, domain=LONG, conditions=WALLS, solid=block)
    without = NavierStokes(viscosity=0.05, domain=rest, conditions=WALLS)
    found = []
    for problem, shape in ((with_block, whole), (without, part)):
        grid = MacGrid.for_problem(problem, shape)
        dynamics = make_dynamics(problem, grid)
        swirl = grid.project(lambda x: torch.stack([x[:, 1] ** 2, 3 * x[:, 0] * x[:, 1], 0 * x[:, 0]], dim=-1)).theta
        state = State(0.0, dynamics.constrain(State(0.0, swirl), 0.0).theta)
        for _ in range(5):
            state, _ = IncrementalPressureCorrection().step(dynamics, state, 1e-2)
        found.append(dynamics.faces(state.theta, state.t))
    for i, (big, small) in enumerate(zip(*found, strict=True)):
        corner = big[tuple(slice(n - m, None) for n, m in zip(big.shape, small.shape, strict=True))]
        torch.testing.assert_close(corner, small, rtol=0, atol=1e-9, msg=f"component {i}")


@pytest.mark.parametrize(
    ("name", "volume"), [("channel", math.pi * 0.21**2), ("ball in a wind", 4 / 3 * math.pi * 0.008)]
)
def test_closed_fractions_add_up_to_the_body(name: str, volume: float) -> None:
    grid, _ = _made(name, shape=32)
    assert grid.cut is not None
    for area in grid.cut.areas:
        assert float((1 - area).sum()) * math.prod(grid.spacing) == pytest.approx(volume, rel=0.04)


def test_what_flows_in_flows_out_and_along() -> None:
    grid, dynamics = _made("channel", shape=24)
    assert grid.cut is not None
    state = State(0.0, dynamics.constrain(State(0.0, grid.initial()), 0.0).theta)
    for _ in range(10):
        state, _ = IncrementalPressureCorrection().step(dynamics, state, 0.01)
    through = (grid.cut.areas[0] * dynamics.faces(state.theta, state.t)[0]).sum(1) * grid.spacing[1]
    assert float((through - through[0]).abs().max()) <= 1e-12 * float(through[0])


def test_a_cylinder_across_a_3d_channel_is_the_cylinder_in_2d() -> None:
    def rod(x: Tensor) -> Tensor:
        return (x[:, :2] - x.new_tensor([0.6, 0.47])).norm(dim=-1) - 0.21

    def inflow(t: float, x: Tensor) -> Tensor:
        return torch.cat([_profile(t, x), torch.zeros(len(x), 1, dtype=x.dtype)], dim=-1)

    forces = []
    for flat in (True, False):
        domain = LONG if flat else Box((0.0, 0.0, 0.0), (2.0, 1.0, 0.5))
        sides = (Dirichlet(_profile if flat else inflow, "x-"), Outflow("x+"), Dirichlet(0.0, ("y-", "y+")))
        conditions = sides if flat else (*sides, Periodic("z"))
        problem = NavierStokes(viscosity=0.02, domain=domain, conditions=conditions, solid=LevelSet(rod))
        grid = MacGrid.for_problem(problem, (24, 12) if flat else (24, 12, 4))
        dynamics = make_dynamics(problem, grid)
        state = State(0.0, dynamics.constrain(State(0.0, grid.initial()), 0.0).theta)
        for _ in range(4):
            state, _ = IncrementalPressureCorrection().step(dynamics, state, 0.01)
        forces.append(dynamics.force(state.t, state.theta))
    assert (2 * forces[1]).tolist() == pytest.approx([*forces[0].tolist(), 0.0], rel=1e-8, abs=1e-8)


def test_a_ball_in_the_middle_is_pushed_along_the_wind_only() -> None:
    problem = NavierStokes(
        viscosity=0.05, domain=CUBE, conditions=SETTINGS["ball in a wind"][1], solid=Disc((0.5,) * 3, 0.2)
    )
    grid = MacGrid.for_problem(problem, 12)
    dynamics = make_dynamics(problem, grid)
    state = State(0.0, dynamics.constrain(State(0.0, grid.initial()), 0.0).theta)
    for _ in range(10):
        state, _ = IncrementalPressureCorrection().step(dynamics, state, 0.02)
    force = dynamics.force(state.t, state.theta)
    assert float(force[0]) > 0.1 and float(force[1:].abs().max()) <= 1e-8 * float(force[0])


def test_cases_of_a_batch_march_as_they_would_alone() -> None:
    grid, dynamics = _made("channel")
    batch = _projected(grid, dynamics, 2)
    step = IncrementalPressureCorrection().step
    together = step(dynamics, State(0.0, batch), 1e-3)[0].theta
    for k in range(2):
        alone = step(dynamics, State(0.0, batch[k]), 1e-3)[0].theta
        torch.testing.assert_close(together[k], alone, rtol=1e-10, atol=1e-8)
    assert dynamics.force(0.0, together).shape == (2, 2)


def test_the_drag_of_the_steady_cylinder_converges(tmp_path) -> None:
    flow, errors = CylinderChannel(), []
    assert flow.reynolds == pytest.approx(20)
    for cells in (12, 24):
        grid = MacGrid.for_problem(flow, (round(cells * 2.2 / 0.41), cells))
        dynamics = make_dynamics(flow, grid)
        record = ForceRecord(dynamics, {"front": flow.front_and_back[0]}, every=10)
        dt = 0.5 * min(grid.spacing) / 0.4
        simulate(flow, grid, IncrementalPressureCorrection(), dt=dt, t_end=5.0, save_every=10**6, progress=record)
        table = load_table(record.save(tmp_path / "forces.csv"))
        drag = 2 * table["force_x"] / (flow.mean_speed**2 * flow.diameter)
        assert abs(drag[-1] - drag[-2]) <= 1e-2 * drag[-1] and {"front_pressure", "front_velocity_y"} <= set(table)
        errors.append(abs(drag[-1] / 5.5795 - 1))
    assert errors[1] <= 0.025 and errors[1] < errors[0]


def test_a_file_knows_its_solid(tmp_path) -> None:
    flow = CylinderChannel()
    grid = MacGrid.for_problem(flow, (43, 8))
    run = simulate(flow, grid, IncrementalPressureCorrection(), dt=0.02, t_end=0.04)
    again = load_solution(run.save(tmp_path / "run.h5"), flow)
    assert isinstance(again.representation, MacGrid) and again.representation.solid == flow.solid
    further = [
        simulate(flow, s.representation, IncrementalPressureCorrection(), dt=0.02, t_end=0.06, restart=s.last)
        for s in (run, again)
    ]
    assert torch.equal(further[0].last.theta, further[1].last.theta)
    with pytest.raises(DataError, match="with solid = Disc"):
        load_solution(tmp_path / "run.h5", CylinderChannel(solid=Disc((0.2, 0.2), 0.04)))


def _march_with_another_solid() -> object:
    problem = NavierStokes(domain=LONG, conditions=WALLS, solid=Disc((1.0, 0.5), 0.2))
    return make_dynamics(problem, MacGrid(LONG, WALLS, shape=8))


def _spectral() -> object:
    problem = WalshFlow(solid=Disc((1.0, 1.0), 0.2))
    return make_dynamics(problem, SpectralGrid.for_problem(problem, 8))


NOOK = Block((0.0625, -1.0), (0.5, 0.5)) | Block((-1.0, 0.0625), (0.5, 0.5))
"""Leaves one cell between itself, the inflow and the wall."""


def _dammed(solid: Solid, *outlets: str) -> object:
    sides = (Dirichlet((1.0, 0.0), "x-"), *(Outflow(face) for face in outlets), Dirichlet(0.0))
    problem = NavierStokes(domain=LONG, conditions=sides, solid=solid)
    return make_dynamics(problem, MacGrid.for_problem(problem, (32, 16)))


REFUSED = [
    (
        lambda: _dammed(Block((1.0, 0.0), (1.2, 1.0)), "x+"),
        "push 1 more into a part of the domain that the",
    ),
    (lambda: _dammed(Disc((1.0, 0.5), 0.2)), "push 1 more into this closed domain than out of it"),
    (
        lambda: _dammed(Block((0.0625, -1.0), (0.5, 0.5)) | Block((-1.0, 0.0625), (0.5, 0.5)), "x+"),
        "the solid closes off",
    ),
    (_march_with_another_solid, "made for the solid None"),
    (_spectral, "use a? ?MacGrid"),
    (lambda: NavierStokes(solid=Disc((0.5,) * 3, 0.1)), "2D, its solid 3D"),
    (lambda: MacGrid(LONG, WALLS, shape=8, solid=Disc((0.5,) * 3, 0.1)), "the solid is 3D, the domain 2D"),
    (lambda: MacGrid(LONG, WALLS, shape=8, solid=Disc((1.0, 0.5), 9.0)), "fills the whole domain"),
    (lambda: MacGrid(LONG, WALLS, shape=16, solid=Disc((5.0, 5.0), 0.1)), "outside the domain .*leave it out"),
    (lambda: MacGrid(LONG, WALLS, shape=16, solid=Disc((0.53, 0.53), 0.004)), "smaller than a cell of 0.125 × 0.0625"),
    (
        lambda: MacGrid(LONG, WALLS, shape=16, solid=Disc((1.0, 0.5), 0.2) | Disc((5.0, 5.0), 1.0)),
        r"Disc.*\(5.0, 5.0\)",
    ),
    (lambda: CylinderChannel(solid=Disc((0.2, 0.4), 0.05)), "must lie inside the channel"),
    (lambda: _made("box")[1].steady(_random(_made("box")[0])), "march NavierStokes until it no longer moves"),
    (lambda: make_dynamics(*_plain()).force(0.0, torch.zeros(1)), "has no solid"),
    (lambda: ForceRecord(make_dynamics(*_plain())), "has no solid"),
    (lambda: solve(*_channel()), "march CylinderChannel"),
]


def _plain() -> tuple[NavierStokes, MacGrid]:
    problem = NavierStokes(domain=LONG, conditions=WALLS)
    return problem, MacGrid.for_problem(problem, 8)


def _channel() -> tuple[CylinderChannel, MacGrid]:
    return CylinderChannel(), MacGrid.for_problem(CylinderChannel(), (43, 8))


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_what_cannot_be_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
