"""From the stored map and a calibration to an answer, with its uncertainty in words."""

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, final

import numpy as np

from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_harness.advice.calibration import Calibration

MAP = "regime_map.json"
NEAREST = 3
FAR = 3.0
"""Distance beyond which a regime of the map says nothing about an equation."""
MARGIN = 1.2
"""Ratios within this factor of 1 decide nothing: estimates are no better than that."""
_TAGS = {"stiff": 2.0, "chaotic": 1.5, "forced": 1.0, "non-smooth": 2.0}


@final
@dataclass(frozen=True, kw_only=True)
class Comparable:
    """A comparison of the map, and what it implies here.

    Parameters
    ----------
    same : bool
        The map measured this very equation with these parameters.
    ratio : float or None
        Classical over learned time, estimated for this equation; None where no learned step reached
        the error.
    break_even : float or None
        Trajectories after which the training measured there would have paid for itself here.
    """

    regime: str
    distance: float
    same: bool
    error: float
    learned: str
    verdict: str
    ratio: float | None
    break_even: float | None


@final
@dataclass(frozen=True, kw_only=True)
class Advice:
    """The answer.

    Parameters
    ----------
    verdict : {"learned", "classical", "measure"}
        ``measure``: the map does not decide it.
    sentences : tuple of str
        The reasons, the uncertain parts named as such.
    """

    verdict: str
    trajectories: float
    calibration: Calibration
    comparable: tuple[Comparable, ...]
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; what is not finite is null."""
        return _plain(asdict(self))


def advise(equation: Equation, calibration: Calibration, trajectories: float, stored: Any = None) -> Advice:
    """Judge whether a learned step is worth training.

    Parameters
    ----------
    trajectories : float
        How many are wanted in all.
    stored : mapping, optional
        A regime map; default: the one that ships.
    """
    if not trajectories > 0:
        raise AttnsError(f"the number of trajectories must be positive, got {trajectories!r}")
    stored = load_map() if stored is None else stored
    comparable = nearest(equation, calibration, stored["comparisons"])
    verdict = _verdict(comparable, trajectories)
    return Advice(
        verdict=verdict,
        trajectories=float(trajectories),
        calibration=calibration,
        comparable=comparable,
        sentences=_sentences(verdict, calibration, comparable, trajectories, stored),
    )


def load_map() -> Any:
    """The map that ships with the package."""
    return json.loads(files("attns_harness.advice").joinpath(MAP).read_text(encoding="utf-8"))


def nearest(equation: Equation, calibration: Calibration, comparisons: list[dict[str, Any]]) -> tuple[Comparable, ...]:
    """The comparisons that resemble the equation, those of the equation itself alone if there are any."""
    found = [_comparable(equation, calibration, row) for row in comparisons]
    own = [c for c in found if c.same and c.distance <= FAR]
    near = own or [c for c in found if c.distance <= FAR]
    return tuple(sorted(near, key=lambda c: c.distance)[:NEAREST])


def _comparable(equation: Equation, here: Calibration, row: dict[str, Any]) -> Comparable:
    label = equation.name if not row["params"] else f"{row['equation']}[{row['params']}]"
    same = row["equation"] == equation.name and (
        label == equation.label or (not row["params"] and label == here.equation)
    )
    tags = set(equation.tags) | ({"stiff"} if here.stiff else set()) | (set() if here.autonomous else {"forced"})
    distance = 0.5 * abs(np.log10(here.error / row["error"]))
    if not same:
        distance += sum(weight for tag, weight in _TAGS.items() if (tag in tags) != (tag in row["tags"]))
        if row["evaluation_ns"]:
            distance += 0.5 * abs(np.log10(here.evaluation_ns / row["evaluation_ns"]))
        distance += 0.25
    ratio = _scaled(here, row)
    saved = None if ratio is None else here.classical.nanoseconds * 1e-9 * (1 - 1 / ratio)
    cost = row["training_s"]
    pays = cost is not None and saved is not None and saved > 0
    return Comparable(
        regime=row["regime"],
        distance=float(distance),
        same=same,
        error=row["error"],
        learned=row["learned"] if isinstance(row["learned"], str) else "",
        verdict=row["verdict"],
        ratio=ratio,
        break_even=cost / saved if pays and cost is not None and saved else None,
    )


def _scaled(here: Calibration, row: dict[str, Any]) -> float | None:
    """The ratio if a learned step replaced as many evaluations here as there, at this equation's cost of one.

    Evaluations inside the learned step (of its base method) cost here what they cost here; the
    corrector itself costs what it cost there.
    """
    if not row["evaluations_per_step"] or not row["learned_step_ns"]:
        return None
    inside = row["evaluations_in_step"] or 0.0
    corrector = max(row["learned_step_ns"] - inside * row["evaluation_ns"], 0.1 * row["learned_step_ns"])
    return row["evaluations_per_step"] * here.evaluation_ns / (inside * here.evaluation_ns + corrector)


def _verdict(comparable: tuple[Comparable, ...], trajectories: float) -> str:
    if not comparable:
        return "measure"
    good = [c for c in comparable if c.ratio is not None and c.ratio > MARGIN]
    paying = [c for c in good if c.break_even is not None and c.break_even < trajectories]
    if len(paying) == len(comparable):
        return "learned"
    return "classical" if not paying else "measure"


_SAYS = {
    "learned": "A learned step is likely worth training.",
    "classical": "Stay with the classical method.",
    "measure": "The map does not decide this: train and measure before relying on a learned step.",
}


def _sentences(
    verdict: str, here: Calibration, comparable: tuple[Comparable, ...], trajectories: float, stored: Any
) -> tuple[str, ...]:
    fastest = here.classical
    lines = [
        _SAYS[verdict],
        f"Measured here: {fastest.method} delivers {fastest.error:.1e} on {here.equation} (T={here.t_end:g}) with "
        f"dt={fastest.dt:.3g} in {fastest.nanoseconds:.3g} ns per trajectory, {here.evaluation_ns:.3g} ns per "
        f"right-hand side; {_long(trajectories * fastest.nanoseconds * 1e-9)} for {trajectories:.3g} trajectories on "
        "one core.",
    ]
    if np.isfinite(here.stiffness):
        kind = "stiff" if here.stiff else "not stiff"
        lines.append(f"Largest eigenvalue times time span {here.stiffness:.2g}: {kind} over this span.")
    lines += [_compared(c, trajectories) for c in comparable]
    if not comparable:
        lines.append("No regime of the stored map resembles this equation at this error; nothing is claimed.")
    elif not any(c.same for c in comparable):
        lines.append(
            "Estimates from other equations: how many evaluations a learned step can replace here is not known before "
            "one is trained. Factors of two are within their uncertainty."
        )
    cpus = ", ".join(stored.get("cpu", ())) or "another machine"
    lines.append(f"The map was measured on {cpus} with attns run studies/regimes.toml.")
    return tuple(lines)


def _compared(c: Comparable, trajectories: float) -> str:
    start = f"{'Measured for this equation' if c.same else 'Comparable'}: {c.regime} at error {c.error:.0e}"
    if c.ratio is None:
        return f"{start}: no learned step reached it."
    text = f"{start}: {c.learned}, there a {c.verdict}; scaled to the cost measured here {c.ratio:.2g} times as fast"
    if c.break_even is None:
        return text + ", so training never pays."
    enough = "below" if c.break_even < trajectories else "above"
    return text + f", break-even near {c.break_even:.1e} trajectories, {enough} the {trajectories:.3g} asked for."


def _long(seconds: float) -> str:
    return (
        f"{seconds:.3g} s"
        if seconds < 120
        else f"{seconds / 60:.3g} min"
        if seconds < 7200
        else f"{seconds / 3600:.3g} h"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
