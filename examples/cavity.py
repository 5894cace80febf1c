"""The lid-driven cavity at Re 400 on two staggered grids, against the table of Ghia, Ghia & Shin (1982)."""

import numpy as np

from neuralpde import solve
from neuralpde.benches.cavity import ghia, profile
from neuralpde.plot import profiles
from neuralpde.problems import LidDrivenCavity
from neuralpde.representations import MacGrid

reynolds = 400
problem = LidDrivenCavity(viscosity=1 / reynolds)
table = ghia(reynolds)
s = np.linspace(0.0, 1.0, 257)
u_lines, v_lines = {}, {}
for cells in (64, 128):
    solution = solve(problem, MacGrid.for_problem(problem, cells))
    flow, name = solution.at(0.0), f"{cells} × {cells} cells"
    deviation = {c: abs(profile(flow, c, where) - values).max() for c, (where, values) in table.items()}
    steps = solution.infos[0].iterations
    print(f"{name}: {solution.seconds:.1f} s, {steps} Newton steps, largest deviation from the table: ", end="")
    print(", ".join(f"{c} {value:.4f}" for c, value in deviation.items()))
    u_lines[name], v_lines[name] = (profile(flow, "u", s), s), (s, profile(flow, "v", s))

y, u = table["u"]
picture = profiles(
    {"x = 1/2": u_lines, "y = 1/2": v_lines},
    {"x = 1/2": {"Re 400": (u, y)}, "y = 1/2": {"Re 400": table["v"]}},
    "cavity.png",
    labels={"x = 1/2": ("u", "y"), "y = 1/2": ("x", "v")},
    title=f"Lid-driven cavity, Re {reynolds}",
    source="Ghia, Ghia & Shin (1982)",
)
print("profiles:", picture)
