"""Flow past a square by Chorin's projection method on a staggered grid, as a first course on the subject writes it.

``projection_fast.py`` is ``projection.py`` with three lines changed. Both take the cells along each side and the number
of time steps: ``python projection.py 256 40``.
"""

import sys

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import cg

from neuralpde.plugins.scipy import as_preconditioner

n, steps = [int(word) for word in sys.argv[1:]] or [64, 20]
h, viscosity = 1.0 / n, 2e-3
dt = 0.2 * h

y, x = np.meshgrid((np.arange(n) + 0.5) * h, (np.arange(n) + 0.5) * h, indexing="ij")
fluid = np.maximum(abs(x - 0.3), abs(y - 0.5)) > 1 / 16
open_x = np.zeros((n, n + 1))  # faces through which fluid may flow: 1, walls: 0
open_y = np.zeros((n + 1, n))
open_x[:, 1:-1] = fluid[:, 1:] & fluid[:, :-1]
open_y[1:-1, :] = fluid[1:, :] & fluid[:-1, :]
open_x[:, -1] = 1.0  # outflow, with p = 0 beyond it

# the five-point Laplacian of the pressure; a solid cell has nothing but its diagonal
east, north = open_x[:, 1:].ravel(), open_y[1:, :].ravel()
faces = open_x[:, 1:] + open_x[:, :-1] + open_y[1:, :] + open_y[:-1, :]
inner = open_x[:, 1:].copy()
inner[:, -1] = 0.0
across, along = inner.ravel()[:-1], north[:-n]
A = sparse.diags([along, across, -np.maximum(faces, 1).ravel(), across, along], [-n, -1, 0, 1, n], format="csr") / h**2
M = as_preconditioner(A, shape=(n, n))

u, v, p = np.ones((n, n + 1)), np.zeros((n + 1, n)), np.zeros(n * n)
u[:, 1:] *= open_x[:, 1:]
for _ in range(steps):
    # u and v move with the flow and by viscosity; slip along the channel, u = 1 and v = 0 where it flows in
    us = np.pad(u, ((1, 1), (0, 0)), mode="edge")
    vs = np.concatenate([-v[:, :1], v, v[:, -1:]], axis=1)
    vm = 0.25 * (v[:-1, :-1] + v[:-1, 1:] + v[1:, :-1] + v[1:, 1:])
    um = 0.25 * (u[:-1, :-1] + u[1:, :-1] + u[:-1, 1:] + u[1:, 1:])
    c, w = u[:, 1:-1], v[1:-1, :]
    du = -(c * (u[:, 2:] - u[:, :-2]) + vm * (us[2:, 1:-1] - us[:-2, 1:-1])) / (2 * h)
    dv = -(um * (vs[1:-1, 2:] - vs[1:-1, :-2]) + w * (v[2:, :] - v[:-2, :])) / (2 * h)
    du += viscosity * (u[:, 2:] + u[:, :-2] + us[2:, 1:-1] + us[:-2, 1:-1] - 4 * c) / h**2
    dv += viscosity * (v[2:, :] + v[:-2, :] + vs[1:-1, 2:] + vs[1:-1, :-2] - 4 * w) / h**2
    u[:, 1:-1] += dt * du * open_x[:, 1:-1]
    v[1:-1, :] += dt * dv * open_y[1:-1, :]
    u[:, -1] = u[:, -2]
    # pressure: A p = div u / dt, then u and v lose its gradient and are free of divergence
    b = ((u[:, 1:] - u[:, :-1] + v[1:, :] - v[:-1, :]) / (h * dt)).ravel()
    p, info = cg(A, b, x0=p, rtol=1e-6, M=M)
    q = np.pad(p.reshape(n, n), ((0, 0), (0, 1)))
    u[:, 1:] -= dt / h * (q[:, 1:] - q[:, :-1]) * open_x[:, 1:]
    v[1:-1, :] -= dt / h * (q[1:, :-1] - q[:-1, :-1]) * open_y[1:-1, :]

divergence = (u[:, 1:] - u[:, :-1] + v[1:, :] - v[:-1, :]) / h
print(f"t = {steps * dt:.3f}: largest speed {abs(u).max():.4f}, divergence {abs(divergence).max():.1e}")
