"""A plate cooled along its left and lower edge and insulated along the others, on a grid and on a small network.

sin(3πx/2) sin(πy/2) fits these mixed conditions and only fades, by exp(−κ(9/4 + 1/4)π² t): the exact solution.
"""

from neuralpde import SDIRK4, Box, Dirichlet, GridField, Heat, Neumann, NeuralField, compare, simulate
from neuralpde.problems import SineMode

cooled, insulated = Dirichlet(0.0, on=("x-", "y-")), Neumann(0.0, on=("x+", "y+"))
heat = Heat(
    diffusivity=0.1,
    profile=SineMode(lengths=(4.0, 4.0), wavenumbers=(3.0, 1.0)),
    domain=Box((0.0, 0.0), (1.0, 1.0)),
    conditions=(cooled, insulated),
)
representations = {
    "grid": GridField.for_problem(heat, (33, 33), order=6),
    "neural field": NeuralField.for_problem(heat, hidden=(10, 10), steepness=2),
}
runs = {name: simulate(heat, r, SDIRK4(), dt=0.1, t_end=0.5) for name, r in representations.items()}
for name, run in runs.items():
    error = run.error(points=101)
    print(f"{name:12s} {run.representation.num_dofs:4d} dofs  {run.seconds:5.2f} s  rel_l2 {error['rel_l2']:.1e}")
print("picture:", compare(runs, "runs/heat_plate.png"))
