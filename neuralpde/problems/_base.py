"""The contract of every problem: what is true, and nothing about how to solve it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.fields import Field, Jet, check_needs
from neuralpde.geometry import Boundary, Condition, Domain
from neuralpde.problems._energy import energy_flux, energy_source
from neuralpde.problems._moduli import Moduli
from neuralpde.problems._quantity import Quantity as Quantity
from neuralpde.types import UsageError


@dataclass(frozen=True)
class Term:
    """A part of the right-hand side, for splitting.

    Args:
        name: what to call it.
        rhs: (t, x, jet) → ``(n, c)``.
        flow: (t, u, x, dt) → values ``(n, c)`` at points x after the term alone has acted for dt on the field u,
            exactly or by a method of known order; None if there is none.
        flux, source: (t, x, jet) → ``(n, c, d)`` and ``(n, c)``, the term in conservation form. A term that states its
            flux and no flow is stepped implicitly in its place.
    """

    name: str
    rhs: Callable[[float, Tensor, Jet], Tensor]
    flow: Callable[[float, Field, Tensor, float], Tensor] | None = None
    flux: Callable[[float, Tensor, Jet], Tensor] | None = None
    source: Callable[[float, Tensor, Jet], Tensor] | None = None


class Problem(ABC):
    """An initial- or boundary-value problem: u_t = rhs, or 0 = rhs where ``time_order`` is 0.

    Where it is 2 the unknowns are a displacement and its velocity, ``evolving`` values each, ``rhs``, ``flux``,
    ``source`` and ``energy`` are those of the displacement alone, and the problem says what its inertia is.

    A subclass states ``domain``, ``conditions``, ``needs`` and either :meth:`rhs` (strong form) or :meth:`flux` and
    :meth:`source` (conservation form); the strong form follows from the other. Make it a frozen dataclass whose fields
    are its parameters. ``needs`` may be a property where it depends on them. A variational problem may state its
    :meth:`energy` alone: flux and source follow from it.

    Example:
        >>> import math, torch
        >>> from dataclasses import dataclass
        >>> from neuralpde.geometry import Box, Dirichlet
        >>> @dataclass(frozen=True)
        ... class Fisher(Problem):
        ...     growth: float = 1.0
        ...     domain = Box((0.0,), (1.0,))
        ...     conditions = (Dirichlet(0.0),)
        ...     needs = frozenset({"laplacian"})
        ...     def rhs(self, t, x, u):
        ...         return u.laplacian + self.growth * u.value * (1 - u.value)
        ...     def initial(self, x):
        ...         return torch.sin(math.pi * x)
        >>> Fisher().channels
        1
    """

    domain: Domain
    conditions: tuple[Condition, ...] = ()
    unknowns: ClassVar[dict[str, int]] = {"u": 1}
    time_order: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"value"})
    algebraic: ClassVar[frozenset[str]] = frozenset()
    """Unknowns without a time derivative: their rows of the right-hand side are constraints, 0 = rhs. They come last,
    and boundary conditions are about the others."""

    @property
    def name(self) -> str:
        """The name that tables and pictures use."""
        return type(self).__name__

    @property
    def channels(self) -> int:
        """Number of values c of all unknowns together."""
        return sum(self.unknowns.values())

    @property
    def jumps(self) -> bool:
        """Whether a coefficient jumps inside the domain: what happens there is in the weak form alone."""
        return False

    @property
    def evolving(self) -> int:
        """Number of values, the first ones, whose unknowns have a time derivative."""
        return sum(c for name, c in self.unknowns.items() if name not in self.algebraic)

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Right-hand side at points, ``(n, c)``; from the flux by default: source − ∇·flux.

        That needs ``"grad"``, and ``"hess"`` too where the flux uses the gradient.
        """
        return self.source(t, x, u) - divergence_of_flux(self, t, x, u)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Flux f of the conservation form u_t + ∇·f = source, ``(n, c, d)``; may use the value and the gradient."""
        raise UsageError(f"{self.name} states no flux; define `flux` (and `source`) or `rhs`.")

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Source of the conservation form, ``(n, c)``."""
        return torch.zeros_like(u.value)

    def mass_density(self, x: Tensor) -> Tensor:
        """ρ at points, ``(n,)``, of a problem whose ``time_order`` is 2: ρ u_tt = rhs."""
        raise UsageError(f"{self.name} states no inertia; define mass_density(self, x).")

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Density Ψ of a variational problem, ``(n,)``, from the value and the gradient: u_t = −δ/δu ∫ Ψ dx.

        Where a problem states it and no flux, flux = −∂Ψ/∂∇u and source = −∂Ψ/∂u. Steady solutions are stationary
        points of ∫ Ψ.
        """
        raise UsageError(f"{self.name} states no energy; define energy(self, t, x, u).")

    even: ClassVar[bool] = False
    """Whether flux and source are the same functions all over an element of a mesh, the source one of t alone."""

    def moduli(self, x: Tensor, grad: Tensor) -> Moduli | None:
        """−∂flux/∂∇u in closed form at points ``(n, d)`` and gradients ``(c, d, n)``, of a flux that depends on x and
        ∇u alone beside a source that does not depend on u. None, the default: by differentiation."""
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "energy" in cls.__dict__ and cls.flux is Problem.flux and cls.source is Problem.source:
            cls.flux, cls.source = energy_flux, energy_source  # type: ignore[method-assign, assignment]

    def near_nullspace(self, x: Tensor) -> Tensor:
        """Fields at points that the equation's operator nearly sends to zero, ``(n, c, modes)``: what multigrid keeps
        on its coarse levels. By default the constants of each channel."""
        return torch.eye(self.channels, dtype=x.dtype, device=x.device).expand(len(x), -1, -1)

    def terms(self) -> tuple[Term, ...]:
        """Parts of the right-hand side that sum to it; by default the whole."""
        if type(self).flux is Problem.flux:
            return (Term(self.name, self.rhs),)
        return (Term(self.name, self.rhs, flux=self.flux, source=self.source),)

    def initial(self, x: Tensor) -> Tensor:
        """u at t = 0 (a starting guess for steady problems), ``(n, c)``; zero by default."""
        return torch.zeros(x.shape[0], self.channels, dtype=x.dtype, device=x.device)

    @property
    def guesses(self) -> bool:
        """Whether :meth:`initial` says where a steady solve starts, and is not the default zero."""
        return type(self).initial is not Problem.initial

    def quantities(self) -> tuple[Quantity, ...]:
        """What pictures show, the first one first; none: the unknowns themselves."""
        return ()

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        """The exact solution, ``(n, c)``, where one is known."""
        return None

    def plot(self, path: str | Path, representation: Any = None) -> Path:
        """A picture of what is stated: domain, boundary with its conditions, normals, initial field or source; with a
        ``representation`` its quadrature (collocation) points too. See :func:`neuralpde.plot.problem_picture`."""
        import neuralpde  # pictures stand above problems: the package's top knows both

        drawn: Path = neuralpde.plot.problem_picture(self, path, representation)
        return drawn


def divergence_of_flux(problem: Problem, t: float, x: Tensor, u: Jet) -> Tensor:
    """∇·f(t, x, u, ∇u) by the chain rule: Σ_i of the directional derivative of f_i along (e_i, ∂_i u, ∂_i ∇u).

    Needs the jet's gradient, and its Hessian if the flux uses the gradient (``needs`` must hold ``"hess"``).

    Raises:
        UsageError: for a flux that uses the gradient where the jet has no Hessian.
    """
    grad, hess = u.grad, u.parts().get("hess")

    def flux(points: Tensor, value: Tensor, slope: Tensor | None = None) -> Tensor:
        return problem.flux(t, points, _ValueJet(value, problem.name) if slope is None else Jet(value, slope))

    total = torch.zeros_like(u.value)
    for i in range(x.shape[1]):
        direction = torch.zeros_like(x)
        direction[:, i] = 1.0
        primals: tuple[Tensor, ...] = (x, u.value)
        tangents: tuple[Tensor, ...] = (direction, grad[..., i])
        if hess is not None:
            primals, tangents = (*primals, grad), (*tangents, hess[..., i])
        total = total + jvp(flux, primals, tangents)[1][..., i]
    return total


class _ValueJet(Jet):
    """What a flux may read where no Hessian is there: had it the gradient too, ∇·f would miss the terms of ∇∇u."""

    __slots__ = ("_problem",)

    def __init__(self, value: Tensor, problem: str) -> None:
        super().__init__(value)
        self._problem = problem

    @property
    def grad(self) -> Tensor:
        raise UsageError(
            f"the flux of {self._problem} uses the gradient, so its divergence uses the Hessian: add 'hess' to the "
            "problem's `needs`, for instance needs = frozenset({'grad', 'hess'})."
        )


def check_problem(problem: Problem, weak: bool = False) -> None:
    """Refuse a problem that cannot be solved, with a sentence that says what is missing.

    Tries its functions at three points of the domain.

    Args:
        problem: that somebody wrote.
        weak: whether its weak form is solved, which reads the flux and the source and needs no second derivatives.

    Raises:
        UsageError: for a missing domain, impossible conditions, unknown needs, values of the wrong shape, or second
            derivatives across a face that has no condition.
    """
    name = problem.name
    if not isinstance(getattr(problem, "domain", None), Domain):
        raise UsageError(f"{name} needs a domain, for instance domain = Box((0.0,), (1.0,)).")
    Boundary(problem.domain, problem.conditions)  # refuses impossible ones
    check_needs(problem.needs)
    stated = type(problem).rhs is not Problem.rhs or type(problem).flux is not Problem.flux
    if not stated:
        raise UsageError(f"{name} states no equation: define rhs(self, t, x, u), or flux and source.")
    d, c = problem.domain.dim, _equations(problem)
    x = problem.domain.some_points(3)
    u = _trial_jet(problem, x, torch.zeros(d, d, dtype=x.dtype))
    tried: list[tuple[str, object, tuple[int, ...]]] = [("initial", problem.initial(x), (problem.channels,))]
    if weak and type(problem).flux is not Problem.flux:
        u = Jet(u.value, torch.zeros(3, c, d, dtype=x.dtype))
        tried += [("flux", problem.flux(0.0, x, u), (c, d)), ("source", problem.source(0.0, x, u), (c,))]
    else:
        tried.append(("rhs", problem.rhs(0.0, x, u), (c,)))
    for what, out, shape in tried:
        if not isinstance(out, Tensor) or out.shape != (3, *shape):
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            wanted = ", ".join(map(str, ("n", *shape)))
            raise UsageError(f"{name}.{what} must return a tensor of shape ({wanted}); for n = 3 points it gave {got}.")
    _check_free_faces(problem, weak)


def _equations(problem: Problem) -> int:
    """Number of values that the right-hand side has."""
    return problem.evolving if problem.time_order == 2 else problem.channels


def _trial_jet(problem: Problem, x: Tensor, hess: Tensor, slope: float = 0.0) -> Jet:
    """What the problem needs of a field with one Hessian ``(d, d)`` everywhere."""
    n, c, d = x.shape[0], _equations(problem), x.shape[1]
    parts = {"value": torch.full((n, c), 0.5, dtype=x.dtype)}
    if problem.needs - {"value"}:
        parts["grad"] = torch.full((n, c, d), slope, dtype=x.dtype)
    if "laplacian" in problem.needs:
        parts["laplacian"] = hess.trace().expand(n, c).clone()
    if "hess" in problem.needs:
        parts["hess"] = hess.expand(n, c, d, d).clone()
    return Jet(**parts)


def _check_free_faces(problem: Problem, weak: bool) -> None:
    """Refuse faces without a condition where the equation holds second derivatives across them (the answer would be the
    grid's own). Flows are left to their representations."""
    by_flux = weak and type(problem).flux is not Problem.flux
    if problem.algebraic or not (by_flux or problem.needs & {"laplacian", "hess"}):
        return
    domain, carried = problem.domain, Boundary(problem.domain, problem.conditions).table
    bare = []
    for face in domain.faces:
        if face in carried:
            continue
        lattice = domain.face_lattice(face, 3)
        x, normals = lattice.points, lattice.normals
        assert normals is not None
        flat, bent = (_across(problem, x, normals, size, by_flux) for size in (0.0, 1.0))
        # a diffusivity that vanishes on the face asks for no condition there
        if bool(((bent - flat).abs() > 0).any()):
            bare.append(face)
    if bare:
        faces, more = " and ".join(bare), ""
        if type(problem).flux is not Problem.flux:
            more = " (Flux or Robin too, which finite elements and neural fields take)"
        if "displacement" in problem.unknowns:
            raise UsageError(
                f"{problem.name} has no condition on {faces}: hold it (Dirichlet), load it, or leave it free by "
                "traction(0.0), in a case file {kind = 'traction', value = 0.0}."
            )
        raise UsageError(
            f"{problem.name} has second derivatives and no condition on {faces}: give Dirichlet or Neumann there{more}."
        )


def _across(problem: Problem, x: Tensor, normals: Tensor, size: float, by_flux: bool) -> Tensor:
    """The equation at points of a face, of a field whose second derivative (by the flux: whose first) along the normal
    has that size."""
    if by_flux:
        value = torch.full((len(x), _equations(problem)), 0.5, dtype=x.dtype)
        slope = (size * normals)[:, None].expand(-1, _equations(problem), -1)
        return (problem.flux(0.0, x, Jet(value, slope)) * normals[:, None]).sum(-1)
    hess = size * torch.outer(normals[0], normals[0])
    return problem.rhs(0.0, x, _trial_jet(problem, x, hess, 0.5))
