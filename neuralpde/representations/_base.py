"""The contract of every representation: a field kept in a vector of numbers θ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.geometry import Boundary, Box, Condition, Quadrature
from neuralpde.types import Status, UsageError


@dataclass(frozen=True)
class Projection:
    """Outcome of :meth:`Representation.project`.

    Args:
        theta: state whose field is closest to the target, ``(p,)``.
        error: root mean square misfit at the fit's own points.
        status: why the fit ended.
        iterations: linear solves of the fit (0 where it is exact).
        seconds: wall time.
    """

    theta: Tensor
    error: float
    status: Status
    iterations: int
    seconds: float


class Representation(ABC):
    """A field u: Ω → R^c kept in θ ``(p,)``.

    Args:
        domain: where the field lives.
        conditions: boundary conditions; the essential ones (Dirichlet, periodic) are held exactly by every θ.
        channels: number of values c.
        dtype: precision of θ.
        device: where θ lives.

    Raises:
        UsageError: for conditions that hold single components, where it cannot keep them.
    """

    holds_components: ClassVar[bool] = False
    """Whether conditions may hold some components of a face and leave the others."""
    holds_points: ClassVar[bool] = False
    """Whether conditions may hold single points and edges, and loads stand at points."""

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        channels: int = 1,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.domain, self.boundary, self.channels = domain, Boundary(domain, conditions), channels
        self.conditions = self.boundary.conditions
        self.dtype, self.device = dtype, torch.device(device)
        if self.boundary.partial and not self.holds_components:
            face, found = next(iter(self.boundary.partial.items()))
            raise UsageError(
                f"a {type(self).__name__} holds all components of a face or none; {face} has {found[0]}: use a "
                "FiniteElementField, which holds single components."
            )
        for face, found in self.boundary.partial.items():
            load = self.boundary.table[face]
            given = any(load is condition for condition in self.conditions)
            if given and len(self.boundary.held(face, channels)) == channels:
                raise UsageError(
                    f"all components of {face} are held ({', '.join(map(str, found))}), and {load} has nothing to move "
                    "there; drop one of them."
                )
        single = [str(c) for held in self.boundary.sets.values() for c in held] + [str(c) for c in self.boundary.loads]
        if single and not self.holds_points:
            raise UsageError(f"a {type(self).__name__} knows no single points; {single[0]} needs a FiniteElementField.")

    @property
    def dim(self) -> int:
        """Space dimensions d."""
        return self.domain.dim

    @property
    @abstractmethod
    def num_dofs(self) -> int:
        """Length p of θ."""

    @abstractmethod
    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """A θ to start a fit from, ``(p,)``."""

    @abstractmethod
    def at(self, theta: Tensor, t: float = 0.0) -> Field:
        """The field of θ at time t (boundary data may depend on t)."""

    @abstractmethod
    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **options: Any
    ) -> Projection:
        """θ whose field is closest to ``target``, a function ``(n, d)`` → ``(n, c)``."""

    @abstractmethod
    def quadrature(self, n: int | None = None) -> Quadrature:
        """Interior points and weights that suit this representation (about n of them)."""

    @property
    def stored_floats(self) -> int:
        """Every float that defines the field: θ and whatever is frozen."""
        return self.num_dofs

    def memory_bytes(self) -> int:
        """Bytes of all stored floats."""
        return self.stored_floats * torch.empty((), dtype=self.dtype).element_size()

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What rebuilds it on the same domain and conditions: ``{"kind": …, options}``; plain JSON values."""
