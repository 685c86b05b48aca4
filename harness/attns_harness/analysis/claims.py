"""The four claims of the AttNS paper, each held against a table of results.

The claims (Huang et al., ICML 2024): the module improves every base method; it needs less data than
NeurVec; it prevents explosions and bears noise; the method's convergence is kept. Every comparison
is paired: two solvers at the same equation, method, step, training set and seed, so on the same test
states. Ratios are geometric means over seeds with their interval, and a ratio counts only where the
interval excludes 1.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import Interval, geometric_interval, wilson

ERROR = "rollout_mse"
"""Every trajectory counts; an exploded step counts as the square of the explosion threshold."""

FEW = 10
"""Training sets up to this many trajectories are limited data."""

ROUND_OFF = 1e-24
"""Errors below this (of states of order one) are round-off: two of them are a tie."""

_PAIR = ["equation", "params", "t_end", "method", "dt", "recipe", "seed"]
"""What two rows must share, so that they differ in the corrector alone."""


@final
@dataclass(frozen=True)
class Claim:
    """One claim, what the table says of it, and the rows behind that.

    Parameters
    ----------
    claim, verdict : str
    evidence : DataFrame
    """

    claim: str
    verdict: str
    evidence: Frame


def claims(table: Frame) -> list[Claim]:
    """Hold the four claims against the rows of a run.

    Parameters
    ----------
    table : DataFrame
        Rows as in ``results.csv``, of a run with the correctors ``attns``, ``neurvec`` and ``none``.
        AttNS counts with its own input ``S``; other inputs are other methods.

    Returns
    -------
    list of Claim
        A claim for which the table has no pairs says so.
    """
    rows = _measured(table)
    at_step = _at_step(rows)
    return [_improves(at_step), _less_data(at_step), _explosions(at_step), _noise(at_step), _convergence(rows)]


def against_other_correctors(table: Frame) -> Claim:
    """AttNS's error over that of every other corrector of the run, where the paper claims nothing."""
    question = "How AttNS compares with the other correctors of the run."
    rows = _at_step(_measured(table))
    clean = rows[rows["noise"] == 0]
    own, found, said = _learned(_plain(clean), "attns"), [], []
    for name in sorted(set(clean["corrector"].dropna()) - {"attns", "neurvec", "none"}):
        evidence = paired_ratios(own, clean[clean["corrector"] == name], ["equation", "method", "train_trajectories"])
        if len(evidence):
            found.append(evidence.assign(other=name))
            said.append(f"{name}'s: {_count(evidence)}")
    if not found:
        return _nothing(question, "no other corrector beside AttNS")
    return Claim(question, f"AttNS's error over {'; over '.join(said)}.", pd.concat(found, ignore_index=True))


def paired_ratios(one: Frame, other: Frame, by: list[str]) -> Frame:
    """Geometric mean over seeds of ``one``'s error over ``other``'s, per group of ``by``.

    A column of ``by`` that ``other`` lacks (a bare method has no training set) does not pair.

    Returns
    -------
    DataFrame
        Columns ``by``, ``ratio``, ``low``, ``high``, ``seeds`` and ``says``: ``lower``, ``higher`` or
        ``undecided``.
    """
    on = [c for c in dict.fromkeys([*_PAIR, *by]) if c in other]
    keys = list(dict.fromkeys([*on, *by]))
    pairs = one[[*keys, ERROR]].merge(other[[*on, ERROR]], on=on, suffixes=("", "_other"))
    found = []
    for key, group in pairs.groupby(by):
        # Round-off against round-off is a tie, not a ratio of two noises.
        both = np.maximum(group[[ERROR, f"{ERROR}_other"]].to_numpy(dtype=float), ROUND_OFF)
        ratio = geometric_interval(list(both[:, 0] / both[:, 1]))
        if ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high:
            says = "undecided"
        else:
            says = "lower" if ratio.high < 1 else "higher"
        found.append(
            (*key, ratio.value, ratio.low, ratio.high, ratio.n, says),
        )
    return pd.DataFrame(found, columns=[*by, "ratio", "low", "high", "seeds", "says"])


def _measured(table: Frame) -> Frame:
    """The rows that have an error; without noise where none is stated."""
    rows = table[table[ERROR].notna()].copy()
    rows["noise"] = rows["noise"].fillna(0.0)
    return rows


def _at_step(rows: Frame) -> Frame:
    """A table holds one step per equation, except where steps are the axis of the comparison: the coarsest."""
    return rows[rows["dt"] == rows.groupby("equation")["dt"].transform("max")]


def _bare(rows: Frame) -> Frame:
    """Rows of the uncorrected method, which knows neither training set, nor noise, nor recipe."""
    bare = rows[rows["corrector"] == "none"]
    return bare.drop(columns=["train_trajectories", "noise", "recipe"], errors="ignore")


def _learned(rows: Frame, name: str) -> Frame:
    """Rows of a corrector with its own input."""
    own = rows[rows["corrector"] == name]
    return own[own["input"] == "S"] if name == "attns" else own


def _plain(rows: Frame) -> Frame:
    options = rows["corrector_options"].fillna("")
    return rows[~options.str.contains("input=")]


def _clean(rows: Frame) -> Frame:
    return _plain(rows[rows["noise"] == 0])


def _count(evidence: Frame) -> str:
    said = evidence["says"].value_counts()
    return (
        f"lower in {said.get('lower', 0)}, higher in {said.get('higher', 0)}, undecided in "
        f"{said.get('undecided', 0)} of {len(evidence)}"
    )


def _extremes(evidence: Frame) -> str:
    best, worst = evidence.loc[evidence["ratio"].idxmin()], evidence.loc[evidence["ratio"].idxmax()]

    def name(row: Frame) -> str:
        parts = [str(row["equation"]), str(row["method"])]
        if "train_trajectories" in row:
            parts.append(f"{row['train_trajectories']:.0f} trajectories")
        return ", ".join(parts)

    return f"Best ratio {best['ratio']:.1e} ({name(best)}), worst {worst['ratio']:.1e} ({name(worst)})."


def _verdict(evidence: Frame, all_lower: str, mixed: str, none_lower: str) -> str:
    said = set(evidence["says"])
    if said == {"lower"}:
        return all_lower
    return mixed if "lower" in said else none_lower


def _nothing(claim: str, what: str) -> Claim:
    return Claim(claim, f"Not tested by this run: {what}.", pd.DataFrame())


def _improves(rows: Frame) -> Claim:
    claim = "Adding the module improves every base method."
    clean = _clean(rows)
    evidence = paired_ratios(_learned(clean, "attns"), _bare(clean), ["equation", "method", "train_trajectories"])
    if evidence.empty:
        return _nothing(claim, "no bare method beside AttNS")
    lead = _verdict(evidence, "Holds.", "Does not hold everywhere.", "Does not hold.")
    return Claim(
        claim, f"{lead} AttNS's error over the bare method's: {_count(evidence)}. {_extremes(evidence)}", evidence
    )


def _less_data(rows: Frame) -> Claim:
    claim = "It needs less data than NeurVec for the same error."
    clean = _clean(rows)
    few = clean[clean["train_trajectories"] <= FEW]
    evidence = paired_ratios(
        _learned(few, "attns"), few[few["corrector"] == "neurvec"], ["equation", "method", "train_trajectories"]
    )
    if evidence.empty:
        return _nothing(claim, f"no pair of AttNS and NeurVec at {FEW} trajectories or fewer")
    lead = _verdict(evidence, "Holds.", "Holds on some problems only.", "Does not hold.")
    return Claim(
        claim,
        f"{lead} AttNS's error over NeurVec's with at most {FEW} trajectories: {_count(evidence)}. "
        f"{_extremes(evidence)}",
        evidence,
    )


def _explosions(rows: Frame) -> Claim:
    claim = "It prevents numerical explosion better."
    clean = _clean(rows)
    bare = clean[clean["corrector"] == "none"]
    found = []
    for (equation, method), group in clean[clean["train_trajectories"] <= FEW].groupby(["equation", "method"]):
        cells = {
            "none": bare[(bare["equation"] == equation) & (bare["method"] == method)],
            "neurvec": group[group["corrector"] == "neurvec"],
            "attns": _learned(group, "attns"),
        }
        rates = {name: _rate(part) for name, part in cells.items()}
        if any(rate is None for rate in rates.values()):
            continue
        columns = {}
        for name, rate in rates.items():
            assert rate is not None
            columns |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
        found.append({"equation": equation, "method": method, **columns})
    if not found:
        return _nothing(claim, "no explosion rates of all three solvers")
    evidence = pd.DataFrame(found)
    against = {
        name: (
            int((evidence["attns_high"] < evidence[f"{name}_low"]).sum()),
            int((evidence["attns_low"] > evidence[f"{name}_high"]).sum()),
        )
        for name in ("none", "neurvec")
    }
    safe = all(worse == 0 for _, worse in against.values()) and against["neurvec"][0] > 0
    lead = "Holds." if safe else "Does not hold everywhere." if against["neurvec"][0] else "Not seen."
    return Claim(
        claim,
        f"{lead} Share of exploded trajectories with at most {FEW} training trajectories, of {len(evidence)} pairs of "
        f"equation and method: below NeurVec's in {against['neurvec'][0]}, above in {against['neurvec'][1]}; below the "
        f"bare method's in {against['none'][0]}, above in {against['none'][1]} (intervals that do not overlap).",
        evidence,
    )


def _rate(rows: Frame) -> Interval | None:
    known = rows[rows["diverged_fraction"].notna()]
    if known.empty:
        return None
    n = known["n_trajectories"].astype(float)
    return wilson(float((known["diverged_fraction"].astype(float) * n).sum()), int(n.sum()))


def _noise(rows: Frame) -> Claim:
    claim = "It is robust to noise in the data."
    noisy = _plain(rows[rows["noise"] > 0])
    by = ["equation", "method", "noise"]
    evidence = paired_ratios(
        _learned(noisy, "attns"), noisy[noisy["corrector"] == "neurvec"], [*by, "train_trajectories"]
    )
    if evidence.empty:
        return _nothing(claim, "no noisy training data")
    harm = paired_ratios(_learned(noisy, "attns"), _bare(rows), by)
    harmful = harm[harm["says"] == "higher"]
    worst = "" if harmful.empty else f", worst {harmful['ratio'].max():.1e} times ({harmful['noise'].max():g} noise)"
    lead = _verdict(evidence, "Holds.", "Holds on some problems only.", "No advantage was seen.")
    return Claim(
        claim,
        f"{lead} AttNS's error over NeurVec's with noisy data: {_count(evidence)}. The correction was harmful, its "
        f"error above the bare method's, in {len(harmful)} of {len(harm)}{worst}.",
        evidence,
    )


def _convergence(rows: Frame) -> Claim:
    claim = "The method's convergence is kept."
    clean = _clean(rows)
    sizes = _learned(clean, "attns").groupby(["equation", "train_trajectories"])["dt"].nunique()
    if sizes.empty or sizes.max() < 3:
        return _nothing(claim, "AttNS was not trained at three steps or more")
    found = []
    for (_, _, size), group in _learned(clean, "attns").groupby(["equation", "method", "train_trajectories"]):
        if group["dt"].nunique() < 3:
            continue
        ratios = paired_ratios(group, _bare(clean), ["equation", "method", "dt"])
        error = group.groupby("dt")[ERROR].apply(lambda e: float(np.exp(np.log(np.maximum(e, ROUND_OFF)).mean())))
        ratios["trajectories"] = size
        ratios["rollout_mse"] = ratios["dt"].map(error)
        found.append(ratios)
    evidence = pd.concat(found, ignore_index=True)
    falling = [
        bool(group.sort_values("dt")["rollout_mse"].is_monotonic_increasing)
        for _, group in evidence.groupby(["equation", "method"])
    ]
    finest = evidence.loc[evidence.groupby(["equation", "method"])["dt"].idxmin()]
    kept = sum(falling)
    better = int((finest["says"] == "lower").sum())
    lead = "Holds." if kept == len(falling) else "Does not hold everywhere." if kept else "Does not hold."
    return Claim(
        claim,
        f"{lead} Trained anew at every step, the error falls with each halving of the step in {kept} of {len(falling)} "
        f"pairs of equation and method; at the finest step it is below the bare method's in {better} of {len(finest)}.",
        evidence,
    )
