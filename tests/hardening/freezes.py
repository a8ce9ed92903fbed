"""Attacks across two profiles of one SaaS, which share a store: freezes, and the pages of the console."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from saasus_mcp.hosting.console import approvals_view, tools_view, views
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.folder_stores import FREEZE_FILE
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession
from saasus_mcp.store.store import Store
from tests.support.attack_corpus import AttackContext, attack
from tests.support.pipeline import CREDENTIALS, PRINCIPAL, StubApi
from tests.support.saas_store import open_saas_store

AREA = "Authorization"
NOW = 1_790_000_000.0
BOSS, OTHER_BOSS = Approver("token:boss", frozenset({"ops"})), Approver("token:boss2", frozenset({"ops2"}))
ROLE = {"role_name": "new", "display_name": "New"}


def _desk(ground: AttackContext, store: Store) -> ConsoleService:
    """Return a console of two profiles of one SaaS, which share a store."""
    rooms = [
        ProfileContext("alpha", frozenset({"ops"}), lambda: store, "alpha", "saas"),
        ProfileContext("beta", frozenset({"ops2"}), lambda: store, "beta", "saas"),
    ]
    return ConsoleService(
        list_contexts=lambda: rooms,
        catalogue=ground.catalogue,
        policy=PRESETS["guarded"],
        read_policy=lambda: PolicyText(""),
        encryptor=Encryptor.ephemeral(),
        clock=lambda: NOW,
    )


async def _wrote(ground: AttackContext, store: Store, profile: str, who: Principal = PRINCIPAL) -> ToolAnswer:
    """Return the answer of a write through a profile."""
    api = StubApi(ground.catalogue)
    through = Pipeline(
        catalogue=ground.catalogue,
        policy=PRESETS["guarded"],
        client=ApiClient(CREDENTIALS, transport=api.transport()),
        open_store=lambda: store,
        encryptor=Encryptor.ephemeral(),
        destination=Destination(profile, CREDENTIALS.saas_id),
    )
    given = await through.run(Call("auth_create_role", ROLE, who))
    assert isinstance(given, ToolAnswer)
    assert given.ok == bool(api.writes), "nothing is sent that was refused"
    return given


@attack(AREA, "An approver lifts the freeze of another profile of the same SaaS")
async def another_freeze(ground: AttackContext) -> str:
    store = Store.in_memory()
    desk = _desk(ground, store)
    desk.freeze(OTHER_BOSS, "beta", "a drill")
    desk.freeze(BOSS, "alpha", "INCIDENT")
    for room in ("alpha", ""):
        with pytest.raises(CallRefused, match="no such profile"):
            desk.unfreeze(OTHER_BOSS, room)
    desk.unfreeze(OTHER_BOSS, "beta")
    held = await _wrote(ground, store, "alpha")
    assert "profile “alpha” are frozen by token:boss: “INCIDENT”" in held.text
    assert (await _wrote(ground, store, "beta")).ok
    return "refused; the writes of that profile stay frozen"


@attack(AREA, "An approver names another profile in the form that lifts the freeze of their own")
async def forged_form(ground: AttackContext) -> str:
    store = Store.in_memory()
    desk = _desk(ground, store)
    desk.freeze(BOSS, "alpha", "INCIDENT")
    for profile in ("alpha", "", "*"):
        desk.unfreeze(OTHER_BOSS, "beta", profile)
    assert [each.profile for each in store.active_freezes()] == ["alpha"]
    return "only the own profile is meant, whatever the form says"


@attack(AREA, "An approver stops another profile of the same SaaS by freezing their own")
async def spreading_freeze(ground: AttackContext) -> str:
    store = Store.in_memory()
    _desk(ground, store).freeze(OTHER_BOSS, "beta", "")
    assert not (await _wrote(ground, store, "beta")).ok
    assert (await _wrote(ground, store, "alpha")).ok
    return "the other profile goes on"


@attack(AREA, "An approver of one profile lifts a freeze of everything")
async def freeze_of_everything(ground: AttackContext) -> str:
    store = Store.in_memory()
    desk = _desk(ground, store)
    store.freeze(Freeze(NOW, "local:root", "everything"))
    desk.unfreeze(BOSS, "alpha")
    desk.unfreeze(OTHER_BOSS, "beta")
    for profile in ("alpha", "beta"):
        assert "All writes are frozen by local:root" in (await _wrote(ground, store, profile)).text
    return "it holds in both profiles until it is lifted itself"


@attack(AREA, "The freeze file of the state folder is narrowed to a profile that nobody uses")
async def narrowed_file(ground: AttackContext) -> str:
    said = {"at": NOW, "by": "local:root", "reason": "", "profile": "nobody"}
    (ground.folder / FREEZE_FILE).write_text(json.dumps(said), encoding="utf-8")
    with closing(open_saas_store(ground.folder, "saas")) as store:
        assert "All writes are frozen" in (await _wrote(ground, store, "alpha")).text
    return "it holds every profile all the same"


@attack(AREA, "A profile is named like a pattern, so that its freeze is lifted with another's name")
async def patterned_profile(ground: AttackContext) -> str:
    store = Store.in_memory()
    for name in ("alpha", "alpha_", "%"):
        store.freeze(Freeze(NOW, "token:boss", "", name))
    for name in ("alph%", "alph_", "ALPHA", "alpha "):
        store.unfreeze(name)
    store.unfreeze("%")
    assert [each.profile for each in store.active_freezes()] == ["alpha", "alpha_"]
    assert not (await _wrote(ground, store, "alpha")).ok
    return "a freeze is lifted by exactly its profile's name"


@attack(AREA, "An approver looks for another profile's principals, charges and freezes on the console")
async def console_pages(ground: AttackContext) -> str:
    store = Store.in_memory()
    desk = _desk(ground, store)
    assert (await _wrote(ground, store, "alpha", Principal("token:alice"))).ok
    desk.freeze(BOSS, "alpha", "secret reason")
    asked = views.PageRequest(
        desk, {"profile": "alpha"}, {}, ConsoleSession(OTHER_BOSS, "", NOW, NOW + 1), Reader.of("en")
    )
    for page in (views.view_limits, approvals_view.view_approvals, tools_view.view_tools):
        shown = repr({name: value for name, value in page(asked).values.items() if name != "rooms"})
        assert not any(word in shown for word in ("token:alice", "secret reason", "token:boss'"))
    return "none is shown"
