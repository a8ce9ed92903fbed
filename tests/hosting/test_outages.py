"""Outages are reported as outages: on every page that takes a token, and by a server that starts during one."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import Authenticator, AuthenticatorChain, AuthUnavailable, Caller
from saasus_mcp.hosting.auth.jwks import RETRY_SECONDS, JwksCache
from saasus_mcp.hosting.http import health
from saasus_mcp.hosting.limits import file_descriptors
from tests.support.commands import CommandResult, spawn_command
from tests.support.hosting_server import (
    INITIALIZE,
    OWNER_ROLE,
    PUBLIC,
    StaticAuthenticator,
    build_caller,
    build_server,
    error_message,
)
from tests.support.jwt_issuer import JwtIssuer, rsa_key
from tests.support.processes import TIMEOUT

PATHS = ("/mcp", "/mcp/default", "/sse", "/messages/default/", "/metrics")
POLICY = "version: 1\ntwo_person: true\nrules:\n  - {name: all, tools: ['*'], then: approve}\n"
COMPANY = """version = 1
[auth.jwt]
issuer = "https://login.example.com"
jwks_url = "https://login.example.com/keys"
[console.oidc]
issuer = "https://login.example.com/"
client_id = "console"
approver_group = "approvers"
"""


class CannotTell:
    """An authenticator that is cut off from what it asks."""

    async def authenticate(self, token: str) -> Caller | None:
        raise AuthUnavailable(message("hosting.accounts_unavailable"), message("hosting.keep_token"))


@pytest.mark.parametrize("path", PATHS)
async def test_a_token_that_cannot_be_checked_is_never_called_invalid(catalogue: Catalogue, path: str) -> None:
    async with build_server(catalogue, known=CannotTell()).client() as client:
        asked = client.get(path) if path in ("/sse", "/metrics") else client.post(path, json=INITIALIZE)
        answer = await asked
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "www-authenticate" not in answer.headers
    assert error_message(answer).startswith("The token cannot be checked: ")


@pytest.mark.parametrize(
    "links", [(CannotTell(), StaticAuthenticator()), (StaticAuthenticator(), CannotTell())], ids=["first", "last"]
)
async def test_a_known_caller_is_admitted_while_another_identity_source_is_down(
    links: tuple[Authenticator, ...],
) -> None:
    chain = AuthenticatorChain(*links)
    assert await chain.authenticate("alice-token") == build_caller("alice", "support")
    with pytest.raises(AuthUnavailable):
        await chain.authenticate("bob-token")


async def test_without_tokens_nothing_is_unavailable(catalogue: Catalogue) -> None:
    async with build_server(catalogue, known=OWNER_ROLE).client(None) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200
        assert set((await client.get("/readyz")).json()) == {"status", "store", "policy", "upstream", "capacity"}


async def test_a_failed_look_for_keys_is_not_held_against_a_provider_that_is_back() -> None:
    provider = JwtIssuer(down=True)
    callers = provider.callers()
    for _ in range(3):
        with pytest.raises(AuthUnavailable):
            await callers.authenticate(provider.token())
    assert not await callers.health_checks["keys"]()
    assert provider.asked == 1, "the provider is not pressed meanwhile"
    provider.down = False
    provider.clock.now += RETRY_SECONDS
    assert await callers.health_checks["keys"]()
    assert await callers.authenticate(provider.token()) is not None
    assert await callers.authenticate(provider.token("made-up", key=rsa_key(1))) is None
    assert provider.asked == 2


async def test_stores_that_hang_take_readiness_no_longer_than_one_and_hold_no_thread_of_others(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 1.5)
    made = build_server(catalogue, {f"profile-{number}": "*" for number in range(60)})
    goes_on, hanging = threading.Event(), 0

    def hang() -> None:
        nonlocal hanging
        hanging += 1
        goes_on.wait()

    for one in made.served.values():
        monkeypatch.setattr(one.pipeline.store, "check_writable", hang)
    try:
        async with made.client() as client:
            answer = await client.get("/readyz")
            with anyio.fail_after(TIMEOUT):
                await anyio.to_thread.run_sync(int)
    finally:
        goes_on.set()
    assert (answer.status_code, answer.json()["store"]) == (503, "failed")
    assert hanging == len(made.served), "all were asked at once"


async def test_keys_that_arrive_after_readiness_gave_up_are_kept() -> None:
    provider, asked, arrived = JwtIssuer(), anyio.Event(), anyio.Event()
    inner = provider.transport()

    class Late(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            asked.set()
            await arrived.wait()
            return await inner.handle_async_request(request)

    keys = JwksCache("https://login.example.com/keys", ["RS256"], Late(), provider.clock)
    async with anyio.create_task_group() as readiness:
        readiness.start_soon(keys.has_usable_keys)
        await asked.wait()
        readiness.cancel_scope.cancel()
        arrived.set()
    assert await keys.has_usable_keys()
    assert provider.asked == 1


@pytest.fixture
def taken() -> Iterator[str]:
    """Yield a port on which a server cannot listen."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


def serve(port: str, *more: str) -> tuple[str, ...]:
    return ("serve", "--sandbox", "--transport", "http", "--port", port, *more)


@pytest.mark.parametrize("read_only", ["false", "true"], ids=["a policy", "a policy under the ceiling"])
def test_a_server_under_which_one_person_is_two_does_not_start(tmp_path: Path, taken: str, read_only: str) -> None:
    (tmp_path / "config.toml").write_text(COMPANY, encoding="utf-8")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    command = serve(taken, "--public-url", PUBLIC, "--policy", str(policy))
    ran = spawn_command(*command, SAASUS_MCP_READ_ONLY=read_only)
    assert ran.status == 1
    assert "[auth.jwt] issuer" in ran.err
    assert "[console.oidc] issuer" in ran.err
    policy.write_text(POLICY.replace("true", "false"), encoding="utf-8")
    assert "Cannot listen" in spawn_command(*command, SAASUS_MCP_READ_ONLY=read_only).err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("limit", "warned"),
    [
        pytest.param("-S -n 256", False, id="soft", marks=pytest.mark.exhaustive),
        pytest.param("-n 512", True, id="hard"),
    ],
)
def test_a_server_starts_with_the_open_files_that_it_may_have(
    tmp_path: Path, taken: str, limit: str, *, warned: bool
) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    command = shlex.join([sys.executable, "-m", "saasus_mcp", *serve(taken)])
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit {limit}; exec {command}"],
        capture_output=True, text=True, env=os.environ, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    ran = CommandResult(done.returncode, done.stdout, done.stderr)
    assert "Cannot listen" in ran.err
    assert ("LimitNOFILE=" in ran.err) == warned, ran.err


@pytest.mark.parametrize("profiles", [1, 3])
@pytest.mark.parametrize("shared", [False, True])
def test_every_connection_and_every_profile_takes_open_files(profiles: int, *, shared: bool) -> None:
    others, more = (file_descriptors.other_files(each, shared=shared) for each in (profiles, profiles + 1))
    need = file_descriptors.files_needed(100, others)
    assert file_descriptors.files_needed(200, others) >= need + 100
    assert file_descriptors.files_needed(100, more) >= need + file_descriptors.API_CONNECTIONS
