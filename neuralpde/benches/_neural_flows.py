"""How the flow benches step neural flows: on a stream function, and on velocity and pressure."""

from __future__ import annotations

from dataclasses import dataclass

from neuralpde.benches._flows import FlowReference
from neuralpde.benches._marching import Measured
from neuralpde.integrators import RK4, Integrator
from neuralpde.optimize import GaussNewton
from neuralpde.representations import NeuralFlow, NeuralVelocityPressure
from neuralpde.simulate import Solution, simulate


@dataclass(frozen=True)
class NeuralFlowMethod:
    """A stream-function field stepped by projected RK4, every stage a Gauss–Newton fit of the velocity.

    Args:
        dt: of the steps.
        hidden: widths of the potential's layers behind the harmonic features.
        pressure_hidden: of the pressure's.
        density: points of every fit, as a multiple of the dofs.
        first: iterations of the first fit, from random weights.
        atol: root mean square residual at which a stage's fit ends.
        maxiter: most iterations of a stage's fit.
        accept: largest residual of a fit, as a share of what it fits.
        stall: a fit also ends where an iteration takes less than this part of the residual away.
    """

    dt: float
    hidden: tuple[int, ...]
    pressure_hidden: tuple[int, ...]
    density: float
    first: int
    atol: float
    maxiter: int = 20
    stall: float = 1e-2
    accept: float = 1e-2

    def solve(self, reference: FlowReference, seed: int) -> Solution:
        """One seed, from the first fit to the last measured time."""
        problem = reference.problem
        r = NeuralFlow.for_problem(
            problem, hidden=self.hidden, pressure_hidden=self.pressure_hidden, steepness=4.0, seed=seed
        )
        points = round(self.density * r.velocity.num_dofs)
        first = GaussNewton(maxiter=self.first, damping=1e-4, stall=0.0, atol=0.1 * self.atol, accept=self.accept)
        fit = GaussNewton(
            maxiter=self.maxiter,
            stall=self.stall,
            damping=1e-8,
            scaling="uniform",
            atol=self.atol,
            accept=self.accept,
        )
        return simulate(
            problem,
            r,
            RK4(),
            dt=self.dt,
            t_end=reference.times[-1],
            save_every=round(reference.spacing / self.dt),
            points=points,
            initial_fit={"options": first, "points": points},
            fit=fit,
        )

    def run(self, reference: FlowReference, seed: int) -> Measured:
        """The figures of :meth:`solve`."""
        return Measured.of(self.solve(reference, seed), reference)


@dataclass(frozen=True)
class VelocityPressureMethod:
    """Velocity and pressure as two plain networks: every advection, diffusion and projection a Gauss–Newton fit.

    Args:
        integrator: a splitting, pressure correction or a projected Runge–Kutta method.
        dt: of the steps.
        hidden, pressure_hidden: widths of the layers behind the harmonic features.
        first: iterations of the first fit, from random weights.
        atol: root mean square residual at which a velocity's fit ends.
        divergence: share of the velocity's gradient at which a pressure's fit ends.
        accept: largest residual of a fit, as a share of what it fits.
    """

    integrator: Integrator
    dt: float
    hidden: tuple[int, ...] = (20, 20)
    pressure_hidden: tuple[int, ...] = (16, 16)
    first: int = 100
    atol: float = 1e-4
    divergence: float = 3e-4
    accept: float = 1e-2

    def solve(self, reference: FlowReference, seed: int) -> Solution:
        """One seed, from the first fit to the last measured time."""
        problem = reference.problem
        r = NeuralVelocityPressure.for_problem(
            problem, hidden=self.hidden, pressure_hidden=self.pressure_hidden, steepness=4.0, seed=seed
        )
        points = round(1.5 * r.velocity.num_dofs)
        first = GaussNewton(maxiter=self.first, damping=1e-4, stall=0.0, atol=0.1 * self.atol, accept=self.accept)
        return simulate(
            problem,
            r,
            self.integrator,
            dt=self.dt,
            t_end=reference.times[-1],
            save_every=round(reference.spacing / self.dt),
            points=points,
            pressure_points=2 * r.pressure.num_dofs,
            initial_fit={"options": first, "points": points},
            fit=GaussNewton(maxiter=8, stall=0.1, damping=1e-8, scaling="uniform", atol=self.atol, accept=self.accept),
            pressure_fit=GaussNewton(maxiter=20, stall=0.05, damping=1e-4, atol=self.divergence, accept=self.accept),
        )

    def run(self, reference: FlowReference, seed: int) -> Measured:
        """The figures of :meth:`solve`."""
        return Measured.of(self.solve(reference, seed), reference)
