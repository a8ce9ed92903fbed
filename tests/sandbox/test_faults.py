"""Every way to misbehave, as a real client sees it, and whether the operation ran."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.saasus.client import ApiClient, SendFailed
from saasus_mcp.sandbox import CREDENTIALS, FaultInjector, Sandbox, serve_sandbox
from saasus_mcp.sandbox.faults import Kind, parse_fault
from tests.support.sandbox import Clock, SandboxCaller

ROLE = {"role_name": "made", "display_name": "x"}


async def made(api: SandboxCaller) -> bool:
    """Return whether the operation ran."""
    api.sandbox.faults.clear()
    return "made" in [role["role_name"] for role in (await api.read("auth.GetRoles"))["roles"]]


@pytest.mark.parametrize(("status", "retry_after"), [(500, None), (503, None), (429, 3)])
async def test_a_status_is_answered_instead_of_the_write(
    api: SandboxCaller, status: int, retry_after: int | None
) -> None:
    api.sandbox.faults.add("status", on="auth.CreateRole", status=status, retry_after=retry_after)
    answered = await api("auth.CreateRole", **ROLE)
    assert answered.status == status
    assert answered.value.keys() == {"type", "message"}
    assert not await made(api)


async def test_a_failure_can_come_after_the_write(api: SandboxCaller) -> None:
    api.sandbox.faults.add("status", on="auth.CreateRole", done=True)
    assert (await api("auth.CreateRole", **ROLE)).status == 500
    assert await made(api)


async def test_a_refusal_says_when_to_retry(api: SandboxCaller) -> None:
    api.sandbox.faults.add("status", status=429, retry_after=0, times=1)
    assert (await api("auth.GetRoles")).status == 200
    assert [received.status for received in api.sandbox.requests] == [429, 200]


@pytest.mark.parametrize(
    ("kind", "begins", "done"),
    [("html", b"<!doctype html>", False), ("broken_json", b'{"role_name', True), ("empty", b"", True)],
)
async def test_a_success_can_hold_anything(api: SandboxCaller, kind: Kind, begins: bytes, done: bool) -> None:
    api.sandbox.faults.add(kind, on="auth.CreateRole")
    response = await api.send("auth.CreateRole", **ROLE)
    assert 200 <= response.status < 300
    assert response.body.startswith(begins)
    assert len(response.body) < 200
    assert await made(api) is done


async def test_an_empty_answer_can_be_broken_too(api: SandboxCaller) -> None:
    api.sandbox.faults.add("broken_json", on="auth.DeleteRole")
    assert (await api.send("auth.DeleteRole", role_name="auditor")).body == b'{"cut'


@pytest.mark.parametrize(("kind", "done"), [("reset_before", False), ("reset_after", True)])
async def test_a_connection_breaks_before_or_after_the_write(api: SandboxCaller, kind: Kind, done: bool) -> None:
    api.sandbox.faults.add(kind, on="auth.CreateRole")
    with pytest.raises(SendFailed) as failed:
        await api("auth.CreateRole", **ROLE)
    assert failed.value.applied == "unknown"
    assert api.sandbox.requests[-1].status is None
    assert await made(api) is done


async def test_a_hanging_request_is_never_answered(catalogue: Catalogue, sandbox: Sandbox, clock: Clock) -> None:
    sandbox.faults.add("hang", on="auth.CreateRole", times=1)
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock, timeout=0.05) as client:
        impatient = SandboxCaller(catalogue, sandbox, client)
        with pytest.raises(SendFailed, match="did not answer"):
            await impatient("auth.CreateRole", **ROLE)
        assert sandbox.requests[-1].status is None
        assert not await made(impatient)


async def test_latency_delays_an_answer_that_is_otherwise_good(
    api: SandboxCaller, catalogue: Catalogue, clock: Clock
) -> None:
    api.sandbox.faults.add("latency", seconds=0.01, times=1)
    assert (await api("auth.GetRoles")).status == 200
    api.sandbox.faults.add("latency", seconds=30, times=1, on="auth.CreateRole")
    async with ApiClient(CREDENTIALS, transport=api.sandbox.transport(), clock=clock, timeout=0.05) as client:
        with pytest.raises(SendFailed):
            await SandboxCaller(catalogue, api.sandbox, client)("auth.CreateRole", **ROLE)


@pytest.mark.parametrize("kind", ["extra_field", "missing_field", "wrong_type"])
async def test_answers_drift_away_from_the_documents(api: SandboxCaller, kind: Kind) -> None:
    user_id = await api.user("minami.aozora@example.jp")
    good: dict[str, Any] = await api.read("auth.GetSaasUser", user_id=user_id)
    api.sandbox.faults.add(kind, field="email")
    drifted = await api.read("auth.GetSaasUser", user_id=user_id)
    expected: dict[str, Any] = {
        "extra_field": {**good, "x_undocumented": {"since": "yesterday"}},
        "missing_field": {name: value for name, value in good.items() if name != "email"},
        "wrong_type": {**good, "email": 12345},
    }
    assert drifted == expected[kind]
    listed = (await api.read("auth.GetSaasUsers"))["users"]
    assert listed[0] == expected[kind], "the first of a list drifts"
    assert listed[1].keys() == good.keys()


async def test_an_answer_without_fields_cannot_drift(api: SandboxCaller) -> None:
    api.sandbox.faults.add("wrong_type")
    assert (await api.send("auth.DeleteRole", role_name="auditor")).body == b""


async def test_a_fault_holds_for_its_operation_and_its_number_of_requests(api: SandboxCaller) -> None:
    api.sandbox.faults.add("status", on="auth.CreateRole", times=2)
    assert (await api("auth.GetRoles")).status == 200
    statuses = [(await api("auth.CreateRole", **ROLE)).status for _ in range(3)]
    assert statuses == [500, 500, 201]


async def test_a_fault_without_a_number_holds_until_it_is_cleared(api: SandboxCaller) -> None:
    api.sandbox.faults.add("status", on="auth.GetEnvs", status=500)
    api.sandbox.faults.add("status", on="auth.CreateEnv", status=418)
    for _ in range(3):
        assert (await api("auth.CreateEnv", id=9, name="x")).status == 418
    api.sandbox.faults.clear(on="auth.CreateEnv")
    assert (await api("auth.CreateEnv", id=9, name="x")).status == 201
    assert (await api("auth.GetEnvs")).status == 500
    api.sandbox.faults.clear()
    assert (await api("auth.GetEnvs")).status == 200


async def test_faults_can_be_in_force_from_the_start(catalogue: Catalogue, clock: Clock) -> None:
    faults = FaultInjector()
    faults.add("status", status=503)
    sandbox = Sandbox(catalogue, clock=clock, faults=faults)
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock) as client:
        assert (await SandboxCaller(catalogue, sandbox, client)("auth.GetRoles")).status == 503


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104 - refused
def test_a_sandbox_is_served_to_this_machine_only(host: str, catalogue: Catalogue) -> None:
    with pytest.raises(SaasusMcpError, match="this computer only"):
        serve_sandbox(host, 0, Sandbox(catalogue))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("latency=2@auth_get_tenant%50", {"kind": "latency", "seconds": 2.0, "on": "auth.GetTenant", "rate": 0.5}),
        ("latency=0.25", {"kind": "latency", "seconds": 0.25, "on": "*", "rate": 1.0}),
        ("status=503", {"kind": "status", "status": 503, "retry_after": None, "on": "*", "rate": 1.0}),
        ("status=429:20@auth.CreateRole", {"kind": "status", "status": 429, "retry_after": 20, "on": "auth.CreateRole", "rate": 1.0}),
        ("reset%0.5", {"kind": "reset_after", "on": "*", "rate": 0.005}),
        ("drop@auth_delete_tenant", {"kind": "hang", "on": "auth.DeleteTenant", "rate": 1.0}),
    ],
)  # fmt: skip
def test_a_fault_is_read_as_the_command_line_takes_it(catalogue: Catalogue, text: str, told: dict[str, Any]) -> None:
    assert parse_fault(text, catalogue) == told
    FaultInjector().add(**told)


@pytest.mark.parametrize(
    "text",
    ["", "slow", "latency", "latency=x", "latency=0", "latency=1e9", "latency=601", "status=200", "status=99:1", "status=", "reset=1",
     "drop%0", "drop%101", "drop%x", "status=500@auth_get_tenant@x", "status=1.5", "latency=1.2.3"],
)  # fmt: skip
def test_a_fault_of_another_form_is_refused_with_the_form(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(SaasusMcpError) as refused:
        parse_fault(text, catalogue)
    assert "latency=SECONDS" in str(refused.value.hint)


def test_a_fault_on_an_unknown_tool_names_the_nearest(catalogue: Catalogue) -> None:
    with pytest.raises(SaasusMcpError, match="auth_get_tenamt"):
        parse_fault("drop@auth_get_tenamt", catalogue)


def test_a_share_of_the_requests_is_hit_and_the_same_share_in_every_run() -> None:
    def hits() -> list[bool]:
        faults = FaultInjector()
        faults.add("status", rate=0.3)
        return [bool(faults.take("auth.GetTenant")) for _ in range(1000)]

    assert hits() == hits()
    assert 200 < sum(hits()) < 400
