"""What one looks at of a field: numbers made from it, point by point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from neuralpde.fields import Jet
from neuralpde.types import UsageError


def _no_values(u: Jet) -> Tensor:
    raise UsageError("a Quantity needs a function: of=, of the jet, or located=, of time, points and jet.")


@dataclass(frozen=True)
class Quantity:
    """Something one looks at: numbers made from a field, point by point.

    Args:
        name: what to call it.
        of: jet → ``(n, k)``.
        needs: parts of the jet that it reads.
        streamlines: whether pictures draw the streamlines of the velocity (the first d channels) over it.
        located: (t, x, jet) → ``(n, k)``, in place of ``of`` where it depends on the place too, as stresses do on the
            material that is there.
        labels: what the k numbers are called, such as ``("xx", "yy", "xy")``; none where k is 1.
    """

    name: str
    of: Callable[[Jet], Tensor] = _no_values
    needs: frozenset[str] = frozenset({"value"})
    streamlines: bool = False
    located: Callable[[float, Tensor, Jet], Tensor] | None = None
    labels: tuple[str, ...] = ()

    def at(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """Values at points ``(n, d)``, ``(n, k)``."""
        return self.of(u) if self.located is None else self.located(t, x, u)
