"""Equations with their initial, boundary and exact data."""

from neuralpde.problems._advection_diffusion import AdvectionDiffusion
from neuralpde.problems._base import Problem, Quantity, Term, check_problem
from neuralpde.problems._by_part import ByPart, refuse_jumps
from neuralpde.problems._coefficients import coefficient
from neuralpde.problems._contact import BodyContact, Contact, obstacles
from neuralpde.problems._cylinder import CylinderChannel
from neuralpde.problems._elastic_body import ElasticBody, Rayleigh, traction
from neuralpde.problems._elastic_quantities import von_mises
from neuralpde.problems._elasticity import Elasticity, LinearElasticity, without_dilatation
from neuralpde.problems._energy import densities, energy_flux
from neuralpde.problems._exact_fits import exact_fits
from neuralpde.problems._flow import EulerFlow, IncompressibleFlow, NavierStokes, follow_flow
from neuralpde.problems._flow_cases import (
    BeltramiFlow,
    DoubleShearLayer,
    LidDrivenCavity,
    TaylorGreen,
    VortexPair,
    WalshFlow,
)
from neuralpde.problems._hyperelastic import (
    ARAP,
    AnyMaterial,
    Linear,
    MooneyRivlin,
    NeoHookean,
    SaintVenantKirchhoff,
)
from neuralpde.problems._materials import Material, Split
from neuralpde.problems._moduli import Moduli, contracted
from neuralpde.problems._poisson import Poisson, ProductOfSines
from neuralpde.problems._reaction_diffusion import ReactionDiffusion
from neuralpde.problems._reactions import AllenCahn, Brusselator, GrayScott, LinearDecay, Logistic, Schnakenberg
from neuralpde.problems._shedding import drag_and_lift, period_starts, street_figures, strouhal_number
from neuralpde.problems._transport import Advection, Burgers, GaussianBump, Heat, SineMode, SineSpeed
from neuralpde.problems._waves import (
    AllenCahnFront,
    AllenCahnWave,
    BoundaryLayer,
    FisherWave,
    MovingGaussian,
    Rotation,
)

PROBLEMS: dict[str, type[Problem]] = {
    "advection": Advection,
    "burgers": Burgers,
    "heat": Heat,
    "poisson": Poisson,
    "advection_diffusion": AdvectionDiffusion,
    "reaction_diffusion": ReactionDiffusion,
    "linear_elasticity": LinearElasticity,
    "elasticity": Elasticity,
    "navier_stokes": NavierStokes,
    "euler_flow": EulerFlow,
    "taylor_green": TaylorGreen,
    "walsh_flow": WalshFlow,
    "beltrami_flow": BeltramiFlow,
    "vortex_pair": VortexPair,
    "double_shear_layer": DoubleShearLayer,
    "lid_driven_cavity": LidDrivenCavity,
    "cylinder_channel": CylinderChannel,
}
"""Problems by their names in a case file."""

__all__ = [
    "ARAP",
    "PROBLEMS",
    "Advection",
    "AdvectionDiffusion",
    "AllenCahn",
    "AllenCahnFront",
    "AllenCahnWave",
    "AnyMaterial",
    "BeltramiFlow",
    "BodyContact",
    "BoundaryLayer",
    "Brusselator",
    "Burgers",
    "ByPart",
    "Contact",
    "CylinderChannel",
    "DoubleShearLayer",
    "ElasticBody",
    "Elasticity",
    "EulerFlow",
    "FisherWave",
    "GaussianBump",
    "GrayScott",
    "Heat",
    "IncompressibleFlow",
    "LidDrivenCavity",
    "Linear",
    "LinearDecay",
    "LinearElasticity",
    "Logistic",
    "Material",
    "Moduli",
    "MooneyRivlin",
    "MovingGaussian",
    "NavierStokes",
    "NeoHookean",
    "Poisson",
    "Problem",
    "ProductOfSines",
    "Quantity",
    "Rayleigh",
    "ReactionDiffusion",
    "Rotation",
    "SaintVenantKirchhoff",
    "Schnakenberg",
    "SineMode",
    "SineSpeed",
    "Split",
    "TaylorGreen",
    "Term",
    "VortexPair",
    "WalshFlow",
    "check_problem",
    "coefficient",
    "contracted",
    "densities",
    "drag_and_lift",
    "energy_flux",
    "exact_fits",
    "follow_flow",
    "obstacles",
    "period_starts",
    "refuse_jumps",
    "street_figures",
    "strouhal_number",
    "traction",
    "von_mises",
    "without_dilatation",
]
