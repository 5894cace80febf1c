"""Elasticity: small displacements of a solid, and large ones of any material."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

from neuralpde.problems._by_part import bound
from neuralpde.problems._elastic_body import ElasticBody
from neuralpde.problems._hyperelastic import AnyMaterial, Linear
from neuralpde.problems._materials import Distortion, Material, Split
from neuralpde.types import ScalarOrField, UsageError


@dataclass(frozen=True)
class LinearElasticity(ElasticBody):
    """0 = ∇·σ + b with σ = 2μ ε + λ tr(ε) I, ε = (∇u + ∇uᵀ)/2, for the displacement u in metres.

    μ = E / (2 (1 + ν)) and λ = E ν / ((1 + ν)(1 − 2ν)); a sheet in plane stress has λ = E ν / (1 − ν²). Loads, supports
    and motion are those of every :class:`ElasticBody`.

    Args:
        young: Young's modulus E > 0 in Pa; a number, a function ``(n, d)`` → ``(n, 1)``, or :class:`ByPart`.
        poisson_ratio: ν, between −1 and 0.5; the same.
        plane: in 2D ``"strain"`` (a slice of a long body) or ``"stress"`` (a thin sheet).

    Raises:
        UsageError: for constants out of range.

    Source: Hughes, The Finite Element Method (2000), chapter 2.7.
    """

    young: ScalarOrField = 1.0
    poisson_ratio: ScalarOrField = 0.3
    plane: Literal["strain", "stress"] = "strain"

    def __post_init__(self) -> None:
        for name in ("young", "poisson_ratio"):
            object.__setattr__(self, name, bound(getattr(self, name), self.domain))
        super().__post_init__()

    @cached_property
    def material(self) -> Linear:  # type: ignore[override]
        """Hooke's law with these constants."""
        return Linear(self.young, self.poisson_ratio, plane=self.plane).on(self.domain)


@dataclass(frozen=True)
class Elasticity(ElasticBody):
    """ρ ü = ∇·P + b with P = ∂Ψ/∂F of a material Ψ(F), F = I + ∇u: large deformations of an elastic body.

    Loads, supports and motion are those of every :class:`ElasticBody`.

    Args:
        material: its energy density; one of one's own is a class derived from :class:`Material`.

    Raises:
        UsageError: for something else than a material.

    Example: a block of rubber that hangs from the ceiling.
        >>> from neuralpde.geometry import Box, Dirichlet, Flux
        >>> from neuralpde.problems import NeoHookean
        >>> held = (Dirichlet(0.0, on="y+"), Flux(0.0))
        >>> block = Elasticity(NeoHookean(1e6, 0.45), density=1000.0, gravity=(0.0, -9.81), conditions=held)
        >>> block.unknowns
        {'displacement': 2}
    """

    material: AnyMaterial | Material  # type: ignore[misc]

    def __post_init__(self) -> None:
        if not isinstance(self.material, Material):
            raise UsageError(
                f"Elasticity needs a material, for instance material=NeoHookean(young=1e6, poisson_ratio=0.45); got "
                f"{self.material!r}."
            )
        object.__setattr__(self, "material", self.material.on(self.domain))
        super().__post_init__()


def without_dilatation(body: ElasticBody) -> Elasticity:
    """The same body without the energy of its volume: what the mean of the volume in every element goes with.

    Raises:
        UsageError: for a material that is no :class:`Split`.
    """
    if not isinstance(body.material, Split):
        raise UsageError(f"{type(body.material).__name__} states no energy of the volume alone.")
    shared = {f.name: getattr(body, f.name) for f in fields(ElasticBody)}
    # a body force that follows from the exact solution is that of the whole material
    return Elasticity(Distortion(body.material), **shared | {"body_force": body.force, "gravity": None})
