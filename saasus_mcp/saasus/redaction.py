"""Known secrets removed from text and JSON, in whatever encoding a service repeats them.

Detection decides: a text is decoded step by step, and each step is searched in a form in which case, normal form,
white space and backslashes no longer differ. Location follows from detection: the shortest window in which the secret
is still found is cut out. A text whose secret cannot be located is withheld as a whole.
"""

from __future__ import annotations

import binascii
import html
import json
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, quote_plus

from saasus_mcp.saasus.secrets import REMOVED, hide_all, removed, telling

SHORTEST = 4
"""Characters. Shorter secrets occur in too much ordinary text to be searched for."""
STRONG, STRONG_BYTES = 8, 12
"""Characters, and bytes in UTF-8, from which a secret is searched for everywhere and in every encoding. A shorter one
is removed only as a word of its own, in the encodings that can be listed."""
DEPTH = 3
"""Encodings inside each other that are undone."""
LOCATED = 64 * 1024
"""Characters of the longest text in which an encoded secret is located. A longer text is withheld as a whole."""
MOST_LOCATED = 500
"""Texts of one answer in which encoded secrets are located, which takes about a millisecond each. Further are withheld."""
WINDOW = 64
"""Characters of the first window in which a secret is located."""

_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|\\(?:u(?P<unicode>[0-9A-Fa-f]{4})|u\{(?P<braced>[0-9A-Fa-f]{1,6})\}|x(?P<byte>[0-9A-Fa-f]{2})|(?P<other>.))"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?)",
    re.DOTALL,
)
_ESCAPING = re.compile(r"[%\\&]")
_HEX = re.compile(r"[0-9a-fA-F](?:[:,. _-]?(?:0[xX])?[0-9a-fA-F]){15,}+")
_HEX_SEPARATORS = re.compile(r"[:,. _-](?:0[xX])?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}+")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
"""Where a line of base64 is broken."""
_BASE64_URL = str.maketrans("-_", "+/")
_TEXT = re.compile(
    rb"(?:[\t\r\n\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){4,}+"
)
"""Text in decoded bytes: what is decoded from no encoding at all, or from the wrong place, has hardly any."""
_BETWEEN = "\0"
"""Stands between texts that are searched as one. Nothing is found across it: no form of a text drops it."""
_WHITE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " ", "v": " "}
_ASCII = {code: None if code in range(1, 33) or chr(code) in "\\+\x7f" else chr(code).lower() for code in range(128)}
_UNSEEN = re.compile("[\\s\\\\+\x01-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
                     "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Secret:
    """One secret that is long enough to be searched for in every encoding.

    Attributes:
        needles: the secret's own form and those of its base64, which no longer decodes once its case has changed.
    """

    text: str
    needles: tuple[str, ...]

    def within(self, text: str) -> bool:
        return any(needle in form for form in _forms(text) for needle in self.needles)


class KnownSecrets:
    """Secrets whose values are known, compiled once and removed from whatever repeats them.

    Secrets of eight characters or more are found in plain text, JSON and unicode escapes, HTML entities, percent and
    form encoding, base64 (both alphabets, any alignment), hexadecimal, changed case, other normal forms, split by white
    space or invisible characters, and in up to three of these inside each other. Shorter ones are found as words of
    their own. Secrets below four characters are not searched for. The cost is linear in the text.

    Args:
        texts: the secrets.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if len(text) >= SHORTEST}, key=len, reverse=True))
        self._strong = tuple(_Secret(text, _needles(text)) for text in self.texts if _is_strong(text))
        self._needles = tuple(needle for secret in self._strong for needle in secret.needles)
        weak = [variant for text in self.texts if not _is_strong(text) for variant in _variants(text)]
        self._weak = (
            re.compile("|".join(sorted(map(_word, weak), key=len, reverse=True)), re.IGNORECASE) if weak else None
        )

    def and_also(self, texts: Iterable[str]) -> KnownSecrets:
        """These secrets and further ones; the same object where there are none."""
        further = tuple(texts)
        return KnownSecrets((*self.texts, *further)) if further else self

    def within(self, text: str) -> bool:
        """Whether a text holds one of the secrets, in whatever encoding."""
        return self._holds_strong(text) or (self._weak is not None and self._weak.search(text) is not None)

    def redact(self, value: Any, names: Collection[str] = ()) -> Any:
        """The JSON value with the secrets removed from its texts and keys; the same object where it holds none.

        Args:
            names: keys that stay as they are, since the schema declares them.
        """
        if not self.texts or not self.within(_BETWEEN.join(_texts(value))):
            return value
        return _Redaction(self, frozenset(names)).value(value)

    def text(self, text: str, *, locate: bool = True) -> str:
        """The text with the secrets removed, or withheld as a whole where one cannot be located.

        Args:
            locate: whether time may be spent on locating what is encoded.
        """
        shown = text
        if self._holds_strong(text):
            for secret in self._strong:
                shown = shown.replace(secret.text, REMOVED)
            if self._holds_strong(shown):
                shown = self._located(shown) if locate and len(shown) <= LOCATED else REMOVED
        return self._weak.sub(REMOVED, shown) if self._weak is not None else shown

    def needs_locating(self, text: str) -> bool:
        """Whether a text holds a secret in another form than its plain one."""
        for secret in self._strong:
            text = text.replace(secret.text, REMOVED)
        return self._holds_strong(text)

    def _holds_strong(self, text: str) -> bool:
        return bool(self._needles) and any(needle in form for form in _forms(text) for needle in self._needles)

    def _located(self, text: str) -> str:
        """The text without the windows in which the secrets are found."""
        windows = sorted(window for secret in self._strong for window in _windows(secret, text))
        parts, at = [], 0
        for start, end in windows:
            if start >= at:
                parts += [text[at:start], REMOVED]
            at = max(at, end)
        shown = "".join([*parts, text[at:]])
        return REMOVED if self._holds_strong(shown) else shown


@dataclass(slots=True)
class _Redaction:
    """One walk through a value, in which the time that is spent on locating is bounded."""

    known: KnownSecrets
    names: frozenset[str]
    left: int = field(default=MOST_LOCATED)

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return dict(self.field(name, item) for name, item in value.items())
        if isinstance(value, bool) or value is None:
            return value
        return REMOVED if str(value) in self.known.texts and _is_strong(str(value)) else value

    def field(self, name: str, item: Any) -> tuple[str, Any]:
        shown = name if name in self.names else self.text(name)
        if shown != name and telling(name):  # what stands below is no longer hidden by its name
            return shown, hide_all(item, removed)
        return shown, self.value(item)

    def text(self, text: str) -> str:
        if not self.known.within(text):
            return text
        if self.known.needs_locating(text):
            self.left -= 1
        return self.known.text(text, locate=self.left >= 0)


def _is_strong(text: str) -> bool:
    form = _form(text)
    return len(form) >= STRONG or len(form.encode(errors="replace")) >= STRONG_BYTES


def _needles(text: str) -> tuple[str, ...]:
    raw = text.encode(errors="surrogatepass")
    encoded = [encode(b"\0" * before + raw) for encode in (b64encode, urlsafe_b64encode) for before in range(3)]
    # The sextets that hold bits of what stands before or after the secret are left out.
    inner = [_form(code.decode()[(0, 2, 3)[at % 3] : (at % 3 + len(raw)) * 8 // 6]) for at, code in enumerate(encoded)]
    return tuple(dict.fromkeys([_form(text), *inner]))


def _variants(text: str) -> Iterator[str]:
    """A short secret as it is and in the encodings that have one spelling."""
    raw = text.encode(errors="surrogatepass")
    percent = partial(quote, safe="", errors="replace")
    yield from (text, percent(text), quote_plus(text, errors="replace"), html.escape(text), raw.hex())
    yield from (b64encode(raw).decode(), b64encode(raw).decode().rstrip("="), urlsafe_b64encode(raw).decode())
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (normalize(form, text) for form in ("NFC", "NFD", "NFKC"))


def _word(text: str) -> str:
    """A pattern that finds the text where it is no part of a longer word."""
    before = r"(?<![A-Za-z0-9])" if re.match(r"[A-Za-z0-9]", text) else ""
    after = r"(?![A-Za-z0-9])" if re.search(r"[A-Za-z0-9]\Z", text) else ""
    return f"{before}{re.escape(text)}{after}"


def _texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys and numbers included."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif item is not None and not isinstance(item, bool):
            yield str(item)


def _form(text: str) -> str:
    """The text with case and normal form folded, without white space, backslashes, plus signs and unseen characters."""
    if text.isascii():
        return text.translate(_ASCII)
    return _UNSEEN.sub("", normalize("NFKD", normalize("NFKD", text).casefold()))


def _forms(text: str) -> Iterator[str]:
    """The forms of a text and of everything that is decoded from it."""
    layer = [text]
    for depth in range(DEPTH + 1):
        for each in layer:
            yield _form(each)
        if depth == DEPTH:
            return
        layer = [decoded for each in layer for decoded in _decoded(each)]


def _decoded(text: str) -> Iterator[str]:
    if _ESCAPING.search(text):
        unescaped = _ESCAPE.sub(_unescaped, text)
        if unescaped != text:
            yield _paired(unescaped)
    if runs := _HEX.findall(text):
        yield from _from_hex(runs)
    joined = _FOLD.sub("", text) if "\n" in text or "\r" in text else text
    if runs := [run for run in _BASE64.findall(joined) if not run.islower()]:
        yield from _from_base64(runs)


def _unescaped(found: re.Match[str]) -> str:
    kind, written = str(found.lastgroup), found[found.lastgroup or 0]
    if kind == "percent":
        return bytes.fromhex(written.replace("%", "")).decode(errors="replace")
    if kind == "entity":
        return html.unescape(written if written.endswith(";") else written + ";")
    if kind == "other":
        return _WHITE_ESCAPES.get(written, written)
    code = int(written, 16)
    return chr(code) if code <= sys.maxunicode else ""


def _paired(text: str) -> str:
    """The text with the halves of characters beyond the first plane joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _from_hex(runs: list[str]) -> Iterator[str]:
    digits = [_HEX_SEPARATORS.sub("", run) for run in runs]
    for shift in (0, 1):
        even = [run[shift : len(run) - (len(run) - shift) % 2] for run in digits]
        yield from _legible(bytes.fromhex("00".join(even)))


def _from_base64(runs: list[str]) -> Iterator[str]:
    """What is encoded in runs of base64 that may begin in the middle of a group."""
    plain = [run.translate(_BASE64_URL) for run in runs]
    for shift in range(4):
        whole = [run[shift : len(run) - (len(run) - shift) % 4] for run in plain]
        rest = [run[len(run) - (len(run) - shift) % 4 :] for run in plain]
        padded = [run + _padded(tail) for run, tail in zip(whole, rest, strict=True)]
        yield from _legible(binascii.a2b_base64("AAAA".join(padded)))


def _padded(tail: str) -> str:
    """The last, incomplete group of a run, completed with bits that are nothing."""
    return tail.ljust(4, "A") if len(tail) > 1 else ""


def _legible(raw: bytes) -> Iterator[str]:
    if found := [part for part in _TEXT.findall(raw) if len(part) >= STRONG]:
        yield _BETWEEN.join(part.decode(errors="replace") for part in found)


def _windows(secret: _Secret, text: str) -> Iterator[tuple[int, int]]:
    """The shortest windows in which the secret is found, one after the other."""
    at = 0
    while at < len(text):
        width = WINDOW
        while not secret.within(text[at : at + width]):
            if at + width >= len(text):
                return
            width *= 2
        end = at + _least(partial(_upto, secret, text, at), min(width, len(text) - at))
        back = WINDOW
        while end - back > at and not secret.within(text[end - back : end]):
            back *= 2
        start = end - _least(partial(_from, secret, text, end), min(back, end - at))
        yield start, end
        at = end


def _upto(secret: _Secret, text: str, start: int, length: int) -> bool:
    return secret.within(text[start : start + length])


def _from(secret: _Secret, text: str, end: int, length: int) -> bool:
    return secret.within(text[end - length : end])


def _least(holds: Any, most: int) -> int:
    """The least length for which it holds; it holds for the greatest."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


NO_SECRETS = KnownSecrets(())
"""Where none is known."""
