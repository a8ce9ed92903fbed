"""Who may make calls from the console: only a person whom the profile would admit at /mcp."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.console.caller_identity import find_caller
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.settings.hosting import ConsoleTable, HttpSettings, HttpTable, JwtTable, OidcTable
from saasus_mcp.store.signin_sessions import Approver

ISSUER = "https://login.example.com"
HANAKO = Approver(f"oidc:{ISSUER}|hanako", frozenset({"approvers", "operators"}))
CALLERS = {"issuer": ISSUER, "jwks_url": f"{ISSUER}/keys"}
APPROVERS = {"issuer": ISSUER, "client_id": "console", "approver_group": "approvers"}
URL = "https://mcp.example.com"
ENTRA = "https://login.microsoftonline.com/t/v2.0"


def served(*groups: str) -> ServedProfile:
    named = SimpleNamespace(destination=SimpleNamespace(profile="production"))
    return ServedProfile(cast("Pipeline", named), frozenset(groups))


def settings(callers: dict[str, Any] | None = None, **approvers: Any) -> HttpSettings:
    """Return the settings of a server with single sign-on for approvers, and for callers with these."""
    jwt = JwtTable.model_validate(CALLERS | callers) if callers is not None else None
    console = ConsoleTable(oidc=OidcTable.model_validate(APPROVERS | approvers))
    return HttpSettings("127.0.0.1", 8000, URL, True, jwt, HttpTable(), console)


def test_a_person_who_is_an_approver_and_a_caller_makes_calls_under_the_same_id_and_groups() -> None:
    found = find_caller(settings({}), served("operators"), HANAKO)
    assert found is not None
    assert (found.id, found.groups) == (HANAKO.id, HANAKO.groups)


@pytest.mark.parametrize(
    ("http", "approver"),
    [
        pytest.param(settings({}), Approver("token:boss", HANAKO.groups), id="an approver token"),
        pytest.param(settings(), HANAKO, id="callers have tokens only"),
        pytest.param(settings({"issuer": "https://other.example.com"}), HANAKO, id="callers of another provider"),
        pytest.param(settings({"subject_claim": "oid"}), HANAKO, id="another id"),
        pytest.param(settings({"groups_claim": "roles"}), HANAKO, id="other groups"),
        pytest.param(settings({"scopes": ["saasus"]}), HANAKO, id="a scope that the console does not have"),
        pytest.param(
            settings({"issuer": ENTRA}, issuer=ENTRA), Approver(f"oidc:{ENTRA}|x", HANAKO.groups), id="an id per app"
        ),
        pytest.param(settings({}), Approver(HANAKO.id, frozenset({"approvers"})), id="no group of the profile"),
        pytest.param(settings({}), Approver("local:me", is_owner=True), id="an owner where tokens are needed"),
    ],
)
def test_an_approver_who_is_no_caller_of_the_profile_makes_no_calls(http: HttpSettings, approver: Approver) -> None:
    assert find_caller(http, served("operators"), approver) is None


def test_the_owner_of_a_private_server_makes_calls() -> None:
    private = HttpSettings("127.0.0.1", 8000, "http://127.0.0.1:8000", None, None, HttpTable(), ConsoleTable())
    owner = find_caller(private, served(), Approver("local:me", is_owner=True))
    assert owner is not None
    assert owner.id == "local:me"
