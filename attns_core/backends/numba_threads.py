"""Sharing work between threads: contiguous parts, so that results and memory access stay orderly."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def share(work: Callable[[int, int], None], items: int, threads: int, *, least: int = 1) -> int:
    """Run ``work(first, last)`` over all items on up to ``threads`` threads, ``least`` items each.

    Returns
    -------
    int
        How many threads were used.
    """
    used = max(1, min(threads, items // least))
    if used == 1:
        work(0, items)
        return 1
    edges = [items * i // used for i in range(used + 1)]
    with ThreadPoolExecutor(used) as pool:
        for future in [pool.submit(work, a, b) for a, b in pairwise(edges)]:
            future.result()
    return used
