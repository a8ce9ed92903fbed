"""How a page of the repository reads on the documentation site: links, pictures and lists that GitHub and the site treat differently."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

REPOSITORY = "https://github.com/saasus-mcp/saasus-mcp"
READMES = {"docs/overview.md": "README.md", "docs/overview.ja.md": "README.ja.md"}
"""The pages that show a file outside `docs/`."""
GENERATED_PAGES = ("attacks", "commands", "question-pictures", "questions")
"""The pages that scripts write whole, beside those of the tools."""

_FLOWCHART_PICTURES = {
    "en": "![A call is decided by the policy: it runs, you confirm it in the client, you approve it outside, or it is refused]"
    "(docs/images/permissions-en.svg)\n",
    "ja": "![呼び出しはポリシーが判定する。実行、クライアントでの確認、クライアントの外での承認、拒否のどれかになる](docs/images/permissions-ja.svg)\n",
}
"""What the site shows for the flowchart of the README, whose program it would load from another host."""

_FENCE = re.compile(r"(^ *```.*?^ *```[^\S\n]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()(?!\w+:|#)([^)\s#]+)((?:#[^)\s]*)?\))")
_IMAGE = re.compile(r'<img src="([^"]+)"[^>]*?alt="([^"]*)"[^>]*>')
_OTHER_LANGUAGE = re.compile(
    r"^(?:\[日本語\]|\[English\])\([^)]*\)\n|[^\S\n]*(?:· |; )?(?:\[日本語\]|\[English\])\([^)]*\)", re.MULTILINE
)
_BUTTONS = re.compile(r"<!-- buttons:.*?<!-- end of buttons -->\n", re.DOTALL)
_BADGE = re.compile(r"\[!\[([^\]]*)\]\([^)]*\)\]\(([^)]*)\)")
_FLOWCHART = re.compile(r"^```mermaid\n.*?^```\n", re.MULTILINE | re.DOTALL)
_WIDE = "\u3001-\u30ff\u3400-\u9fff\uff01-\uff60"
_BROKEN = re.compile(rf"^(?![#|>])(.*[{_WIDE}])\n(?=[{_WIDE}])", re.MULTILINE)
_ITEM = re.compile(r"^(?:[-*]|\d+\.) ")


def site_page(root: Path, path: str, text: str) -> str:
    """Return a page as the site shows it.

    Args:
        path: of its file, from the root of the repository.
        text: what the file says.
    """
    source = READMES.get(path)
    if source is not None:
        heading = text.partition("\n")[0]
        text = heading + "\n" + (root / source).read_text(encoding="utf-8").partition("\n")[2]
    text = _FLOWCHART.sub(_FLOWCHART_PICTURES["ja" if path.endswith(".ja.md") else "en"], text)
    return _outside_code(text, lambda prose: _prose(prose, source or path))


def is_generated(path: str) -> bool:
    """Return whether scripts write a whole page, which nobody edits by hand.

    Args:
        path: of its file, below `docs/`.
    """
    return path.startswith("tools/") or path.split(".", maxsplit=1)[0] in GENERATED_PAGES


def slug(heading: str, separator: str = "-") -> str:
    """Return the anchor that GitHub gives to a heading."""
    kept = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return re.sub(r"\s", separator, kept)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts = _FENCE.split(text)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _prose(text: str, path: str) -> str:
    text = _BUTTONS.sub(_text_buttons, text)
    text = _OTHER_LANGUAGE.sub("", text)  # the site has a switch of its own
    text = _IMAGE.sub(r"![\2](\1)", text)  # the site finds the files of Markdown pictures
    text = _LINK.sub(lambda found: f"{found[1]}{_target(found[2], path)}{found[3]}", text)
    text = _BROKEN.sub(r"\1", text)  # a browser would show the line break as a space between Japanese letters
    return _spaced_lists(text)


def _text_buttons(found: re.Match[str]) -> str:
    """Return buttons of text for those of the README, whose pictures come from another host."""
    return "\n".join(f"[{text}]({target}){{ .button }}" for text, target in _BADGE.findall(found[0])) + "\n"


def _target(target: str, path: str) -> str:
    """Return a link of a file as a link of its page: pages of `docs/` beside each other, all else in the repository."""
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    here = _place(path)
    if there in {"README.md", "README.ja.md"}:
        there = "docs/overview.md"
    elif there == "docs/README.md":
        there = "docs/index.md"
    elif not there.startswith("docs/"):
        return f"{REPOSITORY}/blob/main/{there}"
    page = re.sub(r"\.ja\.md$", ".md", there.removeprefix("docs/"))
    return posixpath.relpath(page, posixpath.dirname(here) or ".")


def _place(path: str) -> str:
    return "overview.md" if path.startswith("README") else path.removeprefix("docs/")


def _spaced_lists(text: str) -> str:
    """Put an empty line before a list that follows a paragraph: without one, the site's Markdown sees no list."""
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        if (
            _ITEM.match(line)
            and before
            and not before.startswith((" ", "-", "*", "|", "#"))
            and not _ITEM.match(before)
        ):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
