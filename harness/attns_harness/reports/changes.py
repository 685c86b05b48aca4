"""Changes between two runs as Markdown with arrows, for a pull request."""

from collections import Counter
from collections.abc import Sequence

from attns_harness.analysis.judge import Judgement
from attns_harness.reports.markdown import escape

ARROWS = {"improvement": "🟢 ↓", "regression": "🔴 ↑", "invariant": "=", "missing": "❔"}


def changes_markdown(found: Sequence[Judgement], old: str, new: str, *, most: int = 100) -> str:
    """A table of everything that changed, worst first; times, errors and diverged shares go down when better."""
    counts = Counter(j.verdict for j in found)
    order = {"regression": 0, "missing": 1, "improvement": 2}
    changed = sorted((j for j in found if j.verdict in order), key=lambda j: (order[j.verdict], j.aspect, j.key))
    lines = [f"### {escape(new)} against {escape(old)}", ""]
    lines += [", ".join(f"{counts[v]} {v}" for v in ("regression", "improvement", "invariant", "missing")) + ".", ""]
    if changed:
        lines += ["| | aspect | what | old | new | new / old | remark |", "|---|---|---|---:|---:|---:|---|"]
        for j in changed[:most]:
            ratio = escape(j.ratio.text()) if j.ratio else ""
            values = ["" if v is None else f"{v:.3g}" for v in (j.old, j.new)]
            what = escape(" ".join(j.key))
            row = [ARROWS[j.verdict], j.aspect, what, *values, ratio, escape(j.remark)]
            lines.append("| " + " | ".join(row) + " |")
    if len(changed) > most:
        lines += ["", f"{len(changed) - most} more changes are not shown."]
    return "\n".join(lines) + "\n"
