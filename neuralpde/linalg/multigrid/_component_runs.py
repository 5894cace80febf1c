"""Runs of coupled cells along the rows of a grid, and which of them hang together."""

from __future__ import annotations

import numpy as np

from neuralpde.linalg.jit import compiled

ALL = np.uint64(0x0101010101010101)
"""Eight bytes of 1: cells are looked at by eights, most of which are all fluid, or all solid."""


@compiled
def runs_of_rows(right, others, steps, lengths):  # type: ignore[no-untyped-def]
    """First cell and the one after the last of every run, by flat numbers, and the number of each row's first run.

    A run holds cells of a row that are coupled one with the next; a cell coupled with other rows alone is one, too.

    Args:
        right: couplings along rows, ``(rows, n)``.
        others: couplings with other rows, each of that shape.
        steps, lengths: of each of these axes: rows from one to the next, and rows around.
    """
    rows, n = right.shape
    first, last = np.empty(4 * rows + n, np.int32), np.empty(4 * rows + n, np.int32)
    begin = np.zeros(rows + 1, np.int32)
    ends, crossed = np.ones(n // 8 * 8 + 8, np.uint8), np.zeros(n // 8 * 8 + 8, np.uint8)
    eight_ends, eight_crossed = ends.view(np.uint64), crossed.view(np.uint64)
    count = 0
    for i in range(rows):
        if count + n > first.size:
            first, last = np.append(first, np.empty_like(first)), np.append(last, np.empty_like(last))
        _mark(right, others, steps, lengths, i, ends, crossed)
        start = 0
        for block in range(eight_ends.size):
            if eight_ends[block] == 0:
                continue
            if eight_crossed[block] == 0 and eight_ends[block] == ALL and start == 8 * block:
                start += 8
                continue
            for k in range(8 * block, 8 * block + 8):
                if ends[k]:
                    if k > start or crossed[k]:
                        first[count], last[count] = i * n + start, i * n + k + 1
                        count += 1
                    start = k + 1
        begin[i + 1] = count
    return first[:count], last[:count], begin


@compiled
def _mark(right, others, steps, lengths, i, ends, crossed):  # type: ignore[no-untyped-def]
    """Cells of row i where a run ends, and those coupled with other rows or around the end of this one."""
    n = right.shape[1]
    for k in range(n):
        ends[k], crossed[k] = right[i, k] == 0.0, 0
    for axis in range(len(others)):
        weight, before = others[axis], _row_after(i, steps[axis], lengths[axis], -1)
        for k in range(n):
            crossed[k] |= (weight[i, k] != 0.0) | (weight[before, k] != 0.0)
    ends[n - 1] = 1
    if right[i, n - 1] != 0.0:
        crossed[0] = crossed[n - 1] = 1


@compiled
def _row_after(i, step, length, number):  # type: ignore[no-untyped-def]
    place = (i // step) % length
    return i + ((place + number) % length - place) * step


@compiled
def _root(root, i):  # type: ignore[no-untyped-def]
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@compiled
def _unite(root, i, j):  # type: ignore[no-untyped-def]
    p, q = _root(root, i), _root(root, j)
    root[max(p, q)] = min(p, q)


@compiled
def link_rows(weight, step, length, first, last, begin, root):  # type: ignore[no-untyped-def]
    """Unite runs of rows that are neighbours along one axis, where any two of their cells are coupled."""
    rows, n = weight.shape
    for i in range(rows):
        other = _row_after(i, step, length, 1)
        shift = (other - i) * n
        p, q = begin[i], begin[other]
        while p < begin[i + 1] and q < begin[other + 1]:
            start, end = max(first[p], first[q] - shift), min(last[p], last[q] - shift)
            for k in range(start - i * n, end - i * n):
                if weight[i, k] != 0.0:
                    _unite(root, p, q)
                    break
            if last[p] < last[q] - shift:
                p += 1
            else:
                q += 1


@compiled
def excess_of_runs(excess, right, first, last, begin, root, enough):  # type: ignore[no-untyped-def]
    """Unite runs around the ends of rows; Σ excess of every root's part, added up until it is more than ``enough``."""
    rows, n = right.shape
    for i in range(rows):
        if right[i, n - 1] != 0.0:
            _unite(root, begin[i], begin[i + 1] - 1)
    sums = np.zeros(root.size)
    for number in range(root.size):
        p = _root(root, number)
        k = first[number]
        while sums[p] <= enough and k < last[number]:
            end = min(k + 64, last[number])
            there = 0
            for m in range(k, end):
                there += excess[m] != 0.0
            if there > 0:  # most walled parts have none, and counting is quicker than adding
                for m in range(k, end):
                    sums[p] += excess[m]
            k = end
    return sums


@compiled
def part_numbers(root, held, label):  # type: ignore[no-untyped-def]
    """Number the parts that nothing holds from 0; −1 for runs of others."""
    count = 0
    for number in range(root.size):
        p = _root(root, number)  # the first run of its part, numbered before
        if held[p]:
            label[number] = -1
        elif p == number:
            label[number] = count
            count += 1
        else:
            label[number] = label[p]
    return count


@compiled
def sums_of_parts(begin, end, r, first, last, label, count):  # type: ignore[no-untyped-def]
    """Σ r over the runs of each part."""
    sums = np.zeros(count)
    for number in range(begin, end):
        total = 0.0
        for k in range(first[number], last[number]):
            total += r[k]
        sums[label[number]] += total
    return sums


@compiled
def subtract(begin, end, r, first, last, label, means):  # type: ignore[no-untyped-def]
    """r −= the mean of its part, in every run."""
    for number in range(begin, end):
        mean = means[label[number]]
        for k in range(first[number], last[number]):
            r[k] -= mean


@compiled
def absolute_sum(first, last, r):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(first, last):
        total += abs(r[i])
    return total
