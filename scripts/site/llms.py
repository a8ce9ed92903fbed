"""The pages for models (https://llmstxt.org): `llms.txt`, a list with a line on each page, and `llms-full.txt`, the guides in full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.site.markdown import site_page

SUMMARY = """# saasus-mcp

> An MCP server through which an AI assistant operates SaaSus Platform (tenants, users, roles, plans, metering, billing), with a
> permission layer that no model can bypass: a person decides on everything destructive.
"""
LISTED_ONLY = ("attacks.md", "questions.md", "question-pictures.md", "commands.md", "tools")
"""References that a model looks up one by one: too long for the file with everything."""


def write(root: Path, site: Path, url: str) -> None:
    """Write both files, and each page as Markdown beside its HTML, into a built site."""
    nav = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    lines, whole = [SUMMARY], [SUMMARY]
    for section, pages in sections(nav):
        lines.append(f"## {section}\n")
        for page in pages:
            path = f"docs/{page}"
            text = site_page(root, path, (root / path).read_text(encoding="utf-8"))
            copy = site / page
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
            lines.append(f"- [{title(text)}]({url}{page}): {summary(text)}")
            if not page.startswith(LISTED_ONLY):
                whole.append(text)
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
    (site / "llms-full.txt").write_text("\n\n".join(whole), encoding="utf-8")


def sections(nav: list[Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the names of the main sections with their pages."""
    for entry in nav:
        for name, below in entry.items():
            yield name, [below] if isinstance(below, str) else list(_pages(below))


def _pages(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values():
                yield from [below] if isinstance(below, str) else _pages(below)


def title(text: str) -> str:
    """Return the heading of a page."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1] if found else "saasus-mcp"


def summary(text: str) -> str:
    """Return the first sentence of the first paragraph of a page."""
    for block in re.split(r"\n\s*\n", text):
        said = " ".join(block.split())
        if said and said[0] not in "#<|`!-[":
            return re.split(r"(?<=[.:]) ", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said))[0].rstrip(":")
    return ""
