"""Whether the steps of a body in motion have made energy that nothing supplied."""

from __future__ import annotations

from neuralpde.simulate._energies import Energies

GROWTH, DRIVEN = 0.01, 0.05
"""Share of the energy that moves to and fro from which a rise is noted: a method that damps nothing has errors that
swing, and those of resolved motions are smaller. The second one where supports, obstacles or loads do work, which is
known to the order of the steps."""


def energy_rise(energies: Energies) -> float:
    """The largest rise of total + dissipated − work above its start, over the largest part that was exchanged.

    0 = a run that never holds more than it was given. Of the parts the kinetic energy and each other one's change
    count: where the zero of a load's energy lies does not matter.
    """
    kept = energies.total + energies.dissipated - energies.work
    sizes = [float(part.max() - part.min()) for part in energies.parts.values()]
    size = max(*sizes, float(energies.parts["kinetic"].max()), float(energies.work.abs().max()))
    return float((kept - kept[0]).max()) / size if size > 0 else 0.0


def energy_notes(energies: Energies | None) -> tuple[str, ...]:
    """A note where a body's energy has risen by itself; none of bodies at rest."""
    if energies is None or "kinetic" not in energies.parts or len(energies.times) < 2:
        return ()
    rise = energy_rise(energies)
    if not rise > (DRIVEN if bool(energies.work.any()) else GROWTH):
        return ()
    return (
        f"the steps made energy that nothing supplied, up to {100 * rise:.2g} % of what moves to and fro: take shorter "
        "steps, or a method that damps what they do not resolve: BDF2() or ImplicitEuler()",
    )
