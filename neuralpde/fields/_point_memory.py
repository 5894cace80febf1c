"""What is slow to find at points that come again and again: those of a weak form's parts, of a fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from neuralpde.fields._jet import Jet

T = TypeVar("T", bound=Tensor | Jet)

KEPT = 64
"""Sets of points whose values are remembered, where nothing else is said."""


class PointMemory:
    """What one function came to at the latest sets of points.

    Points are known by what they are and not by their tensor. Where a derivative by them or by weights is asked for
    nothing is remembered. Do not change in place what comes back.

    Args:
        kept: number of sets of points.

    Example:
        >>> calls = []
        >>> def slow(x):
        ...     calls.append(len(x))
        ...     return 2 * x
        >>> memory, x = PointMemory(), torch.ones(3, 1)
        >>> memory(slow, x).sum(), memory(slow, x.clone()).sum(), calls
        (tensor(6.), tensor(6.), [3])
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self._found: dict[tuple[object, ...], Tensor | Jet] = {}

    def __call__(self, function: Callable[[Tensor], T], x: Tensor, *known: object) -> T:
        """What the function comes to at points ``(n, d)``.

        Args:
            function: of points, ``(n, d)`` → a tensor or a jet.
            x: the points.
            known: what else it depends on, tensors or things with a hash: a time, or values of a user's own function,
                which may have changed since.
        """
        given = (x, *(thing for thing in known if isinstance(thing, Tensor)))
        if any(map(_differentiated, given)):
            return function(x)
        others = tuple(thing for thing in known if not isinstance(thing, Tensor))
        key = (*others, *map(_mark, given))
        if key not in self._found:
            found = function(x)
            if any(map(_differentiated, found.parts().values() if isinstance(found, Jet) else (found,))):
                return found
            while len(self._found) >= self.kept:
                self._found.pop(next(iter(self._found)))
            self._found[key] = found
        return self._found[key]  # type: ignore[return-value]  # of the type that the function made


def _differentiated(tensor: Tensor) -> bool:
    """Whether it belongs to a derivative: of autograd, or of torch's function transforms."""
    return tensor.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _mark(tensor: Tensor) -> tuple[object, ...]:
    raw = tensor.detach().cpu().contiguous().numpy()
    return tensor.shape, tensor.dtype, tensor.device, hashlib.blake2b(raw.data, digest_size=16).digest()
