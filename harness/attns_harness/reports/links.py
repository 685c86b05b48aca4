"""Checking a site: every link must lead to a file of it, and to a place that exists there."""

from html.parser import HTMLParser
from pathlib import Path
from typing import final
from urllib.parse import unquote, urlsplit


@final
class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src", "xlink:href") and value:
                self.links.append(value)


def broken_links(site: Path) -> list[str]:
    """``page: link`` for every link of the site that leads nowhere; links to other hosts are not followed."""
    pages = {path.resolve(): _Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if (
                not target.is_file()
                or not target.is_relative_to(site.resolve())
                or (parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids)
            ):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    return broken
