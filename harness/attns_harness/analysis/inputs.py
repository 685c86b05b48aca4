"""AttNS's own question: what should the learned term read, at an equal network on equal data?

The paper feeds the increment ``S`` where others feed the state ``u``. Here every input of one network
(same features, width, recipe, method, step, training set and seed) is held against the state.
"""

from collections.abc import Sequence

import numpy as np

from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import geometric_interval
from attns_harness.analysis.regimes import RMS

GROUP = ["problem", "method", "control", "train_trajectories", "recipe"]
NETWORK = "attns"
ATTENTION = "stage-attention"
FLOOR = 1e-13
"""Scaled errors below this are round-off of states of order one."""


def inputs(table: Frame) -> Frame:
    """Every input's error over that of the input ``u``, paired over seeds.

    Returns
    -------
    DataFrame
        One row per group and input, of groups that have ``u`` and another one: ``error`` (geometric
        mean over seeds), ``ratio`` to ``u`` with its 95 % interval (below 1: better), ``operations`` of
        the corrector, and ``says``: ``lower``, ``higher``, ``undecided`` or ``explodes``.
    """
    rows = table[table["corrector"].isin((NETWORK, ATTENTION))].copy()
    rows["reads"] = rows["input"].where(rows["corrector"] == NETWORK, "stage attention (" + rows["input"] + ")")
    found: list[dict[str, object]] = []
    for key, group in rows.groupby(GROUP, sort=True, dropna=False):
        sizes = group.loc[(group["corrector"] == NETWORK), "width"].dropna().unique()
        for width in sorted(sizes):
            network = group[(group["corrector"] == NETWORK) & (group["width"] == width)]
            state = network[network["reads"] == "u"].set_index("seed")[RMS]
            if state.empty or network["reads"].nunique() < 2:
                continue
            shared = pd.concat([network, group[group["corrector"] == ATTENTION]])
            for name, mine in shared.groupby(["reads", "width"], sort=False):
                row = dict(zip(GROUP, key, strict=True)) | {"width": name[1], "input": name[0]}
                found.append(row | _against(mine, state))
    columns = [*GROUP, "width", "input", "error", "ratio", "low", "high", "seeds", "operations", "says"]
    return pd.DataFrame(found, columns=columns)


def _against(mine: Frame, state: Frame) -> dict[str, object]:
    own = mine.set_index("seed")[RMS]
    row: dict[str, object] = {"operations": float(mine["corrector_operations"].mean())}
    both = sorted(set(own.dropna().index) & set(state.dropna().index))
    if not mine["ok"].all() or not both:
        return row | {"error": float("nan"), "seeds": len(both), "says": "explodes"}
    pairs = [(max(float(own[s]), FLOOR), max(float(state[s]), FLOOR)) for s in both]
    ratio = geometric_interval([a / b for a, b in pairs])
    says = "undecided"
    if ratio.low is not None and ratio.high is not None and ratio.high < 1:
        says = "lower"
    elif ratio.low is not None and ratio.low > 1:
        says = "higher"
    error = float(np.exp(np.mean([np.log(a) for a, _ in pairs])))
    bounds = {"low": ratio.low, "high": ratio.high, "seeds": ratio.n}
    return row | {"error": error, "ratio": ratio.value, **bounds, "says": says}


def verdict(found: Frame, names: Sequence[str] = ("S", "uS", "K", "uK")) -> tuple[str, ...]:
    """One sentence per input: in how many groups it beats the state, and where it helps most."""
    lines = []
    attention = sorted(n for n in found["input"].unique() if n.startswith("stage attention"))
    for name in [*names, *attention]:
        rows = found[found["input"] == name]
        if rows.empty:
            continue
        counts = rows["says"].value_counts()
        parts = [f"{counts[word]} {text}" for word, text in _WORDS if word in counts]
        known = rows[rows["ratio"].notna()]
        best = ""
        if len(known):
            row = known.loc[known["ratio"].idxmin()]
            best = f"; at best {row['ratio']:.2g} times the error ({row['problem']}, {row['method']})"
        lines.append(f"Input {name} against the state u in {len(rows)} groups: {', '.join(parts)}{best}.")
    return tuple(lines)


_WORDS = (("lower", "lower"), ("higher", "higher"), ("undecided", "undecided"), ("explodes", "exploding"))
