"""Two shear layers roll up into vortices, on a coarse grid and on a fine one.

Bell, Colella & Glaz (1989). On 40 cells a side, little more than one across a layer, spurious vortices appear between
the true ones. Advection on a staggered grid makes no energy, so the coarse run stays bounded: it looks plausible.
"""

from neuralpde import compare, simulate
from neuralpde.integrators import IncrementalPressureCorrection
from neuralpde.problems import DoubleShearLayer
from neuralpde.representations import MacGrid

layers = DoubleShearLayer(viscosity=1e-4, thickness=1 / 30)
runs = {}
for cells in (40, 128):
    grid = MacGrid.for_problem(layers, cells)
    run = simulate(layers, grid, IncrementalPressureCorrection(), dt=0.3 / cells, t_end=1.0, save_every=cells // 8)
    runs[f"{cells} × {cells} cells"] = run
    velocity = run.states[:, : grid.velocity.num_dofs]
    energy = velocity.square().sum(-1)
    print(f"{cells:3d} cells  {run.seconds:4.1f} s  energy kept {float(energy[-1] / energy[0]):.4f}")
coarse, fine = runs.values()
print(f"velocity of the coarse run against the fine one: {coarse.error([1.0], 129, reference=fine)['rel_l2']:.1e}")
print("picture:", compare(runs, "runs/double_shear_layer.png"))
print("film:   ", compare(runs, "runs/double_shear_layer.gif"))
print("tables: ", fine.save_probes("runs/double_shear_layer.csv", [[0.5, 0.5], [0.25, 0.75]]))
