"""What follows an attempted step: whether it is accepted, and how long the next one is."""

from attns_core.kernels.source import Source

_ROWS = ("ts", "hs", "steps", "goals", "logs", "rest", "passed", "landed")


def lane_numbers(dim: int) -> list[str]:
    """Names for what each lane has one of: rows of ``z`` and, after the states, of ``w``.

    Few arrays need few checks of overlap.
    """
    rows = [f"{name} = z[{i} * L : {i + 1} * L]" for i, name in enumerate(_ROWS)]
    return [*rows, f"checks = w[{3 * dim} * L : {3 * dim + 1} * L]"]


def working_array(out: Source, dim: int) -> None:
    """``w``: state, slope and proposed state of every lane, and a check."""
    out.line(f"w = np.empty({3 * dim + 1} * L, dtype=F)")


def scale(name: str, a: str, b: str) -> list[str]:
    """Statements that leave in ``name`` the largest error of a component, ``a`` before and ``b`` after a step."""
    return [
        f"{name}a = abs({a})",
        f"{name}b = abs({b})",
        f"{name} = atol + rtol * ({name}b if {name}b > {name}a else {name}a)",
    ]


def control(out: Source, dim: int) -> None:
    """The next step length, in double precision; ``good`` tells whether the attempt was accepted."""
    lines = [
        # Read again, as doubles: what lanes hold over a loop of terms is rounded.
        "t = ts[l]",
        "h = hs[l]",
        f"e = math.sqrt(np.float64(e5) / {dim}.0)",
        f"low = math.sqrt(np.float64(e3) / {dim}.0)",
        "both = math.sqrt(e * e + 0.01 * low * low)",
        "damped = e * (e / both)",
        "e = damped if low > 0.0 else e",
        "e = e + np.float64(finite)",
        "good = e <= 1.0",
        "log_e = log64(e if e > 1e-300 else 1e-300)",
        "exponent = integral * logs[l] - proportional * log_e if good else -log_e / power",
        "f = safety * exp64(exponent)",
        "f = f if f > least else least",
        "up = least if not (abs(e) < np.inf) else f",
        "f = f if f < largest else largest",
        "f = largest if e == 0.0 else f",
        "f = 1.0 if ((rest[l] > 0.0) & (f > 1.0)) else f",
        "f = f if good else up",
        "proposal = h * f",
        "dt = steps[l]",
        "lands = reach * dt >= goals[l] - t",
        "short = good & lands & (h < dt)",
        "kept = dt if dt > proposal else proposal",
        "steps[l] = kept if short else proposal",
        "bounded = log_e if e > least_error else log_least",
        "logs[l] = bounded if (good & (not short)) else logs[l]",
        "moved = goals[l] if lands else t + h",
        "ts[l] = moved if good else t",
        "rest[l] = 0.0 if good else 1.0",
        "passed[l] = 1.0 if good else 0.0",
        "landed[l] = 1.0 if (good & lands) else 0.0",
        "checks[l] = begun",
    ]
    out.lines(lines)
