"""Several representations side by side: one state for several unknowns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Quadrature
from neuralpde.representations._base import Projection, Representation
from neuralpde.types import Status, UsageError


class Product(Representation):
    """Named blocks side by side: θ is their concatenation, and the field's channels are theirs in that order.

    Args:
        blocks: representations by the names of the unknowns, for instance ``velocity=…, pressure=…``; all on one
            domain, of one dtype and device. Boundary conditions are the first block's.

    Raises:
        UsageError: for no block, or blocks on different domains.

    Example:
        >>> from neuralpde.geometry import Box, Periodic
        >>> from neuralpde.representations import GridField
        >>> box, around = Box((0.0,), (1.0,)), (Periodic(),)
        >>> Product(u=GridField(box, around, shape=8), p=GridField(box, around, shape=4)).num_dofs
        12
    """

    holds_components = holds_points = True  # where its blocks do, which were asked when they were made

    def __init__(self, **blocks: Representation) -> None:
        if not blocks:
            raise UsageError("a Product needs at least one block, for instance Product(velocity=…, pressure=…).")
        self.blocks: Mapping[str, Representation] = blocks
        first = next(iter(blocks.values()))
        for name, block in blocks.items():
            if (block.domain, block.dtype, block.device) != (first.domain, first.dtype, first.device):
                raise UsageError(
                    f"the blocks of a Product share domain, dtype and device; {name!r} lives on {block.domain} "
                    f"({block.dtype}), the first on {first.domain} ({first.dtype})."
                )
        channels = sum(block.channels for block in blocks.values())
        super().__init__(first.domain, first.conditions, channels, first.dtype, first.device)

    @property
    def num_dofs(self) -> int:
        return sum(block.num_dofs for block in self.blocks.values())

    @property
    def stored_floats(self) -> int:
        return sum(block.stored_floats for block in self.blocks.values())

    def split(self, theta: Tensor) -> dict[str, Tensor]:
        """Each block's part of θ ``(…, p)``."""
        parts = theta.split([block.num_dofs for block in self.blocks.values()], dim=-1)
        return dict(zip(self.blocks, parts, strict=True))

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """θ from the blocks' parts."""
        return torch.cat([parts[name] for name in self.blocks], dim=-1)

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        return self.join({name: block.initial(generator) for name, block in self.blocks.items()})

    def at(self, theta: Tensor, t: float = 0.0) -> ProductAt:
        parts = self.split(theta)
        return ProductAt({name: block.at(parts[name], t) for name, block in self.blocks.items()})

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **options: Any
    ) -> Projection:
        """Each block takes its own channels; the error is that of all together, the status the worst."""
        begin, start, fits = time.perf_counter(), 0, dict[str, Projection]()
        guesses = self.split(guess) if guess is not None else dict.fromkeys(self.blocks)
        for name, block in self.blocks.items():
            channels = slice(start, start + block.channels)

            def part(x: Tensor, channels: slice = channels) -> Tensor:
                return target(x)[:, channels]

            fits[name] = block.project(part, t, guesses[name], **options)
            start += block.channels
        squares = sum(block.channels * fits[name].error ** 2 for name, block in self.blocks.items())
        bad = [fit.status for fit in fits.values() if not fit.status.ok]
        return Projection(
            self.join({name: fit.theta for name, fit in fits.items()}),
            math.sqrt(squares / self.channels),
            bad[0] if bad else Status.COMPLETED,
            sum(fit.iterations for fit in fits.values()),
            time.perf_counter() - begin,
        )

    def quadrature(self, n: int | None = None) -> Quadrature:
        """The first block's."""
        return next(iter(self.blocks.values())).quadrature(n)

    def config(self) -> dict[str, Any]:
        blocks = {name: block.config() for name, block in self.blocks.items()}
        return {"kind": "product", "dtype": str(self.dtype).removeprefix("torch."), "blocks": blocks}


class ProductAt(Field):
    """The fields of all blocks, channels side by side; each by its name in ``blocks``."""

    def __init__(self, blocks: Mapping[str, Field]) -> None:
        self.blocks = blocks

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([field(x) for field in self.blocks.values()], dim=-1)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        jets = [field.jet(x, needs).parts() for field in self.blocks.values()]
        shared = [name for name in jets[0] if all(name in jet for jet in jets)]
        return Jet(**{name: torch.cat([jet[name] for jet in jets], dim=1) for name in shared})
