"""Attacks on what a server says of itself and starts with: readiness, open files, and people who could pass for two."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from saasus_mcp.hosting import descriptors, one_person
from saasus_mcp.hosting.token_callers import TokenCallers
from saasus_mcp.permissions.policy_file import Reloading
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server.call import Call
from saasus_mcp.settings import Http, SettingsError
from saasus_mcp.settings.console import ConsoleTable, OidcTable
from saasus_mcp.settings.hosting import AuthTable, HttpTable, JwtTable, settled
from saasus_mcp.store import StoreError
from tests.hardening.corpus import Ground, attack
from tests.hardening.outages import AREA, answer, served
from tests.hosting.away import accounts, database_of, emptied, filled
from tests.hosting.provider import ISSUER, Provider
from tests.hosting.stage import PUBLIC, stage
from tests.support import ME

TWO_PEOPLE = "version: 1\ntwo_person: true\nrules:\n  - name: all\n    tools: ['*']\n    then: approve\n"
ONE_PERSON = TWO_PEOPLE.replace("true", "false")


# -- readiness -------------------------------------------------------------------------------------------------------


@attack(AREA, "The disk of a store is full")
async def full_disk(ground: Ground) -> str:
    made = stage(ground.catalogue, metrics=True)
    pipeline = made.served["default"].pipeline
    pipeline.store.check_writable()  # what a first look leaves behind is not taken for room
    filled(pipeline.store)
    async with made.asked() as probe:
        ready = await probe.get("/readyz")
        assert (ready.status_code, ready.json()["store"]) == (503, "failed")
        assert 'saasus_mcp_store_up{profile="default"} 0' in (await probe.get("/metrics")).text
    read = await pipeline.run(Call("auth_get_tenants", {}, ME))
    assert isinstance(read, ToolAnswer)
    assert read.ok
    emptied(pipeline.store)
    pipeline.store.check_writable()
    return "not ready, store down in the metrics; reads go on"


@attack(AREA, "The disk of the tokens is full, that of the stores is not")
async def full_disk_of_tokens(ground: Ground) -> str:
    with accounts(ground.folder) as (kept, token):
        made = served(ground, TokenCallers(kept))
        [ready] = await answer(made, token, path="/readyz")
        assert ready.json()["accounts"] == "ok"
        filled(kept)
        [ready] = await answer(made, token, path="/readyz")
    assert (ready.status_code, ready.json()["accounts"], ready.json()["store"]) == (503, "failed", "ok")
    return "not ready, and the check is named"


@attack(AREA, "The identity provider is down while a load balancer asks a new server two hundred times")
async def not_ready_without_keys(ground: Ground) -> str:
    provider = Provider(down=True)
    made = served(ground, provider.callers())()
    async with made.asked(None) as probe:
        for _ in range(200):
            ready = await probe.get("/readyz")
            assert (ready.status_code, ready.json()["keys"]) == (503, "failed")
    assert provider.asked == 1
    return "not ready, one request to the provider"


@attack(AREA, "A backup without the table of the heartbeat is restored under a running server")
async def restored(ground: Ground) -> str:
    store = stage(ground.catalogue).served["default"].pipeline.store
    store.check_writable()
    with database_of(store).transaction() as connection:
        connection.exec_driver_sql("DROP TABLE heartbeats")
    with pytest.raises(StoreError):
        store.check_writable()
    store.check_writable()
    return "ready again at the second look"


# -- open files ------------------------------------------------------------------------------------------------------


@contextmanager
def limits(ground: Ground, soft: int, hard: int) -> Iterator[list[tuple[int, int]]]:
    """A system that allows so many open files; gives the limits that were set."""
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


class Listener(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def logged() -> Iterator[list[str]]:
    handler = Listener()
    descriptors.log.addHandler(handler)
    try:
        yield handler.said
    finally:
        descriptors.log.removeHandler(handler)


@attack(AREA, "The default of 1,000 connections under the soft limit of 1,024 open files")
async def soft_limit(ground: Ground) -> str:
    http = settled(HttpTable(), AuthTable(), None, None, PUBLIC)
    need = descriptors.Need.of(1000, 1, shared=True)
    with limits(ground, 1024, 524_288) as changed, logged() as said:
        assert descriptors.fitted(http, need) is http
    assert changed == [(need.files, 524_288)]
    assert not said
    return "the soft limit is raised as far as needed"


@attack(AREA, "The default of 1,000 connections under a hard limit of 1,024 open files")
async def hard_limit(ground: Ground) -> str:
    http = settled(HttpTable(), AuthTable(), None, None, PUBLIC)
    need = descriptors.Need.of(1000, 1, shared=True)
    with limits(ground, 256, 1024) as changed, logged() as said:
        fitted = descriptors.fitted(http, need).table.connections
    assert changed == [(1024, 1024)]
    assert 100 < fitted < 1000
    assert descriptors.Need(fitted, need.others).files <= 1024
    assert ["LimitNOFILE" in each and "connections = 1000" in each for each in said] == [True]
    return "fewer connections, with a warning that names the numbers and the setting"


# -- two people ------------------------------------------------------------------------------------------------------


def company(callers: str = ISSUER, approvers: str = ISSUER, **claims: str) -> Http:
    """A company's settings: issuers and subject claims of those who call and of those who approve."""
    jwt = JwtTable(issuer=callers, jwks_url=f"{ISSUER}/keys", subject_claim=claims.get("caller", "sub"))
    oidc = OidcTable(
        issuer=approvers, client_id="c", approver_group="approvers", subject_claim=claims.get("approver", "sub")
    )
    return settled(HttpTable(), AuthTable(jwt=jwt), None, None, PUBLIC, console=ConsoleTable(oidc=oidc))


def policy(folder: Path, text: str = TWO_PEOPLE) -> Reloading:
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return Reloading(file)


def stopped(chosen: Reloading, http: Http, setting: str) -> None:
    with pytest.raises(SettingsError) as error:
        chosen.require(partial(one_person.check, http=http))
    assert f"[auth.jwt] {setting}" in str(error.value)
    assert f"[console.oidc] {setting}" in str(error.value)


@attack(AREA, "two_person with issuers that differ by a slash, a capital or a port")
async def spelled_differently(ground: Ground) -> str:
    chosen = policy(ground.folder)
    for other in (f"{ISSUER}/", ISSUER.replace("login", "LOGIN"), ISSUER.replace(".com", ".com:443")):
        stopped(chosen, company(ISSUER, other), "issuer")
        stopped(chosen, company(other, ISSUER), "issuer")
    chosen.require(partial(one_person.check, http=company()))
    return "does not start; the error names both settings"


@attack(AREA, "two_person with subject claims that differ")
async def other_claims(ground: Ground) -> str:
    chosen = policy(ground.folder)
    stopped(chosen, company(caller="email"), "subject_claim")
    stopped(chosen, company(approver="oid"), "subject_claim")
    return "does not start; the error names both settings"


@attack(AREA, "two_person with the sub of Entra ID, which differs by application")
async def pairwise(ground: Ground) -> str:
    entra = "https://login.microsoftonline.com/tenant/v2.0"
    stopped(policy(ground.folder), company(entra, entra), "subject_claim")
    policy(ground.folder).require(partial(one_person.check, http=company(entra, entra, caller="oid", approver="oid")))
    return "does not start; the error names the claim that works"


@attack(AREA, "two_person is written into the policy of a running server whose claims differ")
async def edited(ground: Ground) -> str:
    chosen = policy(ground.folder, ONE_PERSON)
    chosen.require(partial(one_person.check, http=company(caller="email")))
    policy(ground.folder)
    ended = chosen.reload()
    assert not ended.taken
    assert "subject_claim" in ended.said
    assert not chosen.two_person
    policy(ground.folder, ONE_PERSON)
    assert chosen.reload().taken
    return "the policy before stays in force, and the fault is told"
