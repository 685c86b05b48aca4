"""The report format ``claims``: verdicts on the paper's claims and on other correctors, with the rows behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attns_harness.analysis.claims import against_other_correctors, claims
from attns_harness.reports.markdown import escape


def write_claims(table: Any, folder: Path, title: str) -> Sequence[Path]:
    """Write ``claims.md`` and one CSV of evidence per claim into ``folder``."""
    lines = [f"# {escape(title)}: the claims of the AttNS paper", ""]
    files: list[Path] = []
    for number, claim in enumerate([*claims(table), against_other_correctors(table)], start=1):
        lines += [f"{number}. **{claim.claim}** {escape(claim.verdict)}", ""]
        if not claim.evidence.empty:
            path = folder / f"claim-{number}.csv"
            claim.evidence.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
            lines += [f"   Evidence: [{path.name}]({path.name}), {len(claim.evidence)} rows.", ""]
            files.append(path)
    page = folder / "claims.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return [page, *files]
