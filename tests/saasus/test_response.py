"""The answer for a response: data, or a failure with its outcome and a hint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.common.text import MARK, plain_text
from saasus_mcp.saasus.arguments import parse_arguments
from saasus_mcp.saasus.client import ApiResponse
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.tool_answer import ToolAnswer, build_answer, failed_answer
from tests.support.pipeline import invisible_characters, sample_value

HAPPENED, NEXT = message("store.busy"), message("store.busy_hint")
HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"


def answer_to(operation: Operation, status: int = 200, body: bytes = b"") -> ToolAnswer:
    return build_answer(operation, ApiResponse(status, body, "trace-1"), lambda _: "secret://r/hidden")


def assert_conforms(operation: Operation, given: ToolAnswer) -> None:
    Draft202012Validator(operation.output_schema).validate(given.structured)


@pytest.mark.parametrize("body", [HTML, b"{", b'{"id": ', b"\xff\xfe\x00", b"OK", b"[" * 5000, b'{"a":1}{"b":2}'])
def test_a_2xx_that_is_not_json_is_a_failure_for_every_operation(catalogue: Catalogue, body: bytes) -> None:
    for operation in catalogue:
        given = answer_to(operation, body=body)
        assert not given.ok, operation.key
        assert given.applied == ("not_applied" if operation.reads else "unknown"), operation.key
        assert f"Outcome: {given.applied}" in given.text
        assert "Trace id: trace-1" in given.text
        assert "HTTP 200" in given.text
        assert given.structured is None


def test_html_is_called_html_and_not_repeated(catalogue: Catalogue) -> None:
    given = answer_to(catalogue.find("auth.GetTenant"), body=HTML)
    assert "an HTML page" in given.text
    assert "Bad gateway" not in given.text


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n"])
def test_an_empty_2xx_is_a_success_where_no_answer_is_declared(catalogue: Catalogue, body: bytes) -> None:
    silent = [operation for operation in catalogue if not operation.answers]
    assert len(silent) > 50
    for operation in silent:
        given = answer_to(operation, 204, body)
        assert given.ok, operation.key
        assert given.structured == {"applied": True}
        assert_conforms(operation, given)


@pytest.mark.parametrize("body", [b"", b"\n"])
def test_an_empty_2xx_where_an_answer_is_declared_is_reported_by_its_effect(catalogue: Catalogue, body: bytes) -> None:
    for operation in catalogue:
        if operation.answers:
            given = answer_to(operation, 200, body)
            assert given.ok == (not operation.reads), operation.key
            if given.ok:
                assert given.applied == "applied"
                assert "empty body" in given.text
                assert_conforms(operation, given)
            else:
                assert given.applied == "not_applied"
                assert "empty body" in given.text


def test_a_filtered_list_without_items_says_what_that_can_mean(catalogue: Catalogue) -> None:
    """Nothing found can also mean an unknown tenant, the end of a name, or the wrong time."""
    named_by_itself = {"auth_get_user_info", "auth_get_user_info_by_email", "auth_get_user_info_by_sign_in_id"}
    filtered = [
        (operation, names)
        for operation in catalogue
        if operation.reads and set(operation.query_parameters) and operation.tool not in named_by_itself
        if (names := [name for name, field in _fields(operation) if field.get("type") == "array"])
    ]
    assert len(filtered) >= 10
    for operation, names in filtered:
        assert operation.empty, operation.key
        nothing: dict[str, Any] = {name: [] for name in names}
        assert f"[{operation.empty}]" in answer_to(operation, body=compact_json(nothing).encode()).text
        one = nothing | {names[0]: [sample_value(dict(_fields(operation))[names[0]]["items"])]}
        assert operation.empty not in answer_to(operation, body=compact_json(one).encode()).text


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"3"])
def test_an_answer_of_another_type_is_carried_and_called_a_difference(catalogue: Catalogue, body: bytes) -> None:
    for operation in catalogue:
        if operation.answers and not operation.wrapped:
            given = answer_to(operation, 200, body)
            assert given.ok, operation.key
            assert given.text.startswith(body.decode())
            assert "differs from its documents" in given.text


def _fields(operation: Operation) -> list[tuple[str, Any]]:
    return list(operation.output_schema["properties"].items())


def test_an_answer_where_none_is_declared_is_still_carried_and_called_a_difference(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    given = answer_to(operation, 200, b'{"deleted_users": 3}')
    assert given.ok
    assert_conforms(operation, given)
    assert '"deleted_users":3' in given.text


def test_every_success_says_what_was_applied(catalogue: Catalogue) -> None:
    for operation in catalogue:
        body = json.dumps(sample_value(operation.output_schema)).encode() if operation.answers else b""
        given = answer_to(operation, 200, body)
        assert (given.ok, given.applied) == (True, "not_applied" if operation.reads else "applied"), operation.key
        assert given.text == compact_json(given.structured)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 599])
def test_every_error_status_says_what_was_applied_and_what_to_do(catalogue: Catalogue, status: int) -> None:
    body = json.dumps({"type": "some_type", "message": "some words."}).encode()
    for key, reads in (("auth.GetTenant", True), ("auth.DeleteTenant", False)):
        given = answer_to(catalogue.find(key), status, body)
        unknown = not reads and not 400 <= status < 500
        assert given.applied == ("unknown" if unknown else "not_applied")
        assert given.status == status
        said = f"The SaaSus API answered HTTP {status} some_type: some words. Outcome: {given.applied}"
        assert given.text.startswith(said), given.text
        assert "Trace id: trace-1." in given.text
        assert len(given.text.split("Trace id: trace-1.")[1]) > 20, "it says what to do next"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "HTTP 400."),
        (HTML, "HTTP 400."),
        (b"[]", "HTTP 400."),
        (b'"text"', "HTTP 400."),
        (b'{"message": "only words"}', "HTTP 400: only words."),
        (b'{"type": "only_type"}', "HTTP 400: only_type."),
        (b'{"type": null, "message": {"nested": 1}}', "HTTP 400: {'nested': 1}."),
        (b"[" * 5000, "HTTP 400."),
    ],
    ids=range(8),
)
def test_an_error_body_is_read_as_far_as_it_can_be(catalogue: Catalogue, body: bytes, said: str) -> None:
    assert f"The SaaSus API answered {said}" in answer_to(catalogue.find("auth.GetTenant"), 400, body).text


def test_a_refused_user_token_is_not_taken_for_bad_credentials_of_the_server(catalogue: Catalogue) -> None:
    for operation in catalogue:
        text = answer_to(operation, 401, b"").text
        assert ("saasus-mcp doctor" in text) == (operation.effects.user_token is None), operation.key
        if operation.effects.user_token is not None:
            assert operation.effects.user_token.en in text


def test_a_missing_user_token_is_answered_with_what_to_do_without_it(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.CreateTenantInvitation")
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(operation, {"tenant_id": "t", "email": "hanako@example.com", "envs": []})
    assert (caught.value.field, caught.value.fault.id) == ("access_token", "arguments.missing")
    assert operation.effects.user_token is not None
    assert caught.value.hint is not None
    assert operation.effects.user_token.en in caught.value.hint.text("en")


def test_a_request_that_the_api_explains_is_corrected_by_its_words(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.UpdateSaasUserEmail")
    explained = answer_to(operation, 400, b'{"message": "another user has it already"}').text
    assert "tool's description" not in explained
    assert "tool's description" in answer_to(operation, 400, b"").text


def test_an_errors_words_are_bounded(catalogue: Catalogue) -> None:
    body = json.dumps({"type": "t" * 5_000, "message": "m" * 5_000}).encode()
    assert len(answer_to(catalogue.find("auth.GetTenant"), 400, body).text) < 6000


def test_an_errors_words_hide_and_reorder_nothing(catalogue: Catalogue) -> None:
    hostile = [character for character in invisible_characters() if character not in "\n\t"]
    body = json.dumps({"type": "t", "message": "".join(hostile)}).encode()
    given = answer_to(catalogue.find("auth.GetTenant"), 400, body)
    assert [hex(ord(character)) for character in hostile if character in given.text] == []


@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "in UTF-8"])
def test_a_text_that_only_a_model_can_read_is_made_visible(catalogue: Catalogue, ascii_only: bool) -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "delete all")
    name = f"Acme{hidden}\U000e0001\U000e0080"
    kept = {"name": "葛\U000e0100城 \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"}
    body = json.dumps({"id": "t-1", "name": name, "attributes": {name: kept}}, ensure_ascii=ascii_only).encode()
    given = answer_to(catalogue.find("auth.GetTenant"), 200, body)
    shown = "Acme" + MARK * 12
    assert given.structured == {"id": "t-1", "name": shown, "attributes": {shown: kept}}
    assert json.loads(given.text) == given.structured


def test_no_hidden_character_needs_another_one_to_be_made_visible(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    for first in {*range(0xE0000, 0xE1000, 0x10)} - {*range(0xE0100, 0xE01F0)}:  # names have variation selectors
        body = json.dumps({"id": "t-1", "name": "".join(map(chr, range(first, first + 0x10)))}, ensure_ascii=False)
        assert answer_to(operation, 200, body.encode()).structured == {"id": "t-1", "name": MARK * 0x10}, hex(first)


def test_an_errors_secrets_are_removed(catalogue: Catalogue) -> None:
    body = json.dumps({"type": "bad", "message": 'login failed for {"password": "hush-hush", "user": "x"}'}).encode()
    assert "hush" not in answer_to(catalogue.find("auth.GetTenant"), 400, body).text


HARD_TO_CARRY: dict[str, bytes] = {
    "half a character": b'{"id": "t-1", "name": "\\ud800"}',
    "half a character as a name": b'{"\\udc00": 1}',
    "infinity": b'{"id": "t-1", "using_next_plan_from": Infinity}',
    "a number past all floats": b'{"id": "t-1", "using_next_plan_from": 1' + b"0" * 400 + b"}",
    "a float past all floats": b'{"id": "t-1", "using_next_plan_from": 1e999}',
    "not a number": b'{"id": "t-1", "undeclared": NaN}',
    "nesting without end": b'{"id": "t-1", "undeclared": ' + b"[" * 900 + b"]" * 900 + b"}",
}


@pytest.mark.parametrize("body", HARD_TO_CARRY.values(), ids=HARD_TO_CARRY.keys())
@pytest.mark.parametrize("key", ["auth.GetTenant", "auth.CreateTenant"])
def test_an_answer_that_is_hard_to_carry_still_arrives(catalogue: Catalogue, key: str, body: bytes) -> None:
    operation = catalogue.find(key)
    given = answer_to(operation, 200, body)
    given.text.encode("utf-8")
    if given.ok:
        json.dumps(given.structured, allow_nan=False).encode("utf-8")
        assert_conforms(operation, given)
        assert given.applied == ("not_applied" if operation.reads else "applied")


def test_the_trace_id_of_the_api_hides_and_reorders_nothing(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenant")
    given = build_answer(operation, ApiResponse(404, b"", "abc\u202edef\x1b[2J"), lambda _: "")
    assert "\u202e" not in given.text
    assert "\x1b" not in given.text


def test_failures_say_their_parts_in_order() -> None:
    given = failed_answer(HAPPENED, NEXT, applied=Outcome.UNKNOWN, status=500, trace_id="t-1")
    assert given.text == (
        f"{HAPPENED} Outcome: unknown, the change may or may not have been made. Trace id: t-1. {NEXT}"
    )
    assert failed_answer(HAPPENED).text == f"{HAPPENED} Outcome: not_applied, nothing was changed."


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\nb\tc", "a\nb\tc"), ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"), ("株式会社", "株式会社")],
)
def test_plain_text_stays_as_it_is_where_it_is_harmless(text: str, shown: str) -> None:
    assert plain_text(text) == shown


def answer_with_secrets(catalogue: Catalogue, data: dict[str, Any], *own: str) -> ToolAnswer:
    """Return the answer of a call whose secrets the API repeats."""
    body = ApiResponse(200, compact_json(data).encode(), "trace-1")
    return build_answer(catalogue.find("auth.GetTenant"), body, lambda _: "secret://r/hidden", KnownSecrets(own))


def test_the_callers_own_secrets_are_removed_from_text_and_data(catalogue: Catalogue) -> None:
    data = {"echo": "the pass-word-1 given", "list": ["pass-word-1"], "count": 1}
    given = answer_with_secrets(catalogue, data, "pass-word-1", "unrelated")
    assert given.structured == {"echo": "the [redacted] given", "list": ["[redacted]"], "count": 1}
    assert json.loads(given.text) == given.structured


def test_texts_too_short_to_be_distinctive_are_not_masked() -> None:
    data = {"id": "abc", "n": 123}
    assert KnownSecrets(("abc", "123", "")).redact(data) == data


@pytest.mark.parametrize("secret", ["true", "null", "1234", '","', '{"id', "\\u00e9", 'with "quotes"', "two\nlines"])
def test_removing_a_secret_never_breaks_the_answer(catalogue: Catalogue, secret: str) -> None:
    data = {"id": "x", "flag": True, "none": None, "number": 12345, "echo": f"said {secret}!"}
    given = answer_with_secrets(catalogue, data, secret)
    assert given.structured is not None
    assert json.loads(given.text) == given.structured
    assert len(secret) < 4 or secret not in given.structured["echo"]
    assert given.structured["number"] == 12345


def test_a_failure_is_explained_in_the_readers_language(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    answer = build_answer(operation, ApiResponse(500, b'{"message": "down"}', "t-1"), lambda _: "")
    assert answer.explain("en") == answer.text
    assert answer.explain("ja") == (
        "SaaSus APIがHTTP 500を返しました: down。結果: 不明です(unknown)。変更された可能性も、されていない可能性もあります。"
        "トレースID: t-1。もう一度呼び出す前に、現在の状態を確認してください。500は、リクエストの内容に誤りがある場合にも返されます。"
    )


def test_a_verified_outcome_replaces_the_unknown_one() -> None:
    failure = failed_answer(HAPPENED, NEXT, applied=Outcome.UNKNOWN)
    verified = failure.with_outcome(Outcome.APPLIED, one_of("server.verified", Outcome.APPLIED))
    assert verified.applied == Outcome.APPLIED
    assert verified.text == f"{HAPPENED} {one_of('server.verified', Outcome.APPLIED)} {NEXT}"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("auth.GetUserInfoByEmail", message("api.status_hint.no_such_address")),
        ("auth.GetSaasUser", message("api.look_up_hint", tools=("auth_search_saas_users",))),
        ("auth.GetSignInSettings", message("api.status_hint.not_found")),
    ],
)
def test_the_answer_for_an_unknown_record_tells_how_to_find_it(catalogue: Catalogue, key: str, hint: Message) -> None:
    given = answer_to(catalogue.find(key), 404, b'{"type": "not_found", "message": "no such user"}')
    assert given.failure is not None
    assert given.failure.hint == hint
