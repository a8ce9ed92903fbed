"""`saasus-mcp specs probe` compares responses with the documents and reports no values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from saasus_mcp import sandbox
from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.common.messages import one_of
from tests.support.commands import Terminal, run_command, spawn_command
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.saas_store import open_saas_store

CANARY, NUMBER = "kanarie", 987_654_321


class Watched(FaultySandbox):
    """A sandbox that a test has changed before the command uses it.

    Attributes:
        ask: how it is changed.
        rewrite: what becomes of each answer's body.
        last: the one that the command made.
    """

    ask: Callable[[FaultySandbox], None] = staticmethod(lambda _: None)
    rewrite: Callable[[bytes], bytes] | None = None
    last: Watched

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(catalogue)
        Watched.last = self
        Watched.ask(self)

    def transport(self) -> Any:
        inner = super().transport()
        return inner if Watched.rewrite is None else Rewriting(inner, Watched.rewrite)


class Rewriting(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, rewrite: Callable[[bytes], bytes]) -> None:
        self._inner = inner
        self._rewrite = rewrite

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inner.handle_async_request(request)
        body = self._rewrite(await answer.aread())
        return httpx2.Response(answer.status_code, headers={"content-type": "application/json"}, content=body)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    monkeypatch.setattr(sandbox, "Sandbox", Watched)
    monkeypatch.setattr(Watched, "ask", staticmethod(lambda _: None))
    monkeypatch.setattr(Watched, "rewrite", None)
    return Watched


def probed(*args: str, status: int = 0) -> dict[str, Any]:
    ran = run_command("specs", "probe", "--sandbox", "--json", *args)
    assert ran.status == status, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def read(report: dict[str, Any], key: str) -> dict[str, Any]:
    return next(dict(one) for one in report["made"] if one["operation"] == key)


def deviations(report: dict[str, Any], key: str) -> list[tuple[str, str]]:
    return [(one["place"], one["kind"]) for one in read(report, key)["deviations"]]


def test_every_read_but_three_is_made_and_agrees() -> None:
    report = probed()
    assert report["agrees"]
    assert len(report["made"]) == 74
    assert {one["operation"]: one["why"] for one in report["not_made"]} == {
        "apigateway.GetApiKey": "secret",
        "auth.GetUserInfo": "secret",
        "awsmarketplace.VerifyRegistrationToken": "secret",
    }
    assert all(one["statuses"] == [200] for one in report["made"])


def test_only_reads_are_sent_and_all_of_them_are_audited(watched: type[Watched], state: Path) -> None:
    report = probed()
    reads = {operation.key for operation in load_catalogue() if operation.reads}
    sent = [request.operation for request in watched.last.requests]
    assert set(sent) <= reads
    store = open_saas_store(state, "sandbox")
    try:
        records = [record for record in store.audit_log.list_records() if record["event"] == "begun"]
        assert len(records) == len(sent) == sum(one["calls"] for one in report["made"])
        assert store.list_approvals(0) == []
    finally:
        store.close()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("extra_field", ("tenants[].x_undocumented", "undocumented_field")),
        ("missing_field", ("tenants[].name", "missing")),
        ("wrong_type", ("tenants[].name", "type")),
    ],
)
def test_an_answer_that_drifts_is_found(watched: type[Watched], kind: Any, expected: tuple[str, str]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add(kind, on="auth.GetTenants", field="name"))
    report = probed(status=1)
    assert not report["agrees"]
    assert deviations(report, "auth.GetTenants") == [expected]
    assert [one["operation"] for one in report["made"] if not one["agrees"]] == ["auth.GetTenants"]


def test_drift_in_a_read_that_needs_an_id_is_found(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("wrong_type", on="auth.GetTenantUser", field="email"))
    assert deviations(probed(status=1), "auth.GetTenantUser") == [("email", "type")]


@pytest.mark.parametrize(("kind", "field"), [("html", "unreadable"), ("empty", "unreadable")])
def test_a_success_without_an_answer_is_found(watched: type[Watched], kind: Any, field: str) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add(kind, on="auth.GetRoles"))
    assert read(probed(status=1), "auth.GetRoles")[field] == 1


def test_a_status_that_the_documents_do_not_name_is_found(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("status", status=403, on="auth.GetRoles"))
    ran = run_command("specs", "probe", "--sandbox")
    assert ran.status == 1
    assert "auth.GetRoles  GET /v1/auth/roles\n  ! HTTP 403, which is not documented" in ran.out


def test_fields_missing_from_a_list_are_reported(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("status", status=403, on="communication.GetFeedbacks"))
    left = {one["operation"]: one for one in probed(status=1)["not_made"]}
    assert left["communication.GetFeedback"]["why"] == "empty"
    assert left["communication.GetFeedback"]["parameters"] == ["feedback_id"]


def test_another_parent_is_tried_where_the_first_has_nothing(watched: type[Watched]) -> None:
    """The first tenant's list of invitations is not the only one that can give an invitation's id."""
    watched.ask = staticmethod(
        lambda made: made.faults.add("status", status=404, on="auth.GetTenantInvitations", times=1)
    )
    report = probed(status=1)
    assert read(report, "auth.GetTenantInvitations")["statuses"] == [200]
    assert read(report, "auth.GetTenantInvitations")["undocumented_statuses"] == [404]
    assert read(report, "auth.GetTenantInvitation")["agrees"]


@pytest.mark.parametrize("on", ["*", "auth.GetTenants"])
def test_credentials_that_are_refused_stop_it_with_the_next_step(watched: type[Watched], on: str) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("status", status=401, on=on))
    ran = run_command("specs", "probe", "--sandbox")
    assert ran.status == 2
    assert str(one_of("cli_specs.stopped", "unauthorized")) in ran.err
    assert str(one_of("cli_specs.stopped_hint", "unauthorized")) in ran.err
    assert len(watched.last.requests) < 60
    assert on != "*" or len(watched.last.requests) == 1


def test_an_api_that_is_not_reached_stops_it(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("reset_before"))
    ran = run_command("specs", "probe", "--sandbox")
    assert (ran.status, ran.out) == (2, "")
    assert str(one_of("cli_specs.stopped", "unreached")) in ran.err
    assert {request.operation for request in watched.last.requests} == {"auth.GetBasicInfo"}


def test_it_ends_when_its_time_is_over_and_tells_what_is_left(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("latency", seconds=500, on="auth.GetTenants"))
    report = probed("--seconds", "1", status=2)
    assert report["stopped"] == "late"
    assert {one["why"] for one in report["not_made"] if one["operation"] == "auth.GetTenants"} == {"stopped"}


@pytest.mark.parametrize("outcome", ["deny", "confirm", "approve"])
def test_a_read_that_the_policy_does_not_allow_unasked_is_not_made(
    watched: type[Watched], tmp_path: Path, state: Path, outcome: str
) -> None:
    rules = [{"name": "no", "tools": ["auth_get_tenants"], "then": outcome, "reason": "no"}, {"name": "rest", "levels": ["read", "read_sensitive"], "then": "allow"}]  # fmt: skip
    policy = tmp_path / "policy.yaml"
    policy.write_text(json.dumps({"version": 1, "rules": rules}), encoding="utf-8")
    report = probed("--policy", str(policy))
    assert "not_allowed" in {one["why"] for one in report["not_made"] if one["operation"] == "auth.GetTenants"}
    assert "auth.GetTenants" not in {request.operation for request in watched.last.requests}
    store = open_saas_store(state, "sandbox")
    try:
        assert store.list_approvals(0) == []
    finally:
        store.close()


def canaries(body: bytes) -> bytes:
    """Return the answer with a canary for each text and number, and for each key of a map without documented fields."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {name: changed(item) for name, item in value.items()}
            maps = ("attributes", "user_attribute", "details")
            return {
                name: {f"{CANARY} {at}": each for at, each in enumerate(item.values())} if name in maps else item
                for name, item in kept.items()
            } | {f"{CANARY}@example.jp": CANARY}
        if isinstance(value, list):
            return [changed(item) for item in value]
        if isinstance(value, str):
            return f"{CANARY} {value}"
        return value if isinstance(value, bool) or value is None else NUMBER

    return json.dumps(changed(json.loads(body)), ensure_ascii=False).encode()


@pytest.mark.parametrize("flags", [("--json",), (), ("--lang", "ja")])
def test_no_value_of_an_answer_is_in_the_report(watched: type[Watched], flags: tuple[str, ...]) -> None:
    watched.rewrite = staticmethod(canaries)
    ran = run_command("specs", "probe", "--sandbox", *flags)
    assert ran.status == 1
    assert CANARY not in ran.out + ran.err
    assert str(NUMBER) not in ran.out + ran.err
    assert "example.jp" not in ran.out + ran.err
    assert "auth.GetTenants" in ran.out


def test_the_report_reads_in_japanese(watched: type[Watched]) -> None:
    watched.ask = staticmethod(lambda made: made.faults.add("wrong_type", on="auth.GetTenants", field="name"))
    out = run_command("specs", "probe", "--sandbox", "--lang", "ja").out
    assert "tenants[].name: 定義ではstring、実際はinteger(一部)" in out


def test_the_command_runs_as_a_process() -> None:
    ran = spawn_command("specs", "probe", "--sandbox")
    assert (ran.status, ran.err.count("\n")) == (0, 1)
    assert "74 of 77 reads made in 74 calls. Match the documents: 74. Differ: 0." in ran.out


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of its own is made by pty")
def test_a_terminal_shows_how_far_it_is() -> None:
    with Terminal("specs", "probe", "--sandbox") as terminal:
        terminal.wait_for("1 of 74 reads")
        terminal.wait_for("74 of 74 reads")
        assert terminal.wait() == 0
