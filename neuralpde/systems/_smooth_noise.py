"""Random smooth fields, the same at every resolution of a grid."""

from __future__ import annotations

import numpy as np


def _spline_matrix(points: np.ndarray, knots: int) -> np.ndarray:
    """Values of the periodic cubic B-splines, ``(points, knots)``, at points of [0, 1]."""
    place = points * knots
    first = np.floor(place).astype(int)
    t = place - first
    parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    matrix = np.zeros((points.size, knots))
    for offset, part in enumerate(parts):
        np.add.at(matrix, (np.arange(points.size), (first + offset - 1) % knots), part / 6)
    return matrix


def smooth_noise(generator: np.random.Generator, axes: tuple[np.ndarray, ...], cells: int) -> np.ndarray:
    """A random periodic cubic spline on the unit box, at the points of a lattice.

    Its coefficients are Gaussian on ``cells``^d knots, so that one generator gives the same field on every lattice.

    Args:
        generator: of the coefficients; ``cells``^d numbers are drawn.
        axes: coordinates in [0, 1] along each axis, each of shape ``(n_a,)``.
        cells: knots per axis: features are about 1/cells wide.

    Returns:
        Values ``(n_1, …, n_d)``, of mean 0 and a size of about 0.5 in 2D and 0.3 in 3D.

    Source: de Boor, A Practical Guide to Splines (1978), chapter IX.

    Example:
        >>> line = np.linspace(0, 1, 5)
        >>> smooth_noise(np.random.default_rng(0), (line, line), 4).shape
        (5, 5)
    """
    field = generator.standard_normal((cells,) * len(axes))
    for axis, points in enumerate(axes):
        field = np.moveaxis(np.tensordot(_spline_matrix(points, cells), field, axes=(1, axis)), 0, axis)
    return field
