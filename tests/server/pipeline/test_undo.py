"""Undo: by whom, in which profile, while the state is unchanged, under which decision, and only once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import Failure, ToolAnswer
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.state import uid
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.undo import Undoer, UndoPlan, plan_undo
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment, Freeze, UndoEntry
from saasus_mcp.store.store import Store
from scripts.story import AOZORA, USER
from tests.support.outages import lose_commits
from tests.support.pipeline import evaluate_call
from tests.support.policies import build_policy, build_rule

ME, OTHER = Principal("local:me"), Principal("local:other")
PLACE = Destination("sandbox", CREDENTIALS.saas_id, sandbox=True)


@dataclass
class World:
    """A pipeline in front of an emulated API with state."""

    catalogue: Catalogue
    store: Store
    client: ApiClient
    policy: Policy = field(default_factory=UnsafeAllowAllPolicy)

    def pipeline(self) -> Pipeline:
        return Pipeline(
            catalogue=self.catalogue,
            policy=self.policy,
            client=self.client,
            open_store=lambda: self.store,
            encryptor=Encryptor.ephemeral(),
            destination=PLACE,
        )

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Make a call that must succeed."""
        answer = await self.pipeline().run(Call(name, arguments, ME))
        assert isinstance(answer, ToolAnswer)
        assert answer.ok, answer.text
        return answer.structured or {}

    def entry(self) -> UndoEntry:
        """Return the newest entry of the undo log."""
        return self.store.undo_log.list_entries()[0]

    def plan(self, entry: UndoEntry | None = None, undoer: Undoer = Undoer(ME), place: Destination = PLACE) -> UndoPlan:
        return plan_undo(self.catalogue, entry or self.entry(), undoer, place)

    async def undo(self, planned: UndoPlan | None = None, **supplied: Any) -> list[ToolAnswer]:
        """Make the remaining steps. Return the answers up to the first failure."""
        planned = planned or self.plan()
        answers = []
        for part in planned.steps:
            if part.is_done:
                continue
            answer = await self.pipeline().run(planned.call_for(part, supplied, ME))
            assert isinstance(answer, ToolAnswer)
            answers.append(answer)
            if not answer.ok:
                break
        return answers

    async def roles(self) -> dict[str, str]:
        answer = await self.call("auth_get_roles")
        return {role["role_name"]: role["display_name"] for role in answer["roles"]}


@pytest.fixture
async def world(catalogue: Catalogue, store: Store) -> AsyncIterator[World]:
    async with ApiClient(CREDENTIALS, transport=Sandbox(catalogue).transport()) as client:
        made = World(catalogue, store, client)
        await made.call("auth_create_role", role_name="helper", display_name="Helper")
        yield made


async def test_an_update_is_put_back(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    [answer] = await world.undo()
    assert answer.ok
    assert (await world.roles())["helper"] == "Helper"


async def test_a_creation_is_deleted_and_the_undoing_can_be_undone(world: World) -> None:
    [deleted] = await world.undo()
    assert deleted.ok
    assert "helper" not in await world.roles()
    [made] = await world.undo(world.plan(world.entry()))
    assert made.ok, made.text
    assert (await world.roles())["helper"] == "Helper"


async def test_a_change_is_undone_once(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    planned = world.plan(entry)
    assert (await world.undo(planned))[0].ok
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    [raced] = await world.undo(planned)  # as another terminal that had planned it at the same time
    assert not raced.ok
    assert "already undone" in raced.text
    again = world.store.undo_log.get(entry.call)
    assert again is not None
    with pytest.raises(CallRefused) as refused:
        world.plan(again)
    assert refused.value.message.id == "server.undone_already"


async def test_a_value_that_changed_since_is_not_undone(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    await world.call("auth_update_role", role_name="helper", display_name="Changed by another")
    [answer] = await world.undo(world.plan(entry))
    assert not answer.ok
    assert isinstance(answer.failure, Failure)
    assert answer.failure.message.id == "server.undo_changed_fields"
    assert "Different: Display name. Outcome:" in answer.text
    assert "異なる項目: 表示名。結果:" in answer.explain("ja")
    assert (await world.roles())["helper"] == "Changed by another"


async def test_a_change_of_what_was_deleted_since_says_so(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    await world.call("auth_delete_role", role_name="helper")
    [answer] = await world.undo(world.plan(entry))
    assert isinstance(answer.failure, Failure)
    assert answer.failure.message.id == "server.undo_target_gone"


async def test_a_change_without_an_inverse_call_says_what_is_lost(world: World) -> None:
    await world.call("auth_reset_saas_user_password", user_id=USER)
    with pytest.raises(CallRefused) as refused:
        world.plan(world.entry())
    assert refused.value.message.id == "server.undo_impossible_because"
    assert "The old password is lost." in str(refused.value)


async def test_a_vote_that_was_there_before_is_not_taken_back(world: World) -> None:
    await world.call("communication_create_vote_user", feedback_id=uid("feedback", "csv_export"), user_id=USER)
    with pytest.raises(CallRefused) as refused:
        world.plan()
    assert refused.value.message.id == "server.undo_impossible"


async def test_an_unverifiable_change_is_not_undone(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    world.policy = build_policy(build_rule("all"), build_rule("blind", "deny", tools=("auth_get_roles",)))
    [answer] = await world.undo()
    assert not answer.ok
    assert "cannot be read" in answer.text


async def test_a_change_is_not_taken_for_changed_again_because_the_api_refuses_to_show_it(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    refuses = httpx2.MockTransport(lambda _: httpx2.Response(403))
    async with ApiClient(CREDENTIALS, transport=refuses) as world.client:
        [answer] = await world.undo()
    assert (answer.ok, answer.why) == (False, "unseen")
    assert "HTTP 403" in answer.text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("communication_create_feedback", {"feedback_title": "Dark", "feedback_description": "mode", "user_id": USER}),
        (
            "pricing_update_meter_count_now",
            {"tenant_id": AOZORA, "metering_unit_name": "api_calls", "count": 7, "method": "add"},
        ),
    ],
    ids=["a created item", "a counted value"],
)
async def test_a_change_whose_item_cannot_be_read_is_not_undone(
    world: World, name: str, arguments: dict[str, Any]
) -> None:
    await world.call(name, **arguments)
    planned = world.plan()
    world.policy = build_policy(
        build_rule("all"), build_rule("blind", "deny", levels=("read", "read_sensitive"), tools=())
    )
    [answer] = await world.undo(planned)
    assert (answer.ok, answer.applied, answer.why) == (False, Outcome.NOT_APPLIED, "unseen"), answer.text
    left = world.store.undo_log.get(planned.entry.call)
    assert left is not None
    assert left.undone == {}
    world.policy = UnsafeAllowAllPolicy()
    assert (await world.undo(planned))[0].ok, "it can still be undone"


async def test_a_consent_to_undo_one_change_undoes_no_other_that_has_the_same_inverse_call(world: World) -> None:
    for name in ("Changed", "Helper", "Changed"):
        await world.call("auth_update_role", role_name="helper", display_name=name)
    second, _, first = world.store.undo_log.list_entries()[:3]
    step = JobStepRef("j" * 32, "one", given="approval", by="local:boss", plan="p")
    calls = [
        replace(world.plan(entry).call_for(world.plan(entry).steps[0], {}, ME), job_step=step)
        for entry in (first, second)
    ]
    assert calls[0].arguments == calls[1].arguments
    pipeline = world.pipeline()
    agreed = (await evaluate_call(pipeline, calls[0])).digest
    grant = JobGrant("job_undo_job", ME.id, PLACE.profile, "p", "approval", "local:boss", False, {"one": agreed})
    world.store.commit(step.job, {"operation": "job_undo_job"}, time.time(), commitment=Commitment(grant=grant))
    refused = await pipeline.run(calls[1])
    assert isinstance(refused, ToolAnswer)
    assert (refused.ok, refused.why) == (False, "alreadyused"), refused.text
    assert (await world.roles())["helper"] == "Changed"
    made = await pipeline.run(calls[0])
    assert isinstance(made, ToolAnswer)
    assert made.ok, made.text
    assert [
        bool(each.undone)
        for each in (world.store.undo_log.get(first.call), world.store.undo_log.get(second.call))
        if each
    ] == [True, False]


async def test_another_person_undoes_it_only_as_an_approver(world: World) -> None:
    with pytest.raises(CallRefused) as refused:
        world.plan(undoer=Undoer(OTHER))
    assert refused.value.message.id == "server.undo_other_principal"
    assert refused.value.text("ja") == "その変更はlocal:meによるものです。本人または承認者が元に戻せます。"
    assert world.plan(undoer=Undoer(OTHER, is_approver=True)).steps


async def test_another_profile_does_not_undo_it(world: World) -> None:
    with pytest.raises(CallRefused) as refused:
        world.plan(place=replace(PLACE, profile="production"))
    assert refused.value.message.id == "server.undo_other_profile"
    assert refused.value.message.params == {"profile": "'sandbox'"}


async def test_the_stricter_decision_holds_of_the_call_and_of_what_it_undoes(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    changed = "args.display_name == 'Changed'"
    world.policy = build_policy(
        build_rule("all"), build_rule("names", "deny", when=changed, tools=("auth_update_role",))
    )
    [answer] = await world.undo(world.plan(entry))  # sending "Helper" alone would be allowed
    assert not answer.ok
    assert "not allowed" in answer.text
    world.policy = build_policy(
        build_rule("all"), build_rule("names", "approve", when=changed, tools=("auth_update_role",))
    )
    [asked] = await world.undo(world.plan(entry))
    assert "saasus-mcp approve" in asked.text
    assert (await world.roles())["helper"] == "Changed"


async def test_a_deletion_in_return_is_as_grave_as_any(world: World) -> None:
    world.policy = PRESETS["guarded"]
    [answer] = await world.undo()  # creating a role is a plain write, deleting one is critical
    assert "saasus-mcp approve" in answer.text
    assert "helper" in await world.roles()


async def test_a_freeze_holds_it_back_and_the_mark_is_not_left_behind(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    world.store.freeze(Freeze(1.0, "me", ""))
    [answer] = await world.undo(world.plan(entry))
    assert not answer.ok
    world.store.unfreeze()
    assert (await world.undo(world.plan(entry)))[0].ok


@pytest.mark.parametrize("written", [True, False])
async def test_an_undo_whose_commit_was_lost_was_not_sent_and_can_be_made(world: World, written: bool) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    with lose_commits(world.store, written=written):
        [answer] = await world.undo(world.plan(entry))
    assert (answer.ok, answer.applied, answer.why) == (False, Outcome.NOT_APPLIED, "store")
    assert (await world.roles())["helper"] == "Changed"
    [answer] = await world.undo(world.plan(entry))
    assert answer.ok, answer.text


async def test_parts_that_were_made_are_not_made_again(world: World) -> None:
    tenant = (await world.call("auth_get_tenants"))["tenants"][0]["id"]
    user = (await world.call("auth_get_tenant_users", tenant_id=tenant))["users"][0]["id"]
    for name in ("first", "second"):
        await world.call("auth_create_role", role_name=name, display_name=name)
    where = {"tenant_id": tenant, "user_id": user, "env_id": 3}
    await world.call("auth_create_tenant_user_roles", **where, role_names=["first", "second"])
    entry = world.entry()
    planned = world.plan(entry)
    assert [part.operation.key for part in planned.steps] == ["auth.DeleteTenantUserRole"] * 2
    first = await world.pipeline().run(planned.call_for(planned.steps[0], {}, ME))
    assert isinstance(first, ToolAnswer)
    assert first.ok
    rest = world.store.undo_log.get(entry.call)
    assert rest is not None
    resumed = world.plan(rest)
    assert [part.is_done for part in resumed.steps] == [True, False]
    [answer] = await world.undo(resumed)
    assert answer.ok
    given = await world.call("auth_get_tenant_user", tenant_id=tenant, user_id=user)
    granted = {role["role_name"] for env in given["envs"] for role in env["roles"]}
    assert not granted & {"first", "second"}


async def test_the_audit_names_what_was_undone(world: World) -> None:
    await world.call("auth_update_role", role_name="helper", display_name="Changed")
    entry = world.entry()
    await world.undo()
    begun = [record for record in world.store.audit_log.list_records() if record.get("undoes")]
    assert [(record["operation"], record["undoes"]) for record in begun] == [("auth.UpdateRole", entry.call)]


async def test_a_secret_that_was_never_kept_is_given_again(world: World) -> None:
    await world.call("billing_update_stripe_info", secret_key="sk_made_up_first")
    await world.call("billing_delete_stripe_info")
    planned = world.plan()
    assert [part.missing_paths for part in planned.steps] == [("secret_key",)]
    [answer] = await world.undo(planned, secret_key="sk_made_up_again")
    assert answer.ok, answer.text
    assert "sk_made_up" not in str(world.store.undo_log.list_entries()) + str(world.store.audit_log.list_records())


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("auth_nosuch_tool\u202e", {}, None),
        ("auth_get_tenant", {"tenant_id": "hush-hush-value", "nosuch": 1}, "nosuch"),
        ("auth_get_tenant", {"tenant_id": ".."}, "tenant_id"),
    ],
    ids=["unknown tool", "unknown argument", "another route"],
)
async def test_a_call_that_never_became_one_is_audited_without_its_arguments(
    world: World, name: str, arguments: dict[str, Any], field: str | None
) -> None:
    answer = await world.pipeline().run(Call(name, arguments, ME))
    assert isinstance(answer, ToolAnswer)
    assert not answer.ok
    last = world.store.audit_log.list_records()[-1]
    assert (last["event"], last["principal"], last.get("field")) == ("refused", "local:me", field)
    assert "\u202e" not in last["tool"]
    assert "hush-hush" not in str(last)
