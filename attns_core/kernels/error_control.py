"""What surrounds an attempt: how long the step is, whether it is accepted, and how long the next one may be.

These are loops of their own over the lanes, apart from the stages: one long chain of dependent operations, but so
few of them that the processor works on several vectors at once.
"""

from collections.abc import Sequence

from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source

_TIMES = ("ts", "hs", "steps", "goals", "logs", "rest", "passed", "events", "accepted", "rejected")
_SUMS = ("checks", "finites", "e5s", "e3s")


def arrays(out: Source, dim: int) -> None:
    """``z`` holds doubles; ``w`` four values per component (state, slope, proposed state and slope) and sums."""
    out.line(f"z = empty_rows({len(_TIMES)} * L, np.float64)")
    out.line(f"w = empty_rows({4 * dim + len(_SUMS)} * L, F)")


def lane_numbers(dim: int) -> list[str]:
    """Names for what each lane has one of: rows of ``z`` and, after the states, of ``w``.

    Few arrays need few checks of overlap. An attempt leaves ``checks`` and ``finites``, zero or NaN where the first
    slope or the proposed state is not finite, and ``e5s``, ``e3s``, the sums of squares of the error estimates.
    """
    rows = [f"{name} = z[{i} * L : {i + 1} * L]" for i, name in enumerate(_TIMES)]
    return rows + [f"{name} = w[{4 * dim + i} * L : {4 * dim + i + 1} * L]" for i, name in enumerate(_SUMS)]


def scale(name: str, a: str, b: str) -> list[str]:
    """Statements that leave in ``name`` the largest error of a component, ``a`` before and ``b`` after a step."""
    return [
        f"{name}a = abs({a})",
        f"{name}b = abs({b})",
        f"{name} = atol + rtol * ({name}b if {name}b > {name}a else {name}a)",
    ]


def sums(dim: int, first: Sequence[str]) -> list[str]:
    """What an attempt written out leaves, from ``n0, n1, ...``, ``e5`` and the names of its first slope."""
    return [
        *(f"w[{2 * dim + i} * L + l] = n{i}" for i in range(dim)),
        "checks[l] = zero" + "".join(f" + zero * {name}" for name in first),
        "finites[l] = zero" + "".join(f" + zero * n{i}" for i in range(dim)),
        "e5s[l] = e5",
    ]


def choose(out: Source) -> None:
    """The length of the next attempt of every lane."""
    with lane_loop(out):
        out.lines(["left = goals[l] - ts[l]", "half = 0.5 * left", "dt = steps[l]"])
        out.line("h = half if reach * dt >= half else dt")
        out.line("hs[l] = left if reach * dt >= left else h")


def decide(out: Source, dim: int, *, has_low: bool, accepted_rows: int = 0) -> None:
    """Whether each attempt counts and is accepted, in double precision, and the next step length.

    ``events`` tells what is left to do lane by lane: -1 where a saved time is reached, else why a trajectory is
    lost, else 0. Where an attempt is accepted, the first rows of ``w`` are replaced by the proposed ones, as many as
    asked for. Errors are handled as squares, whose logarithm is twice theirs.
    """
    damped = [
        f"low = np.float64(e3s[l]) * {1 / dim!r}",
        "damped = e * (e / (e + 0.01 * low))",
        "e = damped if low > 0.0 else e",
    ]
    with lane_loop(out):
        out.lines(
            [
                "t = ts[l]",
                "h = hs[l]",
                "dt = steps[l]",
                "goal = goals[l]",
                "lands = reach * dt >= goal - t",
                "there = abs(goal) if abs(goal) > abs(t) else abs(t)",
                "lost = 1.0 if accepted[l] + rejected[l] >= limit else 0.0",
                f"lost = 2.0 if ((not lands) & (not (h >= {10 * 2.220446049250313e-16!r} * there))) else lost",
                "lost = lost if checks[l] == zero else 3.0",
                f"e = np.float64(e5s[l]) * {1 / dim!r}",
                *(damped if has_low else ()),
                "e = e + np.float64(finites[l])",
                "good = (e <= 1.0) & (lost == 0.0)",
                "log_e = log64(e if e > 1e-300 else 1e-300)",
                "free = good & (reach * h >= dt)",
                "exponent = by_last * logs[l] - by_error * log_e if free else -per_power * log_e",
                "f = safety * exp64(exponent)",
                "f = f if f > least else least",
                "up = least if not (abs(e) < np.inf) else f",
                "f = f if f < largest else largest",
                "f = largest if e == 0.0 else f",
                "f = 1.0 if ((rest[l] > 0.0) & (f > 1.0)) else f",
                "proposal = h * (f if good else up)",
                "kept = good & (h < 0.5 * dt) & (dt > proposal)",
                "steps[l] = dt if kept else proposal",
                "bounded = log_e if log_e > log_least else log_least",
                "logs[l] = bounded if free else logs[l]",
                "moved = goal if lands else t + h",
                "ts[l] = moved if good else t",
                "rest[l] = 0.0 if good else 1.0",
                "passed[l] = 1.0 if good else 0.0",
                "events[l] = -1.0 if (good & lands) else lost",
                "accepted[l] = accepted[l] + (1.0 if good else 0.0)",
                "rejected[l] = rejected[l] + (0.0 if (good | (lost > 0.0)) else 1.0)",
            ]
        )
        for row in range(accepted_rows):
            out.line(f"w[{row} * L + l] = w[{2 * dim + row} * L + l] if good else w[{row} * L + l]")
