"""A velocity without divergence by construction: the curl of a neural potential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vmap

from neuralpde.fields import Field, Jet
from neuralpde.geometry import AXES, Box, Condition, Periodic, Quadrature, gauss_lattice
from neuralpde.networks import MLP, MirroredLayer
from neuralpde.optimize import GaussNewton
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._fit import fit_field
from neuralpde.representations._neural_field import NeuralField
from neuralpde.representations._stream_walls import StreamWalls
from neuralpde.types import UsageError


class StreamFunctionField(Representation):
    """u = U + ∇×A_θ: in 2D (∂_y ψ_θ, −∂_x ψ_θ) with a stream function ψ_θ, in 3D the curl of a vector potential.

    Its divergence is zero at every point, whatever θ is, so a least-squares fit of u to any vector field is the
    fit to that field's divergence-free part: on a periodic box the L² projection that takes the pressure gradient away
    (Helmholtz and Leray) is done by the fit itself. θ holds the weights of the potential and the mean velocity U along
    every periodic axis; between two walls it has a profile. Walls of a 2D box are held exactly, see
    :class:`StreamWalls`.

    Args:
        domain, conditions, dtype, device: as for every representation; in 3D periodic along every axis.
        options: of the potential, see :class:`NeuralField`.

    Raises:
        UsageError: for a domain that is not 2D or 3D, or conditions that a stream function cannot hold.

    Example:
        >>> StreamFunctionField(Box((0.0, 0.0), (1.0, 1.0)), (Periodic(),), hidden=(8, 8)).num_dofs
        123
    """

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> None:
        super().__init__(domain, conditions, domain.dim, dtype, device)
        if domain.dim not in (2, 3):
            raise UsageError(f"a stream function needs a 2D domain, a vector potential a 3D one; got {domain.dim}D.")
        periodic = self.boundary.periodic
        self.walls = None if all(periodic) else self._walls()
        axes = [Periodic(AXES[i]) for i in range(self.dim) if periodic[i]]
        components = 1 if domain.dim == 2 else 3
        self.potential = _Potential(self.walls, domain, tuple(axes), components, dtype=dtype, device=device, **options)
        self.means = len(axes)
        """Number of dofs of the mean velocity."""

    def _walls(self) -> StreamWalls:
        if self.dim == 3:
            raise UsageError(
                "a vector potential is periodic along every axis; use a NeuralVelocityPressure or a MacGrid with walls."
            )
        return StreamWalls(self.boundary)

    @property
    def num_dofs(self) -> int:
        return self.potential.num_dofs + self.means

    @property
    def stored_floats(self) -> int:
        return self.potential.stored_floats + self.means

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        weights = self.potential.initial(generator)
        return torch.cat([weights, weights.new_zeros(self.means)])

    def cut(self, theta: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights of the potential, and the mean velocity where there is one."""
        if not self.means:
            return theta, None
        return theta[: -self.means], theta[-self.means :]

    def at(self, theta: Tensor, t: float = 0.0) -> StreamFunctionAt:
        return StreamFunctionAt(self, theta)

    def taped(self, theta: Tensor) -> TapedStreamFunction:
        """The velocity of one θ whose jet records how it depends on θ, see :class:`TapedStreamFunction`."""
        return TapedStreamFunction(self, theta)

    def carried(self, x: Tensor) -> Tensor:
        """Velocities of mean 1 along every periodic axis, ``(n, d, means)``."""
        if self.walls is not None:
            return self.walls.carried(x)[..., None]
        return torch.eye(self.dim, dtype=x.dtype, device=x.device).expand(x.shape[0], -1, -1)

    def jacobian(self, theta: Tensor, x: Tensor, channel: int = 0) -> Tensor:
        """∂u_channel(x_i)/∂θ, ``(n, p)``."""
        need = frozenset({"grad"})

        def value(weights: Tensor, p: Tensor) -> Tensor:
            return curl(self.potential.at(weights).jet(p[None], need).grad)[0, channel]

        weights, _ = self.cut(theta)
        rows = vmap(grad(value), in_dims=(None, 0))(weights, x)
        if not self.means:
            return rows
        return torch.cat([rows, self.carried(x)[:, channel]], dim=1)

    def quadrature(self, n: int | None = None) -> Quadrature:
        """A lattice of n points (3p/d by default); between walls they are Gauss's."""
        count = n or 3 * self.num_dofs // self.dim
        if self.walls is None:
            return self.potential.quadrature(count)
        return gauss_lattice(self.domain, count, self.boundary.periodic, self.dtype, self.device)

    def project(
        self,
        target: Callable[[Tensor], Tensor],
        t: float = 0.0,
        guess: Tensor | None = None,
        *,
        options: GaussNewton | None = None,
        points: int | None = None,
        **_: Any,
    ) -> Projection:
        """Least-squares fit to a velocity at quadrature points, by Levenberg–Marquardt; of a velocity with divergence
        its divergence-free part is found."""
        return fit_field(self, target, t, guess, options, points)

    def config(self) -> dict[str, Any]:
        return {**self.potential.config(), "kind": "stream_function"}


class _Potential(NeuralField):
    """The network of a potential, even about walls without friction, times the factor of the walls."""

    def __init__(self, walls: StreamWalls | None, *args: Any, **options: Any) -> None:
        self.walls = walls
        super().__init__(*args, **options)
        if walls is not None:
            self.hard = walls

    def _build(self, seed: int, generator: torch.Generator | None = None) -> MLP:
        network = super()._build(seed, generator)
        if self.walls is not None and any(map(any, self.walls.mirrors)):
            layer = MirroredLayer(network.first, self.domain.lower, self.domain.upper, self.walls.mirrors)
            network.first = layer.to(dtype=self.dtype, device=self.device)
        return network


class StreamFunctionAt(Field):
    """The velocity of one θ."""

    def __init__(self, representation: StreamFunctionField, theta: Tensor) -> None:
        self.dim, self.walls = representation.dim, representation.walls
        weights, mean = representation.cut(theta)
        self.potential = representation.potential.at(weights)
        self.mean = torch.zeros((), dtype=theta.dtype, device=theta.device) if mean is None else mean
        self.profile = self.walls if mean is not None else None

    def __call__(self, x: Tensor) -> Tensor:
        return self._mean(x) + curl(self.potential.jet(x, frozenset({"grad"})).grad)

    def _mean(self, x: Tensor) -> Tensor:
        """The velocity of the net flux: between walls it has a profile, without walls it is the same everywhere."""
        return self.mean if self.profile is None else self.mean * self.profile.carried(x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        if not needs - {"value"}:
            return Jet(self(x))
        if "hess" in needs:
            raise UsageError("a stream-function field gives value, gradient and Laplacian of its velocity, no Hessian.")
        wanted = {"grad", "hess", "bend"} if "laplacian" in needs else {"grad", "hess"}
        jet = self.potential.jet(x, frozenset(wanted))
        gradient = torch.stack([curl(jet.hess[..., j]) for j in range(self.dim)], dim=-1)
        laplacian = curl(jet.bend) if "laplacian" in needs else None
        if self.profile is not None:
            mean = self.profile.carried_jet(x, needs | {"grad"})
            gradient = gradient + self.mean[..., None] * mean.grad
            laplacian = None if laplacian is None else laplacian + self.mean * mean.laplacian
        return Jet(self._mean(x) + curl(jet.grad), gradient, laplacian)


class TapedStreamFunction(StreamFunctionAt):
    """A velocity for one jet, and the θ-derivatives of numbers that are computed from it."""

    def __init__(self, representation: StreamFunctionField, theta: Tensor) -> None:
        super().__init__(representation, theta)
        self.representation = representation
        self.taped = representation.potential.taped(representation.cut(theta)[0])
        self.potential = self.taped

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        if self.representation.means:  # one for every point, so that each has a gradient of its own
            self.mean = self.mean.detach().expand(x.shape[0], -1).clone().requires_grad_()
        with torch.enable_grad():
            return super().jet(x, needs | {"grad"})

    def gradients(self, numbers: Tensor) -> Tensor:
        """∂r_i/∂θ, ``(n, p)``, of r ``(n,)``, each from the jet at its own point."""
        rows = self.taped.gradients(numbers)
        if not self.representation.means:
            return rows
        (mean,) = torch.autograd.grad([numbers], [self.mean], [torch.ones_like(numbers)], retain_graph=True)
        return torch.cat([rows, mean], dim=1)


def curl(gradient: Tensor) -> Tensor:
    """∇×A from ∂A_a/∂x_j ``(n, a, d)``: ``(∂_y ψ, −∂_x ψ)`` in 2D, the curl in 3D; ``(n, d)``."""
    if gradient.shape[-1] == 2:
        return torch.stack([gradient[:, 0, 1], -gradient[:, 0, 0]], dim=-1)
    g = gradient
    return torch.stack([g[:, 2, 1] - g[:, 1, 2], g[:, 0, 2] - g[:, 2, 0], g[:, 1, 0] - g[:, 0, 1]], dim=-1)
