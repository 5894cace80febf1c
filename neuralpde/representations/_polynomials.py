"""Polynomials in several variables of bounded total degree, with derivatives, and how to fit them."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RCOND = 1e-8
REFINEMENTS = 2


class Polynomials:
    """Products of Chebyshev polynomials Π_i T_{k_i}(s_i), Σ k_i ≤ degree, s_i the coordinates scaled to [−1, 1].

    Args:
        lower, upper: corners of the box.
        degree: largest total degree.
    """

    def __init__(self, lower: tuple[float, ...], upper: tuple[float, ...], degree: int) -> None:
        self.lower, self.upper, self.degree = np.array(lower), np.array(upper), degree
        powers = [k for k in product(range(degree + 1), repeat=len(lower)) if sum(k) <= degree]
        self.powers = np.array(powers)

    def __len__(self) -> int:
        return len(self.powers)

    def _axes(self, x: Floats, orders: int) -> list[list[Floats]]:
        """Per axis and order of derivative: one column per polynomial, ``(n, m)``."""
        scale = 2 / (self.upper - self.lower)
        s = (x - self.lower) * scale - 1
        out = []
        for a in range(x.shape[1]):
            columns = []
            for order in range(orders + 1):
                coefficients = np.eye(self.degree + 1)
                if order:
                    coefficients = chebyshev.chebder(coefficients, order, scl=scale[a])
                values = chebyshev.chebvander(s[:, a], len(coefficients) - 1) @ coefficients
                columns.append(values[:, self.powers[:, a]])
            out.append(columns)
        return out

    def values(self, x: Floats) -> Floats:
        """At points ``(n, d)``, ``(n, m)``."""
        return np.asarray(np.prod([columns[0] for columns in self._axes(x, 0)], axis=0))

    def jets(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Values ``(n, m)``, gradients ``(d, n, m)``, Laplacians ``(n, m)``."""
        axes = self._axes(x, 2)

        def along(axis: int, order: int) -> Floats:
            return np.asarray(np.prod([c[order if a == axis else 0] for a, c in enumerate(axes)], axis=0))

        d = len(axes)
        laplacian = sum((along(a, 2) for a in range(d)), np.zeros((len(x), len(self))))
        return along(0, 0), np.stack([along(a, 1) for a in range(d)]), laplacian

    def fit(self, x: Floats) -> PolynomialFit:
        """What fits values at points, see :class:`PolynomialFit`."""
        return PolynomialFit(self, x)


class PolynomialFit:
    """Coefficients of the polynomial closest to values at points.

    Of the many that agree on the points (those of a boundary do not tell all polynomials apart) the one with the least
    Σ (1 + |k|)⁸ c_k²: the one whose second derivatives are smallest.

    Args:
        polynomials: of which.
        x: points ``(n, d)``.
    """

    def __init__(self, polynomials: Polynomials, x: Floats) -> None:
        weights = 1.0 / (1 + polynomials.powers.sum(1)) ** 4
        self.values = polynomials.values(x)
        self.inverse = weights[:, None] * np.linalg.pinv(self.values * weights, rcond=RCOND)

    def __call__(self, values: Floats) -> Floats:
        """Coefficients ``(m, c)`` of values ``(n, c)``, refined as the inverse is of a nearly singular matrix."""
        out = self.inverse @ values
        for _ in range(REFINEMENTS):
            out = out + self.inverse @ (values - self.values @ out)
        return np.asarray(out)
