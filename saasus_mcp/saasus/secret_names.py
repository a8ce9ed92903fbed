"""Find and hide secrets by the names of their fields, where no schema applies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from saasus_mcp.saasus.secret_paths import REMOVED, hide_all_values, redact

SECRET_NAMES = re.compile(
    r"pass(word|wd|code|phrase)|secret|token|api[-_]?key|credential|authorization|signature|private[-_]?key|verifier"
    r"|session$|invitation_url|challenge_(parameters|responses)|(verification|confirmation|auth|mfa|otp)[-_]?code"
    r"|(?<![a-z0-9_-])(?:(?:25)?(?:23|26|3f))?code$|^sig$"
    r"|パスワード|パスフレーズ|パスコード|暗証番号|トークン|シークレット|秘密鍵|(api|アクセス)キー|(認証|確認|検証)コード"
)
"""Lower-case names of fields that contain secrets, for answers and logged bodies without a schema.
`code` may follow an encoded `#`, `&` or `?`."""
_STEMS = (
    *("pass", "secret", "token", "key", "credential", "authorization", "sig", "verifier", "session", "invitation_url"),
    *("challenge_", "code", "パス", "暗証番号", "トークン", "シークレット", "秘密鍵", "キー", "コード"),
)
"""One of them is in whatever SECRET_NAMES matches. Texts without any, which are most, are searched in a twentieth of the time."""
_FOREIGN = (
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
    ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
    ("\N{LATIN SMALL LETTER LONG S}", "s"),
)
"""Letters that differ from an ASCII letter only by case, and that `lower` leaves unchanged or splits in two."""

_ASSIGNMENT = re.compile(
    r"""(?<![\w-])(?P<name>[\w-]++)(?P<quote>\\*+["']?)\s{0,8}(?P<sign>[:=\uff1a\uff1d]|%(?:25)?3[aAdD])(?P<space>\s{0,8})"""
)
"""A name and an assignment sign, in free text. It matches only from the start of a name and never backtracks into one,
so that its time is linear."""
_ELEMENT = re.compile(r"<(?P<name>[\w:.-]{1,80})(?P<rest>(?:[\s/][^<>]{0,400}+)?)>(?:<!\[CDATA\[|[^<])[^<]*+")
_QUOTE = re.compile(r"""\\*+["']""")
_UNQUOTED_VALUE, _LINE = re.compile(r"""(?:\[redacted\])?[^\s"'&,;}\]<\\]*"""), re.compile(r"""[^\r\n"'\\]*""")
_REST_OF_LINE = re.compile(r"[^\r\n]{0,200}")
_WORD = r"(?:[A-Z]?[a-z]{1,14}(?:'[a-z]{1,2})?|[AI])"
_PROSE = re.compile(rf"(?:{_WORD}|[0-9]{{1,2}}),? {_WORD}(?![\w/+=@#$%^&*-])")
"""Two words, of which the first may be a short number: the beginning of a sentence and not of a credential."""
_STATE = re.compile(
    r"(?i:invalid|expired|required|missing|unknown|incorrect|wrong|empty|unset|none|null|optional|revoked|mismatch)[.!]?\s*\Z"
)
"""One word for the state of a value, at the end of a text."""
_JAPANESE_PROSE = re.compile(
    r"(?!\S*[A-Za-z0-9]{3})[\u3040-\u30ff\u4e00-\u9fffー、。・0-9A-Za-z\uff08\uff09\uff10-\uff19]*"
    r"(?:ください|です|ます|ません|ました|した|する|ない|必要|必須|不正|無効|以上|以内|以下|参照|未設定|期限切れ|こと)[。\uff01]?(?=\s|\Z)"
)
"""A Japanese sentence, recognised by its ending, without a run of more than two Latin letters or digits."""


def is_revealing(text: str) -> bool:
    """Return whether a text, such as a field name, contains the name of a secret, in any case."""
    return _names_secret(_lower(text))


def hide_named_values(value: Any) -> Any:
    """Remove every value with the name of a secret, where no schema applies."""
    if isinstance(value, dict):
        return {
            name: hide_all_values(item, redact) if is_revealing(name) else hide_named_values(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [hide_named_values(item) for item in value]
    return scrub_text(value) if isinstance(value, str) else value


def may_need_scrubbing(texts: Iterable[str]) -> bool:
    """Return False if `scrub_text` certainly leaves each of the texts as it is. They are searched together, which is faster."""
    return _may_name_secret(_lower("\n".join(texts)))


def _may_name_secret(lower: str) -> bool:
    """Return whether a text in lower case may contain the name of a secret. Names that end or begin with a text always count."""
    return "code" in lower or "session" in lower or "sig" in lower or _names_secret(lower)


def _names_secret(lower: str) -> bool:
    return any(map(lower.__contains__, _STEMS)) and SECRET_NAMES.search(lower) is not None


def scrub_text(text: str) -> str:
    """Remove the values of secret-named fields from a logged body or URL: JSON, a form, XML or free text.

    A value is removed wherever the text is structured: in JSON, in quotation marks, after `=`, directly after a colon,
    in an element, and in a header (a name with a hyphen, and any `Authorization`). After a colon and a space, the value
    decides, since `token: The buyer ...` is a sentence. It stays if it begins with two ordinary words (letters of one
    case, perhaps a capital; the first may be a number of two digits), if it is one word for a state (`expired`), or if
    it ends like a Japanese sentence. A single word, and a word with digits, symbols or mixed case, is removed.
    """
    if not _may_name_secret(_lower(text)):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _scrub_free_text(_ELEMENT.sub(_scrub_element, text))
    if isinstance(value, str):
        return json.dumps(scrub_text(value), ensure_ascii=False)
    if isinstance(value, dict | list):
        cleaned = hide_named_values(value)
        return text if cleaned == value else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    return text


def _scrub_free_text(text: str) -> str:
    parts: list[str] = []
    at = 0
    for found in _ASSIGNMENT.finditer(text):
        if found.start() < at or not is_revealing(found["name"]) or _is_prose(text, found):
            continue
        end = _end(text, found.end(), whole_line="authorization" in _lower(found["name"]))
        parts += [text[at : found.end()], REMOVED if end > found.end() else ""]
        at = end
    return "".join([*parts, text[at:]])


def _is_prose(text: str, found: re.Match[str]) -> bool:
    """Return whether a sentence and not a value follows the colon (see scrub_text)."""
    if found["quote"] or found["sign"] not in ":\uff1a":
        return False
    if "-" in found["name"] or "authorization" in _lower(found["name"]):  # a header
        return False
    rest = _REST_OF_LINE.match(text, found.end())
    following = rest[0] if rest else ""
    if _JAPANESE_PROSE.match(following):
        return True
    spaced = found["space"] in (" ", "\u3000") or (found["sign"] == "\uff1a" and not found["space"])
    return spaced and (_PROSE.match(following) is not None or _STATE.match(following) is not None)


def _end(text: str, start: int, *, whole_line: bool) -> int:
    """Return the end of a value: its closing quote, written like the opening one, or the end of the word or line."""
    quote = _QUOTE.match(text, start)
    if quote is None:
        ends = (_LINE if whole_line else _UNQUOTED_VALUE).match(text, start)
        return ends.end() if ends else start
    at = quote.end()
    while (at := text.find(quote[0], at)) >= 0:
        if len(quote[0]) > 1 or text[at - 1] != "\\":
            return at
        at += 1
    return len(text)


def _scrub_element(found: re.Match[str]) -> str:
    return f"<{found['name']}{found['rest']}>{REMOVED}" if is_revealing(found["name"]) else found[0]


def _lower(text: str) -> str:
    """Return the text in lower case, with letters of _FOREIGN as ASCII."""
    if text.isascii():
        return text.lower()
    for foreign, letter in _FOREIGN:
        text = text.replace(foreign, letter)
    return text.lower()
