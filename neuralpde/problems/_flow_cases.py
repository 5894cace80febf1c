"""Flows with a name: exact solutions of the Navier–Stokes equations, and flows that everyone computes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neuralpde.geometry import Box, Condition, Dirichlet, Periodic
from neuralpde.problems._flow import IncompressibleFlow, OwnConditions
from neuralpde.problems._vortices import GaussianVortices
from neuralpde.types import UsageError


@dataclass(frozen=True)
class TaylorGreen(IncompressibleFlow):
    """Taylor and Green's array of vortices: u = A (sin X cos Y, −cos X sin Y) e^{−2νk²t}, X = k (x − x₀).

    Exact, with p = A²/4 (cos 2X + cos 2Y) e^{−4νk²t}. Without viscosity it is steady: doing nothing passes.

    Args:
        viscosity: ν ≥ 0.
        amplitude: A; the default is INSR's 1/π.
        domain, conditions: a square of side 2π/k; the default is INSR's [−1, 1]².

    Source: Taylor & Green, Proc. R. Soc. A 158 (1937); INSR, Chen et al., ICML 2023, for the default's numbers.
    """

    viscosity: float = 0.0
    amplitude: float = 1 / math.pi
    domain: Box = field(default_factory=lambda: Box((-1.0, -1.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Periodic(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        _square(self)

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :2]

    def exact(self, t: float, x: Tensor) -> Tensor:
        k = 2 * math.pi / self.domain.lengths[0]
        angle = k * (x - x.new_tensor(self.domain.lower))
        (sx, sy), (cx, cy) = torch.sin(angle).unbind(-1), torch.cos(angle).unbind(-1)
        decay = math.exp(-2 * self.viscosity * k**2 * t)
        pressure = 0.25 * (torch.cos(2 * angle).sum(-1)) * self.amplitude**2 * decay**2
        return torch.stack([self.amplitude * decay * sx * cy, -self.amplitude * decay * cx * sy, pressure], dim=-1)


@dataclass(frozen=True)
class WalshFlow(IncompressibleFlow):
    """Walsh's eddies, carried by a mean wind: u = U + ∇⊥ψ(x − U t) e^{−νK t} with Δψ = −K ψ.

    Exact on the torus for every choice of waves of one length: ψ = Σ a_j cos(k_j·x + φ_j), |k_j|² = K, phases φ_j and
    amplitudes a_j drawn from a seed. A flow that moves, so a solver that does nothing fails.

    Args:
        viscosity: ν ≥ 0.
        wind: U, one number per axis.
        waves: K in units of (2π/L)²: the sum of the squares of the wave numbers; 5, 25, 50, 65 have several waves.
        amplitude: root mean square of the eddies' velocity.
        seed: of phases and amplitudes.
        domain, conditions: a square.

    Source: Walsh, Eddy solutions of the Navier–Stokes equations, The Navier–Stokes Equations II (1992).
    """

    viscosity: float = 0.01
    wind: tuple[float, float] = (1.0, 0.5)
    waves: int = 5
    amplitude: float = 1.0
    seed: int = 0
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (2 * math.pi, 2 * math.pi)))
    conditions: tuple[Condition, ...] = (Periodic(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        _square(self)
        numbers = range(-math.isqrt(self.waves), math.isqrt(self.waves) + 1)
        # one of k and −k: both are the same cosine
        pairs = [(a, b) for a in numbers for b in numbers if a * a + b * b == self.waves and (a, b) > (0, 0)]
        if self.waves < 1 or not pairs:
            raise UsageError(f"waves must be a sum of two squares, such as 5 = 1² + 2²; got {self.waves}.")
        generator = torch.Generator().manual_seed(self.seed)
        phases = 2 * math.pi * torch.rand(len(pairs), generator=generator, dtype=torch.float64)
        sizes = 0.5 + torch.rand(len(pairs), generator=generator, dtype=torch.float64)
        k = 2 * math.pi / self.domain.lengths[0] * torch.tensor(pairs, dtype=torch.float64)
        # mean |∇ψ|² = K Σ a²/2
        sizes = sizes * self.amplitude / (0.5 * float(k[0].square().sum() * sizes.square().sum())) ** 0.5
        object.__setattr__(self, "_modes", (k, phases, sizes))

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :2]

    def exact(self, t: float, x: Tensor) -> Tensor:
        k, phases, sizes = (m.to(x) for m in self._modes)  # type: ignore[attr-defined]
        wind, square = x.new_tensor(self.wind), float(k[0].square().sum())
        sizes = sizes * math.exp(-self.viscosity * square * t)
        angle = (x - wind * t) @ k.T + phases
        psi, slope = (sizes * torch.cos(angle)).sum(-1), -(sizes * torch.sin(angle)) @ k
        eddies = torch.stack([slope[:, 1], -slope[:, 0]], dim=-1)
        mean = 0.5 * square * float(sizes.square().sum())  # of ½|∇ψ|² + ½Kψ², so that p has mean zero
        pressure = mean - 0.5 * (eddies.square().sum(-1) + square * psi.square())
        return torch.cat([wind + eddies, pressure[:, None]], dim=-1)


@dataclass(frozen=True)
class BeltramiFlow(IncompressibleFlow):
    """Arnold, Beltrami and Childress's flow, carried by a mean wind: u = U + v(x − U t) e^{−νk²t} with

        v = (A sin Z + C cos Y, B sin X + A cos Z, C sin Y + B cos X),   X, Y, Z = k (x, y, z).

    Exact, with p = −½|v|² e^{−2νk²t} + const.: ∇×v = k v, so v·∇v is a gradient. Its streamlines are chaotic where A, B
    and C are alike.

    Args:
        viscosity: ν ≥ 0.
        wind: U.
        amplitudes: A, B, C.
        domain, conditions: a cube of side 2π/k.

    Source: Dombre et al., Chaotic streamlines in the ABC flows, JFM 167 (1986).
    """

    viscosity: float = 0.01
    wind: tuple[float, float, float] = (1.0, 0.5, 0.25)
    amplitudes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    domain: Box = field(default_factory=lambda: Box((0.0,) * 3, (2 * math.pi,) * 3))
    conditions: tuple[Condition, ...] = (Periodic(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = self.domain.lengths
        if self.domain.dim != 3 or not all(math.isclose(lengths[0], other) for other in lengths):
            raise UsageError(f"{self.name} needs a cube; got {self.domain}.")

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :3]

    def exact(self, t: float, x: Tensor) -> Tensor:
        k, (a, b, c) = 2 * math.pi / self.domain.lengths[0], self.amplitudes
        wind = x.new_tensor(self.wind)
        angle = k * (x - x.new_tensor(self.domain.lower) - wind * t)
        sine, cosine = torch.sin(angle), torch.cos(angle)
        v = sine[:, [2, 0, 1]] * x.new_tensor([a, b, c]) + cosine[:, [1, 2, 0]] * x.new_tensor([c, a, b])
        v = v * math.exp(-self.viscosity * k**2 * t)
        mean = 0.5 * (a**2 + b**2 + c**2) * math.exp(-2 * self.viscosity * k**2 * t)
        return torch.cat([wind + v, mean - 0.5 * v.square().sum(-1, keepdim=True)], dim=-1)


@dataclass(frozen=True)
class VortexPair(IncompressibleFlow):
    """Two equal Gaussian vortices that turn around each other and merge by and by, on the torus.

    Vorticity Γ/(2πσ²) exp(−r²/2σ²) around each centre, repeated periodically, its mean taken away. Alone in the plane
    point vortices at distance b turn once in T = 2π²b²/Γ.

    Args:
        viscosity: ν ≥ 0; the Reynolds number is Γ/ν.
        circulation: Γ of each vortex.
        width: σ, the standard deviation of a vortex.
        separation: b, the distance of the centres.
        domain, conditions: periodic; the vortices stand on both sides of its middle, along x.
    """

    viscosity: float = 1e-3
    circulation: float = 1.0
    width: float = 0.06
    separation: float = 0.25
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Periodic(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.width > 0 and self.separation > 0):
            raise UsageError(f"width and separation must be positive; got {self.width} and {self.separation}.")
        x, y = (0.5 * (a + b) for a, b in zip(self.domain.lower, self.domain.upper, strict=True))
        centres = ((x - 0.5 * self.separation, y), (x + 0.5 * self.separation, y))
        vortices = GaussianVortices(self.domain, centres, (self.circulation,) * 2, (self.width,) * 2)
        object.__setattr__(self, "_vortices", vortices)

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self._vortices(x)  # type: ignore[attr-defined, no-any-return]


@dataclass(frozen=True)
class DoubleShearLayer(IncompressibleFlow):
    """Two shear layers of thickness δ that roll up: u = tanh((y − ¼)/δ) below the middle, tanh((¾ − y)/δ) above it,
    v = ε sin 2πx, on the unit square.

    Args:
        viscosity: ν ≥ 0.
        thickness: δ; 1/30 is thick, 1/100 thin.
        perturbation: ε.
        domain, conditions: the periodic unit square.

    Source: Bell, Colella & Glaz, JCP 85 (1989).
    """

    viscosity: float = 1e-4
    thickness: float = 1 / 30
    perturbation: float = 0.05
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Periodic(),)

    def initial_velocity(self, x: Tensor) -> Tensor:
        s = (x - x.new_tensor(self.domain.lower)) / x.new_tensor(self.domain.lengths)
        y = s[:, 1] % 1.0  # points outside by a period, or by rounding, belong to the same layers
        lower, upper = torch.tanh((y - 0.25) / self.thickness), torch.tanh((0.75 - y) / self.thickness)
        v = self.perturbation * torch.sin(2 * math.pi * s[:, 0])
        return torch.stack([torch.minimum(lower, upper), v], dim=-1)


@dataclass(frozen=True)
class LidDrivenCavity(IncompressibleFlow):
    """A square box full of fluid whose lid moves: u = (speed, 0) on y+, 0 on the other walls.

    The speed jumps in the two upper corners, where the vorticity is infinite.

    Args:
        viscosity: ν; the Reynolds number is speed · side / ν.
        speed: of the lid.
        domain: the box.

    Source: Ghia, Ghia & Shin, JCP 48 (1982); Botella & Peyret, Computers & Fluids 27 (1998).
    """

    viscosity: float = 0.01
    speed: float = 1.0
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = OwnConditions()

    def __post_init__(self) -> None:
        super().__post_init__()
        lid = (self.speed, *[0.0] * (self.domain.dim - 1))
        own = OwnConditions((Dirichlet(lid, on="y+"), Dirichlet(0.0)))
        own.refuse_others(self.conditions, self.name)
        object.__setattr__(self, "conditions", own)


def _square(problem: IncompressibleFlow) -> None:
    lengths = problem.domain.lengths
    if problem.domain.dim != 2 or not math.isclose(*lengths):
        raise UsageError(f"{problem.name} needs a square; got {problem.domain}.")
