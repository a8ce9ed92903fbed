"""Several servers with one store: a decision at one server holds at all of them, and an approval is used once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client as McpClient
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.file import preset_path
from tests.support.commands import CommandResult, spawn_command
from tests.support.databases import POSTGRESQL
from tests.support.gate import question_name, question_params, reply_text, type_name
from tests.support.hosting_server import connect_client
from tests.support.replicas import (
    APPROVE_COMMAND,
    KEYS,
    Replicas,
    approve_call,
    call_allowed,
    call_raw,
    create_tenant,
    start_replica,
    start_replicas,
)

TURNS = 4
CEILING = 7
Pair = tuple[Replicas, list[McpClient]]


@pytest.fixture
async def pair(catalogue: Catalogue, where: Path | str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two servers, and a client at each."""
    async with start_replicas(catalogue, where, tmp_path) as two, clients(*(each.url for each in two.replicas)) as each:
        yield two, each


@asynccontextmanager
async def clients(*urls: str) -> AsyncIterator[list[McpClient]]:
    async with AsyncExitStack() as until:
        yield [await until.enter_async_context(connect_client(url, "2026-07-28", None, _nobody)) for url in urls]


def _nobody(_: types.ElicitRequestFormParams) -> types.ElicitResult:
    """Declare that the client can ask; each test answers by itself."""
    raise AssertionError("nobody is asked")


async def at_once(each: list[McpClient], tool: str, arguments: dict[str, Any], **round_: Any) -> list[Any]:
    """Return the answers to one call that every client makes twice at the same time."""
    answers: list[Any] = []

    async def call(client: McpClient) -> None:
        answers.append(await call_raw(client, tool, arguments, **round_))

    async with anyio.create_task_group() as together:
        for client in (*each, *each):
            together.start_soon(call, client)
    return answers


def terminal(of: Replicas, *args: str) -> CommandResult:
    """Run a command on the operator's machine."""
    return spawn_command(*args, **of.env)


async def test_an_approved_call_that_every_server_is_asked_for_at_once_goes_once(pair: Pair, where: Path | str) -> None:
    two, each = pair
    for turn in range(TURNS):
        name = f"tenant {turn}"
        wanted = {"tenant_id": await create_tenant(each[0], name)}
        asked = await at_once(each, "auth_delete_tenant", wanted)
        [code] = {code for answer in asked for code in APPROVE_COMMAND.findall(reply_text(answer))}
        approve_call(where, code, name)
        answers = await at_once(each, "auth_delete_tenant", wanted)
        assert sorted(answer.is_error for answer in answers) == [False, True, True, True]
        assert two.sandbox.count_writes(f"DELETE /v1/auth/tenants/{wanted['tenant_id']} ") == 1
    verified = terminal(two, "audit", "verify")
    assert (verified.status, "No tampering found" in verified.out) == (0, True), verified


async def test_a_question_of_one_server_is_answered_at_any_and_the_answer_is_used_once(pair: Pair) -> None:
    two, each = pair
    for turn in range(TURNS):
        # Made once more, it would be there twice: no server can tell that nothing would change.
        rate = {
            "name": f"rate_{turn}",
            "display_name": f"Rate {turn}",
            "percentage": 8,
            "inclusive": False,
            "country": "JP",
            "description": "",
        }
        asked = await call_raw(each[turn % 2], "pricing_create_tax_rate", rate)
        assert isinstance(asked, types.InputRequiredResult), reply_text(asked)
        yes = types.ElicitResult(action="accept", content={"confirm": True})
        if name := question_name(question_params(asked)):
            yes = type_name(name)
        answered = {"input_responses": {"confirm": yes}, "request_state": asked.request_state}
        answers = await at_once(each, "pricing_create_tax_rate", rate, **answered)
        assert sorted(answer.is_error for answer in answers) == [False, True, True, True], [*map(reply_text, answers)]
        assert two.sandbox.count_writes(f"rate_{turn}") == 1


async def test_a_freeze_in_a_terminal_holds_every_server(pair: Pair) -> None:
    two, each = pair
    assert terminal(two, "freeze", "--reason", "an incident").status == 0
    for number, client in enumerate(each):
        given = await call_raw(client, "auth_create_role", {"role_name": f"role_{number}", "display_name": "x"})
        assert given.is_error
        assert "an incident" in reply_text(given)
        await call_allowed(client, "auth_get_roles")
    assert two.sandbox.count_writes("role_") == 0


async def test_a_ceiling_is_one_over_all_servers(catalogue: Catalogue, where: Path | str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    text_ = preset_path("guarded").read_text(encoding="utf-8")
    policy.write_text(f"{text_}\nceilings: {{writes_per_minute: {CEILING}}}\n", encoding="utf-8")
    async with (
        start_replicas(catalogue, where, tmp_path, SAASUS_MCP_POLICY=str(policy)) as two,
        clients(*(each.url for each in two.replicas)) as each,
    ):
        results: list[bool] = []

        async def write(number: int) -> None:
            wanted = {"role_name": f"role_{number}", "display_name": "x"}
            results.append((await call_raw(each[number % 2], "auth_create_role", wanted)).is_error)

        async with anyio.create_task_group() as together:
            for number in range(3 * CEILING):
                together.start_soon(write, number)
        assert results.count(False) == two.sandbox.count_writes("role_") == CEILING


async def test_a_secret_and_a_large_answer_of_one_server_are_there_at_the_other(pair: Pair) -> None:
    two, (here, there) = pair
    made = await call_allowed(here, "auth_create_saas_user", sign_in_id="first")
    assert made["password"].startswith("secret://r/")
    await call_allowed(there, "auth_create_saas_user", sign_in_id="second", password=made["password"])
    assert two.sandbox.count_writes('"password":') == 1
    assert two.sandbox.count_writes("secret://") == 0, "it is the secret that goes over the wire"

    for number in range(60):
        await call_allowed(here, "auth_create_role", role_name=f"role_{number}", display_name="x" * 500)
    cut = reply_text(await call_raw(here, "auth_get_roles", {}))
    [kept] = re.findall(r"saasus://results/([0-9a-f]+)", cut)
    whole = await call_allowed(there, "select_from_result", id=kept, expression="length(roles)")
    assert whole["result"] > 60


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
async def test_a_question_outlives_a_change_of_the_key(pair: Pair, tmp_path: Path) -> None:
    two, (before, _) = pair
    wanted = {"tenant_id": await create_tenant(before, "tenant"), "name": "renamed", "attributes": {}}
    wanted["back_office_staff_email"] = "b@example.jp"
    asked = await call_raw(before, "auth_update_tenant", wanted)
    yes = types.ElicitResult(action="accept", content={"confirm": True})
    answered = {"input_responses": {"confirm": yes}, "request_state": asked.request_state}
    env = two.env | {"SAASUS_MCP_SEALING_KEYS": f"{KEYS[1]},{KEYS[0]}", "SAASUS_MCP_STATE_DIR": str(tmp_path / "own")}
    with start_replica(env, tmp_path / "rotated.log") as another:
        await another.wait_until_ready()
        async with clients(another.url) as [after]:
            given = await call_raw(after, "auth_update_tenant", wanted, **answered)
            assert not given.is_error, reply_text(given)
    rotated = {"SAASUS_MCP_SEALING_KEYS": f"{KEYS[1]},{KEYS[0]},{KEYS[2]}"}
    assert spawn_command("audit", "verify", **(two.env | rotated)).status == 0
    verified = terminal(two, "audit", "verify")
    assert verified.status == 1, "chains under keys that it is not given do not hold"
    assert "cannot be verified without that key" in verified.out


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
async def test_a_server_with_a_key_of_its_own_does_not_start_and_leaves_the_audit_whole(pair: Pair) -> None:
    two, (before, _) = pair
    await call_allowed(before, "auth_create_role", role_name="r", display_name="R")
    for saas_id in (two.env["SAASUS_SAAS_ID"], "one-more"):
        other = two.env | {"SAASUS_MCP_SEALING_KEYS": KEYS[2], "SAASUS_SAAS_ID": saas_id}
        refused = spawn_command("serve", "--transport", "http", "--port", "0", **other)
        assert refused.status == 1
        assert "The sealing key does not belong to the store" in refused.err
        assert "SAASUS_MCP_SEALING_KEYS_FILE" in refused.err
    assert terminal(two, "audit", "verify").status == 0
    verified = spawn_command("audit", "verify", **(two.env | {"SAASUS_MCP_SEALING_KEYS": KEYS[2]}))
    assert verified.status == 1
    assert "The sealing key in use is not a key of the store" in verified.out
    assert "altered" not in verified.out
