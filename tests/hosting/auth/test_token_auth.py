"""Tokens of this server's own: made once, kept as hashes, good for a time, ended at once, and made by people only."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from saasus_mcp.hosting.auth import token_auth
from saasus_mcp.hosting.auth.authentication import AuthenticatorChain, AuthUnavailable, Caller
from saasus_mcp.hosting.auth.token_auth import TokenAuthenticator
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.store.errors import StoreError, StoreUnavailable, TokenNameTaken
from saasus_mcp.store.stores import Stores
from saasus_mcp.store.tokens import TOKENS_FILE, USE_RESOLUTION_SECONDS, Token, TokenStore
from tests.support.commands import Terminal, run_command
from tests.support.databases import open_stores
from tests.support.jwt_issuer import Clock

TOKEN = re.compile(r"smcp_[A-Za-z0-9_-]{43}")


def wanted(name: str = "ci", **given: float) -> Token:
    return Token(name, "caller", frozenset({"ops"}), "local:me", given.get("at", 1000.0), given.get("until", 5000.0))


@pytest.fixture
def accounts(kept: Stores) -> Iterator[TokenStore]:
    with closing(kept.open_tokens()) as opened:
        yield opened


async def test_a_token_names_its_holder_with_its_groups(accounts: TokenStore) -> None:
    clock = Clock()
    token = accounts.add(wanted())
    assert TOKEN.fullmatch(token)
    caller = await TokenAuthenticator(accounts, clock).authenticate(token)
    assert caller is not None
    assert (caller.principal.id, sorted(caller.principal.groups)) == ("token:ci", ["ops"])
    assert (caller.role, caller.expires_at, caller.profiles) == ("caller", 5000.0, None)


async def test_only_the_whole_token_is_believed_and_only_for_its_time(accounts: TokenStore) -> None:
    clock = Clock()
    callers, token = TokenAuthenticator(accounts, clock), accounts.add(wanted())
    for wrong in (
        "",
        "smcp_",
        token[:-1],
        token + "A",
        token.upper(),
        f" {token}",
        "smcp_" + "A" * 43,
        "x" * 48,  # as long as a token
    ):
        assert await callers.authenticate(wrong) is None, wrong
    clock.now = 4999.0
    assert await callers.authenticate(token) is not None
    clock.now = 5000.0
    assert await callers.authenticate(token) is None


async def test_a_revoked_token_is_refused_at_once_by_every_server(accounts: TokenStore, where: Path | str) -> None:
    clock, token = Clock(), accounts.add(wanted())
    with closing(open_stores(where)) as other, closing(other.open_tokens()) as there:
        elsewhere = TokenAuthenticator(there, clock)
        assert await elsewhere.authenticate(token) is not None
        assert accounts.revoke("ci", clock())
        assert await elsewhere.authenticate(token) is None
    assert not accounts.revoke("ci", clock()), "once is enough"


async def test_whether_a_token_was_revoked_is_known_by_its_name(accounts: TokenStore) -> None:
    clock, ci = Clock(), Principal("token:ci")
    accounts.add(wanted())
    callers = AuthenticatorChain(TokenAuthenticator(accounts, clock))
    assert not await callers.is_revoked(ci)
    clock.now = 6000.0
    assert not await callers.is_revoked(ci), "it expired, and its calls may end"
    clock.now = 1000.0
    accounts.revoke("ci", clock())
    assert await callers.is_revoked(ci)
    assert not await callers.is_revoked(Principal("oidc:https://id.example.com|ci"))
    accounts.add(wanted(at=1002.0))
    assert not await callers.is_revoked(ci), "another token took its place"


async def test_a_revoked_token_stays_revoked_after_another_one_took_its_place(accounts: TokenStore) -> None:
    clock = Clock()
    callers = AuthenticatorChain(TokenAuthenticator(accounts, clock))

    async def holder(token: str) -> Principal:
        caller = await callers.authenticate(token)
        assert caller is not None
        return Caller.from_json(caller.to_json()).principal  # as another replica or a job gets it

    first = await holder(accounts.add(wanted()))
    assert not await callers.is_revoked(first)
    assert accounts.revoke("ci", clock())
    second = await holder(accounts.add(wanted(at=clock(), until=3000.0)))
    assert first == second, "for the policy they are one caller"
    assert (await callers.is_revoked(first), await callers.is_revoked(second)) == (True, False)
    clock.now = 3000.0
    assert not await callers.is_revoked(second), "it expired, and its calls may end"
    third = await holder(accounts.add(wanted(at=clock())))
    assert [await callers.is_revoked(each) for each in (first, second, third)] == [True, False, False]
    assert accounts.revoke("ci", clock())
    assert [await callers.is_revoked(each) for each in (first, second, third)] == [True] * 3, (
        "and so does what it began"
    )


async def test_an_expired_token_can_be_revoked_to_stop_what_it_began(accounts: TokenStore) -> None:
    clock = Clock()
    callers = TokenAuthenticator(accounts, clock)
    caller = await callers.authenticate(accounts.add(wanted()))
    assert caller is not None
    clock.now = 6000.0
    assert accounts.revoke("ci", clock())
    assert await callers.is_revoked(caller.principal)
    assert await callers.is_revoked(replace(caller.principal, credential="0" * 16)), "nobody knows such a token"


async def test_whether_a_token_was_revoked_is_unknown_while_the_store_fails(
    accounts: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: str) -> bool:
        raise TimeoutError

    monkeypatch.setattr(accounts, "is_revoked", hang)
    with pytest.raises(StoreError):
        await TokenAuthenticator(accounts).is_revoked(Principal("token:ci"))


def test_a_name_is_one_persons_while_its_token_is_good(accounts: TokenStore) -> None:
    first = accounts.add(wanted())
    with pytest.raises(TokenNameTaken, match="ci"):
        accounts.add(wanted())
    accounts.revoke("ci", 1001.0)
    second = accounts.add(wanted(at=1002.0))
    assert accounts.authenticate(first, 1003.0) is None
    assert accounts.authenticate(second, 1003.0) is not None
    assert accounts.add(wanted(at=6000.0, until=7000.0)), "the one before has expired"
    assert len(accounts.list_tokens()) == 3


def test_the_last_use_is_noted_to_the_hour(accounts: TokenStore) -> None:
    token = accounts.add(wanted(until=1e9))
    noted = []
    for now in (2000.0, 2000.0 + USE_RESOLUTION_SECONDS - 1, 2000.0 + USE_RESOLUTION_SECONDS):
        accounts.authenticate(token, now)
        noted.append(accounts.list_tokens()[0].used_at)
    assert noted == [2000.0, 2000.0, 2000.0 + USE_RESOLUTION_SECONDS]


def test_the_token_itself_is_in_no_file(tmp_path: Path) -> None:
    accounts = TokenStore.open(tmp_path / "state")
    token = accounts.add(wanted())
    accounts.authenticate(token, 2000.0)
    accounts.close()
    files = list((tmp_path / "state").iterdir())
    assert [file.name for file in files] == [TOKENS_FILE]
    assert token.removeprefix("smcp_").encode() not in files[0].read_bytes()
    assert files[0].stat().st_mode & 0o077 == 0


async def test_where_the_accounts_cannot_be_read_nobody_is_let_in(
    accounts: TokenStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = accounts.add(wanted())

    def broken(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="The disk is full")

    monkeypatch.setattr(accounts, "authenticate", broken)
    callers = TokenAuthenticator(accounts, Clock())
    for _ in range(3):
        with pytest.raises(AuthUnavailable) as caught:
            await callers.authenticate(token)
        assert caught.value.message.id == "hosting.accounts_unavailable"
    assert caplog.text.count("The disk is full") == 1, "an outage is logged once, not for each request"
    monkeypatch.undo()
    assert await callers.authenticate(token) is not None
    assert "can be checked again" in caplog.text
    assert token not in caplog.text


class Restarting:
    """A store of tokens whose database fails so many times, and then answers."""

    def __init__(self, answer: Token | bool, failures: float) -> None:
        self.answer, self.failures, self.asked = answer, failures, 0

    def ask(self, *_: object) -> Token | bool:
        self.asked += 1
        if self.asked <= self.failures:
            raise StoreUnavailable.of("store.database_failed")
        return self.answer

    authenticate = is_revoked = ask


async def test_a_token_is_checked_once_a_database_that_restarts_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(token_auth, "RETRY_SECONDS", 0)
    monkeypatch.setattr(token_auth, "RESTART_SECONDS", math.inf)
    tokens = Restarting(wanted(), 5)
    caller = await TokenAuthenticator(tokens).authenticate("smcp_any")  # type: ignore[arg-type]  # what it needs of one
    assert caller is not None
    assert (caller.principal.id, tokens.asked) == ("token:ci", 6)
    answers = Restarting(answer=True, failures=5)
    assert await TokenAuthenticator(answers).is_revoked(Principal("token:ci")) is True  # type: ignore[arg-type]  # likewise
    assert not caplog.records, "nobody was refused"


async def test_a_long_outage_is_answered_at_once_and_its_end_begins_a_new_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_auth, "RETRY_SECONDS", 0)
    monkeypatch.setattr(token_auth, "RESTART_SECONDS", 0)
    tokens = Restarting(wanted(), 2)
    callers = TokenAuthenticator(tokens)  # type: ignore[arg-type]  # what it needs of one
    for attempt in (1, 2):
        with pytest.raises(AuthUnavailable):
            await callers.authenticate("smcp_any")
        assert tokens.asked == attempt
    assert await callers.authenticate("smcp_any") is not None
    monkeypatch.setattr(token_auth, "RESTART_SECONDS", math.inf)
    tokens.asked = 0
    assert await callers.authenticate("smcp_any") is not None


def test_the_accounts_are_no_store_of_a_saas(tmp_path: Path) -> None:
    with closing(TokenStore.open(tmp_path / "state")) as accounts:
        accounts.add(wanted())
    state = tmp_path / "state"
    assert run_command("approvals").out == f"No approvals: no server has stored any data in {state} yet.\n"
    assert run_command("audit", "verify").status == 0


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [("new", "ci"), ("revoke", "ci")], ids=["new", "revoke"])
def test_only_a_person_at_a_terminal_makes_or_ends_tokens(args: tuple[str, ...], tmp_path: Path) -> None:
    ran = run_command("token", *args)
    assert ran.status == 1
    assert "must be run by a person in a terminal" in ran.err
    assert not (tmp_path / "state" / TOKENS_FILE).exists()


@pytest.fixture
def _attended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a person sat there."""
    monkeypatch.setattr("saasus_mcp.cli.terminal.require_person", lambda *_: None)


@pytest.mark.usefixtures("_attended")
@pytest.mark.parametrize("name", ["", "a b", "a/b", "株式会社", "x" * 61, "a\n", "*"])
def test_a_name_that_cannot_stand_in_a_policy_is_refused(name: str) -> None:
    ran = run_command("token", "new", name)
    assert (ran.status, ran.out) == (1, "")
    assert "not a valid token name" in ran.err


@pytest.mark.usefixtures("_attended")
@pytest.mark.parametrize("group", ["local:root", "token:ci", "scope:admin", "*", ""])
def test_a_group_that_a_policy_would_take_for_something_else_is_refused(group: str) -> None:
    ran = run_command("token", "new", "ci", "--group", group)
    assert (ran.status, ran.out) == (1, "")
    assert "not a valid group name" in ran.err


@pytest.mark.usefixtures("_attended")
def test_a_name_that_is_taken_is_refused_in_the_readers_language() -> None:
    assert run_command("token", "new", "ci").status == 0
    ran = run_command("token", "new", "ci", "--lang", "ja")
    assert ran.status == 1
    assert "「ci」という名前のトークンはすでにあります。先に失効させる" in ran.err


@pytest.mark.usefixtures("_attended")
@pytest.mark.parametrize("ending", ["revoked", "expired"])
def test_a_name_that_was_used_gets_no_other_owner_unnoticed(tmp_path: Path, ending: str) -> None:
    now = time.time()
    with closing(TokenStore.open(tmp_path / "state")) as accounts:
        token = accounts.add(wanted(at=now - 100, until=now - 10 if ending == "expired" else now + 100))
        accounts.authenticate(token, now - 50)
        if ending == "revoked":
            assert accounts.revoke("ci", now)
    refused = run_command("token", "new", "ci", "--lang", "ja")
    assert (refused.status, "--renew" in refused.err, TOKEN.search(refused.out)) == (1, True, None)
    renewed = run_command("token", "new", "ci", "--renew")
    assert (renewed.status, bool(TOKEN.search(renewed.out))) == (0, True)


@pytest.mark.usefixtures("_attended")
@pytest.mark.parametrize("options", [(), ("--renew",)], ids=["new", "renewed"])
def test_a_name_whose_token_was_never_used_is_free(options: tuple[str, ...]) -> None:
    wrong = run_command("token", "new", "ci", "--renew")
    assert (wrong.status, "nothing to renew" in wrong.err) == (1, True)
    assert run_command("token", "new", "ci").status == 0
    assert run_command("token", "revoke", "ci").status == 0
    assert run_command("token", "new", "ci", *options).status == 0


@pytest.mark.usefixtures("_attended")
def test_ending_a_token_that_is_not_there_is_said() -> None:
    ran = run_command("token", "revoke", "nobody")
    assert ran.status == 1
    assert "no valid token named nobody" in ran.err


@pytest.mark.usefixtures("_attended")
@pytest.mark.parametrize(("groups", "warned"), [((), True), (("--group", "ops"), False)], ids=["none", "one"])
def test_it_is_said_where_a_token_is_for_and_what_it_does_not_open(
    groups: tuple[str, ...], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAASUS_MCP_PUBLIC_URL", "https://mcp.example.com")
    ran = run_command("token", "new", "ci", *groups)
    assert "https://mcp.example.com/mcp" in ran.out
    assert ("It has no groups" in ran.out) is warned


def test_a_person_makes_a_token_sees_it_once_and_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    passphrase.save_passphrase(tmp_path / "state", "correct horse")
    with Terminal(
        "token", "new", "boss", "--role", "approver", "--group", "ops", "--group", "dev", "--days", "7"
    ) as terminal:
        terminal.wait_for("passphrase")
        assert not TOKEN.search(terminal.output)
        terminal.type("correct horse")
        assert terminal.wait() == 0
    found = TOKEN.search(terminal.output)
    assert found
    assert "It signs in to the console" in terminal.output
    kept = TokenStore.open(tmp_path / "state")
    token = kept.authenticate(found[0], time.time())
    assert token is not None
    assert (token.name, token.role, sorted(token.groups)) == ("boss", "approver", ["dev", "ops"])
    assert token.expires_at - token.made_at == 7 * 24 * 3600
    listed = run_command("token", "list")
    assert "boss  approver, until" in listed.out
    assert "groups: dev, ops" in listed.out
    assert not TOKEN.search(listed.out)
    [record] = json.loads(run_command("token", "list", "--json").out)
    assert (record["name"], record["live"], record["groups"]) == ("boss", True, ["dev", "ops"])
    assert not any("hash" in key for key in record)
    with Terminal("token", "revoke", "boss", "--lang", "ja") as terminal:
        terminal.wait_for("パスフレーズ")
        terminal.type("correct horse")
        assert terminal.wait() == 0
    assert "失効させました" in terminal.output
    assert kept.authenticate(found[0], time.time()) is None
    kept.close()
    assert "boss  承認者用" in run_command("token", "list", "--lang", "ja").out


def test_a_wrong_passphrase_makes_no_token(tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    passphrase.save_passphrase(tmp_path / "state", "correct horse")
    with Terminal("token", "new", "ci") as terminal:
        for _ in range(3):
            terminal.wait_for("passphrase:")
            terminal.type("battery staple")
        assert terminal.wait() == 1
    assert not TOKEN.search(terminal.output)
    assert run_command("token", "list").out.startswith("No tokens.")
