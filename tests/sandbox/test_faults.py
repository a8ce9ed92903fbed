"""Every way to misbehave, as a real client sees it, and whether the operation ran."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.saasus.client import ApiClient, SendFailed
from saasus_mcp.sandbox import CREDENTIALS, serve_sandbox
from saasus_mcp.sandbox.faults import FaultInjector, InjectedFault, parse_fault
from tests.support.faulty_sandbox import FaultySandbox
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


async def test_a_refusal_says_when_to_retry(api: SandboxCaller) -> None:
    api.sandbox.faults.add("status", status=429, retry_after=0, times=1)
    assert (await api("auth.GetRoles")).status == 200
    assert [received.operation for received in api.sandbox.requests] == ["auth.GetRoles"] * 2


async def test_a_connection_breaks_after_the_write(api: SandboxCaller) -> None:
    api.sandbox.faults.add("reset", on="auth.CreateRole")
    with pytest.raises(SendFailed) as failed:
        await api("auth.CreateRole", **ROLE)
    assert failed.value.applied == "unknown"
    assert await made(api)


async def test_a_hanging_request_is_never_answered(catalogue: Catalogue, sandbox: FaultySandbox, clock: Clock) -> None:
    sandbox.faults.add("drop", on="auth.CreateRole", times=1)
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock, timeout=0.05) as client:
        impatient = SandboxCaller(catalogue, sandbox, client)
        with pytest.raises(SendFailed, match="did not answer"):
            await impatient("auth.CreateRole", **ROLE)
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


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104 - refused
def test_a_sandbox_is_served_to_this_machine_only(host: str, catalogue: Catalogue) -> None:
    with pytest.raises(SaasusMcpError, match="this computer only"):
        serve_sandbox(host, 0, FaultySandbox(catalogue))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("latency=2@auth_get_tenant%50", InjectedFault("latency", "auth.GetTenant", 0.5, seconds=2.0)),
        ("latency=0.25", InjectedFault("latency", seconds=0.25)),
        ("status=503", InjectedFault("status", status=503)),
        ("status=429:20@auth.CreateRole", InjectedFault("status", "auth.CreateRole", status=429, retry_after=20)),
        ("reset%0.5", InjectedFault("reset", rate=0.005)),
        ("drop@auth_delete_tenant", InjectedFault("drop", "auth.DeleteTenant")),
    ],
)
def test_a_fault_is_read_as_the_command_line_takes_it(catalogue: Catalogue, text: str, told: InjectedFault) -> None:
    assert parse_fault(text, catalogue) == told


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
        faults.active.append(InjectedFault("status", rate=0.3))
        return [bool(faults.take("auth.GetTenant")) for _ in range(1000)]

    assert hits() == hits()
    assert 200 < sum(hits()) < 400
