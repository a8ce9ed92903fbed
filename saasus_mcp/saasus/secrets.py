"""Secrets in what the API answers: found by schema and, where no schema reaches, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Hide = Callable[[str], str]
"""Takes a secret and gives what is shown in its place."""

REMOVED = "[redacted]"
SHORTEST = 4
"""Shorter secrets of a call stand in too much that is not secret to be looked for."""
NAMES = re.compile(
    r"pass(word|wd|code|phrase)|secret|token|api[-_]?key|credential|authorization|signature|private[-_]?key|verifier"
    r"|session$|invitation_url|challenge_(parameters|responses)|(verification|confirmation|auth|mfa|otp)[-_]?code|^code$"
)
"""Names of fields that carry secrets, for answers and logged bodies that no schema describes; in small letters."""
_FOREIGN = (
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
    ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
    ("\N{LATIN SMALL LETTER LONG S}", "s"),
)
"""Letters that are another case of a plain one, and that `lower` leaves as they are or makes two of."""

NAMED = re.compile(r"""(?a)(?P<name>[\w-]{1,80})\\*["']?\s{0,8}[:=]\s{0,8}""")
"""A name and the sign that gives it a value, in loose text. Bounded, so that no text makes it slow."""
TAGGED = re.compile(r"(?a)<(?P<name>[\w:.-]{1,80})>[^<]+")
QUOTE = re.compile(r"""\\*["']""")
UNQUOTED, LINE = re.compile(r"""[^\s"'&,;}\]<\\]*"""), re.compile(r"""[^\r\n"'\\]*""")

Mask = dict[str, Any]


def telling(text: str) -> bool:
    """Whether a text, a field's name above all, holds the name of a secret, in whatever case."""
    return NAMES.search(_small(text)) is not None


def mask(paths: tuple[str, ...]) -> Mask:
    """Paths as a tree that is walked beside a value: `keys[].secret` is `{"keys": {"[]": {"secret": {}}}}`.

    An empty subtree marks all that is below it.
    """
    tree: Mask = {}
    for path in paths:
        node = tree
        for step in path.replace("[]", ".[]").replace("{}", ".{}").strip(".").split("."):
            node = node.setdefault(step, {})
    return tree


def hide_all(value: Any, hide: Hide) -> Any:
    """The value with every text and number in it hidden, its shape kept. Empty text and booleans tell nothing."""
    if isinstance(value, dict):
        return {name: hide_all(item, hide) for name, item in value.items()}
    if isinstance(value, list):
        return [hide_all(item, hide) for item in value]
    if isinstance(value, str):
        return hide(value) if value not in ("", REMOVED) else value
    if isinstance(value, bool) or value is None:
        return value
    return hide(json.dumps(value))


def removed(_: str) -> str:
    """Hides a secret for good."""
    return REMOVED


def hide_named(value: Any) -> Any:
    """The value with everything removed that stands under a secret's name, for where no schema tells."""
    if isinstance(value, dict):
        return {name: hide_all(item, removed) if telling(name) else hide_named(item) for name, item in value.items()}
    if isinstance(value, list):
        return [hide_named(item) for item in value]
    return scrub(value) if isinstance(value, str) else value


def forget(value: Any, own: tuple[str, ...]) -> Any:
    """The value with a call's own secrets removed from its texts, where the API repeats them (in an error, say)."""
    known = [secret for secret in own if len(secret) >= SHORTEST]
    return _forgotten(value, sorted(known, key=len, reverse=True)) if known else value


def _forgotten(value: Any, own: list[str]) -> Any:
    if isinstance(value, dict):
        return {name: _forgotten(item, own) for name, item in value.items()}
    if isinstance(value, list):
        return [_forgotten(item, own) for item in value]
    if isinstance(value, str):
        for secret in own:
            value = value.replace(secret, REMOVED)
    return value


def scrub(text: str) -> str:
    """A logged body or URL with the values of secret-named fields removed, be it JSON, a form, XML or loose text."""
    small = _small(text)
    if NAMES.search(small) is None and "code" not in small and "session" not in small:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _loose(TAGGED.sub(_untagged, text))
    if isinstance(value, str):
        return json.dumps(scrub(value), ensure_ascii=False)
    if isinstance(value, dict | list):
        cleaned = hide_named(value)
        return text if cleaned == value else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    return text


def _loose(text: str) -> str:
    parts: list[str] = []
    at = 0
    for found in NAMED.finditer(text):
        if found.start() < at or not telling(found["name"]):
            continue
        end = _end(text, found.end(), whole_line="authorization" in found["name"].lower())
        parts += [text[at : found.end()], REMOVED if end > found.end() else ""]
        at = end
    return "".join([*parts, text[at:]])


def _end(text: str, start: int, *, whole_line: bool) -> int:
    """Where a value ends: at its closing quote, written as its opening one was, or else at what ends a word or a line."""
    quote = QUOTE.match(text, start)
    if quote is None:
        ends = (LINE if whole_line else UNQUOTED).match(text, start)
        return ends.end() if ends else start
    at = quote.end()
    while (at := text.find(quote[0], at)) >= 0:
        if len(quote[0]) > 1 or text[at - 1] != "\\":
            return at
        at += 1
    return len(text)


def _untagged(found: re.Match[str]) -> str:
    return f"<{found['name']}>{REMOVED}" if telling(found["name"]) else found[0]


def _small(text: str) -> str:
    """The text in small letters, also where only its case makes a letter look foreign."""
    for foreign, letter in _FOREIGN:
        text = text.replace(foreign, letter)
    return text.lower()
