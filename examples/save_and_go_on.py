"""Save a run, read it back, go on from where it stopped."""

from neuralpde import RK4, Burgers, GridField, load_solution, simulate

burgers = Burgers()
first = simulate(burgers, GridField.for_problem(burgers, 256, order=6), RK4(), dt=1e-3, t_end=0.5, save_every=50)
path = first.save("runs/burgers_half_way.h5")

loaded = load_solution(path, burgers)
second = simulate(burgers, loaded.representation, RK4(), dt=1e-3, t_end=1.0, save_every=50, restart=loaded.last)
print(second.summary())
