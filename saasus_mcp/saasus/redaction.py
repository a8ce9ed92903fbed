"""Known secrets removed from text and JSON, in whatever encoding a service repeats them.

Detection decides: a text is decoded step by step, and each step is searched in a form in which case, normal form,
white space and backslashes no longer differ. Location follows from detection: the shortest window in which the secret
is still found is cut out. A text whose secret cannot be located is withheld as a whole.
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

from saasus_mcp.saasus.secret_encodings import BETWEEN, decoded_forms, fold_encoded
from saasus_mcp.saasus.secret_names import REMOVED, hide_all_values, is_revealing, redact

SHORTEST = 4
"""Characters. Shorter secrets occur in too much ordinary text to be searched for."""
STRONG, STRONG_BYTES = 8, 12
"""Characters, and bytes in UTF-8, from which a secret is searched for everywhere and in every encoding. A shorter one
is removed only as a word of its own, in the encodings that can be listed."""
LOCATED = 16 * 1024
"""Characters of the longest text in which an encoded secret is located. A longer text is withheld as a whole."""
MOST_LOCATED = 32 * 1024
"""Characters of all texts of one answer in which encoded secrets are located. Further texts are withheld."""
WINDOWS = (256, 1024, 4096, LOCATED)
"""Characters of the windows in which a secret is located, one pass over the text for each."""
BASE64 = re.compile("[A-Za-z0-9+/_-]")


@dataclass(frozen=True, slots=True)
class _Secret:
    """One secret that is long enough to be searched for in every encoding.

    Attributes:
        needles: the secret's own form and those of its base64, which no longer decodes once its case has changed.
    """

    text: str
    needles: tuple[str, ...]

    def within(self, text: str) -> bool:
        return any(needle in form for form in decoded_forms(text) for needle in self.needles)

    def only_as_base64(self, text: str) -> bool:
        form = fold_encoded(text)
        return self.needles[0] not in form and any(needle in form for needle in self.needles[1:])


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

    def with_texts(self, texts: Iterable[str]) -> KnownSecrets:
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
        if not self.texts or not self._anywhere(value):
            return value
        return _Redaction(self, frozenset(names)).value(value)

    def _anywhere(self, value: Any) -> bool:
        """Whether a JSON value holds one of the secrets. What is ASCII is searched apart: that is faster."""
        plain: list[str] = []
        others: list[str] = []
        for text in _texts(value):
            (plain if text.isascii() else others).append(text)
        return any(self.within(BETWEEN.join(texts)) for texts in (plain, others) if texts)

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
        return bool(self._needles) and any(needle in form for form in decoded_forms(text) for needle in self._needles)

    def _located(self, text: str) -> str:
        """The text without the windows in which the secrets are found; withheld where some are in no window."""
        for width in WINDOWS:
            windows = sorted(window for secret in self._strong for window in _windows(secret, text, width))
            parts, at = [], 0
            for start, end in windows:
                if start >= at:
                    parts += [text[at:start], REMOVED]
                at = max(at, end)
            text = "".join([*parts, text[at:]])
            if not self._holds_strong(text):
                return text
        return REMOVED


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
        if shown != name and is_revealing(name):  # what stands below is no longer hidden by its name
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
    # The sextets that hold bits of what stands before or after the secret are left out.
    inner = [
        fold_encoded(code.decode()[(0, 2, 3)[at % 3] : (at % 3 + len(raw)) * 8 // 6]) for at, code in enumerate(encoded)
    ]
    return tuple(dict.fromkeys([fold_encoded(text), *inner]))


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


def _windows(secret: _Secret, text: str, width: int) -> Iterator[tuple[int, int]]:
    """The shortest windows of at most a width in which the secret is found, one after the other."""
    at = 0
    while at < len(text):
        if secret.within(text[at : at + width]):
            end = at + _least(partial(_upto, secret, text, at), min(width, len(text) - at))
            start = end - _least(partial(_from, secret, text, end), end - at)
            if secret.only_as_base64(text[start:end]):  # a letter on each side may hold bits of the secret
                start -= int(start > at and BASE64.match(text, start - 1) is not None)
                end += int(BASE64.match(text, end) is not None)
            yield start, end
            at = end
        else:
            at += width // 2


def _upto(secret: _Secret, text: str, start: int, length: int) -> bool:
    return secret.within(text[start : start + length])


def _from(secret: _Secret, text: str, end: int, length: int) -> bool:
    return secret.within(text[end - length : end])


def _least(holds: Callable[[int], bool], most: int) -> int:
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
