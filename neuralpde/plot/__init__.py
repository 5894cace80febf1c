"""Pictures, comparisons and films of sampled fields, pictures of meshes; matplotlib is imported on first use."""

from neuralpde.plot._animation import animation
from neuralpde.plot._comparison import comparison
from neuralpde.plot._curves import curves
from neuralpde.plot._mesh_picture import mesh_picture
from neuralpde.plot._picture import picture
from neuralpde.plot._problem_picture import problem_picture
from neuralpde.plot._profiles import profiles
from neuralpde.plot._samples import Samples
from neuralpde.plot._section import Body, body
from neuralpde.plot._triangulation import Triangulation, triangulation

__all__ = [
    "Body",
    "Samples",
    "Triangulation",
    "animation",
    "body",
    "comparison",
    "curves",
    "mesh_picture",
    "picture",
    "problem_picture",
    "profiles",
    "triangulation",
]
