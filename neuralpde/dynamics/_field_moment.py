"""When the energy of a neural field is looked at."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """When an energy is looked at.

    Args:
        t: time of loads and supports.
        factor: of loads and supports, by which they are raised.
    """

    t: float
    factor: float = 1.0
