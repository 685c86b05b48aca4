"""The feed of a site: an entry whenever a run appears or its rows change."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attns_core.identity import content_hash
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.study import Study
from attns_harness.reports.verdicts import verdicts

MOST_ITEMS = 200


def write_feed(path: Path, runs: Sequence[tuple[str, str, Study]]) -> Path:
    """Add entries for runs ``(slug, title, study)`` that are new or changed to the feed at ``path``.

    JSON Feed 1.1. Older entries stay as they are, so that a site published again without a change has
    the same feed, byte for byte.
    """
    items = _known(path)
    for slug, title, study in runs:
        identity = f"{slug}-{_digest(study.table)}"
        before = next((item for item in items if str(item["id"]).rpartition("-")[0] == slug), None)
        if before is not None and before["id"] == identity:
            continue
        what = f"Changed since {before['date_published']}. " if before else ""
        entry = {
            "id": identity,
            "url": f"runs/{slug}/report.html",
            "title": title,
            "content_text": what + " ".join(verdicts(study)),
            "date_published": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        items.insert(0, entry)
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "AttNS results",
        "home_page_url": "index.html",
        "items": items[:MOST_ITEMS],
    }
    path.write_text(json.dumps(feed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _known(path: Path) -> list[dict[str, Any]]:
    """The entries that are there; none if the file is missing or no feed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["items"]
        return [item for item in found if {"id", "date_published"} <= set(item)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _digest(table: Frame) -> str:
    return content_hash(sorted(table["cell_id"] + table["state"]), 12)
