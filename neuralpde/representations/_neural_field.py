"""Implicit neural field: θ are the weights of a network of x alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Condition, Domain, MeshDomain, Quadrature, rate_conditions
from neuralpde.networks import (
    MLP,
    CentredLayer,
    Coordinates,
    FirstLayer,
    FourierFeatures,
    HarmonicFeatures,
    Tape,
    hidden_widths,
)
from neuralpde.optimize import GaussNewton
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._component_boundary import ComponentBoundary
from neuralpde.representations._finite_element import FiniteElementField
from neuralpde.representations._fit import fit_field
from neuralpde.representations._hard_boundary import HardBoundary
from neuralpde.representations._mesh_boundary import MeshBoundary
from neuralpde.representations._motion import Motion
from neuralpde.representations._stream_walls import StreamWalls
from neuralpde.representations._velocity_walls import VelocityWalls
from neuralpde.types import UsageError

FEATURES = ("centred", "harmonic", "fourier", "coordinates")

BODY_STEEPNESS = {0: 2.0, 2: 4.0}
"""Starting slope of the features of displacements at rest, smooth over lengths of the order of the body, and in motion,
where impacts are narrower; by the order of time."""


class NeuralField(Representation):
    """u(x) = lift(x, t) + φ(x) N_θ(x): a network with exact Dirichlet and periodic conditions.

    φ vanishes on Dirichlet faces and the lift carries their data, component by component where single ones are held; a
    network with a periodic first layer is periodic by construction. θ holds the network's trainable weights, flat.

    Args:
        domain, conditions, channels, dtype, device: as for every representation.
        hidden: widths of the hidden layers; with ``features="centred"`` the first is the first layer's width.
        activation: ``"tanh"`` or ``"sine"`` (SIREN).
        features: how points enter: ``"centred"`` (learned centres, periodic where the domain is), ``"harmonic"`` (fixed
            harmonics on periodic axes), ``"fourier"`` (fixed random waves), ``"coordinates"`` (as they are).
        steepness: starting slope of centred features times the axis length (5–30), or the scale of Fourier features;
            :meth:`for_problem` takes 2 for displacements of bodies at rest and 4 for those in motion.
        harmonics: number of fixed harmonics for ``"harmonic"``.
        seed: of the starting weights.
        corners: on a plane mesh, whether u has the singular functions of re-entrant corners, and of those where
            Dirichlet data end, with coefficients that are part of θ; see :class:`MeshBoundary`.

    Raises:
        UsageError: for unknown names, widths or a steepness that are not positive, or features that cannot be periodic
            on a periodic domain.

    Source: INSR, Chen et al., ICML 2023, arXiv 2210.00124; exact conditions as in Lagaris et al., 1998.

    Example:
        >>> from neuralpde.geometry import Box, Periodic
        >>> NeuralField(Box((0.0,), (1.0,)), (Periodic(),), hidden=(8, 8)).num_dofs
        105
    """

    holds_components = True

    def __init__(
        self,
        domain: Domain,
        conditions: tuple[Condition, ...] = (),
        channels: int = 1,
        *,
        hidden: Sequence[int] = (16, 16),
        activation: str = "tanh",
        features: str = "centred",
        steepness: float = 12.0,
        harmonics: int = 2,
        seed: int = 0,
        corners: bool = True,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(domain, conditions, channels, dtype, device)  # type: ignore[arg-type]
        if features not in FEATURES:
            raise UsageError(f"the features of a neural field are {', '.join(FEATURES)}; got {features!r}.")
        widths = hidden_widths(hidden)
        if not widths:
            raise UsageError("hidden needs at least one positive width; got ().")
        self._config: dict[str, Any] = {
            "hidden": widths,
            "activation": activation,
            "features": features,
            "steepness": steepness,
            "harmonics": harmonics,
            "seed": seed,
        }
        if isinstance(domain, MeshDomain):
            self._config["corners"] = corners
        self.network = self._build(seed)
        self.names = [name for name, _ in self.network.named_parameters()]
        self.shapes = [p.shape for _, p in self.network.named_parameters()]
        self.sizes = [p.numel() for p in self.network.parameters()]
        self.frozen = dict(self.network.named_buffers())
        self.hard: HardBoundary | MeshBoundary | ComponentBoundary | StreamWalls | VelocityWalls
        if self.boundary.partial:
            self.hard = ComponentBoundary(self.boundary, channels)
        elif isinstance(domain, MeshDomain):
            self.hard = MeshBoundary(self.boundary, channels, corners)
        else:
            self.hard = HardBoundary(self.boundary, channels)
        if tuple(self.network.periods) != self.boundary.periods:
            raise UsageError(
                f"features={features!r} cannot be periodic along this domain's periodic axes; "
                "use features='centred' or features='harmonic'."
            )

    def _build(self, seed: int, generator: torch.Generator | None = None) -> MLP:
        generator = generator or torch.Generator().manual_seed(seed)
        c, box = self._config, self.domain
        hidden, steepness = list(c["hidden"]), c["steepness"]
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)  # draw in float64 whatever the field's dtype: one seed, one start
        try:
            first: FirstLayer
            if c["features"] == "centred":
                inside = self.domain.contains if isinstance(self.domain, MeshDomain) else None
                width, periods = hidden.pop(0), self.boundary.periods
                first = CentredLayer(box.lower, box.upper, width, periods, steepness, generator, inside)
            elif c["features"] == "harmonic":
                first = HarmonicFeatures(box.lower, box.upper, self.boundary.periods, c["harmonics"])
            elif c["features"] == "fourier":
                first = FourierFeatures(box.lower, box.upper, hidden.pop(0), steepness, generator)
            else:
                first = Coordinates(box.lower, box.upper)
            network = MLP(first, hidden, self.channels, c["activation"], generator=generator)
        finally:
            torch.set_default_dtype(before)
        return network.to(dtype=self.dtype, device=self.device)

    @classmethod
    def for_problem(cls, problem: Any, **options: Any) -> Any:
        """A neural field on a problem's domain that holds its essential conditions; for a body that moves a
        :class:`Motion`, its velocity on finite elements of degree 2. Corners of elastic bodies are others than those of
        Laplace's equation, so that they get no functions of their own; their features are
        less steep, as steep ones take many times the iterations to hold a rotation."""
        if "displacement" in problem.unknowns and isinstance(problem.domain, MeshDomain):
            options = {"corners": False, "steepness": BODY_STEEPNESS[problem.time_order], **options}
        if problem.time_order == 2:
            field = cls(problem.domain, problem.conditions, problem.evolving, **options)
            rates, c = rate_conditions(problem.conditions), problem.evolving
            velocity = FiniteElementField(problem.domain, rates, c, degree=2, dtype=field.dtype, device=field.device)
            return Motion(field, velocity)
        return cls(problem.domain, problem.conditions, problem.channels, **options)

    @property
    def num_dofs(self) -> int:
        return sum(self.sizes) + self.num_singular * self.channels

    @property
    def num_singular(self) -> int:
        """Number K of corner functions; their coefficients ``(K, c)`` are the end of θ."""
        return self.hard.num_singular if isinstance(self.hard, MeshBoundary) else 0

    @property
    def stored_floats(self) -> int:
        return self.num_dofs + sum(b.numel() for b in self.frozen.values())

    @property
    def outer(self) -> Tensor:
        """Where θ holds the weights and biases of the output layer and the coefficients of corner functions, in which
        the field is linear."""
        ends = torch.tensor([0, *self.sizes]).cumsum(0)
        last = [max(k for k, n in enumerate(self.names) if n.startswith(kind)) for kind in ("weights.", "biases.")]
        singular = torch.arange(int(ends[-1]), self.num_dofs)
        return torch.cat([*(torch.arange(int(ends[k]), int(ends[k + 1])) for k in last), singular])

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """The starting weights of ``seed``, or of a generator."""
        network: nn.Module = self.network if generator is None else self._build(0, generator)
        singular = torch.zeros(self.num_singular * self.channels, dtype=self.dtype, device=self.device)
        return torch.cat([*(p.detach().reshape(-1) for p in network.parameters()), singular])

    def weights(self, theta: Tensor) -> dict[str, Tensor]:
        """θ cut into the network's named tensors."""
        parts = theta[: sum(self.sizes)].split(self.sizes)
        return {n: part.view(s) for n, part, s in zip(self.names, parts, self.shapes, strict=True)}

    def at(self, theta: Tensor, t: float = 0.0) -> NeuralFieldAt:
        return NeuralFieldAt(self, theta, t)

    def taped(self, theta: Tensor, t: float = 0.0) -> TapedField:
        """The field of one θ whose jet records how it depends on θ, see :class:`TapedField`."""
        return TapedField(self, theta, t)

    def jacobian(self, theta: Tensor, x: Tensor, channel: int = 0) -> Tensor:
        """∂u_channel(x_i)/∂θ, ``(n, p)``; the lift and t drop out."""
        rows = vmap(grad(lambda th, p: self.at_network(th, p[None])[0, channel]), in_dims=(None, 0))(theta, x)
        if self.hard.active:
            factor = self.hard.factor(x)  # one for all channels, or one for each
            rows = rows * (factor if factor.shape[1] == 1 else factor[:, channel : channel + 1])
        if self.num_singular and isinstance(self.hard, MeshBoundary):
            singular = self.hard.singular_jet(x, frozenset({"value"})).value
            rows[:, sum(self.sizes) + channel :: self.channels] = singular
        return rows

    def at_network(self, theta: Tensor, x: Tensor) -> Tensor:
        """The bare network N_θ at points, ``(n, c)``."""
        return functional_call(self.network, self.weights(theta), (x,))

    def quadrature(self, n: int | None = None) -> Quadrature:
        """n evenly spread points (3p/c by default: fewer points than weights cannot determine a fit)."""
        return self.domain.spread(n or 3 * self.num_dofs // self.channels, self.dtype, self.device)

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
        """Least-squares fit of the weights to a target at quadrature points, by Levenberg–Marquardt."""
        return fit_field(self, target, t, guess, options, points)

    def config(self) -> dict[str, Any]:
        return {"kind": "neural_field", "dtype": str(self.dtype).removeprefix("torch."), **self._config}


class NeuralFieldAt(Field):
    """The field of one θ at one time."""

    def __init__(self, representation: NeuralField, theta: Tensor, t: float) -> None:
        self.representation, self.t = representation, t
        self.weights = representation.weights(theta)
        end = sum(representation.sizes)
        self.singular = theta[end:].reshape(-1, representation.channels) if len(theta) > end else None

    def __call__(self, x: Tensor) -> Tensor:
        hard = self.representation.hard
        value = functional_call(self.representation.network, self.weights, (x,))
        value = hard.factor(x) * value + hard.lift(self.t, x) if hard.active else value
        if self.singular is None or not isinstance(hard, MeshBoundary):
            return value
        return value + hard.singular_jet(x, frozenset({"value"})).value @ self.singular

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        hard = self.representation.hard
        jet = self._network_jet(x, needs)
        jet = jet.times(hard.factor_jet(x, needs)) + hard.lift_jet(self.t, x, needs) if hard.active else jet
        if self.singular is None or not isinstance(hard, MeshBoundary):
            return jet
        return jet + hard.singular_jet(x, needs).combined(self.singular)

    def _network_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return functional_call(self.representation.network, self.weights, (x, needs))


class TapedField(NeuralFieldAt):
    """A field for one jet, and the θ-derivatives of numbers that are computed from it."""

    def __init__(self, representation: NeuralField, theta: Tensor, t: float = 0.0) -> None:
        super().__init__(representation, theta, t)
        self.tape = Tape(representation.network, self.weights)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        with torch.enable_grad():
            self.latest = super().jet(x, needs)
        return self.latest

    def _network_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return self.tape.jet(x, needs)

    def gradients(self, numbers: Tensor) -> Tensor:
        """∂r_i/∂θ, ``(n, p)``, of r ``(n,)``, each from the jet at its own point."""
        rows = self.tape.gradients(numbers)
        return rows if self.singular is None else torch.cat([rows, self._by_singular(numbers)], dim=1)

    def outer_gradients(self, numbers: Tensor) -> Tensor:
        """Its columns of the weights that :attr:`NeuralField.outer` numbers, in that order."""
        rows = self.tape.outer_gradients(numbers)
        return rows if self.singular is None else torch.cat([rows, self._by_singular(numbers)], dim=1)

    def _by_singular(self, numbers: Tensor) -> Tensor:
        """∂r_i/∂c, ``(n, K c)``: the derivatives by the jet's parts times the corner functions' own."""
        hard, parts = self.representation.hard, self.latest.parts()
        assert isinstance(hard, MeshBoundary)
        singular = hard.singular_jet(self.tape.x, frozenset(parts)).parts()
        out = torch.zeros((), dtype=numbers.dtype, device=numbers.device)
        wanted, ones = list(parts.values()), [torch.ones_like(numbers)]
        pulls = torch.autograd.grad([numbers], wanted, ones, retain_graph=True, materialize_grads=True)
        for name, pull in zip(parts, pulls, strict=True):
            flat = pull.reshape(*pull.shape[:2], -1)
            out = out + torch.einsum("ncm,nkm->nkc", flat, singular[name].reshape(len(flat), -1, flat.shape[-1]))
        return out.flatten(1)
