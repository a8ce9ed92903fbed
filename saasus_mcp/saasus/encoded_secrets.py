"""Find secrets in a text in every encoding in which a service repeats them.

To detect a secret, a text is decoded step by step, and each step is searched with case, normal form, white space and
backslashes folded. To locate it, the shortest window in which it is still detected is cut out. A text whose secret cannot
be located is withheld entirely.
"""

from __future__ import annotations

import binascii
import html
import re
import sys
from base64 import b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import lcm

from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.saasus.secret_paths import REMOVED

STRONG, STRONG_BYTES = 8, 12
"""Characters, and bytes in UTF-8, from which a secret is searched for inside words and in every encoding. A shorter
one is removed only as a separate word, in the encodings that can be listed."""
LOCATED = 16 * 1024
"""Characters of the longest text in which an encoded secret is located. A longer text is withheld entirely."""
_WINDOWS = (256, 1024, 4096, LOCATED)
"""Sizes of the windows in which a secret is located, in characters. Each size takes one pass over the text."""
_BASE64_CHARACTER = re.compile("[A-Za-z0-9+/_-]")
_MIN_ENCODED_LENGTH = 8
"""Decoded texts of fewer bytes are not searched: they occur in almost any text."""
_MAX_DEPTH = 3
"""Nested encodings that are decoded."""
_MAX_COPIES, _FREE = 8, 256 * 1024
"""Copies of a text that are searched, and characters that always are: a few codes of each encoding make a hundred copies."""
_ESCAPE = re.compile(
    r"(?P<percent>%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+)"
    r"|(?P<bytes>\\x[0-9A-Fa-f]{2}(?:\\x[0-9A-Fa-f]{2})*+)"
    r"|(?P<octal>\\[0-3][0-7]{2}(?:\\[0-3][0-7]{2})*+)"
    r"|%u(?P<script>[0-9A-Fa-f]{4})"
    r"|\\(?:u(?P<unicode>[0-9A-Fa-f]{4})|u\{(?P<braced>[0-9A-Fa-f]{1,6})\}|U(?P<long>[0-9A-Fa-f]{8})|(?P<other>.))"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?)",
    re.DOTALL,
)
_C1_NUMBER = re.compile("&#(?:(1[2-5][0-9])|[xX]([89][0-9A-Fa-f]));?")
"""A byte that a program wrote as a number. HTML shows most of them as other characters, those of Windows-1252."""
_QUOTED_PRINTABLE = re.compile(r"=[0-9A-Fa-f]{2}(?:=[0-9A-Fa-f]{2})*+")
_SOFT_BREAK = re.compile("=\r?\n")
"""A line break of quoted-printable, which can stand between the bytes of a character."""
_MAYBE_QUOTED_PRINTABLE = re.compile("=3[Dd]|=[89A-Fa-f][0-9A-Fa-f]=[89A-Fa-f][0-9A-Fa-f]|(?:=[0-9A-Fa-f]{2}){4}")
"""A quoted equals sign or character, or four quoted bytes. A query of a URL, such as `limit=20`, has none of them."""
_WRONGLY_DECODED = re.compile("[\x80-\xff]{2,}+")
"""Characters of Latin-1 that can be bytes of UTF-8, which a service took for Latin-1."""
_MAYBE_HEX = re.compile(r"[0-9a-fA-F][0-9a-fA-FxX:._ ,-]{15,}+")
"""Finds quickly where digits of hexadecimal code can be."""
_HEX = re.compile(r"[0-9a-fA-F]++(?:(?:[:._ -]|, ?)(?:0[xX])?[0-9a-fA-F]++)*+")
_HEX_SEPARATORS = re.compile(r"(?:[:._ -]|, ?)(?:0[xX])?")
_MAYBE_LISTED, _MAYBE_SPACED = re.compile(r",\s{0,20}[0-9]{1,3}\s{0,20},"), re.compile(" [0-9]{1,3} [0-9]{1,3} ")
"""Find quickly where decimal numbers can be. Each begins with a literal, which is far faster than a class of characters."""
_DECIMAL = re.compile(r"[0-9][0-9\s,]{14,}+")
"""Bytes as numbers: how Go, Python and JavaScript print them."""
_NUMBER = re.compile("[0-9]+")
_MAX_BYTE = 255
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}+")
_SEPARATORS = b":._ -,"
_ONE_SEPARATOR = bytes.maketrans(_SEPARATORS, b"------")
_BETWEEN_HEX, _BETWEEN_BASE64 = "000", "A" * 7
"""Separate runs that are decoded together. Wherever the groups begin, a byte of zeros is between two runs, which is no text. The ends
of a run get zero bits to complete their groups."""
_FOLD = re.compile(r"[\r\n]+[ \t]*")
"""A line break inside base64."""
_BASE64_URL = bytes.maketrans(b"-_", b"+/")
_CHARACTER = rb"(?:[\t\r\n\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
_TEXT = re.compile(rb"%b{4}%b*+" % (_CHARACTER, _CHARACTER))
"""Text in decoded bytes. Bytes decoded from ordinary text, or at the wrong offset, contain hardly any."""
_MAYBE_TEXT = re.compile(rb"[\t\r\n\x20-\x7e\x80-\xf4]{%d,}+" % _MIN_ENCODED_LENGTH)
"""Finds quickly where text can be in decoded bytes."""
_UTF16_KINDS = bytes((0, *[2] * 31, *[1] * 95, *[2] * 33, *[1] * 96))
"""The kind of each byte: NUL, a printable character of Latin-1, another one."""
_MAYBE_UTF16 = re.compile(b"\1\0\1\0\1\0\1")
"""Some characters of Latin-1 in UTF-16, in either order of bytes. Passwords and keys have them, whatever else they contain."""
_MAYBE_WIDE = re.compile("\0(?:[\x20-\x7e\xa0-\xff]\0){3}")
_WIDE = re.compile("\0(?=[^\0](?:\0|\\Z))|(?<=\0[^\0])\0")
"""UTF-16 that was taken for an encoding of single bytes: a NUL follows, or precedes, each character."""
_INVALID = "\ufffd"
"""Stands in a decoded text for bytes that are not UTF-8."""
SEPARATOR = "\0"
"""Separates texts that are searched together. No match crosses it, unless several of these texts are single characters."""
_WHITE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " ", "v": " "}
_LOWER = bytes(range(256)).lower()
_ASCII_IGNORED = bytes(range(1, 33)) + b"\\+\x7f"
_IGNORED = re.compile("[\\s\\\\+\x01-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
                     "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _SearchedSecret:
    """A secret that is long enough to be searched for in every encoding.

    Attributes:
        needles: the folded form of the secret, of its base32, and of its base64, which no longer decodes after its case has changed.
    """

    text: str
    needles: tuple[str, ...]

    def within(self, text: str) -> bool:
        return _occur_in(text, self.needles)

    def only_encoded(self, text: str) -> bool:
        return self.needles[0] not in fold_encoded(text)


class EncodedSecrets:
    """Secrets that are long enough to be searched for in every encoding. Compiled once.

    Attributes:
        shortest: the characters of the shortest ASCII text that can contain one: no encoding shortens a text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._secrets = tuple(_SearchedSecret(text, _needles(text)) for text in texts)
        self._needles = tuple(needle for secret in self._secrets for needle in secret.needles)
        self.shortest = min(map(len, self._needles)) if "".join(self._needles).isascii() and self._needles else 0

    def within(self, text: str) -> bool:
        """Return whether a text contains one of the secrets, or too many encodings to be searched."""
        return bool(self._needles) and _occur_in(text, self._needles, self.shortest)

    def remove_from(self, text: str, may_locate: Callable[[str], bool]) -> str:
        """Remove the secrets from a text, or withhold it entirely if one cannot be located, or is not to be.

        Args:
            may_locate: asked whether to spend time on locating encoded secrets.
        """
        if not self.within(text):
            return text
        rest = self.remove_plain(text)
        if rest != text and not self.within(rest):
            return rest
        return self._cut_out(rest) if may_locate(text) and len(rest) <= LOCATED else REMOVED

    def remove_plain(self, text: str) -> str:
        """Remove the secrets in their plain form."""
        for secret in self._secrets:
            text = text.replace(secret.text, REMOVED)
        return text

    def _cut_out(self, text: str) -> str:
        """Remove the windows in which secrets are detected. Withhold the text if a secret remains."""
        for width in _WINDOWS:
            windows = sorted(window for secret in self._secrets for window in _windows(secret, text, width))
            parts, at = [], 0
            for start, end in windows:
                if start >= at:
                    parts += [text[at:start], REMOVED]
                at = max(at, end)
            text = "".join([*parts, text[at:]])
            if not self.within(text):
                return text
        return REMOVED


def is_strong(text: str) -> bool:
    """Return whether a secret is long enough to be searched for in every encoding."""
    form = fold_encoded(text)
    return len(form) >= STRONG or len(form.encode(errors="replace")) >= STRONG_BYTES


def _needles(text: str) -> tuple[str, ...]:
    raw = text.encode(errors="surrogatepass")
    inner = [code for encode in (b64encode, urlsafe_b64encode) for code in _inner_codes(encode, 6, raw)]
    return tuple(dict.fromkeys([fold_encoded(text), *inner, *_inner_codes(b32encode, 5, raw)]))


def _inner_codes(encode: Callable[[bytes], bytes], bits: int, raw: bytes) -> Iterator[str]:
    """Yield the code of a secret wherever it stands in a text, without characters that contain bits of the neighbouring text."""
    for before in range(lcm(8, bits) // 8):
        code = encode(b"\0" * before + raw).decode()
        yield fold_encoded(code[-(-before * 8 // bits) : (before + len(raw)) * 8 // bits])


def _windows(secret: _SearchedSecret, text: str, width: int) -> Iterator[tuple[int, int]]:
    """Yield the shortest windows in which the secret is detected, none wider than `width`."""
    at = 0
    while at < len(text):
        if secret.within(text[at : at + width]):
            end = at + _least(partial(_upto, secret, text, at), min(width, len(text) - at))
            start = end - _least(partial(_from, secret, text, end), end - at)
            if secret.only_encoded(text[start:end]):  # the neighbouring letters may contain bits of the secret
                start -= int(start > at and _BASE64_CHARACTER.match(text, start - 1) is not None)
                end += int(_BASE64_CHARACTER.match(text, end) is not None)
            yield start, end
            at = end
        else:
            at += width // 2


def _upto(secret: _SearchedSecret, text: str, start: int, length: int) -> bool:
    return secret.within(text[start : start + length])


def _from(secret: _SearchedSecret, text: str, end: int, length: int) -> bool:
    return secret.within(text[end - length : end])


def _least(holds: Callable[[int], bool], most: int) -> int:
    """Return the least length for which `holds` is true. It must be true for `most`."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def fold_encoded(text: str) -> str:
    """Fold case and normal form, and drop white space, backslashes, plus signs and invisible characters."""
    if "=\n" in text or "=\r" in text:
        text = _SOFT_BREAK.sub("", text)
    if not text.isascii():
        text = text.replace(_INVALID, SEPARATOR)  # without another letter, the faster way follows
    if text.isascii():  # a table for texts takes ten times as long
        return text.encode().translate(_LOWER, _ASCII_IGNORED).decode()
    return _IGNORED.sub("", normalize("NFKD", normalize("NFKD", text).casefold()))


class _TooManyForms(Exception):
    """A text contains so many encodings that searching all of its forms would take too long."""


def _occur_in(text: str, needles: Iterable[str], shortest: int = 0) -> bool:
    """Return whether a form of a text contains one of the needles, or the text has too many forms to be searched.

    Args:
        shortest: the characters of the shortest run of hexadecimal code or base64 that can contain one.
    """
    try:
        for form in _decoded_forms(text, shortest):
            for needle in needles:
                if needle in form:
                    return True
    except _TooManyForms:
        return True
    return False


def _decoded_forms(text: str, shortest: int) -> Iterator[str]:
    """Yield the folded form of a text and of every text decoded from it, but not from runs that are too short.

    Raises:
        _TooManyForms: they have too many characters.
    """
    layer, seen, left = [text], {text}, max(_FREE, _MAX_COPIES * len(text))
    for depth in range(_MAX_DEPTH + 1):
        for each in layer:
            yield fold_encoded(each)
        if depth == _MAX_DEPTH:
            return
        found: list[str] = []
        for each in layer:
            for decoded in _decoded(each, shortest):
                if decoded not in seen:
                    seen.add(decoded)
                    found.append(decoded)
                    left -= len(decoded)
                    if left < 0:
                        raise _TooManyForms
        layer = found
        if not layer:
            return


def _decoded(text: str, shortest: int) -> Iterator[str]:
    if "%" in text or "\\" in text or "&" in text:
        yield from map(_join_surrogates, _replaced(_ESCAPE, _unescape, text))
    if "=" in text and _MAYBE_QUOTED_PRINTABLE.search(text):
        yield from _replaced(_QUOTED_PRINTABLE, _from_quoted_printable, _SOFT_BREAK.sub("", text))
    if not text.isascii() and (decoded := _WRONGLY_DECODED.sub(_as_utf8, text)) != text:
        yield decoded
    if SEPARATOR in text and _MAYBE_WIDE.search(text):
        yield _WIDE.sub("", text)
    if parts := [part for part in _MAYBE_HEX.findall(text) if len(part) >= shortest]:
        yield from _from_hex(parts)
    if _MAYBE_LISTED.search(text) or _MAYBE_SPACED.search(text):
        yield from _from_decimal(_DECIMAL.findall(text))
    joined = _FOLD.sub("", text) if "\n" in text or "\r" in text else text
    # 5,000 texts take 0.5 ms; a generator takes 0.8.
    mixed = SEPARATOR.join([each for each in joined.split(SEPARATOR) if each != each.lower()])
    if runs := [run for run in _BASE64.findall(mixed) if len(run) >= shortest and run != run.lower()]:
        yield from _from_base64(runs)


def _replaced(code: re.Pattern[str], decode: Callable[..., str], text: str) -> Iterator[str]:
    """Yield the texts that have codes, decoded as UTF-8, and those with bytes that are not UTF-8 with these in Latin-1 too."""
    both = [(each, code.sub(decode, each)) for each in text.split(SEPARATOR)]
    if changed := [(each, decoded) for each, decoded in both if decoded != each]:
        yield SEPARATOR.join(decoded for _, decoded in changed)
        if invalid := [each for each, decoded in changed if _INVALID in decoded]:
            yield SEPARATOR.join(code.sub(partial(decode, encoding="latin-1"), each) for each in invalid)


def _unescape(found: re.Match[str], encoding: str = "utf-8") -> str:
    kind, written = str(found.lastgroup), found[found.lastgroup or 0]
    if kind == "percent":
        return _text_of(bytes.fromhex(written.replace("%", "")), encoding)
    if kind in ("bytes", "octal"):
        base = 16 if kind == "bytes" else 8
        return _text_of(bytes(int(digits, base) for digits in written.replace("x", "").split("\\")[1:]), encoding)
    if kind == "entity":
        number = _C1_NUMBER.fullmatch(written)
        if number:
            return chr(int(number[1] or number[2], 10 if number[1] else 16))
        return html.unescape(written if written.endswith(";") else written + ";")
    if kind == "other":
        return _WHITE_ESCAPES.get(written, written)
    code = int(written, 16)
    return chr(code) if code <= sys.maxunicode else ""


def _text_of(raw: bytes, encoding: str = "utf-8") -> str:
    """Return the text of bytes, and what they are in UTF-16, if they can be that."""
    text = raw.decode(errors="replace")
    return SEPARATOR.join((raw.decode(encoding, "replace") if _INVALID in text else text, *_from_utf16(raw)))


def _from_utf16(raw: bytes) -> Iterator[str]:
    """Decode UTF-16 that may begin at any byte, in both orders of bytes."""
    for parity in {found.start() % 2 for found in _MAYBE_UTF16.finditer(raw.translate(_UTF16_KINDS))}:
        yield raw[parity:].decode("utf-16-le", "replace")
        yield raw[1 - parity :].decode("utf-16-be", "replace")


def _from_quoted_printable(found: re.Match[str], encoding: str = "utf-8") -> str:
    return _text_of(bytes.fromhex(found[0].replace("=", "")), encoding)


def _as_utf8(found: re.Match[str]) -> str:
    return _text_of(found[0].encode("latin-1"))


def _join_surrogates(text: str) -> str:
    """Join surrogate pairs to the characters they stand for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _from_hex(parts: list[str]) -> Iterator[str]:
    """Decode the runs of hexadecimal digits in parts of a text, all of them at once. They may begin in the middle of a byte."""
    joined = _BETWEEN_HEX.join(parts)
    has_prefix = "x" in joined or "X" in joined
    if has_prefix or b"--" in joined.encode().translate(_ONE_SEPARATOR):  # otherwise, each part is one run
        joined = _BETWEEN_HEX.join(_HEX.findall("\n".join(parts)))
    digits = (_HEX_SEPARATORS.sub("", joined) if has_prefix else joined).encode().translate(None, _SEPARATORS)
    for shift in (0, 1):
        yield from _texts_in(binascii.unhexlify(digits[shift : len(digits) - (len(digits) - shift) % 2]))


def _from_decimal(lists: list[str]) -> Iterator[str]:
    """Decode lists of bytes as decimal numbers."""
    for each in lists:
        yield from _texts_in(bytes(min(int(number[:4]), _MAX_BYTE) for number in _NUMBER.findall(each)))


def _from_base64(runs: list[str]) -> Iterator[str]:
    """Decode runs of base64 that may begin in the middle of a group, all of them at once."""
    joined = _BETWEEN_BASE64.join([*runs, ""]).encode().translate(_BASE64_URL)
    for shift in range(4):
        yield from _texts_in(binascii.a2b_base64(joined[shift : len(joined) - (len(joined) - shift) % 4]))


def _texts_in(raw: bytes) -> Iterator[str]:
    maybe = b"\0".join(_MAYBE_TEXT.findall(raw))
    if found := [part for part in _TEXT.findall(maybe) if len(part) >= _MIN_ENCODED_LENGTH]:
        yield SEPARATOR.join(part.decode(errors="replace") for part in found)
    if b"\0" in raw:
        yield from _from_utf16(raw)
