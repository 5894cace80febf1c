"""A case without mistakes, a user's file beside it, and what sentences name."""

from __future__ import annotations

import inspect
from dataclasses import fields

from neuralpde.cases._problem import CONDITIONS
from neuralpde.dynamics import METHODS, DiscreteDynamics, FunctionSpaceDynamics, GalerkinDynamics, served_by
from neuralpde.integrators import INTEGRATORS
from neuralpde.optimize import GaussNewton
from neuralpde.problems import PROBLEMS
from neuralpde.representations import REPRESENTATIONS

GOOD = """\
seed = 0
[problem]
name = "advection"
speed = 0.25
[time]
integrator = "rk4"
dt = 0.05
t_end = 1.0
[[run]]
name = "grid"
representation = {kind = "grid", shape = 32, order = 6}
[[run]]
name = "neural"
representation = {kind = "neural_field", hidden = [4, 4]}
fit = {maxiter = 4}
"""

MINE = '''\
"""Equations for the tests."""
from dataclasses import dataclass
from neuralpde import Box, Dirichlet, Problem


@dataclass(frozen=True)
class Fixed(Problem):
    rate: float = 1.0
    steps: int = 2
    loud: bool = False
    weights: tuple[float, ...] = (1.0,)
    domain = Box((0.0,), (1.0,))
    conditions = (Dirichlet(0.0),)

    def rhs(self, t, x, u):
        return -self.rate * u.value


class Plain:
    pass


def bump(x):
    return x


answer = 42
'''

# Lists that grow with the package are taken from it; the sentences around them are not.
PARTS = ", ".join(PROBLEMS)
STEPS = ", ".join(INTEGRATORS)
KINDS = ", ".join(REPRESENTATIONS)
METHOD_NAMES = ", ".join(METHODS)
GAUSS_NEWTON = ", ".join(field.name for field in fields(GaussNewton))
ON_GRIDS, ON_NETWORKS, IN_GALERKIN = (
    ", ".join(list(inspect.signature(dynamics).parameters)[2:])
    for dynamics in (DiscreteDynamics, FunctionSpaceDynamics, GalerkinDynamics)
)
TIME = "integrator, dt, t_end, save_every, growth_limit, until_steady"
FITTED = " or ".join(
    dict.fromkeys(
        f"a {served_by(name)[0].__name__}"
        for name, (made, _) in METHODS.items()
        if "fit" in inspect.signature(made).parameters
    )
)
REFERENCE = "representation, integrator, dt, save_every, growth_limit, until_steady, method, initial_fit"
RUN = f"{REFERENCE}, name, t_end"
FUNCTION = '{sine = {…}} or {gaussian = {…}} or {by_part = {…}} or "file.py:function"'
CONDITION = f"{', '.join(CONDITIONS)}; got 'dirichlt'; did you mean dirichlet?"

# (what is replaced, by what, the sentence after the file's name)
