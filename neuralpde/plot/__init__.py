"""Pictures, comparisons and animations of sampled fields; matplotlib is imported on first use, pyplot never."""

from neuralpde.plot._animation import animation
from neuralpde.plot._comparison import comparison
from neuralpde.plot._curves import curves
from neuralpde.plot._picture import picture
from neuralpde.plot._profiles import profiles
from neuralpde.plot._samples import Samples

__all__ = ["Samples", "animation", "comparison", "curves", "picture", "profiles"]
