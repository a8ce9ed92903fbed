"""How a hosted server is put together from settings: who is believed, which profiles there are and who may use them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from saasus_mcp.cli import composition
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.serve import console_composition
from saasus_mcp.cli.serve.serve_http import build_authenticator, build_served_profiles
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.auth.authentication import Authenticator, Caller
from saasus_mcp.hosting.console.service import PolicyText
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.permissions.policy.file import ReloadablePolicy, preset_path
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, unwrap_policy
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.tokens import Token, TokenStore

PUBLIC = {"transport": "http", "public_url": "https://mcp.example.com"}
JWT = '[auth.jwt]\nissuer = "https://login.example.com"\njwks_url = "https://login.example.com/keys"\n'
PROFILES = """
[profiles.production]
saas_id = "saas-p"
api_key = { env = "TEST_KEY" }
secret_key = { env = "TEST_KEY" }
groups = ["operators"]

[profiles.staging]
saas_id = "saas-s"
api_key = { env = "TEST_KEY" }
secret_key = { env = "TEST_KEY" }
api_url_base = "https://staging.example.com"
"""


@pytest.fixture
def until() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def accounts(tmp_path: Path, until: ExitStack) -> TokenStore:
    made = TokenStore.open(tmp_path / "state")
    until.callback(made.close)
    return made


def configured(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "made-up-key")
    (tmp_path / "config.toml").write_text(f"version = 1\n{text}", encoding="utf-8")


def known(until: ExitStack, **flags: object) -> Authenticator | Caller:
    chosen = read_settings(sandbox=True, **flags)
    return build_authenticator(chosen, load_http_settings(chosen), until)


def made(accounts: TokenStore, **given: object) -> str:
    now = time.time()
    values = {"role": "caller", "groups": frozenset({"ops"}), "made_at": now, "expires_at": now + 60, **given}
    return accounts.add(Token(name="ci", made_by="local:me", **values))  # type: ignore[arg-type]


def test_on_a_private_loopback_everybody_is_the_owner(until: ExitStack) -> None:
    found = known(until)
    assert isinstance(found, Caller)
    assert found.principal == local_user()
    assert found.is_owner


async def test_with_one_token_others_may_reach_it(until: ExitStack, accounts: TokenStore) -> None:
    token = made(accounts)
    found = known(until, **PUBLIC)
    assert not isinstance(found, Caller)
    caller = await found.authenticate(token)
    assert caller is not None
    assert caller.principal.id == "token:ci"
    assert await found.authenticate("another") is None


@pytest.mark.parametrize(
    "given", [{"role": "approver"}, {"expires_at": 1.0}], ids=["an approver's token", "an expired token"]
)
def test_a_token_for_an_unknown_profile_is_refused(
    until: ExitStack, accounts: TokenStore, given: dict[str, object]
) -> None:
    made(accounts, **given)
    with pytest.raises(SaasusMcpError, match="does not start without authentication"):
        known(until, **PUBLIC)


def test_a_revoked_token_is_refused(until: ExitStack, accounts: TokenStore) -> None:
    made(accounts)
    accounts.revoke("ci", time.time())
    with pytest.raises(SaasusMcpError, match="does not start without authentication"):
        known(until, **PUBLIC)


def test_where_the_file_wants_no_tokens_there_is_nobody_left(
    until: ExitStack, accounts: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(accounts)
    configured(tmp_path, "[auth]\ntokens = false", monkeypatch)
    with pytest.raises(SaasusMcpError, match="does not start without authentication"):
        known(until, **PUBLIC)


async def test_where_the_file_wants_tokens_it_starts_and_waits_for_them(
    until: ExitStack, accounts: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, "[auth]\ntokens = true", monkeypatch)
    servers = [known(until, **flags) for flags in (PUBLIC, {})]
    token = made(accounts)
    for server in servers:
        assert not isinstance(server, Caller)
        assert await server.authenticate(token) is not None


@pytest.mark.parametrize(
    ("more", "believed"), [("", True), ("[auth]\ntokens = false\n", False)], ids=["and", "without"]
)
async def test_beside_a_provider_tokens_are_believed_unless_the_file_says_no(
    until: ExitStack, accounts: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, believed: bool
) -> None:
    configured(tmp_path, more + JWT, monkeypatch)
    token = made(accounts)
    found = known(until, **PUBLIC)
    assert not isinstance(found, Caller)
    assert (await found.authenticate(token) is not None) is believed


async def test_every_profile_of_the_file_is_served_to_its_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, PROFILES, monkeypatch)
    chosen, metrics = read_settings(), Metrics()
    async with composition.open_pipelines(chosen, lambda name, each: MetricsObserver(metrics, name, each)) as pipelines:
        each = build_served_profiles(chosen, pipelines)
        assert {name: one.pipeline.destination.saas_id for name, one in each.items()} == {
            "production": "saas-p",
            "staging": "saas-s",
        }
        assert {name: (set(one.groups), one.api_origin) for name, one in each.items()} == {
            "production": ({"operators"}, "https://api.saasus.io"),
            "staging": (set(), "https://staging.example.com"),
        }
        policies = {id(unwrap_policy(one.pipeline.policy)) for one in each.values()}
        assert len(policies) == 1, "one policy over all"
        stores = {id(one.pipeline.store) for one in each.values()}
        assert len(stores) == 2


async def test_the_sandbox_is_served_to_everybody() -> None:
    chosen, metrics = read_settings(sandbox=True), Metrics()
    async with composition.open_pipelines(chosen, lambda name, each: MetricsObserver(metrics, name, each)) as pipelines:
        each = build_served_profiles(chosen, pipelines)
    assert {name: (set(one.groups), one.api_origin) for name, one in each.items()} == {"sandbox": ({"*"}, "")}


def test_the_console_shows_the_policy_as_it_is_written_and_whether_it_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(preset_path("guarded").read_text(encoding="utf-8"), encoding="utf-8")
    loaded = ReloadablePolicy(file)
    shown = console_composition.read_policy_text(ReadOnlyPolicy(loaded))
    assert (shown.text, shown.outdated) == (file.read_text(encoding="utf-8"), False)
    file.write_text("version: 2\n", encoding="utf-8")
    assert console_composition.read_policy_text(loaded).outdated
    loaded.reload()
    assert console_composition.read_policy_text(loaded).outdated, "what is in force is not what it says"
    file.unlink()
    assert console_composition.read_policy_text(loaded) == PolicyText("", outdated=True)
    assert "critical" in console_composition.read_policy_text(PRESETS["strict"]).text
