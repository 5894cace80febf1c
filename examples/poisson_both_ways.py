"""Poisson's equation by a grid and by a neural field whose boundary values are exact by construction."""

from neuralpde import GridField, NeuralField, Poisson, compare, solve
from neuralpde.optimize import GaussNewton

poisson = Poisson()
grid = solve(poisson, GridField.for_problem(poisson, 33, order=6))
field = NeuralField.for_problem(poisson, hidden=(10, 10), steepness=4)
neural = solve(poisson, field, points=600, fit=GaussNewton(maxiter=60, damping=1e-3))
for name, solution in (("grid", grid), ("neural field", neural)):
    print(f"{name}: rel_l2 {solution.error()['rel_l2']:.1e} in {solution.seconds:.2f} s")
print("picture:", compare({"grid": grid, "neural field": neural}, "runs/poisson_both_ways.png"))
