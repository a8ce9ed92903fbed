"""The id of a session: it carries the session, and is valid for its caller, its profile and its time."""

from __future__ import annotations

import dataclasses

import pytest
from mcp_types import ClientCapabilities, Implementation, InitializeRequestParams

from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.sessions.client_session import LIFETIME_SECONDS, SessionIds, SessionTooLarge
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, EXTENSION_ID
from tests.support.gate import Clock
from tests.support.hosting_server import build_caller

ALICE = build_caller("alice", "support")
NARROWED = Narrowing(toolsets=frozenset({"auth"}), exclude=frozenset({"auth_delete_tenant"}), read_only=True)


def opening(version: str = "2025-11-25", **capabilities: object) -> InitializeRequestParams:
    return InitializeRequestParams(
        protocol_version=version,
        capabilities=ClientCapabilities.model_validate(capabilities),
        client_info=Implementation(name="test", version="1"),
    )


def test_the_declaration_of_the_client_comes_back_from_its_session_id() -> None:
    ids = SessionIds(Encryptor.ephemeral(), "default")
    issued = ids.issue(ALICE, opening("2025-06-18", elicitation={"form": {}}, sampling={}), NARROWED)
    read = ids.read(issued.id, ALICE)
    assert read == issued
    assert (read.protocol_version, read.capabilities) == ("2025-06-18", {"elicitation": {"form": {}}})
    assert read.narrowing == NARROWED
    assert len(issued.id) < 500


def test_a_session_knows_whether_its_client_shows_apps() -> None:
    ids = SessionIds(Encryptor.ephemeral(), "default")
    declared = {EXTENSION_ID: {"mimeTypes": ["text/plain", APP_MIME_TYPE]}, "com.example/other": {}}
    read = ids.read(ids.issue(ALICE, opening(extensions=declared), NO_NARROWING).id, ALICE)
    assert read is not None
    assert read.capabilities == {"extensions": {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}}
    assert ids.issue(ALICE, opening(extensions={EXTENSION_ID: {}}), NO_NARROWING).capabilities == {}


@pytest.mark.parametrize(("asked", "spoken"), [("2025-03-26", "2025-03-26"), ("1999-01-01", "2025-11-25")])
def test_an_unknown_version_is_answered_with_the_newest_one_of_the_handshake(asked: str, spoken: str) -> None:
    session = SessionIds(Encryptor.ephemeral(), "default").issue(ALICE, opening(asked), NO_NARROWING)
    assert (session.protocol_version, session.capabilities) == (spoken, {})


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(ALICE, principal=Principal("token:bob", ALICE.principal.groups)),
        dataclasses.replace(ALICE, client_id="another program"),
        dataclasses.replace(ALICE, issuer="https://another.example.com"),
    ],
)
def test_an_id_is_nobody_elses(other: Caller) -> None:
    ids = SessionIds(Encryptor.ephemeral(), "default")
    assert ids.read(ids.issue(ALICE, opening(), NO_NARROWING).id, other) is None


def test_an_id_is_of_one_profile_and_of_one_key_and_unaltered() -> None:
    encryptor = Encryptor.ephemeral()
    ids = SessionIds(encryptor, "default")
    issued = ids.issue(ALICE, opening(), NO_NARROWING).id
    assert SessionIds(encryptor, "staging").read(issued, ALICE) is None
    assert SessionIds(Encryptor.ephemeral(), "default").read(issued, ALICE) is None
    other = "B" if issued[0] == "A" else "A"
    for altered in (issued[:-8], other + issued[1:], "", "é", "A" * 5_000, encryptor.encrypt_token([], "another use")):
        assert ids.read(altered, ALICE) is None


@pytest.mark.parametrize("altered", ["{} {}", "{}!{}", "{}{}====", " {}{}", "{}\n{}"])
def test_an_id_has_one_form(altered: str) -> None:
    ids = SessionIds(Encryptor.ephemeral(), "default")
    issued = ids.issue(ALICE, opening(), NO_NARROWING).id
    assert ids.read(altered.format(issued[:9], issued[9:]), ALICE) is None


def test_an_id_outlives_a_change_of_the_key() -> None:
    old, new = bytes(32), bytes([1]) * 32
    issued = SessionIds(Encryptor(old), "default").issue(ALICE, opening(), NO_NARROWING)
    assert SessionIds(Encryptor(new, old), "default").read(issued.id, ALICE) == issued


def test_an_id_expires() -> None:
    clock = Clock()
    ids = SessionIds(Encryptor.ephemeral(), "default", clock)
    issued = ids.issue(ALICE, opening(), NO_NARROWING)
    clock.now += LIFETIME_SECONDS - 1
    assert ids.read(issued.id, ALICE) == issued
    clock.now += 1
    assert ids.read(issued.id, ALICE) is None


def test_names_that_do_not_fit_into_an_id_are_refused() -> None:
    many = Narrowing(tools=frozenset(f"auth_a_tool_with_a_long_name_{number}" for number in range(100)))
    with pytest.raises(SessionTooLarge):
        SessionIds(Encryptor.ephemeral(), "default").issue(ALICE, opening(), many)
