"""Decode a text step by step into every form in which it may contain a secret."""

from __future__ import annotations

import binascii
import html
import re
import sys
from collections.abc import Iterator
from unicodedata import normalize

_MIN_ENCODED_LENGTH = 8
"""Decoded texts of fewer bytes are not searched: they occur in almost any text."""
_MAX_DEPTH = 3
"""Nested encodings that are decoded."""
_ESCAPE = re.compile(
    r"(?P<percent>%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+)"
    r"|\\(?:u(?P<unicode>[0-9A-Fa-f]{4})|u\{(?P<braced>[0-9A-Fa-f]{1,6})\}|x(?P<byte>[0-9A-Fa-f]{2})|(?P<other>.))"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?)",
    re.DOTALL,
)
_ESCAPING = re.compile(r"[%\\&]")
_HEX_DIGIT = r"(?:(?:(?:[:._ -]|, ?)(?:0[xX])?)?[0-9a-fA-F])"
_HEX = re.compile(rf"[0-9a-fA-F]{_HEX_DIGIT}{{15}}{_HEX_DIGIT}*+")
_HEX_SEPARATORS = re.compile(r"(?:[:._ -]|, ?)(?:0[xX])?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}+")
_SOFT_BREAK = re.compile(r"=\r?\n")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
"""A line break inside base64."""
_BASE64_URL = str.maketrans("-_", "+/")
_CHARACTER = rb"(?:[\t\r\n\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
_TEXT = re.compile(rb"%b{4}%b*+" % (_CHARACTER, _CHARACTER))
"""Text in decoded bytes. Bytes decoded from ordinary text, or at the wrong offset, contain hardly any."""
SEPARATOR = "\0"
"""Separates texts that are searched together. No match crosses it, since no form of a text drops it."""
_WHITE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " ", "v": " "}
_ASCII = {code: None if code in range(1, 33) or chr(code) in "\\+\x7f" else chr(code).lower() for code in range(128)}
_IGNORED = re.compile("[\\s\\\\+\x01-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
                     "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+")  # fmt: skip


def fold_encoded(text: str) -> str:
    """Fold case and normal form, and drop white space, backslashes, plus signs and invisible characters."""
    if "=\n" in text or "=\r" in text:
        text = _SOFT_BREAK.sub("", text)
    if text.isascii():
        return text.translate(_ASCII)
    return _IGNORED.sub("", normalize("NFKD", normalize("NFKD", text).casefold()))


def decoded_forms(text: str) -> Iterator[str]:
    """Yield the folded form of a text and of every text decoded from it."""
    layer = [text]
    for depth in range(_MAX_DEPTH + 1):
        for each in layer:
            yield fold_encoded(each)
        if depth == _MAX_DEPTH:
            return
        layer = [decoded for each in layer for decoded in _decoded(each)]


def _decoded(text: str) -> Iterator[str]:
    if _ESCAPING.search(text):
        unescaped = _ESCAPE.sub(_unescape, text)
        if unescaped != text:
            yield _join_surrogates(unescaped)
    if runs := _HEX.findall(text):
        yield from _from_hex(runs)
    joined = _FOLD.sub("", text) if "\n" in text or "\r" in text else text
    if runs := [run for run in _BASE64.findall(joined) if not run.islower()]:
        yield from _from_base64(runs)


def _unescape(found: re.Match[str]) -> str:
    kind, written = str(found.lastgroup), found[found.lastgroup or 0]
    if kind == "percent":
        return bytes.fromhex(written.replace("%", "")).decode(errors="replace")
    if kind == "entity":
        return html.unescape(written if written.endswith(";") else written + ";")
    if kind == "other":
        return _WHITE_ESCAPES.get(written, written)
    code = int(written, 16)
    return chr(code) if code <= sys.maxunicode else ""


def _join_surrogates(text: str) -> str:
    """Join surrogate pairs to the characters they stand for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _from_hex(runs: list[str]) -> Iterator[str]:
    digits = [_HEX_SEPARATORS.sub("", run) for run in runs]
    for shift in (0, 1):
        even = [run[shift : len(run) - (len(run) - shift) % 2] for run in digits]
        yield from _texts_in(bytes.fromhex("00".join(even)))


def _from_base64(runs: list[str]) -> Iterator[str]:
    """Decode runs of base64 that may begin in the middle of a group."""
    plain = [run.translate(_BASE64_URL) for run in runs]
    for shift in range(4):
        whole = [run[shift : len(run) - (len(run) - shift) % 4] for run in plain]
        rest = [run[len(run) - (len(run) - shift) % 4 :] for run in plain]
        padded = [run + _pad(tail) for run, tail in zip(whole, rest, strict=True)]
        yield from _texts_in(binascii.a2b_base64("AAAA".join(padded)))


def _pad(tail: str) -> str:
    """Complete the last group of a run with zero bits."""
    return tail.ljust(4, "A") if len(tail) > 1 else ""


def _texts_in(raw: bytes) -> Iterator[str]:
    if found := [part for part in _TEXT.findall(raw) if len(part) >= _MIN_ENCODED_LENGTH]:
        yield SEPARATOR.join(part.decode(errors="replace") for part in found)
