"""Published profiles of the lid-driven cavity, for a lid that moves to the right with speed 1 in the unit square.

GHIA_U and GHIA_V are Tables I and II of Ghia, Ghia & Shin, JCP 48 (1982): u along x = 1/2 and v along y = 1/2 on their
grid of 129 × 129 nodes, which are named by their numbers as in the tables. NaN stands for v at node 117 for Re 400:
printed is −0.23827, a misprint; a converged solution has −0.39. Their u at node 10 for Re 100, −0.04775, is out of line
with its neighbours by 0.001 too, which is far less than what these tables are used for. All other entries lie on curves
that differ smoothly from converged solutions.

BOTELLA_U, BOTELLA_V and EXTREMA are of Botella & Peyret, Computers & Fluids 27 (1998), Re 1000, by Chebyshev
collocation with the corners' singularities subtracted, to seven digits; turned from their lid, which moves to the left.
A staggered grid extrapolated to spacing 0 agrees with every entry to 1e-4.
"""

from __future__ import annotations

import numpy as np

REYNOLDS = (100, 400, 1000)

_NAN = float("nan")
GHIA_U = {  # node: u for Re 100, 400, 1000
    129: (1.00000, 1.00000, 1.00000),
    126: (0.84123, 0.75837, 0.65928),
    125: (0.78871, 0.68439, 0.57492),
    124: (0.73722, 0.61756, 0.51117),
    123: (0.68717, 0.55892, 0.46604),
    110: (0.23151, 0.29093, 0.33304),
    95: (0.00332, 0.16256, 0.18719),
    80: (-0.13641, 0.02135, 0.05702),
    65: (-0.20581, -0.11477, -0.06080),
    59: (-0.21090, -0.17119, -0.10648),
    37: (-0.15662, -0.32726, -0.27805),
    23: (-0.10150, -0.24299, -0.38289),
    14: (-0.06434, -0.14612, -0.29730),
    10: (-0.04775, -0.10338, -0.22220),
    9: (-0.04192, -0.09266, -0.20196),
    8: (-0.03717, -0.08186, -0.18109),
    1: (0.00000, 0.00000, 0.00000),
}
GHIA_V = {  # node: v for Re 100, 400, 1000
    129: (0.00000, 0.00000, 0.00000),
    125: (-0.05906, -0.12146, -0.21388),
    124: (-0.07391, -0.15663, -0.27669),
    123: (-0.08864, -0.19254, -0.33714),
    122: (-0.10313, -0.22847, -0.39188),
    117: (-0.16914, _NAN, -0.51550),
    111: (-0.22445, -0.44993, -0.42665),
    104: (-0.24533, -0.38598, -0.31966),
    65: (0.05454, 0.05186, 0.02526),
    31: (0.17527, 0.30174, 0.32235),
    30: (0.17507, 0.30203, 0.33075),
    21: (0.16077, 0.28124, 0.37095),
    13: (0.12317, 0.22965, 0.32627),
    11: (0.10890, 0.20920, 0.30353),
    10: (0.10091, 0.19713, 0.29012),
    9: (0.09233, 0.18360, 0.27485),
    1: (0.00000, 0.00000, 0.00000),
}

BOTELLA_U = {  # y: u
    0.9766: 0.6644227,
    0.9688: 0.5808359,
    0.9609: 0.5169277,
    0.9531: 0.4723329,
    0.8516: 0.3372212,
    0.7344: 0.1886747,
    0.6172: 0.0570178,
    0.5000: -0.0620561,
    0.4531: -0.1081999,
    0.2813: -0.2803696,
    0.1719: -0.3885691,
    0.1016: -0.3004561,
    0.0703: -0.2228955,
    0.0625: -0.2023300,
    0.0547: -0.1812881,
}
BOTELLA_V = {  # 1 − x: v
    0.0312: -0.2279225,
    0.0391: -0.2936869,
    0.0469: -0.3553213,
    0.0547: -0.4103754,
    0.0937: -0.5264392,
    0.1406: -0.4264545,
    0.1953: -0.3202137,
    0.5000: 0.0257995,
    0.7656: 0.3253592,
    0.7734: 0.3339924,
    0.8437: 0.3769189,
    0.9062: 0.3330442,
    0.9219: 0.3099097,
    0.9297: 0.2962703,
    0.9375: 0.2807056,
}

EXTREMA = {"u_min": (0.1717, -0.3885698), "v_max": (0.1578, 0.3769447), "v_min": (0.9092, -0.5270771)}
"""Re 1000: where on the line, and the value."""


def ghia(reynolds: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """``"u"`` → (y, u on x = 1/2) and ``"v"`` → (x, v on y = 1/2) for Re 100, 400 or 1000, each ``(k,)``."""
    column, out = REYNOLDS.index(reynolds), {}
    for name, table in (("u", GHIA_U), ("v", GHIA_V)):
        where = np.array([(node - 1) / 128 for node in table])
        values = np.array([row[column] for row in table.values()])
        known = np.isfinite(values)
        out[name] = (where[known], values[known])
    return out


def botella() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same for Re 1000 by Botella and Peyret, inside the box."""
    u, v = np.array(list(BOTELLA_U.items())), np.array(list(BOTELLA_V.items()))
    return {"u": (u[:, 0], u[:, 1]), "v": (1 - v[:, 0], v[:, 1])}
