"""A field: what physics code sees instead of a network, a grid or a mesh."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from neuralpde.fields._jet import Jet, autodiff_jet


class Field(ABC):
    """u: Ω → R^c, bound to one θ (and to one t where boundary data depend on time)."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Values at points ``(n, d)``, ``(n, c)``."""

    @abstractmethod
    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """Value and the derivatives named in ``needs`` at points ``(n, d)``, in one pass."""


class FunctionField(Field):
    """A field given by a function of points, differentiated automatically.

    Example:
        >>> import torch
        >>> u = FunctionField(lambda x: x**3)
        >>> u.jet(torch.tensor([[2.0]]), frozenset({"laplacian"})).laplacian
        tensor([[12.]])
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        return autodiff_jet(self.function, x, needs)
