"""A beam of two rubbers hangs under its own weight. How stiff is each? Gradients by adjoint solves tell from a photo.

The deflection is measured at nine points of the upper edge, with an error of 0.1 mm. Every evaluation below is one
nonlinear solve, and one linear one for the gradient by all parameters together.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from neuralpde import ByPart, Dirichlet, Elasticity, FiniteElementField, Flux, MeshDomain, NeoHookean, read_mesh
from neuralpde.differentiable import solve

mesh = read_mesh(Path(__file__).parent.parent / "meshes" / "cantilever_2d.msh", scale=0.1)  # 0.4 m × 0.1 m
outer = mesh.points[mesh.cells].mean(1)[:, 0] > 0.2
domain = MeshDomain(replace(mesh, parts={"clamped half": np.flatnonzero(~outer), "outer half": np.flatnonzero(outer)}))
camera = torch.tensor([[0.05 * k, 0.1] for k in range(9)], dtype=torch.float64)


def deflection(young: torch.Tensor) -> torch.Tensor:
    """Where the points of the upper edge go, in m, of two moduli in Pa."""
    rubber = NeoHookean(young=ByPart({"clamped half": young[0], "outer half": young[1]}), poisson_ratio=0.4)
    beam = Elasticity(
        rubber,
        domain=domain,
        density=1100.0,
        gravity=(0.0, -9.81),
        conditions=(Dirichlet(0.0, on="left"), Flux(0.0)),
    )
    return solve(beam, FiniteElementField.for_problem(beam, degree=2))(camera)


truth = torch.tensor([8e5, 3e5], dtype=torch.float64)
with torch.no_grad():
    noise = 1e-4 * torch.randn(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    measured = deflection(truth) + noise

logarithm = torch.log(torch.tensor([5e5, 5e5], dtype=torch.float64)).requires_grad_()
search = torch.optim.LBFGS([logarithm], max_iter=25, line_search_fn="strong_wolfe", tolerance_change=1e-12)
solves = 0


def misfit() -> torch.Tensor:
    """Sum of squares in mm², with its gradient."""
    global solves
    solves += 1
    search.zero_grad()
    value = (1e3 * (deflection(logarithm.exp()) - measured)).square().sum()
    value.backward()
    return value


search.step(misfit)
for name, true, found in zip(("clamped half", "outer half"), truth.tolist(), logarithm.exp().tolist(), strict=True):
    print(f"{name:12}  E = {true / 1e3:.0f} kPa, found {found / 1e3:.1f} kPa, {100 * abs(found / true - 1):.2f} % off")
print(f"tip down by {-1e3 * float(measured[-1, 1]):.0f} mm; {solves} solves with their adjoints")
