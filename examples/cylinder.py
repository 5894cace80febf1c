"""The vortex street behind a cylinder at Re 100: drag, lift, Strouhal number and pressures, on a coarse grid.

Schäfer and Turek's case 2D-2: on fine grids the largest c_D is 3.22–3.24, the largest c_L 0.99–1.01, the Strouhal
number 0.295–0.305. With six cells across the cylinder drag and frequency are right to a tenth, the lift is not yet.
"""

from neuralpde import simulate
from neuralpde.dynamics import ForceRecord
from neuralpde.integrators import IncrementalPressureCorrection
from neuralpde.problems import CylinderChannel, drag_and_lift, street_figures
from neuralpde.representations import MacGrid

flow = CylinderChannel(speed=1.5)
grid = MacGrid.for_problem(flow, (129, 24))
front, back = flow.front_and_back
record = ForceRecord(probes={"front": front, "back": back, "wake": (0.6, 0.2)}, every=4)
dt = min(grid.spacing) / (3 * flow.speed)
run = simulate(flow, grid, IncrementalPressureCorrection(), dt=dt, t_end=4.0, save_every=100, progress=record)

print(run.summary())
series = drag_and_lift(flow, record.columns())
for name, value in street_figures(flow, series).items():
    print(f"{name:14s} {value:8.4f}")
print("series: ", record.save("runs/cylinder.csv"))
print("picture:", run.plot("runs/cylinder.png"))
