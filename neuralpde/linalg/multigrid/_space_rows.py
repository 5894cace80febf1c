"""Compiled transfers of single rows between a grid in space and the next coarser one."""

from __future__ import annotations

from typing import Any

from neuralpde.linalg.jit import compiled


@compiled
def split_row(plain: Any, even: Any, odd: Any, n: int) -> None:
    """Even and odd cells of a row of n."""
    for k in range(n // 2):
        even[k] = plain[2 * k]
        odd[k] = plain[2 * k + 1]
    if n % 2:
        even[n // 2] = plain[n - 1]


@compiled
def merge_row(even: Any, odd: Any, plain: Any, n: int) -> None:
    """A row of n cells from its even and odd ones."""
    for k in range(n // 2):
        plain[2 * k] = even[k]
        plain[2 * k + 1] = odd[k]
    if n % 2:
        plain[n - 1] = even[n // 2]


@compiled
def prolong_row(c: int, kind: int, width: int, share: Any, coarse: Any, counts: Any, shifts: Any, out: Any) -> None:
    """Add P e to every second cell of a fine row; c is the place of its coarse row."""
    for n in range(counts[kind]):
        s = share[c + shifts[kind, n, 0] : c + shifts[kind, n, 0] + width]
        e = coarse[c + shifts[kind, n, 1] : c + shifts[kind, n, 1] + width]
        for k in range(width):
            out[k] += s[k] * e[k]


@compiled
def restrict_row(f: int, c: int, width: int, share: Any, fine: Any, count: int, shifts: Any, out: Any) -> None:
    """Pᵀ r of one coarse row."""
    y = out[c : c + width]
    for k in range(width):
        y[k] = 0.0
    for n in range(count):
        s = share[c + shifts[n, 1] : c + shifts[n, 1] + width]
        r = fine[f + shifts[n, 0] : f + shifts[n, 0] + width]
        for k in range(width):
            y[k] += s[k] * r[k]
