"""Secrets in text without a schema: logged bodies, URLs, error messages."""

from __future__ import annotations

import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_names import SECRET_NAMES, hide_named_values, is_revealing, scrub_text
from saasus_mcp.saasus.secret_paths import REMOVED, compile_mask, hide_all_values
from tests.support.timing import cpu_seconds

HUSH = "hush-hush"

LOOSE = [
    f"password={HUSH}",
    f"password = {HUSH}",
    f"client_secret: {HUSH}",
    f"x-api-key: {HUSH}\r\nAccept: */*",
    f"https://a.example/cb?state=1&code={HUSH}&x=2",
    f"https://a.example/cb#access_token={HUSH}",
    f"/v1/auth/credentials?auth-flow=x&refresh-token={HUSH}",
    f"session={HUSH}; Path=/",
    f"'token': '{HUSH}'",
    f"Authorization: {HUSH}",
    f"Authorization: Bearer {HUSH}",
    f"authorization: SAASUSSIGV1 Sig={HUSH}, SaaSID=x, APIKey=y",
    f"authorization=Basic%20{HUSH}",
    f"Set-Cookie: id_token={HUSH}; HttpOnly",
    f"passphrase={HUSH}",
    f"passcode={HUSH}",
    f"credential={HUSH}",
    f"private_key={HUSH}",
    f"verification_code={HUSH}",
    f"https://b.s3.amazonaws.com/f?X-Amz-Credential={HUSH}&X-Amz-Date=1",
    f"https://b.s3.amazonaws.com/f?X-Amz-Signature={HUSH}",
    f"https://b.s3.amazonaws.com/f?X-Amz-Security-Token={HUSH}",
    f'password="two words {HUSH}"',
    f'{{"password":"with, comma {HUSH}","cut off',
    f'{{"password":"with \\" quote {HUSH}","cut off',
    f'"{{\\"password\\":\\"{HUSH}\\"}}"',
    f'prefix {{\\"password\\":\\"{HUSH}\\"}} suffix',
    f"PASSWORD={HUSH}",
    f"newPassword={HUSH}",
    f"<password>{HUSH}</password>",
    f"<password type='plain'>{HUSH}</password>",
    f"<password><![CDATA[{HUSH}]]></password>",
    f"{'a' * 200}token={HUSH}",
    f"password:{HUSH} is weak",
    f"password: {HUSH} is weak",
    f"x-api-key: {HUSH.replace('-', '')} and more words",
    f"token: aB{HUSH}",
    f"/go?next=https%3A%2F%2Fa.example%3Fcode%3D{HUSH}",
    f"Sig={HUSH}, SaaSID=x",
    f"パスワード: {HUSH}",
    f"新しいパスワード\uff1a{HUSH}です",
    f"APIキー = {HUSH}",
    f"認証コード\uff1a{HUSH}",
]


@pytest.mark.parametrize("text", LOOSE)
def test_a_secret_in_loose_text_is_removed(text: str) -> None:
    assert HUSH not in scrub_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing secret here",
        "https://a.example/tenants?page=2&limit=10",
        "code review at 10:30",
        '{"name":"株式会社","count":3,"ok":true,"none":null}',
        "[1,2,3]",
        "7",
        "a passing word: fine",
        "status_code: 404, error_code=E12",
        "token: The buyer's token was not found.",
        "Session: today at three",
        "code: see below",
        "password: must have eight characters",
        "Password: 8 characters or more, please",
        "token: expired",
        "api_key: The key of the caller is not known",
        "secret: I cannot tell",
        "パスワード: 8文字以上で入力してください",
        "トークン\uff1a購入者のトークンが無効です。",
        "認証コード: 必須",
        "パスワードの要件を参照してください",
    ],
)
def test_text_without_a_secret_is_not_changed(text: str) -> None:
    assert scrub_text(text) == text


@pytest.mark.parametrize("word", ["hunter", "correct", "Hunter", "required1", "Abc"])
def test_a_single_word_that_is_no_state_is_a_value(word: str) -> None:
    assert word not in scrub_text(f"password: {word}")
    assert word not in scrub_text(f"password={word} and more words")
    assert word not in scrub_text(f'{{"password": "{word} and more words", "cut off')


@pytest.mark.parametrize(
    "text", ["password = correct horse", '{"password": correct horse, x', "password=correctです。"]
)
def test_a_value_after_an_equals_sign_or_a_quoted_name_is_removed_however_ordinary_its_words_are(text: str) -> None:
    assert "correct" not in scrub_text(text)


@pytest.mark.parametrize(
    "part", ["token ", "a", "token: ", "token=\\", 'token: "', "<a ", "<token x", "トークン: ", "token: ああ"]
)
def test_the_time_grows_with_the_text(part: str) -> None:
    def seconds(size: int, enough: float = 0.0) -> float:
        text = "token " + part * (size // len(part))
        return cpu_seconds(lambda: scrub_text(text), enough=enough)

    most = 16 * seconds(20_000) + 0.05
    assert seconds(80_000, most) < most


@pytest.mark.parametrize(
    "name", ["password", "access_token", "clientSecret", "API_KEY", "session", "code", "invitation_url"]
)
def test_a_logged_body_loses_what_stands_under_a_secrets_name(name: str) -> None:
    for secret in (HUSH, {"deep": HUSH}, [HUSH, {"x": HUSH}]):
        body = json.dumps({"user": "a", "nested": [{name: secret}]}, ensure_ascii=False)
        scrubbed = scrub_text(body)
        assert HUSH not in scrubbed
        assert json.loads(scrubbed)["user"] == "a"


@pytest.mark.parametrize(
    "inner",
    [
        json.dumps({"password": HUSH}),
        f"https://a.example/?token={HUSH}",
        f"Authorization: {HUSH}",
        json.dumps(json.dumps({"password": HUSH})),
    ],
)
def test_a_secret_in_a_text_inside_a_logged_body_is_removed(inner: str) -> None:
    assert HUSH not in scrub_text(json.dumps({"body": inner}))
    assert HUSH not in scrub_text(json.dumps([{"deep": {"body": inner}}]))


@pytest.mark.parametrize(
    "text",
    ["x" * 5_000, "password" * 250, "-" * 5_000, "token=" * 2_000, "a: " * 2_000, '"' * 5_000, "secret " * 2_000],
    ids=["one word", "one word of names", "dashes", "names and signs", "colons", "quotes", "names"],
)
def test_scrubbing_takes_no_longer_than_reading(text: str) -> None:
    assert cpu_seconds(lambda: scrub_text(text), runs=1) < 1.0


def test_a_mask_is_a_tree_of_its_paths() -> None:
    assert compile_mask(("a", "b.c", "d[].e", "f{}", "g[]")) == {
        "a": {},
        "b": {"c": {}},
        "d": {"[]": {"e": {}}},
        "f": {"{}": {}},
        "g": {"[]": {}},
    }


def test_hiding_keeps_the_shape_and_what_tells_nothing() -> None:
    seen: list[str] = []

    def hide(secret: str) -> str:
        seen.append(secret)
        return REMOVED

    value = {"a": ["x", 1, 2.5, True, None, "", {"b": "y"}]}
    assert hide_all_values(value, hide) == {"a": [REMOVED, REMOVED, REMOVED, True, None, "", {"b": REMOVED}]}
    assert seen == ["x", "1", "2.5", "y"]


def test_a_value_without_a_schema_is_judged_by_its_names() -> None:
    value = {"id": "i", "password": "p", "list": [{"apiKey": ["k"], "name": "n"}], "token": {"deep": 1, "on": True}}
    assert hide_named_values(value) == {
        "id": "i",
        "password": REMOVED,
        "list": [{"apiKey": [REMOVED], "name": "n"}],
        "token": {"deep": REMOVED, "on": True},
    }


@pytest.mark.slow
def test_a_secrets_name_is_known_in_every_case_of_every_letter() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    for name in ("api_key", "session", "verifier", "passcode", "authorization"):
        for at, letter in enumerate(name):
            for other in re.findall(letter, every, re.IGNORECASE):
                written = name[:at] + other + name[at + 1 :]
                assert hide_named_values({written: HUSH}) == {written: REMOVED}
                assert HUSH not in scrub_text(json.dumps({written: HUSH}, ensure_ascii=False))


def test_of_two_secrets_of_which_one_begins_with_the_other_nothing_is_left() -> None:
    own = ("hush-hush", "hush-hush-and-more")
    assert KnownSecrets(own).redact({"message": ["not hush-hush-and-more", "nor hush-hush"]}) == {
        "message": [f"not {REMOVED}", f"nor {REMOVED}"]
    }


def test_text_beside_a_secret_that_ends_in_a_backslash_stays() -> None:
    logged = "body: " + json.dumps(json.dumps({"password": "hush\\", "note": "kept"}))
    assert scrub_text(logged) == logged.replace('\\"hush' + "\\" * 4, REMOVED)


def test_a_removed_secret_stays_removed_and_hides_nothing_after_it() -> None:
    assert scrub_text(f"APIKey={REMOVED}, token={REMOVED}") == f"APIKey={REMOVED}, token={REMOVED}"
    assert scrub_text(f"token={REMOVED}{HUSH}") == f"token={REMOVED}"


@pytest.mark.exhaustive  # to generate names of so large an expression takes two seconds; each word of it is below
@given(st.from_regex(SECRET_NAMES))
def test_whatever_the_pattern_of_secret_names_matches_is_revealing(name: str) -> None:
    assert is_revealing(name) or SECRET_NAMES.search(name.lower()) is None


@pytest.mark.parametrize(
    "name",
    [
        "passwd",
        "passcode",
        "passphrase",
        "secret",
        "token",
        "api-key",
        "credential",
        "authorization",
        "signature",
        "private_key",
        "verifier",
        "session",
        "invitation_url",
        "challenge_responses",
        "mfa-code",
        "code",
        "sig",
        "パスワード",
        "パスフレーズ",
        "パスコード",
        "暗証番号",
        "トークン",
        "シークレット",
        "秘密鍵",
        "アクセスキー",
        "認証コード",
    ],
)
def test_each_word_for_a_secret_is_revealing_in_any_case(name: str) -> None:
    assert is_revealing(name)
    assert is_revealing(name.upper())
    assert scrub_text(f"{name}={HUSH}") != f"{name}={HUSH}"
