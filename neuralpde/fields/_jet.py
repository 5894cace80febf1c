"""A field's value and derivatives at points, computed in one pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jacfwd, vmap

from neuralpde.types import UsageError

NEEDS = ("value", "grad", "laplacian", "hess")


def check_needs(needs: frozenset[str]) -> None:
    """Refuse a derivative that no jet has.

    Raises:
        UsageError: naming the known ones.
    """
    unknown = sorted(set(needs) - set(NEEDS))
    if unknown:
        raise UsageError(f"a jet can hold {', '.join(NEEDS)}; a problem asks for {', '.join(unknown)} in its `needs`.")


class Jet:
    """Value and derivatives of u: Ω → R^c at n points.

    Args:
        value: ``(n, c)``.
        grad: ∂u_a/∂x_i, ``(n, c, d)``.
        laplacian: Σ_i ∂²u_a/∂x_i², ``(n, c)``.
        hess: ∂²u_a/∂x_i∂x_j, ``(n, c, d, d)``; the Laplacian follows from it.
        bend: ∂_i Δu_a, ``(n, c, d)``, beside a Hessian; of potentials only, no problem may ask for it.

    Raises:
        UsageError: when a derivative is read that was not among the ``needs`` of the problem.
    """

    __slots__ = ("_bend", "_grad", "_hess", "_laplacian", "value")

    def __init__(
        self,
        value: Tensor,
        grad: Tensor | None = None,
        laplacian: Tensor | None = None,
        hess: Tensor | None = None,
        bend: Tensor | None = None,
    ) -> None:
        self.value = value
        self._grad = grad
        self._hess = hess
        self._bend = bend
        if laplacian is None and hess is not None:
            laplacian = hess.diagonal(dim1=-2, dim2=-1).sum(-1)
        self._laplacian = laplacian

    def _get(self, part: Tensor | None, name: str) -> Tensor:
        if part is None:
            raise UsageError(
                f"this jet has no {name!r}: add {name!r} to the problem's `needs`, for instance "
                f"needs = frozenset({{'value', {name!r}}})."
            )
        return part

    @property
    def grad(self) -> Tensor:
        """Gradient, ``(n, c, d)``."""
        return self._get(self._grad, "grad")

    @property
    def laplacian(self) -> Tensor:
        """Laplacian, ``(n, c)``."""
        return self._get(self._laplacian, "laplacian")

    @property
    def hess(self) -> Tensor:
        """Hessian, ``(n, c, d, d)``."""
        return self._get(self._hess, "hess")

    @property
    def bend(self) -> Tensor:
        """Gradient of the Laplacian, ``(n, c, d)``."""
        return self._get(self._bend, "bend")

    def parts(self) -> dict[str, Tensor]:
        """The parts that are there, by name."""
        named = {
            "value": self.value,
            "grad": self._grad,
            "laplacian": self._laplacian,
            "hess": self._hess,
            "bend": self._bend,
        }
        return {name: part for name, part in named.items() if part is not None}

    def __add__(self, other: Jet) -> Jet:
        mine, theirs = self.parts(), other.parts()
        return Jet(**{name: mine[name] + theirs[name] for name in mine if name in theirs})

    def combined(self, weights: Tensor) -> Jet:
        """Sums of the channels: weights ``(c, k)`` make k channels of them."""
        return Jet(**{name: torch.einsum("nc...,ck->nk...", part, weights) for name, part in self.parts().items()})

    def times(self, factor: Jet) -> Jet:
        """Product with a scalar jet (one channel) by Leibniz' rule: Δ(fu) = fΔu + 2∇f·∇u + uΔf."""
        u, f = self.parts(), factor.parts()
        out = {"value": f["value"] * u["value"]}
        if "grad" in u:
            out["grad"] = f["value"][..., None] * u["grad"] + u["value"][..., None] * f["grad"]
        if "laplacian" in u:
            cross = (f["grad"] * u["grad"]).sum(-1)
            out["laplacian"] = f["value"] * u["laplacian"] + 2 * cross + u["value"] * f["laplacian"]
        if "hess" in u:
            outer = f["grad"][..., :, None] * u["grad"][..., None, :]
            out["hess"] = (
                f["value"][..., None, None] * u["hess"]
                + outer
                + outer.transpose(-1, -2)
                + u["value"][..., None, None] * f["hess"]
            )
        if "bend" in u:
            slopes = (f["grad"][..., None] * u["hess"] + u["grad"][..., None] * f["hess"]).sum(-2)
            ends = f["grad"] * u["laplacian"][..., None] + f["laplacian"][..., None] * u["grad"]
            out["bend"] = f["value"][..., None] * u["bend"] + u["value"][..., None] * f["bend"] + ends + 2 * slopes
        return Jet(**out)


def autodiff_jet(function: Callable[[Tensor], Tensor], x: Tensor, needs: frozenset[str]) -> Jet:
    """Jet of any function of points by forward-mode differentiation point by point.

    Slower than a network's own jets; for boundary data, initial data and tests.

    Args:
        function: ``(n, d)`` → ``(n, c)``, each row depending on its own point only.
        x: points, ``(n, d)``.
        needs: names of the derivatives.
    """
    check_needs(needs - {"bend"})

    def at_point(p: Tensor) -> Tensor:
        return function(p[None])[0]

    value = function(x)
    grad = vmap(jacfwd(at_point))(x) if needs & {"grad", "laplacian", "hess", "bend"} else None
    hess = vmap(jacfwd(jacfwd(at_point)))(x) if needs & {"laplacian", "hess", "bend"} else None
    if "bend" in needs:
        thirds = vmap(jacfwd(jacfwd(jacfwd(at_point))))(x)
        return Jet(value, grad, hess=hess, bend=thirds.diagonal(dim1=2, dim2=3).sum(-1))
    if hess is not None and "hess" not in needs:
        return Jet(value, grad, laplacian=hess.diagonal(dim1=-2, dim2=-1).sum(-1))
    return Jet(value, grad, hess=hess)


def constant_jet(value: Tensor, dim: int, needs: frozenset[str]) -> Jet:
    """Jet of a field that does not vary: every derivative is zero."""
    n, c = value.shape
    return Jet(
        value,
        value.new_zeros(n, c, dim) if needs & {"grad", "laplacian", "hess", "bend"} else None,
        value.new_zeros(n, c) if "laplacian" in needs else None,
        value.new_zeros(n, c, dim, dim) if needs & {"hess", "bend"} else None,
        value.new_zeros(n, c, dim) if "bend" in needs else None,
    )
