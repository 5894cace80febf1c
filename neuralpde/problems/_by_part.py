"""Coefficients that are constant on each part of a mesh: materials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import PointMemory
from neuralpde.geometry import Domain, MeshDomain
from neuralpde.types import UsageError


@dataclass(frozen=True)
class ByPart:
    """A number for each part of the domain, by the names of a mesh's physical groups of elements.

    A problem binds it to its own domain. What it returns at a point is the number of the element that holds the point;
    elements are looked up once for the same points.

    Args:
        values: number by part's name, such as ``{"steel": 50.0, "wood": 0.2}``, or a tensor of one number that may
            require a gradient.
        elsewhere: for elements in none of these parts; by default there may be none.
        domain: where; a problem fills it in.

    Raises:
        UsageError: on binding, for a domain without a mesh, a part that the mesh does not have, an element without a
            value, or one with two different values.

    Example:
        >>> from neuralpde.geometry import Mesh, MeshDomain
        >>> points = np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.]])
        >>> parts = {"left": np.array([1]), "right": np.array([0])}
        >>> square = MeshDomain(Mesh(points, np.array([[0, 1, 2], [0, 2, 3]]), parts=parts))
        >>> kappa = ByPart({"left": 1.0, "right": 10.0}).on(square)
        >>> kappa(torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)).flatten().tolist()
        [10.0, 1.0]
    """

    values: Mapping[str, float | Tensor]
    elsewhere: float | None = None
    domain: Domain | None = field(default=None, repr=False, compare=False)
    _memory: PointMemory = field(default_factory=PointMemory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping) or not self.values:
            raise UsageError(f"ByPart needs a number for each part, such as {{'steel': 50.0}}; got {self.values!r}.")
        for name, value in self.values.items():
            single = isinstance(value, Tensor) and value.numel() == 1
            if isinstance(value, bool) or not (single or isinstance(value, int | float)):
                raise UsageError(f"ByPart needs a number for each part; for {name!r} it got {value!r}.")
        if self.domain is not None:
            plain = dict(zip(self.values, self._plain, strict=True))
            object.__setattr__(self, "_numbers", _numbers(plain, self.elsewhere, self.domain))

    @property
    def numbers(self) -> tuple[float, ...]:
        """All of its values."""
        return self._plain if self.elsewhere is None else (*self._plain, self.elsewhere)

    @property
    def by_element(self) -> np.ndarray:
        """The number of every element of the domain that it is bound to, ``(e,)``."""
        return self._numbers  # type: ignore[attr-defined, no-any-return]

    @property
    def _plain(self) -> tuple[float, ...]:
        return tuple(value.item() if isinstance(value, Tensor) else value for value in self.values.values())

    def __hash__(self) -> int:
        return hash((tuple((name, self.values[name]) for name in sorted(self.values)), self.elsewhere))

    def on(self, domain: Domain) -> ByPart:
        """The same coefficient on a domain."""
        return self if domain is self.domain else replace(self, domain=domain)

    def __call__(self, x: Tensor) -> Tensor:
        """At points ``(n, d)``, ``(n, 1)``."""
        if not isinstance(self.domain, MeshDomain):
            raise UsageError(f"{self} is bound to no mesh yet: call on(domain), as problems do.")
        found = self._memory(self._found, x)
        for name, value in self.values.items():
            if isinstance(value, Tensor) and value.requires_grad and torch.is_grad_enabled():
                inside = self._memory(partial(self._in_part, name), x, name)
                found = torch.where(inside > 0, value.to(found).reshape(1, 1), found)
        return found

    def _in_part(self, name: str, x: Tensor) -> Tensor:
        """1 at points in a part, 0 elsewhere, ``(n, 1)``."""
        assert isinstance(self.domain, MeshDomain)
        held = np.zeros(len(self.domain.mesh.cells))
        held[self.domain.mesh.parts[name]] = 1.0
        element, _ = self.domain.locator.nearest(np.ascontiguousarray(x.detach().cpu().double().numpy()))
        return torch.as_tensor(held[element][:, None], dtype=x.dtype, device=x.device)

    def _found(self, x: Tensor) -> Tensor:
        assert isinstance(self.domain, MeshDomain)
        element, _ = self.domain.locator.nearest(np.ascontiguousarray(x.detach().cpu().double().numpy()))
        values = self._numbers[element][:, None]  # type: ignore[attr-defined]
        return torch.as_tensor(values, dtype=x.dtype, device=x.device)

    def grad(self, x: Tensor) -> Tensor:
        """Zero: inside a part nothing varies. What happens where parts meet is in the weak form alone."""
        return torch.zeros_like(x)


def bound(value: object, domain: Domain) -> object:
    """A coefficient as a problem keeps it: bound to the domain where it goes by parts."""
    return value.on(domain) if isinstance(value, ByPart) else value


def refuse_jumps(problem: object) -> None:
    """Refuse coefficients by part where the strong form of the equation is solved: it does not see their jumps.

    Raises:
        UsageError: that says what to use instead.
    """
    inside = vars(problem).get("material")
    held = vars(problem) | (vars(inside) if hasattr(inside, "__dict__") else {})
    for name, value in held.items():
        if isinstance(value, ByPart):
            raise UsageError(
                f"the {name} of {type(problem).__name__} jumps where parts of the mesh meet, which the strong form "
                "does not see: use a FiniteElementField."
            )


def _numbers(values: Mapping[str, float], elsewhere: float | None, domain: Domain) -> np.ndarray:
    """The value of every element, ``(e,)``."""
    if not isinstance(domain, MeshDomain):
        raise UsageError(f"ByPart goes by the parts of a mesh; the domain is {domain}: use a function of x.")
    mesh, names = domain.mesh, ", ".join(domain.mesh.parts) or "none"
    out = np.full(len(mesh.cells), np.nan)
    for name, value in values.items():
        if name not in mesh.parts:
            raise UsageError(f"the mesh has the parts {names}; there is no {name!r}.")
        held = out[mesh.parts[name]]
        if (np.isfinite(held) & (held != value)).any():
            raise UsageError(f"elements of the part {name!r} have another value too, of a part that overlaps it.")
        out[mesh.parts[name]] = value
    bare = np.isnan(out)
    if bare.any() and elsewhere is None:
        raise UsageError(
            f"{int(bare.sum())} of {len(out)} elements are in none of the parts {', '.join(values)} (the mesh has "
            f"{names}): give elsewhere= a number."
        )
    out[bare] = elsewhere if elsewhere is not None else np.nan
    return out
