"""No encoding of a secret survives redaction, and a text without a secret stays unchanged."""

from __future__ import annotations

import base64
import html
import json
import quopri
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import assume, example, given
from hypothesis import strategies as st

from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_paths import REMOVED

Encoding = Callable[[str], str]

ENCODINGS: dict[str, Encoding] = {
    "plain": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "unicode escapes": lambda text: "".join(
        f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in text
    ),
    "HTML": html.escape,
    "HTML numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "HTML hexadecimal": lambda text: "".join(f"&#x{ord(letter):X};" for letter in text),
    "percent": lambda text: quote(text, safe=""),
    "every byte percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "form": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in the middle": lambda text: base64.b64encode(b"user:" + text.encode() + b";").decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex(":").upper(),
    "bytes escaped": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode(),
    "every byte quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "escape of JavaScript": lambda text: "".join(
        f"%u{ord(letter):04X}" if ord(letter) < 0x10000 else letter for letter in text
    ),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32 in the middle": lambda text: base64.b32encode(b"user:" + text.encode() + b";").decode().lower(),
    "bytes of Go": lambda text: f"[{' '.join(map(str, text.encode()))}]",
    "bytes of JavaScript": lambda text: json.dumps(list(text.encode())),
    "UTF-8 taken for Latin-1": lambda text: text.encode().decode("latin-1"),
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "NFC": lambda text: unicodedata.normalize("NFC", text),
    "lines": "\n".join,
    "spaces": lambda text: text[:3] + "  " + text[3:],
    "zero widths": "\u200b".join,
}
FIRST = st.sampled_from(sorted(ENCODINGS))
SECOND = st.sampled_from(sorted({"plain", "JSON", "percent", "HTML numbers", "base64", "base64url", "hexadecimal"}))
LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
SCRIPTS = "éßçñøЖдяωλ株式会社ひみつパスワード가나다🔑"
SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
SECRETS = st.text(LETTERS + SCRIPTS + SYMBOLS, min_size=10, max_size=64)
AROUND = st.text(" .,:\"'<>{}あ件の", max_size=20)


@given(SECRETS, FIRST, SECOND, AROUND, AROUND)
@example('S3cr"et-&/Wört パス+x', "JSON", "base64", "", "")
@example("日本語のひみつパスワード", "UTF-8 taken for Latin-1", "JSON", "", "")
@example("日本語のひみつ=パスワード", "quoted-printable", "plain", "", "")
@example('日本語のひみつ\\1"234', "octal", "JSON", "1", "2")
@example("back\\nslash\\\\secret", "JSON", "JSON", '"', '"')
@example("0000000000000000ßßつつひみ🔑", "quoted-printable", "HTML numbers", "", "")
@example("000001234ω", "UTF-8 taken for Latin-1", "HTML numbers", "", "")
def test_nothing_of_an_encoded_secret_is_left(secret: str, first: str, second: str, before: str, after: str) -> None:
    # What is left must hold no long part of the secret, so the secret is no repetition of one letter.
    assume(len(set(secret)) >= 6)
    encoded = ENCODINGS[second](ENCODINGS[first](secret))
    known = KnownSecrets((secret,))
    shown = known.redact({"error": [before + encoded + after]})["error"][0]
    assert REMOVED in shown
    assert not known.within(shown)
    assert encoded not in shown
    assert len(shown) <= len(before) + len(after) + len(REMOVED) + 24, shown


@given(
    st.text(LETTERS + SYMBOLS, min_size=10, max_size=64),
    st.sampled_from(["utf-16", "utf-16-le", "utf-16-be"]),
    st.sampled_from(["base64", "hexadecimal", "percent", "bytes"]),
    AROUND,
)
def test_nothing_of_a_secret_in_utf_16_is_left(secret: str, form: str, second: str, around: str) -> None:
    assume(len(set(secret)) >= 6)
    raw = secret.encode(form)
    encoded = {
        "base64": base64.b64encode(raw).decode(),
        "hexadecimal": raw.hex(),
        "percent": "".join(f"%{byte:02X}" for byte in raw),
        "bytes": ", ".join(map(str, raw)),
    }[second]
    known = KnownSecrets((secret,))
    shown = known.text(around + encoded + around)
    assert REMOVED in shown
    assert not known.within(shown)
    assert len(shown) <= 2 * len(around) + len(REMOVED) + 24, shown


@given(SECRETS, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_another_case_hides_no_secret(secret: str, changed: Encoding) -> None:
    assume(changed(secret).casefold() == secret.casefold())
    shown = KnownSecrets((secret,)).text(f"not {changed(secret)}!")
    assert changed(secret) not in shown
    assert REMOVED in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=12), below, max_size=4),
    max_leaves=20,
)


@given(JSON, st.lists(st.text(LETTERS, min_size=24, max_size=40), min_size=1, max_size=3))
def test_a_value_without_a_secret_is_the_same_object(value: object, secrets: list[str]) -> None:
    assume(not any(secret in json.dumps(value) for secret in secrets))
    assert KnownSecrets(secrets).redact(value) is value
