"""`doctor` finds what keeps a hosted server from working: database, keys, limits, sign-in, public address, and every profile."""

from __future__ import annotations

import base64
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli.doctor import hosting_checks
from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE
from saasus_mcp.hosting.limits import file_descriptors
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings.hosting import HttpSettings
from tests.support.databases import POSTGRESQL, open_stores
from tests.support.doctor import findings, list_findings
from tests.support.documents import document_server
from tests.support.jwt_issuer import JwtIssuer
from tests.support.replicas import KEYS

CONFIG = """
version = 1
[http]
public_url = "{public}"
connections = {connections}
[auth.jwt]
issuer = "{issuer}"
jwks_url = "{issuer}/keys"
[console.oidc]
issuer = "{issuer}"
client_id = "console"
approver_group = "approvers"
[profiles.production]
saas_id = {{ env = "ACME_ID" }}
api_key = {{ env = "ACME_KEY" }}
secret_key = {{ env = "ACME_KEY" }}
[profiles.staging]
saas_id = {{ env = "ACME_ID" }}
api_key = {{ env = "MISSING_KEY" }}
secret_key = {{ env = "MISSING_KEY" }}
"""


@pytest.fixture
def documents() -> dict[str, Any]:
    """What the provider, and the server behind its public address, answer."""
    return {"/keys": JwtIssuer().document(), "/healthz": {"status": "ok"}}


@pytest.fixture
def issuer(documents: dict[str, Any]) -> Iterator[str]:
    with document_server(documents) as url:
        endpoints = ("authorization_endpoint", "token_endpoint")
        metadata = {name: f"{url}/{name}" for name in endpoints}
        documents["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": f"{url}/keys", **metadata}
        yield url


@pytest.fixture
def hosted(tmp_path: Path, issuer: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG.format(public=issuer, issuer=issuer, connections=10), encoding="utf-8")
    monkeypatch.setenv("SAASUS_API_URL_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("ACME_ID", "acme")
    monkeypatch.setenv("ACME_KEY", "b7d2c9e4f1a0")
    return file


@pytest.mark.usefixtures("hosted")
def test_a_hosted_server_is_checked_as_one(issuer: str) -> None:
    found = findings()
    assert {name: found[name]["status"] for name in ("keys", "limits", "public_url", "jwks", "oidc")} == dict.fromkeys(
        ("keys", "limits", "public_url", "jwks", "oidc"), "ok"
    )
    assert found["database"]["status"] == "note", "files serve one replica only"
    assert f"{issuer}/console/sso/callback" in found["oidc"]["said"]
    assert {"clients", "boundary"}.isdisjoint(found), "they concern the computer of one user"


@pytest.mark.usefixtures("hosted")
def test_every_profile_is_checked_by_name() -> None:
    fine, missing = [one for one in list_findings() if one["check"] == "credentials"]
    assert "production" in fine["said"]
    assert (fine["status"], missing["status"]) == ("ok", "problem")
    assert "staging" in missing["said"]
    assert "MISSING_KEY" in missing["said"] + missing["hint"]


@pytest.mark.usefixtures("hosted")
def test_a_provider_without_keys_or_metadata_is_a_problem(documents: dict[str, Any], issuer: str) -> None:
    documents["/keys"] = {"keys": []}
    documents["/.well-known/openid-configuration"]["issuer"] = issuer + "/"
    found = findings()
    assert (found["jwks"]["status"], found["oidc"]["status"]) == ("problem", "problem")
    del documents["/keys"], documents["/.well-known/openid-configuration"]
    found = findings()
    assert "404" in found["jwks"]["said"]
    assert "404" in found["oidc"]["said"]


@pytest.mark.usefixtures("hosted")
def test_another_server_behind_the_public_address_is_a_problem(documents: dict[str, Any]) -> None:
    del documents["/healthz"]
    assert findings()["public_url"]["status"] == "problem"


def test_a_server_that_does_not_run_yet_is_only_noted(hosted: Path, issuer: str) -> None:
    hosted.write_text(CONFIG.format(public="http://127.0.0.1:9", issuer=issuer, connections=10), encoding="utf-8")
    assert findings()["public_url"]["status"] == "note"


@pytest.mark.usefixtures("hosted")
def test_the_profiles_that_are_served_are_named_and_no_other() -> None:
    said = findings()["settings"]["said"]
    assert "production, staging" in said
    assert "default" not in said


@pytest.mark.usefixtures("hosted")
def test_metrics_that_the_proxy_publishes_are_a_problem(
    documents: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings()["metrics"]["status"] == "skipped", "a loopback is not published"
    monkeypatch.setattr(HttpSettings, "exposed", True)
    assert findings()["metrics"]["status"] == "ok"
    documents["/metrics"] = {}
    assert findings()["metrics"]["status"] == "problem"


def test_metrics_without_a_token_are_noted(hosted: Path) -> None:
    hosted.write_text(hosted.read_text(encoding="utf-8").replace("[http]", "[http]\nmetrics = true"), encoding="utf-8")
    assert findings()["metrics"]["status"] == "note"


@pytest.mark.parametrize(("groups", "state"), [('["*"]', "note"), ("[]", "note"), ('["operators"]', "ok")])
def test_a_profile_for_everyone_or_for_nobody_is_noted(hosted: Path, groups: str, state: str) -> None:
    with hosted.open("a", encoding="utf-8") as file:
        file.write(f"groups = {groups}\n")
    text = hosted.read_text(encoding="utf-8")
    hosted.write_text(text.replace("[profiles.production]", '[profiles.production]\ngroups = ["a"]'), encoding="utf-8")
    assert findings()["access"]["status"] == state


def test_a_server_without_an_approver_is_noted(hosted: Path) -> None:
    text = hosted.read_text(encoding="utf-8").replace("[profiles.", 'groups = ["a"]\n[profiles.')
    start, end = text.index("[console.oidc]"), text.index("[profiles.production]")
    hosted.write_text(f'{text[:start]}{text[end:]}groups = ["a"]\n', encoding="utf-8")
    found = findings()["access"]
    assert found["status"] == "note"
    assert "--role approver" in found["hint"]


def test_every_check_that_needs_the_state_folder_says_that_it_cannot_be_used(hosted: Path) -> None:
    text = hosted.read_text(encoding="utf-8")
    start, end = text.index("[console.oidc]"), text.index("[profiles.production]")
    text = text[:start] + text[end:].replace("[profiles.staging]", 'groups = ["a"]\n[profiles.staging]')
    hosted.write_text(f'{text}groups = ["a"]\n', encoding="utf-8")
    (hosted.parent / "state").write_text("not a folder", encoding="utf-8")
    found = findings()
    for check in ("state", "approvals", "keys", "access"):
        assert (found[check]["status"], "is not a folder" in found[check]["said"]) == ("problem", True), check


@pytest.mark.skipif(sys.platform == "win32", reason="only POSIX has these modes")
@pytest.mark.parametrize(("user", "mode", "state"), [(1000, 0o640, "note"), (1000, 0o440, "ok"), (0, 0o440, "note")])
def test_configuration_that_the_server_could_change_is_noted(
    hosted: Path, monkeypatch: pytest.MonkeyPatch, user: int, mode: int, state: str
) -> None:
    hosted.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "access", lambda path, _: bool(Path(path).stat().st_mode & 0o222))  # root may do everything
    assert findings()["files"]["status"] == state


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("postgresql://saasus@db.internal/saasus", "note"),
        ("postgresql://saasus@db.internal/saasus?sslmode=require", "note"),
        ("postgresql://saasus@db.internal/saasus?sslmode=verify-full", "ok"),
        ("postgresql://saasus@127.0.0.1/saasus", "ok"),
        ("postgresql:///saasus?host=/var/run/postgresql", "ok"),
    ],
)
def test_a_database_that_nobody_verifies_is_noted(monkeypatch: pytest.MonkeyPatch, url: str, state: str) -> None:
    pytest.importorskip("psycopg", reason="the driver is in an optional extra")
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.delenv("PGHOST", raising=False)
    assert hosting_checks.check_database_tls(url).status == state


@pytest.mark.usefixtures("hosted")
def test_too_few_open_files_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_descriptors, "raise_file_limit", lambda wanted: min(wanted, 64))
    found = findings()["limits"]
    assert found["status"] == "problem"
    assert "LimitNOFILE" in found["hint"]


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize(("cores", "state"), [(2, "ok"), (1, "note")])
def test_more_workers_than_cores_are_noted(monkeypatch: pytest.MonkeyPatch, cores: int, state: str) -> None:
    monkeypatch.setenv("SAASUS_MCP_WORKERS", "2")
    monkeypatch.setattr("saasus_mcp.cli.doctor.hosting_checks.usable_cores", lambda: cores)
    assert findings()["workers"]["status"] == state


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
def test_the_database_its_clock_and_its_keys_are_checked(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", where)
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", KEYS[0])
    keys = Encryptor(base64.b64decode(KEYS[0])).derive_keys(AUDIT_KEY_PURPOSE)
    with closing(open_stores(where, keys)) as stores, closing(stores.open_saas("acme")) as store:
        record_action(store, ActionRecord(ActionKind.FREEZE, "local:me", "terminal"), time.time())
    found = findings()
    assert (found["database"]["status"], found["keys"]["status"]) == ("ok", "ok"), found
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", KEYS[1])
    assert findings()["keys"]["status"] == "problem", "the stores are written under another key"


@pytest.mark.usefixtures("hosted")
def test_a_database_that_is_down_is_a_problem_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="the driver is in an optional extra")
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", "postgresql://saasus:made-up-password@127.0.0.1:9/x")
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", KEYS[0])
    found = findings()
    assert found["database"]["status"] == "problem"
    assert "made-up-password" not in str(found)
