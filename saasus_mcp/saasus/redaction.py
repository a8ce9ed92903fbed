"""Remove known secrets from text and JSON, in any encoding in which a service repeats them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, filterfalse
from typing import Any
from urllib.parse import quote, quote_plus

from saasus_mcp.common.json_tree import join_pieces, survey
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.saasus.encoded_secrets import SEPARATOR, EncodedSecrets, is_strong
from saasus_mcp.saasus.secret_names import is_revealing
from saasus_mcp.saasus.secret_paths import REMOVED, hide_all_values, redact

_MIN_LENGTH = 4
"""Characters. A shorter secret occurs in too much ordinary text to be searched for."""
_MAX_PATTERN = 64
"""Characters of the longest text that becomes a pattern. Compiling one takes 70 µs for each character of the text."""
_MAX_DEPTH = 1000
_NO_LATIN = re.compile("[ \u3000\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff]+")
"""Ideographs, kana and the spaces between them. No normal form of them is a Latin letter or a digit."""
_SEARCHED_TOGETHER = 1024
"""Texts that are joined to be searched."""
MAX_LOCATED_TOTAL = 32 * 1024
"""Characters of all texts of one answer in which encoded secrets are located. Further texts are withheld."""


class KnownSecrets:
    """Removes secrets whose values are known from text and JSON. Compiled once.

    Secrets of eight characters or more are found in plain text, JSON and unicode escapes, HTML entities, percent and form
    encoding, quoted-printable, base64 (both alphabets, any alignment), base32, hexadecimal, lists of bytes as numbers, of letters or
    of parts, UTF-16 in any of these if some characters are Latin, changed case, other normal forms, split by white space or invisible characters,
    and in up to three of these nested. Shorter ones are found as separate words. Secrets below four characters are not
    searched for, and long ones that consist of white space and invisible characters but for a few only as they are. The cost is
    linear in the text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if len(text) >= _MIN_LENGTH}, key=len, reverse=True))
        strong = [text for text in self.texts if is_strong(text)]
        weak = [text for text in self.texts if text not in strong]
        self._strong = EncodedSecrets(strong)
        self._blank = tuple(text for text in weak if len(text) > _MAX_PATTERN)
        words = [_word_pattern(each) for text in weak if len(text) <= _MAX_PATTERN for each in _variants(text)]
        self._weak = re.compile("|".join(sorted(words, key=len, reverse=True)), re.IGNORECASE) if words else None
        self._shortest = 0 if weak else self._strong.shortest

    def with_texts(self, texts: Iterable[str]) -> KnownSecrets:
        """Return these secrets and more, or the same object if `texts` is empty."""
        more = tuple(texts)
        return KnownSecrets((*self.texts, *more)) if more else self

    def within(self, text: str) -> bool:
        """Return whether a text contains one of the secrets, in any encoding."""
        if self._strong.within(text) or (self._blank and any(each in text for each in self._blank)):
            return True
        return self._weak is not None and self._weak.search(text) is not None

    def redact(self, value: Any, names: Collection[str] = (), texts: Collection[str] | None = None) -> Any:
        """Remove the secrets from the texts and keys of a JSON value. Returns the same object if it contains none.

        Args:
            names: keys to keep unchanged, since the schema declares them.
            texts: the texts, keys and numbers in the value, if they are known.
        """
        if not self.texts:
            return value
        found = survey(value, _MAX_DEPTH) if texts is None else None
        if not (found and found.too_deep) and not self._occur_in(found.searched if found else texts or ()):
            return value
        return _Redaction(self, frozenset(names)).value(value)

    def _occur_in(self, texts: Collection[str]) -> bool:
        """Return whether one of the texts contains one of the secrets.

        ASCII texts are searched separately, which is faster; those that are too short for a secret are not, nor are
        texts of kana and ideographs alone if all secrets are ASCII.
        """
        shortest = self._shortest
        ascii_texts = [text for text in filter(str.isascii, texts) if len(text) >= shortest]
        others = [text for text in filterfalse(str.isascii, texts) if not (shortest and _NO_LATIN.fullmatch(text))]
        return any(map(self.within, chain(_joined(ascii_texts), _joined(others))))

    def text(self, text: str, may_locate: Callable[[str], bool] = bool) -> str:
        """Remove the secrets from a text, or withhold it entirely if one cannot be located.

        Args:
            may_locate: asked whether to spend time on locating encoded secrets in the text. It may be, by default.
        """
        for each in self._blank:
            text = text.replace(each, REMOVED)
        shown = self._strong.remove_from(text, may_locate)
        return self._weak.sub(REMOVED, shown) if self._weak is not None else shown


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
            return self.whole([self.value(item) for item in value])
        if isinstance(value, dict):
            return self.whole(dict(self.field(name, item) for name, item in value.items()))
        if isinstance(value, bool) or value is None:
            return value
        return REMOVED if str(value) in self.known.texts and is_strong(str(value)) else value

    def whole(self, shown: Any) -> Any:
        """Hide all of a list or an object whose letters, parts or bytes still spell a secret."""
        return hide_all_values(shown, redact) if self.known.within(join_pieces(shown)) else shown

    def field(self, name: str, item: Any) -> tuple[str, Any]:
        shown = name if name in self.names else self.text(name)
        if shown != name and is_revealing(name):  # its name no longer marks the value below as secret
            return shown, hide_all_values(item, redact)
        return shown, self.value(item)

    def text(self, text: str) -> str:
        return self.known.text(text, self._may_locate)

    def _may_locate(self, text: str) -> bool:
        self.left -= len(text)
        return self.left >= 0


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


def _joined(texts: list[str]) -> Iterator[str]:
    """Yield the texts in parts that are searched at once: a search of megabytes would stop every other thread."""
    for start in range(0, len(texts), _SEARCHED_TOGETHER):
        yield SEPARATOR.join(texts[start : start + _SEARCHED_TOGETHER])


NO_SECRETS = KnownSecrets(())
