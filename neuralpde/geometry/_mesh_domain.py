"""Domains that a mesh describes."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry._boundary_parts import UNTAGGED, boundary_parts, boundary_tags
from neuralpde.geometry._domain import Domain
from neuralpde.geometry._facets import facet_quadrature
from neuralpde.geometry._location import Locator
from neuralpde.geometry._mesh import Ints, Mesh, reference_quadrature
from neuralpde.geometry._mesh_checks import Defect, MeshError, check_mesh
from neuralpde.geometry._quadrature import Quadrature
from neuralpde.geometry._spread import random_mesh_points, spread_points
from neuralpde.types import UsageError


@dataclass(frozen=True, eq=False)
class MeshDomain(Domain):
    """The domain that a mesh covers; parts of its boundary are called by the mesh's tags.

    Facets of the boundary that no tag holds are called ``"untagged"``. Tags may overlap: a condition on one of them is
    one on all of its facets, and no facet may have two. Two domains are equal where their meshes are: points, elements,
    tags of the boundary, parts, which materials go by, and sets of points and edges.

    Args:
        mesh: of a domain in 2D or 3D.

    Raises:
        MeshError: for a mesh that cannot be used, or a surface.

    Example:
        >>> square = Mesh(np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.]]), np.array([[0, 1, 2], [0, 2, 3]]))
        >>> MeshDomain(square).faces, MeshDomain(square).volume
        (('untagged',), 1.0)
    """

    mesh: Mesh

    def __post_init__(self) -> None:
        if not isinstance(self.mesh, Mesh):
            raise UsageError(f"a MeshDomain takes a mesh, such as MeshDomain(read_mesh(path)); got {self.mesh!r}.")
        check_mesh(self.mesh)
        if self.mesh.surface:
            raise MeshError(Defect.NOT_PLANAR)

    @property
    def dim(self) -> int:
        """Number of space dimensions d."""
        return self.mesh.dim

    @cached_property
    def lower(self) -> tuple[float, ...]:  # type: ignore[override]
        """Smallest coordinates of the points."""
        return tuple(float(v) for v in self.mesh.points.min(0))

    @cached_property
    def upper(self) -> tuple[float, ...]:  # type: ignore[override]
        """Largest coordinates of the points."""
        return tuple(float(v) for v in self.mesh.points.max(0))

    @cached_property
    def volume(self) -> float:  # type: ignore[override]
        """Sum of the elements' areas or volumes."""
        return float(self.mesh.measures.sum())

    @cached_property
    def _tags(self) -> dict[str, Ints]:
        return boundary_tags(self.mesh)

    @cached_property
    def _parts(self) -> dict[str, tuple[Ints, tuple[str, ...]]]:
        return boundary_parts(self.mesh, self._tags)

    @cached_property
    def sides(self) -> Mapping[str, Ints]:
        """Facets of the boundary, ``(n, 2)`` of element and local facet, by the names of its parts; each in one."""
        return {name: facets for name, (facets, _) in self._parts.items()}

    @property
    def faces(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the parts of the boundary. Where the mesh's names overlap it is cut into parts that do not, such as
        ``"rest of outer"``."""
        return tuple(self._parts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name that a condition may use: those of the mesh on its boundary, and ``"untagged"``."""
        return (*self._tags, *(name for name in self._parts if name == UNTAGGED))

    @property
    def sets(self) -> Mapping[str, Ints]:  # type: ignore[override]
        """Points and edges of the mesh by their names, but for those that parts of the boundary have."""
        return {name: ids for name, ids in self.mesh.sets.items() if name not in self._tags}

    def parts_of(self, name: str) -> tuple[str, ...]:
        """The parts that a name of the mesh holds; a part's own name is itself."""
        self.check_face(name)
        if name not in self._tags:
            return (name,)
        return tuple(part for part, (_, holders) in self._parts.items() if name in holders)

    def check_face(self, name: str) -> None:
        if name in self._tags or name in self._parts:
            return
        inside = " (a tag of that name lies inside the domain)" if name in self.mesh.tags else ""
        sets = f" and the points and edges {', '.join(self.sets)}" if self.sets else ""
        plain = {known.casefold(): known for known in (*self.sets, *self.names)}
        near = difflib.get_close_matches(name.casefold(), plain, n=1)
        meant = f"; did you mean {plain[near[0]]}?" if near and not inside else "."
        raise UsageError(
            f"this mesh has the boundary parts {', '.join(self.names)}{sets}; there is no {name!r}{inside}{meant}"
        )

    def face_lattice(self, name: str, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
        """At least n points on a part of the boundary, by Gauss–Legendre rules on its facets, with outward normals."""
        facets = np.concatenate([self.sides[part] for part in self.parts_of(name)])
        return facet_quadrature(self.mesh, facets, max(1, -(-n // len(facets))), dtype)

    def lattice(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """At least n points inside, by the same rule on every element."""
        count = max(1, int(np.ceil(round((n / len(self.mesh.cells)) ** (1 / self.dim), 9))))
        x, w = reference_quadrature(self.mesh.element, count)
        points = np.einsum("qk,ekd->eqd", self.mesh.element.values(x), self.mesh.points[self.mesh.cells])
        weights = np.abs(self.mesh.determinants(x)) * w
        return Quadrature(
            torch.as_tensor(points.reshape(-1, self.dim), dtype=dtype, device=device),
            torch.as_tensor(weights.reshape(-1), dtype=dtype, device=device),
        )

    def spread(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """At least n points (a few per cent more), evenly spread over the domain whatever the sizes of the elements,
        see :func:`spread_points`; the latest are kept."""
        kept = self.__dict__.setdefault("_spread", {})
        if n not in kept:
            kept.clear()
            kept[n] = spread_points(self.mesh, n, lambda x: self.locator.find(x)[0] >= 0)
        found = kept[n]
        return Quadrature(found.points.to(device, dtype), found.weights.to(device, dtype))

    def random_points(
        self, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
    ) -> Quadrature:
        """n independent uniform points, see :func:`random_mesh_points`."""
        return random_mesh_points(self.mesh, n, generator, dtype)

    def some_points(self, n: int) -> Tensor:
        """n points inside, always the same ones: middles of elements spread over the mesh."""
        chosen = np.linspace(0, len(self.mesh.cells) - 1, n).astype(int)
        middle = np.asarray(self.mesh.element.nodes)[: self.mesh.element.corners].mean(0, keepdims=True)
        values = self.mesh.element.values(middle)
        return torch.from_numpy(np.einsum("qk,ekd->ed", values, self.mesh.points[self.mesh.cells[chosen]]))

    @cached_property
    def locator(self) -> Locator:
        """Finds the elements of points."""
        return Locator(self.mesh)

    def contains(self, x: Tensor, tolerance: float = 1e-9) -> Tensor:
        """Whether each point ``(n, d)`` lies in the closed domain, ``(n,)`` of bool."""
        element, _ = self.locator.find(x.detach().cpu().double().numpy(), tolerance)
        return torch.from_numpy(element >= 0).to(x.device)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of points, elements and tags: of the shape."""
        out = hashlib.sha256(self.mesh.kind.encode())
        for array in (self.mesh.points, self.mesh.cells):
            out.update(array.tobytes())
        for name, ids in sorted(self.sides.items()):
            out.update(name.encode() + ids.tobytes())
        return out.hexdigest()

    @cached_property
    def parts_digest(self) -> str:
        """SHA-256 of which elements each part has, in whatever order they are listed."""
        out = hashlib.sha256()
        for name, ids in sorted(self.mesh.parts.items()):
            out.update(name.encode() + np.unique(ids).astype(np.int64).tobytes())
        return out.hexdigest()

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, MeshDomain):
            return self is other
        return self.difference(other) == ""

    def difference(self, other: MeshDomain) -> str:
        """What two meshes differ in: "points, elements or tags", "parts", "points and edges that have names", or ""."""
        if self.digest != other.digest:
            return "points, elements or tags"
        if self.parts_digest != other.parts_digest:
            return "parts"
        mine, theirs = self.sets, other.sets
        same = mine.keys() == theirs.keys() and all(np.array_equal(ids, theirs[name]) for name, ids in mine.items())
        return "" if same else "points and edges that have names"

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"MeshDomain({len(self.mesh.cells)} {self.mesh.kind} elements, {', '.join(self.names)})"
