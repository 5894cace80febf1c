"""Value, gradient and Laplacian of a network: forward jets against nested reverse-mode differentiation.

A tanh network with 4 hidden layers of 64, float64, at 10,000 random points in 2D and 10D, no gradient with respect to
the weights. Every method is the best of several chunk sizes (points at a time), as the cache matters as much as the
mathematics. Each round times every method once, so that a busy machine slows them alike; the median round counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, hessian, jacrev, vmap

from neuralpde.benches._rows import Row
from neuralpde.networks import MLP, Coordinates

NEEDS = frozenset({"value", "grad", "laplacian"})
Triple = tuple[Tensor, ...]
"""Value ``(n,)``, gradient ``(n, d)``, Laplacian ``(n,)``."""


@dataclass(frozen=True)
class _Contender:
    """One way to compute the triple, with one chunk size."""

    method: str
    run: Callable[[Tensor], Triple]
    chunk: int

    def __call__(self, x: Tensor) -> Triple:
        if self.chunk >= x.shape[0]:
            return self.run(x)
        return tuple(torch.cat(parts) for parts in zip(*map(self.run, x.split(self.chunk)), strict=True))


def _network(dim: int) -> MLP:
    net = MLP(Coordinates([0.0] * dim, [1.0] * dim), [64] * 4, generator=torch.Generator().manual_seed(0))
    return net.double().requires_grad_(False)


def _plain(net: MLP) -> Callable[[Tensor], Tensor]:
    """The same network as anyone writes it, ``(…, d)`` → ``(…)``."""
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(net.weights, net.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        linear.weight.data, linear.bias.data = weight.data, bias.data
        layers += [linear, torch.nn.Tanh()]
    body = torch.nn.Sequential(*layers[:-1]).requires_grad_(False)
    return lambda x: body(2 * x - 1).squeeze(-1)  # the unit box


def _nested(u: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Triple]:
    """One backward pass for the gradient, one more per dimension for the Laplacian."""

    def triple(x: Tensor) -> Triple:
        x = x.detach().requires_grad_()
        d = x.shape[1]
        value = u(x)
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        laplacian = torch.zeros_like(value)
        for i in range(d):
            (row,) = torch.autograd.grad(slope[:, i].sum(), x, retain_graph=i < d - 1)
            laplacian = laplacian + row[:, i]
        return value.detach(), slope.detach(), laplacian.detach()

    return triple


def _functional(u: Callable[[Tensor], Tensor], second: Callable) -> Callable[[Tensor], Triple]:
    """vmap of a Hessian."""

    def triple(x: Tensor) -> Triple:
        return u(x), vmap(grad(u))(x), vmap(second(u))(x).diagonal(dim1=-2, dim2=-1).sum(-1)

    return triple


def _forward(net: MLP) -> Callable[[Tensor], Triple]:
    """The package's own jet, as physics code calls it; it chooses its chunks itself."""

    def triple(x: Tensor) -> Triple:
        with torch.no_grad():
            jet = net.jet(x, NEEDS)
        return jet.value[:, 0], jet.grad[:, 0], jet.laplacian[:, 0]

    return triple


def _contenders(dim: int, n: int) -> list[_Contender]:
    net = _network(dim)
    u = _plain(net)
    found = [_Contender("forward jets", _forward(net), n)]
    for chunk in (256, 300, 512, 700, 768, 1024, 1100, 1500, 2048, n):
        found.append(_Contender("nested autograd", _nested(u), chunk))
    for second in (hessian, lambda f: jacrev(jacrev(f))):  # hessian is jacfwd(jacrev)
        for chunk in (256, 1024):
            found.append(_Contender("torch.func hessian", _functional(u, second), chunk))
    return found


def _rounds(contenders: list[_Contender], x: Tensor, repeats: int) -> list[float]:
    """Median seconds of each contender, timed in turn, after one round that is not counted."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for k in range(repeats + 1):
        for contender, mine in zip(contenders, seconds, strict=True):
            start = time.perf_counter()
            contender(x)
            if k:
                mine.append(time.perf_counter() - start)
    return [statistics.median(mine) for mine in seconds]


def _fastest(contenders: list[_Contender], x: Tensor, repeats: int) -> dict[str, _Contender]:
    """Of each method the chunk size that wins a short trial."""
    trial = zip(_rounds(contenders, x, repeats), contenders, strict=True)
    best: dict[str, _Contender] = {}
    for _, contender in sorted(trial, key=lambda pair: pair[0]):
        best.setdefault(contender.method, contender)
    return best


def _difference(triple: Triple, reference: Triple) -> float:
    """Largest difference over value, gradient and Laplacian, each relative to the reference's largest entry."""
    pairs = zip(triple, reference, strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def _case(dim: int, n: int, repeats: int) -> list[Row]:
    x = torch.rand(n, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    best = _fastest(_contenders(dim, n), x, max(2, repeats // 4))
    methods = ("forward jets", "nested autograd", "torch.func hessian")
    seconds = dict(zip(methods, _rounds([best[name] for name in methods], x, repeats), strict=True))
    reference = best["nested autograd"](x)
    case = f"{dim}d"
    rows = []
    for name in methods:
        rows.append(Row(case, name, "seconds", seconds[name], "s"))
        if name == "forward jets":
            rows.append(Row(case, name, "ratio", seconds["nested autograd"] / seconds[name]))
        if name != "nested autograd":
            rows.append(Row(case, name, "max_difference", _difference(best[name](x), reference)))
    return rows


def rows(quick: bool = False) -> Iterator[Row]:
    """Seconds of each method, how often faster forward jets are, and how far apart the results.

    Args:
        quick: 300 points and few repeats.

    Yields:
        rows ``seconds`` (all methods), ``ratio`` (nested autograd over forward jets; bar 2) and ``max_difference``
        (relative to nested autograd; bar 1e-12) of the cases ``2d`` and ``10d``.
    """
    n, repeats = (300, 3) if quick else (10_000, 17)
    for dim in (2, 10):
        yield from _case(dim, n, repeats)
