"""A secret planted in every secret field never reaches the model, a log or a file."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX, SECRET_LIFETIME, SecretCollector, SecretVault
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.gate import Clock, Person
from tests.support.pipeline import (
    CREDENTIALS,
    ERAS,
    PRINCIPAL,
    Era,
    Responder,
    StubApi,
    accept_question,
    build_pipeline,
    connect_client,
)
from tests.support.planted_secrets import PlantedSecrets, plant_secrets
from tests.support.saas_store import open_saas_store
from tests.support.variants import sample_operations

HANDLE = "secret://r/"


@pytest.fixture(scope="module")
def planted_calls(catalogue: Catalogue) -> list[PlantedSecrets]:
    """Return operations with secrets, and others that answer, because answers drift."""
    with_secrets = [each for each in catalogue if each.secret_inputs or each.secret_outputs]
    others = [each for each in catalogue if each not in with_secrets]
    chosen = {*sample_operations(with_secrets, "secrets"), *sample_operations(others, "no secrets")}
    return [plant_secrets(operation) for operation in catalogue if operation in chosen]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Store]:
    store = open_saas_store(tmp_path / "state", CREDENTIALS.saas_id)
    yield store
    store.close()


@pytest.fixture
def loud_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Set every logger to its lowest level."""
    caplog.set_level(logging.DEBUG)
    return caplog


@asynccontextmanager
async def talking(
    catalogue: Catalogue,
    disk: Store,
    era: Era,
    policy: Policy = UnsafeAllowAllPolicy(),
    answering: Responder | None = None,
) -> AsyncIterator[tuple[StubApi, Any, SecretVault]]:
    api, sealer, clock = StubApi(catalogue), Encryptor.ephemeral(), Clock()
    async with connect_client(build_pipeline(api, disk, policy, sealer=sealer, clock=clock), era, answering) as client:
        yield api, client, SecretVault(disk, sealer, clock)


def seen_in(markers: list[str], *texts: str) -> list[str]:
    """Return the markers that a text contains."""
    return [marker for marker in markers if any(marker in text for text in texts)]


def on_disk(folder: Path) -> str:
    """Return all bytes of all files in a folder, as text."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".sqlite3" for file in files)
    return "\n".join(file.read_bytes().decode("latin-1") for file in files)


def sent_text(request: httpx2.Request) -> str:
    return unquote(str(request.url)) + request.content.decode()


def all_markers(planted_calls: list[PlantedSecrets]) -> list[str]:
    return [marker for made in planted_calls for marker in made.markers]


def test_secrets_are_planted_in_many_operations(catalogue: Catalogue) -> None:
    every = [plant_secrets(operation) for operation in catalogue]
    assert len(all_markers(every)) > 400
    assert len([made for made in every if made.given]) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_no_secret_of_any_answer_or_argument_is_seen_anywhere(
    catalogue: Catalogue,
    planted_calls: list[PlantedSecrets],
    disk: Store,
    tmp_path: Path,
    era: Era,
    loud_logs: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    failures: dict[str, list[str]] = {}
    if era == "legacy":
        planted_calls = [
            made for made in planted_calls if made.given or made.answered or made.operation.scrubbed_outputs
        ]
    async with talking(catalogue, disk, era) as (api, client, _):
        for made in planted_calls:
            api.answers = {made.operation.key: made.answer if made.operation.answers else None}
            api.sent.clear()
            result = await client.call_tool(made.operation.tool, made.arguments)
            assert not result.is_error, made.operation.key
            leaked = seen_in(made.markers, result.model_dump_json(by_alias=True))
            unsent = [marker for marker in made.given if marker not in sent_text(api.to(made.operation)[0])]
            if leaked or unsent:
                failures[made.operation.key] = leaked + unsent
    assert failures == {}
    assert seen_in(all_markers(planted_calls), loud_logs.text, *capfd.readouterr(), on_disk(tmp_path)) == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_that_repeats_the_callers_secret_is_cleaned_of_it(
    catalogue: Catalogue, planted_calls: list[PlantedSecrets], disk: Store, tmp_path: Path, era: Era, status: int
) -> None:
    failures: dict[str, list[str]] = {}
    given = [made for made in planted_calls if made.given]
    async with talking(catalogue, disk, era) as (api, client, _):
        for made in given:
            said = {"type": "bad", "message": "not accepted: " + ", ".join(f"'{marker}'" for marker in made.given)}
            api.answers = {made.operation.key: httpx2.Response(status, json=said)}
            result = await client.call_tool(made.operation.tool, made.arguments)
            assert result.is_error
            leaked = seen_in(made.markers, result.model_dump_json(by_alias=True))
            if leaked:
                failures[made.operation.key] = leaked
    assert failures == {}
    assert seen_in(all_markers(given), on_disk(tmp_path)) == []


@pytest.mark.parametrize(
    "secret", ['quo"ted-secret', "back\\slash-secret", "line\nbreak-secret", "株式会社-secret", "123456"]
)
async def test_a_secret_is_cleaned_from_an_answer_that_repeats_it_however_it_is_written(
    catalogue: Catalogue, disk: Store, secret: str
) -> None:
    async with talking(catalogue, disk, "2026-07-28") as (api, client, _):
        key, arguments = "auth.CreateSaasUser", {"email": "a@example.com", "password": secret}
        for answer in (
            {"id": "u-1", "email": "a@example.com", "note": f"made with {secret}"},
            httpx2.Response(400, json={"type": "weak", "message": f"{secret} is too weak"}),
            httpx2.Response(200, text=f"<html>{secret}</html>"),
        ):
            api.answers = {key: answer}
            result = await client.call_tool("auth_create_saas_user", arguments)
            assert secret not in (result.structured_content or {}).get("note", "")
            assert secret not in "".join(block.text for block in result.content)
            assert secret.encode("unicode_escape").decode() not in result.model_dump_json()


@pytest.mark.parametrize("secret", ["true", "null", "1767", '":"', '{"id"', "u-1234"])
async def test_a_secret_that_looks_like_part_of_the_answer_does_not_break_it(
    catalogue: Catalogue, disk: Store, secret: str
) -> None:
    async with talking(catalogue, disk, "2026-07-28") as (api, client, _):
        api.answers = {"auth.CreateSaasUser": {"id": "u-1234", "registered_at": 1767225600, "mfa": True, "x": None}}
        arguments = {"email": "a@example.com", "password": secret}
        result = await client.call_tool("auth_create_saas_user", arguments)
        assert not result.is_error, result.content
        assert result.meta["saasus.io/applied"] == "applied"


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("asks", [True, False])
async def test_no_secret_is_in_a_question_a_preview_or_an_approval(
    catalogue: Catalogue, planted_calls: list[PlantedSecrets], disk: Store, tmp_path: Path, era: Era, asks: bool
) -> None:
    graver = [made for made in planted_calls if made.given and not made.operation.reads]
    person = Person(lambda _: types.ElicitResult(action="decline"))
    words: list[str] = []
    async with talking(catalogue, disk, era, PRESETS["strict"], person if asks else None) as (api, client, _):
        for made in graver:
            for approval in disk.list_approvals(0):
                disk.void_approval(approval.code)
            result = await client.call_tool(made.operation.tool, made.arguments)
            assert result.is_error, made.operation.key
            words += [result.model_dump_json(by_alias=True), *(approval.preview for approval in disk.list_approvals(0))]
            words += [params.model_dump_json() for params in person.seen]
        assert api.writes == []
    assert seen_in(all_markers(graver), *words, on_disk(tmp_path)) == []
    assert any("[secret]" in text for text in words), "the previews show that there is a secret"


@pytest.mark.parametrize("era", ERAS)
async def test_each_handle_reveals_its_secret_once_and_never_through_mcp(
    catalogue: Catalogue, planted_calls: list[PlantedSecrets], disk: Store, era: Era
) -> None:
    async with talking(catalogue, disk, era) as (api, client, handles):
        for made in [made for made in planted_calls if made.answered]:
            api.answers = {made.operation.key: made.answer}
            result = await client.call_tool(made.operation.tool, made.arguments)
            shown = _handles(result.structured_content)
            assert {handles.reveal(handle, by="local:me", via="terminal") for handle in shown} == set(made.answered), (
                made.operation.key
            )
            for handle in shown:
                with pytest.raises(CallRefused):
                    handles.reveal(handle, by="local:me", via="terminal")


async def test_a_read_for_a_preview_leaves_no_secret_behind_that_anybody_could_reveal(
    catalogue: Catalogue, disk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []
    monkeypatch.setattr(disk, "add_secrets", lambda *given: kept.append(given))
    answering = Person(accept_question)
    async with talking(catalogue, disk, "2026-07-28", PRESETS["guarded"], answering) as (api, client, _):
        operation = catalogue.find("auth.UpdateSignInSettings")
        result = await client.call_tool(operation.tool, complete_arguments(operation))
        assert not result.is_error, result.content
        assert api.to(catalogue.find("auth.GetSignInSettings")), "it answers with a secret"
    assert len(answering.seen) == 1
    assert kept == []


def _handles(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [found for item in (value.values() if isinstance(value, dict) else value) for found in _handles(item)]
    return [value] if isinstance(value, str) and value.startswith(HANDLE) else []


@pytest.mark.slow
async def test_a_handle_stands_for_its_secret_on_the_wire_and_nowhere_else(
    catalogue: Catalogue,
    planted_calls: list[PlantedSecrets],
    disk: Store,
    tmp_path: Path,
    loud_logs: pytest.LogCaptureFixture,
) -> None:
    sealer, clock, api = Encryptor.ephemeral(), Clock(), StubApi(catalogue)
    handles = SecretVault(disk, sealer, clock)
    behind = build_pipeline(api, disk, UnsafeAllowAllPolicy(), sealer=sealer, clock=clock)
    async with connect_client(behind, "2026-07-28", accept_question) as client:
        for made in [made for made in planted_calls if made.given]:
            api.sent.clear()
            hidden = {marker: kept(handles, marker) for marker in made.given}
            result = await client.call_tool(made.operation.tool, _replaced(made.arguments, hidden))
            assert not result.is_error, (made.operation.key, result.content)
            sent = sent_text(api.to(made.operation)[0])
            assert all(marker in sent for marker in made.given), made.operation.key
            assert HANDLE not in sent
            assert seen_in(made.given, result.model_dump_json()) == []
    assert seen_in(all_markers(planted_calls), loud_logs.text, on_disk(tmp_path)) == []


def kept(handles: SecretVault, secret: str, principal: str = PRINCIPAL.id, profile: str = "default") -> str:
    """Return a handle for a secret, as an answer would contain it."""
    hiding = SecretCollector()
    handle = hiding.add(secret)
    handles.store_secrets(hiding, principal, profile)
    assert handle.startswith(HANDLE_PREFIX)
    return handle


def _replaced(value: Any, hidden: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, hidden) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, hidden) for item in value]
    return hidden.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("who", "profile"),
    [("local:mallory", "default"), (PRINCIPAL.id, "production")],
    ids=["another principal", "another profile"],
)
async def test_a_handle_is_worth_nothing_to(catalogue: Catalogue, store: Store, who: str, profile: str) -> None:
    sealer, clock, api = Encryptor.ephemeral(), Clock(), StubApi(catalogue)
    handle = kept(SecretVault(store, sealer, clock), "hush-hush", who, profile)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), sealer=sealer, clock=clock)
    async with connect_client(behind, "2026-07-28") as client:
        result = await client.call_tool("auth_create_saas_user", {"email": "a@example.com", "password": handle})
    assert result.is_error
    assert "unknown, already used or expired" in result.model_dump_json()
    assert api.sent == []


@pytest.mark.parametrize("state", ["expired", "revealed", "never made", "under another key", "only named"])
async def test_an_expired_handle_sends_nothing(catalogue: Catalogue, store: Store, state: str) -> None:
    sealer, clock, api = Encryptor.ephemeral(), Clock(), StubApi(catalogue)
    handles = SecretVault(store, sealer, clock)
    handle = kept(handles, "hush-hush")
    match state:
        case "expired":
            clock.now += SECRET_LIFETIME
        case "revealed":
            assert handles.reveal(handle, by="local:me", via="terminal") == "hush-hush"
        case "never made":
            handle = HANDLE + "0" * 24
        case "under another key":
            sealer = Encryptor.ephemeral()
        case _:
            handle = "secret://production-password"
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), sealer=sealer, clock=clock)
    async with connect_client(behind, "2026-07-28") as client:
        result = await client.call_tool("auth_create_saas_user", {"email": "a@example.com", "password": handle})
    assert result.is_error
    assert "not_applied" in result.model_dump_json()
    assert api.sent == []


async def test_a_secret_that_would_leave_its_path_segment_is_refused_once_it_is_known(
    catalogue: Catalogue, store: Store
) -> None:
    sealer, clock, api = Encryptor.ephemeral(), Clock(), StubApi(catalogue)
    handles = SecretVault(store, sealer, clock)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), sealer=sealer, clock=clock)
    async with connect_client(behind, "2026-07-28") as client:
        for secret in ("..", "../../plans/reset", "a\r\nb", ""):
            result = await client.call_tool("apigateway_get_api_key", {"api_key": kept(handles, secret)})
            assert result.is_error
    assert api.sent == []


async def test_a_handle_is_refused_in_every_field_that_is_no_secret(catalogue: Catalogue) -> None:
    accepted: list[tuple[str, str]] = []
    tried = 0
    for operation in catalogue:
        arguments = complete_arguments(operation)
        for name, value in arguments.items():
            if isinstance(value, str) and name not in operation.secret_inputs:
                tried += 1
                try:
                    check_arguments(operation, {**arguments, name: HANDLE + "0" * 24})
                except InvalidArguments as refusal:
                    assert refusal.field == name
                else:
                    accepted.append((operation.key, name))
    assert accepted == []
    assert tried > 200


@pytest.mark.parametrize("era", ERAS)
async def test_a_secret_that_is_also_a_word_of_the_documents_leaves_an_answer_true_to_them(
    catalogue: Catalogue, store: Store, era: Era
) -> None:
    api = StubApi(catalogue, answers={"auth.RespondToSignInChallenge": {"challenge_name": "SOFTWARE_TOKEN_MFA"}})
    arguments = {
        **complete_arguments(catalogue.find("auth.RespondToSignInChallenge")),
        "challenge_responses": {"ANSWER": "SOFTWARE_TOKEN_MFA"},
    }
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy()), era) as client:
        result = await client.call_tool("auth_respond_to_sign_in_challenge", arguments)
    assert not result.is_error
    assert len(api.writes) == 1


async def test_a_weak_secret_of_the_caller_takes_no_handle_and_no_field_with_it(
    catalogue: Catalogue, store: Store
) -> None:
    for weak in ("secret", "email"):
        api = StubApi(catalogue, answers={"auth.CreateSaasUser": {"id": "u-1", "email": "e", "password": "given-once"}})
        async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy()), "2026-07-28") as client:
            result = await client.call_tool("auth_create_saas_user", {"sign_in_id": "a", "password": weak})
        assert set(result.structured_content or {}) == {"id", "email", "password"}
        assert len(_handles(result.structured_content)) == 1, weak


async def test_a_trace_id_of_the_api_that_repeats_a_secret_is_replaced(catalogue: Catalogue, store: Store) -> None:
    secret = "Correct-Horse-77"
    headers = {"X-Saasus-Trace-Id": f"t-{secret}"}
    api = StubApi(catalogue, answers={"auth.CreateSaasUser": httpx2.Response(400, headers=headers, json={})})
    call = Call("auth_create_saas_user", {"email": "a@example.com", "password": secret}, PRINCIPAL)
    answer = await build_pipeline(api, store).run(call)
    assert isinstance(answer, ToolAnswer)
    assert secret not in answer.text
    records = store.audit_log.list_records()
    assert secret not in str(records)
    assert answer.trace_id == records[-1]["call"], "the call's own id"
