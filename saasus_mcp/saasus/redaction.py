"""Remove known secrets from text and JSON, in any encoding in which a service repeats them.

To detect a secret, a text is decoded step by step, and each step is searched with case, normal form, white space and
backslashes folded. To locate it, the shortest window in which it is still detected is cut out. A text whose secret cannot
be located is withheld entirely.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, quote_plus

from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.saasus.secret_encodings import SEPARATOR, decoded_forms, fold_encoded
from saasus_mcp.saasus.secret_names import REMOVED, hide_all_values, is_revealing, redact

_MIN_LENGTH = 4
"""Characters. A shorter secret occurs in too much ordinary text to be searched for."""
STRONG, STRONG_BYTES = 8, 12
"""Characters, and bytes in UTF-8, from which a secret is searched for inside words and in every encoding. A shorter
one is removed only as a separate word, in the encodings that can be listed."""
LOCATED = 16 * 1024
"""Characters of the longest text in which an encoded secret is located. A longer text is withheld entirely."""
MAX_LOCATED_TOTAL = 32 * 1024
"""Characters of all texts of one answer in which encoded secrets are located. Further texts are withheld."""
_WINDOWS = (256, 1024, 4096, LOCATED)
"""Sizes of the windows in which a secret is located, in characters. Each size takes one pass over the text."""
_BASE64 = re.compile("[A-Za-z0-9+/_-]")


@dataclass(frozen=True, slots=True)
class _Secret:
    """A secret that is long enough to be searched for in every encoding.

    Attributes:
        needles: the folded form of the secret, and of its base64, which no longer decodes after its case has changed.
    """

    text: str
    needles: tuple[str, ...]

    def within(self, text: str) -> bool:
        return any(needle in form for form in decoded_forms(text) for needle in self.needles)

    def only_as_base64(self, text: str) -> bool:
        form = fold_encoded(text)
        return self.needles[0] not in form and any(needle in form for needle in self.needles[1:])


class KnownSecrets:
    """Removes secrets whose values are known from text and JSON. Compiled once.

    Secrets of eight characters or more are found in plain text, JSON and unicode escapes, HTML entities, percent and
    form encoding, base64 (both alphabets, any alignment), hexadecimal, changed case, other normal forms, split by white
    space or invisible characters, and in up to three of these nested. Shorter ones are found as separate words. Secrets
    below four characters are not searched for. The cost is linear in the text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if len(text) >= _MIN_LENGTH}, key=len, reverse=True))
        self._strong = tuple(_Secret(text, _needles(text)) for text in self.texts if _is_strong(text))
        self._needles = tuple(needle for secret in self._strong for needle in secret.needles)
        weak = [variant for text in self.texts if not _is_strong(text) for variant in _variants(text)]
        self._weak = (
            re.compile("|".join(sorted(map(_word_pattern, weak), key=len, reverse=True)), re.IGNORECASE)
            if weak
            else None
        )

    def with_texts(self, texts: Iterable[str]) -> KnownSecrets:
        """Return these secrets and more, or the same object if `texts` is empty."""
        more = tuple(texts)
        return KnownSecrets((*self.texts, *more)) if more else self

    def within(self, text: str) -> bool:
        """Return whether a text contains one of the secrets, in any encoding."""
        return self._contains_strong(text) or (self._weak is not None and self._weak.search(text) is not None)

    def redact(self, value: Any, names: Collection[str] = ()) -> Any:
        """Remove the secrets from the texts and keys of a JSON value. Returns the same object if it contains none.

        Args:
            names: keys to keep unchanged, since the schema declares them.
        """
        if not self.texts or not self._occurs_in(value):
            return value
        return _Redaction(self, frozenset(names)).value(value)

    def _occurs_in(self, value: Any) -> bool:
        """Return whether a JSON value contains one of the secrets.

        Equal texts, such as the keys of a list's items, are searched once. ASCII texts are searched separately, which is faster.
        """
        ascii_texts: list[str] = []
        others: list[str] = []
        for text in dict.fromkeys(_texts(value)):
            (ascii_texts if text.isascii() else others).append(text)
        return any(self.within(SEPARATOR.join(texts)) for texts in (ascii_texts, others) if texts)

    def text(self, text: str, *, locate: bool = True) -> str:
        """Remove the secrets from a text, or withhold it entirely if one cannot be located.

        Args:
            locate: whether to spend time on locating encoded secrets.
        """
        shown = text
        if self._contains_strong(text):
            for secret in self._strong:
                shown = shown.replace(secret.text, REMOVED)
            if self._contains_strong(shown):
                shown = self._cut_out(shown) if locate and len(shown) <= LOCATED else REMOVED
        return self._weak.sub(REMOVED, shown) if self._weak is not None else shown

    def needs_locating(self, text: str) -> bool:
        """Return whether a text contains a secret in any form but its plain one."""
        for secret in self._strong:
            text = text.replace(secret.text, REMOVED)
        return self._contains_strong(text)

    def _contains_strong(self, text: str) -> bool:
        return bool(self._needles) and any(needle in form for form in decoded_forms(text) for needle in self._needles)

    def _cut_out(self, text: str) -> str:
        """Remove the windows in which secrets are detected. Withhold the text if a secret remains."""
        for width in _WINDOWS:
            windows = sorted(window for secret in self._strong for window in _windows(secret, text, width))
            parts, at = [], 0
            for start, end in windows:
                if start >= at:
                    parts += [text[at:start], REMOVED]
                at = max(at, end)
            text = "".join([*parts, text[at:]])
            if not self._contains_strong(text):
                return text
        return REMOVED


@dataclass(slots=True)
class _Redaction:
    """One walk over a value. Bounds the time that is spent on locating secrets."""

    known: KnownSecrets
    names: frozenset[str]
    left: int = field(default=MAX_LOCATED_TOTAL)

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
        if shown != name and is_revealing(name):  # its name no longer marks the value below as secret
            return shown, hide_all_values(item, redact)
        return shown, self.value(item)

    def text(self, text: str) -> str:
        if not self.known.within(text):
            return text
        if self.known.needs_locating(text):
            self.left -= len(text)
        return self.known.text(text, locate=self.left >= 0)


def _is_strong(text: str) -> bool:
    form = fold_encoded(text)
    return len(form) >= STRONG or len(form.encode(errors="replace")) >= STRONG_BYTES


def _needles(text: str) -> tuple[str, ...]:
    raw = text.encode(errors="surrogatepass")
    encoded = [encode(b"\0" * before + raw) for encode in (b64encode, urlsafe_b64encode) for before in range(3)]
    # Sextets that also contain bits of the neighbouring text are left out.
    inner = [
        fold_encoded(code.decode()[(0, 2, 3)[at % 3] : (at % 3 + len(raw)) * 8 // 6]) for at, code in enumerate(encoded)
    ]
    return tuple(dict.fromkeys([fold_encoded(text), *inner]))


def _variants(text: str) -> Iterator[str]:
    """Yield a short secret as it is and in the encodings with a single spelling."""
    raw = text.encode(errors="surrogatepass")
    percent = partial(quote, safe="", errors="replace")
    yield from (text, percent(text), quote_plus(text, errors="replace"), html.escape(text), raw.hex())
    yield from (b64encode(raw).decode(), b64encode(raw).decode().rstrip("="), urlsafe_b64encode(raw).decode())
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (normalize(form, text) for form in ("NFC", "NFD", "NFKC"))


def _word_pattern(text: str) -> str:
    """Return a pattern that matches the text outside of longer words."""
    before = r"(?<![A-Za-z0-9])" if re.match(r"[A-Za-z0-9]", text) else ""
    after = r"(?![A-Za-z0-9])" if re.search(r"[A-Za-z0-9]\Z", text) else ""
    return f"{before}{re.escape(text)}{after}"


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of a JSON value, keys and numbers included."""
    for item in iterate_scalars(value, keys=True):
        if item is not None and not isinstance(item, bool):
            yield item if isinstance(item, str) else str(item)


def _windows(secret: _Secret, text: str, width: int) -> Iterator[tuple[int, int]]:
    """Yield the shortest windows in which the secret is detected, none wider than `width`."""
    at = 0
    while at < len(text):
        if secret.within(text[at : at + width]):
            end = at + _least(partial(_upto, secret, text, at), min(width, len(text) - at))
            start = end - _least(partial(_from, secret, text, end), end - at)
            if secret.only_as_base64(text[start:end]):  # the neighbouring letters may contain bits of the secret
                start -= int(start > at and _BASE64.match(text, start - 1) is not None)
                end += int(_BASE64.match(text, end) is not None)
            yield start, end
            at = end
        else:
            at += width // 2


def _upto(secret: _Secret, text: str, start: int, length: int) -> bool:
    return secret.within(text[start : start + length])


def _from(secret: _Secret, text: str, end: int, length: int) -> bool:
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


NO_SECRETS = KnownSecrets(())
