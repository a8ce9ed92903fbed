"""Attacks on readiness, on the limit of open files, and by one person who looks like two."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from saasus_mcp.hosting.auth.token_auth import TokenAuthenticator
from saasus_mcp.hosting.console import caller_identity
from saasus_mcp.hosting.limits import file_descriptors
from saasus_mcp.permissions.policy.file import ReloadablePolicy
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.settings.hosting import (
    AuthTable,
    ConsoleTable,
    HttpSettings,
    HttpTable,
    JwtTable,
    OidcTable,
    resolve_http_settings,
)
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.errors import StoreError
from tests.hardening.outages import AREA, build_app, send_requests
from tests.support.attack_corpus import AttackContext, attack
from tests.support.hosting_server import PUBLIC, build_server
from tests.support.jwt_issuer import ISSUER, JwtIssuer
from tests.support.outages import database_behind, empty_database, fill_database, open_accounts
from tests.support.pipeline import PRINCIPAL

TWO_PEOPLE = "version: 1\ntwo_person: true\nrules:\n  - name: all\n    tools: ['*']\n    then: approve\n"
ONE_PERSON = TWO_PEOPLE.replace("true", "false")


# -- readiness -------------------------------------------------------------------------------------------------------


@attack(AREA, "The disk of a store is full")
async def full_disk(ground: AttackContext) -> str:
    made = build_server(ground.catalogue, metrics=True)
    pipeline = made.served["default"].pipeline
    pipeline.store.check_writable()  # what a first look leaves behind is not taken for room
    fill_database(pipeline.store)
    async with made.client() as probe:
        ready = await probe.get("/readyz")
        assert (ready.status_code, ready.json()["store"]) == (503, "failed")
        assert 'saasus_mcp_store_up{profile="default"} 0' in (await probe.get("/metrics")).text
    read = await pipeline.run(Call("auth_get_tenants", {}, PRINCIPAL))
    assert isinstance(read, ToolAnswer)
    assert read.ok
    empty_database(pipeline.store)
    pipeline.store.check_writable()
    return "not ready, store down in the metrics; reads go on"


@attack(AREA, "The disk of the tokens is full, that of the stores is not")
async def full_disk_of_tokens(ground: AttackContext) -> str:
    with open_accounts(ground.folder) as (kept, token):
        made = build_app(ground, TokenAuthenticator(kept))
        [ready] = await send_requests(made, token, path="/readyz")
        assert ready.json()["accounts"] == "ok"
        fill_database(kept)
        [ready] = await send_requests(made, token, path="/readyz")
    assert (ready.status_code, ready.json()["accounts"], ready.json()["store"]) == (503, "failed", "ok")
    return "not ready, and the check is named"


@attack(AREA, "The identity provider is down while a load balancer asks a new server two hundred times")
async def not_ready_without_keys(ground: AttackContext) -> str:
    provider = JwtIssuer(down=True)
    made = build_app(ground, provider.callers())()
    async with made.client(None) as probe:
        for _ in range(200):
            ready = await probe.get("/readyz")
            assert (ready.status_code, ready.json()["keys"]) == (503, "failed")
    assert provider.asked == 1
    return "not ready, one request to the provider"


@attack(AREA, "A backup without the table of the heartbeat is restored under a running server")
async def restored(ground: AttackContext) -> str:
    store = build_server(ground.catalogue).served["default"].pipeline.store
    store.check_writable()
    with database_behind(store).transaction() as connection:
        connection.exec_driver_sql("DROP TABLE heartbeats")
    with pytest.raises(StoreError):
        store.check_writable()
    store.check_writable()
    return "ready again at the second look"


# -- open files ------------------------------------------------------------------------------------------------------


@contextmanager
def limits(ground: AttackContext, soft: int, hard: int) -> Iterator[list[tuple[int, int]]]:
    """Simulate these limits of open files. Return the limits that were set."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource  # noqa: PLC0415 - not on Windows

    found, now = [], (soft, hard)

    def change(_: int, wanted: tuple[int, int]) -> None:
        nonlocal now
        if wanted[0] > hard:
            raise ValueError
        now = wanted
        found.append(wanted)

    ground.monkeypatch.setattr(resource, "getrlimit", lambda _: now)
    ground.monkeypatch.setattr(resource, "setrlimit", change)
    yield found


class LogCapture(logging.Handler):
    """Stores log messages."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def capture_logs() -> Iterator[list[str]]:
    handler = LogCapture()
    file_descriptors.log.addHandler(handler)
    try:
        yield handler.said
    finally:
        file_descriptors.log.removeHandler(handler)


@attack(AREA, "The default of 1,000 connections under the soft limit of 1,024 open files")
async def soft_limit(ground: AttackContext) -> str:
    http = resolve_http_settings(HttpTable(), AuthTable(), public_url=PUBLIC)
    others = file_descriptors.other_files(1, shared=True)
    with limits(ground, 1024, 524_288) as changed, capture_logs() as said:
        assert file_descriptors.fit_connections(http, others) is http
    assert changed == [(file_descriptors.files_needed(1000, others), 524_288)]
    assert not said
    return "the soft limit is raised as far as needed"


@attack(AREA, "The default of 1,000 connections under a hard limit of 1,024 open files")
async def hard_limit(ground: AttackContext) -> str:
    http = resolve_http_settings(HttpTable(), AuthTable(), public_url=PUBLIC)
    others = file_descriptors.other_files(1, shared=True)
    with limits(ground, 256, 1024) as changed, capture_logs() as said:
        fitted = file_descriptors.fit_connections(http, others).table.connections
    assert changed == [(1024, 1024)]
    assert 100 < fitted < 1000
    assert file_descriptors.files_needed(fitted, others) <= 1024
    assert ["LimitNOFILE" in each and "connections = 1000" in each for each in said] == [True]
    return "fewer connections, with a warning that names the numbers and the setting"


# -- two people ------------------------------------------------------------------------------------------------------


def http_settings(callers: str = ISSUER, approvers: str = ISSUER, **claims: str) -> HttpSettings:
    """Return settings with the issuers and the subject claims of callers and approvers."""
    jwt = JwtTable(issuer=callers, jwks_url=f"{ISSUER}/keys", subject_claim=claims.get("caller", "sub"))
    oidc = OidcTable(
        issuer=approvers, client_id="c", approver_group="approvers", subject_claim=claims.get("approver", "sub")
    )
    return resolve_http_settings(HttpTable(), AuthTable(jwt=jwt), public_url=PUBLIC, console=ConsoleTable(oidc=oidc))


def write_policy(folder: Path, text: str = TWO_PEOPLE) -> ReloadablePolicy:
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return ReloadablePolicy(file)


def assert_stopped(chosen: ReloadablePolicy, http: HttpSettings, setting: str) -> None:
    with pytest.raises(SettingsError) as error:
        chosen.add_check(partial(caller_identity.check_two_person, http=http))
    assert f"[auth.jwt] {setting}" in str(error.value)
    assert f"[console.oidc] {setting}" in str(error.value)


@attack(AREA, "two_person with issuers that differ by a slash, a capital or a port")
async def spelled_differently(ground: AttackContext) -> str:
    chosen = write_policy(ground.folder)
    for other in (f"{ISSUER}/", ISSUER.replace("login", "LOGIN"), ISSUER.replace(".com", ".com:443")):
        assert_stopped(chosen, http_settings(ISSUER, other), "issuer")
        assert_stopped(chosen, http_settings(other, ISSUER), "issuer")
    chosen.add_check(partial(caller_identity.check_two_person, http=http_settings()))
    return "does not start; the error names both settings"


@attack(AREA, "two_person with subject claims that differ")
async def other_claims(ground: AttackContext) -> str:
    chosen = write_policy(ground.folder)
    assert_stopped(chosen, http_settings(caller="email"), "subject_claim")
    assert_stopped(chosen, http_settings(approver="oid"), "subject_claim")
    return "does not start; the error names both settings"


@attack(AREA, "two_person with the sub of Entra ID, which differs by application")
async def pairwise(ground: AttackContext) -> str:
    entra = "https://login.microsoftonline.com/tenant/v2.0"
    assert_stopped(write_policy(ground.folder), http_settings(entra, entra), "subject_claim")
    write_policy(ground.folder).add_check(
        partial(caller_identity.check_two_person, http=http_settings(entra, entra, caller="oid", approver="oid"))
    )
    return "does not start; the error names the claim that works"


@attack(AREA, "two_person is written into the policy of a running server whose claims differ")
async def edited(ground: AttackContext) -> str:
    chosen = write_policy(ground.folder, ONE_PERSON)
    chosen.add_check(partial(caller_identity.check_two_person, http=http_settings(caller="email")))
    write_policy(ground.folder)
    ended = chosen.reload()
    assert not ended.accepted
    assert "subject_claim" in ended.message.en
    assert not chosen.two_person
    write_policy(ground.folder, ONE_PERSON)
    assert chosen.reload().accepted
    return "the policy before stays in force, and the fault is reported"
