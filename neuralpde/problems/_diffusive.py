"""What every problem with a diffusivity, a source and perhaps a known solution shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.fields import Jet, PointMemory
from neuralpde.problems._base import Problem
from neuralpde.problems._by_part import ByPart, bound
from neuralpde.problems._coefficients import check_diffusivity, coefficient_gradient
from neuralpde.problems._manufactured import at_time, manufactured_source, source_at, takes_time
from neuralpde.types import ScalarOrField, UsageError

Source: TypeAlias = float | Callable[..., Tensor] | None
"""A number, a function of x or of (t, x), or what a known solution asks for."""


class Diffusive(Problem):
    """What problems with a diffusivity κ, a source and perhaps a known solution share.

    A subclass is a frozen dataclass with the fields ``diffusivity``, ``source_term``, ``profile``, ``solution`` and
    ``steady``; it adds what else moves the field.
    """

    diffusivity: ScalarOrField | tuple[float, ...]
    source_term: Source
    profile: Callable[[Tensor], Tensor] | None
    solution: Callable[..., Tensor] | None
    steady: bool

    def _check(self) -> None:
        """Bind the coefficients to the domain, and refuse those that cannot be.

        Raises:
            UsageError: for a diffusivity that is not positive all over the domain, or a manufactured solution whose
                source would be infinite where parts meet.
        """
        object.__setattr__(self, "diffusivity", bound(self.diffusivity, self.domain))
        check_diffusivity(self.diffusivity, self.domain)
        if self.manufactured and isinstance(self.diffusivity, ByPart):
            raise UsageError(
                "a solution alone makes no source where the diffusivity jumps: give source_term too, 0.0 for instance."
            )

    @property
    def time_order(self) -> int:  # type: ignore[override]
        """0 where steady."""
        return 0 if self.steady else 1

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The gradient too where κ varies."""
        return frozenset({"grad", "laplacian"} if callable(self.diffusivity) else {"laplacian"})

    @property
    def jumps(self) -> bool:
        """Whether the diffusivity goes by parts."""
        return isinstance(self.diffusivity, ByPart)

    @property
    def manufactured(self) -> bool:
        """Whether the source follows from the solution."""
        return self.source_term is None and self.solution is not None

    def kappa(self, x: Tensor) -> Tensor | float:
        """κ at points: a number, ``(n, 1)`` or one per channel ``(n, c)``."""
        value = self.diffusivity
        if callable(value):
            out = value(x)
            return out if out.ndim == 2 else out[:, None]
        return x.new_tensor(value).expand(len(x), -1) if isinstance(value, tuple) else value

    def diffusion(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """κ Δu + ∇κ·∇u."""
        out = self.kappa(x) * u.laplacian
        if callable(self.diffusivity):
            out = out + (u.grad * coefficient_gradient(self.diffusivity, x)[:, None]).sum(-1)
        return out

    def diffusive_flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−κ ∇u."""
        kappa = self.kappa(x)
        return -(kappa[..., None] if isinstance(kappa, Tensor) and kappa.ndim else kappa) * u.grad

    def moved(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """The right-hand side without the source."""
        return self.diffusion(t, x, u)

    def supply(self, t: float, x: Tensor) -> Tensor | float:
        """The source at points: as given, or what the solution asks for."""
        if self.manufactured:
            assert self.solution is not None
            # a subclass from elsewhere may move its field by time
            still = not takes_time(self.solution) and type(self).__module__.startswith("neuralpde.")
            memory: PointMemory = self.__dict__.setdefault("_supplied", PointMemory())
            moment = 0.0 if still else t
            # by its values a solution that has changed is known
            return memory(lambda p: self._asked(moment, p), x, moment, at_time(self.solution, moment, x))
        return 0.0 if self.source_term is None else source_at(self.source_term, t, x)

    def _asked(self, t: float, x: Tensor) -> Tensor:
        """What the solution asks for: slow by automatic differentiation."""
        assert self.solution is not None
        return manufactured_source(self.solution, self.moved, self.needs, t, x)

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.moved(t, x, u) + self.supply(t, x)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.diffusive_flux(t, x, u)

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return torch.zeros_like(u.value) + self.supply(t, x)

    @property
    def guesses(self) -> bool:
        return self.profile is not None

    def initial(self, x: Tensor) -> Tensor:
        if self.profile is not None:
            out = self.profile(x)
            return out if out.ndim == 2 else out[:, None]
        return super().initial(x) if self.solution is None or self.steady else at_time(self.solution, 0.0, x)

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        return None if self.solution is None else at_time(self.solution, t, x)
