"""Every operation with an inverse call: called in the sandbox, undone at once, and compared with the state before."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.common.language import LANGUAGES
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.permissions.question.change_description import ChangeDescription
from saasus_mcp.permissions.question.dialog import render_body
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.state import uid
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.undo import Undoer, UndoPlan, describe_change, describe_step, plan_undo
from saasus_mcp.store.records import UndoEntry
from saasus_mcp.store.store import Store
from scripts.stage import NOW
from scripts.story import AOZORA, FIRST, MIDORI, USER, values_for
from tests.support.variants import sample_cases

ME = Principal("local:me")
PLACE = Destination("sandbox", CREDENTIALS.saas_id, sandbox=True)
IMAGE = "data:image/png;base64,AA=="
Args = Mapping[str, Any]

MOMENT = 1_773_800_000
NEXT_MONTH, MONTH_AFTER = 1_775_001_600, 1_777_593_600
STARTER, BUSINESS_YEAR = uid("plan", "starter"), uid("plan", "business_year")
AKANE, MORIO = uid("user", "akane.hoshino@example.jp"), uid("user", "warehouse-01")
MAIL = {"subject": "変更", "message": "{####} {username} {tenant_name} {invitation_url}"}
PAGE = {"html_contents": "<h1>ログイン / Sign in</h1>", "is_terms_of_service": True, "is_privacy_policy": True}
POLICY = {
    "minimum_length": 20,
    "is_require_lowercase": True,
    "is_require_numbers": True,
    "is_require_symbols": True,
    "is_require_uppercase": True,
    "temporary_password_validity_days": 1,
}
COUNT_AT_ONCE = "pricing.UpdateMeteringUnitTimestampCountNow"
COUNT_NOW = {"tenant_id": AOZORA, "metering_unit_name": "api_calls", "count": 2}
USAGE = {"tenant_id": AOZORA, "metering_unit_name": "api_calls", "timestamp": MOMENT}
FIGURE = {"type": "daily", "date": "2026-03-01", "tenant_id": AOZORA, "env_id": 3}
SAML = {"tenant_id": AOZORA, "provider_type": "SAML"}


@dataclass(frozen=True)
class Case:
    """One call and its undo. By default, its values are those of the sandbox's demonstration data."""

    key: str
    args: Args | None = None
    first: tuple[tuple[str, Args], ...] = ()
    lost: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    id: str = ""


def of(
    key: str,
    args: Args | None = None,
    *first: tuple[str, Args],
    lost: Iterable[str] = (),
    fields: Iterable[str] = (),
    id: str = "",
) -> Case:
    """Return a case, with lists as people write them."""
    return Case(key, args, first, frozenset(lost), frozenset(fields), id)


COUNT, TENANT_PLAN = "pricing.UpdateMeteringUnitTimestampCount", "auth.UpdateTenantPlan"
MFA = "auth.UpdateUserMfaPreference"
BY_EMAIL: Args = {"user_id": USER, "enabled": True, "method": "email"}
OFF: Args = {"user_id": USER, "enabled": False}
RESERVED: Args = {"tenant_id": AOZORA, "next_plan_id": STARTER, "using_next_plan_from": NEXT_MONTH}
SPECIAL = [
    of("analysis.UpdateActiveUsers", None, ("analysis.UpdateActiveUsers", {**FIGURE, "active_users": 9})),
    of("apigateway.UpdateApiGatewaySettings", {"internal_endpoint_health_check_path": "/other"}),
    of("apigateway.UpdateTenant", {"tenant_id": AOZORA, "allowed_ips": ["198.51.100.0/24"]}),
    of("auth.UpdateBasicInfo", fields=["is_dns_validated"]),
    of("auth.UpdateCustomizePageSettings", fields=["icon", "favicon"]),
    of("auth.UpdateSingleTenantSettings", {"enabled": True}),
    of("auth.UpdateNotificationMessages", {"sign_up": MAIL}),
    of("auth.UpdateSignInSettings", {"password_policy": POLICY}),
    of("auth.UpdateCustomizePages", {"sign_in_page": PAGE}),
    of("auth.UpdateIdentityProvider", fields=["application_secret"]),
    of(
        "auth.UpdateTenantIdentityProvider",
        {**SAML, "identity_provider_props": {"metadata_url": "https://b.example.com/m", "email_attribute": "mail"}},
        (
            "auth.UpdateTenantIdentityProvider",
            {**SAML, "identity_provider_props": {"metadata_url": "https://a.example.com/m", "email_attribute": "mail"}},
        ),
    ),
    of("auth.SaveSaasUsersCount", {"count": 41}, ("auth.SaveSaasUsersCount", {"count": 40})),
    of(
        "auth.SaveTenantUsersCounts",
        None,
        ("auth.SaveTenantUsersCounts", {"tenant_user_counts": [{"tenant_id": AOZORA, "count": 20}]}),
    ),
    of(MFA, BY_EMAIL, (MFA, BY_EMAIL), (MFA, OFF), id="on"),
    of(MFA, OFF, (MFA, BY_EMAIL), id="off"),
    of("auth.CreateTenantUser", {"tenant_id": MIDORI, "email": "akane.hoshino@example.jp", "attributes": {}}),
    of("auth.DeleteTenantUser"),
    of("auth.DeleteTenantUser", {"tenant_id": AOZORA, "user_id": AKANE}, id="of an administrator"),
    of("auth.DeleteRole", lost=["grants"]),
    of("auth.DeleteEnv", lost=["grants", "api_keys"]),
    of("auth.DeleteUserAttribute", lost=["members"]),
    of("auth.DeleteTenantAttribute", lost=["tenants"]),
    of(TENANT_PLAN, RESERVED, id="reserve"),
    of(TENANT_PLAN, {"tenant_id": AOZORA, "next_plan_id": ""}, (TENANT_PLAN, RESERVED), id="drop a reservation"),
    of(
        TENANT_PLAN,
        {"tenant_id": AOZORA, "next_plan_id": BUSINESS_YEAR, "using_next_plan_from": MONTH_AFTER},
        (TENANT_PLAN, RESERVED),
        id="reserve another",
    ),
    of("awsmarketplace.UpdateSettings", {"product_code": "other"}),
    of("billing.UpdateStripeInfo", fields=["secret_key"]),
    of("billing.UpdateStripeInfo", None, ("billing.DeleteStripeInfo", {}), id="without earlier settings"),
    of("billing.DeleteStripeInfo", lost=["stripe_customers"], fields=["secret_key"]),
    of(
        "communication.CreateVoteUser",
        {"feedback_id": uid("feedback", "csv_export"), "user_id": MORIO},
    ),
    of(
        "integration.SaveEventBridgeSettings",
        None,
        ("integration.DeleteEventBridgeSettings", {}),
        id="without earlier settings",
    ),
    of("integration.SaveEventBridgeSettings", {"aws_account_id": "111111111111", "aws_region": "ap-northeast-1"}),
    *(
        of(
            COUNT,
            {**USAGE, "method": method, "count": 3},
            (COUNT, {**USAGE, "method": "direct", "count": 5}),
            id=method,
        )
        for method in ("add", "sub", "direct")
    ),
    *(
        Case(COUNT_AT_ONCE, {**COUNT_NOW, "method": method}, first, id=method)
        for method, first in (("add", ()), ("sub", ((COUNT_AT_ONCE, {**COUNT_NOW, "method": "add", "count": 5}),)))
    ),
    *(
        of(f"pricing.Delete{kind}", fields=["recurring_interval"])
        for kind in ("PricingMenu", "PricingPlan", "MeteringUnitByID")
    ),
    of("auth.DeleteTenantInvitation", fields=["expired_at", "invitation_url"]),
]
ADDED = {case.key for case in SPECIAL}
CASES = [
    *SPECIAL,
    *sample_cases(
        of(operation.key)
        for operation in load_catalogue()
        if operation.effects.undo is not None and operation.effects.undo.call is not None and operation.key not in ADDED
    ),
]
NOISE = {"api_logs", "email_requests"}
"""What the API notes by itself, and requests that are spent."""
TIMES = {"created_at", "updated_at"}


class World:
    """A pipeline in front of a sandbox with a fixed clock."""

    def __init__(self, catalogue: Catalogue, store: Store, client: ApiClient, sandbox: Sandbox) -> None:
        self.catalogue, self.store, self.sandbox = catalogue, store, sandbox
        self.pipeline = Pipeline(
            catalogue=catalogue,
            policy=UnsafeAllowAllPolicy(),
            client=client,
            open_store=lambda: store,
            encryptor=Encryptor.ephemeral(),
            destination=PLACE,
            clock=NOW.timestamp,
        )

    async def call(self, key: str, args: Args) -> None:
        """Make a call that must succeed."""
        answer = await self.pipeline.run(Call(self.catalogue.find(key).tool, dict(args), ME))
        assert isinstance(answer, ToolAnswer)
        assert answer.ok, answer.text

    def entry(self) -> UndoEntry:
        return self.store.undo_log.list_entries()[0]

    def plan(self) -> UndoPlan:
        return plan_undo(self.catalogue, self.entry(), Undoer(ME), PLACE)

    async def undo(self, planned: UndoPlan) -> None:
        """Make every step, with invented secrets for the missing paths."""
        for part in planned.steps:
            supplied = {path: IMAGE if "icon" in path else "made-up" for path in part.missing_paths}
            answer = await self.pipeline.run(planned.call_for(part, supplied, ME))
            assert isinstance(answer, ToolAnswer)
            assert answer.ok, answer.text

    def state(self, case: Case, *, ids: bool) -> dict[str, list[str]]:
        """Return the state of the SaaS without what cannot return. Recreated items have other ids."""
        left_out = frozenset(TIMES | case.fields | (set() if ids else {"id"}))
        return {
            table: sorted(_line(record, left_out, key if ids else None) for key, record in rows)
            for table, rows in self.sandbox.state.exported()["tables"].items()
            if rows and table not in NOISE | case.lost
        }


_LINES: dict[tuple[Any, ...], tuple[Any, str]] = {}
"""The records that were seen, by identity, and their texts. No record changes, and most are those of the demonstration."""


def _line(record: Any, left_out: frozenset[str], place: Any) -> str:
    """Return the record as text, without these fields, and with its key if that counts."""
    key = id(record), left_out, str(place)
    if key not in _LINES:
        _LINES[key] = record, json.dumps([place, _without(record, left_out)], sort_keys=True)
    return _LINES[key][1]


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(item, names) for name, item in value.items() if name not in names and item is not None}
    return [_without(item, names) for item in value] if isinstance(value, list | tuple) else value


@pytest.fixture
async def world(catalogue: Catalogue) -> AsyncIterator[World]:
    sandbox, store = Sandbox(catalogue, clock=lambda: NOW), Store.in_memory()
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=lambda: NOW) as client:
        yield World(catalogue, store, client, sandbox)
    store.close()


def require_whole_sentences(description: ChangeDescription, *, past: bool) -> None:
    """Require a sentence in each language, without an empty place or an id, and in the past where the language says so."""
    for language in LANGUAGES:
        reader = Reader.of(language)
        said = description.sentence(reader)
        assert said == said.strip()
        assert not re.search(r"\{|  |\(\)", said), said
        for text in (said, *description.all_lines(reader)):
            assert not re.search(r"\{\}|“”|「」|[0-9a-f]{8}-[0-9a-f]{4}-", text), text
            assert not (past and re.match("Current |現在の", text)), f"the change has ended it: {text}"
    assert re.search(r"(まし|し|っ)?た(\(|$)" if past else r"ます(\(|$)", said), said
    assert all("→" in render_body(change, reader) for change in description.changes)


@pytest.mark.parametrize(
    ("key", "args", "english", "japanese"),
    [
        (
            MFA,
            BY_EMAIL,
            "Turn on two-factor sign-in for minami.aozora@example.jp",
            "minami.aozora@example.jp の多要素認証を有効にしました",
        ),
        (
            "auth.CreateTenantUserRoles",
            {"tenant_id": AOZORA, "user_id": USER, "env_id": 3, "role_names": ["auditor"]},
            "Grant “監査人(未使用) (auditor)” to minami.aozora@example.jp",
            "minami.aozora@example.jp にロール「監査人(未使用) (auditor)」を付与しました",
        ),
        (
            TENANT_PLAN,
            RESERVED,
            "Schedule a plan change of “株式会社青空商事” for Wed 1 Apr 2026, 00:00 UTC",
            "「株式会社青空商事」の料金プランの変更を予約しました(適用: 2026年4月1日(水) 09:00 JST)",
        ),
        (
            "auth.DeleteTenantUser",
            {"tenant_id": AOZORA, "user_id": USER},
            "Remove minami.aozora@example.jp from the tenant “株式会社青空商事”",
            "minami.aozora@example.jp をテナント「株式会社青空商事」から外しました",
        ),
        (
            "auth.UpdateTenantUser",
            {**values_for(load_catalogue().find("auth.UpdateTenantUser")), "tenant_id": AOZORA, "user_id": USER},
            "Change the attributes of minami.aozora@example.jp in the tenant “株式会社青空商事”",
            "テナント「株式会社青空商事」での minami.aozora@example.jp の属性を変更しました",
        ),
    ],
)
async def test_a_change_is_reported_with_the_name_of_its_target(
    key: str, args: Args, english: str, japanese: str, world: World
) -> None:
    await world.call(key, args)
    said = describe_change(world.catalogue, world.entry())
    assert said is not None
    assert [said.sentence(Reader.of(language)) for language in LANGUAGES] == [english, japanese]


@pytest.mark.parametrize(
    ("key", "args", "english", "japanese"),
    [
        (
            "auth.CreateTenantUser",
            {"tenant_id": MIDORI, "email": "akane.hoshino@example.jp", "attributes": {}},
            "Remove akane.hoshino@example.jp from the tenant “みどり薬局”",
            "akane.hoshino@example.jp をテナント「みどり薬局」から外します",
        ),
        (
            "auth.CreateTenantInvitation",
            {**values_for(load_catalogue().find("auth.CreateTenantInvitation")), "email": "new@example.jp"},
            "Withdraw the invitation of new@example.jp to the tenant “株式会社青空商事”",
            "new@example.jp のテナント「株式会社青空商事」への招待を取り消します",
        ),
    ],
)
async def test_the_undo_of_what_was_created_in_its_target_names_what_was_created(
    key: str, args: Args, english: str, japanese: str, world: World
) -> None:
    await world.call(key, args)
    tenant = args["tenant_id"]
    name = {MIDORI: "みどり薬局", AOZORA: "株式会社青空商事"}[tenant]
    entry = replace(world.entry(), target=name, names={f"tenant {tenant}": name})  # as a question reads it
    planned = plan_undo(world.catalogue, entry, Undoer(ME), PLACE)
    [step] = planned.steps
    assert [describe_step(planned, step).sentence(Reader.of(language)) for language in LANGUAGES] == [english, japanese]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key} {case.id}".strip())
async def test_undo_works_straight_after_the_call_and_brings_back_what_was_there(case: Case, world: World) -> None:
    operation = world.catalogue.find(case.key)
    undo = operation.effects.undo
    assert undo is not None
    story = FIRST.get(case.key)
    before = [(story[0], {**values_for(world.catalogue.find(story[0])), **story[1]})] if story else []
    for key, args in (*before, *case.first):
        await world.call(key, args)
    args = values_for(operation) if case.args is None else case.args
    ids = undo.kind == "undoable"
    untouched, there = world.state(case, ids=ids), world.state(case, ids=True)

    await world.call(case.key, args)
    assert world.state(Case(case.key), ids=True) != there, "the call of the story changed nothing"
    entry, planned = world.entry(), world.plan()
    described = describe_change(world.catalogue, entry)
    assert described is not None
    require_whole_sentences(described, past=True)
    for step in planned.steps:
        require_whole_sentences(describe_step(planned, step), past=False)
    await world.undo(planned)

    assert world.state(case, ids=ids) == untouched
    assert not (case.lost or case.fields) or undo.note is not None, "a row says what does not come back"
    again = world.store.undo_log.get(entry.call)
    assert again is not None
    assert set(again.undone) == {part.number for part in planned.steps}


async def test_a_created_object_that_changed_since_is_not_removed(world: World) -> None:
    operation = world.catalogue.find("auth.CreateTenant")
    await world.call(operation.key, values_for(operation))
    made, planned = world.entry().result, world.plan()
    renamed = {"name": "Renamed", "attributes": {}, "back_office_staff_email": made["back_office_staff_email"]}
    await world.call("auth.UpdateTenant", {"tenant_id": made["id"], **renamed})
    with pytest.raises(AssertionError, match=r"Different: Name\."):
        await world.undo(planned)


async def test_a_removed_object_is_not_removed_again(world: World) -> None:
    operation = world.catalogue.find("communication.CreateFeedback")
    await world.call(operation.key, values_for(operation))
    planned = world.plan()
    await world.call("communication.DeleteFeedback", {"feedback_id": world.entry().result["id"]})
    with pytest.raises(AssertionError, match="item that the change created no longer exists"):
        await world.undo(planned)


@pytest.mark.parametrize("key", ["auth.ResetSaasUserPassword", "auth.DeleteSaasUser", "pricing.CreateTaxRate"])
async def test_an_irreversible_write_is_in_the_undo_log_too(key: str, world: World) -> None:
    await world.call(key, values_for(world.catalogue.find(key)))
    assert world.entry().operation == key
    with pytest.raises(CallRefused) as refused:
        world.plan()
    assert refused.value.message.id == "server.undo_impossible_because"
