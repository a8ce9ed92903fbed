"""The narrowing that headers, an address or options ask for: read strictly, since what is misread would leave too much."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.catalogue import MAX_SHOWN_NAME
from saasus_mcp.catalog.jobs import JOBS_TOOLSET as JOBS
from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.policy.wrappers import NARROWED_HINT
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.surface.toolsets import TOOLSETS

if TYPE_CHECKING:
    from saasus_mcp.permissions.policy.presets import Principal
    from saasus_mcp.server.surface.builtin_tool import BuiltinTool

HELPER_TOOLS = frozenset(
    {
        "search_operations",
        "describe_operation",
        "call_read",
        "call_write",
        "call_destructive",
        "job_run",
        "job_status",
        "job_cancel",
        "select_from_result",
        "read_and_select",
        "time_now",
        "time_convert",
    }
)
"""Our own tools that reach nothing but what other tools may: listed beside any of them, unless excluded by name."""
JOB_HELPER_TOOLS = frozenset({"job_run", "job_status", "job_cancel"})
"""Those of them that are listed where some job is."""
CHANGING_TOOLS = frozenset({"job_cancel"})
"""Those of them that change something by themselves."""
ALL_TOOLSETS = "all"
"""In a list of toolsets: every toolset."""
TRUE_WORDS, FALSE_WORDS = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
MAX_LIST_LENGTH = 16_384
"""Characters of a list: enough for the names of all tools."""
MAX_GLOBS, MAX_ASTERISKS, MAX_GLOB_LENGTH = 32, 4, 80
"""What matching globs may cost: a few milliseconds at most, whatever a request brings."""
CACHE_SIZE = 128
"""Lists of tools whose meaning is kept: a client sends the same with each request."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "empty": "{source} is empty.",
        "empty_mend": "Specify at least one name, or omit it.",
        "long": "{source} is longer than {most:,} characters.",
        "long_mend": "Use toolsets or globs such as auth_get_* instead of single tools.",
        "toolset": "{source}: there is no toolset {name}.",
        "toolsets": "Toolsets: {names}.",
        "tool": "{source}: there is no tool {name}.",
        "glob": "{source}: no tool matches {name}.",
        "nearest": "Nearest: {names}.",
        "list": "`saasus-mcp tools` lists them.",
        "globs": "{source}: more than {most} globs.",
        "stars": "{source}: the glob {name} is longer than {longest} characters or has more than {stars} asterisks.",
        "simpler": "Use fewer or simpler globs; * stands for any characters.",
        "switch": "{source}: {name} is not true or false.",
        "switch_mend": "Write true or false.",
    },
    "ja": {
        "empty": "{source}に名前が1つも指定されていません。",
        "empty_mend": "1つ以上の名前を指定するか、指定そのものを省いてください。",
        "long": "{source}が{most:,}文字を超えています。",
        "long_mend": "ツール名を並べる代わりに、ツールセットか auth_get_* のようなワイルドカードを指定してください。",
        "toolset": "{source}: {name} というツールセットはありません。",
        "toolsets": "ツールセット: {names}",
        "tool": "{source}: {name} というツールはありません。",
        "glob": "{source}: {name} に一致するツールがありません。",
        "nearest": "近い名前: {names}。",
        "list": "`saasus-mcp tools` で一覧を表示できます。",
        "globs": "{source}: ワイルドカードを含む指定が{most}個を超えています。",
        "stars": "{source}: {name} が{longest}文字を超えているか、* が{stars}個を超えています。",
        "simpler": "ワイルドカードを含む指定を減らすか、簡単にしてください。* は任意の文字列を表します。",
        "switch": "{source}の値 {name} は、真偽値として読み取れません。",
        "switch_mend": "true または false を指定してください。",
    },
}


class NarrowingError(SaasusMcpError):
    """A list or a switch cannot be read: where it stands, what is wrong with it, and the nearest that there is."""


def parse_toolsets(text: str, source: str, lang: Language = "en") -> frozenset[str] | None:
    """Return the toolsets of a list with commas; None where it names `all`.

    Args:
        source: where the list comes from, for the error.

    Raises:
        NarrowingError: it is empty or too long, or there is no such toolset.
    """
    names, words = frozenset(_items(text, source, lang)), WORDS[lang]
    unknown = min(names - TOOLSETS.keys() - {ALL_TOOLSETS}, default=None)
    if unknown is not None:
        near = _nearest(unknown.casefold().replace("-", "_"), TOOLSETS, words)
        mend = near or words["toolsets"].format(names=", ".join(sorted(TOOLSETS)))
        raise NarrowingError(words["toolset"].format(source=source, name=_shown(unknown)), mend)
    return None if ALL_TOOLSETS in names else names


def parse_switch(text: str, source: str, lang: Language = "en") -> bool:
    """Return what a switch says.

    Raises:
        NarrowingError: it says neither yes nor no.
    """
    said = text.strip().lower()
    if said not in TRUE_WORDS | FALSE_WORDS:
        words = WORDS[lang]
        raise NarrowingError(words["switch"].format(source=source, name=_shown(text)), words["switch_mend"])
    return said in TRUE_WORDS


class ToolNames:
    """The names of every tool that any surface has: operations, jobs and our own."""

    def __init__(self, catalogue: Catalogue) -> None:
        jobs = {spec.name for spec in load_jobs()}
        present = {operation.tool for operation in catalogue} | jobs | HELPER_TOOLS
        self._catalogue = catalogue
        self._present = {**catalogue.former_names, **{name: name for name in sorted(present)}}
        self._remembered = lru_cache(CACHE_SIZE)(self._named)

    def resolve(self, text: str, source: str, lang: Language = "en") -> frozenset[str]:
        """Return the present names of the tools that a list with commas names, by name, former name or glob.

        Raises:
            NarrowingError: the list is empty or too long, it names no tool, or its globs cost too much.
        """
        return self._remembered(text, source, lang)

    def _named(self, text: str, source: str, lang: Language) -> frozenset[str]:
        items, words = _items(text, source, lang), WORDS[lang]
        if sum("*" in item for item in items) > MAX_GLOBS:
            raise NarrowingError(words["globs"].format(source=source, most=MAX_GLOBS), words["simpler"])
        found: set[str] = set()
        for item in items:
            fitting = self._fitting(item, source, words) if "*" in item else {self._present.get(item, "")} - {""}
            if not fitting:
                problem = words["glob" if "*" in item else "tool"].format(source=source, name=_shown(item))
                near = _nearest(item.casefold().replace("*", "").replace("-", "_"), self._present, words)
                raise NarrowingError(problem, near or words["list"])
            found |= fitting
        return frozenset(found)

    def _fitting(self, glob: str, source: str, words: Mapping[str, str]) -> set[str]:
        if len(glob) > MAX_GLOB_LENGTH or glob.count("*") > MAX_ASTERISKS:
            limits = {"longest": MAX_GLOB_LENGTH, "stars": MAX_ASTERISKS}
            raise NarrowingError(words["stars"].format(source=source, name=_shown(glob), **limits), words["simpler"])
        return {present for name, present in self._present.items() if matches_glob(name, glob)}


def matches_glob(name: str, glob: str) -> bool:
    """Return whether a name fits a glob, in which `*` stands for any characters: in one pass over the name."""
    first, *between, last = glob.split("*")
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def exclusion_reason(tool: BuiltinTool, principal: Principal) -> str:
    """Return why a connection leaves out a tool of our own; empty where it does not."""
    narrowing = principal.narrowing
    if narrowing.read_only and tool.name in CHANGING_TOOLS:
        return "this connection is limited to reads"
    return narrowing.exclusion_reason_by_name(tool.name, "" if tool.name in HELPER_TOOLS else JOBS)


def require_not_excluded(tool: BuiltinTool, principal: Principal) -> None:
    """Refuse a tool of our own that the connection leaves out.

    Raises:
        Refused: it does.
    """
    why = exclusion_reason(tool, principal)
    if why:
        raise CallRefused(Reason.NARROWED, f"{tool.name} is not allowed: {why}.", NARROWED_HINT)


def _items(text: str, source: str, lang: Language) -> list[str]:
    words = WORDS[lang]
    if len(text) > MAX_LIST_LENGTH:
        raise NarrowingError(words["long"].format(source=source, most=MAX_LIST_LENGTH), words["long_mend"])
    items = list(dict.fromkeys(item for part in text.split(",") if (item := part.strip())))
    if not items:
        raise NarrowingError(words["empty"].format(source=source), words["empty_mend"])
    return items


def _nearest(name: str, known: Mapping[str, object], words: Mapping[str, str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

    near = get_close_matches(name[:MAX_SHOWN_NAME], known)
    return words["nearest"].format(names=", ".join(near)) if near else ""


def _shown(name: str) -> str:
    """A name from outside, as a message can hold it."""
    return repr(visible_text(name[:MAX_SHOWN_NAME]))
