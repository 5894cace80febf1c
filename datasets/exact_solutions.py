"""Write the exact solution of a built-in problem, sampled in time and space, to an HDF5 file."""

import argparse

import torch

from neuralpde.geometry import Grid
from neuralpde.io import save_arrays
from neuralpde.problems import PROBLEMS


def main() -> None:
    """Sample ``problem.exact`` on a lattice: arrays ``times (k,)``, ``points (n, d)``, ``values (k, n, c)``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", choices=sorted(PROBLEMS))
    parser.add_argument("file")
    parser.add_argument("--t-end", type=float, default=1.0)
    parser.add_argument("--times", type=int, default=101)
    parser.add_argument("--points", type=int, default=1001, help="per axis, both ends included")
    options = parser.parse_args()
    problem = PROBLEMS[options.problem]()
    dim = problem.domain.dim
    points = Grid(problem.domain, (options.points,) * dim, (False,) * dim).points()
    times = torch.linspace(0, options.t_end, options.times, dtype=torch.float64)
    values = torch.stack([problem.exact(float(t), points) for t in times])
    arrays = {"times": times.numpy(), "points": points.numpy(), "values": values.numpy()}
    print(save_arrays(options.file, arrays, {"problem": problem.name, "exact": True}))


if __name__ == "__main__":
    main()
