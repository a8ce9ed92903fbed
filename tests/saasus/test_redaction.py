"""Redaction of known secrets in text and JSON: what is removed, what remains, and the cost."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from saasus_mcp.common.json_columns import MANY
from saasus_mcp.saasus.encoded_secrets import LOCATED, fold_encoded
from saasus_mcp.saasus.redaction import MAX_LOCATED_TOTAL, NO_SECRETS, KnownSecrets
from saasus_mcp.saasus.secret_paths import REMOVED
from tests.support.function_calls import FunctionCalls
from tests.support.timing import cpu_seconds

SECRET = 'S3cr"et-&/Wört パス+x'
KNOWN = KnownSecrets((SECRET,))


@pytest.mark.parametrize(
    "encoded",
    [
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.b64encode(SECRET.encode()).decode().lower().rstrip("="),
        base64.b64encode(quote(SECRET).encode()).decode().rstrip("="),
        SECRET.encode().hex(" "),
        ", ".join(f"0x{byte:02x}" for byte in SECRET.encode())[2:],
        "".join(f"\\x{byte:02x}" for byte in b"abc-DEF-123-456"),
        SECRET.swapcase(),
        "\u2060".join(SECRET),
        "=\r\n".join((SECRET[:6], SECRET[6:])),
    ],
)
def test_an_encoded_secret_is_cut_out_of_what_surrounds_it(encoded: str) -> None:
    known = KnownSecrets((SECRET, "abc-DEF-123-456"))
    assert known.text(f"one ({encoded}) two ({encoded}).") == f"one ({REMOVED}) two ({REMOVED})."


@pytest.mark.parametrize("cut", ["%E7", "%FF"])
@pytest.mark.parametrize("code", ["%{:02X}", "\\x{:02x}", "={:02X}"])
@pytest.mark.parametrize(("secret", "encoding"), [("秘密のパスワード", "utf-8"), ("pässwörd-é-123", "latin-1")])
def test_bytes_of_another_text_beside_a_secret_do_not_hide_it(cut: str, code: str, secret: str, encoding: str) -> None:
    raw, other = secret.encode(encoding), bytes.fromhex(cut[1:])
    for encoded in (raw + other, other + raw, raw):
        shown = KnownSecrets((secret,)).text("".join(map(code.format, encoded)))
        assert REMOVED in shown
        assert "".join(map(code.format, raw)) not in shown


def test_an_answer_without_a_secret_is_the_same_object() -> None:
    value = {
        "a": ["plain %41 &amp; \\u0041", {"b": [1, None, True, 2.5]}],
        "c": base64.b64encode(b"nothing at all").decode(),
    }
    assert KNOWN.redact(value) is value
    assert NO_SECRETS.redact(value) is value


def test_two_encoded_secrets_that_overlap_go_as_a_whole() -> None:
    known = KnownSecrets(("first-second", "second-third"))
    assert known.text("a FIRST-SECOND-THIRD b") == f"a {REMOVED} b"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("abc", "abc", "abc"),
        ("493817", "code 493817, order 14938171", f"code {REMOVED}, order 14938171"),
        ("493817", "コード493817です", f"コード{REMOVED}です"),
        ("p@ss", "p@ss p%40ss passport", f"{REMOVED} {REMOVED} passport"),
        ("true", "construe is true", f"construe is {REMOVED}"),
        ("ab/+=1", "x ab%2F%2B%3D1", f"x {REMOVED}"),
    ],
)
def test_a_short_secret_goes_only_where_it_is_a_word_of_its_own(secret: str, text: str, shown: str) -> None:
    assert KnownSecrets((secret,)).text(text) == shown


def test_keys_lose_secrets_unless_the_schema_declares_them() -> None:
    known = KnownSecrets(("parent-1234-x",))
    assert known.redact({"parent-1234-x": "x", "id-parent-1234-x": 1}, {"parent-1234-x"}) == {
        "parent-1234-x": "x",
        f"id-{REMOVED}": 1,
    }


def test_a_value_under_a_secret_key_stays_hidden_when_the_key_changes() -> None:
    assert KnownSecrets(("my-token-1234",)).redact({"my-token-1234": "v"}) == {REMOVED: REMOVED}


def test_a_number_that_is_a_secret_goes_and_one_that_holds_it_stays() -> None:
    assert KnownSecrets(("1234567890",)).redact([1234567890, 12345678901]) == [REMOVED, 12345678901]


def test_a_long_text_with_an_encoded_secret_is_withheld() -> None:
    assert KNOWN.text("x" * LOCATED + quote(SECRET)) == REMOVED
    assert KNOWN.text("x" * LOCATED + SECRET) == "x" * LOCATED + REMOVED


def test_locating_is_bounded_for_a_whole_answer() -> None:
    one = quote(SECRET).ljust(1024, ".")
    assert KNOWN.redact([one] * (MAX_LOCATED_TOTAL // 1024 + 2))[-3:] == [
        REMOVED + one[len(quote(SECRET)) :],
        REMOVED,
        REMOVED,
    ]


@pytest.mark.parametrize("times", [1, 4])
def test_a_secret_whose_encoding_is_long_is_cut_out(times: int) -> None:
    known = KnownSecrets(("株式会社ひみつ-" * 4,))
    encoded = "".join(f"&#{ord(letter)};" for letter in quote("株式会社ひみつ-" * 4))
    assert known.text(f"a {encoded} b" * times) == f"a {REMOVED}; b" * times


def test_a_secret_within_the_word_that_replaces_it_leaves_nothing() -> None:
    assert "redacted-1" not in KnownSecrets(("redacted-1", "redacted")).text("a redacted-1 b REDACTED c")


@pytest.mark.parametrize("part", [" ", "\n", "\\", "\u200b", "\u202e\u2066", "\U000e0041", "\u3164"])
def test_a_long_secret_without_ink_is_removed_and_takes_no_time_for_each_character(part: str) -> None:
    secret = part * 20_000
    with FunctionCalls() as calls:
        known = KnownSecrets((secret,))
    assert calls.number < 1_000
    assert known.within(f"a{secret}b")
    assert known.redact({"text": f"a{secret}b", "other": f"a{part}b"}) == {"text": f"a{REMOVED}b", "other": f"a{part}b"}


@pytest.mark.parametrize("part", ["%41", "%", "&amp", "&", "\\", "\\u0041", "Vvvv", "41", "a:", "パ", "e\u0301", "0x4"])
def test_the_time_grows_with_the_text(part: str) -> None:
    def seconds(size: int, enough: float = 0.0) -> float:
        text = part * size
        return cpu_seconds(lambda: KNOWN.text(text), enough=enough)

    most = 16 * seconds(4_000) + 0.05
    assert seconds(16_000, most) < most


MIXED = "%2525%ff =3D3D=FF=FE &amp;amp;#255; \\\\u005cu00ff \\xff \u00c3\u00a9"
"""Codes of several encodings, each of which decodes to another code."""


def test_a_few_codes_of_many_encodings_do_not_multiply_the_time() -> None:
    text = f"{MIXED} {'abc def. ' * 15_000}"
    most = 150 * cpu_seconds(lambda: fold_encoded(text))
    assert cpu_seconds(lambda: KNOWN.redact({"text": text}), enough=most) < most


def test_a_text_with_too_many_encodings_is_withheld_and_others_beside_it_stay() -> None:
    page = f"{MIXED} {'abc def. ' * 15_000}"
    mail = f"<p>100%25 &amp; =C3=A9t=C3=A9 \\u3042</p> {'abc def. ' * 15_000}"
    assert KNOWN.redact([page, mail, MIXED]) == [REMOVED, mail, MIXED]


@pytest.mark.parametrize(
    "pieces",
    [
        [SECRET[:8], SECRET[8:]],
        list(SECRET),
        list(SECRET.encode()),
        [byte - 256 * (byte > 127) for byte in SECRET.encode()],
        [f"{byte:02x}" for byte in SECRET.encode()],
    ],
)
def test_a_secret_in_pieces_goes(pieces: list[Any]) -> None:
    hidden = [REMOVED] * len(pieces)
    assert KNOWN.redact({"data": pieces, "other": [1, 2, "a", "b"]}) == {"data": hidden, "other": [1, 2, "a", "b"]}
    spread = {str(place): piece for place, piece in enumerate(pieces)}
    assert KNOWN.redact([spread]) == [dict.fromkeys(spread, REMOVED)]
    others = [{"data": ["a", "b"]}] * MANY  # looked at together
    assert KNOWN.redact([*others, {"data": pieces}]) == [*others, {"data": hidden}]
    assert KNOWN.redact([*others, spread]) == [*others, dict.fromkeys(spread, REMOVED)]


def test_an_answer_without_secrets_costs_little_more_than_reading_it() -> None:
    user: Any = {
        "id": "9b2e8a52-1c6f-4f0e-8a77-0d6f3c1b2a99",
        "name": "株式会社サンプル",
        "note": "The quick brown fox. " * 3,
    }
    text = json.dumps([user] * 2_000, ensure_ascii=False)
    value = json.loads(text)
    most = 250 * cpu_seconds(lambda: json.loads(text))
    assert cpu_seconds(lambda: KNOWN.redact(value), enough=most) < most


@pytest.mark.parametrize("before", ["", "x", "xx"])
@pytest.mark.parametrize("after", ["", "y", "yy"])
def test_no_bit_of_a_secret_in_base64_is_left(before: str, after: str) -> None:
    known, encode = KnownSecrets(("APIKEY-abcdef-123456",)), base64.b64encode
    shown = known.text(f"({encode(f'{before}APIKEY-abcdef-123456{after}'.encode()).decode()})")
    other = known.text(f"({encode(f'{before}APIKEY-abcdef-123456{after}'.encode()).decode().rstrip('=')})")
    for text in (shown, other):
        kept = text.removeprefix("(").removesuffix(")").split(REMOVED)
        assert len(kept[0]) * 6 <= len(before) * 8
        assert len(kept[1].rstrip("=")) * 6 <= len(after) * 8 + 4


def test_code_points_of_eight_digits_are_decoded() -> None:
    secret = "ひみつ🔑-secret"
    escaped = "".join(f"\\U{ord(letter):08x}" for letter in secret)
    assert KnownSecrets((secret,)).redact({"error": f"value {escaped} is weak"}) == {
        "error": f"value {REMOVED} is weak"
    }


def test_each_character_that_stands_for_latin_ones_is_searched() -> None:
    spelled: dict[str, list[str]] = {}
    for each in map(chr, range(0x80, 0x20000)):
        form = fold_encoded(each)
        if form.isascii() and form.isalnum():
            spelled.setdefault(form, []).append(each)
    assert len(spelled) > 100
    for form, characters in spelled.items():
        known = KnownSecrets([form * 18])
        shown = [known.redact({"name": each * 18}) for each in characters]
        assert shown == [{"name": REMOVED}] * len(characters)


@pytest.mark.parametrize("encoded", [b"abc-DEF-123-456".hex(), base64.b64encode(b"abc-DEF-123-456").decode()])
def test_a_secret_that_fills_a_whole_run_of_code_is_found(encoded: str) -> None:
    words = "Administrator 0f8b1c9e-7f2a-4c1d-9d0e-1b2c3d4e5f60"
    assert encoded not in str(KnownSecrets(["abc-DEF-123-456"]).redact({"code": f"{words} {encoded} {words}"}))
