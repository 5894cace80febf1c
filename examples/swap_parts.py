"""One problem, two representations, two integrators: swap a part by changing one argument."""

from neuralpde import RK4, GridField, Heat, ImplicitMidpoint, NeuralField, simulate

heat = Heat()
parts = {
    "grid, RK4": (GridField.for_problem(heat, 64, order=6), RK4(), 1e-3),
    "grid, implicit midpoint": (GridField.for_problem(heat, 64, order=6), ImplicitMidpoint(), 1e-2),
    "neural field, implicit midpoint": (
        NeuralField.for_problem(heat, hidden=(8, 8), steepness=4),
        ImplicitMidpoint(),
        0.02,
    ),
}
for name, (representation, integrator, dt) in parts.items():
    run = simulate(heat, representation, integrator, dt=dt, t_end=0.2)
    print(f"{name:32s} {representation.num_dofs:4d} dofs  {run.seconds:6.2f} s  rel_l2 {run.error()['rel_l2']:.1e}")
