"""Plain ``nn.Module`` networks that know their own derivatives."""

from neuralpde.networks._first_layers import (
    CentredLayer,
    Coordinates,
    FirstLayer,
    FourierFeatures,
    HarmonicFeatures,
)
from neuralpde.networks._mirrored import MirroredLayer
from neuralpde.networks._mlp import ACTIVATIONS, MLP, hidden_widths
from neuralpde.networks._tape import Tape

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "CentredLayer",
    "Coordinates",
    "FirstLayer",
    "FourierFeatures",
    "HarmonicFeatures",
    "MirroredLayer",
    "Tape",
    "hidden_widths",
]
