"""More memory than there is, as one sentence and before the machine slows to a halt."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from neuralpde.geometry import Mesh, MeshDomain
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import UsageError

ALLOCATION = re.compile(r"alloc_cpu|can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
"""What torch's RuntimeErrors say when memory is refused; its class for that is raised on accelerators only."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory was refused."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(ALLOCATION.search(str(error))))


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn a refused allocation into a sentence.

    Raises:
        UsageError: where memory was refused inside.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UsageError("it needs more memory than there is; use fewer nodes or weights.") from error


def machine_bytes() -> float:
    """Memory of this machine; endless where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_nodes(arguments: Mapping[str, Any], problem: Problem) -> None:
    """Refuse a grid of which not even one state fits: a system that lends memory freely would only kill us later.

    Args:
        arguments: of a representation; ``shape`` counts nodes or cells per axis.
        problem: gives the dimension and the components.

    Raises:
        UsageError: with the bytes of a state and of the machine.
    """
    shape = arguments.get("shape")
    per_axis = [shape] * problem.domain.dim if isinstance(shape, int) else shape
    if not isinstance(per_axis, list | tuple) or not all(isinstance(n, int) for n in per_axis):
        return  # the representation says what is wrong
    dtype = arguments.get("dtype", torch.float64)
    size = math.prod(per_axis) * problem.channels * (dtype.itemsize if isinstance(dtype, torch.dtype) else 8)
    there = machine_bytes()
    if size > there:
        raise UsageError(
            f"shape = {shape} needs {size / 2**30:.3g} GiB of memory for one state, and this machine has "
            f"{there / 2**30:.3g} GiB; use fewer nodes."
        )


def element_nodes(mesh: Mesh, degree: int) -> int:
    """Number of nodes of finite elements of degree 1 or 2 on a mesh: corners, and middles of edges and, of quads and
    hexahedra, of faces and cells."""
    corners, element, v = mesh.cells[:, : mesh.element.corners], mesh.element, len(mesh.points)
    count = len(np.unique(corners))
    if degree == 1:
        return count
    pairs = np.concatenate([np.sort(corners[:, list(edge)], axis=1) for edge in element.edges])
    count += len(np.unique(pairs[:, 0] * v + pairs[:, 1]))
    if element.shape == "quad":
        return count + len(corners)
    return count + (len(corners) + len(mesh.shared_facets[1]) if element.shape == "hexahedron" else 0)


def element_bytes(mesh: Mesh, degree: int, channels: int = 1) -> float:
    """About what a solve by finite elements takes, without factors of a matrix: e (8 k² d + 48 (k c)²) bytes.

    Of each of e elements there are gradients of its k basis functions at about k quadrature points, and its matrix
    with the places of the entries in the whole one.
    """
    element = mesh.element
    simplex = element.shape in ("triangle", "tetrahedron")
    k = math.comb(degree + element.dim, element.dim) if simplex else (degree + 1) ** element.dim
    return float(len(mesh.cells) * (8 * k * k * element.dim + 48 * (k * channels) ** 2))


def check_elements(kind: type, arguments: Mapping[str, Any], problem: Problem) -> None:
    """Refuse finite elements that this machine cannot hold.

    Args:
        kind: of the representation.
        arguments: of it; ``degree`` is 2 where they don't say.
        problem: on a mesh.

    Raises:
        UsageError: with the bytes needed and those of the machine.
    """
    degree = arguments.get("degree", 2)
    if not issubclass(kind, FiniteElementField) or not isinstance(problem.domain, MeshDomain) or degree not in (1, 2):
        return  # the representation says what is wrong
    mesh = problem.domain.mesh
    size, there = element_bytes(mesh, degree, problem.channels), machine_bytes()
    if size > there:
        less = "degree = 1 or a coarser mesh" if degree == 2 else "a coarser mesh"
        raise UsageError(
            f"finite elements of degree {degree} on {len(mesh.cells)} elements need about {size / 2**30:.3g} GiB of "
            f"memory, and this machine has {there / 2**30:.3g} GiB; use {less}."
        )
