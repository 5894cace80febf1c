"""The adaptor of a body's displacement, by its representation."""

from __future__ import annotations

from neuralpde.dynamics._contact_parts import contact_potentials
from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.dynamics._mean_dilatation import dilatation_parts
from neuralpde.dynamics._neural_potential import NeuralPotential
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._potential_space import PotentialSpace
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Motion, NeuralField, Representation
from neuralpde.types import UsageError


def make_space(
    problem: Problem,
    representation: Representation,
    newton: Newton,
    fit: NaturalGradient | None = None,
    points: int | None = None,
) -> PotentialSpace:
    """The potential energy of a problem on a representation of its displacement, or of its motion.

    Raises:
        UsageError: for a representation that has none, or finite elements with options of networks.
    """
    moves = isinstance(representation, Motion)
    field = representation.displacement if isinstance(representation, Motion) else representation
    if isinstance(field, FiniteElementField):
        for name, given in {"fit": fit, "points": points}.items():
            if given is not None:
                raise UsageError(
                    f"{name} is an option of a NeuralField; a FiniteElementField takes newton, load_steps."
                )
        mass = field.mass(problem.mass_density) if moves else None
        shape, others = dilatation_parts(problem, field)
        parts = (*others, *contact_potentials(problem, field))
        return FiniteElementPotential(problem, field, LoadedForm(shape, field), newton, parts, mass)
    if isinstance(field, NeuralField):
        velocity = representation.velocity if isinstance(representation, Motion) else None
        assert velocity is None or isinstance(velocity, FiniteElementField)
        return NeuralPotential(problem, field, fit, points, velocity)
    raise UsageError(f"method='potential' serves finite elements and neural fields; got {type(field).__name__}.")
