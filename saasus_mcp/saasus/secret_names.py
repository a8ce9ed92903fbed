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
    r"pass(word|wd|code|phrase)|secret|token|api[-_]?key|credential|authorization|signature|private[-_]?key|verifier"
    r"|session$|invitation_url|challenge_(parameters|responses)|(verification|confirmation|auth|mfa|otp)[-_]?code"
    r"|(?<![a-z0-9_-])(?:(?:25)?(?:23|26|3f))?code$|^sig$"
    r"|パスワード|パスフレーズ|パスコード|暗証番号|トークン|シークレット|秘密鍵|(api|アクセス)キー|(認証|確認|検証)コード"
)
"""Names of fields that carry secrets, for answers and logged bodies that no schema describes; in small letters.
`code` may follow an encoded `#`, `&` or `?`."""
_FOREIGN = (
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
    ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
    ("\N{LATIN SMALL LETTER LONG S}", "s"),
)
"""Letters that are another case of a plain one, and that `lower` leaves as they are or makes two of."""

NAMED = re.compile(
    r"""(?<![\w-])(?P<name>[\w-]++)(?P<quote>\\*+["']?)\s{0,8}(?P<sign>[:=\uff1a\uff1d]|%(?:25)?3[aAdD])(?P<space>\s{0,8})"""
)
"""A name and the sign that gives it a value, in loose text. It starts only where a name starts and never goes back into
one, so that its time is linear."""
TAGGED = re.compile(r"<(?P<name>[\w:.-]{1,80})(?P<rest>(?:[\s/][^<>]{0,400}+)?)>(?:<!\[CDATA\[|[^<])[^<]*+")
QUOTE = re.compile(r"""\\*+["']""")
UNQUOTED, LINE = re.compile(r"""(?:\[redacted\])?[^\s"'&,;}\]<\\]*"""), re.compile(r"""[^\r\n"'\\]*""")
REST = re.compile(r"[^\r\n]{0,200}")
_WORD = r"(?:[A-Z]?[a-z]{1,14}(?:'[a-z]{1,2})?|[AI])"
PROSE = re.compile(rf"(?:{_WORD}|[0-9]{{1,2}}),? {_WORD}(?![\w/+=@#$%^&*-])")
"""Two words, the first perhaps a short number: the beginning of a sentence, and of no credential."""
STATE = re.compile(
    r"(?i:invalid|expired|required|missing|unknown|incorrect|wrong|empty|unset|none|null|optional|revoked|mismatch)[.!]?\s*\Z"
)
"""One word that says how a value is, at the end of a text."""
JAPANESE_PROSE = re.compile(
    r"(?!\S*[A-Za-z0-9]{3})[\u3040-\u30ff\u4e00-\u9fffー、。・0-9A-Za-z\uff08\uff09\uff10-\uff19]*"
    r"(?:ください|です|ます|ません|ました|した|する|ない|必要|必須|不正|無効|以上|以内|以下|参照|未設定|期限切れ|こと)[。\uff01]?(?=\s|\Z)"
)
"""A Japanese sentence, by its ending, without anything in Latin letters that is longer than two."""

Mask = dict[str, Any]


def is_revealing(text: str) -> bool:
    """Whether a text, a field's name above all, holds the name of a secret, in whatever case."""
    return NAMES.search(_small(text)) is not None


def compile_mask(paths: tuple[str, ...]) -> Mask:
    """Paths as a tree that is walked beside a value: `keys[].secret` is `{"keys": {"[]": {"secret": {}}}}`.

    An empty subtree marks all that is below it.
    """
    tree: Mask = {}
    for path in paths:
        node = tree
        for step in path.replace("[]", ".[]").replace("{}", ".{}").strip(".").split("."):
            node = node.setdefault(step, {})
    return tree


def hide_all_values(value: Any, hide: Hide) -> Any:
    """The value with every text and number in it hidden, its shape kept. Empty text and booleans tell nothing."""
    if isinstance(value, dict):
        return {name: hide_all_values(item, hide) for name, item in value.items()}
    if isinstance(value, list):
        return [hide_all_values(item, hide) for item in value]
    if isinstance(value, str):
        return hide(value) if value not in ("", REMOVED) else value
    if isinstance(value, bool) or value is None:
        return value
    return hide(json.dumps(value))


def redact(_: str) -> str:
    """Hides a secret for good."""
    return REMOVED


def hide_named_values(value: Any) -> Any:
    """The value with everything removed that stands under a secret's name, for where no schema tells."""
    if isinstance(value, dict):
        return {
            name: hide_all_values(item, redact) if is_revealing(name) else hide_named_values(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [hide_named_values(item) for item in value]
    return scrub_text(value) if isinstance(value, str) else value


def scrub_text(text: str) -> str:
    """A logged body or URL with the values of secret-named fields removed, be it JSON, a form, XML or loose text.

    A value is removed wherever the text is structured: in JSON, in quotation marks, after `=`, directly after a colon,
    in an element, and in a header (a name with a hyphen, and any `Authorization`). After a colon and a space the value's shape decides, since `token: The
    buyer ...` is a sentence: it stays where it begins with two ordinary words (letters of one case, perhaps a capital;
    the first may be a number of two digits), where it is one word for a state (`expired`), or where it is a Japanese
    sentence by its ending. A single word, and a word with digits, symbols or mixed case, is removed.
    """
    small = _small(text)
    if NAMES.search(small) is None and not any(name in small for name in ("code", "session", "sig")):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _loose(TAGGED.sub(_untagged, text))
    if isinstance(value, str):
        return json.dumps(scrub_text(value), ensure_ascii=False)
    if isinstance(value, dict | list):
        cleaned = hide_named_values(value)
        return text if cleaned == value else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    return text


def _loose(text: str) -> str:
    parts: list[str] = []
    at = 0
    for found in NAMED.finditer(text):
        if found.start() < at or not is_revealing(found["name"]) or _is_prose(text, found):
            continue
        end = _end(text, found.end(), whole_line="authorization" in _small(found["name"]))
        parts += [text[at : found.end()], REMOVED if end > found.end() else ""]
        at = end
    return "".join([*parts, text[at:]])


def _is_prose(text: str, found: re.Match[str]) -> bool:
    """Whether a sentence follows the colon, and no value (see scrub)."""
    if found["quote"] or found["sign"] not in ":\uff1a":
        return False
    if "-" in found["name"] or "authorization" in _small(found["name"]):  # a header
        return False
    rest = REST.match(text, found.end())
    following = rest[0] if rest else ""
    if JAPANESE_PROSE.match(following):
        return True
    spaced = found["space"] in (" ", "\u3000") or (found["sign"] == "\uff1a" and not found["space"])
    return spaced and (PROSE.match(following) is not None or STATE.match(following) is not None)


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
    return f"<{found['name']}{found['rest']}>{REMOVED}" if is_revealing(found["name"]) else found[0]


def _small(text: str) -> str:
    """The text in small letters, also where only its case makes a letter look foreign."""
    for foreign, letter in _FOREIGN:
        text = text.replace(foreign, letter)
    return text.lower()
