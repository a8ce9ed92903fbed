"""Secrets in what the API answers: found by schema and, where no schema reaches, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Hide = Callable[[str], str]
"""Takes a secret and gives what is shown in its place."""

REMOVED = "[redacted]"
NAMES = re.compile(
    r"(?i)pass(word|wd|code|phrase)|secret|token|api[-_]?key|credential|authorization|signature|private[-_]?key|verifier"
    r"|session$|invitation_url|challenge_(parameters|responses)|(verification|confirmation|auth|mfa|otp)[-_]?code|^code$"
)
"""Names of fields that carry secrets, for answers and logged bodies that no schema describes."""

LOOSE = re.compile(
    r"""(?ix) (?P<name> [\w-]*(?:password|secret|token|api[-_]?key|session|authorization|(?<![a-z])code)[\w-]* )
        (?P<between> ["']? \s* [:=] \s* ["']? ) (?P<value> [^\s"'&,;}\]]+ )"""
)

Mask = dict[str, Any]


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
        return hide(value) if value else value
    if isinstance(value, bool) or value is None:
        return value
    return hide(json.dumps(value))


def hide_named(value: Any) -> Any:
    """The value with everything removed that stands under a secret's name, for where no schema tells."""
    if isinstance(value, dict):
        return {
            name: hide_all(item, _removed) if NAMES.search(name) else hide_named(item) for name, item in value.items()
        }
    if isinstance(value, list):
        return [hide_named(item) for item in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        return scrub(value)
    return value


def scrub(text: str) -> str:
    """A logged body or URL with the values of secret-named fields removed, be it JSON, a form or loose text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        return json.dumps(hide_named(value), ensure_ascii=False, separators=(",", ":"))
    return LOOSE.sub(rf"\g<name>\g<between>{REMOVED}", text)


def _removed(_: str) -> str:
    return REMOVED
