"""The text of a table file. Spreadsheets save CSV in many encodings, and no file says which one it is in."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from dataclasses import dataclass

from saasus_mcp.common.messages import Message

UTF8, UTF16, CP932, EUC_JP = "utf-8", "utf-16", "cp932", "euc_jp"
MIN_NUL_SHARE = 0.1
"""The share of NUL bytes in a text of UTF-16: each delimiter, digit and Latin letter has one."""
HALF_WIDTH = range(0xFF61, 0xFFA0)
"""Half-width katakana and punctuation, which CP932 reads in the bytes A1 to DF."""
KANA = range(0x3041, 0x30FF)
KANA_LEADS = frozenset("､･")
"""The first byte of a kana in EUC-JP, as CP932 reads it."""
MIN_KANA_LEADS = 0.2
NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\uf8f0-\uf8f3]")
"""Control characters, and the code points that stand for bytes without a meaning in CP932."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text of a table file.

    Attributes:
        notes: what of a workbook is not read as it looks in Excel.
    """

    text: str
    encoding: str
    notes: tuple[Message, ...] = ()


def decode_table(raw: bytes) -> DecodedText | None:
    """Return the text of a file, or None if its encoding is not clear.

    Excel in Japan saves CSV as CP932 and "Unicode text" as UTF-16 with tabs. EUC-JP comes from older systems. Its bytes are often
    valid CP932, too: then hiragana and katakana decide, and without them the encoding is not clear.
    """
    if raw.startswith(BOM_UTF8):
        return _decode(raw, "utf-8-sig", UTF8)
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return _decode(raw, "utf-16", UTF16)
    if b"\0" in raw:
        return _decode_utf16(raw)
    found = _decode(raw, "utf-8", UTF8)
    if found is not None:
        return found
    windows, unix = _decode(raw, "cp932", CP932), _decode(raw, "euc_jp", EUC_JP)
    if windows is None or unix is None:
        return windows or unix
    return _choose(windows, unix)


def _decode(raw: bytes, codec: str, encoding: str) -> DecodedText | None:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if codec == CP932 and NO_CHARACTER.search(text) else DecodedText(text, encoding)


def _decode_utf16(raw: bytes) -> DecodedText | None:
    """Return a text of UTF-16 without a byte order mark. NUL is the high byte of its ASCII characters."""
    even, odd = raw[::2].count(0), raw[1::2].count(0)
    if max(even, odd) < len(raw) * MIN_NUL_SHARE / 2 or min(even, odd):
        return None
    return _decode(raw, "utf-16-be" if even else "utf-16-le", UTF16)


def _choose(windows: DecodedText, unix: DecodedText) -> DecodedText | None:
    """Return the reading that looks like Japanese, if only one does."""
    characters = Counter(map(ord, windows.text))
    half_width = sum(characters[each] for each in HALF_WIDTH)
    if not half_width:
        return windows
    leads = sum(characters[ord(each)] for each in KANA_LEADS)
    has_kana = any(ord(each) in KANA for each in unix.text)
    return unix if has_kana and leads >= half_width * MIN_KANA_LEADS else None
