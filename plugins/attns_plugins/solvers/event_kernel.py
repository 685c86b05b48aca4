"""Stick-slip motion, exact up to round-off between events, over blocks of trajectories.

Between events the motion is linear: over one scan step of length ``h`` a state goes through one of
``2**masses`` affine maps, chosen by which masses stick. The maps of a whole block run over all lanes, and
a lane whose end point breaks its pattern (a slipping mass passed the belt's speed, a sticking one is
pulled harder than friction holds) is taken back and followed from event to event. There the motion is a
Taylor series, whose terms follow from each other; events are its roots, found by bracketing.

A pattern that breaks and mends within one scan step goes unseen: ``h`` is what accuracy depends on.
"""

import math
from typing import Any

import numpy as np
from numba import njit

LANES = 32
MOST_TERMS = 20
"""Length of the series at most; with ``h`` times the fastest rate at most 1 the remainder is below 1e-19."""

SAMPLES = 2
"""Points at which an event is looked for before it is bracketed."""


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def pull(before: float, x: float, after: float, v: float, p: Any) -> float:
    """The force on a mass between two neighbours without friction and shaking; ``p`` = damping, coupling, ...

    A mass without a neighbour is its own.
    """
    return -x - p[0] * v - p[1] * (x - before) + p[1] * (after - x)


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def expand(n: int, t: float, y: Any, stuck: Any, sign: Any, p: Any, x: Any, v: Any, f: Any) -> None:
    """Series of positions, speeds and forces (without friction) about ``t``, each (terms + 1, n)."""
    friction, shake, omega = p[2], p[4], p[5]
    terms = x.shape[0] - 1
    c, s = math.cos(omega * t), math.sin(omega * t)
    for i in range(n):
        x[0, i], v[0, i] = y[i], y[n + i]
    for k in range(terms + 1):
        for i in range(n):
            f[k, i] = pull(x[k, max(i - 1, 0)], x[k, i], x[k, min(i + 1, n - 1)], v[k, i], p)
        f[k, 0] += shake * c
        if k == terms:
            break
        reciprocal = 1.0 / (k + 1)
        # Terms of cosine and sine at t + tau.
        c, s = -omega * s * reciprocal, omega * c * reciprocal
        for i in range(n):
            x[k + 1, i] = v[k, i] * reciprocal
            slip = 0.0 if stuck[i] else f[k, i] - (friction * sign[i] if k == 0 else 0.0)
            v[k + 1, i] = slip * reciprocal


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def value(series: Any, i: int, tau: float) -> tuple[float, float]:
    """A series and its derivative at ``tau``."""
    total, slope = series[series.shape[0] - 1, i], 0.0
    for k in range(series.shape[0] - 2, -1, -1):
        slope = slope * tau + total
        total = total * tau + series[k, i]
    return total, slope


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def slack(i: int, tau: float, stuck: Any, sign: Any, p: Any, v: Any, f: Any) -> tuple[float, float]:
    """Negative where the pattern of mass ``i`` is broken; with its derivative."""
    if stuck[i]:
        force, slope = value(f, i, tau)
        return (p[2] - force, -slope) if force > 0 else (p[2] + force, slope)
    speed, slope = value(v, i, tau)
    return sign[i] * (speed - p[3]), sign[i] * slope


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def event_time(i: int, end: float, tolerance: float, stuck: Any, sign: Any, p: Any, v: Any, f: Any) -> float:
    """When mass ``i`` first breaks its pattern, at most ``end``; infinite where it does not.

    By Newton's method within a bracket that halves where Newton leaves it.
    """
    low = 0.0
    for q in range(1, SAMPLES + 1):
        high = end * q / SAMPLES
        g, slope = slack(i, high, stuck, sign, p, v, f)
        if g >= 0.0:
            low = high
            continue
        root = high
        for _ in range(100):
            proposal = root - g / slope if slope != 0.0 else low
            if not low < proposal < high:
                proposal = 0.5 * (low + high)
            moved = abs(proposal - root)
            root = proposal
            if moved <= tolerance * end:
                break
            g, slope = slack(i, root, stuck, sign, p, v, f)
            if g < 0.0:
                high = root
            else:
                low = root
        return min(end, root + 4e-16 * end)
    return np.inf


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def settle(i: int, n: int, t: float, y: Any, stuck: Any, sign: Any, p: Any) -> None:
    """Whether mass ``i``, at the belt's speed, sticks to it or which way it slips."""
    force = pull(y[max(i - 1, 0)], y[i], y[min(i + 1, n - 1)], y[n + i], p)
    if i == 0:
        force += p[4] * math.cos(p[5] * t)
    stuck[i] = abs(force) <= p[2]
    sign[i] = 1.0 if force > 0 else -1.0


@njit(error_model="numpy", nogil=True, cache=True, forceinline=True)
def follow(
    n: int, t: float, h: float, tolerance: float, y: Any, stuck: Any, sign: Any, p: Any, x: Any, v: Any, f: Any
) -> int:
    """One trajectory from ``t`` to ``t + h``, event by event; returns how many there were."""
    left, events = h, 0
    while events < 1000:
        expand(n, t, y, stuck, sign, p, x, v, f)
        first, which = np.inf, -1
        for i in range(n):
            found = event_time(i, left, tolerance, stuck, sign, p, v, f)
            if found < first:
                first, which = found, i
        tau = min(first, left)
        for i in range(n):
            y[i] = value(x, i, tau)[0]
            y[n + i] = p[3] if stuck[i] else value(v, i, tau)[0]
        if which < 0:
            return events
        events += 1
        t += tau
        left -= tau
        if stuck[which]:
            stuck[which] = False
            sign[which] = 1.0 if value(f, which, tau)[0] > 0 else -1.0
        else:
            y[n + which] = p[3]
            settle(which, n, t, y, stuck, sign, p)
    y[:] = np.nan
    return events


@njit(error_model="numpy", nogil=True, cache=True, fastmath={"contract"})
def solve(
    u0: Any,
    out: Any,
    counts: Any,
    t_save: Any,
    h: float,
    tolerance: float,
    terms: int,
    p: Any,
    maps: Any,
    waves: Any,
    events: Any,
) -> None:
    """Blocks of lanes over all scan steps.

    ``maps`` (patterns, 2 n, 3 n + 1): a state's image from state, signs and 1; ``waves`` (patterns, 2 n, 2):
    from cosine and sine of the forcing's phase. Series have ``terms`` terms, events are found to
    ``tolerance`` of a scan step. Bit ``i`` of a pattern says that mass ``i`` sticks.
    """
    n2, total = u0.shape
    n = n2 // 2
    belt, friction, damping, coupling = p[3], p[2], p[0], p[1]
    w, new = np.zeros((n2, LANES)), np.zeros((n2, LANES))
    signs = np.zeros((n, LANES))
    pattern = np.zeros(LANES, dtype=np.int64)
    broken = np.zeros(LANES, dtype=np.bool_)
    y, stuck, sign = np.zeros(n2), np.zeros(n, dtype=np.bool_), np.zeros(n)
    x, v, f = np.zeros((terms + 1, n)), np.zeros((terms + 1, n)), np.zeros((terms + 1, n))
    for begin in range(0, total, LANES):
        width = min(LANES, total - begin)
        for lane in range(LANES):
            for i in range(n2):
                w[i, lane] = u0[i, begin + min(lane, width - 1)]
            pattern[lane] = 0
            for i in range(n):
                for d in range(n2):
                    y[d] = w[d, lane]
                signs[i, lane] = 1.0 if y[n + i] > belt else -1.0
                if y[n + i] == belt:
                    settle(i, n, t_save[0], y, stuck, sign, p)
                    signs[i, lane] = sign[i]
                    pattern[lane] |= np.int64(stuck[i]) << i
        for i in range(n2):
            for lane in range(width):
                out[0, i, begin + lane] = w[i, lane]
        for save in range(counts.size):
            for j in range(counts[save]):
                t = t_save[save] + j * h
                c, s = math.cos(p[5] * t), math.sin(p[5] * t)
                ahead = p[4] * math.cos(p[5] * (t + h))
                present = np.zeros(maps.shape[0], dtype=np.bool_)
                for lane in range(LANES):
                    present[pattern[lane]] = True
                for q in range(maps.shape[0]):
                    if not present[q]:
                        continue
                    for i in range(n2):
                        start = maps[q, i, 3 * n] + waves[q, i, 0] * c + waves[q, i, 1] * s
                        row = new[i]
                        if n == 1:
                            a0, a1, a2 = maps[q, i, 0], maps[q, i, 1], maps[q, i, 2]
                            for lane in range(LANES):
                                image = start + a0 * w[0, lane] + a1 * w[1, lane] + a2 * signs[0, lane]
                                row[lane] = image if pattern[lane] == q else row[lane]
                        else:
                            a0, a1, a2, a3 = maps[q, i, 0], maps[q, i, 1], maps[q, i, 2], maps[q, i, 3]
                            a4, a5 = maps[q, i, 4], maps[q, i, 5]
                            for lane in range(LANES):
                                image = start + a0 * w[0, lane] + a1 * w[1, lane] + a2 * w[2, lane] + a3 * w[3, lane]
                                image += a4 * signs[0, lane] + a5 * signs[1, lane]
                                row[lane] = image if pattern[lane] == q else row[lane]
                for lane in range(LANES):
                    broken[lane] = False
                for i in range(n):
                    push = ahead if i == 0 else 0.0
                    bit = np.int64(1) << i
                    for lane in range(LANES):
                        force = push - new[i, lane] - damping * new[n + i, lane]
                        if n == 2:
                            force += coupling * (new[1 - i, lane] - new[i, lane])
                        slips = signs[i, lane] * (new[n + i, lane] - belt) < 0.0
                        broken[lane] |= abs(force) > friction if pattern[lane] & bit else slips
                for lane in range(LANES):
                    if not broken[lane]:
                        for i in range(n2):
                            w[i, lane] = new[i, lane]
                        continue
                    for i in range(n2):
                        y[i] = w[i, lane]
                    for i in range(n):
                        stuck[i] = (pattern[lane] >> i) & 1 == 1
                        sign[i] = signs[i, lane]
                    found = follow(n, t, h, tolerance, y, stuck, sign, p, x, v, f)
                    if lane < width:
                        events[begin + lane] += found
                    pattern[lane] = 0
                    for i in range(n):
                        signs[i, lane] = sign[i]
                        pattern[lane] |= np.int64(stuck[i]) << i
                    for i in range(n2):
                        w[i, lane] = y[i]
            for i in range(n2):
                for lane in range(width):
                    out[save + 1, i, begin + lane] = w[i, lane]
